//! `adit serve --kernel`: Core's consensus code beside the embedded chain.

use super::super::program::adit;

#[cfg(not(feature = "kernel"))]
#[test]
fn a_build_without_cores_code_says_what_to_build() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let arguments = ["serve", "--kernel", "--v1", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data"];
    let ended = adit(&[&arguments[..], &[data.to_str().unwrap()]].concat());
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("cargo build --release --features kernel"), "{ended:?}");
}

#[cfg(feature = "kernel")]
mod with_kernel {
    use super::super::super::by_hand::{Miner, check_accepted};
    use super::super::super::program::{Serve, poll};
    use super::adit;

    const CONFIG: &str = "[chain]\nkernel = true\n[difficulty]\ninitial = 1e-9\nvardiff = false\n";

    #[test]
    fn blocks_are_judged_by_core_first_and_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        for height in 1..=2 {
            let pool = Serve::start(dir.path(), CONFIG);
            let mut miner = Miner::start(pool.v1);
            let share = miner.share();
            check_accepted(&miner.submit(&share));
            let newest = poll("the block's state", || {
                let block = pool.api("blocks")[0].clone();
                (block["height"] == height && block["state"] != "pending").then_some(block)
            });
            assert_eq!(newest["state"], "accepted", "{newest}");
            pool.kill();
        }
    }

    #[test]
    fn a_chain_that_is_not_cores_regtest_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let arguments = ["serve", "--kernel", "--network-difficulty", "1", "--v1", "127.0.0.1:0", "--data"];
        let ended = adit(&[&arguments[..], &[data.to_str().unwrap()]].concat());
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(ended.stderr.contains("leave difficulty and transactions"), "{ended:?}");
    }
}
