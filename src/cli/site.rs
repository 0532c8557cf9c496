//! `adit site`: what one mining site costs and earns.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{Failure, print};
use crate::energy::Atlas;
use crate::spread::site::{SitePlan, SiteReport};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  adit site --example > site.toml
  adit site site.toml
  adit site site.toml --json | jq .break_even_hashprice_all_in
Keys: data/site.toml. Equations: docs/model.md, Site.
Exit 1: the capital does not come back within the lifetime.")]
pub(super) struct Site {
    /// The site, as TOML
    #[arg(value_name = "FILE", required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Print an example of a site and end
    #[arg(long)]
    example: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Site {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Some(path) = self.file.filter(|_| !self.example) else {
            print(SitePlan::EXAMPLE.trim_end());
            return Ok(());
        };
        let text = std::fs::read_to_string(&path)
            .with_context(|| {
                format!("cannot read {}; `adit site --example` prints one to begin with", path.display())
            })
            .map_err(Failure::Usage)?;
        let plan = SitePlan::from_toml(&text, Atlas::embedded())
            .map_err(|error| Failure::Usage(anyhow::anyhow!("{}: {error}", path.display())))?;
        let report = plan.report();
        if self.json {
            print(serde_json::to_string(&report).map_err(Failure::surroundings)?);
        } else {
            print(text_of(&plan, &report));
        }
        if report.payback.simple_years.is_some() { Ok(()) } else { Err(Failure::No) }
    }
}

/// The report for people.
fn text_of(plan: &SitePlan, report: &SiteReport) -> String {
    let years = |years: Option<f64>| match years {
        Some(years) => format!("{years:.2} years"),
        None => format!("not within {} years", plan.lifetime_years),
    };
    let capital_usd = report.capital.machines_usd + report.capital.site_usd;
    let lines = [
        ("site", format!("{} {} in {}, from {}", plan.count, report.device, report.region, plan.from)),
        (
            "power",
            format!(
                "{:.0} kW at a PUE of {:.3}, {:.1} PH/s",
                report.power_kw, report.pue, report.hashrate_phs
            ),
        ),
        (
            "price of power",
            format!(
                "{:.4} USD/kWh, {:.4} in the hours run",
                report.power_price_usd_per_kwh, report.power_price_run_usd_per_kwh
            ),
        ),
        (
            "cost of a kWh",
            format!(
                "{:.4} USD running, {:.4} with capital",
                report.running_cost_usd_per_kwh, report.all_in_usd_per_kwh
            ),
        ),
        (
            "cost of a bitcoin",
            format!(
                "{:.0} USD running, {:.0} with capital",
                report.running_cost_usd_per_btc, report.all_in_usd_per_btc
            ),
        ),
        (
            "break-even hashprice",
            format!(
                "{:.2} USD/PH/s/day running, {:.2} with capital",
                report.break_even_hashprice_running, report.break_even_hashprice_all_in
            ),
        ),
        (
            "break-even efficiency",
            format!(
                "{:.1} J/TH; the machines have {:.1}",
                report.break_even_efficiency_j_per_th, report.efficiency_j_per_th
            ),
        ),
        ("switch off above", format!("{:.4} USD/kWh: {}", report.strike_usd_per_kwh, curtailed(report))),
        (
            "a year",
            format!(
                "{:.0} kWh, {:.3} BTC, {:.0} USD revenue, {:.0} USD margin",
                report.energy_kwh_per_year,
                report.btc_per_year,
                report.revenue_usd_per_year,
                report.margin_usd_per_year
            ),
        ),
        ("capital", format!("{capital_usd:.0} USD, of which machines {:.0}", report.capital.machines_usd)),
        ("payback", years(report.payback.simple_years)),
        (
            "payback, discounted",
            format!(
                "{}; net present value {:.0} USD",
                years(report.payback.discounted_years),
                report.payback.net_present_value_usd
            ),
        ),
    ];
    lines.map(|(name, value)| format!("{name:<22}{value}")).join("\n")
}

/// In which hours to switch off.
fn curtailed(report: &SiteReport) -> String {
    let hours = report.curtail_hours_per_year;
    if hours == 0 {
        return "in no hour of the first year".to_owned();
    }
    let of_day = report.curtail_days_by_hour.iter().enumerate().filter(|(_, days)| **days > 0);
    let of_day: Vec<String> = of_day.map(|(hour, days)| format!("{hour:02}h {days}")).collect();
    format!(
        "{hours} hours of the first year, which saves {:.0} USD; days by hour: {}",
        report.curtail_saving_usd_per_year,
        of_day.join(", ")
    )
}
