"""All cards of a shop at once: several signals against several outcomes, corrected together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibration.bounds import rate
from benchmarks.calibration.cells import Cell, Measures, Run, Size
from benchmarks.calibration.shops import FAMILIES, Array, Family, Setting, simulate
from udfs.lead_lag.links import test_links
from udfs.lead_lag.multiplicity import decide_families
from udfs.lead_lag.panel import Panel

SHOP_PRODUCTS = 20
SHOPS_A_RUN = 10
PRIMARY = ("mood", "units")
_COLUMNS = ("p", "reverse_p", "is_lag_confirmed", "is_reverse_lag_confirmed")


def card_cells() -> list[Cell]:
    """P(any false insight) over the whole set of cards of shops without links."""

    def runs(size: Size) -> list[Run]:
        count = size.of(150, quick=3)
        each = min(SHOPS_A_RUN, count)
        return [
            partial(_shops, FAMILIES[number % len(FAMILIES)], each)
            for number in range(-(-count // each))
        ]

    def measure(cell: str, parts: list[Any]) -> Measures:
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return [
            rate(cell, "any false insight on any card", found["any"], at_most=0.06),
            rate(cell, "any on a primary card (mood, units)", found["primary"]),
            rate(cell, "any on another card", found["other"]),
        ]

    return [Cell("shops-all-cards-180", runs, measure)]


def _shops(family: Family, shops: int, seed: Sequence[int]) -> dict[str, Array]:
    generator = np.random.default_rng(list(seed))
    simulated = simulate(Setting(family=family), shops * SHOP_PRODUCTS, generator)
    pairs = _pairs(simulated.panel, generator)
    tested = [(names, test_links(panel)) for names, panel in pairs]
    claims: dict[str, list[bool]] = {"any": [], "primary": [], "other": []}
    for shop in range(shops):
        rows = np.flatnonzero(simulated.shop == shop)
        family_of = np.repeat([" ".join(names) for names, _ in tested], len(rows)).astype(object)
        is_primary = np.repeat([names == PRIMARY for names, _ in tested], len(rows))
        columns = [
            np.concatenate([getattr(tests, name)[rows] for _, tests in tested]) for name in _COLUMNS
        ]
        is_claim = decide_families(family_of, is_primary, *columns).is_claim
        claims["any"].append(bool(is_claim.any()))
        claims["primary"].append(bool(is_claim[is_primary].any()))
        claims["other"].append(bool(is_claim[~is_primary].any()))
    return {name: np.array(flags) for name, flags in claims.items()}


def _pairs(panel: Panel, generator: np.random.Generator) -> list[tuple[tuple[str, str], Panel]]:
    """Four signals that hang together, against three outcomes that do."""
    shape = panel.signal.shape
    noise = generator.standard_normal((3, *shape))
    price = generator.uniform(8, 60, (shape[0], 1)) * np.exp(0.03 * noise[0])
    posts = np.where(np.isfinite(panel.signal), panel.posts, np.nan)
    signals = {
        "mood": panel.signal,
        "net sentiment": panel.signal + 0.5 * np.sqrt(panel.signal_variance) * noise[1],
        "volume": np.log1p(posts),
        "engagement": np.log1p(posts * np.exp(0.6 * noise[2])),
    }
    outcomes = {
        "units": panel.outcome,
        "net sales": np.round(panel.outcome * price, 2),
        "orders": np.ceil(panel.outcome / 1.4),
    }
    unknown = np.full(shape, np.nan)
    return [
        (
            (signal, outcome),
            replace(
                panel,
                signal=values,
                outcome=sold,
                signal_variance=panel.signal_variance if signal == "mood" else unknown,
            ),
        )
        for signal, values in signals.items()
        for outcome, sold in outcomes.items()
    ]
