"""A target as odd as a user's first one: sparse, strange and oversized records in one real build.

Every data test of the project runs over it: what is odd is null or named, and stops nothing.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.analyst_aids import analyst_macros, table_descriptions
from pipeline.running import TEXT_COLUMNS
from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.warehouse.dbt_builds import TinyProject, dataset_post, reddit_submission, tiny_project
from warehouse.publishing import publish

HUGE = 9_223_372_036_854_775_807  # what a server may make up
AT = "2026-02-03T09:00:00Z"
SECRET = "zebraquill"  # a word that one person wrote
NAMES = ("alpha", "lonely", "never", "twin", "flat", "mute", "gone", "o'quote")
PRODUCTS = [
    {"product_id": name, "product_name": name, "brand": name, "category": f"c{number // 2}"}
    for number, name in enumerate(NAMES)
]
TERMS = [(name, name, "keyword") for name in NAMES]
TERMS += [(name, f"SKU-{name.upper()}", "sku") for name in NAMES]
EVENTS = (
    ("p1", "promo", "One", "alpha", "2026-01-05", "2026-01-20"),
    ("p2", "promo", "Two", "alpha", "2026-01-10", "2026-02-20"),
    ("far", "holiday", "Far", "", "2027-01-10", "2027-01-12"),
)


def post(number: str, text: str | None, **changes: Any) -> dict[str, Any]:
    return dataset_post(number, "") | {"text": text, "created_at": AT} | changes


def sale(line: str, sku: str | None, **changes: Any) -> dict[str, Any]:
    said = {"dataset": "till", "line_id": line, "order_id": line, "product_key": sku}
    return said | {
        "quantity": "1",
        "unit_price": "10.00",
        "currency": "USD",
        "sold_at": AT,
        **changes,
    }


def days(first: str, count: int) -> list[str]:
    return [str(date.fromisoformat(first) + timedelta(days=number)) for number in range(count)]


def posts() -> list[dict[str, Any]]:
    odd = [
        post("n1", None, author_id=None, created_at=None, language=None, platform=None),
        post("n2", "alpha", author_id=None, created_at="yesterday"),
        post("n3", "alpha \u0000 null", like_count=HUGE, reply_count=HUGE),
        post("n4", "alpha " + "w" * 10_000, created_at="2026-05-31T11:59:59Z"),
        post("n5", "\U0001f4a5\U0001f525", created_at="2031-01-01T00:00:00Z"),
        post("n6", "https://a.example/x"),
        post("n7", "مرحبا alpha \u202eevil", language="ar", created_at="2026-04-04T14:30:00Z"),
        post("n8", "the same words of alpha here", platform="reddit"),
        post("n9", "the same words of alpha here"),
    ]
    odd += [post("s", f"alpha {SECRET} is great", author_id="s", like_count=5_000)]
    odd += [post(f"m{day}", f"mute ist schlecht {day}", language="xx") for day in range(9)]
    odd += [post(f"u{n}", f"lonely is great {n}", author_id="one") for n in range(20)]
    odd += [
        post(f"f{day}", f"flat is great {day}", author_id=f"f{day}", created_at=f"{day}T09:00:00Z")
        for day in days("2026-01-01", 60)
    ]
    return odd


def sales() -> list[dict[str, Any]]:
    odd = [
        sale("fine", "SKU-ALPHA"),
        sale("price", "SKU-ALPHA", unit_price="900000000000", quantity="5"),
        sale("units", "SKU-ALPHA", quantity="900000000000000"),
        sale("nan", "SKU-ALPHA", unit_price="NaN"),
        sale("free", "SKU-ALPHA", unit_price="0"),
        sale("euro", "SKU-ALPHA", currency="EUR"),
        sale("unnamed", None, order_id=None),
        sale("never", "SKU-ALPHA", sold_at=None),
        sale("early", "SKU-TWIN", sold_at="2025-06-04T14:30:00Z"),
    ]
    odd += [
        sale(f"g{day}", "SKU-GONE", quantity="-1", kind="return", sold_at=f"{day}T05:30:00Z")
        for day in days("2026-03-01", 5)
    ]
    odd += [
        sale(f"f{day}", "SKU-FLAT", sold_at=f"{day}T09:00:00Z") for day in days("2026-01-01", 60)
    ]
    return odd


def metric(day: str, value: str | None) -> dict[str, Any]:
    said = {"dataset": "till", "product_key": "SKU-ALPHA", "metric": "visits", "date": day}
    return said | {"value": value}


def interest(term: str, day: str, value: str, request: str) -> dict[str, Any]:
    said = {"term": term, "geo": "US", "date": day, "value": value, "resolution": "day"}
    return said | {"draw": "0", "request": request}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("odd") / "target",
        products=PRODUCTS,
        terms=TERMS,
        events=EVENTS,
        settings={
            "business_timezone": "Pacific/Auckland",
            "cutoff_at": "2026-05-31T11:59:59Z",
            "is_simulated": "false",
            "publish_texts": "false",
        },
        checkpoint=make_tiny_checkpoint(tmp_path_factory.mktemp("model")),
    )

    def land(source: str, stream: str, payloads: list[dict[str, Any]]) -> None:
        at = "2026-06-01T10:00:00Z"
        project.land(source, stream, payloads, fetched_at=at, is_simulated=False)

    land("datasets", "posts", posts())
    empty = {"selftext": None, "author": None, "score": None, "created_utc": None}
    told = {"selftext": f"alpha {SECRET}", "permalink": f"/r/a/comments/said/alpha_{SECRET}/"}
    land(
        "reddit",
        "submissions",
        [
            reddit_submission("r", "", **empty),
            reddit_submission("said", f"alpha {SECRET}", **told, created_utc=1770109200),
        ],
    )
    land("datasets", "sales", sales())
    values = ("NaN", "inf", "1e308", "1e308", None)
    land(
        "datasets",
        "metrics",
        [metric(d, v) for d, v in zip(days("2026-01-05", 5), values, strict=True)],
    )
    zeros = [interest("twin", day, "0", "z") for day in days("2026-01-01", 30)]
    apart = [interest("flat", day, "100", "a") for day in days("2026-01-01", 20)]
    apart += [interest("flat", day, "3", "b") for day in days("2026-04-01", 20)]
    once = [interest("alpha", "2026-01-05", "50", "o"), interest("alpha", "2026-01-06", "NaN", "n")]
    land("google_trends", "interest", zeros + apart + once)
    stars = [
        {"dataset": "r", "review_id": str(n), "platform": "shop", "product_key": "SKU-ALPHA"}
        | {"rating": 1, "rating_scale": 5, "body": "the battery is bad", "created_at": AT}
        for n in range(5)
    ]
    stars[0] |= {"body": f"the battery is bad {SECRET}", "title": SECRET}
    land("datasets", "reviews", stars)
    with duckdb.connect(str(project.database)) as connection:
        connection.execute(
            "insert into raw.rejects by name select 'x' as source, 'posts' as stream, "
            f"'a.jsonl' as source_file, 1 as line_no, '{{{SECRET}' as text, 1 as load_id, "
            f"'no date: \"it''s {SECRET}\" [{SECRET} of a page]' as reason, "
            f"timestamptz '{AT}' as loaded_at"
        )
    project.build()
    return project


def test_no_published_number_is_nan_or_infinite(odd: TinyProject) -> None:
    columns = odd.query(
        "select schema_name || '.' || table_name, column_name from duckdb_columns()"
        " where schema_name in ('marts', 'intermediate') and data_type in ('DOUBLE', 'FLOAT')"
    )
    assert len(columns) > 100
    for table, column in columns:
        found = odd.query(f'select count(*) from {table} where not isfinite("{column}")')
        assert found == [(0,)], (table, column)


def test_without_a_label_there_is_no_mood_and_no_interval(odd: TinyProject) -> None:
    rows = odd.query(
        "select distinct net_sentiment_low, net_sentiment_high, net_sentiment_corrected_low,"
        " net_sentiment_corrected_high from marts.mart_brand_sentiment where net_sentiment is null"
    )
    assert rows == [(None, None, None, None)]


def test_what_is_too_large_is_named_or_unknown(odd: TinyProject) -> None:
    lines = odd.query(
        "select order_line_id, exclusion_reason, gross_sales is null from marts.fct_order_lines"
        " where order_line_id in ('till|price', 'till|units', 'till|euro') order by 1"
    )
    assert lines == [
        ("till|euro", "currency_without_rate", False),
        ("till|price", "amount_too_large", True),
        ("till|units", "quantity_unreadable", True),
    ]
    counts = odd.query(
        "select like_count, engagement_count from marts.fct_posts where post_id = 'n3'"
    )
    assert counts == [(None, None)]


def test_a_file_without_texts_holds_no_word_of_them(odd: TinyProject, tmp_path: Path) -> None:
    file = tmp_path / "published.duckdb"
    publish(
        odd.database,
        file,
        without_text_columns=TEXT_COLUMNS,
        descriptions=table_descriptions(),
        macros=analyst_macros(),
    )

    def found(database: Path) -> list[tuple[str, str]]:
        with duckdb.connect(str(database), read_only=True) as connection:
            columns = connection.execute(
                "select schema_name || '.' || table_name, column_name from duckdb_columns()"
                " where not internal and not regexp_matches(data_type, '^(DOUBLE|BIGINT|BOOLEAN"
                "|INTEGER|DATE|TIMESTAMP.*|DECIMAL.*)$')"
            ).fetchall()
            return [
                (table, column)
                for table, column in columns
                if connection.execute(
                    f"select count(*) from {table}"
                    f" where contains(lower(cast(\"{column}\" as varchar)), '{SECRET}')"
                ).fetchall()
                != [(0,)]
            ]

    assert len(found(odd.database)) > 8, "raw, staging and intermediate tables hold it"
    assert found(file) == []
    assert SECRET.encode() not in file.read_bytes()
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute(
            "select url from marts.fct_posts where post_id = 't3_said'"
        ).fetchall() == [("https://www.reddit.com/r/a/comments/said/_/",)]
