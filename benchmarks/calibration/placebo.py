"""Cells on real series: outcomes with unrelated moods, and effects planted into real sales."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.calibration import usual
from benchmarks.calibration.bounds import rate
from benchmarks.calibration.cells import BATCH_PRODUCTS, Cell, Measures, Run, Size
from benchmarks.calibration.judging import Judged, judge, together
from benchmarks.calibration.real import READERS, moods, pair_up
from benchmarks.calibration.shops import Array, Planted

PLACEBO = (
    ("retail", 180),
    ("retail", 212),
    ("stocks", 180),
    ("stocks", 365),
    ("bitcoin", 180),
    ("bitcoin", 365),
    ("reviews", 180),
)
PLANTED = (
    # The goal of Online Retail is of 374 days; the folder holds 212.
    ("retail", 212, 0.50, None),
    ("stocks", 180, 0.20, 0.80),
    ("bitcoin", 180, 0.20, None),
)
SHOP_PRODUCTS = 20


def real_cells(shared: str) -> list[Cell]:
    """The cells of real series in the folder `data` under `shared`."""
    data = str(Path(shared) / "data")
    listed = [_placebo(data, kind, days) for kind, days in PLACEBO]
    return listed + [
        _planted(data, kind, days, effect, goal) for kind, days, effect, goal in PLANTED
    ]


def _placebo(data: str, kind: str, n_days: int) -> Cell:
    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together([judged for judged, _ in parts])
        tested = found.is_tested
        n_shops = int(found.shop.max()) + 1
        any_claim = np.bincount(found.shop, weights=found.claims, minlength=n_shops) > 0
        rows = [
            rate(cell, "p < .05", found.p[tested] < 0.05, at_most=0.07),
            rate(cell, "reverse p < .05", found.reverse_p[tested] < 0.05),
            rate(cell, "social_leads", found.leads[tested], at_most=0.005),
            rate(cell, "any claim in 20 pairs", any_claim),
        ]
        for name in parts[0][1]:
            rows.append(rate(cell, name, np.concatenate([part[1][name] for part in parts])))
        return rows

    return Cell(f"real-{kind}-{n_days}", lambda size: _runs(size, data, kind, n_days, 0.0), measure)


def _planted(data: str, kind: str, n_days: int, effect: float, goal: float | None) -> Cell:
    def measure(cell: str, parts: list[Any]) -> Measures:
        found = together([judged for judged, _ in parts])
        near = found.leads & (np.abs(found.lag - found.true_lag) <= 1)
        covered = (found.low <= found.true_uplift) & (found.true_uplift <= found.high)
        exact = found.leads & found.is_stated & (found.lag == found.true_lag)
        return [
            rate(cell, "power, lag within a day", near[found.is_tested], at_least=goal),
            rate(cell, "coverage of published, true lag", covered[exact]),
        ]

    return Cell(
        f"real-{kind}-planted-{n_days}",
        lambda size: _runs(size, data, kind, n_days, effect),
        measure,
    )


def _runs(size: Size, data: str, kind: str, n_days: int, effect: float) -> list[Run]:
    pairs = size.of(800, quick=20)
    return [
        partial(_pairs, data, kind, n_days, min(BATCH_PRODUCTS, pairs - first), effect)
        for first in range(0, pairs, BATCH_PRODUCTS)
    ]


def _pairs(
    data: str, kind: str, n_days: int, n_pairs: int, effect: float, seed: Sequence[int]
) -> tuple[Judged, dict[str, Array]]:
    outcomes, all_moods = _read(data, kind)
    panel, log_effect, lags = pair_up(
        outcomes,
        all_moods,
        n_days=n_days,
        n_pairs=n_pairs,
        rng=np.random.default_rng(list(seed)),
        effect=effect,
    )
    kinds = np.full(n_pairs, "lead" if effect else "none", dtype=object)
    nothing = np.zeros((n_pairs, 1))
    planted = Planted(kinds, lags, np.expm1(log_effect), nothing, nothing)
    found = judge(panel, planted, np.arange(n_pairs) // SHOP_PRODUCTS)
    if effect:
        return found, {}
    return found, {
        "usual: best of 29 lags": usual.best_lag(panel),
        "usual: first differences": usual.first_differences(panel),
    }


@cache
def _read(data: str, kind: str) -> tuple[Any, Any]:
    return READERS[kind](Path(data)), moods(Path(data))
