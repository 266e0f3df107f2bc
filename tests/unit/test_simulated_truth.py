"""What was planted is in the data, and nothing else is."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from extract import simulated
from extract.base import Context, Product
from extract.simulated import Scenario, Settings
from extract.simulated.calendar import Clock
from extract.simulated.phrases import SOFTWARE_ASPECTS
from extract.simulated.world import World, make_worlds

SEEDS = (7, 11, 23, 31)
DAYS = 180
LAGS = range(-14, 15)


def catalogue() -> tuple[Product, ...]:
    return tuple(
        Product(
            f"product-{number}",
            f"Product {number}",
            "Brand",
            "AI chatbots",
            {"keyword": (f"product{number}",), "sku": (f"P-{number}",)},
        )
        for number in range(9)
    )


@cache
def worlds(seed: int, shop: str = "mixed") -> list[World]:
    settings = Settings(seed=seed, shop=shop)  # type: ignore[arg-type]
    clock = Clock(settings.start_date, "UTC")
    return make_worlds(settings, catalogue(), clock, DAYS)


def correlations(world: World) -> dict[int, float]:
    """Correlation of mood and log units by lag in days (> 0: mood first), both without weekday,
    trend, promotions and days that sell nothing."""
    mood, units = np.array(world.mood), np.array(world.units, dtype=float)
    days = np.arange(DAYS)
    start = Settings().start_date.toordinal()
    design = np.column_stack(
        [
            *(((start + days) % 7 == weekday).astype(float) for weekday in range(7)),
            days / DAYS,
            (days / DAYS) ** 2,
            [float(world.promotion_on(day) is not None) for day in range(DAYS)],
            [float(world.expected_units[day] == 0) for day in range(DAYS)],
        ]
    )

    def rest(values: np.ndarray) -> np.ndarray:
        return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]

    x, y = rest(mood), rest(np.log(units + 0.5))
    found = {}
    for lag in LAGS:
        earlier = x[max(0, -lag) : DAYS - max(0, lag)]
        later = y[max(0, lag) : DAYS - max(0, -lag)]
        found[lag] = float(np.corrcoef(earlier, later)[0, 1])
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_a_planted_lead_peaks_at_its_lag(seed: int) -> None:
    leading = [world for world in worlds(seed) if world.scenario.kind == "social_leads"]
    assert [world.scenario.lag_days for world in leading] == [2, 3, 5]
    for world in leading:
        by_lag = correlations(world)
        assert max(by_lag, key=lambda lag: abs(by_lag[lag])) == world.scenario.lag_days
        assert by_lag[world.scenario.lag_days or 0] > 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_sales_that_lead_peak_at_minus_their_lag(seed: int) -> None:
    (world,) = [world for world in worlds(seed) if world.scenario.kind == "sales_lead"]
    by_lag = correlations(world)
    assert max(by_lag, key=lambda lag: abs(by_lag[lag])) == -3
    assert by_lag[-3] > 0.4


def test_products_without_a_link_show_none() -> None:
    strongest = [
        max(abs(value) for value in correlations(world).values())
        for seed in SEEDS
        for shop in ("mixed", "none_all")
        for world in worlds(seed, shop)
        if world.scenario.kind in ("none", "seasonality", "intermittent")
    ]
    assert len(strongest) > 40
    # The largest of 29 null correlations of 180 days lies near .19; a planted one is beyond .4.
    assert float(np.median(strongest)) < 0.25
    assert max(strongest) < 0.42


def test_a_promotion_moves_both_at_once() -> None:
    for seed in SEEDS:
        (world,) = [world for world in worlds(seed) if world.scenario.kind == "promotion"]
        on = np.array([world.promotion_on(day) is not None for day in range(DAYS)])
        assert 15 <= on.sum() <= 45
        mood, units, posts = np.array(world.mood), np.array(world.units), np.array(world.posts)
        assert mood[on].mean() - mood[~on].mean() > 0.5
        assert units[on].mean() / units[~on].mean() > 1.4
        assert posts[on].mean() / posts[~on].mean() > 1.2


def test_latent_mood_has_the_unit_that_the_uplift_is_per() -> None:
    moods = [world.mood for seed in SEEDS for world in worlds(seed, "none_all")]
    assert np.std(moods) == pytest.approx(1.0, abs=0.08)
    assert np.mean(moods) == pytest.approx(0.0, abs=0.1)


def test_uplift_is_the_planted_one_per_standard_deviation() -> None:
    """Expected units divided by those of the same world without the link."""
    settings = Settings(scenarios={"product-0": Scenario(kind="none")})
    clock = Clock(settings.start_date, "UTC")
    (without,) = make_worlds(settings, catalogue()[:1], clock, DAYS)
    (linked,) = make_worlds(Settings(), catalogue()[:1], clock, DAYS)
    assert linked.mood == without.mood
    sold = [day for day in range(2, DAYS) if linked.expected_units[day] > 0]
    for day in sold:
        ratio = linked.expected_units[day] / without.expected_units[day]
        assert ratio == pytest.approx(1.25 ** linked.mood[day - 2])


def test_levels_are_those_of_a_shop() -> None:
    for seed in SEEDS:
        for world in worlds(seed):
            mean = np.mean(world.units)
            if world.scenario.kind == "intermittent":
                assert 1 < mean < 4
                assert world.units.count(0) > 10
            else:
                assert 12 < mean < 150
            assert 15 < np.mean(world.posts) < 50
            assert world.units == [
                0 if e == 0 else u for e, u in zip(world.expected_units, world.units, strict=True)
            ]


def test_counts_are_overdispersed() -> None:
    ratios = []
    for seed in SEEDS:
        for world in worlds(seed, "none_all"):
            expected, units = np.array(world.expected_units), np.array(world.units)
            sold = expected > 0
            ratios.append(np.mean((units[sold] - expected[sold]) ** 2 / expected[sold]))
    assert 1.5 < np.mean(ratios) < 5


def test_none_all_plants_nothing(tmp_path: Path) -> None:
    assert {world.scenario.kind for world in worlds(7, "none_all")} == {"none"}


def test_stock_outs_and_closed_days_sell_nothing_and_are_marked(tmp_path: Path) -> None:
    context = Context(
        run_id="run",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=catalogue(),
        root=tmp_path,
        truth_path=tmp_path / "truth.json",
    )
    settings = Settings(seed=11, days=75, posts_per_product_day=0, start_date=date(2026, 1, 5))
    windows: dict[str, dict[str, str]] = {}
    units: dict[tuple[str, str], int] = defaultdict(int)
    seen: set[str] = set()
    for page in simulated.pull(settings, {}, context):
        for record in page.records:
            payload = record.payload
            if record.stream == "storefront/calendar_events":
                windows[record.record_id] = payload
            elif record.stream == "shopify/orders" and not payload["test"]:
                if record.record_id in seen:
                    continue
                seen.add(record.record_id)
                for line in payload["lineItems"]["nodes"]:
                    units[line["sku"], payload["createdAt"][:10]] += line["quantity"]
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    kinds = {event["kind"] for event in windows.values()}
    assert kinds == {"promotion", "holiday", "stock_out", "closed"}
    sold_out = {
        (event["sku"], event["starts_on"], event["ends_on"])
        for event in windows.values()
        if event["kind"] == "stock_out"
    }
    closed = {event["starts_on"] for event in windows.values() if event["kind"] == "closed"}
    for number, one in enumerate(truth["products"]):
        daily = one["daily"]
        for on, sold, is_out in zip(
            daily["date"], daily["units"], daily["is_stock_out"], strict=True
        ):
            assert units[f"P-{number}", on] == sold
            covered = any(s == f"P-{number}" and a <= on <= b for s, a, b in sold_out)
            assert covered == is_out
            if is_out or on in closed:
                assert sold == 0


def test_mood_is_in_the_words_and_nowhere_else(tmp_path: Path) -> None:
    """Words of praise against words of blame follow the latent mood; engagement does not."""
    context = Context(
        run_id="run",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=catalogue()[:1],
        root=tmp_path,
        truth_path=tmp_path / "truth.json",
    )
    settings = Settings(days=90, scenarios={"product-0": "none"})  # type: ignore[dict-item]
    praise, blame = clauses("good"), clauses("bad")
    balance: dict[str, int] = defaultdict(int)
    likes: dict[str, list[int]] = defaultdict(list)
    for page in simulated.pull(settings, {}, context):
        for record in page.records:
            if record.stream == "x/posts" and len(record.payload["edit_history_post_ids"]) == 1:
                text = record.payload["text"]
                on = record.payload["created_at"][:10]
                balance[on] += bool(praise.search(text)) - bool(blame.search(text))
                likes[on].append(record.payload["public_metrics"]["like_count"])
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    daily = truth["products"][0]["daily"]
    mood = np.array(daily["mood"])
    words_by_day = np.array([balance[on] / len(likes[on]) for on in daily["date"]])
    likes_by_day = np.array([np.mean(np.log1p(likes[on])) for on in daily["date"]])
    assert np.corrcoef(mood, words_by_day)[0, 1] > 0.5
    assert abs(np.corrcoef(mood, likes_by_day)[0, 1]) < 0.3


def clauses(kind: str) -> re.Pattern[str]:
    """Matches what is said of an aspect, whatever fills its slots."""
    found = [clause for aspect in SOFTWARE_ASPECTS.values() for clause in aspect[kind]]
    return re.compile(
        "|".join(re.sub(r"\\{\w+\\}", ".{1,40}", re.escape(clause)) for clause in found),
        re.IGNORECASE,
    )


def test_the_demo_plants_every_scenario(repository: Path) -> None:
    path = repository / "dbt_project" / "seeds" / "products.csv"
    with path.open(encoding="utf-8", newline="") as file:
        ids = [row["product_id"] for row in csv.DictReader(file)]
    products = [Product(one, one, one, "tools", {"keyword": (one,), "sku": (one,)}) for one in ids]
    settings = Settings()
    found = make_worlds(settings, products, Clock(settings.start_date, "UTC"), 1)
    assert {world.scenario_name for world in found} == {
        "lead_2",
        "lead_3",
        "spread_5",
        "reverse_3",
        "promotion",
        "seasonality",
        "intermittent",
        "none",
    }
