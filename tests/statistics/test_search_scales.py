"""Windows of search interest on one scale: exact where it can be, within its error elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.simulated_search import (
    FIVE_YEARS,
    FloatArray,
    Site,
    chained,
    errors_of,
    history,
    windows,
)
from udfs.search_interest.scales import MIN_SHARED, Points, Scale, fit_scales

Answer = list[tuple[int, int, int, float]]  # series, first day, days, value


def points_of(answers: Sequence[Answer]) -> Points:
    rows = [(number, *row) for number, answer in enumerate(answers) for row in answer]
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    return Points(
        *[np.array(column, dtype=np.int64) for column in columns[:4]],
        np.array(columns[4], dtype=np.float64),
    )


def daily(first: int, values: Sequence[float], series: int = 0) -> Answer:
    return [(series, first + n, 1, float(value)) for n, value in enumerate(values)]


def by_answer(scales: Sequence[Scale], series: int = 0, length: int = 1) -> dict[int, Scale]:
    return {s.answer: s for s in scales if (s.series, s.length) == (series, length)}


def test_nothing_makes_nothing() -> None:
    assert fit_scales(points_of([])) == []


def test_one_answer_needs_no_scale() -> None:
    (scale,) = fit_scales(points_of([daily(0, [10, 100, 50])]))
    assert (scale.scale, scale.relative_se, scale.method) == (1.0, 0.0, "none")
    assert (scale.noise, scale.problem, scale.shared_points) == (None, None, 0)


def test_two_windows_have_the_ratio_of_what_they_share() -> None:
    first, second = [40, 50, 60, 80, 100], [30, 40, 50, 100]
    found = by_answer(fit_scales(points_of([daily(0, first), daily(2, second)])))
    assert found[0].scale / found[1].scale == pytest.approx(240 / 120, rel=0.02)
    assert {s.method for s in found.values()} == {"overlap"}
    assert {s.shared_points for s in found.values()} == {3}
    assert len({s.component for s in found.values()}) == 1
    assert 0 < found[0].relative_se < 0.1


def test_all_overlaps_count_at_once() -> None:
    """Three windows of which each two overlap: a wrong value in one overlap is outvoted."""
    level = np.linspace(20, 60, 30)
    a, b, c = daily(0, level[:20]), daily(5, level[5:25] / 2), daily(10, level[10:30] / 4)
    found = by_answer(fit_scales(points_of([a, b, c])))
    assert found[0].scale / found[2].scale == pytest.approx(4, rel=1e-6)
    assert found[0].scale / found[1].scale == pytest.approx(2, rel=1e-6)


def test_an_anchor_links_windows_that_share_no_day_of_the_term() -> None:
    """Term 0 in two windows apart; term 1 came along and was downloaded over all of it."""
    first = daily(0, [50] * 20) + daily(0, [20] * 20, series=1)
    second = daily(100, [25] * 20) + daily(100, [40] * 20, series=1)
    bridge = daily(0, [20] * 120, series=1)
    found = by_answer(fit_scales(points_of([first, second, bridge])))
    # The anchor is on one level throughout, so the second window shows everything twice as large.
    assert found[1].scale / found[0].scale == pytest.approx(2, rel=1e-3)
    assert {s.method for s in found.values()} == {"anchor"}
    assert {s.problem for s in found.values()} == {None}
    alone = by_answer(fit_scales(points_of([first[:20], second[:20]])))
    assert alone[0].component != alone[1].component
    assert {s.problem for s in alone.values()} == {"no_overlap"}


def test_weeks_link_windows_of_days() -> None:
    weekly = [(0, 7 * n, 7, 60.0 if n < 4 else 30.0) for n in range(8)]
    scales = fit_scales(points_of([daily(0, [90] * 28), daily(28, [90] * 28), weekly]))
    found = by_answer(scales)
    assert found[1].scale / found[0].scale == pytest.approx(2, rel=1e-3)
    assert {s.method for s in found.values()} == {"long_window"}
    (week,) = by_answer(scales, length=7).values()
    assert week.scale / found[0].scale == pytest.approx(60 / 90, rel=1e-3)


def test_a_week_with_a_missing_day_says_nothing() -> None:
    holed = [row for row in daily(0, [90] * 7) if row[1] != 3]
    scales = fit_scales(points_of([holed, [(0, 0, 7, 60.0)]]))
    assert len({s.component for s in scales}) == 2


@pytest.mark.parametrize("shared", [[0, 0, 0], [0.5, 0.5, 0.5], [1, 2, 1], [6, 6, 6]])
def test_an_overlap_near_nothing_glues_nothing(shared: list[float]) -> None:
    assert sum(shared) < MIN_SHARED
    first, second = [100, 80, *shared], [*shared, 90, 100]
    found = by_answer(fit_scales(points_of([daily(0, first), daily(2, second)])))
    assert found[0].component != found[1].component
    assert {s.problem for s in found.values()} == {"near_zero_overlap"}
    assert {s.scale for s in found.values()} == {1.0}
    assert {s.relative_se for s in found.values()} == {0.0}


def test_zeros_in_one_window_do_not_break_the_ratio() -> None:
    """What the second window shows as 0 the first shows as 1: expected, and left out."""
    generator = np.random.default_rng(4)
    truth = np.exp(generator.normal(3.0, 1.3, 400))
    whole = np.round(100 * truth[:300] / truth[:300].max())
    late = np.round(100 * truth[200:] / (3 * truth[200:].max()))
    found = by_answer(fit_scales(points_of([daily(0, whole), daily(200, late)])))
    expected = (1 / truth[:300].max()) / (1 / (3 * truth[200:].max()))
    error = np.log(found[0].scale / found[1].scale / expected)
    assert abs(error) < 4 * (found[0].relative_se + found[1].relative_se)
    assert abs(error) < 0.05


def test_the_order_of_points_and_answers_changes_nothing() -> None:
    points, _ = five_years(3, draws=1)
    order = np.random.default_rng(0).permutation(len(points.answer))
    shuffled = Points(
        points.answer[order],
        points.series[order],
        points.first_day[order],
        points.days[order],
        points.value[order],
    )
    first, again = fit_scales(points), fit_scales(shuffled)
    assert [s.answer for s in first] == [s.answer for s in again]
    assert [s.scale for s in first] == pytest.approx([s.scale for s in again], rel=1e-9)
    assert fit_scales(points) == first


def test_draws_tell_the_noise_of_sampling() -> None:
    generator = np.random.default_rng(1)
    mean = generator.uniform(30, 90, 2_000)
    answers = [daily(0, np.round(generator.normal(mean, np.sqrt(0.5 * mean)))) for _ in range(3)]
    found = by_answer(fit_scales(points_of(answers)))
    assert found[0].noise == pytest.approx(0.5, rel=0.1)
    exact = [daily(0, np.round(mean)) for _ in range(3)]
    noise = by_answer(fit_scales(points_of(exact)))[0].noise
    assert noise == pytest.approx(0.0, abs=1e-6)


def five_years(
    seed: int,
    *,
    draws: int = 2,
    overlap: int = 60,
    anchor: bool = False,
    weekly: bool = False,
    level: float = 0.02,
) -> tuple[Points, FloatArray]:
    """Downloads of five years of a term as points, and its true history."""
    generator = np.random.default_rng(seed)
    site = Site(
        {"term": history(generator, level=level), "anchor": history(generator)},
        generator=generator,
    )
    terms = ["term", "anchor"] if anchor else ["term"]
    answers: list[Answer] = []
    for first, last in windows(overlap=overlap):
        for _ in range(draws):
            values = site.values(terms, first, last)
            answers.append([row for s, v in enumerate(values) for row in daily(first, v, s)])
    if weekly:
        (values,) = site.values(["term"], 0, FIVE_YEARS, step=7)
        answers.append([(0, 7 * n, 7, float(v)) for n, v in enumerate(values)])
    return points_of(answers), site.histories["term"]


def stitched(points: Points) -> tuple[FloatArray, FloatArray, set[int]]:
    """Values and relative standard errors of series 0 by day, as int_search__stitched does."""
    scales = by_answer(fit_scales(points))
    chosen = (points.series == 0) & (points.days == 1)
    day, value = points.first_day[chosen], points.value[chosen]
    rows = [scales[int(answer)] for answer in points.answer[chosen]]
    scale = np.array([row.scale for row in rows])
    noise = np.array([row.noise or 0.0 for row in rows])
    rough = np.bincount(day, value, FIVE_YEARS) / np.bincount(day, scale, FIVE_YEARS)
    weight = scale**2 / (1 / 12 + noise * scale * rough[day])
    total = np.bincount(day, weight, FIVE_YEARS)
    found = np.bincount(day, weight * value / scale, FIVE_YEARS) / total
    of_scale = np.bincount(day, weight * [row.relative_se for row in rows], FIVE_YEARS) / total
    se = np.sqrt(1 / (total * np.maximum(found, 1e-9) ** 2) + of_scale**2)
    return found, se, {row.component for row in rows}


@pytest.mark.parametrize(
    ("options", "rmse", "drift"),
    [
        ({}, 0.13, 0.12),
        ({"anchor": True}, 0.13, 0.06),
        ({"weekly": True}, 0.13, 0.06),
        ({"weekly": True, "overlap": 0}, 0.13, 0.06),
    ],
    ids=["overlap", "anchor", "weekly", "weeks alone"],
)
def test_five_years_are_near_the_truth_and_within_their_error(
    options: dict[str, bool | int], rmse: float, drift: float
) -> None:
    drifts, coverages = [], []
    for seed in range(4):
        points, truth = five_years(seed, **options)  # type: ignore[arg-type]
        found, se, components = stitched(points)
        assert len(components) == 1
        errors = errors_of(truth, found, se)
        assert errors.rmse < rmse
        assert errors.correlation > 0.95
        drifts.append(errors.drift)
        coverages.append(errors.coverage)
    assert np.sqrt(np.mean(np.square(drifts))) < drift
    assert 0.92 <= np.mean(coverages) <= 0.99


def test_all_at_once_drifts_less_than_a_chain() -> None:
    """Draws, and an anchor beside the term, against windows chained by one draw's overlaps."""
    ours, naive = [], []
    for seed in range(6):
        points, truth = five_years(seed, overlap=30, anchor=True)
        found, _, _ = stitched(points)
        ours.append(errors_of(truth, found).drift)
        parts = []
        for answer in range(0, int(points.answer.max()) + 1, 2):
            own = (points.answer == answer) & (points.series == 0)
            parts.append((int(points.first_day[own][0]), points.value[own]))
        naive.append(errors_of(truth, chained(parts, FIVE_YEARS)).drift)
    assert np.std(ours) < 0.7 * np.std(naive)
