//! How the quirks of jobs, difficulty and hashing show.

use serde_json::json;

use super::super::Quirk;
use super::super::Quirk::{
    BranchCut, CleanLingers, CleanSameBlockLingers, CoinbaseCut, DeafWhileSubmitting, DifficultyAtOnce,
    DifficultyLate, DifficultyOnlyRises, DifficultyQueued, DifficultyRoundedUp, DifficultyTruncated,
    DifficultyZeroTaken, EmptyBranchRefused, Extranonce2LittleEndian, Extranonce2Overflows,
    Extranonce2Restart, Extranonce2WrapRepeats, ExtranonceInScriptOnly, ForeignPayoutReset,
    HashrateOverstated, IdleStops, JobQueue, NewestJobNamed, NonceByteSwapped, NonceNarrow, NonceUnpadded,
    NotifyTimer, NtimeNeverBack, NtimeOwnClock, NtimeRunsAhead, PrevHashUnswapped, SeenJobIgnored,
    SharesTwice, SlowStart, SlowSwitch, SubmitsBatched, SubmitsOneAtATime, UncleanIgnored, UncleanLingers,
    VersionBitsFew, VersionModern, VersionOr, VersionWhole, VersionXor, WorkConstant,
};
use super::Scenario;
use super::lab::{EASY, Job, Lab};

pub(super) const SHOWN: &[(Quirk, Scenario)] = &[
    (PrevHashUnswapped, |quirks| changed(quirks, |job| job.prev_hash = std::array::from_fn(|n| n as u8))),
    (BranchCut(12), |quirks| changed(quirks, |job| job.branch = vec![[6; 32]; 16])),
    (CoinbaseCut(255), |quirks| changed(quirks, |job| job.coinb2 = vec![7; 300])),
    (EmptyBranchRefused, |quirks| changed(quirks, |job| job.branch.clear())),
    (ExtranonceInScriptOnly, |quirks| changed(quirks, |job| job.coinb1 = vec![3; 120])),
    (ForeignPayoutReset, |quirks| Lab::mining(quirks).is_good(20.0)),
    (VersionOr, |quirks| changed(quirks, |job| job.version = 0x3fff_e000)),
    (VersionXor, |quirks| changed(quirks, |job| job.version = 0x3fff_e000)),
    (VersionWhole, |quirks| changed(quirks, |job| job.version = 0x3fff_e000)),
    (VersionModern, |quirks| changed(quirks, |job| job.version = 0xe000_0002)),
    (NtimeNeverBack, |quirks| changed(quirks, |job| job.ntime -= 60)),
    (NtimeOwnClock, |quirks| changed(quirks, |job| job.ntime += 6_900)),
    (NtimeRunsAhead, |quirks| Lab::mining(quirks).is_good(20.0)),
    (NonceByteSwapped, |quirks| Lab::mining(quirks).is_good(20.0)),
    (NonceUnpadded, |quirks| Lab::mining(quirks).is_good(100.0)),
    (NonceNarrow, |quirks| {
        let lab = mined(quirks, 8, 60.0);
        let nonces: std::collections::BTreeSet<&str> = lab.shares.iter().map(|share| share.text(4)).collect();
        nonces.len() == lab.shares.len()
    }),
    (WorkConstant, |quirks| {
        let lab = mined(quirks, 8, 60.0);
        lab.shares[0].params[2] != lab.shares[20].params[2]
    }),
    (Extranonce2LittleEndian, |quirks| {
        let lab = mined(quirks, 8, 60.0);
        lab.shares[20].text(2).starts_with("0000")
    }),
    (Extranonce2Overflows, |quirks| all_good(&mined(quirks, 1, 60.0))),
    (Extranonce2WrapRepeats, |quirks| !mined(quirks, 1, 90.0).has_duplicates()),
    (Extranonce2Restart, |quirks| {
        let mut lab = Lab::mining(quirks);
        for id in ["2", "3", "4"] {
            lab.run(10.0);
            lab.notify(&Job { clean: false, ..Job::new(id) });
        }
        lab.run(10.0);
        all_good(&lab) && !lab.has_duplicates()
    }),
    (VersionBitsFew(4), |quirks| {
        let lab = mined(quirks, 8, 60.0);
        lab.shares.iter().fold(0, |bits, share| bits | share.bits().unwrap()) == 0x1fff_e000
    }),
    (HashrateOverstated(50), |quirks| mined(quirks, 8, 100.0).shares.len() > 150),
    (SlowStart(60), |quirks| !mined(quirks, 8, 20.0).shares.is_empty()),
    (SlowSwitch(600), |quirks| {
        let mut lab = Lab::mining(quirks);
        for id in 0..100 {
            lab.notify(&Job::new(&format!("{id}x")));
            lab.run(1.0);
        }
        lab.shares.len() > 150
    }),
    (IdleStops, |quirks| mined(quirks, 8, 100.0).shares.len() > 150),
    (NotifyTimer(60), |quirks| mined(quirks, 8, 100.0).connects.len() == 1),
    (CleanLingers, |quirks| only_newest(quirks, true, [8; 32])),
    (CleanSameBlockLingers, |quirks| only_newest(quirks, true, [3; 32])),
    (UncleanLingers(15), |quirks| only_newest(quirks, false, [8; 32])),
    (UncleanIgnored, |quirks| only_newest(quirks, false, [3; 32])),
    (SeenJobIgnored, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.run(5.0);
        lab.notify(&Job { clean: false, coinb2: vec![1; 90], ..Job::new("1") });
        lab.is_good(20.0)
    }),
    (NewestJobNamed, |quirks| {
        let mut lab = Lab::mining(quirks);
        for id in 0..40 {
            lab.run(0.5);
            lab.notify(&Job { clean: false, coinb2: vec![id; 90], ..Job::new(&format!("{id}x")) });
        }
        all_good(&lab)
    }),
    (JobQueue, |quirks| {
        let mut lab = Lab::mining(quirks);
        for id in 0..100 {
            lab.notify(&Job { clean: false, ..Job::new(&format!("{id}x")) });
            lab.run(0.02);
        }
        lab.run(1.0);
        lab.is_good(20.0) && lab.shares.iter().all(|share| share.text(1) == "99x")
    }),
    (DifficultyAtOnce, |quirks| {
        let mut lab = Lab::mining(quirks);
        // The lab goes on to judge by the difficulty of the job.
        lab.tell("mining.set_difficulty", json!([EASY / 4.0]));
        lab.is_good(20.0)
    }),
    (DifficultyLate, |quirks| announced(quirks, &[4.0 * EASY])),
    (DifficultyQueued, |quirks| announced(quirks, &[EASY / 8.0, EASY])),
    (DifficultyTruncated, |quirks| announced(quirks, &[1.9])),
    (DifficultyOnlyRises, |quirks| {
        announced(quirks, &[64.0 * EASY]) && {
            let mut lab = Lab::mining(quirks);
            lab.set_difficulty(1e6);
            lab.notify(&Job::new("2"));
            lab.set_difficulty(EASY);
            lab.notify(&Job::new("3"));
            lab.is_good(20.0)
        }
    }),
    (DifficultyRoundedUp, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.set_difficulty(1.1);
        lab.notify(&Job::new("2"));
        lab.count(100.0).0 > 150
    }),
    (DifficultyZeroTaken, |quirks| {
        let mut lab = Lab::mining(quirks);
        for value in [json!(0), json!(-1), json!(null), json!([]), json!("512"), json!("much")] {
            lab.tell("mining.set_difficulty", json!([value]));
        }
        lab.send("{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[1e400]}\n");
        lab.notify(&Job::new("2"));
        let (all, valid) = lab.count(100.0);
        valid == all && (150..250).contains(&all)
    }),
    (SharesTwice, |quirks| !mined(quirks, 8, 60.0).has_duplicates()),
    (SubmitsBatched, |quirks| {
        let mut lab = Lab::mining(quirks);
        let batches = |lab: &Lab| {
            let sends = lab.actions.iter().filter_map(|action| match action {
                super::super::DeviceAction::Send(bytes) => Some(bytes.split(|byte| *byte == b'\n').count()),
                _ => None,
            });
            sends.skip(1).max()
        };
        lab.run(60.0);
        batches(&lab) == Some(2)
    }),
    (SubmitsOneAtATime, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.answers.insert("mining.submit", "");
        lab.count(20.0).0 > 20
    }),
    (DeafWhileSubmitting, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.answers.insert("mining.submit", "");
        lab.run(10.0);
        lab.notify(&Job::new("2"));
        lab.is_good(15.0) && lab.shares.iter().all(|share| share.text(1) == "2")
    }),
];

/// Whether a job with such a change is mined as it should be.
fn changed(quirks: &[Quirk], change: fn(&mut Job)) -> bool {
    let mut lab = Lab::mining(quirks);
    lab.run(2.0);
    let mut job = Job::new("2");
    change(&mut job);
    lab.notify(&job);
    lab.is_good(20.0) && lab.shares.iter().all(|share| share.text(1) == "2")
}

/// A lab in which one job was mined for some time, with so many bytes of extranonce2.
fn mined(quirks: &[Quirk], bytes: usize, seconds: f64) -> Lab {
    let mut lab = Lab::new(quirks);
    lab.extranonce2_bytes = json!(bytes);
    lab.run(1.0);
    lab.start();
    lab.run(seconds);
    lab
}

fn all_good(lab: &Lab) -> bool {
    lab.shares.len() > 10 && lab.shares.iter().all(|share| share.valid)
}

/// Whether all shares are of the newest job soon after it came.
fn only_newest(quirks: &[Quirk], clean: bool, prev_hash: [u8; 32]) -> bool {
    let mut lab = Lab::mining(quirks);
    lab.run(5.0);
    lab.notify(&Job { clean, prev_hash, ..Job::new("2") });
    lab.is_good(10.0) && lab.shares.iter().all(|share| share.text(1) == "2")
}

/// Whether difficulties that are announced before a job hold for it, the last one.
fn announced(quirks: &[Quirk], difficulties: &[f64]) -> bool {
    let mut lab = Lab::mining(quirks);
    for difficulty in difficulties {
        lab.set_difficulty(*difficulty);
    }
    lab.notify(&Job::new("2"));
    let (all, valid) = lab.count(400.0 * lab.difficulty / EASY / 4.0);
    all == valid && (130..270).contains(&all)
}
