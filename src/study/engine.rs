//! Runs over threads, written in their order.
//!
//! Each thread takes the next run that nobody has; the caller's thread writes
//! them as their turn comes. A run may be at most `AHEAD_PER_THREAD` times the
//! threads ahead of the one to be written, so a slow run holds others up
//! instead of filling the memory.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::StudyError;
use super::files::Finished;
use super::manifest::Manifest;
use super::table::TableWriter;
use super::{MANIFEST_FILE, Plan, Progress, RUNS_FILE, RUNS_MAX, SUMMARY_FILE, Stage, summary};
use crate::spread::Record;

/// Two: one that is done and waits for its turn, one that runs.
const AHEAD_PER_THREAD: usize = 2;

type RunError = Box<dyn std::error::Error + Send + Sync>;

/// Runs a plan, and leaves its files in the plan's folder.
///
/// `simulate` gets the number of a run and must depend on nothing else, so that
/// files are the same whatever the threads and parts. When `stop` becomes true,
/// runs that have begun are finished and stored, and
/// [`Manifest::is_complete`] tells that others are missing.
///
/// # Errors
/// When the plan cannot be, a run fails, or a file cannot be written. Then no
/// file of an earlier study is touched.
pub fn run<E: Into<RunError>>(
    plan: &Plan,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress),
    simulate: impl Fn(u32) -> Result<Record, E> + Sync,
) -> Result<Finished, StudyError> {
    check(plan)?;
    let runs = plan.shard.range(plan.runs);
    let name = plan.shard.runs_file();
    let mut table = TableWriter::new(&plan.out, &name)?;
    let of = runs.len() as u64;
    progress(Progress { stage: Stage::Runs, done: 0, of });
    in_order(
        runs,
        plan.threads.get(),
        stop,
        |run| simulate(run).map_err(Into::into),
        |record| {
            table.write(record)?;
            progress(Progress { stage: Stage::Runs, done: u64::from(table.runs()), of });
            Ok(())
        },
    )?;
    conclude(table, Manifest::new(plan), &plan.out, plan.threads.get(), progress)
}

fn check(plan: &Plan) -> Result<(), StudyError> {
    let failed = |what: String| Err(StudyError::Plan(what));
    if plan.runs == 0 || plan.runs > RUNS_MAX {
        return failed(format!("--runs {} is outside 1..{RUNS_MAX}", plan.runs));
    }
    if plan.shard.range(plan.runs).is_empty() {
        let what = format!("--shard {} of --runs {} has no run", plan.shard, plan.runs);
        return failed(format!("{what}; cut the runs in at most {} parts", plan.runs));
    }
    Ok(())
}

/// Makes of a table that has its rows a study: the summary of a whole, and the manifest.
pub(super) fn conclude(
    table: TableWriter,
    mut manifest: Manifest,
    dir: &Path,
    threads: usize,
    progress: impl FnMut(Progress),
) -> Result<Finished, StudyError> {
    let name = manifest.shard.runs_file();
    manifest.runs_done = table.runs();
    // From here on the folder changes; without a manifest nobody takes it for a study.
    let old = dir.join(manifest.shard.manifest_file());
    if old.exists() {
        std::fs::remove_file(&old).map_err(StudyError::write(&old))?;
    }
    manifest.outputs.insert(name.clone(), table.finish()?);
    if manifest.shard.is_whole() {
        debug_assert_eq!((name.as_str(), old.ends_with(MANIFEST_FILE)), (RUNS_FILE, true));
        let hash = summary::write(dir, &manifest.places, threads, progress)?;
        manifest.outputs.insert(SUMMARY_FILE.to_owned(), hash);
    }
    Finished::new(dir, manifest)
}

/// What threads and the writer share.
struct Queue {
    /// Done, waiting for their turn.
    ready: BTreeMap<u32, Result<Record, RunError>>,
    /// The next run to begin.
    next: u32,
    /// The next run to write.
    turn: u32,
    /// Threads that may still deliver.
    working: usize,
    stopped: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A thread that panicked did so in `simulate`, without the lock.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the threads home when the writer ends, also by an error or a panic.
struct StopAtEnd<'a>(&'a Shared);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.lock().stopped = true;
        self.0.changed.notify_all();
    }
}

/// Leaves the queue when its thread ends, also by a panic: the writer waits for who is in it.
struct Worker<'a>(&'a Shared);

impl Drop for Worker<'_> {
    fn drop(&mut self) {
        self.0.lock().working -= 1;
        self.0.changed.notify_all();
    }
}

/// Calls `write` with each run in order; stops at the first error.
fn in_order(
    runs: Range<u32>,
    threads: usize,
    stop: &AtomicBool,
    simulate: impl Fn(u32) -> Result<Record, RunError> + Sync,
    mut write: impl FnMut(&Record) -> Result<(), StudyError>,
) -> Result<(), StudyError> {
    let threads = threads.min(runs.len());
    let ahead = u32::try_from(threads * AHEAD_PER_THREAD).unwrap_or(u32::MAX);
    let queue = Queue {
        ready: BTreeMap::new(),
        next: runs.start,
        turn: runs.start,
        working: threads,
        stopped: false,
    };
    let shared = Shared { queue: Mutex::new(queue), changed: Condvar::new() };
    let work = |worker: Worker<'_>| {
        let mut queue = worker.0.lock();
        loop {
            if queue.stopped || stop.load(Ordering::Relaxed) || queue.next == runs.end {
                break;
            }
            if queue.next - queue.turn >= ahead {
                queue = worker.0.wait(queue);
                continue;
            }
            let run = queue.next;
            queue.next += 1;
            drop(queue);
            let result = simulate(run);
            queue = worker.0.lock();
            queue.ready.insert(run, result);
            worker.0.changed.notify_all();
        }
        drop(queue);
    };
    std::thread::scope(|scope| {
        let work = &work;
        for _ in 0..threads {
            let worker = Worker(&shared);
            scope.spawn(move || work(worker));
        }
        let _stop = StopAtEnd(&shared);
        write_all(&shared, &mut write)
    })
}

fn write_all(
    shared: &Shared,
    write: &mut impl FnMut(&Record) -> Result<(), StudyError>,
) -> Result<(), StudyError> {
    let mut queue = shared.lock();
    loop {
        let turn = queue.turn;
        let Some(result) = queue.ready.remove(&turn) else {
            if queue.working == 0 {
                return Ok(());
            }
            queue = shared.wait(queue);
            continue;
        };
        drop(queue);
        let record = result.map_err(|source| StudyError::Run { run: turn, source })?;
        if record.run != turn {
            return Err(StudyError::Record { run: turn, what: format!("calls itself run {}", record.run) });
        }
        write(&record)?;
        queue = shared.lock();
        queue.turn += 1;
        shared.changed.notify_all();
    }
}
