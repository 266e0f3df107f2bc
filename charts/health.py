"""How the project itself fares, from the `ops_` tables of a published file; nothing is drawn here.

`read_health` puts together what the report's pages on health and budgets show (charts/health_rows),
and a verdict in words with its reasons. A file that an older version published lacks some tables:
what they would tell is then in `Health.missing` and counts neither as good nor as bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from charts.health_reading import (
    ABOUT,
    NEEDED,
    read_budgets,
    read_checks,
    read_drift,
    read_is_simulated,
    read_rejects,
    read_runs,
    read_steps,
    read_streams,
    read_tests,
)
from charts.health_rows import (
    BudgetRow,
    CheckRow,
    DriftRow,
    Health,
    Reason,
    RejectRow,
    RunRow,
    State,
    StepRow,
    StreamRow,
    Tests,
)
from charts.reading import Published, day_words

OK: State = "ok"
LOOK: State = "look at"
BROKEN: State = "broken"
UNKNOWN: State = "not known"
REJECTED_SHARE = 0.05
"""Above this share of refused lines on its newest day with any, a stream is worth a look."""
REJECT_DAYS = 7
"""So old may that day be."""
FAILED_ASKS = 3
"""A source that has not answered this often in a row is broken; below it may have had a hiccup."""
NEW_DAYS = 2
"""A volume is news for as long before the check; an older one is history."""
NAMED = 3
"""So many of a kind are named, the others counted."""


def read_health(published: Published) -> Health:
    """The state of a published file's project. Raises ChartError where the file cannot be read."""
    missing = tuple(
        ABOUT[table] for table, columns in NEEDED.items() if not published.has(table, *columns)
    )
    runs = tuple(read_runs(published))
    streams = tuple(read_streams(published))
    newest_run = max((run.started_at for run in runs if run.started_at), default=None)
    checked_at = max(
        (row.checked_at for row in streams if row.checked_at is not None), default=newest_run
    )
    rejects = tuple(read_rejects(published))
    drift = tuple(read_drift(published))
    tests = read_tests(published)
    steps = tuple(read_steps(published))
    budgets = tuple(read_budgets(published, checked_at))
    checks = tuple(read_checks(published))
    found = [
        *_of_runs(runs),
        *_of_streams(streams),
        *_of_rejects(rejects, checked_at),
        *_of_drift(drift),
        *_of_tests(tests),
        *_of_steps(steps),
        *_of_budgets(budgets),
        *_of_checks(checks),
    ]
    order = [BROKEN, LOOK]
    # sorted is stable: within a state the order above stays.
    reasons = tuple(sorted(found, key=lambda reason: order.index(reason.state)))
    state: State = reasons[0].state if reasons else UNKNOWN if len(missing) == len(NEEDED) else OK
    return Health(
        state=state,
        words=_words(state, reasons, missing),
        reasons=reasons,
        checked_at=checked_at,
        is_simulated=read_is_simulated(published),
        runs=runs,
        streams=streams,
        rejects=rejects,
        drift=drift,
        tests=tests,
        steps=steps,
        budgets=budgets,
        checks=checks,
        missing=missing,
    )


def _words(state: State, reasons: tuple[Reason, ...], missing: tuple[str, ...]) -> str:
    if state == UNKNOWN:
        return "This file tells nothing of its own health: an older version published it."
    lacking = f" This file says nothing of {', '.join(missing)}." if missing else ""
    if state == OK:
        return f"Nothing needs a look.{lacking}"
    broken = sum(reason.state == BROKEN for reason in reasons)
    looks = len(reasons) - broken
    parts = [
        f"{count} {noun if count == 1 else plural}"
        for count, noun, plural in (
            (broken, "thing is broken", "things are broken"),
            (looks, "thing needs a look", "things need a look"),
        )
        if count
    ]
    return f"{' and '.join(parts)}.{lacking}"


# Judging ----------------------------------------------------------------------------------------


def _of_runs(runs: tuple[RunRow, ...]) -> Iterator[Reason]:
    ended = [run for run in runs if not run.is_this and run.started_at is not None]
    bad = 0
    for run in ended:
        if run.status not in {"failed", "interrupted"}:
            break
        bad += 1
    if bad:
        # The run that published this came to its end: the ones before are worth a look, no more.
        what = "run before this one" if bad == 1 else f"{bad} runs before this one"
        why = f": {ended[0].message}" if ended[0].message else ""
        yield Reason(LOOK, f"The {what} {ended[0].status}{why}", "runs")


def _of_streams(streams: tuple[StreamRow, ...]) -> Iterator[Reason]:
    failing: dict[str, int] = {}
    for row in streams:
        if row.failed_asks:
            failing[row.source] = max(failing.get(row.source, 0), row.failed_asks)
    for source, times in failing.items():
        state = BROKEN if times >= FAILED_ASKS else LOOK
        often = "once" if times == 1 else f"{times} times in a row"
        yield Reason(state, f"{source} did not answer {often}.", "sources")
    for row in streams:
        if not row.is_warning or row.source in failing:
            continue
        name, age = f"{row.source}/{row.stream}", hours_words(row.age_hours)
        if row.freshness == "stale":
            yield Reason(BROKEN, f"{name} is stale: nothing for {age}.", "sources")
        elif row.freshness == "late":
            yield Reason(LOOK, f"{name} is late: nothing for {age}.", "sources")
        elif row.freshness == "quiet":
            usual = hours_words(row.cadence_hours)
            yield Reason(
                LOOK, f"{name} is quiet: nothing new for {age}, usual is every {usual}.", "sources"
            )
    yield from _of_volumes(streams)


def _of_volumes(streams: tuple[StreamRow, ...]) -> Iterator[Reason]:
    for row in streams:
        if row.freshness in {"off", "fixed"}:
            continue
        low = [
            day
            for day in row.volumes
            if day.state == "low"
            and (
                row.checked_at is None
                or row.checked_at.date() - day.day <= timedelta(days=NEW_DAYS)
            )
        ]
        if low:
            day = low[-1]
            yield Reason(
                LOOK,
                f"{row.source}/{row.stream}: {day.rows:,} records on {day_words(day.day)}, "
                f"usual is about {day.usual or 0:,.0f}.",
                "volumes",
            )


def _of_rejects(rejects: tuple[RejectRow, ...], checked_at: datetime | None) -> Iterator[Reason]:
    newest: dict[tuple[str, str], date] = {}
    for row in rejects:
        key = (row.source, row.stream)
        newest[key] = max(row.last_day, newest.get(key, row.last_day))
    for (source, stream), day in newest.items():
        if checked_at is not None and checked_at.date() - day > timedelta(days=REJECT_DAYS):
            continue
        found = [
            row
            for row in rejects
            if (row.source, row.stream, row.last_day) == (source, stream, day)
        ]
        refused, lines = sum(row.last_day_count for row in found), found[0].last_day_lines
        if lines and refused / lines > REJECTED_SHARE:
            yield Reason(
                LOOK,
                f"{source}/{stream}: {refused:,} of {lines:,} lines were refused on "
                f"{day_words(day)}.",
                "rejects",
            )


_DRIFT_WORDS = {
    "vanished": "is no longer there",
    "rarer": "has become rare",
    "type_changed": "changed its type",
}


def _of_drift(drift: tuple[DriftRow, ...]) -> Iterator[Reason]:
    by_stream: dict[str, list[DriftRow]] = {}
    for row in drift:
        if row.is_warning:
            by_stream.setdefault(f"{row.source}/{row.stream}", []).append(row)
    for name, rows in by_stream.items():
        said = [f"{row.field} {_DRIFT_WORDS.get(row.drift, row.drift)}" for row in rows]
        yield Reason(LOOK, f"{name}: {_some(said)}.", "drift")


def _of_tests(tests: Tests | None) -> Iterator[Reason]:
    if tests is None:
        return
    failed = [row.name for row in tests.not_passed if row.status != "warn"]
    warned = [row.name for row in tests.not_passed if row.status == "warn"]
    if failed:
        yield Reason(BROKEN, f"{_counted(failed, 'test')} failed: {_some(failed)}.", "tests")
    if warned:
        yield Reason(LOOK, f"{_counted(warned, 'test')} warned: {_some(warned)}.", "tests")


def _of_steps(steps: tuple[StepRow, ...]) -> Iterator[Reason]:
    for row in steps:
        if row.is_slow and row.usual is not None:
            yield Reason(
                LOOK,
                f"Step {row.step} took {row.seconds:,.0f} s, usual is {row.usual:,.0f} s.",
                "durations",
            )


def _of_budgets(budgets: tuple[BudgetRow, ...]) -> Iterator[Reason]:
    for row in budgets:
        if not row.is_current or row.limit is None or row.limit <= 0:
            continue
        name = f"{row.source}, {row.unit}"
        if row.used >= row.limit:
            yield Reason(LOOK, f"The budget of {name} is used up for this month.", "budgets")
        elif row.projected is not None and row.projected > row.limit:
            yield Reason(
                LOOK,
                f"The budget of {name} will not last at this pace: about {row.projected:,.0f} of "
                f"{row.limit:,.0f} by the month's end.",
                "budgets",
            )


def _of_checks(checks: tuple[CheckRow, ...]) -> Iterator[Reason]:
    # Rejected lines have a finding of their own.
    found = [
        f"{row.check.replace('_', ' ')} in {row.source} ({row.flagged:,} of {row.total:,})"
        for row in checks
        if row.is_warning and row.check != "rejected_lines"
    ]
    if found:
        yield Reason(LOOK, f"{_counted(found, 'check')} of the data: {_some(found)}.", "checks")


def _counted(found: list[str], noun: str) -> str:
    return f"{len(found):,} {noun}{'' if len(found) == 1 else 's'}"


def _some(found: Iterable[str]) -> str:
    said = list(found)
    more = f" and {len(said) - NAMED:,} more" if len(said) > NAMED else ""
    return ", ".join(said[:NAMED]) + more


def hours_words(hours: float | None) -> str:
    """A length of time as people say it: 40 minutes, 5 hours, 3 days."""
    if hours is None:
        return "an unknown time"
    for size, noun in ((48.0, "day"), (1.0, "hour")):
        if hours >= size:
            count = round(hours / (24.0 if noun == "day" else 1.0))
            return f"{count:,} {noun}{'' if count == 1 else 's'}"
    minutes = max(round(hours * 60), 0)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"
