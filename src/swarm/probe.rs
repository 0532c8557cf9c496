//! What the pool says about its own costs: two of its Prometheus metrics.

use std::time::Duration;

/// How long the pool may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

/// A reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reading {
    /// CPU time of the pool's process so far.
    pub cpu_seconds: f64,
    /// Memory it occupies.
    pub resident_bytes: f64,
}

/// Why there is no reading.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No answer.
    #[error("cannot read the pool's metrics at {url}: {source}; is it the address of /metrics?")]
    Fetch {
        /// From where.
        url: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// An answer without what is needed.
    #[error("{url} has no metric {name}: does it serve a process's Prometheus metrics?")]
    Missing {
        /// From where.
        url: String,
        /// Which one.
        name: &'static str,
    },
}

/// Reads the metrics at `url`. Blocks.
pub(super) fn read(url: &str) -> Result<Reading, ProbeError> {
    let fetch = || -> Result<String, ureq::Error> {
        let agent = ureq::Agent::config_builder().timeout_global(Some(LIMIT)).build().new_agent();
        agent.get(url).call()?.body_mut().read_to_string()
    };
    let text =
        fetch().map_err(|source| ProbeError::Fetch { url: url.to_owned(), source: Box::new(source) })?;
    let find = |name| value(&text, name).ok_or_else(|| ProbeError::Missing { url: url.to_owned(), name });
    Ok(Reading {
        cpu_seconds: find("process_cpu_seconds_total")?,
        resident_bytes: find("process_resident_memory_bytes")?,
    })
}

/// The value of a metric without labels in Prometheus's text format.
fn value(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_text_format() {
        let text = "# HELP process_cpu_seconds_total x\n# TYPE process_cpu_seconds_total counter\n\
                    process_cpu_seconds_total 12\nprocess_resident_memory_bytes 1.5e+07\n";
        assert_eq!(value(text, "process_cpu_seconds_total"), Some(12.0));
        assert_eq!(value(text, "process_resident_memory_bytes"), Some(1.5e7));
        assert_eq!(value(text, "process"), None);
    }

    #[test]
    fn says_where_it_looked() {
        let error = read("http://127.0.0.1:1/metrics").unwrap_err();
        assert!(
            error.to_string().starts_with("cannot read the pool's metrics at http://127.0.0.1:1/metrics")
        );
    }
}
