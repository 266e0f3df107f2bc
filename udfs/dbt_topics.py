"""What the Python models about topics, anomalies and authors do with the warehouse's rows.

Only this module knows both DuckDB and `udfs.lead_lag`, which knows arrays alone. Rows are
aggregated by SQL before: what comes here are topic-days, author totals and daily series.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from udfs.lead_lag import bursts, influence, terms
from udfs.lead_lag.anomalies import Series, find_anomalies
from udfs.lead_lag.panel import BoolArray, DayArray, FloatArray, IntArray

_TAGS = ("hashtag", "cashtag", "catalogue_term")  # topics with a count on every day
_DAY = pa.date32()


def topic_bursts(
    session: duckdb.DuckDBPyConnection,
    *,
    counts: duckdb.DuckDBPyRelation,
    source_days: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Test the days of each topic against its own past.

    `counts`: int_topics__daily_counts; `source_days`: int_calendar__source_days. Topics that never
    had `bursts.MIN_AUTHORS` on one day cannot burst and are left out. Returns topic_kind, topic,
    date_day, expected_authors_count with the ends of its usual range, p_value, q_value, is_burst,
    for the days with any author.
    Memory: five numbers for each such topic and day.
    """
    reader = session.cursor()
    dates, is_observed = _social_days(reader, source_days)
    rows = reader.execute(
        f"""
        select topic_kind, topic, date_day, authors_count
        from ({counts.sql_query()})
        where topic_kind in {_TAGS}
        qualify max(authors_count) over (partition by topic_kind, topic) >= {bursts.MIN_AUTHORS}
        order by topic_kind, topic, date_day
        """
    ).to_arrow_table()
    topic = _first_of_groups(rows, ("topic_kind", "topic"))
    day = (_days(rows, "date_day") - dates[:1]).astype(np.int64) if rows.num_rows else topic
    authors = _numbers(rows, "authors_count")
    grid = np.where(is_observed, 0.0, np.nan) * np.ones((int(topic.max(initial=-1)) + 1, 1))
    grid[topic, day] = authors
    found = bursts.find_bursts(grid, dates)
    is_used = authors > 0
    picked = rows.filter(pa.array(is_used))
    at = (topic[is_used], day[is_used])
    low, high = bursts.usual_range(found.expected[at], found.size[at])
    return pa.table(
        {
            "topic_kind": picked["topic_kind"],
            "topic": picked["topic"],
            "date_day": picked["date_day"],
            "expected_authors_count": _published(found.expected[at]),
            "expected_low_authors_count": _published(low),
            "expected_high_authors_count": _published(high),
            "p_value": _published(found.p[at]),
            "q_value": _published(found.q[at]),
            "is_burst": pa.array(found.is_burst[at]),
        }
    )


def emerging_terms(session: duckdb.DuckDBPyConnection, weekly: duckdb.DuckDBPyRelation) -> pa.Table:
    """Test the terms of int_topics__weekly_terms against the weeks before.

    Returns topic_kind, topic, week_start_date, authors_count, expected_authors_count, odds_ratio,
    z_score, p_value, q_value, is_emerging.
    """
    rows = (
        session.cursor()
        .execute(f"select * from ({weekly.sql_query()}) order by week_start_date, topic")
        .to_arrow_table()
    )
    found = terms.find_emerging(
        terms.TermWeeks(
            week=_days(rows, "week_start_date").astype(np.int64),
            authors=_numbers(rows, "authors_count"),
            authors_before=_numbers(rows, "authors_before_count"),
            week_authors=_numbers(rows, "week_authors_count"),
            before_authors=_numbers(rows, "week_authors_before_count"),
            family=_numbers(rows, "is_known").astype(np.int64),
            family_size=_numbers(rows, "family_count"),
        )
    )
    return pa.table(
        {
            "topic_kind": rows["topic_kind"],
            "topic": rows["topic"],
            "week_start_date": rows["week_start_date"],
            "authors_count": rows["authors_count"],
            "expected_authors_count": _published(found.expected),
            "odds_ratio": _published(found.odds_ratio),
            "z_score": _published(found.z),
            "p_value": _published(found.p),
            "q_value": _published(found.q),
            "is_emerging": pa.array(found.is_emerging),
        }
    )


def author_influence(
    session: duckdb.DuckDBPyConnection, authors: duckdb.DuckDBPyRelation
) -> pa.Table:
    """Estimate what a post of each author of int_authors__engagement usually gets.

    Returns platform, author_id, tier_typical_engagement, typical_engagement,
    typical_engagement_low, typical_engagement_high, own_weight_ratio; null where a platform has
    too few authors. Authors without any known engagement are left out.
    """
    rows = (
        session.cursor()
        .execute(
            f"""
            select platform, author_id, engagement_posts_count, log_mean, log_square_sum,
                suspected_bot_posts_count = 0 as is_model,
                dense_rank() over (order by platform) - 1 as platform_number,
                dense_rank() over (
                    order by platform, coalesce(compared_tier, follower_tier)
                ) - 1 as tier_number,
            from ({authors.sql_query()})
            where engagement_posts_count > 0
            order by platform, author_id
            """
        )
        .to_arrow_table()
    )
    found = influence.shrink_authors(
        influence.Authors(
            platform=_numbers(rows, "platform_number").astype(np.int64),
            tier=_numbers(rows, "tier_number").astype(np.int64),
            posts=_numbers(rows, "engagement_posts_count"),
            log_mean=_numbers(rows, "log_mean"),
            log_square_sum=_numbers(rows, "log_square_sum"),
            is_model=_numbers(rows, "is_model").astype(np.bool_),
        )
    )
    return pa.table(
        {
            "platform": rows["platform"],
            "author_id": rows["author_id"],
            "tier_typical_engagement": _published(found.tier_typical),
            "typical_engagement": _published(found.typical),
            "typical_engagement_low": _published(found.low),
            "typical_engagement_high": _published(found.high),
            "own_weight_ratio": _published(found.own_weight),
        }
    )


def daily_anomalies(
    session: duckdb.DuckDBPyConnection, series: duckdb.DuckDBPyRelation
) -> pa.Table:
    """Judge every observed day of each series of int_daily__series that has enough of them.

    Returns product_id, metric, date_day, expected_scaled_value, robust_z, p_value, q_value,
    is_anomaly. The days of one metric, over all products, are corrected together; memory holds one
    metric at a time.
    """
    reader = session.cursor()
    source = f"({series.sql_query()})"
    names = reader.execute(f"select distinct series from {source} order by series").fetchall()
    parts = [_anomalies_of_metric(reader, source, name) for (name,) in names]
    schema = pa.schema(
        [
            ("product_id", pa.string()),
            ("metric", pa.string()),
            ("date_day", _DAY),
            ("expected_scaled_value", pa.float64()),
            ("robust_z", pa.float64()),
            ("p_value", pa.float64()),
            ("q_value", pa.float64()),
            ("is_anomaly", pa.bool_()),
        ]
    )
    return (
        pa.concat_tables([part.cast(schema) for part in parts]) if parts else schema.empty_table()
    )


def _anomalies_of_metric(reader: duckdb.DuckDBPyConnection, source: str, name: str) -> pa.Table:
    rows = reader.execute(
        f"""
        select product_id, date_day, scaled_value, is_promo, is_holiday, is_stock_out
        from {source}
        where series = ?
        order by product_id, date_day
        """,
        [name],
    ).to_arrow_table()
    product = _first_of_groups(rows, ("product_id",))
    days = _days(rows, "date_day")
    dates = np.arange(days.min(), days.max() + np.timedelta64(1, "D"))
    day = (days - days.min()).astype(np.int64)
    shape = (int(product.max()) + 1, len(dates))
    values = np.full(shape, np.nan)
    values[product, day] = _numbers(rows, "scaled_value")

    def flag(column: str) -> BoolArray:
        grid = np.zeros(shape, dtype=np.bool_)
        grid[product, day] = _numbers(rows, column) > 0
        return grid

    found = find_anomalies(
        Series(
            dates=dates,
            values=values,
            promo=flag("is_promo"),
            holiday=flag("is_holiday"),
            stock_out=flag("is_stock_out"),
            group=np.full(shape[0], name, dtype=object),
        )
    )
    is_judged = np.isfinite(found.q[product, day])
    at = (product[is_judged], day[is_judged])
    picked = rows.filter(pa.array(is_judged))
    return pa.table(
        {
            "product_id": picked["product_id"],
            "metric": pa.array([name] * picked.num_rows, pa.string()),
            "date_day": picked["date_day"],
            "expected_scaled_value": _published(found.expected[at]),
            "robust_z": _published(found.z[at]),
            "p_value": _published(found.p[at]),
            "q_value": _published(found.q[at]),
            "is_anomaly": pa.array(found.is_anomaly[at]),
        }
    )


def _social_days(
    reader: duckdb.DuckDBPyConnection, source_days: duckdb.DuckDBPyRelation
) -> tuple[DayArray, BoolArray]:
    """Return the days from the first to the last with posts, and whether each was observed."""
    rows = reader.execute(
        f"""
        select date_day, bool_or(is_observed) as is_observed
        from ({source_days.sql_query()})
        where side = 'social'
        group by date_day
        order by date_day
        """
    ).to_arrow_table()
    known = _days(rows, "date_day")
    if len(known) == 0:
        return known, np.zeros(0, dtype=np.bool_)
    dates = np.arange(known[0], known[-1] + np.timedelta64(1, "D"))
    is_observed = np.zeros(len(dates), dtype=np.bool_)
    is_observed[(known - known[0]).astype(np.int64)] = _numbers(rows, "is_observed") > 0
    return dates, is_observed


def _first_of_groups(rows: pa.Table, columns: Iterable[str]) -> IntArray:
    """Number the groups of rows that lie together, from 0, in their order; (M,)."""
    is_new = np.zeros(rows.num_rows, dtype=np.bool_)
    for column in columns:
        codes = rows[column].combine_chunks().dictionary_encode()
        values = np.asarray(codes.indices.to_numpy(zero_copy_only=False))
        is_new[1:] |= values[1:] != values[:-1]
    return np.asarray(np.cumsum(is_new), dtype=np.int64)


def _days(rows: pa.Table, column: str) -> DayArray:
    return np.asarray(rows[column].to_numpy(), dtype="datetime64[D]")


def _numbers(rows: pa.Table, column: str) -> FloatArray:
    """Return a column as float64 with NaN for null."""
    values: npt.NDArray[Any] = rows[column].to_numpy()
    return np.asarray(values, dtype=np.float64)


def _published(values: FloatArray) -> pa.Array:
    """Return numbers for a table: what is not finite is unknown, which is null."""
    return pa.array(values, type=pa.float64(), mask=~np.isfinite(values))
