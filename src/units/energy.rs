//! Power, energy, and what they cost.

use std::fmt;
use std::ops::{Add, AddAssign, Mul};

use super::Seconds;

/// Watt-seconds in a kilowatt-hour.
const JOULES_PER_KWH: f64 = 3_600_000.0;

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $unit:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub f64);

        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                self.0 += other.0;
            }
        }

        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self {
                Self(self.0 * factor)
            }
        }

        impl std::iter::Sum for $name {
            fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
                Self(iter.map(|value| value.0).sum())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:.", $digits, "} ", $unit), self.0)
            }
        }
    };
}

quantity!(
    /// Electrical power in watts.
    Watts, "W", "0"
);
quantity!(
    /// Energy in kilowatt-hours.
    KilowattHours, "kWh", "3"
);
quantity!(
    /// Price of energy in US dollars per kilowatt-hour.
    UsdPerKwh, "USD/kWh", "4"
);
quantity!(
    /// An amount of US dollars.
    Usd, "USD", "4"
);

impl Mul<Seconds> for Watts {
    type Output = KilowattHours;
    fn mul(self, time: Seconds) -> KilowattHours {
        KilowattHours(self.0 * time.0 / JOULES_PER_KWH)
    }
}

impl KilowattHours {
    /// In joules.
    #[must_use]
    pub fn joules(self) -> f64 {
        self.0 * JOULES_PER_KWH
    }
}

impl Mul<UsdPerKwh> for KilowattHours {
    type Output = Usd;
    fn mul(self, price: UsdPerKwh) -> Usd {
        Usd(self.0 * price.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_for_a_time_costs_its_energy() {
        let energy = Watts(3_000.0) * Seconds(7_200.0);
        assert_eq!(energy, KilowattHours(6.0));
        assert_eq!(energy * UsdPerKwh(0.25), Usd(1.5));
        assert_eq!(Usd(1.5).to_string(), "1.5000 USD");
    }
}
