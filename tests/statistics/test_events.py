"""What follows events: calibrated for events that are nothing, right for those that are planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from tests.statistics.simulated_panels import Array, simulated_panel
from udfs.dbt_link_checks import days_of
from udfs.lead_lag.events import event_uplift, signal_events, without_flag
from udfs.lead_lag.panel import Options, Panel


def rows_of_three(generator: np.random.Generator, shape: tuple[int, int], count: int) -> Array:
    """Events of three days in a row at random."""
    events = np.zeros(shape, dtype=bool)
    for start in generator.integers(0, shape[1] - 3, (count, shape[0])):
        for day in range(3):
            events[np.arange(shape[0]), start + day] = True
    return events


def sold_more(panel: Panel, days: Array, uplift: float) -> Panel:
    """The panel with sales of some days multiplied."""
    factor = np.where(days, 1 + uplift, 1.0)
    return replace(panel, outcome=np.round(panel.outcome * factor))


@pytest.mark.parametrize("more", [{}, {"buzz_of_sales": 0.6}, {"closed_sundays": True}])
@pytest.mark.parametrize("days", [120, 240])
def test_moods_without_a_link_are_followed_by_nothing(days: int, more: dict[str, float]) -> None:
    panel = simulated_panel(days, 250, days, **more)
    for threshold in (1.0, -1.0):
        found = event_uplift(panel, signal_events(panel, threshold))
        tested = found.is_tested
        assert tested.mean() > 0.95
        p = found.p[tested]
        # 5 %; three standard errors of 250 are 4 %.
        assert 0.005 <= np.mean(p < 0.05) <= 0.095
        outside = (found.uplift_low[tested] > 0) | (found.uplift_high[tested] < 0)
        np.testing.assert_array_equal(outside, p < 0.05)
        assert abs(np.median(found.uplift[tested])) < 0.02


def test_calendar_events_that_are_nothing_reject_as_often_as_they_should() -> None:
    generator = np.random.default_rng(1)
    panel = simulated_panel(1, 300, 180)
    events = rows_of_three(generator, (300, 180), 8)
    found = event_uplift(panel, events, window_days=0)
    assert 0.01 <= np.mean(found.p[found.is_tested] < 0.05) <= 0.09


def test_a_planted_event_is_estimated_and_covered() -> None:
    generator = np.random.default_rng(2)
    panel = simulated_panel(2, 200, 200)
    events = rows_of_three(generator, (200, 200), 9)
    found = event_uplift(sold_more(panel, events, 0.3), events, window_days=0)
    assert np.mean(found.p < 0.05) >= 0.9
    assert np.median(found.uplift) == pytest.approx(0.3, abs=0.02)
    covered = (found.uplift_low <= 0.3) & (found.uplift_high >= 0.3)
    assert covered.mean() >= 0.9


def test_the_window_is_the_days_after_and_not_the_day_itself() -> None:
    panel = simulated_panel(3, 100, 200, noise=0.05, units_per_day=500)
    events = np.zeros((100, 200), dtype=bool)
    events[:, 9::15] = True
    after = np.zeros_like(events)
    for day in (1, 2, 3):
        after[:, day:] |= events[:, :-day]
    found = event_uplift(sold_more(panel, after, 0.2), events)
    assert np.median(found.uplift) == pytest.approx(0.2, abs=0.015)
    assert found.n_events.tolist() == [13] * 100
    assert found.n_window_days.tolist() == [after[0].sum()] * 100
    assert found.n_other_days.tolist() == [200 - after[0].sum()] * 100
    # The day itself is no day of the window.
    of_day = event_uplift(sold_more(panel, events, 0.2), events)
    assert np.median(of_day.uplift) < 0.02


def test_promotions_are_measured_without_themselves_as_a_control() -> None:
    panel = simulated_panel(4, 60, 300)
    promo = np.zeros((60, 300), dtype=bool)
    for start in range(20, 280, 40):
        promo[:, start : start + 4] = True
    sold = replace(sold_more(panel, promo, 0.5), promo=promo)
    kept = event_uplift(sold, promo, window_days=0)
    assert not kept.is_tested.any()
    assert kept.reason[0] == "nothing is left to compare after weekday, season and promotions"
    found = event_uplift(without_flag(sold, "promo"), promo, window_days=0)
    assert np.median(found.uplift) == pytest.approx(0.5, abs=0.06)
    assert without_flag(sold, "holiday").promo.any()


def test_high_days_are_high_beyond_weekday_and_trend() -> None:
    panel = simulated_panel(5, 3, 210)
    day = np.arange(210)
    signal = panel.signal + 3.0 * (day % 7 == 2) + 0.05 * day
    high = signal_events(replace(panel, signal=signal), 1.0)
    low = signal_events(replace(panel, signal=signal), -1.0)
    np.testing.assert_array_equal(high, signal_events(panel, 1.0))
    assert not (high & low).any()
    assert 0.05 < high.mean() < 0.3
    assert 0.05 < high[:, day % 7 == 2].mean() < 0.35
    gone = signal.copy()
    gone[:, 50:60] = np.nan
    assert not signal_events(replace(panel, signal=gone), 1.0)[:, 50:60].any()
    assert not signal_events(replace(panel, signal=np.ones((3, 210))), 1.0).any()


def test_without_memory_it_is_a_regression_on_the_window() -> None:
    """White noise around a level: ordinary least squares with HC3 errors, of statsmodels."""
    generator = np.random.default_rng(6)
    panel = simulated_panel(6, 1, 160, promo_days=False)
    events = np.zeros((1, 160), dtype=bool)
    events[0, 7::12] = True
    rating = 4 + 0.2 * generator.standard_normal((1, 160))
    rated = replace(panel, outcome=rating, scale="identity")
    found = event_uplift(rated, events, options=Options(ar_order_max=1, days_per_cosine=10**6))
    window = np.zeros(160)
    for day in (1, 2, 3):
        window[day:] += events[0, :-day]
    weekday = rated.dates.astype("datetime64[D]").astype(int) % 7
    design = np.column_stack([window > 0, weekday[:, None] == np.arange(7), np.arange(160)]).astype(
        float
    )
    fitted = sm.OLS(rating[0] / rating.mean(), design).fit(cov_type="HC3")
    assert found.uplift[0] == pytest.approx(fitted.params[0], abs=2e-3)
    assert found.p[0] == pytest.approx(fitted.pvalues[0], abs=0.05)


def test_too_few_events_and_odd_series_have_a_reason() -> None:
    panel = simulated_panel(7, 5, 120)
    events = np.zeros((5, 120), dtype=bool)
    events[:, ::10] = True
    events[0] = False
    events[0, 50:58] = True
    outcome = panel.outcome.copy()
    outcome[1] = 3.0
    outcome[2, 30:] = np.nan
    events[3] = True
    found = event_uplift(replace(panel, outcome=outcome), events)
    assert found.reason.tolist() == [
        "1 of 5 events needed",
        "signal or outcome never changes",
        "30 of 90 days with both signal and outcome",
        "1 of 5 events needed",
        "",
    ]
    assert found.is_tested.tolist() == [False] * 4 + [True]
    assert np.isnan(found.uplift[:4]).all()


def test_spans_of_the_calendar_are_days_of_the_product_or_of_all() -> None:
    panel = simulated_panel(5, 2, 120)
    first = panel.dates[0]
    spans = [
        (panel.product_ids[1], first + 3, first + 4),
        (None, first - 2, first),
        ("another", first, first + 100),
        (panel.product_ids[0], first + 118, np.datetime64("9999-12-31")),
    ]
    days = days_of(spans, panel)
    assert [np.flatnonzero(row).tolist() for row in days] == [[0, 118, 119], [0, 3, 4]]


def test_what_follows_releases_is_found_and_nothing_where_nothing_was_planted() -> None:
    panel = simulated_panel(6, 2, 400, promo_days=False)
    releases = [int(day) for day in np.random.default_rng(3).choice(380, 14, replace=False)]
    outcome = panel.outcome.copy()
    for day in {day + step for day in releases for step in (1, 2, 3)}:
        outcome[0, day] *= 1.5
    spans = [(None, panel.dates[day], panel.dates[day]) for day in releases]
    changed = replace(panel, outcome=outcome)
    test = event_uplift(changed, days_of(spans, changed))
    assert test.is_tested.all()
    assert test.uplift[0] == pytest.approx(0.5, abs=0.2)
    assert test.p[0] < 0.001
    assert abs(test.uplift[1]) < 0.15
    assert test.p[1] > 0.01
