//! What the system says about the CPU: its energy meter, and which CPUs share a core.

use std::fs;
use std::path::Path;

/// A reading of the energy meters of all CPU packages (Intel's RAPL; AMD has it as well).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Energy {
    microjoules: Vec<u64>,
}

impl Energy {
    /// Reads them; `None` where there are none, or none that we may read.
    #[must_use]
    pub fn read() -> Option<Self> {
        Self::read_from(Path::new("/sys/class/powercap"))
    }

    fn read_from(folder: &Path) -> Option<Self> {
        let mut packages: Vec<_> = fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            // `intel-rapl:0` is a package, `intel-rapl:0:0` a part of one.
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                name.starts_with("intel-rapl:") && name.matches(':').count() == 1
            })
            .collect();
        packages.sort();
        let microjoules: Option<Vec<u64>> = packages
            .iter()
            .map(|path| fs::read_to_string(path.join("energy_uj")).ok()?.trim().parse().ok())
            .collect();
        microjoules.filter(|all| !all.is_empty()).map(|microjoules| Self { microjoules })
    }

    /// Joules since this reading; `None` when a meter began anew meanwhile.
    #[must_use]
    pub fn since(self) -> Option<f64> {
        self.until(&Self::read()?)
    }

    fn until(&self, later: &Self) -> Option<f64> {
        let pairs = self.microjoules.iter().zip(&later.microjoules);
        let differences: Option<Vec<u64>> = pairs.map(|(before, after)| after.checked_sub(*before)).collect();
        Some(differences?.iter().sum::<u64>() as f64 * 1e-6)
    }
}

/// Whether CPUs are threads of one core; `None` when the system does not say.
#[must_use]
pub fn hyper_threads() -> Option<bool> {
    let lists: Vec<String> = (0..)
        .map_while(|cpu| {
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            fs::read_to_string(path).ok()
        })
        .collect();
    (!lists.is_empty()).then(|| lists.iter().any(|list| list.contains([',', '-'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_summed_and_parts_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let set = |name: &str, microjoules: &str| {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("energy_uj"), microjoules).unwrap();
        };
        assert_eq!(Energy::read_from(folder.path()), None);
        set("intel-rapl:0", "1000000\n");
        set("intel-rapl:1", "5000000\n");
        set("intel-rapl:0:0", "7\n");
        set("dtpm", "7\n");
        let before = Energy::read_from(folder.path()).unwrap();
        set("intel-rapl:0", "2500000\n");
        let joules = before.until(&Energy::read_from(folder.path()).unwrap()).unwrap();
        assert!((joules - 1.5).abs() < 1e-9, "{joules}");
        set("intel-rapl:0", "3\n");
        assert_eq!(before.until(&Energy::read_from(folder.path()).unwrap()), None);
    }
}
