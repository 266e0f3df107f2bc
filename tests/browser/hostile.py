"""A published file in which every text that comes from outside is an attack on the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from tests.fake_published import NINE, make_published

LONG = "Wort" * 2500
TURNED = "\u202eevil\u2066 \u200bhidden\u200f \ufeff\x00\x1b[31m red"
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(1)"> \'onmouseover=alert(1) x=\'',
    "</script></style></title></template><svg onload=alert(1)><a href=javascript:alert(1)>",
    "{{7*7}} ${7*7} {% raw %} <%= 7*7 %> %s {0} &lt;b&gt;",
    "]]><!--<svg><style><img src onerror=alert(1)>--> &#60;script&#62;",
    "x;} body{display:none} .card{background:url(https://example.com/a)}",
    "javascript:alert(1)//https://example.com/",
    f"{TURNED} name",
    f"{LONG} \U0001f600 Z\u0335\u0338" + "\u0335" * 400,
)
IDS = (
    "chatty", "<b>id</b>", "#main", "a b\"c'd", "../../etc", "main", "overview", "theme",
    "%3Cscript%3E",
)  # fmt: skip
URLS = (
    "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "file:///etc/passwd",
    "https://x.com.example.org/status/1", "//example.com/x", "https://x.com/\" onclick=\"alert(1)",
    "https://x.com/i/status/7", "https://x.com@example.com/", "vbscript:x",
)  # fmt: skip

TABLES = (
    """create or replace table marts.fct_posts (
        post_key varchar, post_id varchar, platform varchar, author_id varchar, text varchar,
        url varchar, engagement_count bigint, sentiment_label varchar, posted_date date,
        is_simulated boolean
    )""",
    "create or replace table marts.bridge_post_products (post_key varchar, product_id varchar)",
    """create or replace table marts.mart_review_themes (
        product_id varchar, theme_kind varchar, theme varchar, texts_count bigint,
        praise_count bigint, complaint_count bigint, share_low_ratio double,
        share_high_ratio double, is_simulated boolean
    )""",
    """create or replace table marts.mart_skill (
        product_id varchar, signal varchar, metric varchar, horizon_days integer, p_value double,
        q_value double, improvement_ratio double, is_predictive boolean, is_tested boolean,
        reason varchar, is_simulated boolean
    )""",
)


def make_hostile(file: Path, *, is_simulated: bool = True) -> Path:
    """Nine products, one for every attack, which stands in their names, cards, posts and themes.

    Simulated posts may be quoted; those of `is_simulated=False` only as far as the terms allow.
    """
    products = [
        replace(one, product_id=product_id, name=attack, missing=attack if one.missing else "")
        for one, product_id, attack in zip(NINE, IDS, ATTACKS, strict=True)
    ]
    make_published(file, products, days=120, is_simulated=is_simulated)
    with duckdb.connect(str(file)) as connection:
        for statement in TABLES:
            connection.execute(statement)
        for number, (product_id, attack, url) in enumerate(zip(IDS, ATTACKS, URLS, strict=True)):
            _attack(connection, number, product_id, attack, url, is_simulated)
    return file


def _attack(
    connection: duckdb.DuckDBPyConnection,
    number: int,
    product_id: str,
    attack: str,
    url: str,
    is_simulated: bool,
) -> None:
    def insert(table: str, *values: Any) -> None:
        marks = ", ".join("?" for _ in values)
        connection.execute(f"insert into marts.{table} values ({marks})", list(values))

    connection.execute(
        "update marts.dim_products set brand = $1, category = $1, url = $2 where product_id = $3",
        [attack, url, product_id],
    )
    connection.execute(
        "update marts.mart_insights set headline = $1, detail = $1, recommendation = $1,"
        " caveat = $1, look_reason = $1, evidence_sql = $1 where product_id = $2",
        [attack, product_id],
    )
    connection.execute(
        "update marts.mart_effect set percentage_reason = $1 where product_id = $2",
        [attack, product_id],
    )
    key, platform = f"post{number}", attack if number == 8 else "x"
    insert(
        "fct_posts", key, attack, platform, attack, f"Post: {attack}", url, 100 + number, attack,
        "2026-09-01", is_simulated,
    )  # fmt: skip
    insert("bridge_post_products", key, product_id)
    insert("mart_review_themes", product_id, attack, attack, 40, 12, 9, 0.1, 0.3, is_simulated)
    insert(
        "mart_skill", product_id, "sentiment_mean", "units", 7, 0.4, 0.6, 0.01, False, True, attack,
        is_simulated,
    )  # fmt: skip
