"""Corrections over products and families, and the verdicts that follow."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from udfs.lead_lag.multiplicity import (
    SALES_LEAD_LEVEL,
    benjamini_hochberg,
    decide_families,
    selective_q,
)
from udfs.lead_lag.panel import Decisions

PRIMARY = "sentiment_mean|units"


def verdicts(
    p: list[float], reverse_p: list[float], *, lag: bool = True, back: bool = True
) -> Decisions:
    """Decide one family in which all lags are, or are not, confirmed."""
    count = len(p)
    return decide_families(
        np.array([PRIMARY] * count, dtype=object),
        np.ones(count, dtype=bool),
        np.array(p),
        np.array(reverse_p),
        np.full(count, lag),
        np.full(count, back),
    )


def test_benjamini_hochberg_is_that_of_statsmodels() -> None:
    p = np.random.default_rng(1).random(50) ** 2
    p[[3, 9]] = np.nan
    known = ~np.isnan(p)
    expected = multipletests(p[known], method="fdr_bh")[1]
    np.testing.assert_allclose(benjamini_hochberg(p)[known], expected)
    assert np.isnan(benjamini_hochberg(p)[~known]).all()


def test_groups_do_not_lend_each_other_anything() -> None:
    generator = np.random.default_rng(2)
    p = generator.random(60) ** 3
    p[5] = np.nan
    groups = generator.choice(np.array(["a", "b", "c"], dtype=object), 60)
    found = benjamini_hochberg(p, groups=groups)
    for name in "abc":
        np.testing.assert_allclose(found[groups == name], benjamini_hochberg(p[groups == name]))


@pytest.mark.parametrize("p", [[], [np.nan, np.nan]])
def test_nothing_tested_gives_no_q(p: list[float]) -> None:
    assert np.isnan(benjamini_hochberg(np.array(p))).all()
    decisions = verdicts(p, p)
    assert decisions.verdict.tolist() == ["insufficient"] * len(p)
    assert not decisions.is_claim.any()


def selected_and_rejected(family: list[str], p: np.ndarray, level: float) -> np.ndarray:
    """Benjamini & Bogomolov (2014) step by step at one level."""
    names = sorted(set(family))
    member = np.array([names.index(name) for name in family])
    simes = []
    for number in range(len(names)):
        inside = np.sort(p[member == number])
        simes.append((inside * len(inside) / np.arange(1, len(inside) + 1)).min())
    passed = multipletests(simes, alpha=level, method="fdr_bh")[0]
    rejected = np.zeros(len(p), dtype=bool)
    for number in np.flatnonzero(passed):
        inside = member == number
        at = level * passed.sum() / len(names)
        rejected[inside] = multipletests(p[inside], alpha=at, method="fdr_bh")[0]
    return rejected


@pytest.mark.parametrize("seed", range(6))
def test_families_are_those_of_benjamini_and_bogomolov(seed: int) -> None:
    generator = np.random.default_rng(seed)
    family = [f"family {number}" for number in range(8) for _ in range(10)]
    p = generator.random(80)
    p[:25] **= 6
    q = selective_q(np.array(family, dtype=object), p)
    for level in (0.005, 0.01, 0.05, 0.2):
        expected = selected_and_rejected(family, p, level)
        assert (q <= level).tolist() == expected.tolist()


def test_primary_family_has_four_fifths_of_the_level() -> None:
    family = np.array([PRIMARY] * 4 + ["volume|units"] * 4 + ["volume|orders"] * 4, dtype=object)
    p = np.array([0.001, 0.3, 0.5, 0.9, 0.0001, 0.3, 0.5, 0.9, 0.2, 0.3, 0.5, 0.9])
    on = np.ones(12, dtype=bool)
    found = decide_families(family, family == PRIMARY, p, np.full(12, 0.9), on, on)
    assert found.q[0] == pytest.approx(0.004 / 0.8)
    # Simes p .0004, times 2 families; within the family .0004 at 1 of 2 families selected.
    assert found.q[4] == pytest.approx(0.0004 * 2 / 0.2)
    alone = decide_families(family[:4], on[:4], p[:4], np.full(4, 0.9), on[:4], on[:4])
    assert alone.q[0] == pytest.approx(0.004)


def test_verdicts() -> None:
    p = [0.001, 0.001, 0.9, 0.1, 0.9, np.nan]
    reverse = [0.9, 0.001, 0.0001, 0.9, 0.9, np.nan]
    found = verdicts(p, reverse)
    assert found.verdict.tolist() == [
        "social_leads",
        "feedback",
        "sales_lead",
        "watchlist",
        "none",
        "insufficient",
    ]
    assert found.is_claim.tolist() == [True, True, True, False, False, False]


def test_a_lag_that_is_not_confirmed_claims_nothing() -> None:
    assert verdicts([0.001], [0.9], lag=False).verdict.tolist() == ["watchlist"]
    assert verdicts([0.9], [0.001], back=False).verdict.tolist() == ["none"]


def test_the_reverse_direction_blocks_a_lead_before_it_claims_itself() -> None:
    between = (SALES_LEAD_LEVEL + 0.05) / 2
    assert verdicts([0.9], [between]).verdict.tolist() == ["none"]
    assert verdicts([0.9], [SALES_LEAD_LEVEL / 2]).verdict.tolist() == ["sales_lead"]
    assert verdicts([0.001], [between], back=False).verdict.tolist() == ["watchlist"]


def test_a_shop_without_links_claims_one_in_twenty_times_a_direction() -> None:
    generator = np.random.default_rng(3)
    shops = np.repeat(np.arange(2000), 20)
    q = benjamini_hochberg(generator.random(40_000), groups=shops)
    share = (q <= 0.05).reshape(2000, 20).any(axis=1).mean()
    assert share == pytest.approx(0.05, abs=0.015)


def test_q_is_never_below_p_however_small_or_many() -> None:
    generator = np.random.default_rng(8)
    p = generator.random(4_000) ** 12  # down to 1e-40
    groups = generator.integers(0, 300, p.size)
    q = benjamini_hochberg(p, groups=groups)
    assert (q >= p).all()
    for group in range(0, 300, 37):
        inside = groups == group
        np.testing.assert_allclose(q[inside], benjamini_hochberg(p[inside]), rtol=1e-12)
    family = np.array([f"f{group}" for group in groups], dtype=object)
    flags = np.ones(p.size, dtype=bool)
    decided = decide_families(family, groups == 0, p, p[::-1], flags, flags)
    assert (decided.q >= p).all()
    assert (decided.reverse_q >= p[::-1]).all()
