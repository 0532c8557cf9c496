//! Known values, and what the tests do on chance and on named faults.

use rand::{RngExt as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn near(value: f64, expected: f64) {
    assert!((value - expected).abs() <= 1e-3 * expected.abs(), "{value} is not {expected}");
}

#[test]
fn poisson_intervals_are_garwoods() {
    fn check(count: u64, alpha: f64, low: f64, high: f64) {
        let interval = garwood(count, alpha);
        assert!((interval.0 - low).abs() < 6e-3 && (interval.1 - high).abs() < 6e-3, "{count}: {interval:?}");
    }
    // Pearson and Hartley, Biometrika Tables for Statisticians, table 40.
    check(0, 0.05, 0.0, 3.69);
    check(1, 0.05, 0.0253, 5.57);
    check(5, 0.05, 1.62, 11.67);
    check(10, 0.05, 4.80, 18.39);
    check(10, 0.01, 3.72, 21.40);
    check(30, 0.05, 20.24, 42.83);
}

#[test]
fn tails_are_exact() {
    near(poisson_at_least(3, 1.0), 0.080_301);
    near(poisson_at_most(0, 2.0), 0.135_335);
    near(poisson_at_least(1, 1e-9), 1e-9);
    near(binomial_at_least(8, 10, 0.5), 0.054_687_5);
    // R: binom.test(682, 925, 0.75)$p.value = 0.3825; binom.test(8, 10)$p.value = 0.1094.
    near(binomial_two_sided(682, 925, 0.75), 0.3825);
    near(binomial_two_sided(8, 10, 0.5), 0.109_375);
    near(binomial_two_sided(5, 10, 0.5), 1.0);
}

#[test]
fn kolmogorov_at_its_critical_values() {
    // Smirnov 1948: 1.3581 at 5 %, 1.6276 at 1 %, 1.9495 at 0.1 %.
    near(kolmogorov(1.3581), 0.05);
    near(kolmogorov(1.6276), 0.01);
    near(kolmogorov(1.9495), 0.001);
    // Massey 1951, n = 10: 0.410 at 5 %; n = 20: 0.356 at 1 % (three digits).
    fn check(n: usize, distance: f64, p: f64) {
        let root = (n as f64).sqrt();
        let found = kolmogorov((root + 0.12 + 0.11 / root) * distance);
        assert!((found / p - 1.0).abs() < 0.05, "{n}: {found} is not {p}");
    }
    check(10, 0.409, 0.05);
    check(20, 0.352, 0.01);
}

#[test]
fn chi_square_at_its_critical_values() {
    // 256 cells have 255 degrees of freedom; ten cells 9: 16.919 at 5 %.
    let mut counts = [100u64; 10];
    assert_eq!(equal(&counts), 1.0);
    // 2 · 29² / 100 = 16.82, just below.
    counts[0] += 29;
    counts[1] -= 29;
    near(equal(&counts), 0.0516);
}

#[test]
fn percentiles_are_ranks() {
    fn check(part: f64, value: Option<f64>) {
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0], part), value);
    }
    check(0.5, Some(2.0));
    check(0.95, Some(4.0));
    check(0.0, Some(1.0));
    assert_eq!(percentile(&[], 0.5), None);
}

fn exponentials(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
    (0..n).map(|_| -(1.0 - rng.random::<f64>()).ln() * 0.5).collect()
}

/// How often the p-value of `draw` is below `alpha`.
fn alarms(seed: u64, rounds: usize, alpha: f64, draw: impl Fn(&mut ChaCha8Rng) -> f64) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let alarms = (0..rounds).filter(|_| draw(&mut rng) < alpha).count();
    alarms as f64 / rounds as f64
}

/// Four standard deviations around `alpha`.
fn is_calibrated(rate: f64, alpha: f64, rounds: usize) {
    let sigma = (alpha * (1.0 - alpha) / rounds as f64).sqrt();
    assert!((rate - alpha).abs() < 4.0 * sigma, "{rate} is not {alpha} within {}", 4.0 * sigma);
}

#[test]
fn false_alarms_are_as_rare_as_stated() {
    for alpha in [0.05, 0.01] {
        let rounds = 20_000;
        is_calibrated(
            alarms(1, rounds, alpha, |rng| uniform(&(0..60).map(|_| rng.random()).collect::<Vec<f64>>())),
            alpha,
            rounds,
        );
        is_calibrated(alarms(2, rounds, alpha, |rng| exponential(&exponentials(rng, 60))), alpha, rounds);
    }
}

#[test]
fn exact_intervals_hold_at_least_as_often_as_stated() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mean = 25.0;
    let mut outside = 0;
    for _ in 0..20_000 {
        let mut time = 0.0;
        let mut count = 0;
        loop {
            time -= (1.0 - rng.random::<f64>()).ln();
            if time > mean {
                break;
            }
            count += 1;
        }
        let (low, high) = garwood(count, 0.05);
        outside += u32::from(mean < low || mean > high);
    }
    // Exact intervals are conservative: at most 5 %, not much less than half of it.
    assert!((500..1_000).contains(&outside), "{outside} of 20,000");
}

#[test]
fn named_faults_are_found() {
    // Difficulty 1.9 truncated to 1 leaves u up to 1.9, and 931 filtered at 1,024 leaves it below 0.91.
    let power = |seed, draw: &dyn Fn(&mut ChaCha8Rng) -> f64| alarms(seed, 500, 1e-3, draw);
    let filtered = |factor: f64| {
        move |rng: &mut ChaCha8Rng| {
            uniform(&(0..200).map(|_| rng.random::<f64>() * factor).collect::<Vec<f64>>())
        }
    };
    let share_of_alarms = power(4, &filtered(931.0 / 1_024.0));
    assert!(share_of_alarms < 0.9, "200 shares do not tell 9 % surely: {share_of_alarms}");
    assert!(power(5, &filtered(0.5)) > 0.999);
    assert!(power(6, &filtered(1.9)) > 0.999);
    // Shares that are sent once a second, and once in 100 ms.
    let ticking = |tick: f64| {
        move |rng: &mut ChaCha8Rng| {
            let gaps = exponentials(rng, 400);
            exponential(&gaps.iter().map(|gap| (gap / tick).ceil() * tick).collect::<Vec<f64>>())
        }
    };
    assert!(power(7, &ticking(1.0)) > 0.999);
    assert!(power(8, &ticking(0.25)) > 0.999);
    assert!(power(9, &|_| exponential(&[0.5; 20])) > 0.999);
}

#[test]
fn the_table_is_what_chance_does() {
    // The part of the table that is ours, and its joint with Stephens', by
    // 40,000 samples of 100: within four standard deviations, and no further
    // than the modification is accurate.
    let mut rng = ChaCha8Rng::seed_from_u64(10);
    let rounds = 40_000;
    let statistics: Vec<f64> = (0..rounds)
        .map(|_| {
            let gaps = exponentials(&mut rng, 100);
            let mean = gaps.iter().sum::<f64>() / 100.0;
            modified(distance(&sorted(gaps.iter().map(|gap| -(-gap / mean).exp_m1()))), 100.0)
        })
        .collect();
    for (point, probability) in LILLIEFORS {
        let above = statistics.iter().filter(|statistic| **statistic > point).count() as f64;
        let expected = f64::from(rounds) * probability;
        assert!(
            (above - expected).abs() < 4.0 * expected.sqrt() + 0.05 * expected,
            "{point}: {above} of {expected}"
        );
    }
}

#[test]
#[ignore = "minutes; prints the simulated part of the table of critical values"]
fn simulate_the_table() {
    for n in [30usize, 100, 400] {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let statistics = sorted((0..1_000_000).map(|_| {
            let gaps = exponentials(&mut rng, n);
            let mean = gaps.iter().sum::<f64>() / n as f64;
            modified(distance(&sorted(gaps.iter().map(|gap| -(-gap / mean).exp_m1()))), n as f64)
        }));
        for p in [0.15, 0.1, 0.05, 0.025, 0.01, 0.002, 0.001, 0.0001] {
            println!("{n} {p} {:?}", percentile(&statistics, 1.0 - p));
        }
    }
}
