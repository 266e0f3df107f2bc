"""What a run tells while work goes on, in the form that its reader takes.

`terminal` is for people: a moving bar on a terminal, plain lines elsewhere, tables at the end.
`lines` and `json` are for schedules: one line an event with its instant, so that journals and log
files can be searched by time, target and run. Information goes to standard output, progress,
warnings and errors go to standard error, in every form.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipeline.secrets import RedactingFormatter, redact

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PLAIN_INTERVAL_SECONDS = 10.0

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def clean(text: str) -> str:
    """Text from outside made safe for a terminal: no control characters, no markup."""
    return escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


Fact = str | int | float | bool | None | list[str] | Mapping[str, str | int]


class LogForm(StrEnum):
    """How a run's events are written."""

    TERMINAL = "terminal"
    LINES = "lines"
    JSON = "json"


class Level(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_SHOWN_BEFORE = {"note": "note: ", "problem": "problem: ", "error": "error: ", "remedy": "remedy: "}


@dataclass(slots=True)
class _Voice:
    """The form of this process, and what every line of it names."""

    form: LogForm = LogForm.TERMINAL
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    context: dict[str, str] = field(default_factory=dict)


_voice = _Voice()


def speak(form: LogForm, *, now: Callable[[], datetime] | None = None) -> None:
    """Choose the form for this process, for its own events and for log records of libraries."""
    _voice.form = form
    _voice.context.clear()
    if now is not None:
        _voice.now = now
    handler = logging.StreamHandler()
    handler.setFormatter(_Records("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def log_form() -> LogForm:
    """The form of this process, which its child processes take too."""
    return _voice.form


def is_for_people() -> bool:
    return _voice.form is LogForm.TERMINAL


def name_run(*, target: str, run_id: str) -> None:
    """Name the run in every line from here on."""
    _voice.context.update(target=target, run_id=run_id)


def tell(event: str, message: str, *, level: Level = Level.INFO, **facts: Fact) -> None:
    """Tell one event. `message` is for people and may come from outside; `facts` are for
    programs: numbers, names and lists that a line would have to be taken apart for."""
    message = redact(message)
    if is_for_people():
        console = out if level is Level.INFO else err
        console.print(f"{_SHOWN_BEFORE.get(event, '')}{clean(message)}")
        return
    stream = sys.stdout if level is Level.INFO else sys.stderr
    _write(stream, _line(event, message, level.value, facts))


def _line(event: str, message: str, level: str, facts: Mapping[str, Fact]) -> str:
    instant = _voice.now().astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if _voice.form is LogForm.JSON:
        content: dict[str, Any] = {"at": instant, "level": level, "event": event}
        content |= {**_voice.context, "message": message}
        content |= {key: _told(value) for key, value in facts.items() if value is not None}
        return json.dumps(content, ensure_ascii=True)
    named = " ".join(_voice.context.values())
    # One line an event, whatever the message holds.
    text = CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join(message.split()))
    return " ".join(part for part in (instant, level.upper(), named, f"{event}:", text) if part)


def _told(value: Fact) -> Fact:
    """A fact without secrets. Before it becomes JSON, which writes some signs in another way."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact(entry) for entry in value]
    if isinstance(value, Mapping):
        return {key: redact(v) if isinstance(v, str) else v for key, v in value.items()}
    return value


def _write(stream: TextIO, line: str) -> None:
    stream.write(line.encode("utf-8", "replace").decode("utf-8") + "\n")
    stream.flush()


class _Records(RedactingFormatter):
    """Log records of this project and of libraries in the form of the process."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        if is_for_people():
            return text
        return redact(_line("log", text, record.levelname.lower(), {"logger": record.name}))


class Meter:
    """Counts what a step has done and shows it with rate and time left where they are known."""

    def __init__(self, label: str, progress: Progress | None) -> None:
        self.label = label
        self._progress = progress
        self._task: TaskID | None = None
        self._started = time.monotonic()
        self._last_line = self._started
        if progress is not None:
            self._task = progress.add_task(label, total=None, rate="")

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Show that `done` of `total` units (unknown when None) are finished."""
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = done / elapsed
        shown_rate = f"{rate:,.0f}/s" if rate >= 1 else ""
        if self._progress is not None and self._task is not None:
            description = f"{self.label} {clean(note)}".rstrip()
            self._progress.update(
                self._task, completed=done, total=total, description=description, rate=shown_rate
            )
            return
        now = time.monotonic()
        if now - self._last_line < PLAIN_INTERVAL_SECONDS:
            return
        self._last_line = now
        of_total = f" of {total:,}" if total else ""
        left = ""
        if total and rate > 0:
            left = f"about {max(total - done, 0) / rate:,.0f} s left"
        line = " ".join(part for part in (f"{done:,}{of_total}", shown_rate, left) if part)
        if is_for_people():
            err.print(f"  {self.label}: {line}", markup=False)
        else:
            facts: dict[str, Fact] = {"step": self.label, "done": done, "total": total}
            _write(sys.stderr, _line("progress", f"{self.label}: {line}", "info", facts))


@contextmanager
def meter(label: str) -> Iterator[Meter]:
    """A progress display for one step; removed from the terminal when the step ends."""
    if not (sys.stderr.isatty() and is_for_people()):
        yield Meter(label, None)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield Meter(label, progress)
