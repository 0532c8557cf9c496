//! Templates into published work.
//!
//! A new tip gets an empty block's work at once, so that nobody mines on the
//! old one while transactions are chosen; the full work follows. The same tip
//! gets refreshed work on a timer, for new fees and a new ntime.

use std::sync::Arc;
use std::time::Duration;

use super::{PublishedTip, Service, stopped};
use crate::pool::Work;

/// How soon a node that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Publishes work until the pool stops.
pub(super) async fn publish(service: Arc<Service>) {
    let mut stop = service.stop.subscribe();
    let mut tips = service.node.tips();
    loop {
        let is_new = service.work().template.prev_hash != tips.borrow_and_update().hash;
        if is_new {
            make(&service, true).await;
        }
        let mut is_whole = make(&service, false).await;
        loop {
            let wait = if is_whole { service.settings.refresh } else { RETRY };
            tokio::select! {
                () = stopped(&mut stop) => return,
                Ok(()) = tips.changed() => break,
                () = tokio::time::sleep(wait) => is_whole = make(&service, false).await,
            }
        }
    }
}

/// Publishes work on a new template; `false` when the node has none.
async fn make(service: &Service, empty: bool) -> bool {
    let now = service.clock.now();
    let template = match service.node.template(empty, now).await {
        Ok(template) => template,
        Err(error) => {
            service.metrics.node_healthy.set(0);
            tracing::warn!("no template from the node: {error}; miners keep their last job");
            return false;
        }
    };
    service.metrics.node_healthy.set(1);
    let before = service.work();
    let is_new_tip = before.template.prev_hash != template.prev_hash;
    let same = !is_new_tip && now.since(before.created).0 < service.settings.refresh.as_secs_f64();
    if same && before.template.transactions == template.transactions {
        // The empty work on this tip was the full one too.
        return true;
    }
    let height = template.height;
    let is_empty = template.transactions.is_empty();
    let work = match Work::new(template, &service.settings.coinbase, now) {
        Ok(work) => Arc::new(work),
        Err(error) => {
            tracing::error!("no work for height {height}: {error}");
            return false;
        }
    };
    if is_new_tip {
        service.tip.send_replace(PublishedTip { height: height - 1, published: now });
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
