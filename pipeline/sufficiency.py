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
        missing.append(
            "No sale or metric belongs to a tracked product. Check the SKUs of the catalogue and "
            'the sources; a target without sales sets target.expects = ["posts"].'
        )
    if not missing and days < FEWEST_DAYS:
        missing.append(
            f"Only {days} of at least {FEWEST_DAYS} days of data: no relationship is claimed. "
            "Collect more days or load older ones."
        )
    return missing
