"""The tables of schema `raw` and how the work file is opened."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from warehouse import operations
from warehouse.commits import check_names
from warehouse.errors import LoadError, LockedError

STORAGE_VERSION = "v1.4.0"
"""Files in this version are opened by DuckDB 1.4 and later."""

_LOCK_HOLDER = re.compile(r"held in (?P<program>.+?)(?: \(PID (?P<pid>\d+)\))")

_TABLES = (
    """
    create table if not exists raw.rejects (
        source varchar not null,
        stream varchar not null,
        text varchar,
        reason varchar not null,
        source_file varchar not null,
        line_no bigint,
        run_id varchar,
        load_id bigint not null,
        loaded_at timestamptz not null
    )
    """,
    """
    create table if not exists raw.load_log (
        load_id bigint not null unique,
        logical_id varchar not null unique,
        source varchar not null,
        stream varchar not null,
        kind varchar not null,
        run_id varchar,
        row_count bigint not null,
        reject_count bigint not null,
        byte_count bigint not null,
        sha256 varchar not null,
        is_simulated boolean not null,
        is_damaged boolean not null,
        message varchar,
        loaded_at timestamptz not null
    )
    """,
    """
    create table if not exists raw.tombstones (
        source varchar not null,
        stream varchar not null,
        role varchar not null,
        record_key varchar not null,
        salt varchar not null,
        reason varchar,
        created_at timestamptz not null
    )
    """,
    """
    create table if not exists raw.budgets (
        source varchar not null,
        month varchar not null,
        unit varchar not null,
        used_amount decimal(18, 6) not null,
        limit_amount decimal(18, 6)
    )
    """,
    "create table if not exists raw.settings (key varchar not null unique, value varchar)",
    """
    create table if not exists raw.runs (
        run_id varchar not null unique,
        target varchar not null,
        command varchar not null,
        started_at timestamptz not null,
        ended_at timestamptz,
        status varchar not null,
        exit_code integer,
        message varchar
    )
    """,
)


def open_work(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the private work file of a target, creating it if need be.

    Raises:
        LockedError: another process has it open.
        LoadError: it is no DuckDB file, or the folder cannot be written.
    """
    settings: dict[str, str | bool | int | float | list[str]] = {}
    if not path.exists():
        settings["storage_compatibility_version"] = STORAGE_VERSION
    try:
        if not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(str(path), read_only=read_only, config=settings)
    except (duckdb.Error, OSError) as error:
        raise explain_open_error(error, path) from error


def explain_open_error(error: Exception, path: Path) -> LockedError | LoadError:
    """What it means when DuckDB cannot open `path`."""
    text = str(error)
    if "file handle conflict" in text:
        return LockedError(
            f"The file {path} is still open in this very process.",
            "Close the connection first (in a notebook: connection.close()).",
        )
    if "lock" in text.lower():
        holder = _LOCK_HOLDER.search(text)
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another process"
        return LockedError(
            f"The file {path} is in use by {who}.",
            "Close that program (a DuckDB shell or notebook, or another run of this target) and "
            "run again; to look at results while a run works, open the published file.",
        )
    if "permission" in text.lower() or isinstance(error, PermissionError):
        return LoadError(
            f"No permission to open {path} for writing.",
            "Make the folder writable for this user or choose another data folder.",
        )
    if isinstance(error, duckdb.Error) and path.is_file():
        return LoadError(
            f"The file {path} cannot be opened: {text.splitlines()[0]}",
            "If it was written by a newer DuckDB, update this environment; otherwise delete it: "
            "the landing files rebuild it.",
        )
    return LoadError(
        f"The file {path} cannot be opened: {text.splitlines()[0] if text else error!r}",
        "Check the folder and the disk.",
    )


def raw_table(source: str, stream: str) -> str:
    """The qualified name of a stream's raw table.

    Raises:
        LandingError: a name cannot become a table name.
    """
    check_names(source, stream)
    return f'raw."{source}_{stream}"'


def ensure_raw_tables(
    connection: duckdb.DuckDBPyConnection, streams: Iterable[tuple[str, str]]
) -> None:
    """Create the schema `raw`, its bookkeeping tables and one table for each (source, stream).

    Existing tables are left as they are, so that `dbt build` always finds every declared source.
    """
    connection.execute("create schema if not exists raw")
    _drop_named_tombstones(connection)
    for statement in (*_TABLES, *operations.TABLES):
        connection.execute(statement)
    compression = "using compression zstd" if _knows_zstd(connection) else ""
    for source, stream in streams:
        connection.execute(
            f"""
            create table if not exists {raw_table(source, stream)} (
                record_id varchar not null,
                payload json not null {compression},
                fetched_at timestamptz not null,
                is_simulated boolean not null,
                source_file varchar not null,
                line_no bigint not null,
                run_id varchar,
                load_id bigint not null,
                loaded_at timestamptz not null
            )
            """
        )


def _drop_named_tombstones(connection: duckdb.DuckDBPyConnection) -> None:
    """Earlier work files listed forgotten ids by name; the landing folder's list rebuilds them."""
    named = connection.execute(
        "select count(*) from duckdb_columns() where database_name = current_database() "
        "and schema_name = 'raw' and table_name = 'tombstones' and column_name = 'record_id'"
    ).fetchall()
    if named[0][0]:
        connection.execute("drop table raw.tombstones")


def _knows_zstd(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the current file is of a storage version with zstd columns (1.2 and later)."""
    rows = connection.execute(
        "select cast(tags['storage_version'] as varchar) from duckdb_databases() "
        "where database_name = current_database()"
    ).fetchall()
    found = re.search(r"v(\d+)\.(\d+)", str(rows[0][0])) if rows else None
    return bool(found) and (int(found[1]), int(found[2])) >= (1, 2) if found else False


def write_settings(
    connection: duckdb.DuckDBPyConnection, settings: Mapping[str, str | None]
) -> None:
    """Replace raw.settings, which SQL reads, by `settings`, in one transaction."""
    ensure_raw_tables(connection, ())
    connection.begin()
    try:
        connection.execute("delete from raw.settings")
        for key, value in sorted(settings.items()):
            connection.execute("insert into raw.settings values (?, ?)", [key, value])
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def write_budgets(
    connection: duckdb.DuckDBPyConnection,
    rows: Iterable[tuple[str, str, str, Decimal, Decimal | None]],
) -> None:
    """Replace raw.budgets: source, month, unit, what is used of it, and its limit (None: none)."""
    ensure_raw_tables(connection, ())
    connection.begin()
    try:
        connection.execute("delete from raw.budgets")
        for row in rows:
            connection.execute("insert into raw.budgets values (?, ?, ?, ?, ?)", list(row))
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def record_run(
    connection: duckdb.DuckDBPyConnection,
    *,
    run_id: str,
    target: str,
    command: str,
    started_at: datetime,
    status: str,
    ended_at: datetime | None = None,
    exit_code: int | None = None,
    message: str | None = None,
) -> None:
    """Write or replace the row of a run in raw.runs; instants are aware."""
    ensure_raw_tables(connection, ())
    connection.execute(
        "insert or replace into raw.runs values (?, ?, ?, ?, ?, ?, ?, ?)",
        [run_id, target, command, started_at, ended_at, status, exit_code, message],
    )


def mark_interrupted_runs(connection: duckdb.DuckDBPyConnection, *, current: str) -> int:
    """Say `interrupted` of runs that never came to record their end; returns how many.

    Only one run of a target goes on at a time, so every other one still `running` was killed.
    """
    gone = connection.execute(
        "update raw.runs set status = 'interrupted' where status = 'running' and run_id <> ?",
        [current],
    ).fetchall()
    return int(gone[0][0])


def run_history(
    connection: duckdb.DuckDBPyConnection, *, command: str, before: str, limit: int = 2_000
) -> list[tuple[datetime, str]]:
    """Start and status of the earlier runs of a command, newest first; `before` is a run id."""
    ensure_raw_tables(connection, ())
    # The zone that instants are handed back in is that of the session: UTC everywhere here.
    rows = connection.execute(
        "select epoch_us(started_at), status from raw.runs where command = ? and run_id < ? "
        "order by started_at desc, run_id desc limit ?",
        [command, before, limit],
    ).fetchall()
    return [(datetime.fromtimestamp(micros / 1e6, UTC), str(status)) for micros, status in rows]
