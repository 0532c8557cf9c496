//! What must hold in every run: machines, money and energy balance, and a run is its seed.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;

use super::chain::{Chain, HASHES, Luck, subsidy_btc};
use super::fleet::Fleet;
use super::inputs::{Effect, Inputs};
use super::run::run;
use super::scenario::{Ready, Source};
use super::step::{Outside, State};
use super::world::{Event, World};
use super::{Day, REGIONAL, WORLD};

const TEXT: &str = r#"
title = "test"
start = "2026-01-01"
end = "2026-12-31"
random_bans = true
[world]
hashrate_ehs = 1000
efficiency_j_per_th = 18
height = 930_000
[price]
path = "walk"
usd = 90_000
"#;

fn ready(sets: &[&str]) -> Ready {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    Ready::of(Source { file: "test", text: TEXT, sets: &sets }, Inputs::embedded()).unwrap()
}

fn event(effect: u8, region: usize, start: i32, days: i32, size: f64) -> Event {
    let (_, effect) = Effect::ALL[usize::from(effect) % Effect::ALL.len()];
    let start = Day::of(jiff::civil::date(2026, 1, 1)) + start;
    Event {
        id: "drawn".to_owned(),
        effect,
        regions: vec![region],
        start,
        end: (days > 0).then_some(start + days),
        size,
        recovery_days: f64::from(days / 3),
        stages: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn machines_money_and_energy_balance_each_day(
        shocks in prop::collection::vec((any::<u8>(), 0..42_usize, 0..300, 0..200, 0.0..1.0), 0..6),
        price in 5_000.0..500_000.0,
    ) {
        let ready = ready(&["random_bans=false"]);
        let world = &ready.world;
        let events: Vec<Event> =
            shocks.into_iter().map(|(effect, region, start, days, size)| event(effect, region, start, days, size)).collect();
        let fleet = Fleet::new(world, 1e9, &ready.shares, 18.0);
        let chain = Chain::new(930_000.0, 1e9 * 1e12 * 600.0 / HASHES, 0.0, 0.0);
        let mut state = State::new(world, fleet, chain, |_| price);
        for _ in 0..365 {
            let height = state.chain.height;
            let outside = Outside { price_usd: price, hours: None, events: &events };
            let today = state.step::<ChaCha8Rng>(world, &outside, &mut Luck::None);
            let all = state.fleet.installed_ths() + state.fleet.in_transit_ths();
            prop_assert!(state.fleet.imbalance_ths().abs() < 1e-9 * all, "{}", state.fleet.imbalance_ths());
            prop_assert!(state.fleet.installed.iter().chain(&state.fleet.waiting).all(|ths| *ths >= 0.0));
            prop_assert!(state.fleet.on.iter().all(|on| (0.0..=1.0).contains(on)));
            let p = &world.parameters;
            let paid = today.blocks * subsidy_btc(height) * (1.0 + p.fee_share) * (1.0 - p.pool_fee) * today.price_usd;
            prop_assert!((paid - today.revenue_usd).abs() <= 1e-9 * paid);
            prop_assert!((state.chain.height - height - today.blocks).abs() < 1e-6);
            for (region, mw) in today.power_mw.iter().enumerate() {
                let usd = mw * 24_000.0 * today.power_price[region];
                prop_assert!((usd - today.power_usd[region]).abs() <= 1e-6 * usd.abs().max(1.0));
            }
            prop_assert!(today.machine_mw <= today.power_mw.iter().sum::<f64>());
        }
    }
}

/// Equal places, nothing happening: shares stay.
#[test]
fn equal_costs_and_no_shocks_leave_shares_alone() {
    let inputs = Inputs::embedded();
    let ethiopia = inputs.atlas.region("AE").unwrap().clone();
    let regions = vec![ethiopia.clone(), ethiopia.clone(), ethiopia];
    let start: Day = "2026-01-01".parse().unwrap();
    let world = World::new(inputs, regions, inputs.parameters.clone(), Vec::new(), start, 800);
    // Equal shares: a share is also a claim on new sites, which are equal too.
    let fleet = Fleet::new(&world, 1e8, &[1.0 / 3.0; 3], 18.0);
    let chain = Chain::new(930_000.0, 1e8 * 1e12 * 600.0 / HASHES, 0.0, 0.0);
    let mut state = State::new(&world, fleet, chain, |_| 90_000.0);
    for _ in 0..800 {
        let outside = Outside { price_usd: 90_000.0, hours: None, events: &[] };
        let today = state.step::<ChaCha8Rng>(&world, &outside, &mut Luck::None);
        let sum: f64 = today.hashrate_ths.iter().sum();
        for ths in &today.hashrate_ths {
            assert!((ths / sum - 1.0 / 3.0).abs() < 1e-9);
        }
    }
}

#[test]
fn ai_takes_sites_where_it_earns_more_and_no_more_than_it_can_use() {
    let ready = ready(&["random_bans=false"]);
    let world = &ready.world;
    let texas = world.places.iter().position(|place| place.region.code.as_str() == "US-TX").unwrap();
    let ai = Event { effect: Effect::Ai, recovery_days: 0.0, ..event(0, texas, 0, 0, 0.43) };
    let taken = |price_usd: f64, days: usize| {
        let fleet = Fleet::new(world, 1e9, &ready.shares, 18.0);
        let chain = Chain::new(930_000.0, 1e9 * 1e12 * 600.0 / HASHES, 0.0, 0.0);
        let mut state = State::new(world, fleet, chain, |_| price_usd);
        for _ in 0..days {
            let outside = Outside { price_usd, hours: None, events: std::slice::from_ref(&ai) };
            state.step::<ChaCha8Rng>(world, &outside, &mut Luck::None);
        }
        assert!(state.taken_by_ai.iter().enumerate().all(|(at, part)| at == texas || *part == 0.0));
        state.taken_by_ai[texas]
    };
    // 0.43 (1.215 - 1) / ln 1.215, a day being a step.
    assert!((taken(90_000.0, 365) - 0.4747).abs() < 1e-3, "{}", taken(90_000.0, 365));
    assert_eq!(taken(90_000.0, 710), 1.0);
    // Mining earns some 0.5 USD for a kWh.
    assert_eq!(taken(600_000.0, 100), 0.0);
}

#[test]
fn a_run_is_its_seed_and_number() {
    for step in ["step=day", "step=hour"] {
        let ready = ready(&[step]);
        let (one, again, other) = (run(&ready, 7, 3), run(&ready, 7, 3), run(&ready, 7, 4));
        // As bits: what nobody knows is no number, and not equal to itself.
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert!(bits(&one.world) == bits(&again.world) && bits(&one.regional) == bits(&again.regional));
        assert!(bits(&one.world) != bits(&other.world));
        assert_eq!(one.world.len(), one.days.len() * WORLD.len());
        assert_eq!(one.regional.len(), one.days.len() * REGIONAL.len() * one.regions.len());
        assert!(one.world.iter().all(|value| !value.is_infinite()));
    }
}

#[test]
fn hours_and_days_agree_on_the_mean() {
    let last = |step: &str| {
        let ready = ready(&[step, "random_bans=false", "price_volatility_per_year=0"]);
        run(&ready, 1, 0).world_series("hashrate_ehs").last().unwrap().1
    };
    let (days, hours) = (last("step=day"), last("step=hour"));
    assert!((hours / days - 1.0).abs() < 0.06, "{days} {hours}");
}

/// A ban of the largest country is deep, and its machines come back elsewhere.
#[test]
fn a_ban_hurts_and_heals() {
    let text = format!(
        "{TEXT}\n[[event]]\nid = \"ban\"\neffect = \"ban\"\nregions = [\"US\"]\nstart = \"2026-02-01\"\nend = \"2026-03-15\"\n"
    );
    let sets = ["random_bans=false".to_owned(), "price_volatility_per_year=0".to_owned()];
    let ready = Ready::of(Source { file: "test", text: &text, sets: &sets }, Inputs::embedded()).unwrap();
    let record = run(&ready, 1, 0);
    let hashrate: Vec<f64> = record.world_series("hashrate_ehs").map(|(_, ehs)| ehs).collect();
    let lowest = hashrate.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(lowest < 0.75 * hashrate[0], "{lowest} of {}", hashrate[0]);
    assert!(*hashrate.last().unwrap() > 1.1 * lowest);
}

#[test]
fn bad_scenarios_say_where_and_what_to_try() {
    fn refused(text: &str, sets: &[String]) -> String {
        Ready::of(Source { file: "s.toml", text, sets }, Inputs::embedded()).unwrap_err().to_string()
    }
    let set = |set: &str, wanted: &str| {
        let error = refused(TEXT, &[set.to_owned()]);
        assert!(error.starts_with(&format!("--set {set}: ")) && error.contains(wanted), "{error}");
    };
    set("region.ET.price_mid=4.1e1", "region.ET.price_mid = 41 is outside -1..5; it is USD/kWh");
    set("end=\"2025-01-01\"", "is before start");
    set("reinvest=1", "unknown field `reinvest`");
    set("parameters.reinvest=1", "did you mean reinvested?");
    set("price.usd=-1", "price.usd = -1 is outside");
    set("titel=1", "unknown field `titel`");
    set("reinvested", "write KEY=VALUE");
    set("world.shares=\"1999-01\"", "data/shares.csv has 2020-04, 2021-04");

    let lines = TEXT.lines().count();
    let file = |more: &str, line: usize, wanted: &str| {
        let error = refused(&format!("{TEXT}{more}"), &[]);
        assert!(
            error.starts_with(&format!("s.toml, line {}: ", lines + line)) && error.contains(wanted),
            "{error}"
        );
    };
    file("[region.XX]\nprice_mid = 0.04\n", 1, "no region is called `XX`");
    file("[region.ET]\nbuild_mw_per_month = 5\nprice_mid = 41\n", 3, "in cents or another currency?");
    file("[region.ET]\nshare_pct = 60\n", 1, "and the network has 100");
    let event = "[[event]]\nid = \"a\"\neffect = \"ban\"\nstart = \"2026-02-01\"\n";
    file(&format!("{event}regions = [\"ET\"]\nsize = 30\n"), 6, "it is a fraction, not percent");
    file(&format!("{event}regions = [\"Utopia\"]\nsize = 1\n"), 5, "no region is called `Utopia`");
    file("[region.ET]\nprice_mid = \"dear\"\n", 2, "invalid type");
    file("[region.ET\n", 1, "");
}

/// Machines follow the rain to Sichuan and back; none is lost, and part of them is under way.
#[test]
fn machines_follow_the_rain_and_come_back() {
    let ready = ready(&["start=\"2020-04-20\"", "end=\"2020-12-31\"", "world.shares=\"2020-04\""]);
    let world = &ready.world;
    let at = |code: &str| world.places.iter().position(|place| place.region.code.as_str() == code).unwrap();
    let (xinjiang, sichuan) = (at("CN-XJ"), at("CN-SC"));
    let mut fleet = Fleet::new(world, 1e8, &ready.shares, 66.0);
    let part = |fleet: &Fleet, region| fleet.installed[fleet.of(region)].iter().sum::<f64>() / 1e8;
    let open = vec![false; world.places.len()];
    let mut found = Vec::new();
    for since in 0..world.days {
        let day = world.start + since as i32;
        fleet.migrate(world, day, &open);
        fleet.transport(world, &open);
        assert!(fleet.imbalance_ths().abs() < 1e-6, "{day}");
        if ["2020-04-30", "2020-05-31", "2020-08-31", "2020-12-31"].contains(&day.to_string().as_str()) {
            let under_way = fleet.in_transit_ths() / 1e8;
            found.push(
                [part(&fleet, xinjiang), part(&fleet, sichuan), under_way].map(|of| (of * 1e3).round()),
            );
        }
    }
    // 63 % of 500 leave in May, 62 % of 466 in autumn; in thousandths of the network.
    assert_eq!(found, [[500.0, 151.0, 0.0], [185.0, 329.0, 137.0], [185.0, 466.0, 0.0], [473.0, 177.0, 1.0]]);
}

/// The ban of 2021 is carried out on the days of its provinces.
#[test]
fn a_ban_follows_its_stages() {
    let inputs = Inputs::embedded();
    let ready = ready(&["start=\"2021-01-01\"", "end=\"2021-12-31\"", "world.shares=\"2021-04\""]);
    let places = &ready.world.places;
    let past = ready.history.events.iter().find(|past| past.id == "china_ban").unwrap();
    let events = Event::of_past(past, &inputs.effects["ban"], inputs, places, &inputs.parameters);
    assert_eq!(events.len(), 2);
    let check = |code: &str, date: &str, wanted: f64| {
        let of = |event: &&Event| places[event.regions[0]].region.code.as_str() == code;
        let strength = events.iter().find(of).unwrap().strength(date.parse().unwrap());
        assert!((strength - wanted).abs() < 1e-3, "{code} {date}: {strength}");
    };
    check("CN-XJ", "2021-04-30", 0.0);
    check("CN-XJ", "2021-05-25", 0.184);
    check("CN-XJ", "2021-06-08", 0.184);
    check("CN-XJ", "2021-06-20", 1.0);
    check("CN-SC", "2021-06-11", 0.0);
    check("CN-SC", "2021-06-20", 0.811);
    check("CN-SC", "2021-08-01", 1.0);
}

/// Who is taken off by a measurement waits, and is the first to come back.
#[test]
fn following_a_measurement_forgets_no_machine() {
    let ready = ready(&[]);
    let world = &ready.world;
    let mut fleet = Fleet::new(world, 1e8, &ready.shares, 18.0);
    fleet.adjust(world, 0, 0.9);
    assert!((fleet.installed_ths() - 0.9e8).abs() < 1.0 && (fleet.in_transit_ths() - 0.1e8).abs() < 1.0);
    fleet.adjust(world, 0, 1.0 / 0.9);
    assert!((fleet.installed_ths() - 1e8).abs() < 1.0 && fleet.in_transit_ths() < 1.0);
    assert!(fleet.ledger.adjusted.abs() < 1.0);
    fleet.adjust(world, 0, 1.1);
    assert!((fleet.ledger.adjusted - 0.1e8).abs() < 1.0 && fleet.imbalance_ths().abs() < 1.0);
}

/// Factories begin no more than they can; what they cannot stays owed, and nothing is lost.
#[test]
fn factories_are_the_limit_of_what_is_delivered() {
    let check = |mw_per_month: f64| {
        let ready = ready(&[&format!("parameters.delivered_mw_per_month_max={mw_per_month}")]);
        let record = run(&ready, 1, 0);
        record.world_series("delivered_ehs").last().unwrap().1
    };
    let (few, more) = (check(200.0), check(400.0));
    assert!((more / few - 2.0).abs() < 0.05, "{few} {more}");
    // 31 to 37 days short of what 200 MW a month are at the mean of the machines made.
    let world = ready(&[]).world;
    let (made, efficiency) = world.made(world.start);
    assert!((made.iter().map(|(_, part)| part).sum::<f64>() - 1.0).abs() < 1e-12);
    assert!((9.5..14.0).contains(&efficiency), "{efficiency}");
    // Before anything new came out, the latest was still made.
    assert_eq!(world.made("2019-01-01".parse().unwrap()).0, [(0, 1.0)]);
}

/// Where sites are short, kinds share them by what a kilowatt leaves with them.
#[test]
fn short_sites_are_shared_by_bid() {
    let ready = ready(&[]);
    let world = &ready.world;
    let mut fleet = Fleet::new(world, 1e8, &ready.shares, 18.0);
    let (good, bad) = (world.best_first()[5], world.best_first()[15]);
    fleet.waiting[good] = 1e8;
    fleet.waiting[bad] = 1e8;
    let before = fleet.installed.clone();
    let used: Vec<f64> = (0..world.places.len()).map(|at| fleet.installed_mw(world, at, 0)).collect();
    let mut bids = vec![0.0; world.vintages.len()];
    (bids[good], bids[bad]) = (3.0, 1.0);
    let (everywhere, earns) = (vec![1.0; used.len()], vec![true; before.len()]);
    fleet.place(world, 0, &used, &everywhere, &bids, &earns);
    let came = |vintage: usize| -> f64 {
        (0..used.len())
            .map(|at| fleet.of(at).start + vintage)
            .map(|cell| fleet.installed[cell] - before[cell])
            .sum()
    };
    assert!((came(good) / came(bad) - 3.0).abs() < 1e-9, "{} {}", came(good), came(bad));
    let full =
        (0..used.len()).all(|at| fleet.installed_mw(world, at, 0) <= fleet.capacity_mw[at] * (1.0 + 1e-9));
    assert!(full && fleet.waiting[good] > 0.0);
}
