"""Which products are tested, and what is said of the others."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from tests.statistics.references import log_linear_shop, panel_of
from udfs.lead_lag.gates import judge, percentage
from udfs.lead_lag.links import test_links as run_tests
from udfs.lead_lag.multiplicity import decide
from udfs.lead_lag.panel import LinkTests, Options, Panel, build_panel


def shop(days: int, products: int = 2) -> Panel:
    return log_linear_shop(products, days, seed=days)


def checked(panel: Panel) -> LinkTests:
    """Test a panel; no number of a tested product may be infinite, or NaN where it cannot be."""
    tests = run_tests(panel)
    assert len(tests.p) == panel.n_products
    for field in fields(tests):
        values = getattr(tests, field.name)
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            assert not np.isinf(values).any(), field.name
    for name in ("p", "z", "reverse_p", "correlation", "null_band", "whitened_band"):
        assert np.isnan(getattr(tests, name)[~tests.is_tested]).all(), name
        assert not np.isnan(getattr(tests, name)[tests.is_tested]).any(), name
    assert (tests.reason[~tests.is_tested] != "").all()
    verdict = decide(tests).verdict
    assert (verdict[~tests.is_tested] == "insufficient").all()
    return tests


@pytest.mark.parametrize(
    ("days", "gate", "reason"),
    [
        (59, "insufficient", "59 of 90 days with both signal and outcome"),
        (60, "descriptive", "60 of 90 days: described, not tested"),
        (89, "descriptive", "89 of 90 days: described, not tested"),
        (90, "tested", ""),
        (179, "tested", ""),
        (180, "full", ""),
    ],
)
def test_days(days: int, gate: str, reason: str) -> None:
    tests = checked(shop(days))
    assert tests.gate.tolist() == [gate] * 2
    assert tests.reason.tolist() == [reason] * 2
    assert tests.n_days.tolist() == [days] * 2


def test_days_out_of_stock_count_as_days() -> None:
    panel = shop(92, 3)
    stock_out, outcome = panel.stock_out.copy(), panel.outcome.copy()
    stock_out[0, 50:53] = True
    stock_out[1, 30:70] = True
    outcome[2, 50:53] = np.nan
    tests = checked(replace(panel, stock_out=stock_out, outcome=outcome))
    assert tests.gate.tolist() == ["tested", "descriptive", "tested"]
    assert tests.n_days.tolist() == [89, 52, 89]
    assert tests.reason[1] == "in stock on only 52 of 92 days: described, not tested"


def test_volume() -> None:
    panel = shop(120, 3)
    posts, outcome = panel.posts.copy(), panel.outcome.copy()
    posts[[0, 2]] = 2.0
    outcome[1] = np.random.default_rng(1).poisson(2.5, 120)
    outcome[2] = outcome[1]
    tests = checked(replace(panel, posts=posts, outcome=outcome))
    assert tests.gate.tolist() == ["descriptive"] * 3
    assert tests.reason.tolist() == [
        "fewer than 3 posts a day: weekly or pooled",
        "fewer than 3 units a day: weekly or pooled",
        "fewer than 3 posts and fewer than 3 units a day: weekly or pooled",
    ]


def test_unknown_posts_are_not_few_posts() -> None:
    panel = shop(120)
    assert checked(replace(panel, posts=np.full_like(panel.posts, np.nan))).is_tested.all()


def test_missing_days_block_and_closed_days_do_not() -> None:
    panel = shop(210, 4)
    outcome, is_open = panel.outcome.copy(), panel.is_open.copy()
    stock_out = panel.stock_out.copy()
    outcome[0, 50:75] = np.nan  # 25 of 210
    outcome[1, 50:75] = np.nan
    is_open[1, 50:75] = False
    stock_out[2, 50:75] = True
    outcome[3, panel.dates.astype("datetime64[D]").astype(int) % 7 == 3] = np.nan  # no Sunday
    tests = checked(replace(panel, outcome=outcome, is_open=is_open, stock_out=stock_out))
    assert tests.gate.tolist() == ["blocked", "full", "full", "full"]
    assert tests.reason[0] == "25 of 210 open days are missing"
    assert tests.missing_day_ratio == pytest.approx([25 / 210, 0, 0, 0])
    assert tests.n_days.tolist() == [185, 185, 185, 180]


def test_windows_are_where_both_series_are() -> None:
    panel = shop(240, 3)
    signal, outcome = panel.signal.copy(), panel.outcome.copy()
    signal[0, :40] = np.nan
    outcome[0, 200:] = np.nan
    outcome[1] = np.nan
    gates = judge(replace(panel, signal=signal, outcome=outcome), Options())
    assert (gates.start[0], gates.length[0], gates.n_days[0]) == (40, 160, 160)
    assert gates.missing_day_ratio[0] == 0
    assert gates.reason[1] == "no day has both signal and outcome"
    recent = judge(panel, Options(last_days=100))
    assert (recent.start[2], recent.length[2]) == (140, 100)


@pytest.mark.parametrize("value", [0.0, 5.0, 1e12, np.nan, np.inf])
@pytest.mark.parametrize("name", ["signal", "outcome"])
def test_series_without_anything_in_them(name: str, value: float) -> None:
    panel = shop(120)
    tests = checked(replace(panel, **{name: np.full((2, 120), value)}))
    if np.isfinite(value):
        assert tests.reason.tolist() == ["signal or outcome never changes"] * 2
    else:
        assert tests.reason.tolist() == ["no day has both signal and outcome"] * 2


def test_a_series_of_weekdays_alone_is_blocked() -> None:
    panel = shop(120)
    day = np.arange(120)
    outcome = np.stack([3 + 10.0 * (day % 7), panel.outcome[1]])
    tests = checked(replace(panel, outcome=outcome))
    assert tests.gate.tolist() == ["blocked", "tested"]
    assert tests.reason[0].startswith("signal or outcome never changes")
    assert not tests.is_percentage_allowed[0]
    assert tests.percentage_reason[0] == tests.reason[0]


def test_odd_series_are_answered_without_a_warning() -> None:
    panel = shop(200, 9)
    day = np.arange(200)
    generator = np.random.default_rng(1)
    outcome, signal = panel.outcome.copy(), panel.signal.copy()
    promo, holiday = panel.promo.copy(), panel.holiday.copy()
    outcome[0] = np.where(day == 100, 5000.0, 0.0)
    outcome[1] = np.where(day % 2, outcome[1], 0.0)
    outcome[2] = 7 + day
    outcome[3] -= 20
    outcome[4] *= 1e12
    outcome[5, day % 7 == 2] = 0
    signal[6] = np.where(day == 50, 1.0, 0.0)
    signal[7] = generator.choice([-1.0, 1.0], 200)
    signal[8] = outcome[8]
    promo[:], holiday[:] = True, True
    tests = checked(replace(panel, outcome=outcome, signal=signal, promo=promo, holiday=holiday))
    assert tests.is_tested.all()
    checked(replace(panel, outcome=outcome, signal=signal, scale="identity"))


def test_no_product_and_no_day() -> None:
    panel = shop(120)
    assert checked(panel.select([])).product_ids == ()
    nothing = np.empty((0, 0))
    assert checked(panel_of(nothing, nothing)).p.shape == (0,)
    one = build_panel(
        ["a"], np.array(["2024-01-01"], "datetime64[D]"), {"signal": [1.0], "outcome": [3.0]}
    )
    assert checked(one).reason.tolist() == ["1 of 90 days with both signal and outcome"]
    no_days = np.empty((2, 0))
    assert checked(panel_of(no_days, no_days)).gate.tolist() == ["insufficient"] * 2


def test_percentages() -> None:
    panel = shop(120, 6)
    outcome = panel.outcome.copy()
    generator = np.random.default_rng(2)
    outcome[1] = generator.poisson(4.0, 120)
    outcome[2] = np.where(np.arange(120) % 3 == 0, 30.0 + np.arange(120), 0.0)
    outcome[3] -= np.quantile(outcome[3], 0.3)
    panel = replace(panel, outcome=outcome)
    gates = judge(panel, Options())
    reliability = np.array([0.9, 0.9, 0.9, 0.9, 0.31, np.nan])
    allowed, reason = percentage(panel, gates, reliability)
    assert allowed.tolist() == [True, False, False, False, False, True]
    assert reason[0] == ""
    assert reason[1].endswith("units a day: 5 needed")
    assert reason[2] == "sold on 33% of days: 50% needed"
    assert reason[3] == "values below 0 have no percentage"
    assert reason[4].startswith("reliability of the signal 0.31")


def test_ratings_may_be_small() -> None:
    panel = shop(120)
    rating = np.random.default_rng(4).normal(2.2, 0.2, (2, 120))
    tests = checked(replace(panel, outcome=rating, scale="identity"))
    assert tests.is_tested.all()
    assert tests.is_percentage_allowed.all()
    assert (checked(replace(panel, outcome=rating)).gate == "descriptive").all()
