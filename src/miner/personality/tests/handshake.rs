//! How the quirks of the handshake show.

use serde_json::{Value, json};

use super::super::Quirk::{
    AskedMaskUsed, AsksAllBits, ConfigureRequired, DuplicateReplyFatal, EarlyMaskCrash, EarlyMessagesLost,
    ErrorFieldRequired, ErrorObjectCrash, Extranonce1Cut, Extranonce1SizeKept, Extranonce2Fixed,
    Extranonce2SizeAtOnce, Extranonce2SizeCrash, Extranonce2SizeKept, Extranonce2Unsubmitted,
    ExtranonceAtOnce, ExtranonceSubscribeRequired, MaskAtNextJob, MaskSurvivesSession, MinesUnauthorized,
    NoExtranonceSubscribe, NoSuggestion, NoVersionRolling, OddIdIsSetupReply, OldWorkSurvives, OneByOne,
    PongAsRequest, RejectsCrash, RepliesByOrder, ReplyIdZero, RequestCrash, RequestsIgnored,
    ResumedExtranonceKept, RollsWithoutGrant, SetExtranonceIgnored, StrayLineFatal, SubmitCut, SubmitIdFour,
    SubmitsSurviveSession, SubscribeFirst, SubscribeRefusalIgnored, SubscriptionsRequired,
    SuggestionRequired, SuggestsOften, TextIds, UnknownReplyFatal, UnsolicitedExtranonceCrash, UserCut,
    UserUnescaped, UserWithoutWorker, VersionBitsAlways, ZeroMaskIgnored,
};
use super::super::{DeviceEvent, Ending, Quirk};
use super::Scenario;
use super::lab::{Job, Lab};

pub(super) const SHOWN: &[(Quirk, Scenario)] = &[
    (SubscribeFirst, |quirks| first_asks(quirks).first().is_some_and(|method| method == "mining.configure")),
    (NoVersionRolling, |quirks| first_asks(quirks).contains(&"mining.configure".to_owned())),
    (NoExtranonceSubscribe, |quirks| first_asks(quirks).contains(&"mining.extranonce.subscribe".to_owned())),
    (NoSuggestion, |quirks| first_asks(quirks).contains(&"mining.suggest_difficulty".to_owned())),
    (OneByOne, |quirks| first_asks(quirks).len() == 5),
    (SuggestsOften, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.run(70.0);
        lab.asked("mining.suggest_difficulty") == 1
    }),
    (AsksAllBits, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.run(1.0);
        lab.requests.iter().any(|line| line["params"][1]["version-rolling.mask"] == "1fffe000")
    }),
    (TextIds, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.run(1.0);
        lab.requests.iter().all(|line| line["id"].is_number())
    }),
    (SubmitIdFour, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.run(20.0);
        lab.requests.iter().filter(|line| line["id"] == 4).count() == 1
    }),
    (RepliesByOrder, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answering = false;
        lab.run(1.0);
        for (id, result) in [(3, json!(true)), (2, json!([[], "aaaaaaaa", 8])), (1, json!({}))] {
            lab.line(&json!({"id": id, "result": result, "error": null}));
        }
        lab.mask = None;
        lab.start();
        lab.is_good(20.0)
    }),
    (DuplicateReplyFatal, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.line(&json!({"id": 2, "result": [[], "bbbbbbbb", 4], "error": null}));
        lab.is_good(20.0)
    }),
    (UnknownReplyFatal, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.line(&json!({"id": 77_777, "result": true, "error": null}));
        lab.is_good(20.0)
    }),
    (OddIdIsSetupReply, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.line(&json!({"id": "seven", "result": [[], "00000000", 4], "error": null}));
        lab.notify(&Job::new("2"));
        lab.is_good(20.0)
    }),
    (ErrorFieldRequired, |quirks| {
        answers(quirks, "mining.authorize", "\"result\":true") && answers(quirks, "x", "\"result\":true")
    }),
    (ConfigureRequired, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answers.insert("mining.configure", "");
        lab.mask = None;
        lab.run(10.0);
        lab.start();
        lab.is_good(20.0)
    }),
    (ExtranonceSubscribeRequired, |quirks| {
        answers(quirks, "mining.extranonce.subscribe", "\"result\":null,\"error\":[20,\"no\",null]")
    }),
    (SuggestionRequired, |quirks| {
        answers(quirks, "mining.suggest_difficulty", "\"result\":null,\"error\":[20,\"no\",null]")
            && answers(quirks, "mining.suggest_difficulty", "")
    }),
    (SubscriptionsRequired, |quirks| {
        answers(quirks, "mining.subscribe", "\"result\":[[],\"aaaaaaaa\",8],\"error\":null")
            && answers(quirks, "mining.subscribe", "\"result\":[null,\"aaaaaaaa\",8],\"error\":null")
    }),
    (SubscribeRefusalIgnored, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answers.insert("mining.subscribe", "\"result\":null,\"error\":null");
        lab.run(1.0);
        lab.start();
        lab.count(20.0).0 == 0 && lab.connects.len() > 2
    }),
    (MinesUnauthorized, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answers.insert("mining.authorize", "\"result\":false,\"error\":null");
        lab.run(0.0);
        lab.start();
        lab.count(20.0).0 == 0 && lab.connects.len() > 2
    }),
    (StrayLineFatal, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answers.insert("mining.authorize", "");
        lab.run(1.0);
        lab.tell("mining.adit_unknown", json!([]));
        lab.closes.is_empty()
    }),
    (EarlyMessagesLost, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answering = false;
        lab.run(1.0);
        lab.mask = None;
        lab.start();
        lab.line(&json!({"id": 2, "result": [[], "aaaaaaaa", 8], "error": null}));
        lab.line(&json!({"id": 3, "result": true, "error": null}));
        lab.answering = true;
        lab.is_good(20.0)
    }),
    (EarlyMaskCrash, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answers.insert("mining.authorize", "");
        lab.run(1.0);
        lab.tell("mining.set_version_mask", json!(["00ffe000"]));
        lab.closes.is_empty()
    }),
    (RollsWithoutGrant, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.mask = None;
        lab.run(1.0);
        lab.start();
        lab.run(20.0);
        lab.shares.iter().all(|share| share.bits().unwrap_or(0) == 0)
    }),
    (VersionBitsAlways, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.mask = None;
        lab.run(1.0);
        lab.start();
        lab.run(20.0);
        lab.shares.iter().all(|share| share.bits().is_none())
    }),
    (MaskSurvivesSession, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.mask = None;
        lab.again();
        lab.is_good(20.0) && lab.shares.iter().all(|share| share.bits().is_none())
    }),
    (AskedMaskUsed, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.mask = Some(0x6000);
        lab.run(1.0);
        lab.start();
        lab.is_good(20.0)
    }),
    (ZeroMaskIgnored, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.tell("mining.set_version_mask", json!(["00000000"]));
        lab.shares.clear();
        lab.run(20.0);
        lab.shares.iter().all(|share| share.bits() == Some(0))
    }),
    (MaskAtNextJob, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.run(5.0);
        lab.tell("mining.set_version_mask", json!(["0000e000"]));
        lab.shares.clear();
        lab.run(20.0);
        lab.shares.iter().all(|share| share.bits().unwrap() & !0xe000 == 0)
    }),
    (ResumedExtranonceKept, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.extranonce1 = vec![0xbb; 4];
        lab.again();
        let named = lab.requests.iter().rev().find(|line| line["method"] == "mining.subscribe");
        named.unwrap()["params"][1] == "s1" && lab.is_good(20.0)
    }),
    (Extranonce1SizeKept, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.extranonce1 = vec![0xbb; 8];
        lab.again();
        lab.is_good(20.0)
    }),
    (Extranonce2SizeKept, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.extranonce2_bytes = json!(4);
        lab.again();
        lab.is_good(20.0)
    }),
    (Extranonce1Cut(4), |quirks| {
        let mut lab = Lab::new(quirks);
        lab.extranonce1 = vec![0xbb; 6];
        lab.run(1.0);
        lab.start();
        lab.is_good(20.0)
    }),
    (Extranonce2Fixed(4), |quirks| sized(quirks, 6)),
    (Extranonce2Unsubmitted(8), |quirks| sized(quirks, 16)),
    (Extranonce2SizeCrash, |quirks| {
        [json!(33), json!(-1), json!(2_147_483_648_u64)].into_iter().all(|size| {
            let mut lab = Lab::new(quirks);
            lab.extranonce2_bytes = size;
            lab.run(1.0);
            lab.closes.first().is_some_and(|(_, ending)| *ending == Ending::Fin)
        })
    }),
    (UnsolicitedExtranonceCrash, |quirks| {
        let mut lab = Lab::new(quirks);
        lab.answers.insert("mining.extranonce.subscribe", "\"result\":false,\"error\":null");
        lab.run(1.0);
        for params in [json!([]), json!(["zz", 4]), json!([null, null]), json!([4, "00"]), json!(null)] {
            lab.tell("mining.set_extranonce", params);
        }
        lab.start();
        lab.is_good(20.0)
    }),
    (SetExtranonceIgnored, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.set_extranonce(vec![0xcc; 4], 4);
        lab.notify(&Job::new("2"));
        lab.is_good(20.0)
    }),
    (ExtranonceAtOnce, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.set_extranonce(vec![0xcc; 4], 8);
        lab.is_good(20.0)
    }),
    (Extranonce2SizeAtOnce, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.set_extranonce(vec![0xcc; 4], 4);
        lab.is_good(20.0)
    }),
    (OldWorkSurvives, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.extranonce1 = vec![0xbb; 4];
        lab.again();
        lab.is_good(20.0)
    }),
    (SubmitsSurviveSession, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.run(20.0);
        lab.shares.clear();
        lab.again();
        lab.run(20.0);
        lab.shares.iter().all(|share| share.valid)
    }),
    (ErrorObjectCrash, |quirks| {
        rejected(quirks, "\"result\":null,\"error\":{\"code\":23,\"message\":\"low\"}")
            && rejected(quirks, "\"result\":null,\"error\":\"low\"")
    }),
    (RejectsCrash(30), |quirks| rejected(quirks, "\"result\":false,\"error\":[23,\"low\",null]")),
    (ReplyIdZero, |quirks| asked(quirks, json!("seven")) == [json!("seven")]),
    (RequestsIgnored, |quirks| asked(quirks, json!(7)) == [json!(7)]),
    (RequestCrash, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.line(&json!({"id": 9, "method": "mining.adit_unknown", "params": []}));
        lab.replies.last().is_some_and(|reply| reply["error"][0] == -32_601) && lab.is_good(10.0)
    }),
    (PongAsRequest, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.line(&json!({"id": 9, "method": "mining.ping", "params": []}));
        lab.replies.last().is_some_and(|reply| reply["result"] == "pong" && reply["id"] == 9)
    }),
    (UserUnescaped, |quirks| Lab::mining(quirks).requests.iter().all(Value::is_object)),
    (UserCut(63), |quirks| Lab::mining(quirks).is_good(20.0)),
    (UserWithoutWorker, |quirks| Lab::mining(quirks).is_good(20.0)),
    (SubmitCut(100), |quirks| Lab::mining(quirks).is_good(20.0)),
];

/// Methods that are asked for before anything is answered.
fn first_asks(quirks: &[Quirk]) -> Vec<String> {
    let mut lab = Lab::new(quirks);
    lab.answering = false;
    lab.run(1.0);
    lab.requests.iter().filter_map(|line| line["method"].as_str().map(str::to_owned)).collect()
}

/// Whether it mines in its first session, though a request is answered like this.
fn answers(quirks: &[Quirk], method: &'static str, answer: &'static str) -> bool {
    let mut lab = Lab::new(quirks);
    lab.answers.insert(method, answer);
    lab.run(15.0);
    lab.start();
    lab.is_good(20.0) && lab.connects.len() == 1
}

/// Whether it mines on, though shares are answered like this.
fn rejected(quirks: &[Quirk], answer: &'static str) -> bool {
    let mut lab = Lab::mining(quirks);
    lab.answers.insert("mining.submit", answer);
    lab.run(60.0);
    lab.is_good(20.0) && lab.connects.len() == 1
}

/// Whether it mines with so many bytes of extranonce2.
fn sized(quirks: &[Quirk], bytes: usize) -> bool {
    let mut lab = Lab::new(quirks);
    lab.extranonce2_bytes = json!(bytes);
    lab.run(1.0);
    lab.start();
    lab.is_good(20.0)
}

/// The ids of its answers to a request with this id.
fn asked(quirks: &[Quirk], id: Value) -> Vec<Value> {
    let mut lab = Lab::mining(quirks);
    lab.line(&json!({"id": id, "method": "client.get_version", "params": []}));
    lab.replies.iter().map(|reply| reply["id"].clone()).collect()
}

impl Lab {
    /// Ends the connection, and begins another session with job `1`.
    fn again(&mut self) {
        self.event(DeviceEvent::Closed(Ending::Fin));
        self.run(2.0);
        self.start();
    }

    fn set_extranonce(&mut self, extranonce1: Vec<u8>, bytes: usize) {
        self.tell("mining.set_extranonce", json!([crate::stratum::v1::hex::encode(&extranonce1), bytes]));
        self.extranonce1 = extranonce1;
        self.extranonce2_bytes = json!(bytes);
    }
}
