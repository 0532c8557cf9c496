//! Every way in which a block is broken, and that all judges refuse it alike.
//!
//! Judges are the embedded chain, Bitcoin Core's consensus code in process
//! (feature `kernel`), and Bitcoin Core over RPC. All hold the same chain
//! ([`bench`]), get each block of [`table`] and must say its reason letter by
//! letter. Where one differs by design, its row says how and why; a row whose
//! difference is gone fails.
//!
//! | file | has |
//! |---|---|
//! | `bench` | the chain that all begin with, and good blocks upon it |
//! | `judge` | the judges |
//! | `table` | one block broken in one way a row; `transactions` those of its transactions |
//! | `story` | verdicts that follow from blocks before |
//! | `walk` | random blocks, good and bad, on random branches |
//! | `beside` | Core's code in `adit serve --kernel` |

mod bench;
mod beside;
mod judge;
mod story;
mod table;
mod transactions;
mod walk;

use bench::Bench;
use judge::{Embedded, Judge};

/// Lets a judge judge the whole table, and all stories.
fn judge_all(bench: &Bench, judge: &mut dyn Judge) {
    let mut wrong = Vec::new();
    for (number, row) in table::rows().enumerate() {
        let block = row.block(bench, number);
        let expected = row.verdict(judge.who());
        let found = judge.judge(&block);
        if found.as_deref() != expected {
            wrong.push(format!("{}: {expected:?} is due, and it says {found:?}", row.what));
        }
        let moved = judge.tip() != bench.tip();
        assert_eq!(moved, found.is_none(), "{}: {found:?}", row.what);
        if moved {
            judge.reset(bench);
        }
    }
    for story in story::STORIES {
        let found: Vec<_> =
            (story.tell)(bench).into_iter().map(|(block, due)| (judge.judge(&block), due)).collect();
        if found.iter().any(|(found, due)| found.as_deref() != *due) {
            wrong.push(format!("{}: found and due: {found:?}", story.what));
        }
        judge.reset(bench);
    }
    assert!(wrong.is_empty(), "{:?} on {} blocks:\n{}\n", judge.who(), wrong.len(), wrong.join("\n"));
}

#[test]
fn the_embedded_chain_refuses_what_is_broken() {
    let bench = Bench::new();
    judge_all(&bench, &mut Embedded::new(&bench));
}

#[cfg(feature = "kernel")]
#[test]
fn cores_consensus_code_refuses_what_is_broken() {
    let bench = Bench::new();
    judge_all(&bench, &mut judge::InProcess::new(&bench));
}

#[test]
#[ignore = "needs bitcoind in ADIT_BITCOIND; ci/bitcoin-core runs it"]
fn bitcoin_core_refuses_what_is_broken() {
    let bench = Bench::new();
    judge_all(&bench, &mut judge::Rpc::new(&bench));
}

#[test]
fn rows_differ_where_they_say_and_say_why() {
    for row in table::rows() {
        for but in row.differs {
            assert_ne!(but.verdict, row.reason, "{}: {:?} does not differ", row.what, but.judge);
            assert!(but.why.len() > 20, "{}: why?", row.what);
        }
    }
    let mut names: Vec<_> = table::rows().map(|row| row.what).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "two rows of one name");
}
