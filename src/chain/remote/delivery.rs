//! A found block on its way to all nodes.
//!
//! All get it at once, each as often as it takes to get an answer, and the first
//! that accepts decides: nobody waits for a node that is slow or away. Such a node
//! still gets the block later, for [`LATE`] at most once another has it, or until
//! the pool stops; a block that no node has answered is in the ledger, and comes
//! this way again at the next start.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::Block;
use tokio::sync::mpsc;

use super::Endpoint;
use super::board::Board;
use crate::chain::{Refusal, SubmitOutcome};

/// First pause before a node that gave no answer is asked again; doubles.
const RETRY: Duration = Duration::from_millis(100);

/// Longest such pause.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// How long a node is still tried when another has accepted: it will hear of the
/// block from its peers.
const LATE: Duration = Duration::from_secs(600);

/// What a node came to.
enum Word {
    Answered(Result<SubmitOutcome, Refusal>),
    /// It gave no answer yet.
    Away,
}

/// Hands the block to all, until the board is closed.
pub(super) async fn deliver(
    endpoints: &[Arc<Endpoint>],
    block: Arc<Block>,
    board: &Arc<Board>,
) -> Result<SubmitOutcome, Refusal> {
    let (say, mut words) = mpsc::unbounded_channel();
    for (index, endpoint) in endpoints.iter().enumerate() {
        let (endpoint, block, say, board) = (endpoint.clone(), block.clone(), say.clone(), board.clone());
        let mut closed = board.closed();
        tokio::spawn(async move {
            tokio::select! {
                () = hand_in(&endpoint, &block, &board, index, |word| say.send((index, word)).is_ok()) => {}
                _ = closed.wait_for(|closed| *closed) => {}
            }
        });
    }
    drop(say);
    decide(endpoints.len(), &mut words).await
}

/// Waits for what the nodes say together.
async fn decide(
    nodes: usize,
    words: &mut mpsc::UnboundedReceiver<(usize, Word)>,
) -> Result<SubmitOutcome, Refusal> {
    let mut heard: Vec<Option<Word>> = (0..nodes).map(|_| None).collect();
    while let Some((index, word)) = words.recv().await {
        if let Word::Answered(Ok(outcome @ (SubmitOutcome::NewTip | SubmitOutcome::Duplicate))) = word {
            return Ok(outcome);
        }
        heard[index] = Some(word);
        if heard.iter().any(Option::is_none) {
            continue;
        }
        let side = |word: &Option<Word>| matches!(word, Some(Word::Answered(Ok(_))));
        if heard.iter().any(side) {
            return Ok(SubmitOutcome::SideBranch);
        }
        let refusals: Vec<&Refusal> = heard
            .iter()
            .filter_map(|word| match word {
                Some(Word::Answered(Err(refusal))) => Some(refusal),
                _ => None,
            })
            .collect();
        // One that is away may yet take it.
        if let [first, others @ ..] = &*refusals
            && refusals.len() == nodes
        {
            let others = others.iter().map(|refusal| format!("; {refusal}"));
            let detail = std::iter::once(first.detail.clone()).chain(others).collect();
            return Err(Refusal { reason: first.reason.clone(), detail });
        }
    }
    // The nodes are no longer followed: nobody waits for the answer any more.
    std::future::pending().await
}

/// Hands the block to one node until it answers. `say` tells whether somebody still listens.
async fn hand_in(
    endpoint: &Endpoint,
    block: &Block,
    board: &Board,
    index: usize,
    say: impl Fn(Word) -> bool,
) {
    let (name, hash) = (endpoint.name(), block.block_hash());
    let mut pause = RETRY;
    let mut late_since: Option<Instant> = None;
    loop {
        match endpoint.submit(block).await {
            Ok(answer) => {
                match &answer {
                    Ok(outcome) => tracing::info!("node {name} takes block {hash}: {outcome:?}"),
                    Err(refusal) => tracing::error!("node {name} refuses block {hash}: {refusal}"),
                }
                say(Word::Answered(answer));
                return;
            }
            Err(error) => {
                if pause == RETRY {
                    tracing::warn!("block {hash} is not handed in yet: node {name} {error}");
                }
                if !say(Word::Away) && late_since.get_or_insert_with(Instant::now).elapsed() > LATE {
                    tracing::warn!(
                        "block {hash} was never handed to node {name}, which {error}; another took it"
                    );
                    return;
                }
            }
        }
        if board.is_down(index) {
            // When it is back it first gets what it may have lost, on which this may build.
            // But it may also take a block while it has no template.
            let _ = tokio::time::timeout(RETRY_MAX, board.back(index)).await;
        } else {
            tokio::time::sleep(pause).await;
        }
        pause = (pause * 2).min(RETRY_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(nodes: usize, words: Vec<(usize, Word)>, expected: Option<Result<SubmitOutcome, &str>>) {
        let (say, mut heard) = mpsc::unbounded_channel();
        for word in words {
            assert!(say.send(word).is_ok());
        }
        let decided = tokio::time::timeout(Duration::from_millis(1), decide(nodes, &mut heard)).await.ok();
        let found = decided.map(|decided| decided.map_err(|refusal| refusal.reason.into_owned()));
        assert_eq!(found, expected.map(|decided| decided.map_err(str::to_owned)));
    }

    fn took(outcome: SubmitOutcome) -> Word {
        Word::Answered(Ok(outcome))
    }

    fn refused(reason: &'static str) -> Word {
        Word::Answered(Err(Refusal::new(reason, "node a")))
    }

    #[tokio::test]
    async fn one_that_accepts_is_enough_and_one_that_refuses_is_not() {
        use SubmitOutcome::{Duplicate, NewTip, SideBranch};
        check(2, vec![(1, took(NewTip))], Some(Ok(NewTip))).await;
        check(2, vec![(1, took(Duplicate))], Some(Ok(Duplicate))).await;
        check(2, vec![(0, refused("high-hash")), (1, took(NewTip))], Some(Ok(NewTip))).await;
        check(2, vec![(0, took(SideBranch)), (1, took(NewTip))], Some(Ok(NewTip))).await;
        check(2, vec![(0, took(SideBranch))], None).await;
        check(2, vec![(0, took(SideBranch)), (1, Word::Away)], Some(Ok(SideBranch))).await;
        check(2, vec![(0, took(SideBranch)), (1, refused("x"))], Some(Ok(SideBranch))).await;
        check(2, vec![(0, refused("x"))], None).await;
        check(2, vec![(0, refused("x")), (1, Word::Away)], None).await;
        check(2, vec![(0, refused("x")), (1, Word::Away), (1, refused("y"))], Some(Err("x"))).await;
        check(1, vec![(0, Word::Away), (0, Word::Away), (0, took(NewTip))], Some(Ok(NewTip))).await;
    }
}
