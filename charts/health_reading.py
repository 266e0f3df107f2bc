"""The rows of health out of the `ops_` tables of a published file."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from charts.health_rows import (
    BudgetRow,
    CheckRow,
    DriftRow,
    LayerTests,
    RejectRow,
    RunRow,
    StepRow,
    StreamRow,
    TestRow,
    Tests,
    VolumeDay,
)
from charts.reading import Published
from charts.style import clean

SERIES_DAYS = 60
SHOWN_RUNS = 30
SHOWN_ROWS = 200
DAYS_TO_PROJECT = 3
"""Elapsed days of a month below which its end is not projected."""

NEEDED = {
    "ops_runs": (
        "run_id", "command", "status", "message", "row_count", "reject_count", "started_at",
        "ended_at", "is_simulated",
    ),
    "ops_sources": ("source", "stream", "row_count", "reject_count"),
    "ops_freshness": (
        "source", "stream", "freshness_state", "checked_at", "last_fetched_at", "last_answered_at",
        "age_hours", "cadence_hours", "warn_after_hours", "failed_asks_count", "is_warning",
    ),
    "ops_volumes": (
        "source", "stream", "fetched_date", "row_count", "usual_rows", "low_rows", "high_rows",
        "volume_state", "is_complete", "is_warning",
    ),
    "ops_rejects": (
        "source", "stream", "reason", "rejected_date", "reject_count", "line_count", "example_file",
        "example_line_no",
    ),
    "ops_schema_drift": (
        "source", "stream", "field_path", "drift", "earlier_share_ratio", "recent_share_ratio",
        "earlier_type", "recent_type", "first_seen_date", "last_seen_date", "recent_date",
        "is_warning",
    ),
    "ops_test_results": (
        "run_id", "node_kind", "node_name", "tested_model", "layer", "result_status",
        "failures_count", "duration_seconds", "finished_at",
    ),
    "ops_steps": (
        "run_id", "step", "step_status", "started_at", "duration_seconds", "usual_seconds",
        "highest_usual_seconds", "is_slow",
    ),
    "ops_budget": (
        "source", "month_date", "unit", "used_amount", "limit_amount", "left_amount", "used_ratio",
    ),
    "ops_quality": ("check_name", "source", "flagged_count", "total_count", "is_warning"),
}  # fmt: skip

ABOUT = {
    "ops_runs": "runs",
    "ops_sources": "counts of the sources",
    "ops_freshness": "freshness",
    "ops_volumes": "volumes",
    "ops_rejects": "rejects",
    "ops_schema_drift": "schema drift",
    "ops_test_results": "test results",
    "ops_steps": "durations",
    "ops_budget": "budgets",
    "ops_quality": "checks of the data",
}


def _rows(published: Published, table: str, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query over one table, whose name stands for `{table}`; none where it is missing."""
    if not published.has(table, *NEEDED[table]):
        return []
    return published.rows(query.format(table=published.table(table)))


def _instant(column: str) -> str:
    """An instant as microseconds, whatever the session's time zone is."""
    return f"epoch_us({column})"


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC)


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))


def read_is_simulated(published: Published) -> bool:
    rows = _rows(
        published, "ops_runs", "select coalesce(bool_or(is_simulated), false) from {table}"
    )
    return bool(rows and rows[0][0])


def read_runs(published: Published) -> Iterator[RunRow]:
    rows = _rows(
        published,
        "ops_runs",
        f"""
        select run_id, command, status, message, {_instant("started_at")}, {_instant("ended_at")},
            row_count, reject_count
        from {{table}} order by started_at desc nulls last, run_id desc limit {SHOWN_RUNS}
        """,
    )
    for run_id, command, status, message, started, ended, count, rejects in rows:
        yield RunRow(
            run_id=clean(run_id),
            command=clean(command or ""),
            status=clean(status or "") or "loaded by hand",
            message=clean(message or ""),
            started_at=_moment(started),
            ended_at=_moment(ended),
            row_count=int(count or 0),
            reject_count=int(rejects or 0),
            is_this=status == "running",
        )


def read_streams(published: Published) -> Iterator[StreamRow]:
    counts = {
        (source, stream): (rows, rejects)
        for source, stream, rows, rejects in _rows(
            published, "ops_sources", "select source, stream, row_count, reject_count from {table}"
        )
    }
    volumes = _volumes(published)
    rows = _rows(
        published,
        "ops_freshness",
        f"""
        select source, stream, freshness_state, {_instant("checked_at")},
            {_instant("last_fetched_at")}, {_instant("last_answered_at")}, age_hours,
            cadence_hours, warn_after_hours, failed_asks_count, is_warning
        from {{table}} order by is_warning desc, source, stream
        """,
    )
    for source, stream, state, checked, fetched, answered, age, cadence, warn, failed, bad in rows:
        count, rejects = counts.get((source, stream), (None, None))
        yield StreamRow(
            source=clean(source),
            stream=clean(stream),
            freshness=clean(state),
            checked_at=_moment(checked),
            last_fetched_at=_moment(fetched),
            last_answered_at=_moment(answered),
            age_hours=_number(age),
            cadence_hours=_number(cadence),
            warn_after_hours=_number(warn),
            failed_asks=int(failed or 0),
            row_count=None if count is None else int(count),
            reject_count=None if rejects is None else int(rejects),
            is_warning=bool(bad),
            volumes=tuple(volumes.get((source, stream), ())),
        )


def _volumes(published: Published) -> dict[tuple[str, str], list[VolumeDay]]:
    found: dict[tuple[str, str], list[VolumeDay]] = {}
    rows = _rows(
        published,
        "ops_volumes",
        f"""
        select source, stream, fetched_date, row_count, usual_rows, low_rows, high_rows,
            volume_state, is_complete
        from {{table}}
        qualify row_number() over (
            partition by source, stream order by fetched_date desc
        ) <= {SERIES_DAYS}
        order by source, stream, fetched_date
        """,
    )
    for source, stream, day, count, usual, low, high, state, complete in rows:
        found.setdefault((source, stream), []).append(
            VolumeDay(
                day=day,
                rows=int(count),
                usual=_number(usual),
                low=_number(low),
                high=_number(high),
                state=state,
                is_complete=bool(complete),
            )
        )
    return found


def read_rejects(published: Published) -> Iterator[RejectRow]:
    rows = _rows(
        published,
        "ops_rejects",
        f"""
        select source, stream, reason, sum(reject_count), min(rejected_date), max(rejected_date),
            max_by(reject_count, rejected_date), max_by(line_count, rejected_date),
            max_by(example_file, rejected_date), max_by(example_line_no, rejected_date)
        from {{table}} group by source, stream, reason
        order by sum(reject_count) desc, source, stream, reason limit {SHOWN_ROWS}
        """,
    )
    for source, stream, reason, count, first, last, of_day, lines, file, line in rows:
        example = clean(file or "") + (f", line {line}" if line is not None else "")
        yield RejectRow(
            clean(source), clean(stream), clean(reason), int(count), first, last, int(of_day),
            None if lines is None else int(lines), example,
        )  # fmt: skip


def read_drift(published: Published) -> Iterator[DriftRow]:
    rows = _rows(
        published,
        "ops_schema_drift",
        f"""
        select source, stream, field_path, drift, earlier_share_ratio, recent_share_ratio,
            earlier_type, recent_type, first_seen_date, last_seen_date, recent_date, is_warning
        from {{table}} where drift in ('new', 'vanished', 'rarer', 'type_changed')
        order by is_warning desc, source, stream, field_path limit {SHOWN_ROWS}
        """,
    )
    for source, stream, path, drift, *rest in rows:
        before, lately, was, is_now, first, last, recent, bad = rest
        yield DriftRow(
            clean(source), clean(stream), clean(path), drift, _number(before), _number(lately),
            was, is_now, first, last, recent, bool(bad),
        )  # fmt: skip


_STATUSES = {
    "passed": "('pass')",
    "warned": "('warn')",
    "failed": "('fail', 'error')",
}


def read_tests(published: Published) -> Tests | None:
    newest = _rows(
        published,
        "ops_test_results",
        f"""
        select run_id, {_instant("max(finished_at)")} from {{table}}
        group by run_id order by max(finished_at) desc nulls last, run_id desc limit 1
        """,
    )
    if not newest:
        return None
    table = published.table("ops_test_results")
    run_id, finished = newest[0]
    counts = ", ".join(
        f"count(*) filter (where result_status in {statuses})" for statuses in _STATUSES.values()
    )
    layers = published.rows(
        f"""
        select layer, {counts}, count(*) from {table}
        where run_id = ? and node_kind = 'test' group by layer order by layer
        """,
        [run_id],
    )
    not_passed = published.rows(
        f"""
        select node_name, tested_model, layer, result_status, failures_count, (
            select count(*) from {table} as others
            where
                others.node_name = found.node_name
                and others.node_kind = 'test'
                and others.result_status not in ('pass', 'skipped')
        )
        from {table} as found
        where run_id = ? and node_kind = 'test' and result_status not in ('pass', 'skipped')
        order by result_status = 'warn', node_name limit {SHOWN_ROWS}
        """,
        [run_id],
    )
    slowest = published.rows(
        f"""
        select node_name, duration_seconds from {table}
        where run_id = ? and duration_seconds is not null
        order by duration_seconds desc, node_name limit 10
        """,
        [run_id],
    )
    return Tests(
        run_id=clean(run_id),
        finished_at=_moment(finished),
        layers=tuple(
            LayerTests(clean(layer), passed, warned, failed, total - passed - warned - failed)
            for layer, passed, warned, failed, total in layers
        ),
        not_passed=tuple(
            TestRow(clean(name), clean(model or ""), clean(layer), status, failures, int(builds))
            for name, model, layer, status, failures, builds in not_passed
        ),
        slowest=tuple((clean(name), float(seconds)) for name, seconds in slowest),
    )


def read_steps(published: Published) -> Iterator[StepRow]:
    rows = _rows(
        published,
        "ops_steps",
        f"""
        select
            step,
            max_by(step_status, (started_at, run_id)),
            max_by(duration_seconds, (started_at, run_id)),
            max_by(usual_seconds, (started_at, run_id)),
            max_by(highest_usual_seconds, (started_at, run_id)),
            max_by(is_slow, (started_at, run_id)),
            list(duration_seconds order by started_at desc, run_id desc)[:{SHOWN_RUNS}]
        from {{table}} group by step order by max(started_at), step
        """,
    )
    for step, status, seconds, usual, highest, is_slow, series in rows:
        yield StepRow(
            clean(step), status, float(seconds), _number(usual), _number(highest), bool(is_slow),
            tuple(float(value) for value in reversed(series)),
        )  # fmt: skip


def read_budgets(published: Published, checked_at: datetime | None) -> Iterator[BudgetRow]:
    rows = _rows(
        published,
        "ops_budget",
        f"""
        select source, month_date, unit, used_amount, limit_amount, left_amount, used_ratio
        from {{table}} order by month_date desc, source, unit limit {SHOWN_ROWS}
        """,
    )
    for source, month, unit, used, limit, left, ratio in rows:
        is_current = checked_at is not None and month == checked_at.date().replace(day=1)
        yield BudgetRow(
            clean(source), month, clean(unit), float(used), _number(limit), _number(left), ratio,
            project(float(used), checked_at) if is_current and checked_at else None, is_current,
        )  # fmt: skip


def project(used: float, at: datetime) -> float | None:
    """Use at the end of the month of `at` (UTC) at the pace so far; None in its first days."""
    at = at.astimezone(UTC)
    elapsed = at.day - 1 + (at.hour + at.minute / 60) / 24
    if elapsed < DAYS_TO_PROJECT:
        return None
    return used / elapsed * calendar.monthrange(at.year, at.month)[1]


def read_checks(published: Published) -> Iterator[CheckRow]:
    rows = _rows(
        published,
        "ops_quality",
        f"""
        select check_name, source, flagged_count, total_count, is_warning from {{table}}
        where flagged_count > 0 order by is_warning desc, check_name, source limit {SHOWN_ROWS}
        """,
    )
    for check, source, flagged, total, is_warning in rows:
        yield CheckRow(clean(check), clean(source), int(flagged), int(total), bool(is_warning))
