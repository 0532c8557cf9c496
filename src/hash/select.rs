//! Which backend to scan with: the fastest on this machine, by trying.
//!
//! The order cannot be known beforehand: what is twice as fast on one CPU, with
//! as many features, is slower on the next. So each backend runs for a few
//! milliseconds. What was found is kept for the rest of the program. All
//! backends find the same; only the speed depends on the choice.

use std::sync::OnceLock;

use adit_kernels::{Backend, Midstates, UnknownBackend, Work, available, find};

/// How long the trial takes, all together.
const TRIAL_SECONDS: f64 = 0.02;

/// Versions in the trial: what `miner::search` takes at a time.
const TRIAL_VERSIONS: u32 = 512;

/// Rolled versions are taken where they are so much faster: they cost more to set up.
const VERSIONS_GAIN: f64 = 1.02;

/// The backends to scan with.
#[derive(Debug, Clone)]
pub struct Choice {
    /// For nonces.
    pub nonces: &'static Backend,
    /// For rolled versions, where that is faster than `nonces`.
    pub versions: Option<&'static Backend>,
    /// What the trial showed; empty when the choice was made without one.
    pub trial: Vec<Speed>,
}

/// One backend's speed in the trial.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    /// The backend.
    pub backend: &'static Backend,
    /// Whether versions were rolled.
    pub versions: bool,
    /// The best of its time.
    pub hashes_per_second: f64,
}

static CHOSEN: OnceLock<Choice> = OnceLock::new();

/// What was chosen; before that, what is likely the fastest.
#[must_use]
pub fn chosen() -> &'static Choice {
    static LIKELY: OnceLock<Choice> = OnceLock::new();
    CHOSEN.get().unwrap_or_else(|| {
        LIKELY.get_or_init(|| {
            let nonces = available().next_back().expect("scalar is everywhere");
            Choice { nonces, versions: nonces.rolls_versions().then_some(nonces), trial: Vec::new() }
        })
    })
}

/// Uses the backend called `name`, unless a choice was made before.
///
/// # Errors
/// This CPU has none of that name.
pub fn force(name: &str) -> Result<&'static Choice, UnknownBackend> {
    let nonces = find(name)?;
    let versions = nonces.rolls_versions().then_some(nonces);
    Ok(CHOSEN.get_or_init(|| Choice { nonces, versions, trial: Vec::new() }))
}

/// Tries all backends for 20 ms and uses the fastest, unless a choice was made before.
///
/// `seconds` is a clock that goes on while the backends run.
pub fn calibrate(seconds: impl FnMut() -> f64) -> &'static Choice {
    CHOSEN.get_or_init(|| best_of(&try_all(seconds)))
}

fn best_of(trial: &[Speed]) -> Choice {
    let best = |versions| {
        let speeds = trial.iter().filter(|speed| speed.versions == versions);
        speeds.max_by(|a, b| a.hashes_per_second.total_cmp(&b.hashes_per_second))
    };
    let nonces = best(false).expect("scalar is everywhere");
    let versions =
        best(true).filter(|speed| speed.hashes_per_second > VERSIONS_GAIN * nonces.hashes_per_second);
    Choice { nonces: nonces.backend, versions: versions.map(|speed| speed.backend), trial: trial.to_vec() }
}

fn try_all(mut seconds: impl FnMut() -> f64) -> Vec<Speed> {
    let work = Work { midstate: [0; 8], words: [0; 3], top: 0 };
    let versions: Vec<u32> = (0..TRIAL_VERSIONS).collect();
    let midstates = Midstates::new(&[0; 80], &versions);
    let mut answer = [0; TRIAL_VERSIONS as usize / 8];
    let mut speeds: Vec<Speed> = available()
        .flat_map(|backend| {
            let rolls = backend.rolls_versions();
            [false, true].map(|versions| (!versions || rolls).then_some((backend, versions)))
        })
        .flatten()
        .map(|(backend, versions)| Speed { backend, versions, hashes_per_second: 0.0 })
        .collect();
    let each = TRIAL_SECONDS / speeds.len() as f64;
    for speed in &mut speeds {
        let began = seconds();
        let mut last = began;
        for nonce in 0.. {
            // A multiple of what costs a few ten microseconds.
            for _ in 0..4 {
                if speed.versions {
                    speed.backend.versions(&midstates, nonce, 0, &mut answer);
                } else {
                    speed.backend.nonces(&work, nonce, &mut answer);
                }
            }
            let now = seconds();
            // The best, not the mean: others may run in between.
            let rate = f64::from(4 * TRIAL_VERSIONS) / (now - last).max(1e-9);
            speed.hashes_per_second = speed.hashes_per_second.max(rate);
            last = now;
            if now - began >= each {
                break;
            }
        }
    }
    speeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trial_ends_and_the_fastest_wins() {
        let mut ticks = 0.0;
        let trial = try_all(|| {
            ticks += 0.001;
            ticks
        });
        assert!(trial.iter().all(|speed| speed.hashes_per_second > 0.0));
        for backend in available() {
            let faster = |speed: &Speed| {
                let gain = if std::ptr::eq(speed.backend, backend) { 2.0 } else { 1.0 };
                Speed { hashes_per_second: gain, ..*speed }
            };
            let choice = best_of(&trial.iter().map(faster).collect::<Vec<_>>());
            assert_eq!(choice.nonces.name(), backend.name());
            // Versions at the same speed are not worth their setting up.
            assert!(choice.versions.is_none());
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_right_ones() {
        let error = force("avx1024").unwrap_err().to_string();
        assert!(error.starts_with("there is no hash backend \"avx1024\"; try one of scalar"), "{error}");
    }
}
