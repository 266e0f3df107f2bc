"""Runs the method on simulated or real panels, as a shop would, and keeps what it said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from benchmarks.calibration.shops import Planted, Setting, Shops, simulate
from udfs.lead_lag.effect import estimate_effect
from udfs.lead_lag.gates import judge as judge_gates
from udfs.lead_lag.links import test_links
from udfs.lead_lag.multiplicity import decide
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, LinkTests, Options, Panel
from udfs.lead_lag.preparing import OUTCOME_LIMIT, SIGNAL_LIMIT, prepare
from udfs.lead_lag.testing import directed_test

Array = np.ndarray[Any, np.dtype[Any]]

CLAIMS = ("social_leads", "sales_lead", "feedback")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the method said of each product, beside what was planted. Arrays of shape (N,).

    `q`, `reverse_q` and `verdict` are those of the product's own shop: one family a shop.
    """

    shop: IntArray
    kind: Array
    true_lag: IntArray
    true_uplift: FloatArray
    is_tested: BoolArray
    p: FloatArray
    reverse_p: FloatArray
    q: FloatArray
    reverse_q: FloatArray
    verdict: Array
    lag: IntArray
    width: IntArray
    uplift: FloatArray
    low: FloatArray
    high: FloatArray
    is_stated: BoolArray
    reliability: FloatArray

    @property
    def claims(self) -> BoolArray:
        """Whether anything is claimed of the product."""
        return np.isin(self.verdict, CLAIMS)

    @property
    def leads(self) -> BoolArray:
        """Whether it is published as `social_leads`."""
        return np.asarray(self.verdict == "social_leads")


def judge(panel: Panel, planted: Planted | None, shop: IntArray) -> Judged:
    """Test a panel once and decide shop by shop."""
    tests = test_links(panel)
    n = panel.n_products
    q, reverse_q = np.full(n, np.nan), np.full(n, np.nan)
    verdict = np.full(n, "insufficient", dtype=object)
    for one in np.unique(shop):
        rows = np.flatnonzero(shop == one)
        decisions = decide(select(tests, rows))
        q[rows], reverse_q[rows] = decisions.q, decisions.reverse_q
        verdict[rows] = decisions.verdict
    nothing = np.full(n, "none", dtype=object)
    return Judged(
        shop=np.asarray(shop),
        kind=nothing if planted is None else planted.kind,
        true_lag=np.zeros(n, dtype=np.int64) if planted is None else planted.lag_days,
        true_uplift=np.zeros(n) if planted is None else planted.uplift,
        is_tested=tests.is_tested,
        p=tests.p,
        reverse_p=tests.reverse_p,
        q=q,
        reverse_q=reverse_q,
        verdict=verdict,
        lag=np.asarray(tests.lag_days),
        width=np.asarray(tests.width_days),
        uplift=tests.uplift,
        low=tests.uplift_low,
        high=tests.uplift_high,
        is_stated=tests.is_percentage_allowed,
        reliability=tests.reliability,
    )


def judge_setting(setting: Setting, n_products: int, seed: Sequence[int]) -> Judged:
    """Simulate products and judge them."""
    shops = simulate(setting, n_products, np.random.default_rng(list(seed)))
    return judge_shops(shops)


def judge_shops(shops: Shops) -> Judged:
    """Judge simulated shops."""
    return judge(shops.panel, shops.planted, shops.shop)


def effects_at(
    panel: Panel, lag_days: IntArray
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Rows that are tested, and their effect with its interval at a given lag (N,)."""
    options = Options()
    gates = judge_gates(panel, options)
    rows = np.flatnonzero(gates.is_tested)
    length = gates.length[rows]
    prepared = prepare(panel.select(rows), gates.start[rows], length, options)
    lead = directed_test(
        prepared.outcome.winsorised,
        prepared.signal.winsorised,
        prepared.outcome.fitted,
        prepared.signal.observed,
        (OUTCOME_LIMIT, SIGNAL_LIMIT),
        prepared.rank,
        length,
        options,
    )

    found = estimate_effect(prepared, lag_days[rows], lead.critical, options)
    return rows, found.uplift, found.uplift_low, found.uplift_high


def select(tests: LinkTests, rows: IntArray) -> LinkTests:
    """The tests of some products."""
    picked: dict[str, Any] = {"product_ids": tuple(tests.product_ids[row] for row in rows)}
    for each in fields(tests):
        value = getattr(tests, each.name)
        if isinstance(value, np.ndarray):
            picked[each.name] = value[rows]
    return replace(tests, **picked)


def together(parts: Sequence[Judged]) -> Judged:
    """Several batches as one; shops keep apart."""
    shops, first = [], 0
    for part in parts:
        shops.append(part.shop + first)
        first += int(part.shop.max(initial=-1)) + 1
    joined: dict[str, Any] = {
        each.name: np.concatenate([getattr(part, each.name) for part in parts])
        for each in fields(Judged)
        if each.name != "shop"
    }
    return Judged(shop=np.concatenate(shops), **joined)
