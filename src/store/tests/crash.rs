//! `kill -9` while shares are stored: what was acknowledged is there afterwards.
//!
//! The test starts this very test program again as the victim, told by an
//! environment variable, and kills it in the middle of its work.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;

const VICTIM: &str = "ADIT_TEST_STORE_VICTIM";

#[test]
fn kill_9_loses_nothing_acknowledged() {
    if let Some(dir) = std::env::var_os(VICTIM) {
        store_until_killed(Path::new(&dir));
    }
    let dir = directory();
    let mut acknowledged = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    // More than once: recovery from a crash must itself be sound.
    for round in 0..3 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::crash::kill_9_loses_nothing_acknowledged", "--nocapture"])
            .env(VICTIM, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut seen = 0;
        while let Some(Ok(line)) = lines.next() {
            let Some((_, told)) = line.split_once("acknowledged ") else { continue };
            let (id, first) = told.split_once(' ').unwrap();
            acknowledged.push((id.parse::<u64>().unwrap(), first.parse::<u32>().unwrap()));
            seen += 1;
            if seen == 20 + 7 * round {
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();
        assert!(seen >= 20, "the victim died by itself after {seen} batches");
        assert!(ids.insert(acknowledged.last().unwrap().0), "a connection id was used twice");
    }
    drop(open(dir.path()));
    let stored = nonces(dir.path());
    for (id, first) in acknowledged {
        for nonce in first..first + 50 {
            let count = stored.iter().filter(|row| **row == (id, nonce)).count();
            assert_eq!(count, 1, "share {nonce} of connection {id}");
        }
    }
}

fn store_until_killed(dir: &Path) -> ! {
    let store = open(dir);
    let id = store.next_connection_id().unwrap().0;
    for batch in 0.. {
        store.append(shares(id, batch * 50..(batch + 1) * 50)).wait().unwrap();
        println!("acknowledged {id} {}", batch * 50);
    }
    unreachable!("it stores until it is killed")
}
