//! How the quirks of connections show.

use serde_json::json;

use super::super::Quirk::{
    AddressCached, BackoffUnbounded, CertificateUnverified, GivesUp, ReconnectAnywhere, ReconnectAtOnce,
    ReconnectHome, ReconnectHostCrash, ReconnectIgnored, ReconnectPortWraps, ReconnectSuffix,
    ReconnectWaitObeyed, RetryAtOnce, RetryFixed, SilenceIgnored, SilenceLimit, UptimeCrash, WriteHangs,
};
use super::super::{DeviceAction, DeviceEvent, Ending, Quirk};
use super::Scenario;
use super::lab::{EASY, Job, Lab};

pub(super) const SHOWN: &[(Quirk, Scenario)] = &[
    (ReconnectAnywhere, |quirks| sent(quirks, json!(["evil.other", 3333, 0]), 10.0).connects.len() == 1),
    (ReconnectSuffix, |quirks| sent(quirks, json!(["evil.example", 3333]), 10.0).connects.len() == 1),
    (ReconnectHome, |quirks| {
        let lab = sent(quirks, json!(["POOL.example", "3334", 0]), 10.0);
        lab.connects.len() == 2 && lab.connects[1].2 == 3334
    }),
    (ReconnectIgnored, |quirks| sent(quirks, json!([]), 10.0).connects.len() == 2),
    (ReconnectWaitObeyed, |quirks| {
        sent(quirks, json!(["pool.example", 3333, 3_600]), 70.0).connects.len() == 2
    }),
    (ReconnectHostCrash, |quirks| {
        sent(quirks, json!(["a".repeat(10_000), 3333, 0]), 30.0).connects.len() == 1
    }),
    (ReconnectPortWraps, |quirks| {
        let lab = sent(quirks, json!(["pool.example", 99_999, 0]), 10.0);
        lab.connects.len() == 2 && lab.connects[1].2 == 3333
    }),
    (ReconnectAtOnce, |quirks| {
        let mut lab = Lab::new(quirks);
        let end = lab.now.0 + 60_000_000;
        while lab.now.0 < end {
            lab.run(0.5);
            lab.tell("client.reconnect", json!([]));
        }
        lab.connects.len() < 12
    }),
    (AddressCached, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.event(DeviceEvent::Closed(Ending::Rst));
        lab.run(5.0);
        lab.actions.iter().all(|action| !matches!(action, DeviceAction::Connect { cached: true, .. }))
    }),
    (CertificateUnverified, |quirks| {
        let lab = Lab::mining(quirks);
        let trusting = |action: &DeviceAction| {
            matches!(action, DeviceAction::Connect { accepts_any_certificate: true, .. })
        };
        !lab.actions.iter().any(trusting)
    }),
    (SilenceIgnored, |quirks| {
        let lab = deaf(quirks, 180.0);
        lab.connects.len() > 1 && lab.asked("mining.ping") == 1
    }),
    (SilenceLimit(600), |quirks| deaf(quirks, 180.0).connects.len() > 1),
    (RetryAtOnce, |quirks| down(quirks, 60.0).connects.len() < 12),
    (RetryFixed(5), |quirks| {
        let lab = down(quirks, 600.0);
        let gaps: Vec<f64> = lab.connects.windows(2).map(|pair| pair[1].0.since(pair[0].0).0).collect();
        gaps[gaps.len() - 1] > 25.0 && gaps.iter().all(|gap| *gap < 61.0)
    }),
    (GivesUp, |quirks| back(quirks, 30.0, 60.0)),
    (BackoffUnbounded, |quirks| back(quirks, 600.0, 65.0)),
    (WriteHangs, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.set_difficulty(EASY / 16.0);
        lab.notify(&Job::new("2"));
        lab.event(DeviceEvent::Blocked);
        lab.actions.clear();
        lab.run(100.0);
        let sent = lab.actions.len();
        lab.notify(&Job::new("3"));
        lab.event(DeviceEvent::Drained);
        lab.run(1.0);
        sent == 0 && lab.is_good(20.0) && lab.shares.iter().all(|share| share.text(1) == "3")
    }),
    (UptimeCrash(1_800), |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.set_difficulty(100.0);
        lab.notify(&Job::new("2"));
        lab.run(2_000.0);
        lab.connects.len() == 1
    }),
];

/// A lab some time after client.reconnect.
fn sent(quirks: &[Quirk], params: serde_json::Value, seconds: f64) -> Lab {
    let mut lab = Lab::mining(quirks);
    lab.run(10.0);
    lab.tell("client.reconnect", params);
    lab.run(seconds);
    lab
}

/// A lab in which the pool is silent for some time.
fn deaf(quirks: &[Quirk], seconds: f64) -> Lab {
    let mut lab = Lab::mining(quirks);
    lab.run(10.0);
    lab.answering = false;
    lab.run(seconds);
    lab
}

/// A lab in which the pool is down for some time.
fn down(quirks: &[Quirk], seconds: f64) -> Lab {
    let mut lab = Lab::mining(quirks);
    lab.run(10.0);
    lab.listening = false;
    lab.event(DeviceEvent::Closed(Ending::Rst));
    lab.run(seconds);
    lab
}

/// Whether it is back in time after the pool was down.
fn back(quirks: &[Quirk], seconds: f64, limit: f64) -> bool {
    let mut lab = down(quirks, seconds);
    lab.listening = true;
    lab.run(limit);
    lab.start();
    lab.is_good(20.0)
}
