#!/usr/bin/env python3
"""Makes the world model's tables from a folder of sources.

Usage: data/make.py SOURCES     (Python 3.11, nothing else; takes seconds)

SOURCES holds the files that data/SOURCES.md names: tables of facts, tables
computed from open data, and under raw/ the extracts that figures are computed
from and that are not copied. Writes beside itself:

  history/*.csv       what happened, with the columns of the sources; the last blocks of
                      epochs only when raw/blocks.csv (height, time_utc) is there
  climate.csv         mean temperature by region and month
  hydro_season.csv    hydro output by region and month, and how much storage evens out
  spot_zones.csv      how long spot prices last
  spot_quantiles.csv  how they are distributed
  spot_profile.csv    how they vary with month and hour
  eras_network.csv    hashrate and price by month since 2009, when raw/checkpoints.txt and
                      raw/market_price.csv are there
"""

import base64
import csv
import datetime
import math
import statistics
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MONTHS = range(1, 13)

HISTORY = [
    "btc_daily_network.csv",
    "btc_difficulty_epochs.csv",
    "btc_price_weekly.csv",
    "events.csv",
    "hashrate_share_country.csv",
    "validation_targets.csv",
]

# Region -> zone whose spot price its big sites pay. The others have tariffs.
SPOT = {"US-TX": "US-TEX-ERCO", "US-NY": "US-NY-NYIS", "US-OT": "US-MIDA-PJM", "CA-AB": "CA-ON", "BR": "BR-SP"}

# Parts of hydro in the power of the *sites*, where that of the country misleads.
SITE_HYDRO = {
    "CN-SC": (0.85, "recalled", "Sichuan and Yunnan sites ran on hydro"),
    "CN-XJ": (0.10, "recalled", "coal and wind"),
    "RU-SIB": (0.75, "recalled", "Irkutsk: Angara cascade"),
    "US-NY": (0.60, "recalled", "upstate sites on NYPA hydro"),
    "US-OT": (0.15, "recalled", "Pacific Northwest among them"),
    "NO": (0.90, "found", "country mix"),
}

# How much of a season's swing reservoirs take away, 0 none, 1 all.
STORAGE = {"CN-SC": 0.2, "PY": 0.5, "CA-QC": 0.8, "ET": 0.8, "NO": 0.8}
STORAGE_ELSEWHERE = 0.5


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name, header, lines):
    with open(HERE / name, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)
    print(f"data/{name}: {len(lines)} rows")


def history(sources):
    (HERE / "history").mkdir(exist_ok=True)
    for name in HISTORY:
        text = (sources / name).read_text(encoding="utf-8").replace("\r\n", "\n")
        (HERE / "history" / name).write_text(text, encoding="utf-8")
        print(f"data/history/{name}: {text.count(chr(10)) - 1} rows")


def epoch_ends(sources):
    """The last block of each epoch, which the rule of difficulty looks at."""
    blocks = sources / "raw" / "blocks.csv"
    if not blocks.exists():
        print("data/history/btc_epoch_ends.csv: left as it is, for want of raw/blocks.csv")
        return
    starts = [int(row["height_start"]) for row in rows(sources / "btc_difficulty_epochs.csv")]
    ends = {start + 2015 for start in starts[:-1]}
    found = [[row["height"], row["time_utc"]] for row in rows(blocks) if int(row["height"]) in ends]
    write("history/btc_epoch_ends.csv", ["height_end", "time_utc"], found)


# Prices before a market that anyone kept the record of: month, USD/BTC, what it was.
FIRST_PRICES = [
    ("2009-10", 1 / 1309.03, "first published rate: 1,309.03 BTC for a dollar"),
    ("2010-05", 41 / 10_000, "two pizzas of 41 USD for 10,000 BTC"),
    ("2010-07", 0.06, "first days of the first exchange of note, 0.05 to 0.09 USD"),
]


def months(first, last):
    """All months from `first` to `last`, as (year, month)."""
    return [divmod(at, 12) for at in range(first[0] * 12 + first[1] - 1, last[0] * 12 + last[1])]


def eras_network(sources):
    """Hashrate by month from every 2,016th header, price by month from daily and weekly means."""
    checkpoints, market = sources / "raw" / "checkpoints.txt", sources / "raw" / "market_price.csv"
    if not (checkpoints.exists() and market.exists()):
        print("data/eras_network.csv: left as it is, for want of raw/checkpoints.txt or raw/market_price.csv")
        return
    # The genesis block, then what bitcoinj keeps: 12 bytes of work, 4 of height, the header.
    headers = [(datetime.datetime(2009, 1, 3, 18, 15, 5, tzinfo=datetime.timezone.utc).timestamp(), 0x1D00FFFF)]
    for line in checkpoints.read_text().split("\n")[3:]:
        if line:
            header = base64.b64decode(line + "=" * (-len(line) % 4))[-80:]
            headers.append(tuple(int.from_bytes(header[at:at + 4], "little") for at in (68, 72)))
    span = lambda year, month: datetime.datetime(year, month + 1, 1, tzinfo=datetime.timezone.utc).timestamp()
    target = lambda bits: (bits & 0xFFFFFF) * 256 ** ((bits >> 24) - 3)
    price = {}
    for line in market.read_text().split():
        if "/" in line:
            day, month, year = line.split("/")
            price.setdefault((int(year), int(month) - 1), [])
        else:
            price[int(year), int(month) - 1].append(float(line.split(",")[1]))
    price = {month: statistics.fmean(known) for month, days in price.items() if (known := [p for p in days if p > 0])}
    source = {month: ("computed", "blockchain.info market price, mean of days") for month in price}
    weeks = {}
    for row in rows(sources / "btc_price_weekly.csv"):
        monday = datetime.date.fromisoformat(row["week_start"])
        for day in range(7):
            date = monday + datetime.timedelta(day)
            weeks.setdefault((date.year, date.month - 1), []).append(float(row["close_usd_mean"]))
    for month, closes in weeks.items():
        if month > (2014, 8):
            price[month], source[month] = statistics.fmean(closes), ("computed", "weekly means of history/btc_price_weekly.csv")
    known = [((int(text[:4]), int(text[5:]) - 1), usd, what) for text, usd, what in FIRST_PRICES]
    for (month, usd, what), (later, _, _) in zip(known, known[1:] + [((2010, 7), 0, "")]):
        after = price.get(later) or known[[m for m, _, _ in known].index(later)][1]
        steps = months((month[0], month[1] + 1), (later[0], later[1]))
        for at, between in enumerate(steps):
            price[between] = usd * (after / usd) ** (at / len(steps))
            source[between] = ("recalled", what) if at == 0 else ("computed", "geometric, between the quotes beside it")
    lines = []
    for year, month in months((2009, 1), (2026, 8)):
        begin, end = span(year, month), span(*divmod(year * 12 + month + 1, 12))
        hashes = blocks = 0.0
        for (start, bits), (stop, _) in zip(headers, headers[1:]):
            part = max(0.0, (min(end, stop) - max(begin, start)) / (stop - start)) * 2016
            hashes, blocks = hashes + part * 2**256 / target(bits), blocks + part
        status, what = source.get((year, month), ("recalled", "no market yet"))
        seconds = end - max(begin, headers[0][0])
        # Later years are kept apart.
        chain = [f"{hashes / seconds / 1e12:.6g}", f"{blocks / seconds * 86400:.5g}", "computed"] if year < 2024 else ["", "", ""]
        lines.append([f"{year}-{month + 1:02}", *chain, f"{price.get((year, month), 0):.6g}", status, what])
    write("eras_network.csv", ["month", "hashrate_ths", "blocks_per_day", "chain_status", "price_usd_per_btc", "price_status", "price_source"], lines)


def season(coldest, hottest, latitude):
    """A year between two normals; the coldest month is January, or July in the south."""
    first = 1 if latitude >= 0 else 7
    mean, swing = (coldest + hottest) / 2, (hottest - coldest) / 2
    return [mean - swing * math.cos(2 * math.pi * (month - first) / 12) for month in MONTHS]


def climate(sources):
    by_country = {}
    for row in rows(sources / "climate_monthly_country.csv"):
        by_country.setdefault(row["iso3"], {})[int(row["month"])] = float(row["mean_c"])
    by_zone = {}
    for row in rows(sources / "site_temperature_monthly.csv"):
        by_zone.setdefault(row["zone"], {})[int(row["month"])] = float(row["mean_c"])
    lines = []
    for region in rows(sources / "regions.csv"):
        code, basis = region["region"], region["temp_source"]
        if code in SPOT and SPOT[code] in by_zone and "Open-Meteo" in basis:
            zone = by_zone[SPOT[code]]
            year, source, status = [zone[m] for m in MONTHS], f"Open-Meteo, zone {SPOT[code]}", "computed"
        elif "ERA5" in basis:
            country = by_country[region["iso3"]]
            year, source, status = [country[m] for m in MONTHS], "ERA5 national means 2015-2024, Copernicus via OWID", "found"
        else:
            year = season(float(region["temp_coldest_month_c"]), float(region["temp_hottest_month_c"]), float(region["lat"]))
            source, status = "cosine between the recalled normals of the coldest and the hottest month", "recalled"
        lines.append([code, *(f"{t:.1f}" for t in year), source, "2024", status])
    write("climate.csv", ["region", *(f"m{m:02}_c" for m in MONTHS), "source", "date", "status"], lines)


def hydro(sources):
    seasons = {row["region"]: row for row in rows(sources / "hydro_season.csv")}
    lines = []
    for region in rows(sources / "regions.csv"):
        code = region["region"]
        months = seasons.get(code)
        part, status, note = SITE_HYDRO.get(code, (float(region["country_hydro_pct"] or 0) / 100, "found", "country mix"))
        months = [months[f"m{m:02}"] for m in MONTHS] if months else ["1"] * 12
        source = "Gernaat et al. 2017 via OSeMOSYS Global" if code in seasons else "no hydro profile"
        lines.append([code, part, STORAGE.get(code, STORAGE_ELSEWHERE), *months, source, "2017", status, note])
    header = ["region", "hydro_fraction", "storage_damping", *(f"m{m:02}_ratio" for m in MONTHS), "source", "date", "status", "note"]
    write("hydro_season.csv", header, lines)


def standard_scores(values):
    """Each value's rank as a standard normal score."""
    normal = statistics.NormalDist()
    order = sorted(range(len(values)), key=values.__getitem__)
    scores = [0.0] * len(values)
    for rank, at in enumerate(order):
        scores[at] = normal.inv_cdf((rank + 0.5) / len(values))
    return scores


# Probabilities at which the prices of a market are kept, in percent.
SPOT_PERCENTS = [0, 0.5, 1, 2, *range(5, 91, 5), 92.5, 95, 97, 98, 99, 99.5, 99.8, 99.9, 100]


def price_curve(prices):
    """USD/MWh at SPOT_PERCENTS; the last so that the mean of the dearest hours is right."""
    ordered = sorted(prices)
    curve = [ordered[min(int(percent / 100 * len(ordered)), len(ordered) - 1)] for percent in SPOT_PERCENTS]
    dearest = ordered[int(SPOT_PERCENTS[-2] / 100 * len(ordered)):]
    curve[-1] = max(2 * statistics.fmean(dearest) - curve[-2], curve[-2])
    return curve


def spot(sources):
    zones, quantiles, profile = [], [], []
    source = ["market operators via green-dcc, 2020-2024 without 2021", "2024", "computed"]
    medians = {}
    for row in rows(sources / "power_profile_month_hour.csv"):
        if row["zone"] in SPOT.values():
            medians[row["zone"], int(row["month"]), int(row["hour_local"])] = float(row["median_usd_mwh"])
    for region, zone in sorted(SPOT.items(), key=lambda item: item[1]):
        for month in MONTHS:
            profile.append([zone, month, *(f"{medians[zone, month, hour]:.2f}" for hour in range(24))])
        series = rows(sources / "raw" / "power_hourly" / f"{zone}_2020_2024.csv")
        # 2021 has the Texas freeze at the price cap; a storm is an event of its own.
        series = [row for row in series if row["hour_utc"][:4] != "2021"]
        prices = [float(row["usd_per_mwh"]) for row in series]
        cells = [(row["hour_utc"][5:7], row["hour_utc"][11:13]) for row in series]
        scores = standard_scores(prices)
        # What month and hour explain of the scores, and how long the rest lasts.
        by_cell = {}
        for cell, score in zip(cells, scores):
            by_cell.setdefault(cell, []).append(score)
        mean = {cell: statistics.fmean(values) for cell, values in by_cell.items()}
        rest = [score - mean[cell] for score, cell in zip(scores, cells)]
        explained = statistics.pvariance([mean[cell] for cell in cells])
        spread = statistics.pvariance(rest)
        lag = lambda h: statistics.fmean(a * b for a, b in zip(rest, rest[h:])) / spread
        # A slow part that the correlations over a week and a month tell, and a fast one.
        slow_1h = (lag(720) / lag(168)) ** (1 / (720 - 168))
        slow = lag(168) / slow_1h**168
        fast_1h = (lag(1) - slow * slow_1h) / (1 - slow)
        zones.append([region, zone, f"{explained:.4f}", f"{slow:.4f}", f"{slow_1h:.6f}", f"{fast_1h:.4f}", *source])
        for percent, price in zip(SPOT_PERCENTS, price_curve(prices)):
            quantiles.append([zone, percent, f"{price:.2f}"])
    write("spot_zones.csv", ["region", "zone", "explained_by_month_and_hour", "slow_part", "slow_persistence_1h", "fast_persistence_1h", "source", "date", "status"], zones)
    write("spot_quantiles.csv", ["zone", "hours_below_pct", "usd_per_mwh"], quantiles)
    write("spot_profile.csv", ["zone", "month", *(f"h{h:02}_usd_per_mwh" for h in range(24))], profile)


def main():
    if len(sys.argv) != 2 or not (sources := Path(sys.argv[1])).is_dir():
        sys.exit("usage: data/make.py SOURCES     SOURCES is a folder; see data/SOURCES.md")
    history(sources)
    epoch_ends(sources)
    climate(sources)
    hydro(sources)
    spot(sources)
    eras_network(sources)


if __name__ == "__main__":
    main()
