//! The world model: five years of 42 regions and 20 vintages, by days and by hours.
//!
//! The named reference is what one core's memory bandwidth would allow for the
//! bytes that a cell's step reads and writes; the state of 840 cells fits the
//! caches, so the ratio says how much is arithmetic.
//!
//! Run: `cargo bench --bench spread`, or `adit bench spread`

use adit::bench::spread;

fn main() {
    // Without `--bench` cargo only wants to see that it runs.
    let runs = if std::env::args().any(|argument| argument == "--bench") { 100 } else { 1 };
    let speed = spread(runs);
    assert_eq!(speed.cells, 840);
    println!("{speed}");
}
