//! What a run of the eras tells, by month: of the network, and of each class and generation.

use super::super::record::{Variable, variable};

/// Of the whole network.
pub const NETWORK: &[Variable] = &[
    variable("hashrate_ehs", "EH/s", "mean hashrate of the month: the record's"),
    variable("price_usd_per_btc", "USD/BTC", "price of a bitcoin"),
    variable(
        "hashprice_usd_per_phs_day",
        "USD/PH/s/day",
        "what a petahash per second earns in a day, after the pool",
    ),
    variable("sites", "1", "places where machines run"),
    variable("sites_for_half", "1", "fewest sites that have half of the hashrate"),
    variable("largest_site_share", "1", "part of the largest site"),
    variable("ten_largest_share", "1", "part of the ten largest sites"),
    variable("hhi", "0-10000", "Herfindahl-Hirschman index of sites"),
    variable("entropy_nats", "nat", "Shannon entropy of sites"),
    variable("power_mw", "MW", "power of all sites, cooling included"),
    variable("energy_twh_per_year", "TWh/year", "the month's power kept for a year"),
    variable("efficiency_j_per_th", "J/TH", "power of machines that run, without cooling, over hashrate"),
    variable("power_cost_usd_per_kwh", "USD/kWh", "mean price of the energy used"),
    variable(
        "break_even_usd_per_kwh",
        "USD/kWh",
        "price of power at which the network's mean machine earns it",
    ),
    variable("cost_usd_per_btc", "USD/BTC", "power, operation and capital of a bitcoin mined"),
];

/// Of a class of sites, or of a generation of machines.
pub const PARTS: &[Variable] = &[
    variable("hashrate_ehs", "EH/s", "mean hashrate of the month"),
    variable("share", "1", "part of the network's hashrate"),
    variable("power_mw", "MW", "power of the sites, cooling included"),
    variable("running", "1", "hashrate that runs over hashrate installed"),
    variable("cost_usd_per_btc", "USD/BTC", "power, operation and capital of a bitcoin mined here"),
    variable("break_even_usd_per_kwh", "USD/kWh", "price of power at which machines here earn it"),
    variable("sites", "1", "places where machines run; of classes only"),
];
