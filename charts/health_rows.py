"""What the pages on health and budgets show, as plain rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias

State: TypeAlias = Literal["ok", "look at", "broken", "not known"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding in words; `section` is the part of the page that shows it."""

    state: State
    text: str
    section: str


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. `is_this` marks the one that built the file: it had not ended yet."""

    run_id: str
    command: str
    status: str
    message: str
    started_at: datetime | None
    ended_at: datetime | None
    row_count: int
    reject_count: int
    is_this: bool


@dataclass(frozen=True, slots=True)
class VolumeDay:
    """Records of one stream that came on one UTC day, beside what is usual (None: unknown)."""

    day: date
    rows: int
    usual: float | None
    low: float | None
    high: float | None
    state: str | None
    is_complete: bool


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream of a source: how fresh it is and what came lately, oldest day first."""

    source: str
    stream: str
    freshness: str
    checked_at: datetime | None
    last_fetched_at: datetime | None
    last_answered_at: datetime | None
    age_hours: float | None
    cadence_hours: float | None
    warn_after_hours: float | None
    failed_asks: int
    row_count: int | None
    reject_count: int | None
    is_warning: bool
    volumes: tuple[VolumeDay, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectRow:
    """Lines refused for one reason; `example` is a landing file and line, never their text.

    `last_day_count` is of this reason on its last day, of `last_day_lines` of all reasons and good.
    """

    source: str
    stream: str
    reason: str
    count: int
    first_day: date
    last_day: date
    last_day_count: int
    last_day_lines: int | None
    example: str


@dataclass(frozen=True, slots=True)
class DriftRow:
    """One field of a payload that changed: its share of records and its type, before and lately."""

    source: str
    stream: str
    field: str
    drift: str
    earlier_share: float | None
    recent_share: float | None
    earlier_type: str | None
    recent_type: str | None
    first_seen: date
    last_seen: date
    recent_day: date
    is_warning: bool


@dataclass(frozen=True, slots=True)
class LayerTests:
    """Tests of one layer in the newest build."""

    layer: str
    passed: int
    warned: int
    failed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class TestRow:
    """A test of the newest build that did not pass."""

    name: str
    model: str
    layer: str
    status: str
    failures: int | None
    builds_not_passed: int


@dataclass(frozen=True, slots=True)
class Tests:
    """The newest build's tests."""

    run_id: str
    finished_at: datetime | None
    layers: tuple[LayerTests, ...]
    not_passed: tuple[TestRow, ...]
    slowest: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class StepRow:
    """The newest time of a step, beside what is usual for it (None: too few runs)."""

    step: str
    status: str
    seconds: float
    usual: float | None
    highest_usual: float | None
    is_slow: bool
    series: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One unit of a source in one month; `projected` is its use at the month's end at this pace,
    None where the month is over or too young to tell."""

    source: str
    month: date
    unit: str
    used: float
    limit: float | None
    left: float | None
    ratio: float | None
    projected: float | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A check of the last build's data that found something."""

    check: str
    source: str
    flagged: int
    total: int
    is_warning: bool


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that the pages on health and budgets show."""

    state: State
    words: str
    reasons: tuple[Reason, ...]
    checked_at: datetime | None
    is_simulated: bool
    runs: tuple[RunRow, ...] = ()
    streams: tuple[StreamRow, ...] = ()
    rejects: tuple[RejectRow, ...] = ()
    drift: tuple[DriftRow, ...] = ()
    tests: Tests | None = None
    steps: tuple[StepRow, ...] = ()
    budgets: tuple[BudgetRow, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    missing: tuple[str, ...] = field(default=())
