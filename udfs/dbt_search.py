"""What the Python model of search interest does with the warehouse's rows.

Only this module knows both DuckDB and `udfs.search_interest`, which knows arrays alone.
"""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from udfs.search_interest.scales import Points, fit_scales

_RESOLUTIONS = {1: "day", 7: "week", 30: "month", 365: "year"}
_SCHEMA = pa.schema(
    [
        ("answer_id", pa.string()),
        ("series_id", pa.string()),
        ("resolution", pa.string()),
        ("scale_group", pa.string()),
        ("scale_ratio", pa.float64()),
        ("scale_relative_se", pa.float64()),
        ("noise_ratio", pa.float64()),
        ("rounding_variance", pa.float64()),
        ("stitch_method", pa.string()),
        ("shared_points_count", pa.int64()),
        ("apart_reason", pa.string()),
    ]
)


def search_scales(session: duckdb.DuckDBPyConnection, points: duckdb.DuckDBPyRelation) -> pa.Table:
    """The scale of each answer for each of its series, from int_search__points.

    Returns answer_id, series_id, resolution, scale_group (the first answer that it is comparable
    with), scale_ratio (what values are divided by), scale_relative_se, noise_ratio and
    rounding_variance (the variance of a value is the latter plus the former times the value),
    stitch_method, shared_points_count, apart_reason.
    """
    rows = (
        session.cursor()
        .execute(
            f"""
            select
                dense_rank() over (order by answer_id) - 1 as answer,
                dense_rank() over (order by series_id) - 1 as series,
                answer_id,
                series_id,
                epoch_ms(cast(period_start_date as timestamp)) // 86400000 as first_day,
                period_days as days,
                value,
                -- Answers on a scale without a maximum are read as if theirs were 100 too.
                case
                    when is_constant_scale
                        then coalesce(nullif(max(value) over (partition by answer_id), 0), 100)
                    else 100
                end / 100 as unit,
            from ({points.sql_query()})
            order by answer_id, series_id, first_day, days
            """
        )
        .to_arrow_table()
    )
    answer = _whole(rows, "answer")
    unit = rows["unit"].to_numpy().astype(np.float64)
    scales = fit_scales(
        Points(
            answer=answer,
            series=_whole(rows, "series"),
            first_day=_whole(rows, "first_day"),
            days=_whole(rows, "days"),
            value=rows["value"].to_numpy().astype(np.float64) / unit,
        )
    )
    answer_ids = _firsts(rows, "answer_id", answer)
    unit_of = np.ones(len(answer_ids))
    unit_of[answer] = unit
    series_ids = _firsts(rows, "series_id", _whole(rows, "series"))
    return pa.Table.from_pylist(
        [
            {
                "answer_id": answer_ids[row.answer],
                "series_id": series_ids[row.series],
                "resolution": _RESOLUTIONS[row.length],
                "scale_group": answer_ids[row.component],
                "scale_ratio": row.scale * unit_of[row.answer],
                "scale_relative_se": row.relative_se,
                "noise_ratio": None if row.noise is None else row.noise * unit_of[row.answer],
                "rounding_variance": unit_of[row.answer] ** 2 / 12.0,
                "stitch_method": row.method,
                "shared_points_count": row.shared_points,
                "apart_reason": row.problem,
            }
            for row in scales
        ],
        schema=_SCHEMA,
    )


def _whole(rows: pa.Table, column: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    found: np.ndarray[tuple[int], np.dtype[np.int64]] = rows[column].to_numpy().astype(np.int64)
    return found


def _firsts(
    rows: pa.Table, column: str, number: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> list[str]:
    """The texts that the numbers 0, 1, … stand for."""
    _, at = np.unique(number, return_index=True)
    found: list[str] = rows[column].take(pa.array(at)).to_pylist()
    return found
