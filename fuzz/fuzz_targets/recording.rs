//! No file makes the reader of recordings, or what reads a recording, panic;
//! what it reads survives being written, and differs from itself in nothing.
#![no_main]

use adit::tap::{Part, Player, Recording, diff};
use adit::units::{Seconds, Timestamp};
use libfuzzer_sys::fuzz_target;

/// What a player may say before it has said enough.
const OUTPUTS_MAX: usize = 1_000;

fuzz_target!(|bytes: &[u8]| {
    let Ok(recording) = Recording::read(bytes) else { return };
    let again = Recording::read(recording.to_json().as_bytes()).expect("what we write can be read");
    assert_eq!((&again.header, &again.entries), (&recording.header, &recording.entries));
    assert!(!diff(&recording, &again).any());
    let Ok(part) = Part::of(&recording, None) else { return };
    let mut now = Timestamp::from_unix_seconds(1);
    let mut player = Player::new(&part, 1.0, now);
    for method in part.methods().iter().map(String::as_str).chain(["mining.authorize", "mining.subscribe"]) {
        let line = format!("{{\"id\":1,\"method\":{method:?}}}");
        player.on_line(line.as_bytes(), now);
        now = now + Seconds(0.5);
    }
    for _ in 0..OUTPUTS_MAX {
        let Some(wake) = player.next_wake() else { break };
        now = now.max(wake);
        if player.pop(now).is_none() {
            break;
        }
    }
    let _ = player.report(now).to_string();
});
