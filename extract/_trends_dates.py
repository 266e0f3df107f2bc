"""Dates of a whole column, told by their numbers alone: no month names, no words of a language."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

Precision = Literal["month", "day", "time"]

_TIME = r"(?:[T\s]+(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?(?::(?P<second>\d{2}))?(?:\.\d+)?"
_ZONE = r"(?:\s*(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?)?"
_YEAR_FIRST = re.compile(
    r"(?P<year>\d{4})\s*[-/.年년]\s*(?P<month>\d{1,2})"
    r"(?:\s*[-/.月월]\s*(?P<day>\d{1,2})\s*[.日일]?)?\s*[月월]?\s*" + _TIME + _ZONE
)
_YEAR_LAST = re.compile(
    r"(?P<one>\d{1,2})\s*(?P<sign>[-/.])\s*(?P<two>\d{1,2})\s*[-/.]\s*(?P<year>\d{4})"
    + _TIME
    + _ZONE
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date, or a date with a time. Files write no zone: their own time stands here as UTC."""

    start: datetime
    precision: Precision


def read_moments(texts: Sequence[str], *, order: str | None = None) -> list[Moment | None]:
    """The moments of a column, None where a cell is none.

    Where the year comes last, the order of day and month is what fits every cell, else the one by
    which the dates go up in equal steps, else `order`; if nothing tells, no such cell is a date.
    """
    matches = [(_YEAR_FIRST.fullmatch(text), _YEAR_LAST.fullmatch(text)) for text in texts]
    last = [match for first, match in matches if first is None and match is not None]
    is_day_first = _is_day_first(last, order) if last else None
    found: list[Moment | None] = []
    for first, match in matches:
        if first is not None:
            found.append(_moment(first, first["month"], first["day"]))
        elif match is not None and is_day_first is not None:
            one, two = match["one"], match["two"]
            found.append(_moment(match, *((two, one) if is_day_first else (one, two))))
        else:
            found.append(None)
    dates = [moment for moment in found if moment is not None]
    # A daily file of the newer site writes midnight behind every date.
    if len(dates) > 1 and all(_is_midnight(moment) for moment in dates):
        return [None if moment is None else Moment(moment.start, "day") for moment in found]
    return found


def _is_midnight(moment: Moment) -> bool:
    start = moment.start
    return moment.precision == "time" and (start.hour, start.minute, start.second) == (0, 0, 0)


def _is_day_first(matches: Sequence[re.Match[str]], order: str | None) -> bool | None:
    # Nobody writes the month first and dots between.
    if any(int(match["one"]) > 12 or match["sign"] == "." for match in matches):
        return True
    if any(int(match["two"]) > 12 for match in matches):
        return False
    if len(matches) > 2:
        evenness = {
            is_day_first: _is_even(
                [
                    _moment(m, *((m["two"], m["one"]) if is_day_first else (m["one"], m["two"])))
                    for m in matches
                ]
            )
            for is_day_first in (True, False)
        }
        if evenness[True] != evenness[False]:
            return evenness[True]
    return None if order is None else order == "dmy"


def _is_even(moments: Sequence[Moment | None]) -> bool:
    """Whether dates go up in equal steps, or by months."""
    starts = [moment.start for moment in moments if moment is not None]
    steps = {(after - before).days for before, after in pairwise(starts)}
    return len(steps) == 1 or (bool(steps) and min(steps) >= 28 and max(steps) <= 31)


def _moment(match: re.Match[str], month: str, day: str | None) -> Moment | None:
    parts = match.groupdict()
    try:
        start = datetime(
            int(parts["year"]),
            int(month),
            int(day or 1),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    if parts["hour"] is not None:
        return Moment(start, "time")
    return Moment(start, "month" if day is None else "day")
