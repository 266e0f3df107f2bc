"""A small published file with the marts that charts and insights read, without a build."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from tests import fake_topics
from tests.fake_founders import FOUNDERS, founders_rows
from tests.fake_links import add_links

SIGNALS = """
create table marts.fct_daily_signals (
    product_id varchar, date_day date, posts_count bigint, authors_count bigint,
    sentiment_mean double, sentiment_sd double, sentiment_se double, net_sentiment double,
    engagement_count bigint, share_of_voice_ratio double, units bigint, net_sales decimal(18, 2),
    orders_count bigint, reviews_count bigint, rating_mean double, search_interest double,
    is_promo boolean, is_holiday boolean, is_stock_out boolean, is_open boolean,
    is_observed_social boolean, is_observed_sales boolean, is_partial_day boolean,
    is_simulated boolean
)
"""
LAGS = """
create table marts.mart_lag_correlation (
    product_id varchar, signal varchar, metric varchar, lag_days bigint, correlation double,
    n_days bigint, n_eff double, t_value double, p_value double, p_sidak double, q_value double,
    null_low double, null_high double, is_peak boolean, screen_verdict varchar, is_simulated boolean
)
"""
SUFFICIENCY = """
create table marts.mart_sufficiency (
    product_id varchar, signal varchar, metric varchar, gate varchar, reason varchar,
    days_observed bigint, days_needed bigint, missing_day_ratio double, posts_per_day double,
    units_per_day double, what_is_missing varchar, is_percentage_allowed boolean,
    is_simulated boolean
)
"""
INSIGHTS = """
create table marts.mart_insights (
    insight_id varchar, product_id varchar, signal varchar, metric varchar, verdict varchar,
    headline varchar, detail varchar, recommendation varchar, caveat varchar, lag_days integer,
    uplift_ratio double, uplift_low_ratio double, uplift_high_ratio double, q_value double,
    reverse_q_value double, n_days bigint, look_status varchar, look_reason varchar,
    first_claimed_date date, evidence json, evidence_sql varchar, data_hash varchar,
    model_revision varchar, is_primary boolean, is_simulated boolean
)
"""
LEAD_LAG = """
create table marts.mart_lead_lag (
    product_id varchar, signal varchar, metric varchar, verdict varchar, gate varchar,
    reason varchar, family varchar, products_tested bigint, n_days bigint, lag_days integer,
    width_days integer, p_value double, q_value double, reverse_lag_days integer,
    reverse_p_value double, reverse_q_value double, is_claim boolean, is_primary boolean,
    is_simulated boolean
)
"""
EFFECT = """
create table marts.mart_effect (
    product_id varchar, signal varchar, metric varchar, verdict varchar, lag_days integer,
    width_days integer, uplift_ratio double, uplift_low_ratio double, uplift_high_ratio double,
    minimum_detectable_effect_ratio double, reliability_ratio double, signal_sd double,
    n_days bigint, is_percentage_allowed boolean, percentage_reason varchar, is_simulated boolean
)
"""
STABILITY = """
create table marts.mart_link_stability (
    product_id varchar, signal varchar, metric varchar, check_name varchar, agrees boolean,
    stability_ratio double, is_simulated boolean
)
"""
TABLES = (SIGNALS, LAGS, SUFFICIENCY, INSIGHTS, LEAD_LAG, EFFECT, STABILITY)
OTHERS = (
    """create table marts.dim_products (
        product_id varchar, product_name varchar, brand varchar, category varchar, url varchar
    )""",
    """create table marts.fct_daily_metrics (
        product_id varchar, date_day date, metric varchar, value double, unit varchar,
        source varchar, is_simulated boolean
    )""",
    "create table marts.fct_posts (post_key varchar, platform varchar, is_simulated boolean)",
)


@dataclass(frozen=True)
class Planted:
    """A product of the fake file. `metric` puts its outcome into the long metrics, not in units.

    `lag` is above 0 where the mood comes first; `verdict` is that of the card and of the test.
    """

    product_id: str
    name: str
    level: float = 30.0
    posts: int = 24
    lag: int | None = None
    strength: float = 0.0
    verdict: str = "none"
    gate: str = "full"
    missing: str = ""
    metric: str | None = None


NINE = (
    Planted("chatty", "Chatty", 64, 31, 3, 0.34, "social_leads"),
    Planted("pixelmind", "PixelMind Pro", 12.5, 22, 1, 0.24, "watchlist"),
    Planted("checkout", "One-Tap Checkout", 210, 45, -2, 0.29, "sales_lead"),
    Planted("numbers", "Number Cruncher", 30, 25),
    Planted("dash", "Dashboardly", 8, 26),
    Planted("insighter", "Insighter", 95, 24),
    Planted("cart", "CartWhisper", 41, 27),
    Planted("fraud", "FraudShield", 3.2, 25),
    Planted(
        "young", "Young & New", 22, 25, None, 0.0, "insufficient", "insufficient",
        "74 of 90 days with both mood and sales",
    ),
)  # fmt: skip

# Names from outside at their worst.
NASTY = (
    Planted("money", "Pro$duct $\\frac{1}{2}$ <b>_x^2", 30, 20, 3, 0.5, "watchlist"),
    Planted("chinese", "小米手机"),
    Planted("wide", "W" * 300),
    Planted("arabic", "قهوة عربية"),
    Planted("marks", "Z̷̢̧̛͔͕͖a̴l̶g̷o"),
    Planted("control", "line\nbreak\x1b[31m\u202e"),
    Planted("empty", ""),
    Planted(
        "young", "Young & New", 1e7, 1, None, 0.0, "insufficient", "insufficient",
        "only 74 of 90 days have both mood and sales, " * 6,
    ),
)  # fmt: skip


def make_published(
    file: Path,
    products: Sequence[Planted] = NINE,
    *,
    days: int = 180,
    first: date = date(2026, 5, 26),
    is_simulated: bool = True,
    closed_weekdays: Sequence[int] = (),
    seed: int = 0,
) -> Path:
    """Write the file: random series, one promotion, one stock-out, one gap, curves as planted."""
    file.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    connection = duckdb.connect(str(file))
    connection.execute("create schema marts")
    for statement in (*TABLES, *FOUNDERS, *OTHERS):
        connection.execute(statement)
    connection.execute(
        "insert into marts.fct_posts values ('x:1','x',?),('r:1','reddit',?)",
        [is_simulated, is_simulated],
    )
    signals: list[tuple[Any, ...]] = []
    metrics: list[tuple[Any, ...]] = []
    growth: list[tuple[Any, ...]] = []
    themes: list[tuple[Any, ...]] = []
    for number, product in enumerate(products):
        rows, long = _days(product, number, random, days, first, is_simulated, closed_weekdays)
        signals += rows
        metrics += long
        months, texts = founders_rows(product, number, days, first, is_simulated=is_simulated)
        growth += months
        themes += texts
        connection.execute(
            "insert into marts.dim_products values (?, ?, 'brand', 'category', null)",
            [product.product_id, product.name],
        )
        _screen(connection, product, random, days, is_simulated)
    insert_rows(connection, "fct_daily_signals", signals)
    insert_rows(connection, "fct_daily_metrics", metrics)
    insert_rows(connection, "mart_growth_metrics", growth)
    insert_rows(connection, "mart_review_themes", themes)
    add_links(connection, products, days, is_simulated)
    for statement in fake_topics.STATEMENTS:
        connection.execute(statement)
    spoken = fake_topics.fill(products, days=days, first=first, is_simulated=is_simulated)
    for table, rows in spoken.items():
        insert_rows(connection, table, rows)
    connection.close()
    return file


def insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """One statement for all rows: executemany takes a second for every thousand."""
    if not rows:
        return
    text = ["(" + ", ".join(_literal(value) for value in row) + ")" for row in rows]
    connection.execute(f"insert into marts.{table} values {', '.join(text)}")


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"'{value}'::double" if isinstance(value, float) else str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    return "'" + str(value).replace("'", "''") + "'"


def _days(
    product: Planted,
    number: int,
    random: np.random.Generator,
    days: int,
    first: date,
    is_simulated: bool,
    closed_weekdays: Sequence[int],
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    mood = np.zeros(days)
    shocks = random.normal(0, 0.05, days)
    for day in range(days):
        mood[day] = 0.8 * (mood[day - 1] if day else 0.0) + shocks[day]
    mood += random.uniform(-0.05, 0.25)
    rows, metrics = [], []
    for day in range(days):
        date_day = first + timedelta(days=day)
        is_open = date_day.isoweekday() not in closed_weekdays
        is_promo = number % 2 == 0 and days > 100 and 60 <= day < 70
        is_stock_out = number % 4 == 1 and days > 100 and 100 <= day < 108
        is_gap = number % 3 == 2 and days > 100 and 120 <= day < 132
        weekly = 1 + 0.25 * math.sin(2 * math.pi * day / 7)
        mean = product.level * weekly * (1.6 if is_promo else 0.05 if is_stock_out else 1.0)
        units = int(random.poisson(mean)) if is_open and not is_gap else None
        posts = 0 if is_gap else int(random.poisson(product.posts))
        score = float(np.clip(mood[day] + random.normal(0, 0.04), -1, 1)) if posts else None
        error = 0.5 / math.sqrt(posts) if posts > 1 else None
        sales = None if product.metric else units
        if product.metric and units is not None:
            metrics.append(
                (product.product_id, date_day, product.metric, units * 1e4 + 0.5, None, "datasets",
                 is_simulated)
            )  # fmt: skip
        rows.append(
            (product.product_id, date_day, posts, posts, score, 0.5 if error else None, error,
             score, posts * 3, 1 / 9, sales, None if sales is None else sales * 9.5, sales, None,
             None, None, is_promo, False, is_stock_out, is_open, not is_gap,
             is_open and not is_gap and not product.metric, False, is_simulated)
        )  # fmt: skip
    return rows, metrics


def _screen(
    connection: duckdb.DuckDBPyConnection,
    product: Planted,
    random: np.random.Generator,
    days: int,
    is_simulated: bool,
) -> None:
    metric = product.metric or "units"
    pair = (product.product_id, "sentiment_mean", metric)
    is_tested = product.gate in {"tested", "full", "descriptive"}
    band = 3.1 / math.sqrt(max(days * 0.8, 10))
    values = random.normal(0, band / 3.4, 29)
    if product.lag is not None:
        distance = np.abs(np.arange(-14, 15) - product.lag)
        values += product.strength * np.exp(-distance / 1.2)
        peak = product.lag + 14
    else:
        peak = int(np.argmax(np.abs(values)))
    rows = []
    for index, lag in enumerate(range(-14, 15)):
        width = band * math.sqrt(days / max(days - abs(lag), 1))
        rows.append(
            (*pair, lag, float(values[index]) if is_tested else None, days - abs(lag), days * 0.8,
             2.0 if is_tested else None, 0.05 if is_tested else None,
             0.01 if is_tested else None, 0.61 if product.verdict == "none" else 0.04,
             -width if is_tested else None, width if is_tested else None,
             index == peak and is_tested, _screened(product.verdict), is_simulated)
        )  # fmt: skip
    insert_rows(connection, "mart_lag_correlation", rows)
    missing = product.missing
    insert_rows(
        connection,
        "mart_sufficiency",
        [(*pair, product.gate, missing or "enough days", days, 90, 0.0, float(product.posts),
          product.level, missing, product.gate == "full", is_simulated)],
    )  # fmt: skip
    _claims(connection, product, pair, days, is_simulated)


def _screened(verdict: str) -> str:
    """What the screen alone may say where the test says more."""
    return verdict if verdict in {"none", "watchlist", "insufficient"} else "watchlist"


def _claims(
    connection: duckdb.DuckDBPyConnection,
    product: Planted,
    pair: tuple[str, str, str],
    days: int,
    is_simulated: bool,
) -> None:
    verdict = product.verdict
    is_tested = product.gate in {"tested", "full"}
    is_claim = verdict in {"social_leads", "sales_lead", "feedback"}
    q = 0.61 if verdict == "none" else 0.12 if verdict == "watchlist" else 0.004
    q_value, reverse_q = (0.61, q) if verdict == "sales_lead" else (q, 0.7)
    lag = product.lag if verdict != "none" else None
    uplift = (0.2, 0.12, 0.31) if verdict in {"social_leads", "feedback"} else (None,) * 3
    first = date(2026, 10, 1) if is_claim else None
    status = "claimed" if is_claim else "insufficient" if not is_tested else "none"
    insert_rows(
        connection,
        "mart_insights",
        [(f"{product.product_id}:{pair[2]}", *pair, verdict,
          f"Screen of {product.product_id}", "Detail in words.", "Collect more days.",
          "An untracked campaign would look the same.", lag, *uplift,
          q_value if is_tested else None, reverse_q if is_tested else None,
          days if is_tested else None, status, f"{status} at this look", first and str(first),
          json.dumps({"lag_days": product.lag}), None, "0f1e2d", "abc123", True, is_simulated)],
    )  # fmt: skip
    missing = product.missing
    insert_rows(
        connection,
        "mart_lead_lag",
        [(*pair, verdict, product.gate, missing or "enough days", "mood", 8,
          days if is_tested else 0, abs(product.lag or 5) if is_tested else None,
          1 if is_tested else None, 0.001 if is_tested else None, q_value if is_tested else None,
          abs(product.lag or 2) if is_tested else None, 0.3 if is_tested else None,
          reverse_q if is_tested else None, is_claim, True, is_simulated)],
    )  # fmt: skip
    if is_tested:
        insert_rows(
            connection,
            "mart_effect",
            [(*pair, verdict, abs(product.lag or 5), 1, 0.2, 0.12, 0.31, 0.14, 0.72, 0.11, days,
              True, None, is_simulated)],
        )  # fmt: skip
