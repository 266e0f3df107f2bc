"""What the pipeline notes about its own work, in schema `raw`; the `ops_` marts are made of it.

Every table is bounded: what is older than its retention goes when something new is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

TABLES = (
    """
    create table if not exists raw.source_states (
        source varchar not null,
        is_enabled boolean not null
    )
    """,
    """
    create table if not exists raw.pulls (
        run_id varchar not null,
        source varchar not null,
        record_count bigint not null,
        reject_count bigint not null,
        is_answered boolean not null,
        is_backfill boolean not null,
        asked_at timestamptz not null
    )
    """,
    """
    create table if not exists raw.steps (
        run_id varchar not null,
        step varchar not null,
        step_status varchar not null,
        duration_seconds double not null,
        is_simulated boolean not null,
        started_at timestamptz not null
    )
    """,
    """
    create table if not exists raw.test_results (
        run_id varchar not null,
        node_id varchar not null,
        node_kind varchar not null,
        node_name varchar not null,
        tested_model varchar,
        layer varchar not null,
        result_status varchar not null,
        failures_count bigint,
        duration_seconds double,
        is_simulated boolean not null,
        finished_at timestamptz not null
    )
    """,
    """
    create table if not exists raw.payload_fields (
        source varchar not null,
        stream varchar not null,
        fetched_date date not null,
        field_path varchar not null,
        parent_path varchar not null,
        json_type varchar not null,
        record_count bigint not null
    )
    """,
)

KEPT_DAYS = 400
"""Pulls, steps, fields and tests that did not pass are kept this long: a year and a month."""
KEPT_BUILDS = 30
"""Of so many builds every result is kept, those that passed included."""
COMPACT_ROWS = 100_000
"""Rows of raw.payload_fields from which counts of one day are added up."""


@dataclass(frozen=True, slots=True)
class Pull:
    """What asking one source came to in a run; `asked_at` is when it ended."""

    source: str
    record_count: int
    reject_count: int
    is_answered: bool
    is_backfill: bool
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run: `status` is done, idle (it had nothing to do) or failed."""

    step: str
    status: str
    seconds: float
    started_at: datetime


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What dbt says of one test, model or seed after a build."""

    node_id: str
    kind: str
    name: str
    tested_model: str | None
    layer: str
    status: str
    failures: int | None
    seconds: float | None


def write_source_states(
    connection: duckdb.DuckDBPyConnection, states: Iterable[tuple[str, bool]]
) -> None:
    """Replace raw.source_states: which sources the settings name, and which are switched on."""
    with _transaction(connection):
        connection.execute("delete from raw.source_states")
        for source, is_enabled in sorted(states):
            connection.execute("insert into raw.source_states values (?, ?)", [source, is_enabled])


def write_pulls(
    connection: duckdb.DuckDBPyConnection, run_id: str, pulls: Sequence[Pull], *, now: datetime
) -> None:
    """Replace what a run asked of sources, and let go of what is older than a year."""
    with _transaction(connection):
        connection.execute("delete from raw.pulls where run_id = ?", [run_id])
        for pull in pulls:
            connection.execute(
                "insert into raw.pulls values (?, ?, ?, ?, ?, ?, ?)",
                [
                    run_id,
                    pull.source,
                    pull.record_count,
                    pull.reject_count,
                    pull.is_answered,
                    pull.is_backfill,
                    pull.asked_at,
                ],
            )
        connection.execute("delete from raw.pulls where asked_at < ?", [_oldest(now)])


def write_steps(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    steps: Sequence[Step],
    *,
    is_simulated: bool,
    now: datetime,
) -> None:
    """Replace the steps of a run, and let go of what is older than a year."""
    with _transaction(connection):
        connection.execute("delete from raw.steps where run_id = ?", [run_id])
        for step in steps:
            connection.execute(
                "insert into raw.steps values (?, ?, ?, ?, ?, ?)",
                [run_id, step.step, step.status, step.seconds, is_simulated, step.started_at],
            )
        connection.execute("delete from raw.steps where started_at < ?", [_oldest(now)])


def write_results(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    results: Sequence[NodeResult],
    *,
    is_simulated: bool,
    finished_at: datetime,
) -> None:
    """Replace the results of a run's build. Older than `KEPT_BUILDS` builds, only what did not
    pass is kept."""
    rows = [
        (
            run_id,
            result.node_id,
            result.kind,
            result.name,
            result.tested_model,
            result.layer,
            result.status,
            result.failures,
            result.seconds,
            is_simulated,
            finished_at,
        )
        for result in results
    ]
    with _transaction(connection):
        connection.execute("delete from raw.test_results where run_id = ?", [run_id])
        # One statement for all: row by row a thousand of them take a second.
        marks = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        if rows:
            connection.execute(
                f"insert into raw.test_results values {marks}",
                [cell for row in rows for cell in row],
            )
        connection.execute(
            """
            delete from raw.test_results
            where
                finished_at < ?
                or (
                    result_status in ('pass', 'success', 'skipped')
                    and run_id not in (
                        select run_id from raw.test_results
                        group by run_id order by max(finished_at) desc, run_id desc limit ?
                    )
                )
            """,
            [_oldest(finished_at), KEPT_BUILDS],
        )


def compact_fields(connection: duckdb.DuckDBPyConnection, *, now: datetime) -> None:
    """Let go of counts of fields older than a year, and add up those of one day once there are
    many; call it inside a transaction."""
    connection.execute(
        "delete from raw.payload_fields where fetched_date < cast(? as date) and "
        "fetched_date < (select max(fetched_date) from raw.payload_fields) - ?",
        [_oldest(now), KEPT_DAYS],
    )
    counted = connection.execute("select count(*) from raw.payload_fields").fetchall()
    if counted[0][0] < COMPACT_ROWS:
        return
    different = connection.execute(
        "select count(*) from (select distinct source, stream, fetched_date, field_path, json_type "
        "from raw.payload_fields)"
    ).fetchall()
    if counted[0][0] < 1.5 * different[0][0]:
        return
    connection.execute(
        "create or replace temp table compacted as select source, stream, fetched_date, "
        "field_path, parent_path, json_type, sum(record_count)::bigint as record_count "
        "from raw.payload_fields group by all"
    )
    connection.execute("delete from raw.payload_fields")
    connection.execute("insert into raw.payload_fields select * from compacted")
    connection.execute("drop table compacted")


def _oldest(now: datetime) -> datetime:
    return now - timedelta(days=KEPT_DAYS)


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
