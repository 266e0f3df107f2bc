"""The cells of the bench: what is simulated, what is measured, and the goal of each figure.

A cell is a list of tasks (each small enough for one process and seeded by itself, so that neither
the number of processes nor the choice of cells changes a figure) and a function that makes measures
of their results.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibration import usual
from benchmarks.calibration.bounds import Measure, median, rate
from benchmarks.calibration.judging import Judged, judge, judge_setting, together
from benchmarks.calibration.shops import FAMILIES, Array, Family, Setting, simulate

BATCH_PRODUCTS = 400
NULL_DAYS = (90, 180, 365)

Run = Callable[[Sequence[int]], Any]
Measures = list[Measure]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of each cell to run: all of it, or a fraction that only shows that it runs."""

    is_quick: bool = False

    def of(self, products: int, *, quick: int = 40) -> int:
        """Number of products."""
        return quick if self.is_quick else products


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `runs` of a size, each called with its own seed, and what they measure."""

    name: str
    runs: Callable[[Size], list[Run]]
    measure: Callable[[str, list[Any]], Measures]


def seeds(seed: int, cell: str, count: int) -> list[tuple[int, int, int]]:
    """One seed a task, from the bench's seed, the cell's name and the task's number."""
    return [(seed, zlib.crc32(cell.encode()), number) for number in range(count)]


def batches(setting: Setting, products: int) -> list[Run]:
    """Simulate and judge `products` in batches."""
    runs: list[Run] = []
    for first in range(0, products, BATCH_PRODUCTS):
        count = min(BATCH_PRODUCTS, products - first)
        runs.append(partial(_judged, setting, count))
    return runs


def _judged(setting: Setting, products: int, seed: Sequence[int]) -> Judged:
    return judge_setting(setting, products, seed)


# No link ---------------------------------------------------------------------------------------


def _null(family: Family, n_days: int) -> Cell:
    setting = Setting(family=family, n_days=n_days)

    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together(parts)
        tested = found.is_tested
        return [
            rate(cell, "p < .05", found.p[tested] < 0.05, at_most=0.06),
            rate(cell, "reverse p < .05", found.reverse_p[tested] < 0.05, at_most=0.06),
            rate(cell, "p < .01", found.p[tested] < 0.01),
            rate(cell, "social_leads", found.leads[tested], at_most=0.01),
            rate(cell, "any claim of a product", found.claims[tested]),
        ]

    return Cell(f"null-{family}-{n_days}", lambda size: batches(setting, size.of(1200)), measure)


def _shops(name: str, settings: Sequence[Setting], shops: int, goal: float | None) -> Cell:
    """P(any false insight), `shops` shops of 20 products, shared out over the settings."""

    def runs(size: Size) -> list[Run]:
        each = -(-shops // len(settings)) * 20
        return [run for one in settings for run in batches(one, size.of(each))]

    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together(parts)
        n_shops = int(found.shop.max()) + 1

        def any_of(flags: Array) -> Array:
            return np.bincount(found.shop, weights=flags, minlength=n_shops) > 0

        rows = [
            rate(cell, "any false insight in a shop", any_of(found.claims), at_most=goal),
            rate(cell, "any social_leads in a shop", any_of(found.leads)),
            rate(cell, "any sales_lead in a shop", any_of(found.verdict == "sales_lead")),
            rate(cell, "any feedback in a shop", any_of(found.verdict == "feedback")),
            rate(cell, "p < .05", found.p[found.is_tested] < 0.05),
            rate(cell, "reverse p < .05", found.reverse_p[found.is_tested] < 0.05),
        ]
        rows.append(rate(cell, "social_leads of a product", found.leads, at_most=0.01))
        return rows

    return Cell(name, runs, measure)


def _usual(family: Family) -> Cell:
    setting = Setting(family=family, n_days=180)

    def run(count: int, of_loop: int, seed: Sequence[int]) -> dict[str, Array]:
        panel = simulate(setting, count, np.random.default_rng(list(seed))).panel
        return {
            "same day, p < .05": usual.same_day(panel),
            "best of 29 lags, p < .05": usual.best_lag(panel),
            "first differences, Šidák, p < .05": usual.first_differences(panel),
            "Granger loop, orders 1-14, p < .05": usual.granger(panel, range(of_loop)),
        }

    def measure(cell: str, parts: list[Any]) -> Measures:
        return [
            rate(cell, name, np.concatenate([part[name] for part in parts])) for name in parts[0]
        ]

    return Cell(
        f"usual-{family}-180",
        lambda size: [partial(run, size.of(600), size.of(100, quick=2))],
        measure,
    )


# Links -----------------------------------------------------------------------------------------


def _power(name: str, setting: Setting, goal: float | None, products: int = 1200) -> Cell:
    """Power (lead published, lag within a day), false discoveries and published intervals."""

    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together(parts)
        planted = found.kind == "lead"
        # A spread effect has no single day: any day within its first half counts.
        near = np.abs(found.lag - found.true_lag) <= 1
        if setting.shape == "spread":
            near = (found.lag >= found.true_lag - 1) & (found.lag <= found.true_lag + 2)
        hit = found.leads & planted & near
        published = found.leads
        rows = [
            rate(cell, "power, lag within a day", hit[planted], at_least=goal),
            rate(cell, "power, any lag", (found.leads & planted)[planted]),
            rate(cell, "p < .05 where planted", found.p[planted & found.is_tested] < 0.05),
            rate(cell, "other claims where planted", (found.claims & ~found.leads)[planted]),
            rate(cell, "FDR of published leads", ~planted[published], at_most=0.06),
            rate(cell, "published leads at a wrong lag", (planted & ~near)[published]),
        ]
        return rows + _published(cell, found, setting)

    return Cell(name, lambda size: batches(setting, size.of(products)), measure)


def _published(cell: str, found: Judged, setting: Setting) -> Measures:
    """Coverage and bias of the intervals that are published with a percentage."""
    stated = found.leads & found.is_stated & np.isfinite(found.low)
    exact = stated & (found.kind == "lead") & (found.lag == found.true_lag)
    covered = (found.low <= found.true_uplift) & (found.true_uplift <= found.high)
    goal = 0.95 if setting.shape == "point" else None
    rows = [rate(cell, "coverage of published, true lag", covered[exact], at_least=goal)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found.uplift / found.true_uplift
    rows += median(cell, "estimate / truth, published, true lag", ratio[exact])
    return rows


def _reverse(family: Family) -> Cell:
    setting = Setting(family=family, n_days=180, kind="reverse", reverse_effect=0.5)

    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together(parts)
        return [
            rate(cell, "sales-drive-buzz reported as lead", found.leads, at_most=0.01),
            rate(cell, "reported as sales_lead", found.verdict == "sales_lead"),
            rate(cell, "reported as feedback", found.verdict == "feedback"),
        ]

    return Cell(f"reverse-{family}-180", lambda size: batches(setting, size.of(800)), measure)


def _feedback() -> Cell:
    setting = Setting(kind="feedback", effect=0.3, reverse_effect=0.5)

    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together(parts)
        return [
            rate(cell, f"reported as {name}", found.verdict == name)
            for name in ("feedback", "social_leads", "sales_lead", "watchlist", "none")
        ]

    return Cell("feedback-log_linear-180", lambda size: batches(setting, size.of(600)), measure)


# At the true lag, whatever is claimed ----------------------------------------------------------


def cells() -> list[Cell]:
    """All cells on simulated shops, in the order they are run."""
    listed = [_null(family, days) for family in FAMILIES for days in NULL_DAYS]
    independent = [Setting(family=family) for family in FAMILIES]
    shared = [replace(one, is_shared=True) for one in independent]
    listed += [
        _shops("shops-independent-180", independent, 600, 0.06),
        _shops("shops-shared-180", shared, 600, 0.06),
        _shops("shops-independent-90", [replace(one, n_days=90) for one in independent], 500, 0.06),
        _shops("shops-shared-365", [replace(one, n_days=365) for one in shared], 500, 0.06),
        _shops(
            "untracked-campaigns-180",
            [replace(one, campaigns="untracked") for one in independent],
            60,
            None,
        ),
    ]
    lead = Setting(kind="lead", effect=0.2, planted_ratio=0.5)
    for days, goal in ((90, 0.18), (180, 0.80), (365, 0.98)):
        listed.append(_power(f"power-log_linear-{days}", replace(lead, n_days=days), goal))
    # Demand that pauses is a known limit of the method: measured by itself, without a goal.
    strong = replace(lead, family="structural", effect=0.3, pausing_ratio=0.0)
    pausing = replace(strong, pausing_ratio=1.0)
    listed += [
        _power("power-structural-pausing-180", pausing, None, 600),
        _power("power-structural-point-180", strong, 0.85),
        _power("power-structural-spread-180", replace(strong, shape="spread"), 0.75),
        _power("power-log_linear-spread-180", replace(lead, effect=0.3, shape="spread"), None),
        _power("power-messy-180", replace(lead, family="messy", effect=0.3), None),
        _power("power-shared-180", replace(lead, is_shared=True), None),
    ]
    few = replace(lead, planted_ratio=0.2, effect=0.25)
    for family in FAMILIES:
        listed.append(_power(f"mixed-{family}-180", replace(few, family=family), None, 4000))
    listed += [_reverse(family) for family in FAMILIES]
    listed.append(_feedback())
    listed += [_usual(family) for family in FAMILIES]
    return listed


__all__ = ["Cell", "Run", "Size", "cells", "judge", "seeds"]
