//! Whatever a pool sends: a device neither panics nor depends on chance.

use proptest::prelude::*;
use serde_json::json;

use super::super::{DeviceEvent, Ending, PERSONALITIES, Quirk};
use super::lab::{Job, Lab};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Act {
    Bytes(Vec<u8>),
    Line(String),
    Wait(f64),
    End(bool),
    Block(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let number =
        prop_oneof![Just("0"), Just("-1"), Just("1e400"), Just("4294967297"), Just("0.5"), Just("null")];
    let method = prop_oneof![
        Just("mining.notify"),
        Just("mining.set_difficulty"),
        Just("mining.set_extranonce"),
        Just("mining.set_version_mask"),
        Just("client.reconnect"),
        Just("client.show_message"),
        Just("mining.ping"),
        Just("mining.multi_version"),
    ];
    let value = prop_oneof![
        number.clone().prop_map(str::to_owned),
        "\"[0-9a-fA-F]{0,66}\"",
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("true".to_owned()),
        Just("\"ü\\u0000\"".to_owned()),
    ];
    let params = prop::collection::vec(value.clone(), 0..11);
    let line = (method, params).prop_map(|(method, params)| {
        format!("{{\"id\":null,\"method\":\"{method}\",\"params\":[{}]}}\n", params.join(","))
    });
    let job = (any::<u8>(), 0..9_usize, value.clone()).prop_map(|(id, at, value)| {
        let mut params = Job::new(&id.to_string()).params();
        if let Ok(value) = serde_json::from_str(&value) {
            params[at] = value;
        }
        format!("{}\n", json!({"id": null, "method": "mining.notify", "params": params}))
    });
    let reply = (0..30_u32, value).prop_map(|(id, value)| format!("{{\"id\":{id},\"result\":{value}}}\n"));
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Act::Bytes),
        line.prop_map(Act::Line),
        job.prop_map(Act::Line),
        reply.prop_map(Act::Line),
        (0.0..20.0).prop_map(Act::Wait),
        any::<bool>().prop_map(Act::End),
        any::<bool>().prop_map(Act::Block),
    ]
}

/// Lives through it; all that the device did.
fn live(quirks: &[Quirk], acts: &[Act]) -> Vec<super::super::DeviceAction> {
    let mut lab = Lab::new(quirks);
    lab.run(1.0);
    lab.start();
    for act in acts {
        match act {
            Act::Bytes(bytes) => lab.send(bytes),
            Act::Line(line) => lab.send(line),
            Act::Wait(seconds) => lab.run(*seconds),
            Act::End(hard) => lab.event(DeviceEvent::Closed(if *hard { Ending::Rst } else { Ending::Fin })),
            Act::Block(true) => lab.event(DeviceEvent::Blocked),
            Act::Block(false) => lab.event(DeviceEvent::Drained),
        }
    }
    lab.run(2.0);
    lab.actions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_bytes_make_it_panic(acts in prop::collection::vec(act(), 0..24), which in any::<prop::sample::Index>()) {
        let firmware = which.get(PERSONALITIES);
        prop_assert_eq!(live(firmware.quirks, &acts), live(firmware.quirks, &acts), "{}", firmware.key);
    }

    #[test]
    fn no_quirk_makes_it_panic(acts in prop::collection::vec(act(), 0..16), which in any::<prop::sample::Index>()) {
        live(&[*which.get(Quirk::ALL)], &acts);
    }
}

#[test]
fn each_firmware_mines_where_the_pool_is_good() {
    for firmware in PERSONALITIES {
        let mut lab = Lab::of("adit.check", firmware.quirks);
        lab.mask = lab.mask.filter(|_| !firmware.quirks.contains(&Quirk::NoVersionRolling));
        // A whole one, for firmware that keeps no other.
        lab.difficulty = 2.0;
        lab.run(3.0);
        lab.start();
        let (all, valid) = lab.count(30.0);
        assert!(all > 0, "{} does not mine", firmware.key);
        // Some write versions or nonces in a way that the lab finds fault with.
        let is_odd = [Quirk::VersionWhole, Quirk::NonceUnpadded].map(|odd| firmware.quirks.contains(&odd));
        assert!(valid == all || is_odd.contains(&true), "{}: {valid} of {all}", firmware.key);
        assert_eq!(lab.connects.len(), 1, "{}", firmware.key);
    }
}
