"""Records that must never come back, whatever a landing file still says.

The list lies in the landing folder (`_tombstones.jsonl`), because the work file may be deleted and
rebuilt at any time; raw.tombstones is its copy for SQL, brought up to date by every load.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse.errors import LoadError, explain_os_error
from warehouse.files import make_durable_folder, replace_durably
from warehouse.schema import ensure_raw_tables, raw_table

TOMBSTONES_FILE = "_tombstones.jsonl"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`created_at` is an ISO instant."""

    source: str
    stream: str
    record_id: str
    reason: str
    created_at: str


def read_tombstones(landing_dir: Path) -> list[Tombstone]:
    """The list, oldest first; empty if there is none.

    Raises:
        LoadError: the file is damaged.
    """
    path = landing_dir / TOMBSTONES_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Tombstone(**json.loads(line)) for line in lines if line]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise LoadError(
            f"The list of forgotten records {path} cannot be read ({error}).",
            "Restore it from a copy: without it, forgotten records would come back.",
        ) from error


def add_tombstones(
    connection: duckdb.DuckDBPyConnection,
    landing_dir: Path,
    records: Iterable[tuple[str, str, str]],
    *,
    reason: str,
    created_at: datetime,
) -> int:
    """Forget records, given as (source, stream, record_id): delete their raw rows now and keep them
    out of every later load. Return how many raw rows were deleted.

    The list in the landing folder is written first, so that a crash in between is made good by the
    next load. The load log stays as it is; landing files are not touched.

    Raises:
        LoadError: the list cannot be written.
    """
    known = read_tombstones(landing_dir)
    taken = {(entry.source, entry.stream, entry.record_id) for entry in known}
    instant = created_at.isoformat()
    new = [
        Tombstone(source, stream, record_id, reason, instant)
        for source, stream, record_id in dict.fromkeys(records)
        if (source, stream, record_id) not in taken
    ]
    if new:
        content = "".join(
            json.dumps(asdict(entry), ensure_ascii=True) + "\n" for entry in [*known, *new]
        )
        try:
            make_durable_folder(landing_dir)
            replace_durably(landing_dir / TOMBSTONES_FILE, content.encode())
        except OSError as error:
            message, remedy = explain_os_error(error, doing="writing", path=landing_dir)
            raise LoadError(message, remedy) from error
    return apply_tombstones(connection, landing_dir)


def apply_tombstones(connection: duckdb.DuckDBPyConnection, landing_dir: Path) -> int:
    """Bring raw.tombstones up to date with the landing folder and delete the rows it names; return
    how many rows were deleted.

    Raises:
        LoadError: the list is damaged.
    """
    ensure_raw_tables(connection, ())
    listed = read_tombstones(landing_dir)
    known = set(
        connection.execute("select source, stream, record_id from raw.tombstones").fetchall()
    )
    new = [entry for entry in listed if (entry.source, entry.stream, entry.record_id) not in known]
    if not new:
        return 0
    rows = pa.Table.from_pylist([asdict(entry) for entry in new])
    deleted = 0
    connection.begin()
    connection.register("new_tombstones", rows)
    try:
        connection.execute(
            "insert into raw.tombstones select source, stream, record_id, reason, "
            "cast(created_at as timestamptz) from new_tombstones"
        )
        streams = sorted({(entry.source, entry.stream) for entry in new})
        ensure_raw_tables(connection, streams)
        for source, stream in streams:
            gone = connection.execute(
                f"delete from {raw_table(source, stream)} where record_id in "
                "(select record_id from raw.tombstones where source = ? and stream = ?)",
                [source, stream],
            ).fetchall()
            deleted += int(gone[0][0])
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("new_tombstones")
    return deleted
