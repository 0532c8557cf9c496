//! Templates into published work.
//!
//! A new tip gets what can be mined on it at once, so that nobody mines on the old
//! one while transactions are chosen: an empty block's work, unless the node
//! brought all of it with the tip. The full work follows. The same tip gets
//! refreshed work on a timer, for new fees and a new ntime; a tip that comes
//! while the node is asked for that does not wait for its answer.

use std::sync::Arc;
use std::time::Duration;

use super::{PublishedTip, Service, stopped};
use crate::block::Template;
use crate::pool::Work;
use crate::units::Timestamp;

/// How soon a node that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// What telling one miner takes: a splice, a write, a wake-up.
const BROADCAST_PER_MINER: Duration = Duration::from_micros(20);

/// Publishes work until the pool stops.
pub(super) async fn publish(service: Arc<Service>) {
    let mut stop = service.stop.subscribe();
    let mut tips = service.node.tips();
    let mut is_away = false;
    loop {
        let is_new = service.work().template.prev_hash != tips.borrow_and_update().hash;
        let now = service.clock.now();
        let mut heard = is_new.then_some(now);
        if is_new && let Some(template) = service.node.template_at_once(now) {
            offer(&service, template, heard);
            // The full work would compete with the empty one on its way to the
            // last miner.
            let miners = u32::try_from(service.metrics.connections.get()).unwrap_or(0);
            tokio::time::sleep(BROADCAST_PER_MINER * miners).await;
        }
        let mut wait = Duration::ZERO;
        loop {
            let template = async {
                // A sleep of no length still takes until the timer's next tick.
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
                service.node.template(service.clock.now()).await
            };
            let template = tokio::select! {
                () = stopped(&mut stop) => return,
                Ok(()) = tips.changed() => break,
                template = template => template,
            };
            match template {
                Ok(template) => {
                    wait = if offer(&service, template, heard.take()) {
                        service.settings.refresh
                    } else {
                        RETRY
                    };
                    if std::mem::take(&mut is_away) {
                        tracing::info!("templates come again");
                    }
                }
                Err(error) => {
                    wait = RETRY;
                    if !std::mem::replace(&mut is_away, true) {
                        tracing::warn!("{error}; miners keep the job they have");
                    }
                }
            }
        }
    }
}

/// Publishes work on a template; `false` when none can be made of it.
///
/// `heard` is when the node announced the tip, if it did before it gave this.
fn offer(service: &Service, mut template: Template, heard: Option<Timestamp>) -> bool {
    let now = service.clock.now();
    let before = service.work();
    let is_new_tip = before.template.prev_hash != template.prev_hash;
    let same = !is_new_tip && now.since(before.created).0 < service.settings.refresh.as_secs_f64();
    if same && before.template.transactions == template.transactions {
        // The empty work on this tip was the full one too.
        return true;
    }
    template.version |= service.settings.job_version_bits;
    let height = template.height;
    let is_empty = template.transactions.is_empty();
    let work = match Work::new(template, &service.settings.coinbase, now) {
        Ok(work) => Arc::new(work.with_pace(service.node.pace())),
        Err(error) => {
            tracing::error!("no work for height {height}: {error}");
            return false;
        }
    };
    if is_new_tip {
        service.tip.send_replace(PublishedTip {
            height: height - 1,
            heard: heard.unwrap_or(now),
            published: now,
        });
        service.metrics.tip_height.set(i64::from(height) - 1);
        service.metrics.tip_published.set(now.micros() as f64 / 1e6);
        audit(service, &work);
    }
    service.work.send_replace(work);
    let kind = match (is_new_tip, is_empty) {
        (true, true) => "empty",
        (false, _) if same => "full",
        (true, false) => "full",
        (false, _) => "refreshed",
    };
    service.metrics.work_published.with_label_values(&[kind]).inc();
    true
}

/// Says who the blocks pay, so that a miner's own reading can be held against it.
fn audit(service: &Service, work: &Work) {
    let extranonce = vec![0; service.settings.coinbase.extranonce_bytes];
    let coinbase = [&work.coinbase.prefix, extranonce.as_slice(), &work.coinbase.suffix].concat();
    if let Some(audit) = crate::block::audit(&coinbase, service.node.network()) {
        tracing::info!("new tip: {audit}");
    }
}
