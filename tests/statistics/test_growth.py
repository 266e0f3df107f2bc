"""Growth between months: level, weekdays, missing days, and how often the interval holds it."""

from __future__ import annotations

import numpy as np
import pytest

from udfs.lead_lag.growth import MIN_DAYS, Change, compare_months
from udfs.lead_lag.panel import FloatArray, IntArray

JUNE, MAY = 30, 31
WEEK = np.array([1.0, 0.9, 1.0, 1.1, 1.5, 2.0, 0.2])


def months(
    generator: np.random.Generator,
    *,
    mean: float,
    alike: float = 0.0,
    spread: float = 0.0,
    growth: float = 0.0,
    series: int = 600,
) -> tuple[FloatArray, FloatArray, IntArray, IntArray]:
    """May and June of series whose level follows a log AR(1) around weekly demand."""
    count, warm_up = MAY + JUNE, 60
    noise = generator.normal(size=(series, warm_up + count))
    level = np.zeros_like(noise)
    for day in range(1, warm_up + count):
        level[:, day] = alike * level[:, day - 1] + np.sqrt(1 - alike**2) * noise[:, day]
    weekday = np.arange(count) % 7
    mood = np.exp(spread * level[:, warm_up:] - spread**2 / 2)
    grown = np.where(np.arange(count) >= MAY, 1 + growth, 1.0)
    demand = generator.poisson(mean * WEEK[weekday] * mood * grown).astype(float)
    return demand[:, MAY:], demand[:, :MAY], weekday[MAY:], weekday[:MAY]


def compare(current: FloatArray, base: FloatArray, days: IntArray, base_days: IntArray) -> Change:
    return compare_months(current, base, days, base_days, gap_days=0, is_count=True)


@pytest.mark.parametrize(
    ("mean", "alike", "spread", "growth"),
    [
        (50.0, 0.0, 0.0, 0.0),
        (50.0, 0.5, 0.3, 0.0),
        (50.0, 0.5, 0.3, 0.5),
        (50.0, 0.5, 0.3, -0.5),
        (0.2, 0.0, 0.0, 0.0),
        (2.0, 0.3, 0.5, 1.0),
    ],
)
def test_the_interval_holds_the_growth(
    mean: float, alike: float, spread: float, growth: float
) -> None:
    generator = np.random.default_rng(11)
    found = compare(*months(generator, mean=mean, alike=alike, spread=spread, growth=growth))
    told = np.isfinite(found.low)
    holds = (found.low <= growth) & (found.high >= growth)
    assert holds[told].mean() >= 0.93
    np.testing.assert_array_equal(
        (found.p < 0.05)[told], ((found.low > 0) | (found.high < 0))[told]
    )


def test_growth_of_a_third_is_seen() -> None:
    found = compare(*months(np.random.default_rng(3), mean=50, spread=0.2, growth=0.33))
    assert (found.low > 0).mean() > 0.95
    assert abs(np.median(found.ratio) - 0.33) < 0.01


def test_weekdays_and_missing_days_are_no_growth() -> None:
    """The same week all along is no change, whichever days of it were observed."""
    days, base_days = np.arange(30) % 7, (np.arange(31) + 4) % 7
    current, base = WEEK[days][None] * 10, WEEK[base_days][None] * 10
    current[0, 15:] = np.nan  # the month is not over
    base[0, 3:9] = np.nan
    found = compare(current, base, days, base_days)
    assert found.ratio[0] == pytest.approx(0.0, abs=1e-6)
    assert (found.days[0], found.base_days[0]) == (15, 25)
    doubled = compare(2 * current, base, days, base_days)
    assert doubled.ratio[0] == pytest.approx(1.0, abs=1e-6)


def test_what_cannot_be_compared_is_unknown() -> None:
    days = np.arange(30) % 7
    five = np.full((5, 30), 5.0)
    base = five.copy()
    base[0] = 0.0  # nothing to grow from
    base[1] = np.nan  # nothing observed
    base[2, MIN_DAYS - 1 :] = np.nan  # too few days: a change, and no interval
    current = five.copy()
    current[3] = 0.0  # nothing sold any more
    found = compare_months(current, base, days, days, gap_days=0, is_count=True)
    assert np.isnan(found.ratio).tolist() == [True, True, False, False, False]
    assert np.isnan(found.low).tolist() == [True, True, True, False, False]
    assert found.ratio[3] == -1.0
    assert found.low[3] == pytest.approx(-1.0)
    assert found.high[3] < 0
    assert found.low[4] < 0 < found.high[4]
    returned = five.copy()
    returned[:] = -1.0
    below = compare_months(returned, five, days, days, gap_days=0, is_count=False)
    assert np.isnan(below.ratio).all()


def test_money_is_free_of_its_unit() -> None:
    sold = months(np.random.default_rng(5), mean=20, spread=0.3)
    one = compare_months(*sold, gap_days=0, is_count=False)
    other = compare_months(
        100 * sold[0], 100 * sold[1], sold[2], sold[3], gap_days=0, is_count=False
    )
    np.testing.assert_allclose(one.low, other.low)
    np.testing.assert_allclose(one.p, other.p)


def test_months_apart_share_no_neighbours() -> None:
    """A jump between the last day of one year's month and the first of another's is no echo."""
    current, base, days, base_days = months(np.random.default_rng(8), mean=30, series=1)
    near = compare_months(current, base, days, base_days, gap_days=0, is_count=True)
    current[0, 0] += 60
    base[0, -1] += 60
    far = compare_months(current, base, days, base_days, gap_days=334, is_count=True)
    joined = compare_months(current, base, days, base_days, gap_days=0, is_count=True)
    assert np.isfinite(near.p[0])
    assert joined.high[0] - joined.low[0] > far.high[0] - far.low[0]
