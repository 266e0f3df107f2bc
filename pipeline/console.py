"""What people see while work goes on: a moving bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

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

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PLAIN_INTERVAL_SECONDS = 10.0

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def clean(text: str) -> str:
    """Text from outside made safe for a terminal: no control characters, no markup."""
    return escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


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
            left = f", about {max(total - done, 0) / rate:,.0f} s left"
        err.print(f"  {self.label}: {done:,}{of_total} {shown_rate}{left}", markup=False)


@contextmanager
def meter(label: str) -> Iterator[Meter]:
    """A progress display for one step; removed from the terminal when the step ends."""
    if not sys.stderr.isatty():
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
