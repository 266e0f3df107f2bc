"""What the Python model about growth does with the warehouse's rows.

Only this module knows both DuckDB and `udfs.lead_lag.growth`, which knows arrays alone.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from udfs.lead_lag.growth import Change, compare_months, no_change
from udfs.lead_lag.panel import FloatArray, IntArray

COMPARISONS = {"month": 1, "year": 12}  # how many months back
_MONDAY = np.datetime64("1970-01-05", "D")


def month_changes(session: duckdb.DuckDBPyConnection, days: duckdb.DuckDBPyRelation) -> pa.Table:
    """Hold each month of int_growth__days against the one before and that of the year before.

    Returns product_id, metric, month_start_date, comparison ('month' or 'year'), change_ratio,
    change_low, change_high, p_value, observed_days_count, base_days_count, for the months that have
    such a base month in their series. Memory holds one metric at a time.
    """
    reader = session.cursor()
    source = f"({days.sql_query()})"
    metrics = reader.execute(
        f"select metric, bool_or(is_count) from {source} group by metric order by metric"
    ).fetchall()
    parts = [_changes_of_metric(reader, source, name, is_count) for name, is_count in metrics]
    schema = pa.schema(
        [
            ("product_id", pa.string()),
            ("metric", pa.string()),
            ("month_start_date", pa.date32()),
            ("comparison", pa.string()),
            ("change_ratio", pa.float64()),
            ("change_low", pa.float64()),
            ("change_high", pa.float64()),
            ("p_value", pa.float64()),
            ("observed_days_count", pa.int64()),
            ("base_days_count", pa.int64()),
        ]
    )
    return (
        pa.concat_tables([part.cast(schema) for part in parts]) if parts else schema.empty_table()
    )


def _changes_of_metric(
    reader: duckdb.DuckDBPyConnection, source: str, metric: str, is_count: bool
) -> pa.Table:
    rows = reader.execute(
        f"""
        select product_id, date_day, day_value,
            dense_rank() over (order by product_id) - 1 as product_number
        from {source}
        where metric = ?
        order by product_id, date_day
        """,
        [metric],
    ).to_arrow_table()
    product = np.asarray(rows["product_number"].to_numpy(), dtype=np.int64)
    date = np.asarray(rows["date_day"].to_numpy(), dtype="datetime64[D]")
    names = rows["product_id"].to_numpy(zero_copy_only=False)
    products = names[np.searchsorted(product, np.arange(product.max(initial=-1) + 1))]
    first = date.min()
    grid = np.full((len(products), int((date.max() - first).astype(np.int64)) + 1), np.nan)
    values: npt.NDArray[Any] = rows["day_value"].to_numpy()
    grid[product, (date - first).astype(np.int64)] = values
    dates = first + np.arange(grid.shape[1])
    months = dates.astype("datetime64[M]")
    # A series has the months between its own first and last, and no other.
    start = np.full(len(products), np.iinfo(np.int64).max)
    end = np.full(len(products), np.iinfo(np.int64).min)
    month_number = date.astype("datetime64[M]").astype(np.int64)
    np.minimum.at(start, product, month_number)
    np.maximum.at(end, product, month_number)
    tables = []
    for month in np.unique(months):
        for comparison, back in COMPARISONS.items():
            number = int(month.astype(np.int64))
            has_both = (start <= number - back) & (end >= number)
            if not has_both.any():
                continue
            found = _compare(grid[has_both], dates, months, month, month - back, is_count)
            tables.append(_table(products[has_both], metric, month, comparison, found))
    return (
        pa.concat_tables(tables)
        if tables
        else _table(products[:0], metric, first, "", no_change(0))
    )


def _compare(
    values: FloatArray,
    dates: npt.NDArray[np.datetime64],
    months: npt.NDArray[np.datetime64],
    month: np.datetime64,
    base: np.datetime64,
    is_count: bool,
) -> Change:
    is_current, is_base = months == month, months == base
    gap = (dates[is_current][0] - dates[is_base][-1]).astype(np.int64) - 1
    return compare_months(
        values[:, is_current],
        values[:, is_base],
        _weekday(dates[is_current]),
        _weekday(dates[is_base]),
        gap_days=int(gap),
        is_count=is_count,
    )


def _table(
    products: npt.NDArray[Any], metric: str, month: np.datetime64, comparison: str, found: Change
) -> pa.Table:
    count = len(products)
    return pa.table(
        {
            "product_id": pa.array(products, pa.string()),
            "metric": pa.array([metric] * count, pa.string()),
            "month_start_date": pa.array(
                np.full(count, month.astype("datetime64[D]")), pa.date32()
            ),
            "comparison": pa.array([comparison] * count, pa.string()),
            "change_ratio": _published(found.ratio),
            "change_low": _published(found.low),
            "change_high": _published(found.high),
            "p_value": _published(found.p),
            "observed_days_count": pa.array(found.days, pa.int64()),
            "base_days_count": pa.array(found.base_days, pa.int64()),
        }
    )


def _weekday(dates: npt.NDArray[np.datetime64]) -> IntArray:
    return np.asarray((dates - _MONDAY).astype(np.int64) % 7, dtype=np.int64)


def _published(values: FloatArray) -> pa.Array:
    """Return numbers for a table: what is not finite is unknown, which is null."""
    return pa.array(values, type=pa.float64(), mask=~np.isfinite(values))
