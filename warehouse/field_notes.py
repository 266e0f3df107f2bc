"""Counting the fields of what is loaded: a bounded sample of each stream and transaction."""

from __future__ import annotations

from datetime import date

import duckdb
import pyarrow as pa

from warehouse.payload_fields import FieldCounts, joined
from warehouse.schema import raw_table

SAMPLED_ROWS = 1_500
"""Payloads of a stream that are looked at in a transaction, however many come."""
SAMPLED_OF_NEWEST_DAY = 500
"""Of the newest day as many more: it is what the days before are compared with."""
MAX_PAYLOAD_BYTES = 200_000
_BATCH = 100

_DAY = "cast(fetched_at at time zone 'UTC' as date)"
_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("stream", pa.string()),
        ("fetched_date", pa.date32()),
        ("field_path", pa.string()),
        ("parent_path", pa.string()),
        ("json_type", pa.string()),
        ("record_count", pa.int64()),
    ]
)


def note_fields(
    connection: duckdb.DuckDBPyConnection, source: str, stream: str, *, first_load_id: int
) -> None:
    """Add the fields of rows from `first_load_id` on to raw.payload_fields, in the open
    transaction. The sample is every n-th line, so that a repeated load gives the same."""
    table = raw_table(source, stream)
    total, newest = connection.execute(
        f"select count(*), max({_DAY}) from {table} where load_id >= ?", [first_load_id]
    ).fetchall()[0]
    if not total:
        return
    of_newest = connection.execute(
        f"select count(*) from {table} where load_id >= ? and {_DAY} = ?", [first_load_id, newest]
    ).fetchall()[0][0]
    cursor = connection.execute(
        f"""
        select {_DAY}, payload from {table}
        where
            load_id >= $first
            and strlen(payload) <= {MAX_PAYLOAD_BYTES}
            and (
                (line_no + load_id) % $step = 0
                or ({_DAY} = $newest and (line_no + load_id) % $newest_step = 0)
            )
        """,
        {
            "first": first_load_id,
            "newest": newest,
            "step": -(-total // SAMPLED_ROWS),
            "newest_step": -(-of_newest // SAMPLED_OF_NEWEST_DAY),
        },
    )
    days: dict[date, FieldCounts] = {}
    while batch := cursor.fetchmany(_BATCH):
        for day, payload in batch:
            days.setdefault(day, FieldCounts()).add(payload)
    known = {
        path
        for (path,) in connection.execute(
            "select distinct field_path from raw.payload_fields where source = ? and stream = ?",
            [source, stream],
        ).fetchall()
    }
    # Which objects are maps and which paths fit is seen best in all days together.
    together = FieldCounts(known)
    for counts in days.values():
        together.counts.update(counts.counts)
    shape = together.shape()
    for path in sorted(joined(path) for path in shape.maps):
        # Keys that were told before so many came that it shows.
        connection.execute(
            "delete from raw.payload_fields where source = ? and stream = ? "
            "and starts_with(field_path, ? || '.') and not starts_with(field_path, ? || '.*')",
            [source, stream, path, path],
        )
    rows = [(source, stream, day, *row) for day in sorted(days) for row in days[day].rows_in(shape)]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    arrays = [
        pa.array(column, type=kind.type) for column, kind in zip(columns, _SCHEMA, strict=True)
    ]
    connection.register("noted_fields", pa.Table.from_arrays(arrays, schema=_SCHEMA))
    try:
        connection.execute("insert into raw.payload_fields by name select * from noted_fields")
    finally:
        connection.unregister("noted_fields")
