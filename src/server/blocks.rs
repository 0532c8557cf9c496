//! Found blocks on their way to the node.
//!
//! A block is recorded first and submitted then; a node that does not answer is
//! asked again until it accepts or refuses. After a crash the ledger knows which
//! blocks never got an answer, and they take the same way again.

use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::Hash as _;
use tokio::sync::mpsc;

use super::{Service, stopped};
use crate::chain::{SubmitError, SubmitOutcome};
use crate::event::FoundBlock;
use crate::store::{BlockState, StateChange};

/// Longest pause before a node that failed is asked again.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Submits every block that is found, until the pool stops.
pub(super) async fn submit_all(service: Arc<Service>, mut found: mpsc::UnboundedReceiver<FoundBlock>) {
    let mut stop = service.stop.subscribe();
    loop {
        let block = tokio::select! {
            () = stopped(&mut stop) => return,
            Some(block) = found.recv() => block,
        };
        tokio::spawn(submit(service.clone(), block));
    }
}

async fn submit(service: Arc<Service>, found: FoundBlock) {
    let block = found.block.clone();
    let (height, hash, worker) = (found.height, found.hash, found.worker.clone());
    let name = bitcoin::BlockHash::from_byte_array(hash);
    if let Err(fault) = service.store.record_block(found).await {
        // The node may still take it: better a block without a record than none.
        tracing::error!("block {name} is not recorded: {fault}");
    }
    let mut pause = Duration::from_millis(100);
    let answer = loop {
        match service.node.submit(block.clone(), service.clock.now()).await {
            Ok(outcome) => break Ok(outcome),
            Err(SubmitError::Refused(refusal)) => break Err(refusal),
            Err(SubmitError::Fault(error)) => {
                tracing::error!("block {name} is not submitted yet: {error}");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_MAX);
            }
        }
    };
    let (state, reason) = match answer {
        Ok(SubmitOutcome::NewTip) => (BlockState::Accepted, None),
        // Known already: accepted, unless another block overtook it meanwhile.
        Ok(SubmitOutcome::Duplicate) => match service.node.confirmations(&hash).await {
            Ok(Some(0)) => (BlockState::Side, None),
            _ => (BlockState::Accepted, None),
        },
        Ok(SubmitOutcome::SideBranch) => (BlockState::Side, None),
        Err(refusal) => (BlockState::Refused, Some(refusal.to_string())),
    };
    service.metrics.blocks.with_label_values(&[state.name()]).inc();
    tracing::info!(height, block = %name, %worker, state = state.name(), reason, "found a block");
    let change = StateChange { time: service.clock.now(), hash, state, reason };
    if let Err(fault) = service.store.set_block_state(change).await {
        tracing::error!("the state of block {name} is not recorded: {fault}");
    }
}
