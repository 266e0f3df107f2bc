"""The pages on the pipeline itself: whether it is well, and what its live sources may still use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from charts.health import hours_words
from charts.health_rows import (
    BudgetRow,
    DriftRow,
    Health,
    Reason,
    RunRow,
    StepRow,
    StreamRow,
    Tests,
    VolumeDay,
)
from charts.picture import Table
from charts.reading import day_words, moment_words
from charts.report.pages import Page, render
from charts.report.words import month_words, number, share
from charts.style import plural

WIDTH, HEIGHT = 150.0, 30.0
_PAD = 3.0
MOST_RUNS = 12


@dataclass(frozen=True, slots=True)
class Badge:
    """A state as the style sheet knows it."""

    key: str
    sign: str
    badge: str


WELL = Badge("well", "✓", "ok")
LOOK = Badge("watchlist", "?", "look at")
BROKEN = Badge("broken", "!", "broken")
WARNED = Badge("watchlist", "?", "warned")
FAILED = Badge("broken", "!", "failed")
QUIET = Badge("none", "·", "not known")
_STATES = {"ok": WELL, "look at": LOOK, "broken": BROKEN}
_FRESHNESS = {
    "fresh": Badge("well", "✓", "fresh"),
    "quiet": Badge("watchlist", "?", "quiet"),
    "late": Badge("watchlist", "?", "late"),
    "stale": Badge("broken", "!", "stale"),
    "empty": Badge("none", "·", "nothing yet"),
    "never": Badge("none", "·", "not asked yet"),
    "off": Badge("none", "·", "off"),
    "fixed": Badge("none", "·", "does not age"),
}
_DRIFT = {
    "vanished": "gone",
    "rarer": "rarer",
    "type_changed": "other type",
    "new": "new",
}


def badge_of(state: str) -> Badge:
    """The badge of an overall state."""
    return _STATES.get(state, QUIET)


def health_page(health: Health) -> Page:
    """Whether everything works: what needs a look first, then every stream, test and step."""
    shown = [row for row in health.streams if _is_shown(row)]
    body = render(
        "health.html.j2",
        health=health,
        state=badge_of(health.state),
        checked=moment_words(health.checked_at) if health.checked_at else "",
        reasons=[(badge_of(reason.state), reason) for reason in health.reasons],
        anchors={reason.section: _anchor(reason) for reason in health.reasons},
        streams=_streams(shown),
        hidden=_hidden(health.streams),
        rejects=_rejects(health),
        drift=_drift(health.drift),
        layers=_layers(health.tests),
        not_passed=_not_passed(health.tests),
        tests_words=_tests_words(health.tests),
        steps=_steps(health.steps),
        checks=_checks(health),
        runs=_runs(health.runs),
        lacks=set(health.missing),
    )
    return Page("health", "Health", body)


def budget_page(health: Health) -> Page:
    """What live sources used of what they may use."""
    current = [row for row in health.budgets if row.is_current]
    earlier = [row for row in health.budgets if not row.is_current]
    body = render(
        "budgets.html.j2",
        health=health,
        checked=moment_words(health.checked_at) if health.checked_at else "",
        lacks="budgets" in health.missing,
        reasons=[(badge_of(r.state), r) for r in health.reasons if r.section == "budgets"],
        current=_budgets(current) if current else None,
        earlier=_earlier(earlier) if earlier else None,
    )
    return Page("budgets", "Budgets", body)


def _anchor(reason: Reason) -> str:
    return "budgets" if reason.section == "budgets" else f"health-{reason.section}"


def _badge(badge: Badge) -> Markup:
    """A badge in a cell of a table: our own words."""
    return Markup(  # noqa: S704
        f'<span class="badge v-{badge.key}"><span class="sign" aria-hidden="true">{badge.sign}'
        f"</span>{escape(badge.badge)}</span>"
    )


# Streams ----------------------------------------------------------------------------------------


def _is_shown(row: StreamRow) -> bool:
    return bool(row.row_count) or row.freshness not in {"off", "empty"}


def _hidden(rows: Sequence[StreamRow]) -> str:
    """Streams that hold nothing, in sentences; a source without any other by its name alone."""
    hidden = [row for row in rows if not _is_shown(row)]
    shown = {row.source for row in rows if _is_shown(row)}
    off = sorted(
        {
            f"{row.source}/{row.stream}" if row.source in shown else row.source
            for row in hidden
            if row.freshness == "off"
        }
    )
    empty = sorted(f"{row.source}/{row.stream}" for row in hidden if row.freshness == "empty")
    said = []
    if off:
        said.append(f"Switched off or not set up: {', '.join(off)}.")
    if empty:
        said.append(f"Asked, and nothing there yet: {', '.join(empty)}.")
    return " ".join(said)


def _streams(rows: Sequence[StreamRow]) -> Table | None:
    if not rows:
        return None
    return Table(
        ("Stream", "State", "Newest record", "Usual gap", "Held", "Records a day", "Newest day"),
        tuple(
            (
                f"{row.source}/{row.stream}",
                _badge(_FRESHNESS.get(row.freshness, Badge("none", "·", row.freshness))),
                _age(row),
                hours_words(row.cadence_hours) if row.cadence_hours is not None else "–",
                "–" if row.row_count is None else f"{row.row_count:,}",
                spark_of_days(row.volumes) or "–",
                _newest(row.volumes),
            )
            for row in rows
        ),
        frozenset({4}),
    )


def _age(row: StreamRow) -> str:
    if row.last_fetched_at is None:
        return "none"
    if row.freshness == "fixed" or row.age_hours is None:
        return day_words(row.last_fetched_at.date())
    return f"{hours_words(max(row.age_hours, 0))} before"


def _newest(days: Sequence[VolumeDay]) -> str:
    if not days:
        return "–"
    day = days[-1]
    so_far = "" if day.is_complete else " so far"
    usual = (
        "too few days before to say"
        if day.usual is None
        else f"usual is {number(round(day.usual))}"
    )
    words = {"low": ", fewer than usual", "high": ", more than usual"}.get(day.state or "", "")
    return f"{day.rows:,} on {day_words(day.day)}{so_far}{words} ({usual})"


# Pictures in a cell -----------------------------------------------------------------------------


def spark_of_days(days: Sequence[VolumeDay]) -> Markup | None:
    """Records by day over the band of what is usual; days with too few are marked."""
    if len(days) < 2:
        return None
    first = days[0].day.toordinal()
    width = max(days[-1].day.toordinal() - first, 1)
    # One day with all of the past would leave nothing of the others.
    top = max([day.rows for day in days[1:]] + [day.usual or 0.0 for day in days] + [1.0])

    def place(day: VolumeDay, value: float) -> tuple[float, float]:
        x = _PAD + (day.day.toordinal() - first) / width * (WIDTH - 2 * _PAD)
        y = HEIGHT - _PAD - min(value / top, 1.0) * (HEIGHT - 2 * _PAD)
        return x, y

    parts = []
    known = [day for day in days if day.low is not None and day.high is not None]
    if len(known) > 1:
        upper = [place(day, day.high or 0.0) for day in known]
        lower = [place(day, day.low or 0.0) for day in reversed(known)]
        parts.append(f'<path class="band" d="{_line([*upper, *lower])}z"/>')
    parts.append(f'<path class="thread" d="{_line([place(day, day.rows) for day in days])}"/>')
    low = [day for day in days if day.state == "low"]
    for day in low:
        x, y = place(day, day.rows)
        parts.append(f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')
    rows = sorted(day.rows for day in days)
    label = (
        f"{day_words(days[0].day)} to {day_words(days[-1].day)}: {rows[0]:,} to {rows[-1]:,} "
        f"records a day" + (f", {plural(len(low), 'day')} with fewer than usual" if low else "")
    )
    return _picture(parts, label)


def spark_of_times(row: StepRow) -> Markup | None:
    """Seconds of a step, run by run; the dashed line is what is usual."""
    if len(row.series) < 2:
        return None
    top = max([*row.series, row.usual or 0.0, 0.001])
    count = len(row.series) - 1

    def height(value: float) -> float:
        return HEIGHT - _PAD - value / top * (HEIGHT - 2 * _PAD)

    points = [
        (_PAD + index / count * (WIDTH - 2 * _PAD), height(value))
        for index, value in enumerate(row.series)
    ]
    parts = []
    if row.usual is not None:
        y = height(row.usual)
        parts.append(f'<path class="usual" d="M{_PAD:.0f} {y:.1f}H{WIDTH - _PAD:.0f}"/>')
    parts.append(f'<path class="thread" d="{_line(points)}"/>')
    if row.is_slow:
        x, y = points[-1]
        parts.append(f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>')
    fastest, slowest = min(row.series), max(row.series)
    label = f"{plural(len(row.series), 'run')}: {fastest:,.1f} to {slowest:,.1f} seconds"
    return _picture(parts, label)


def bar_of(row: BudgetRow) -> Markup | None:
    """What is used of a limit, and where the month would end at this pace."""
    if row.limit is None or row.limit <= 0:
        return None
    inner = WIDTH - 2 * _PAD

    def x_of(value: float) -> float:
        return _PAD + min(max(value / (row.limit or 1.0), 0.0), 1.0) * inner

    kind = "filled full" if row.used >= row.limit else "filled"
    parts = [
        f'<rect class="{name}" x="{_PAD:.0f}" y="9" width="{width:.1f}" height="12" rx="3"/>'
        for name, width in (("trough", inner), (kind, x_of(row.used) - _PAD))
    ]
    if row.projected is not None:
        parts.append(f'<path class="ahead" d="M{x_of(row.projected):.1f} 5V25"/>')
    return _picture(parts, f"{share(row.used / row.limit)} of the limit used")


def _line(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _picture(parts: Iterable[str], label: str) -> Markup:
    # Numbers and our own words.
    return Markup(  # noqa: S704
        f'<svg class="spark" viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


# Tables -----------------------------------------------------------------------------------------


def _rejects(health: Health) -> Table | None:
    if not health.rejects:
        return None
    return Table(
        ("Stream", "Reason", "Lines", "First", "Last", "For example"),
        tuple(
            (
                f"{row.source}/{row.stream}",
                row.reason,
                f"{row.count:,}",
                day_words(row.first_day),
                day_words(row.last_day),
                row.example,
            )
            for row in health.rejects
        ),
        frozenset({2, 3, 4}),
    )


def _drift(rows: Sequence[DriftRow]) -> Table | None:
    if not rows:
        return None
    return Table(
        ("Stream", "Field", "What", "Before", "Lately", "Last seen"),
        tuple(
            (
                f"{row.source}/{row.stream}",
                row.field,
                _badge(
                    Badge(
                        "watchlist" if row.is_warning else "none",
                        "?" if row.is_warning else "·",
                        _DRIFT.get(row.drift, row.drift),
                    )
                ),
                _had(row.earlier_share, row.earlier_type),
                _had(row.recent_share, row.recent_type),
                day_words(row.last_seen),
            )
            for row in rows
        ),
    )


def _had(part: float | None, kind: str | None) -> str:
    if not part:
        return "in none" if part is not None else "not known"
    return f"in {share(part)}" + (f", {kind}" if kind else "")


def _layers(tests: Tests | None) -> Table | None:
    if tests is None or not tests.layers:
        return None
    return Table(
        ("Layer", "Passed", "Warned", "Failed", "Left out"),
        tuple(
            (
                row.layer,
                f"{row.passed:,}",
                f"{row.warned:,}",
                f"{row.failed:,}",
                f"{row.skipped:,}",
            )
            for row in tests.layers
        ),
        frozenset({1, 2, 3, 4}),
    )


def _not_passed(tests: Tests | None) -> Table | None:
    if tests is None or not tests.not_passed:
        return None
    return Table(
        ("Test", "Of", "Layer", "How it ended", "Rows found", "Builds in which it did not pass"),
        tuple(
            (
                row.name,
                row.model or "several",
                row.layer,
                _badge(WARNED if row.status == "warn" else FAILED),
                "–" if row.failures is None else f"{row.failures:,}",
                f"{row.builds_not_passed:,}",
            )
            for row in tests.not_passed
        ),
        frozenset({4, 5}),
    )


def _tests_words(tests: Tests | None) -> str:
    if tests is None:
        return ""
    total = sum(row.passed + row.warned + row.failed + row.skipped for row in tests.layers)
    passed = sum(row.passed for row in tests.layers)
    when = f", {moment_words(tests.finished_at)}" if tests.finished_at else ""
    if total and passed == total:
        return f"All {plural(total, 'test')} of the newest build passed{when}."
    return f"{passed:,} of {plural(total, 'test')} of the newest build passed{when}."


def _steps(rows: Sequence[StepRow]) -> Table | None:
    if not rows:
        return None
    return Table(
        ("Step", "Newest, s", "Usual, s", "Runs", "How it went"),
        tuple(
            (
                row.step,
                f"{row.seconds:,.1f}",
                "–" if row.usual is None else f"{row.usual:,.1f}",
                spark_of_times(row) or "–",
                "slower than usual"
                if row.is_slow
                else {"idle": "nothing to do", "failed": "failed"}.get(row.status, "done"),
            )
            for row in rows
        ),
        frozenset({1, 2}),
    )


def _checks(health: Health) -> Table | None:
    if not health.checks:
        return None
    return Table(
        ("Check", "Where", "Found", "Of", "Share", ""),
        tuple(
            (
                row.check.replace("_", " "),
                row.source,
                f"{row.flagged:,}",
                f"{row.total:,}",
                share(row.flagged / row.total) if row.total else "–",
                _badge(LOOK) if row.is_warning else "",
            )
            for row in health.checks
        ),
        frozenset({2, 3, 4}),
    )


def _runs(rows: Sequence[RunRow]) -> Table | None:
    if not rows:
        return None
    return Table(
        ("Began", "How it ended", "Steps", "Records", "Refused", "What went wrong"),
        tuple(
            (
                moment_words(row.started_at) if row.started_at else "–",
                "this run" if row.is_this else row.status,
                row.command or "–",
                f"{row.row_count:,}",
                f"{row.reject_count:,}",
                row.message or "–",
            )
            for row in rows[:MOST_RUNS]
        ),
        frozenset({3, 4}),
    )


def _budgets(rows: Sequence[BudgetRow]) -> Table:
    return Table(
        ("Source", "Unit", "Used", "Limit", "Left", "Share", "At the month's end"),
        tuple(
            (
                row.source,
                row.unit,
                number(row.used),
                "no limit" if row.limit is None else number(row.limit),
                "–" if row.left is None else number(row.left),
                bar_of(row) or "–",
                "too early to say"
                if row.projected is None
                else f"about {number(float(round(row.projected, 2)))} at this pace",
            )
            for row in rows
        ),
        frozenset({2, 3, 4}),
    )


def _earlier(rows: Sequence[BudgetRow]) -> Table:
    return Table(
        ("Month", "Source", "Unit", "Used", "Limit"),
        tuple(
            (
                month_words(row.month),
                row.source,
                row.unit,
                number(row.used),
                "no limit" if row.limit is None else number(row.limit),
            )
            for row in rows
        ),
        frozenset({3, 4}),
    )
