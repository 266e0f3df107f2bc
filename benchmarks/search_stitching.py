"""How near stitched search interest comes to a known truth, beside the usual chain of overlaps.

    python -m benchmarks.search_stitching [--terms 6] [--seed 1] [--keep FOLDER]

Five years of daily search are made up, with a wandering level, seasons, weekdays and events. A site
samples 20,000 searches a day of them anew for each download, scales each download to 100, rounds,
and writes CSV files as Google Trends does, daily windows of at most 269 days. They go the whole
road: the source, the loader, dbt, and `marts.mart_search_interest`. Six ways to download are
compared, each on the same number of terms:

* `plain`: windows that overlap by 30 days, each downloaded once;
* `draws`: by 60 days, each downloaded twice;
* `anchor`: by 30 days, once, with a second term beside the first in every download;
* `weekly`: as `plain`, and one download of all five years in weeks;
* `weeks only`: windows that do not overlap at all, and the five years in weeks;
* `rare`: as `draws` with an anchor, for a term of a twentieth of the volume.

`error` is the root mean square of the error of the logs (of mean 0), `drift` that of the sum of
the last year against the first over the terms, `drift / se` the same over its stated standard error
(1 is right, below 1 is cautious), `coverage` how many days lie within 1.96 stated standard errors.
`chain` scales each window to the one before by the sums of what both hold, from the first draws.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from extract._trends_csv import parse_export
from tests.simulated_search import (
    FIRST_DAY,
    FIVE_YEARS,
    Errors,
    FloatArray,
    Site,
    chained,
    errors_of,
    history,
    windows,
    write,
)

LEVEL = 0.02
_TARGET = """
[target]
simulated = false
business_timezone = "UTC"
currency = "USD"
catalogue = "{folder}/catalogue"
cutoff_at = 2027-06-01T00:00:00Z

[sources.google_trends]
folder = "{folder}/downloads"
"""


@dataclass(frozen=True)
class Way:
    """A way to download a term's five years."""

    name: str
    overlap: int
    draws: int = 1
    has_anchor: bool = False
    has_weeks: bool = False
    level: float = LEVEL


WAYS = (
    Way("plain", 30),
    Way("draws", 60, draws=2),
    Way("anchor", 30, has_anchor=True),
    Way("weekly", 30, has_weeks=True),
    Way("weeks only", 0, has_weeks=True),
    Way("rare", 60, draws=2, has_anchor=True, level=LEVEL / 20),
)


def download(folder: Path, way: Way, term: str, site: Site) -> list[tuple[int, FloatArray]]:
    """Write a term's files; returns what a chain would go by: the first draw of each window."""
    anchor = f"anchor of {term}"
    first_draws = []
    for number, (first, last) in enumerate(windows(overlap=way.overlap)):
        for draw in range(way.draws):
            terms = [term, anchor] if way.has_anchor else [term]
            text = site.download(terms, first, last)
            write(folder, f"{term}_{number}_{draw}.csv", text)
            if not draw:
                cells = parse_export(text.encode()).cells
                own = [c.value for c in cells if c.column.term == term]
                values = np.array([0.5 if v == "<1" else float(v) for v in own])
                first_draws.append((first, values))
    if way.has_weeks:
        write(folder, f"{term}_weeks.csv", site.download([term], 0, FIVE_YEARS, step=7))
    return first_draws


def run(folder: Path, *arguments: str) -> float:
    """One command of the project on the target in the folder; returns its seconds."""
    started = time.perf_counter()
    environment = os.environ | {"SOCIAL_SIGNALS_DATA": str(folder / "data")}
    command = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(
        [*command, "--config", str(folder / "search.toml")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    # A shop without posts or sales leaves nothing to relate, which is told by an exit code too.
    if done.returncode not in (0, 3, 4):
        sys.exit(f"{' '.join(arguments)}: {done.stdout[-3000:]}{done.stderr[-3000:]}")
    return time.perf_counter() - started


@dataclass(frozen=True)
class Measured:
    """What came of a term: ours, the chain's, and the drift over its stated error."""

    ours: Errors
    chain: Errors | None
    drift_ratio: float
    methods: frozenset[str]


def measure(
    connection: duckdb.DuckDBPyConnection,
    way: Way,
    term: str,
    truth: FloatArray,
    parts: Sequence[tuple[int, FloatArray]],
) -> Measured:
    rows = connection.execute(
        "select date_diff('day', cast(? as date), period_start_date), search_interest,"
        " search_interest_se, scale_relative_se, stitch_method from marts.mart_search_interest"
        " where term = ? and resolution = 'day' and segment = 1 order by 1",
        [FIRST_DAY, term],
    ).fetchall()
    value, se, scale_se = np.zeros(FIVE_YEARS), np.ones(FIVE_YEARS), np.zeros(FIVE_YEARS)
    for day, interest, error, of_scale, _ in rows:
        value[day], se[day], scale_se[day] = interest, error / max(interest, 1e-9), of_scale
    ours = errors_of(truth, value, se)
    stated = np.hypot(scale_se[:365].mean(), scale_se[-365:].mean())
    chain = None
    if way.overlap:
        chain = errors_of(truth, chained(parts, FIVE_YEARS))
    methods = frozenset(method for *_, method in rows)
    return Measured(ours, chain, ours.drift / max(stated, 1e-9), methods)


def rms(values: Sequence[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def report(way: Way, found: Sequence[Measured]) -> None:
    ours = [item.ours for item in found]
    chains = [item.chain for item in found if item.chain is not None]
    line = (
        f"{way.name:<11} {rms([e.rmse for e in ours]):6.3f}"
        f" {np.mean([e.correlation for e in ours]):6.4f} {rms([e.drift for e in ours]):6.3f}"
        f" {rms([item.drift_ratio for item in found]):6.2f}"
        f" {np.mean([e.coverage for e in ours]):6.3f}"
        f" {min(e.days for e in ours):6,} "
    )
    if chains:
        line += f" {rms([e.rmse for e in chains]):6.3f} {rms([e.drift for e in chains]):6.3f} "
    else:
        line += "      -      - "
    print(line, ", ".join(sorted(set().union(*(item.methods for item in found)))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        generator = np.random.default_rng(options.seed)
        truths: dict[tuple[str, str], FloatArray] = {}
        parts = {}
        products, terms = ["product_id,product_name,brand,category,url"], ["product_id,term,kind"]
        for way in WAYS:
            for number in range(options.terms):
                term = f"{way.name} {number}"
                product = term.replace(" ", "-")
                products.append(f"{product},{term},Simulated,{way.name},")
                terms.append(f"{product},{term},keyword")
                truth = history(generator, level=way.level)
                anchor = history(generator, level=way.level * 2)
                site = Site({term: truth, f"anchor of {term}": anchor}, generator=generator)
                truths[way.name, term] = truth
                parts[term] = download(folder / "downloads", way, term, site)
        write(folder / "catalogue", "products.csv", "\n".join(products) + "\n")
        write(folder / "catalogue", "terms.csv", "\n".join(terms) + "\n")
        write(folder, "search.toml", _TARGET.format(folder=folder.as_posix()))
        files = len(list((folder / "downloads").glob("*.csv")))
        seconds = {name: run(folder, name) for name in ("extract", "load", "build")}
        work = folder / "data" / "search" / "work.duckdb"
        with duckdb.connect(str(work), read_only=True) as connection:
            ((count,),) = connection.execute(
                "select count(*) from raw.google_trends_interest"
            ).fetchall()
            told = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
            print(f"{files} files, {count:,} points; {told} (the whole build, all sources)")
            print("way          error   corr  drift  drift coverage  days   chain: error, drift")
            print("                                    / se")
            for way in WAYS:
                report(
                    way,
                    [
                        measure(connection, way, term, truth, parts[term])
                        for (name, term), truth in truths.items()
                        if name == way.name
                    ],
                )


if __name__ == "__main__":
    main()
