"""Looking again and again: how often a shop without links ever gets a claim.

A warehouse is rebuilt every week or day, and each build is a test of everything. The ledger's rule:
a card claims for the first time at q <= FIRST_CLAIM_LEVEL, and after the first look at its product
only if the same claim has stood at every look of STANDING_DAYS.
Measured is the chance that a shop of 20 products without any link gets a claim, in either
direction, at any of the looks of half a year: by that rule, and by plain levels on the same data.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.calibration.bounds import Measure, rate
from benchmarks.calibration.cells import Cell, Size
from benchmarks.calibration.judging import Judged, judge_shops
from benchmarks.calibration.shops import FAMILIES, Array, Setting, last_days, simulate
from udfs.lead_lag.multiplicity import (
    CLAIM_LEVEL,
    FIRST_CLAIM_LEVEL,
    STANDING_DAYS,
)
from udfs.lead_lag.panel import BoolArray, FloatArray

PLAIN_LEVELS = (0.05, 0.01, 0.005, 0.0025)
SHOP_PRODUCTS = 20
SHOPS_A_RUN = 10
WEEK = 7
LOOKS = 26


def look_cells() -> list[Cell]:
    """Weekly looks from day 90 and from day 180 on, daily ones, and what the rule costs."""
    return [
        _nulls("looks-weekly-from-90", 90, WEEK, LOOKS, shops=150),
        _nulls("looks-weekly-from-180", 180, WEEK, LOOKS, shops=60),
        _nulls("looks-weekly-shared-from-90", 90, WEEK, LOOKS, shops=60, is_shared=True),
        _nulls("looks-daily-from-90", 90, 1, WEEK * LOOKS, shops=20),
        _power("looks-power-weekly-from-90", 90),
    ]


def claims(strength: FloatArray, verdict: Array, step: int) -> BoolArray:
    """At which looks the ledger's rule would claim for the first time, (looks, products).

    `strength`: q of today's claim, 1 without one; `verdict`: today's; `step`: days between looks.
    """
    is_claim = strength <= CLAIM_LEVEL
    is_tested = verdict != "insufficient"
    is_first = is_tested & (np.cumsum(is_tested, axis=0) == 1)
    standing = np.zeros(strength.shape)
    for look in range(1, len(strength)):
        is_same = is_claim[look] & is_claim[look - 1] & (verdict[look] == verdict[look - 1])
        standing[look] = np.where(is_same, standing[look - 1] + step, 0)
    return np.asarray((strength <= FIRST_CLAIM_LEVEL) & (is_first | (standing >= STANDING_DAYS)))


def _nulls(
    name: str, first: int, step: int, looks: int, *, shops: int, is_shared: bool = False
) -> Cell:
    def runs(size: Size) -> list[Any]:
        used = 2 if size.is_quick else looks
        count = size.of(shops, quick=3)
        settings = [
            Setting(family=family, n_days=first + step * (used - 1), is_shared=is_shared)
            for family in FAMILIES
        ]
        each = min(SHOPS_A_RUN, count)
        return [
            partial(_look, settings[number % len(settings)], each, first, step, used)
            for number in range(-(-count // each))
        ]

    def measure(cell: str, parts: list[Any]) -> list[Measure]:
        def of_shops(flags: list[BoolArray]) -> BoolArray:
            ever = np.concatenate([each.any(axis=0) for each in flags])
            return np.asarray(ever.reshape(-1, SHOP_PRODUCTS).any(axis=1))

        by_rule = of_shops([claims(part["strength"], part["verdict"], step) for part in parts])
        rows = [rate(cell, "any false claim ever, the rule", by_rule, at_most=0.06)]
        for level in PLAIN_LEVELS:
            ever = of_shops([part["strength"] <= level for part in parts])
            rows.append(rate(cell, f"any false claim ever, plain q <= {level:g}", ever))
        last = of_shops([part["strength"][-1:] <= CLAIM_LEVEL for part in parts])
        return [*rows, rate(cell, "any false claim at the last look alone", last)]

    return Cell(name, runs, measure)


def _power(name: str, first: int) -> Cell:
    def runs(size: Size) -> list[Any]:
        used = 2 if size.is_quick else LOOKS
        setting = Setting(
            n_days=first + WEEK * (used - 1), kind="lead", effect=0.2, planted_ratio=0.5
        )
        shops = 1 if size.is_quick else SHOPS_A_RUN
        return [partial(_look, setting, shops, first, WEEK, used)] * (1 if size.is_quick else 3)

    def measure(cell: str, parts: list[Any]) -> list[Measure]:
        planted = np.concatenate([part["is_planted"] for part in parts])
        lead = [np.where(part["verdict"] == "social_leads", part["strength"], 1) for part in parts]
        by_rule = [
            claims(part["strength"], part["verdict"], WEEK) & (part["verdict"] == "social_leads")
            for part in parts
        ]
        rows = []
        looks = len(lead[0])
        for look in sorted({0, looks // 2, looks - 1}):
            day = first + WEEK * look
            ways = {
                "lead claimed by day {}, the rule": by_rule,
                **{
                    f"lead claimed by day {{}}, plain q <= {level:g}": [
                        each <= level for each in lead
                    ]
                    for level in PLAIN_LEVELS
                },
            }
            for words, flags in ways.items():
                found = np.concatenate([each[: look + 1].any(axis=0) for each in flags])
                rows.append(rate(cell, words.format(day), found[planted]))
            alone = np.concatenate([each[look] <= FIRST_CLAIM_LEVEL for each in lead])
            rows.append(rate(cell, f"lead claimed if day {day} is the first look", alone[planted]))
        return rows

    return Cell(name, runs, measure)


def _look(
    setting: Setting, shops: int, first: int, step: int, looks: int, seed: Sequence[int]
) -> dict[str, Array]:
    """What is said of each product at each look, (looks, products), and what was planted."""
    simulated = simulate(setting, shops * SHOP_PRODUCTS, np.random.default_rng(list(seed)))
    judged = [judge_shops(last_days(simulated, 0, first + step * look)) for look in range(looks)]
    return {
        "strength": np.array([_strength(each) for each in judged]),
        "verdict": np.array([each.verdict.astype(str) for each in judged]),
        "is_planted": simulated.planted.kind == "lead",
    }


def _strength(found: Judged) -> FloatArray:
    """The largest q of the claimed directions, 1 without a claim."""
    both = np.maximum(found.q, found.reverse_q)
    by_verdict = {"social_leads": found.q, "sales_lead": found.reverse_q, "feedback": both}
    strength = np.ones(len(found.q))
    for verdict, q in by_verdict.items():
        is_claim = found.verdict == verdict
        strength[is_claim] = q[is_claim]
    return strength
