"""Cells of what stands beside the verdict: effects at the true lag, skill, pooled effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibration.bounds import median, rate
from benchmarks.calibration.cells import BATCH_PRODUCTS, Cell, Measures, Run, Size
from benchmarks.calibration.judging import effects_at
from benchmarks.calibration.shops import FAMILIES, Family, Setting, simulate
from udfs.lead_lag.links import test_links
from udfs.lead_lag.pooled import pooled_effects
from udfs.lead_lag.skill import forecast_skill

POOLED_PRODUCTS = 30


def other_cells() -> list[Cell]:
    """Effects, skill and pooled effects."""
    lead = Setting(kind="lead", effect=0.2)
    listed = [_effect("log_linear", days, 0.2) for days in (90, 180, 365)]
    listed += [_effect(family, 180, 0.3) for family in FAMILIES]
    listed.append(_effect("log_linear", 365, 0.3))
    listed += [_skill(family, Setting(family=family)) for family in FAMILIES]
    listed.append(_skill("planted", lead))
    small = Setting(kind="lead", effect=0.05, shop_size=POOLED_PRODUCTS, is_same_lag=True)
    for family in FAMILIES:
        one = replace(small, family=family)
        goal = 0.95 if family == "log_linear" else None
        listed.append(_pooled(f"pooled-{family}-180", one, at_least=goal))
        listed.append(_pooled(f"pooled-null-{family}-180", replace(one, kind="none"), at_most=0.06))
    listed.append(_pooled("pooled-shared-180", replace(small, is_shared=True)))
    listed.append(_pooled("pooled-shared-null-180", replace(small, is_shared=True, kind="none")))
    return listed


def _chunks(products: int, run: Callable[[int, Sequence[int]], Any]) -> list[Run]:
    return [
        partial(run, min(BATCH_PRODUCTS, products - first))
        for first in range(0, products, BATCH_PRODUCTS)
    ]


# The effect at the true lag, whether or not anything is claimed ---------------------------------


def _effect(family: Family, n_days: int, effect: float) -> Cell:
    setting = Setting(family=family, n_days=n_days, kind="lead", effect=effect)

    def measure(cell: str, parts: list[Any]) -> Measures:
        truth, uplift, low, high = (
            np.concatenate([part[name] for part in parts])
            for name in ("truth", "uplift", "low", "high")
        )
        covered = (low <= truth) & (truth <= high)
        return [
            rate(cell, "coverage at the true lag, all", covered, at_least=0.95),
            *median(cell, "estimate / truth, all", uplift / truth, between=(0.85, 1.10)),
        ]

    def run(products: int, seed: Sequence[int]) -> dict[str, Any]:
        shops = simulate(setting, products, np.random.default_rng(list(seed)))
        lag = shops.planted.lag_days
        rows, uplift, low, high = effects_at(shops.panel, lag)
        known = np.isfinite(uplift)
        truth = shops.planted.uplift[rows]
        return {
            "truth": truth[known],
            "uplift": uplift[known],
            "low": low[known],
            "high": high[known],
        }

    return Cell(
        f"effect-{family}-{effect:g}-{n_days}", lambda size: _chunks(size.of(800), run), measure
    )


# Skill -----------------------------------------------------------------------------------------


def _skill(name: str, setting: Setting) -> Cell:
    is_null = setting.kind == "none"

    def measure(cell: str, parts: list[Any]) -> Measures:
        rows = []
        for column, horizon in enumerate((1, 7)):
            tested = np.concatenate([part["tested"][:, column] for part in parts])
            claimed = np.concatenate([part["claimed"][:, column] for part in parts])
            better = np.concatenate([part["better"][:, column] for part in parts])
            naive = np.concatenate([part["naive"][:, column] for part in parts])
            rows += [
                rate(
                    cell,
                    f"'improves the forecast', {horizon} days ahead",
                    claimed[tested],
                    at_most=0.01 if is_null else None,
                ),
                rate(cell, f"smaller error with the signal, {horizon} ahead", better[tested]),
                rate(cell, f"usual: MASE < 1 with it, {horizon} ahead", naive[tested]),
            ]
        return rows

    def run(products: int, seed: Sequence[int]) -> dict[str, Any]:
        panel = simulate(setting, products, np.random.default_rng(list(seed))).panel
        found = forecast_skill(panel, test_links(panel))
        return {
            "tested": found.is_tested,
            "claimed": found.is_predictive,
            "better": found.mase_with < found.mase_without,
            "naive": found.mase_with < 1,
        }

    return Cell(f"skill-{name}-180", lambda size: _chunks(size.of(800), run), measure)


# Pooled ----------------------------------------------------------------------------------------


def _pooled(
    name: str, setting: Setting, *, at_least: float | None = None, at_most: float | None = None
) -> Cell:
    def measure(cell: str, parts: list[Any]) -> Measures:
        found = [each for part in parts for each in part]
        tested = [each for each in found if each["p"] is not None]
        hit = [each["p"] < 0.05 for each in tested]
        near = [is_hit and abs(each["lag"] - each["true_lag"]) <= 1
                for is_hit, each in zip(hit, tested, strict=True)]  # fmt: skip
        covered = [
            each["low"] <= each["truth"] <= each["high"]
            for each in tested
            if each["low"] is not None and each["lag"] == each["true_lag"]
        ]
        is_refused = [each["is_refused"] for each in found]
        rows = [rate(cell, "refused: one signal for all", np.array(is_refused, dtype=bool))]
        if setting.kind == "none":
            rows.append(rate(cell, "pooled p < .05", np.array(hit, dtype=bool), at_most=at_most))
        else:
            rows.append(
                rate(
                    cell,
                    "pooled p < .05, lag within a day",
                    np.array(near, bool),
                    at_least=at_least,
                )
            )
            rows.append(rate(cell, "coverage at the true lag", np.array(covered, dtype=bool)))
        return rows

    def run(categories: int, seed: Sequence[int]) -> list[dict[str, Any]]:
        n = categories * POOLED_PRODUCTS
        shops = simulate(setting, n, np.random.default_rng(list(seed)))
        names = [f"c{number}" for number in range(categories)]
        panel = replace(shops.panel, categories=tuple(names[one] for one in shops.shop))
        listed = []
        for number, effect in enumerate(pooled_effects(panel, names)):
            rows = shops.shop == number
            listed.append(
                {
                    "p": effect.summed_p if effect.is_refused else effect.p,
                    "lag": effect.summed_lag_days if effect.is_refused else effect.lag_days,
                    "low": effect.uplift_low,
                    "high": effect.uplift_high,
                    "is_refused": effect.is_refused,
                    "true_lag": int(shops.planted.lag_days[rows][0]),
                    "truth": float(shops.planted.uplift[rows].mean()),
                }
            )
        return listed

    def runs(size: Size) -> list[Run]:
        return [partial(run, 2)] if size.is_quick else [partial(run, 10)] * 20

    return Cell(name, runs, measure)
