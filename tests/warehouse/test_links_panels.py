"""From daily series of the warehouse to panels, and what goes back: nulls, curves, families."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from udfs.dbt_links import (
    CHECKS_SCHEMA,
    DECIDED_SCHEMA,
    TESTED_SCHEMA,
    pair_decisions,
    pair_tests,
    read_panels,
    stability_checks,
)
from udfs.lead_lag.multiplicity import CLAIM_LEVEL, FIRST_CLAIM_LEVEL, WATCH_LEVEL

DAYS = 200
PRODUCTS = ("early", "late", "refunds", "quiet")
CONFUSION = [[80, 15, 5], [20, 60, 20], [10, 20, 70]]


@pytest.fixture
def warehouse(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """Series of four products: `late` starts 100 days later, `refunds` goes below 0."""
    connection = duckdb.connect()
    generator = np.random.default_rng(5)
    mood = 0.1 * generator.standard_normal((len(PRODUCTS), DAYS))
    units = generator.poisson(40 * np.exp(np.roll(2.0 * mood, 3, axis=1))).astype(float)
    units[2, :30] = -5
    rows = [
        {
            "product_id": product,
            "date_day": date(2026, 1, 1) + timedelta(days=day),
            "mood": None if day % 50 == 7 else float(mood[number, day]),
            "units": float(units[number, day]),
            "is_sold": product != "late" or day >= 100,
        }
        for number, product in enumerate(PRODUCTS)
        for day in range(DAYS)
    ]
    connection.register("given", pa.Table.from_pylist(rows))
    connection.execute(
        """
        create table daily as
        select product_id, date_day, 20 as posts_count, 0.05 as sentiment_se,
            0.06 as net_sentiment_se, day(date_day) = 1 as is_promo, false as is_holiday,
            day(date_day) = 2 and product_id = 'early' as is_stock_out
        from given;
        create table series as
        select product_id, s.series, s.series_role, date_day,
            case s.series when 'units' then units when 'rating_mean' then 4 + mood
                when 'posts_count' then 20 + round(mood * 50) else mood end as observed_value,
            case s.series when 'posts_count' then sqrt(20 + round(mood * 50)) else observed_value
                end as scaled_value,
            case when s.series = 'units' and product_id <> 'refunds' then 'log'
                when s.series = 'posts_count' then 'sqrt' else 'identity' end as value_scale,
            s.series_role = 'signal' or isodow(date_day) <> 7 as is_expected
        from given
        cross join (values ('sentiment_mean', 'signal'), ('posts_count', 'signal'),
            ('units', 'outcome'), ('rating_mean', 'outcome')) as s(series, series_role)
        where is_sold or s.series <> 'units';
        create table products as
        select distinct product_id, case when product_id <> 'quiet' then 'things' end as category
        from given;
        create schema raw;
        create table raw.settings (key varchar, value varchar);
        """
    )
    (tmp_path / "model.json").write_text(
        json.dumps(
            {
                "labels": ["negative", "neutral", "positive"],
                "figures": {"tweeteval_val": {"confusion_matrix": CONFUSION}},
            }
        ),
        encoding="utf-8",
    )
    connection.execute(
        "insert into raw.settings values ('sentiment_model_dir', ?)", [str(tmp_path)]
    )
    return connection


Relation = duckdb.DuckDBPyRelation


def relations(connection: duckdb.DuckDBPyConnection) -> tuple[Relation, Relation, Relation]:
    return connection.table("series"), connection.table("daily"), connection.table("products")


def pairs(connection: duckdb.DuckDBPyConnection, metric: str) -> duckdb.DuckDBPyRelation:
    return connection.sql(
        f"select distinct product_id, 'sentiment_mean' as signal, '{metric}' as metric from daily"
    )


def test_a_panel_holds_the_overlap_of_both_series(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = {
        (signal, metric, panel.scale): panel
        for signal, metric, panel in read_panels(warehouse, *relations(warehouse))
    }
    assert set(found) == {
        ("sentiment_mean", "units", "auto"),
        ("sentiment_mean", "units", "identity"),
        ("posts_count", "units", "auto"),
        ("posts_count", "units", "identity"),
        ("sentiment_mean", "rating_mean", "identity"),
        ("posts_count", "rating_mean", "identity"),
    }
    panel = found["sentiment_mean", "units", "auto"]
    assert panel.product_ids == ("early", "late", "quiet")
    assert panel.categories == ("things", "things", None)
    assert panel.signal.shape == (3, DAYS)
    late = panel.product_ids.index("late")
    assert np.isnan(panel.signal[late, :100]).all()
    assert np.isnan(panel.posts[late, :100]).all()
    assert not panel.is_open[late, :100].any(), "days before it was sold are not missing"
    sundays = (panel.dates.astype(np.int64) + 3) % 7 == 6
    assert (panel.is_open[0] == ~sundays).all()
    assert np.isnan(panel.signal[0, 7])
    assert panel.outcome[0, 7] > 0
    assert panel.stock_out[0].sum() == 7
    assert not panel.stock_out[late].any()
    assert panel.signal_variance[0, 0] == pytest.approx(0.05**2)
    volume = found["posts_count", "units", "auto"]
    assert np.isnan(volume.signal_variance).all()
    assert np.nanmax(volume.signal) < 10, "counts are on their scale"


def test_chunks_of_products_give_the_same_rows(warehouse: duckdb.DuckDBPyConnection) -> None:
    def rows_of(products_per_chunk: int) -> dict[tuple[str, str, str], list[float]]:
        return {
            (signal, metric, product): np.nan_to_num(panel.signal[row], nan=-9).tolist()[-100:]
            for signal, metric, panel in read_panels(
                warehouse, *relations(warehouse), products_per_chunk=products_per_chunk
            )
            for row, product in enumerate(panel.product_ids)
        }

    assert rows_of(1) == rows_of(500)
    assert len(rows_of(1)) == 4 * len(PRODUCTS)


def test_only_the_wanted_pairs_are_read(warehouse: duckdb.DuckDBPyConnection) -> None:
    wanted = pairs(warehouse, "units").filter("product_id = 'quiet'")
    found = list(read_panels(warehouse, *relations(warehouse), pairs=wanted))
    assert [(signal, metric, panel.product_ids) for signal, metric, panel in found] == [
        ("sentiment_mean", "units", ("quiet",))
    ]
    assert not list(
        read_panels(warehouse, *relations(warehouse), pairs=wanted, metrics=["orders_count"])
    )


def test_tests_come_back_without_nan_and_with_their_curves(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    table = pair_tests(warehouse, *relations(warehouse), pairs=pairs(warehouse, "units"))
    assert table.schema.equals(TESTED_SCHEMA)
    rows = {row["product_id"]: row for row in table.to_pylist()}
    assert set(rows) == set(PRODUCTS)
    assert rows["early"]["lag_days"] == 3
    assert len(rows["early"]["whitened_correlations"]) == 29
    for column in table.columns:
        flat = column.combine_chunks()
        flat = flat.values if isinstance(flat, pa.ListArray) else flat
        if pa.types.is_floating(flat.type):
            assert np.isfinite(flat.drop_null().to_numpy()).all()
    # (.7 - .1 - .05 + .8) / 2
    assert rows["early"]["contraction_ratio"] == pytest.approx(0.675)


def test_a_mean_of_probabilities_is_corrected_by_their_means(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    shares = {0: (0.7, 0.2, 0.1), 1: (0.2, 0.6, 0.2), 2: (0.2, 0.3, 0.5)}
    warehouse.execute(
        "create table predictions (part text, gold int, p_negative float,"
        " p_neutral float, p_positive float)"
    )
    warehouse.executemany(
        "insert into predictions values ('tweeteval_val', ?, ?, ?, ?)",
        [(gold, *probabilities) for gold, probabilities in shares.items()],
    )
    warehouse.execute(f"copy predictions to '{tmp_path / 'predictions.parquet'}'")
    table = pair_tests(warehouse, *relations(warehouse), pairs=pairs(warehouse, "units"))
    # ((.5 - .2) - (.1 - .7)) / 2
    assert table.column("contraction_ratio")[0].as_py() == pytest.approx(0.45)


def test_a_model_without_a_matrix_corrects_nothing(
    warehouse: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    def contractions() -> set[float | None]:
        table = pair_tests(warehouse, *relations(warehouse), pairs=pairs(warehouse, "units"))
        return set(table.column("contraction_ratio").to_pylist())

    (tmp_path / "model.json").write_text("{}", encoding="utf-8")
    assert contractions() == {None}
    warehouse.execute("insert into raw.settings values ('sentiment_engine', 'hub:somebody/model')")
    warehouse.execute("delete from raw.settings where key = 'sentiment_model_dir'")
    assert contractions() == {None}


def test_the_primary_pairs_are_one_family(warehouse: duckdb.DuckDBPyConnection) -> None:
    every = pairs(warehouse, "units").union(pairs(warehouse, "rating_mean"))
    table = pair_tests(warehouse, *relations(warehouse), pairs=every)
    warehouse.register("arrow_tested", table)
    warehouse.execute("create table tested as from arrow_tested")
    primary = warehouse.sql(
        "select product_id, 'sentiment_mean' as signal,"
        " case when product_id = 'quiet' then 'rating_mean' else 'units' end as metric"
        " from products"
    )
    decided = pair_decisions(warehouse, tested=warehouse.table("tested"), primary=primary)
    assert decided.schema.equals(DECIDED_SCHEMA)
    found = {(row["product_id"], row["metric"]): row for row in decided.to_pylist()}
    assert {key for key, row in found.items() if row["family"] == "primary"} == {
        ("early", "units"),
        ("late", "units"),
        ("refunds", "units"),
        ("quiet", "rating_mean"),
    }
    assert found["quiet", "units"]["family"] == "sentiment_mean and units"
    assert found["early", "units"]["verdict"] == "social_leads"
    levels = {
        tuple(row[f"{name}_level"] for name in ("first_claim", "claim", "watch"))
        for row in found.values()
    }
    assert levels == {(FIRST_CLAIM_LEVEL, CLAIM_LEVEL, WATCH_LEVEL)}


def test_checks_of_other_posts_use_other_moods(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute(
        """
        create table decided as
        select product_id, 'sentiment_mean' as signal, 'units' as metric, true as is_claim,
            true as is_primary, verdict
        from (values ('early', 'social_leads'), ('quiet', 'sales_lead')) as v(product_id, verdict);
        create table variants as
        select product_id, date_day, 'posts of x only' as variant, 'platform' as variant_kind,
            12 as posts_count, observed_value as sentiment_mean, 0.05 as sentiment_se
        from series where series = 'sentiment_mean' and observed_value is not null
        union all
        select product_id, date_day, 'posts of y only', 'platform', 1, 0.1, null
        from series where series = 'sentiment_mean' and day(date_day) = 3
        """
    )
    table = stability_checks(
        warehouse,
        *relations(warehouse),
        decided=warehouse.table("decided"),
        variants=warehouse.table("variants"),
    )
    assert table.schema.equals(CHECKS_SCHEMA)
    every = table.to_pylist()
    rows = {row["check_name"]: row for row in every if row["product_id"] == "early"}
    assert rows["posts of x only"]["is_agreeing"] is True
    assert rows["posts of x only"]["check_kind"] == "platform"
    assert rows["posts of y only"]["is_agreeing"] is None, "a post a month is no series"
    assert rows["posts of y only"]["p_value"] is None
    # Where sales are said to lead, that direction is tested again.
    (follows,) = (
        row
        for row in every
        if (row["product_id"], row["check_name"]) == ("quiet", "posts of x only")
    )
    tests = pair_tests(warehouse, *relations(warehouse), pairs=pairs(warehouse, "units"))
    (quiet,) = tests.filter(pc.equal(tests.column("product_id"), "quiet")).to_pylist()
    assert follows["p_value"] == pytest.approx(quiet["reverse_p_value"], rel=0.2)
    assert follows["lag_days"] == quiet["reverse_lag_days"] != quiet["lag_days"]
    assert sum(row["check_kind"] == "method" for row in rows.values()) >= 5
