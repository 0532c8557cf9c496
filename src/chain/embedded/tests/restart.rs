//! The chain on disk: what was announced is there after any end.

use super::*;

/// Copies the database as a killed process would leave it, its write-ahead
/// log cut to `wal_bytes`.
fn copy_as_killed(from: &Path, to: &Path, wal_bytes: usize) {
    std::fs::copy(from.join("chain.sqlite"), to.join("chain.sqlite")).unwrap();
    if let Ok(mut wal) = std::fs::read(from.join("chain.sqlite-wal")) {
        wal.truncate(wal_bytes);
        std::fs::write(to.join("chain.sqlite-wal"), wal).unwrap();
    }
}

#[test]
fn resumes_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(Some(dir.path()), Params::regtest());
    bench.mine(20);
    let side = bench.block_upon(bench.chain.hash_at(18).unwrap(), "side");
    bench.submit(&side).unwrap();
    let (tip, coins) = (bench.chain.tip(), bench.coins());
    drop(bench);

    let mut bench = Bench::open(Some(dir.path()), Params::regtest());
    assert_eq!((bench.chain.tip(), bench.coins()), (tip, coins));
    bench.now = bench.now + Seconds(1e6);
    assert_eq!(bench.submit(&side).unwrap(), SubmitOutcome::Duplicate);
    // The side branch can still win.
    let mut parent = side.block_hash().to_byte_array();
    for _ in 0..2 {
        let block = bench.block_upon(parent, "side");
        bench.submit(&block).unwrap();
        parent = block.block_hash().to_byte_array();
    }
    assert_eq!(bench.chain.tip().hash, parent);
}

#[test]
fn a_killed_process_loses_nothing_that_was_announced() {
    let (dir, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut bench = Bench::open(Some(dir.path()), Params::regtest());
    bench.mine(30);
    copy_as_killed(dir.path(), copy.path(), usize::MAX);
    let copied = Bench::open(Some(copy.path()), Params::regtest());
    assert_eq!((copied.chain.tip(), copied.coins()), (bench.chain.tip(), bench.coins()));
}

#[test]
fn killed_in_the_middle_of_a_write_it_is_at_a_block_boundary() {
    let dir = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(Some(dir.path()), Params::regtest());
    let mut states = std::collections::BTreeMap::from([(0, (bench.chain.tip(), bench.coins()))]);
    for height in 1..=12 {
        bench.mine(1);
        states.insert(height, (bench.chain.tip(), bench.coins()));
    }
    let wal = std::fs::metadata(dir.path().join("chain.sqlite-wal")).unwrap().len() as usize;
    let mut seen = std::collections::BTreeSet::new();
    for cut in (0..=wal).step_by(wal / 40) {
        let copy = tempfile::tempdir().unwrap();
        copy_as_killed(dir.path(), copy.path(), cut);
        let copied = Bench::open(Some(copy.path()), Params::regtest());
        let height = copied.chain.tip().height;
        assert_eq!(states[&height], (copied.chain.tip(), copied.coins()), "log cut at {cut} of {wal}");
        seen.insert(height);
    }
    assert!(seen.len() > 5, "cuts fell between blocks: {seen:?}");
}

#[test]
fn other_parameters_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Bench::open(Some(dir.path()), Params::regtest()));
    let other = Params::regtest().with_difficulty(crate::units::Difficulty::ONE);
    let message = EmbeddedChain::open(Some(dir.path()), other, START).unwrap_err().to_string();
    assert!(
        message.contains("`regtest nbits=207fffff`") && message.contains("`regtest nbits=1d00ffff`"),
        "{message}"
    );
}
