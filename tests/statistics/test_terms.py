"""Emerging terms: the formula by hand, few false alarms, new words found."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from udfs.lead_lag.terms import Emerging, TermWeeks, find_emerging, log_odds

WEEKS_BEFORE = 8
FIRST_WEEK = 4
Floats = NDArray[np.float64]


def ordinary_talk(
    generator: np.random.Generator,
    *,
    authors: int = 1000,
    weeks: int = 24,
    vocabulary: int = 3000,
    dispersion: float = 0.1,
    drift: float = 0.0,
) -> tuple[Floats, Floats]:
    """Authors who used each term in each week (W, V), and authors of each week (W,)."""
    share = np.minimum(1.2 / np.arange(1, vocabulary + 1) ** 1.1, 0.5)
    steps = generator.standard_normal((weeks, vocabulary))
    rate = share * np.exp(drift * np.cumsum(steps, axis=0))
    if dispersion:
        rate = rate * generator.gamma(1 / dispersion, dispersion, rate.shape)
    total = generator.integers(int(0.7 * authors), int(1.3 * authors), weeks)
    return generator.binomial(total[:, None], np.minimum(rate, 0.95)).astype(float), total * 1.0


def term_weeks(counts: Floats, total: Floats) -> tuple[TermWeeks, NDArray[np.int64]]:
    """What int_topics__weekly_terms makes of them, with the number of each row's term."""
    columns: list[list[Floats]] = [[] for _ in range(7)]
    sizes = np.zeros(2)
    for week in range(FIRST_WEEK, len(total)):
        past = slice(max(0, week - WEEKS_BEFORE), week)
        is_known = counts[:week].sum(axis=0) >= 5
        sizes += is_known.sum(), (counts[: week + 1].sum(axis=0) > 0).sum() - is_known.sum()
        terms = np.flatnonzero(counts[week] >= 3)
        before = counts[past].sum(axis=0)[terms]
        same = np.ones(len(terms))
        row = (week * same, counts[week, terms], before, total[week] * same)
        rest = (total[past].sum() * same, 1.0 - is_known[terms], terms * same)
        for column, values in zip(columns, (*row, *rest), strict=True):
            column.append(values)
    laid = [np.concatenate(column) for column in columns]
    week_of, family, term = (laid[number].astype(np.int64) for number in (0, 5, 6))
    return TermWeeks(week_of, *laid[1:5], family, sizes[family]), term


def ratio_rule(terms: TermWeeks) -> NDArray[np.bool_]:
    """The usual rule: twice the share of the weeks before, and five authors."""
    share = terms.authors / terms.week_authors
    return (terms.authors >= 5) & (share >= 2 * terms.authors_before / terms.before_authors)


def rate(flags: NDArray[np.bool_], terms: TermWeeks) -> float:
    """Flags for each term and week, known or not."""
    return float(flags.sum() / sum(set(terms.family_size)))


def test_log_odds_are_those_of_the_paper_by_hand() -> None:
    """12 of 100 against 30 of 1,000, prior 4.2 of 110."""
    ratio, deviation = log_odds(
        np.array([12.0]),
        np.array([100.0]),
        np.array([30.0]),
        np.array([1000.0]),
        np.array([4.2]),
        np.array([110.0]),
    )
    week = math.log(16.2 / (210 - 16.2))
    before = math.log(34.2 / (1110 - 34.2))
    assert ratio[0] == pytest.approx(week - before, rel=1e-12)
    assert deviation[0] == pytest.approx(math.sqrt(1 / 16.2 + 1 / 34.2), rel=1e-12)


def test_the_prior_is_an_ordinary_week() -> None:
    found = find_emerging(
        TermWeeks(
            week=np.array([7]),
            authors=np.array([12.0]),
            authors_before=np.array([30.0]),
            week_authors=np.array([100.0]),
            before_authors=np.array([1000.0]),
            family=np.array([0]),
            family_size=np.array([50.0]),
        )
    )
    prior = 42 / 1100 * 100
    week = math.log((12 + prior) / (200 - 12 - prior))
    before = math.log((30 + prior) / (1100 - 30 - prior))
    deviation = math.sqrt(1 / (12 + prior) + 1 / (30 + prior) + 0.02)  # words vary a little
    assert found.z[0] == pytest.approx((week - before) / deviation, rel=1e-9)
    assert math.log(found.odds_ratio[0]) == pytest.approx(week - before, rel=1e-9)
    expected = 31 / 1000 * 100
    size = 1 / (0.02 + 1 / 31)
    tail = stats.nbinom.sf(11, size, size / (size + expected))
    assert found.p[0] == pytest.approx(tail, rel=1e-9)
    assert found.q[0] == pytest.approx(50 * tail, rel=1e-9)  # one row of fifty terms


ORDINARY = {
    "chance alone": {"dispersion": 0.0},
    "uneven weeks": {"dispersion": 0.2},
    "very uneven weeks": {"dispersion": 0.5},
    "drifting": {"dispersion": 0.1, "drift": 0.1},
    "a small shop": {"authors": 60},
    "a large one": {"authors": 20_000, "drift": 0.05},
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_talk_hardly_ever_emerges(kind: str) -> None:
    terms, _ = term_weeks(*ordinary_talk(np.random.default_rng(21), **ORDINARY[kind]))
    found = find_emerging(terms)
    assert rate(found.is_emerging, terms) < 0.0002
    assert rate(ratio_rule(terms), terms) > 0.0015


def planted(found: Emerging, terms: TermWeeks, term: NDArray[np.int64], week: int, at: int) -> int:
    rows = np.flatnonzero((terms.week == week) & (term == at))
    assert len(rows) == 1
    return int(rows[0])


def test_a_new_word_of_some_people_emerges_and_one_of_few_does_not() -> None:
    counts, total = ordinary_talk(np.random.default_rng(22))
    new, few, known = 2998, 2999, 40
    counts[:, [new, few]] = 0
    counts[15, new], counts[15, few] = 12, 4
    counts[:, few] += (np.arange(24) == 3) * 5.0  # known, and long ago
    counts[18, known] = 6 * counts[10:18, known].mean()
    terms, term = term_weeks(counts, total)
    found = find_emerging(terms)
    assert found.is_emerging[planted(found, terms, term, 15, new)]
    assert not found.is_emerging[planted(found, terms, term, 15, few)]
    assert found.is_emerging[planted(found, terms, term, 18, known)]
    assert found.is_emerging.sum() <= 4


def test_the_strongest_term_leads() -> None:
    """z ranks: as many authors say more of a word that nobody used before."""
    counts, total = ordinary_talk(np.random.default_rng(23))
    counts[:, 2999] = 0
    counts[15, 2999] = 40
    counts[7:15, 100] = 20
    counts[15, 100] = 40
    terms, term = term_weeks(counts, total)
    found = find_emerging(terms)
    new = found.z[planted(found, terms, term, 15, 2999)]
    known = found.z[planted(found, terms, term, 15, 100)]
    assert new > known > 1
    in_week = terms.week == 15
    assert np.nanmax(found.z[in_week]) == new


def test_a_week_without_weeks_before_is_not_tested() -> None:
    ones = np.ones(2)
    found = find_emerging(
        TermWeeks(
            np.zeros(2, np.int64),
            9 * ones,
            0 * ones,
            90 * ones,
            0 * ones,
            np.zeros(2, np.int64),
            ones,
        )
    )
    assert np.isnan(found.q).all()
    assert not found.is_emerging.any()
    empty, no_weeks = np.empty(0), np.empty(0, np.int64)
    none = find_emerging(TermWeeks(no_weeks, empty, empty, empty, empty, no_weeks, empty))
    assert none.q.shape == (0,)


def test_a_word_that_everybody_uses_is_no_error() -> None:
    ones = np.ones(1)
    found = find_emerging(
        TermWeeks(
            np.array([5]), 50 * ones, 400 * ones, 50 * ones, 400 * ones, np.array([0]), 9 * ones
        )
    )
    assert np.isfinite([found.z[0], found.p[0], found.odds_ratio[0]]).all()
    assert not found.is_emerging[0]
