"""A green run over nothing is a failure that must be heard."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipeline.sufficiency import what_is_missing

BOTH = ("posts", "sales")


def published(folder: Path, *, days: int, posts: bool, sales: bool, metrics: int = 0) -> Path:
    file = folder / "published.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.fct_daily_signals as select date '2026-01-01' + cast(n as integer)"
            " as date_day, case when $posts then 5 end as posts_count,"
            " $posts as is_observed_social, $sales as is_observed_sales"
            " from range($days) as days (n)",
            {"days": days, "posts": posts, "sales": sales},
        )
        connection.execute(
            f"create table marts.fct_daily_metrics as select * from range({metrics})"
        )
    return file


def test_enough_of_both_misses_nothing(tmp_path: Path) -> None:
    assert what_is_missing(published(tmp_path, days=60, posts=True, sales=True), BOTH) == []


@pytest.mark.parametrize(
    ("posts", "sales", "metrics", "words"),
    [(False, True, 0, "No post"), (True, False, 0, "No sale"), (True, True, 0, "Only 59")],
)
def test_what_is_missing_is_said(
    tmp_path: Path, posts: bool, sales: bool, metrics: int, words: str
) -> None:
    file = published(tmp_path, days=59, posts=posts, sales=sales, metrics=metrics)
    (sentence,) = what_is_missing(file, BOTH)
    assert sentence.startswith(words)


def test_metrics_count_as_outcomes(tmp_path: Path) -> None:
    file = published(tmp_path, days=60, posts=True, sales=False, metrics=9)
    assert what_is_missing(file, BOTH) == []


def test_a_target_says_what_it_expects(tmp_path: Path) -> None:
    file = published(tmp_path, days=60, posts=False, sales=True)
    assert what_is_missing(file, ["sales"]) == []


def test_an_empty_file_misses_both(tmp_path: Path) -> None:
    assert len(what_is_missing(published(tmp_path, days=0, posts=False, sales=False), BOTH)) == 2


@pytest.mark.parametrize(
    ("skus", "currency", "words"),
    [
        (
            ["MUG", "CAP"],
            None,
            "2 articles were sold that no term of kind sku names, such as 'CAP'",
        ),
        ([], "EUR", "1 order lines are in EUR"),
        ([], None, "Check the SKUs"),
    ],
)
def test_it_says_why_no_sale_belongs_to_a_product(
    tmp_path: Path, skus: list[str], currency: str | None, words: str
) -> None:
    file = published(tmp_path, days=60, posts=True, sales=False)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create table marts.mart_unmapped_sales as select sku, null::varchar as item_name,"
            " row_number() over () as gross_sales from unnest($skus::varchar[]) as sold (sku)",
            {"skus": skus},
        )
        connection.execute(
            "create table marts.fct_order_lines as select $currency as currency,"
            " 'currency_without_rate' as exclusion_reason where $currency is not null",
            {"currency": currency},
        )
    (sentence,) = what_is_missing(file, ["sales"])
    assert words in sentence
