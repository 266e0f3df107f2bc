"""The calibration bench: its bounds, what its shops hold, its table and its exit code."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.calibration import __main__ as bench
from benchmarks.calibration import catalogue, looks, real, usual
from benchmarks.calibration.bounds import Measure, lower_bound, median, rate, upper_bound
from benchmarks.calibration.cells import Cell, Size, seeds
from benchmarks.calibration.shops import (
    FAMILIES,
    MOOD_SD,
    Setting,
    Shops,
    last_days,
    simulate,
)

LAGS = range(1, 13)


def shops(seed: int = 1, products: int = 200, **settings: object) -> Shops:
    return simulate(replace(Setting(), **settings), products, np.random.default_rng(seed))  # type: ignore[arg-type]


# Bounds ----------------------------------------------------------------------------------------


def test_bounds_have_their_closed_forms() -> None:
    assert upper_bound(0, 20) == pytest.approx(1 - 0.05 ** (1 / 20))
    assert lower_bound(20, 20) == pytest.approx(0.05 ** (1 / 20))
    assert (lower_bound(0, 20), upper_bound(20, 20)) == (0.0, 1.0)
    assert (lower_bound(0, 0), upper_bound(0, 0)) == (0.0, 1.0)


@pytest.mark.parametrize("share", [0.01, 0.06, 0.3, 0.8])
def test_bounds_cover_at_least_as_often_as_they_say(share: float) -> None:
    hits = np.arange(61)
    chance = stats.binom.pmf(hits, 60, share)
    above = np.array([upper_bound(int(n), 60) >= share for n in hits])
    below = np.array([lower_bound(int(n), 60) <= share for n in hits])
    assert chance[above].sum() >= 0.95
    assert chance[below].sum() >= 0.95
    assert chance[above & below].sum() < 1  # bounds that hold everything hold nothing


@pytest.mark.parametrize(
    ("hits", "at_most", "at_least", "outcome"),
    [
        (5, 0.06, None, "holds"),
        (8, 0.06, None, "unclear"),
        (20, 0.06, None, "missed"),
        (90, None, 0.8, "holds"),
        (78, None, 0.8, "unclear"),
        (60, None, 0.8, "missed"),
        (60, None, None, ""),
    ],
)
def test_a_goal_is_missed_only_beyond_its_bound(
    hits: int, at_most: float | None, at_least: float | None, outcome: str
) -> None:
    assert rate("c", "m", hits, 100, at_most=at_most, at_least=at_least).outcome == outcome


def test_a_median_lies_between_its_bounds() -> None:
    values = np.random.default_rng(3).normal(1.0, 0.2, 400)
    low_line, high_line = median("c", "m", np.append(values, np.nan), between=(0.85, 1.10))
    assert low_line.n == 400
    assert low_line.low < low_line.value < low_line.high
    assert low_line.high - low_line.low < 0.06
    assert (low_line.outcome, high_line.outcome) == ("holds", "holds")
    assert median("c", "m", values + 0.5, between=(0.85, 1.10))[1].outcome == "missed"


# Shops -----------------------------------------------------------------------------------------


def log_sales(simulated: Shops) -> np.ndarray:
    """Log units less weekday and trend, with gaps at 0."""
    values = np.log1p(simulated.panel.outcome)
    days = np.arange(values.shape[1])
    design = np.column_stack([np.equal.outer(days % 7, np.arange(7)), days]).astype(float)
    rest = np.zeros_like(values)
    for row, y in enumerate(values):
        known = np.isfinite(y)
        fitted = design @ np.linalg.lstsq(design[known], y[known], rcond=None)[0]
        rest[row, known] = (y - fitted)[known]
    return rest


def mean_correlation(simulated: Shops, *, is_reverse: bool = False) -> np.ndarray:
    """Mean over products of the differenced correlation at each lag, aligned to nothing."""
    x = np.nan_to_num(simulated.panel.signal - np.nanmean(simulated.panel.signal, axis=1)[:, None])
    y = log_sales(simulated)
    if is_reverse:
        x, y = y, x
    found = [
        [np.corrcoef(a[:-lag], b[lag:])[0, 1] for lag in LAGS] for a, b in zip(x, y, strict=True)
    ]
    return np.array(found)


def test_the_same_seed_gives_the_same_shop() -> None:
    one, same, other = shops(seed=4), shops(seed=4), shops(seed=5)
    np.testing.assert_array_equal(one.panel.outcome, same.panel.outcome)
    assert (one.panel.outcome != other.panel.outcome).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_planted_lead_is_at_its_lag_and_nothing_else_is(family: str) -> None:
    planted = shops(family=family, kind="lead", effect=0.5, n_days=240)
    found = mean_correlation(planted)
    rows = np.arange(len(found))
    at_lag = found[rows, planted.planted.lag_days - 1]
    assert at_lag.mean() > 0.2
    assert np.mean(np.abs(found.argmax(axis=1) + 1 - planted.planted.lag_days) <= 1) > 0.7
    nothing = shops(family=family, n_days=240)
    assert abs(mean_correlation(nothing).mean()) < 0.02
    assert not nothing.planted.lead_weights.any()
    assert (nothing.planted.kind == "none").all()


def test_the_planted_effect_has_its_size() -> None:
    simulated = shops(products=400, kind="lead", effect=0.3, n_days=365, campaigns="none")
    np.testing.assert_allclose(np.median(simulated.planted.uplift), 0.3, atol=0.02)
    panel = simulated.panel
    slopes = []
    for row, lag in enumerate(simulated.planted.lag_days):
        x = panel.signal[row] - panel.signal[row].mean()
        slopes.append(
            np.cov(x[:-lag], np.log1p(panel.outcome[row, lag:]))[0, 1]
            / (x.var() - panel.signal_variance[row].mean())
        )
    # Per unit of the latent mood, whose irregular part has about SD 1 (times MOOD_SD).
    assert np.median(slopes) * MOOD_SD == pytest.approx(np.log(1.3), rel=0.15)


def test_sales_that_move_mood_do_so_in_that_direction() -> None:
    simulated = shops(kind="reverse", reverse_effect=0.7)
    forward, backward = mean_correlation(simulated), mean_correlation(simulated, is_reverse=True)
    assert backward.max(axis=1).mean() > 0.3 > 0.2 > forward.max(axis=1).mean()


def test_a_spread_effect_covers_neighbouring_days() -> None:
    weights = shops(kind="lead", effect=0.3, shape="spread").planted.lead_weights
    after = np.sort(weights, axis=1)[:, ::-1]
    assert ((after[:, 1] > 0.25 * after[:, 0]) & (after[:, 1] < 0.65 * after[:, 0])).all()


def test_a_shared_signal_is_one_for_a_shop() -> None:
    simulated = shops(products=40, is_shared=True)
    signal = simulated.panel.signal
    assert (signal[:20] == signal[0]).all()
    assert (signal[20:] == signal[20]).all()
    assert np.corrcoef(signal[0], signal[20])[0, 1] < 0.9
    assert abs(np.corrcoef(simulated.panel.outcome[:20])[0, 1:]).max() < 0.9


def test_a_messy_shop_has_what_the_others_lack() -> None:
    messy, plain = shops(family="messy", n_days=365).panel, shops(n_days=365).panel
    assert not np.isnan(plain.outcome).any()
    assert messy.stock_out.any()
    assert (~messy.is_open).any()
    assert np.isnan(messy.outcome[~messy.is_open]).all()
    missing = np.isnan(messy.outcome) & messy.is_open
    assert 0.01 < missing.mean() < 0.15
    starts = np.isfinite(messy.outcome).argmax(axis=1)
    assert starts.max() > 20  # windows of unequal length
    assert (np.nanmin(messy.outcome, axis=1) >= 0).all()


def test_an_earlier_look_sees_the_same_days() -> None:
    whole = shops(n_days=120)
    early = last_days(whole, 0, 100)
    assert early.panel.n_days == 100
    np.testing.assert_array_equal(early.panel.outcome, whole.panel.outcome[:, :100])


def test_the_usual_ways_find_links_where_none_are() -> None:
    panel = shops(products=150).panel
    assert usual.best_lag(panel).mean() > 0.6
    assert usual.same_day(panel).mean() > 0.06
    assert usual.first_differences(panel).mean() > 0.1
    assert usual.granger(panel, range(3)).shape == (3,)


def test_a_first_claim_is_made_at_the_first_look_or_after_28_days() -> None:
    lead, nothing, gap = "social_leads", "none", "insufficient"
    stories = {
        "first look": ([0.009] * 6, [lead] * 6, [0]),
        "later": ([0.02] + [0.005] * 5, [lead] * 6, [4, 5]),
        "too weak": ([0.02] * 6, [lead] * 6, []),
        "broken": (
            [0.02, 0.005, 1.0, 0.005, 0.005, 0.005],
            [lead] * 2 + [nothing] + [lead] * 3,
            [],
        ),
        "turned": ([0.02] + [0.005] * 5, [lead] * 3 + ["sales_lead"] * 3, []),
        "tested later": ([1.0, 1.0] + [0.009] * 4, [gap] * 2 + [lead] * 4, [2]),
    }
    strength = np.array([story[0] for story in stories.values()]).T
    verdict = np.array([story[1] for story in stories.values()]).T
    found = looks.claims(strength, verdict, 7)
    for column, (name, story) in enumerate(stories.items()):
        at = np.flatnonzero(found[:, column]).tolist()
        assert at[:1] == story[2][:1], name
        assert set(at) >= set(story[2]), name


# Real series -----------------------------------------------------------------------------------


def series(name: str, source: str, values: np.ndarray, first: date) -> real.Series:
    nothing = np.full(len(values), 0.01)
    return real.Series(name, source, first, values, nothing, nothing + 10, np.isfinite(values))


def test_pairs_keep_weekdays_and_never_share_a_source() -> None:
    generator = np.random.default_rng(1)
    first = date(2020, 1, 1)  # a Wednesday
    weekday = (np.arange(400) + first.weekday()) % 7
    sales = series("a", "shop", 100.0 + weekday, first)
    own = series("b", "shop", generator.standard_normal(400) + 100, first)
    mood = series("c", "elsewhere", weekday.astype(float), first)
    panel, _, _ = real.pair_up([sales], [own, mood], n_days=180, n_pairs=12, rng=generator)
    np.testing.assert_array_equal(panel.signal, np.tile(np.arange(180) % 7, (12, 1)))
    np.testing.assert_array_equal(panel.outcome, 100 + panel.signal)


def test_an_effect_is_planted_into_real_sales() -> None:
    generator = np.random.default_rng(2)
    first = date(2020, 1, 6)
    sales = series("a", "shop", np.full(400, 1000.0), first)
    mood = series("c", "elsewhere", generator.standard_normal(400), first)
    panel, log_effect, lags = real.pair_up(
        [sales], [mood], n_days=180, n_pairs=5, rng=generator, effect=0.2
    )
    for row, lag in enumerate(lags):
        x, y = panel.signal[row, :-lag], np.log(panel.outcome[row, lag:])
        slope = np.cov(x, y)[0, 1] / x.var() * panel.signal[row].std()
        assert slope == pytest.approx(log_effect[row], rel=0.12)
    assert np.isnan(panel.signal_variance).all()


@pytest.mark.shared
def test_real_series_are_read(shared: Path) -> None:
    data = shared / "data"
    sold = real.retail_units(data)
    assert len(sold) > 100
    assert all(not one.is_open.all() for one in sold)  # no Saturdays
    assert all(np.isnan(one.values[~one.is_open]).all() for one in sold)
    assert len(real.stock_volumes(data)) == 6
    moods = real.moods(data)
    assert {one.source for one in moods} >= {"stocknet", "steam", "fivethirtyeight"}
    assert all(np.isfinite(one.values).mean() >= 0.9 for one in moods)


# The command -----------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = bench.main(list(arguments))
    return code, capsys.readouterr().out


def test_every_simulated_cell_runs_quickly(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SOCIAL_SIGNALS_SHARED", raising=False)
    _, text = run(capsys, "--quick", "--output", str(tmp_path))
    assert catalogue.LEFT_OUT in text
    with (tmp_path / "calibration.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    listed, _ = catalogue.all_cells("")
    assert {row["cell"] for row in rows} == {cell.name for cell in listed}
    as_json = json.loads((tmp_path / "calibration.json").read_text(encoding="utf-8"))
    assert [each["name"] for each in as_json] == [row["name"] for row in rows]
    assert "NaN" not in (tmp_path / "calibration.json").read_text(encoding="utf-8")


def test_neither_processes_nor_company_change_a_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOCIAL_SIGNALS_SHARED", raising=False)

    def table(*arguments: str) -> list[str]:
        _, text = run(capsys, "--quick", *arguments)
        return [line for line in text.splitlines() if line.startswith("reverse-messy")]

    alone = table("--cell", "reverse-messy-*")
    assert alone
    assert alone == table("--cell", "reverse-*", "--jobs", "2")
    assert alone != table("--cell", "reverse-messy-*", "--seed", "2")


@pytest.mark.parametrize(("value", "code"), [(0.01, 0), (0.07, 0), (0.5, 1)])
def test_the_exit_code_is_that_of_a_goal_missed_beyond_its_bound(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, value: float, code: int
) -> None:
    def measure(cell: str, parts: list[object]) -> list[Measure]:
        return [rate(cell, "p < .05", int(100 * value), 100, at_most=0.06)]

    cell = Cell("made-up", lambda size: [lambda seed: seed], measure)
    monkeypatch.setattr(catalogue, "all_cells", lambda shared: ([cell], ""))
    found, text = run(capsys)
    assert found == code
    assert "made-up" in text


def test_seeds_differ_between_cells_and_tasks() -> None:
    assert len({*seeds(1, "a", 3), *seeds(1, "b", 3), *seeds(2, "a", 3)}) == 9
    assert Size().of(1200) == 1200
