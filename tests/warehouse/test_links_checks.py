"""Skill, pooled effects, event uplift and the placebo audit as marts, on a shop with known links.

The tables that they read are written by the test: five products whose mood precedes sales by three
days, one without a link, one that sells too little to be tested alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.statistics.simulated_panels import simulated_panel
from tests.warehouse.dbt_builds import TinyProject, tiny_project
from udfs.dbt_links import pair_tests
from udfs.lead_lag.multiplicity import benjamini_hochberg

DAYS = 200
LINKED = ["l0", "l1", "l2", "l3", "l4"]
PRODUCTS = [*LINKED, "none", "small"]
CATEGORIES = ["things"] * 5 + ["other", "other"]
MODELS = ("skill", "pooled", "event_uplift", "placebo")
MARTS = ("mart_skill", "mart_pooled_effect", "mart_event_uplift", "mart_placebo_audit")

# One worker runs them all: the fixture takes seconds.
pytestmark = pytest.mark.xdist_group("links_checks")


def days_of_all() -> pa.Table:
    """One row per product and day."""
    linked = simulated_panel(1, 5, DAYS, uplift=0.3, promo_days=False)
    none = simulated_panel(2, 1, DAYS, promo_days=False)
    small = simulated_panel(3, 1, DAYS, units_per_day=2.0, promo_days=False)
    panels = (linked, none, small)
    day = np.arange(DAYS)
    promo = day % 30 >= 27
    generator = np.random.default_rng(4)
    units = np.concatenate([panel.outcome for panel in panels])
    units = np.where(promo, np.round(units * 1.5), units)
    posts = generator.poisson(40, units.shape)
    return pa.table(
        {
            "product_id": np.repeat(PRODUCTS, DAYS),
            "date_day": pa.array(np.tile(linked.dates, len(PRODUCTS)), pa.date32()),
            "mood": np.concatenate([panel.signal for panel in panels]).ravel(),
            "se": np.sqrt(np.concatenate([panel.signal_variance for panel in panels])).ravel(),
            "units": units.ravel(),
            "posts": posts.ravel(),
            "rating": (4 + 0.2 * generator.standard_normal(units.shape)).ravel(),
            "is_promo": np.tile(promo, len(PRODUCTS)),
        }
    )


def write_inputs(project: TinyProject) -> None:
    """Write the tables before the models under test."""
    with duckdb.connect(str(project.database)) as connection:
        connection.register("given", days_of_all())
        connection.register(
            "categories", pa.table({"product_id": PRODUCTS, "category": CATEGORIES})
        )
        connection.execute(
            """
            create schema marts;
            create schema intermediate;
            create table marts.dim_products as select * from categories;
            create table intermediate.int_daily__signals as
            select product_id, date_day, posts as posts_count, se as sentiment_se,
                se as net_sentiment_se, is_promo, false as is_holiday, false as is_stock_out
            from given;
            create table intermediate.int_daily__series as
            select product_id, s.series, s.series_role, date_day, true as is_expected,
                case s.series when 'units' then units when 'posts_count' then posts
                    when 'rating_mean' then rating else mood end as observed_value,
                case s.series when 'posts_count' then ln(1 + posts) else observed_value end
                    as scaled_value,
                case s.series when 'units' then 'log' when 'posts_count' then 'log'
                    else 'identity' end as value_scale
            from given
            cross join (values ('sentiment_mean', 'signal'), ('posts_count', 'signal'),
                ('units', 'outcome'), ('rating_mean', 'outcome')) as s(series, series_role);
            create table marts.mart_sufficiency as
            select product_id, signal, metric, true as is_simulated,
                case when product_id = 'small' then 'descriptive' else 'full' end as gate
            from categories
            cross join (values ('sentiment_mean'), ('posts_count')) as s(signal)
            cross join (values ('units'), ('rating_mean')) as m(metric);
            create table intermediate.int_links__testable as
            select product_id, signal, metric from marts.mart_sufficiency where gate = 'full';
            -- Five campaigns of the shop on days of promotions, two launches of one product.
            create table intermediate.int_calendar__events as
            select 'c' || promo_day as event_id, 'campaign' as event_kind,
                null::varchar as product_id, true as is_shop_wide, true as is_mapped,
                promo_day as starts_date, promo_day + 2 as ends_date
            from (select date_day as promo_day from given where product_id = 'none'
                and is_promo qualify row_number() over (order by date_day) % 3 = 1)
            union all
            select 'l' || n, 'launch', 'none', false, n < 2,
                (select min(date_day) from given) + 40 * (n + 1)::integer,
                (select min(date_day) from given) + 40 * (n + 1)::integer
            from range(3) as launches(n);
            create table intermediate.int_links__primary as
            select product_id, signal, metric from marts.mart_sufficiency
            where signal = 'sentiment_mean' and metric = 'units';
            """
        )
        tested = pair_tests(
            connection,
            series=connection.table("intermediate.int_daily__series"),
            daily_signals=connection.table("intermediate.int_daily__signals"),
            products=connection.table("marts.dim_products"),
            pairs=connection.table("intermediate.int_links__testable"),
        )
        connection.register("tested", tested)
        connection.execute("create table intermediate.int_links__tested as from tested")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    folder: Path = tmp_path_factory.mktemp("checks")
    project = tiny_project(folder / "target")
    write_inputs(project)
    models = [f"int_links__{name}" for name in MODELS]
    project.build("--select", *models, *MARTS)
    return project


def test_nothing_that_is_published_is_nan(shop: TinyProject) -> None:
    for mart in MARTS:
        columns = shop.query(
            "select column_name from duckdb_columns()"
            " where schema_name = 'marts' and table_name = ? and data_type = 'DOUBLE'",
            [mart],
        )
        for (column,) in columns:
            wrong = f"select count(*) from marts.{mart} where not isfinite({column})"
            assert shop.query(wrong) == [(0,)], (mart, column)


def test_skill_is_found_where_mood_precedes_sales(shop: TinyProject) -> None:
    rows = shop.query(
        "select product_id, is_tested, is_predictive, lag_days, improvement_ratio, reason"
        " from marts.mart_skill where signal = 'sentiment_mean' and metric = 'units'"
        " and horizon_days = 1 order by all"
    )
    assert [row[0] for row in rows] == [*LINKED, "none"]
    assert all(row[1] and row[5] is None for row in rows)  # every primary pair is tried
    linked = [row for row in rows if row[0] in LINKED]
    assert sum(row[2] for row in linked) >= 4
    assert all(row[3] in (2, 3, 4) and row[4] > 0.03 for row in linked if row[2])
    assert not rows[-1][2]
    week = shop.query(
        "select count(*), count(*) filter (is_predictive) from marts.mart_skill"
        " where signal = 'sentiment_mean' and metric = 'units' and horizon_days = 7"
    )
    assert week == [(6, 0)]


def test_pairs_without_a_lead_are_not_forecast_and_say_so(shop: TinyProject) -> None:
    rows = shop.query(
        "select is_tested, p_value, reason, count(*) from marts.mart_skill"
        " where signal = 'posts_count' and horizon_days = 1 and not is_tested group by all"
    )
    assert [row[:3] for row in rows] == [
        (False, None, "the lead test gives no ground to try a forecast")
    ]
    assert rows[0][3] >= 8
    assert shop.query("select count(*) from marts.mart_skill where product_id = 'small'") == [(0,)]


def test_categories_and_all_products_have_a_pooled_effect(shop: TinyProject) -> None:
    def pooled(category: str) -> dict[str, Any]:
        return shop.one(
            "select * from marts.mart_pooled_effect"
            " where category = ? and signal = 'sentiment_mean' and metric = 'units'",
            [category],
        )

    things, every, other = pooled("things"), pooled("all"), pooled("other")
    assert things["products_count"] == 5
    assert things["p_value"] < 1e-6
    assert things["lag_days"] == 3
    assert 0.15 < things["uplift_low_ratio"] < things["uplift_ratio"] < 0.4
    assert things["is_percentage_allowed"]
    # Sales too small to be tested alone count here.
    assert every["products_count"] == 7
    assert every["q_value"] < 0.001
    assert (other["is_tested"], other["reason"]) == (False, "2 of 3 products with enough days")
    assert shop.query(
        "select count(*) from marts.mart_pooled_effect where signal = 'posts_count'"
        " and p_value < 0.001"
    ) == [(0,)]


def test_event_days_are_told_apart_by_kind(shop: TinyProject) -> None:
    kinds = shop.query(
        "select event_kind, signal, window_days, count(*), count(*) filter (is_tested)"
        " from marts.mart_event_uplift where metric = 'units' group by all order by all"
    )
    # A campaign that comes with every promotion cannot be told apart from it.
    assert kinds.pop(0) == ("campaign", "calendar", 0, 6, 0)
    assert kinds.pop(2) == ("launch", "calendar", 3, 6, 0)
    assert shop.query(
        "select product_id, events_count, reason from marts.mart_event_uplift"
        " where event_kind = 'launch' and metric = 'units' and events_count > 0"
    ) == [("none", 2, "2 of 5 events needed")]
    assert kinds[:3] == [
        ("high_mood", "sentiment_mean", 3, 6, 6),
        ("holiday", "calendar", 0, 6, 0),
        ("low_mood", "sentiment_mean", 3, 6, 6),
    ]
    assert kinds[3] == ("promotion", "calendar", 0, 6, 6)
    assert kinds[4][:3] == ("volume_burst", "posts_count", 3)
    # Two kinds from one signal are one family: the larger p of both is corrected the least.
    p_and_q = shop.query(
        "select p_value, q_value from marts.mart_event_uplift"
        " where metric = 'units' and signal = 'sentiment_mean' and is_tested"
    )
    p, q = (np.array(column) for column in zip(*p_and_q, strict=True))
    assert q == pytest.approx(benjamini_hochberg(p, groups=np.zeros(len(p))))
    (high,), (low,), (promotion,) = (
        shop.query(
            "select median(uplift_ratio) from marts.mart_event_uplift"
            " where metric = 'units' and event_kind = ? and product_id <> 'none'",
            [kind],
        )[0]
        for kind in ("high_mood", "low_mood", "promotion")
    )
    assert high > 0.1
    assert low < -0.1
    assert promotion == pytest.approx(0.5, abs=0.15)
    assert shop.query(
        "select distinct reason from marts.mart_event_uplift where event_kind = 'holiday'"
    ) == [("0 of 5 events needed",)]


def test_the_audit_is_near_five_per_cent_in_spite_of_links(shop: TinyProject) -> None:
    rows = shop.query(
        "select tests_count + left_out_count, share_below_05_ratio, low, high, is_as_expected"
        " from marts.mart_placebo_audit order by signal, metric"
    )
    assert len(rows) == 4
    assert [row[0] for row in rows] == [30] * 4
    assert np.mean([row[1] for row in rows]) <= 0.12
    assert all(row[2] <= row[1] <= row[3] and row[4] for row in rows)
