//! How the quirks of reading lines and commands show.

use serde_json::{Value, json};

use super::super::Quirk::{
    BadJsonCrash, BadJsonFatal, BadTextCrash, BlankLineFatal, CarriageReturnRefused, FirstLineOfSegment,
    JobIdCut, JobIdHexOnly, JobIdUnescaped, LineCrash, LineLimit, LineLostOnSubmit, LineSkipped,
    LineSurvivesReconnect, LineTimeout, MessageCrash, MethodNullCrash, MultiVersionCrash, NbitsCrash,
    NestingCrash, NineParamsOnly, NotifyTypeCrash, NulHidesRest, OddHexCrash, PartialLineLost,
    UpperHexMisread,
};
use super::super::{DeviceEvent, Ending, Quirk};
use super::Scenario;
use super::lab::{Job, Lab};

pub(super) const SHOWN: &[(Quirk, Scenario)] = &[
    (FirstLineOfSegment, |quirks| {
        after(quirks, |lab| {
            let lines = [notify(lab, "2"), notify(lab, "3")].concat();
            lab.send(lines);
        })
    }),
    (PartialLineLost, |quirks| {
        after(quirks, |lab| {
            let line = notify(lab, "3");
            lab.send(&line[..line.len() - 1]);
            lab.run(0.5);
            lab.send("\n");
        })
    }),
    (LineTimeout, |quirks| after(quirks, |lab| slowly(lab, 0.02))),
    (LineLostOnSubmit, |quirks| after(quirks, |lab| slowly(lab, 0.02))),
    (BlankLineFatal, |quirks| lives(quirks, |lab| lab.send("\r\n\n"))),
    (CarriageReturnRefused, |quirks| {
        after(quirks, |lab| {
            let line = notify(lab, "3");
            lab.send(format!("{}\r\n", line.trim_end()));
        })
    }),
    (LineSurvivesReconnect, |quirks| {
        let mut lab = Lab::mining(quirks);
        lab.send("{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"12");
        lab.event(DeviceEvent::Closed(Ending::Rst));
        lab.run(2.0);
        lab.start();
        lab.is_good(20.0) && lab.shares.iter().all(|share| share.bits().is_some())
    }),
    (NulHidesRest, |quirks| {
        after(quirks, |lab| {
            lab.send(b"\0\n");
            lab.notify(&Job::new("3"));
        })
    }),
    (BadTextCrash, |quirks| lives(quirks, |lab| lab.send(b"\xff\xfe\xfd\n"))),
    (BadJsonCrash, |quirks| lives(quirks, |lab| lab.send("{\"id\":}\n"))),
    (BadJsonFatal, |quirks| lives(quirks, |lab| lab.send("\u{feff}{}\nhello\n"))),
    (NestingCrash, |quirks| lives(quirks, |lab| lab.send(format!("{}\n", "[".repeat(10_000))))),
    (LineCrash(65_536), |quirks| lives(quirks, |lab| lab.send("a".repeat(70_000)))),
    (LineLimit(16_384), |quirks| lives(quirks, |lab| lab.send("a".repeat(20_000)))),
    (LineSkipped(4_096), |quirks| {
        after(quirks, |lab| {
            let mut job = Job::new("3");
            job.branch = vec![[6; 32]; 60];
            lab.notify(&job);
        })
    }),
    (MethodNullCrash, |quirks| {
        lives(quirks, |lab| {
            for line in [json!({"id": null, "method": null, "params": []}), json!({"method": 7}), json!({})] {
                lab.line(&line);
            }
        })
    }),
    (NotifyTypeCrash, |quirks| {
        lives(quirks, |lab| {
            for at in 0..9 {
                for value in [json!(7), json!(null), json!({})] {
                    let mut params = Job::new("3").params();
                    params[at] = value;
                    lab.tell("mining.notify", params);
                }
            }
            lab.tell("mining.notify", json!(["3"]));
            lab.tell("mining.notify", json!(null));
        })
    }),
    (NineParamsOnly, |quirks| {
        after(quirks, |lab| {
            let job = Job::new("3");
            lab.note(&job);
            let mut params = job.params();
            params.as_array_mut().unwrap().insert(8, json!(true));
            lab.tell("mining.notify", params);
        })
    }),
    (NbitsCrash, |quirks| {
        lives(quirks, |lab| {
            for nbits in ["00000000", "01003456", "ff00ffff"] {
                let mut params = Job::new("1").params();
                params[6] = json!(nbits);
                lab.tell("mining.notify", params);
            }
            lab.notify(&Job::new("4"));
        })
    }),
    (OddHexCrash, |quirks| {
        lives(quirks, |lab| {
            for (at, text) in [(2, "abc"), (5, "2000000"), (5, "0x20000000"), (7, "123456789")] {
                let mut params = Job::new("3").params();
                params[at] = json!(text);
                lab.tell("mining.notify", params);
            }
        })
    }),
    (UpperHexMisread, |quirks| {
        after(quirks, |lab| {
            let mut job = Job::new("3");
            job.coinb2 = vec![0xab; 100];
            lab.note(&job);
            let mut params = job.params();
            params[3] = json!("AB".repeat(100));
            lab.tell("mining.notify", params);
        })
    }),
    (MultiVersionCrash, |quirks| {
        lives(quirks, |lab| lab.tell("mining.multi_version", json!(vec![0x2000_0000; 1_000])))
    }),
    (MessageCrash, |quirks| {
        lives(quirks, |lab| {
            lab.tell("client.show_message", json!(["%n%s"]));
            lab.tell("client.show_message", json!(["\u{1b}[2J"]));
            lab.tell("client.show_message", json!([{"text": 1}]));
            lab.tell("client.show_message", json!(["message ".repeat(8_192)]));
        })
    }),
    (JobIdHexOnly, |quirks| named(quirks, "Stollen ü")),
    (JobIdCut(16), |quirks| named(quirks, &"0123456789abcdef".repeat(4))),
    (JobIdUnescaped, |quirks| named(quirks, "with \"quotes\" and \\")),
];

/// Whether only good shares of job `3` come in the same session after what is sent.
fn after(quirks: &[Quirk], act: fn(&mut Lab)) -> bool {
    let mut lab = Lab::mining(quirks);
    act(&mut lab);
    lab.is_good(20.0) && lab.connects.len() == 1 && lab.shares.iter().all(|share| share.text(1) == "3")
}

/// Whether good shares come in the same session after what is sent.
fn lives(quirks: &[Quirk], act: fn(&mut Lab)) -> bool {
    let mut lab = Lab::mining(quirks);
    act(&mut lab);
    lab.is_good(20.0) && lab.connects.len() == 1
}

/// Whether a job of this name is mined.
fn named(quirks: &[Quirk], id: &str) -> bool {
    let mut lab = Lab::mining(quirks);
    lab.notify(&Job::new(id));
    lab.is_good(20.0) && lab.shares.iter().all(|share| share.text(1) == id)
}

/// The line of a job that the lab will know.
fn notify(lab: &mut Lab, id: &str) -> String {
    let job = Job::new(id);
    lab.note(&job);
    format!("{}\n", json!({"id": Value::Null, "method": "mining.notify", "params": job.params()}))
}

/// Sends job `3` byte by byte, while shares go out.
fn slowly(lab: &mut Lab, seconds: f64) {
    // An answer would come in the middle of the line.
    lab.answers.insert("mining.submit", "");
    for byte in notify(lab, "3").bytes() {
        lab.send([byte]);
        lab.run(seconds);
    }
}
