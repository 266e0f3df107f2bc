"""Whether the published file holds enough to relate anything at all."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

FEWEST_DAYS = 60
"""Below this no relation is even described (the gates of mart_sufficiency)."""

_COUNTS = """
    select
        count(*) filter (where coalesce(posts_count, 0) > 0) as post_days,
        count(*) filter (where is_observed_sales) as sales_days,
        count(distinct date_day) filter (where is_observed_social or is_observed_sales) as days,
        (select count(*) from marts.fct_daily_metrics) as metric_days
    from marts.fct_daily_signals
"""

_TABLES = "select table_name from duckdb_tables() where schema_name = 'marts'"
_UNMAPPED = """
    select count(*), max_by(coalesce(sku, item_name, ''), gross_sales)
    from marts.mart_unmapped_sales
"""
_WITHOUT_RATE = """
    select count(*) as line_count, currency
    from marts.fct_order_lines
    where exclusion_reason = 'currency_without_rate'
    group by currency
    order by line_count desc, currency
    limit 1
"""


def what_is_missing(published: Path, expects: Collection[str]) -> list[str]:
    """One sentence with a remedy for each thing that a target expects and does not hold."""
    with duckdb.connect(str(published), read_only=True) as connection:
        ((post_days, sales_days, days, metric_days),) = connection.execute(_COUNTS).fetchall()
    missing = []
    if "posts" in expects and not post_days:
        missing.append(
            "No post mentions a tracked product. Check the terms of the catalogue and the "
            'sources; a target without posts sets target.expects = ["sales"].'
        )
    if "sales" in expects and not sales_days and not metric_days:
        missing.append("No sale or metric belongs to a tracked product. " + _why_no_sale(published))
    if not missing and days < FEWEST_DAYS:
        missing.append(
            f"Only {days} of at least {FEWEST_DAYS} days of data: no relationship is claimed. "
            "Collect more days or load older ones."
        )
    return missing


def _why_no_sale(published: Path) -> str:
    """What to do about it: name a currency's rate, map what was sold, or look at the sources."""
    with duckdb.connect(str(published), read_only=True) as connection:
        tables = {name for (name,) in connection.execute(_TABLES).fetchall()}
        rates = connection.execute(_WITHOUT_RATE).fetchall() if "fct_order_lines" in tables else []
        unmapped = (
            connection.execute(_UNMAPPED).fetchall() if "mart_unmapped_sales" in tables else []
        )
    for articles, example in unmapped:
        if articles:
            return (
                f"{articles:,} articles were sold that no term of kind sku names, such as "
                f"{example!r}: mart_unmapped_sales lists them with the term to add to terms.csv."
            )
    if rates:
        ((lines, currency),) = rates
        return (
            f"{lines:,} order lines are in {currency}, for which there is no rate: set "
            f"target.currency, or target.exchange_rates = {{ {currency} = … }}."
        )
    return (
        "Check the SKUs of the catalogue and the sources; a target without sales sets "
        'target.expects = ["posts"].'
    )
