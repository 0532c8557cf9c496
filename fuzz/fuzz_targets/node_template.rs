//! No answer of a node makes the reader of templates panic; and of whatever it
//! takes, work can be made that keeps the block's limits and pays all fees.
#![no_main]

use adit::block::CoinbaseSpec;
use adit::chain::remote::rpc::parse;
use adit::pool::Work;
use adit::units::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(parsed) = parse(text) else { return };
    let template = parsed.template;
    let spec = CoinbaseSpec {
        payees: vec![(bitcoin::ScriptBuf::from_bytes(vec![0x51]), 1)],
        tag: "/adit/".into(),
        extranonce_bytes: 12,
        length: Some(16 * 1024),
    };
    let now = Timestamp::from_unix_seconds(1_700_000_000);
    let work = Work::new(template.clone(), &spec, now).expect("a coinbase can be made at any height");
    let coinbase = work.coinbase.transaction(&[0; 12], &[]);
    let kept = &work.template.transactions;
    let weight = coinbase.weight().to_wu() + kept.iter().map(|entry| entry.weight).sum::<u64>();
    assert!(kept.is_empty() || weight <= template.limits.weight);
    let left_out = &template.transactions[kept.len()..];
    let fees: bitcoin::Amount = left_out.iter().map(|entry| entry.fee).sum();
    let paid: bitcoin::Amount = coinbase.output.iter().map(|output| output.value).sum();
    assert_eq!(paid + fees, template.coinbase_value);
});
