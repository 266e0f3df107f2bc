"""The business calendar: days as instants, holidays, closed days, promotions, stock-outs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from extract.base import ExtractError
from extract.simulated.draws import dice
from extract.simulated.settings import Scenario

_PROMOTION_BLOCK_DAYS = 45
_CAMPAIGN_BLOCK_DAYS = 30
_STOCK_OUT_BLOCK_DAYS = 90


@dataclass(frozen=True, slots=True)
class Window:
    """A promotion or stock-out: first and last day as day numbers, both inclusive.

    `strength` is the discount ratio of a promotion.
    """

    first_day: int
    last_day: int
    strength: float = 0.0


class Clock:
    """Turns day numbers into business days and instants in UTC."""

    def __init__(self, start_date: date, business_timezone: str) -> None:
        try:
            self._zone = ZoneInfo(business_timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ExtractError(
                f"business_timezone {business_timezone!r} is no time zone that is known here.",
                "Set an IANA name such as Europe/Berlin.",
            ) from error
        self._start = start_date
        self._starts: dict[int, datetime] = {}

    def date(self, day: int) -> date:
        return self._start + timedelta(days=day)

    def start(self, day: int) -> datetime:
        """The first instant of the business day, in UTC."""
        if day not in self._starts:
            on = self.date(day)
            midnight = datetime(on.year, on.month, on.day, tzinfo=self._zone)
            self._starts[day] = midnight.astimezone(UTC)
        return self._starts[day]

    def at(self, day: int, fraction: float) -> datetime:
        """The instant at a fraction [0, 1) of the business day, which may have 23 or 25 hours."""
        start = self.start(day)
        length = (self.start(day + 1) - start).total_seconds()
        return start + timedelta(milliseconds=int(length * fraction * 1000))

    def fetched_at(self, day: int) -> datetime:
        """When the records of the business day are fetched: ten minutes after it ended."""
        return self.start(day + 1) + timedelta(minutes=10)


def iso_milliseconds(instant: datetime) -> str:
    """An instant in UTC as 2026-01-05T10:00:00.000Z."""
    return instant.isoformat(timespec="milliseconds")[:23] + "Z"


def iso_seconds(instant: datetime) -> str:
    """An instant in UTC as 2026-01-05T10:00:00Z."""
    return instant.isoformat(timespec="seconds")[:19] + "Z"


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """The nth weekday (0 = Monday) of a month; nth = -1 is the last one."""
    if nth > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


@cache
def holidays(year: int) -> dict[date, tuple[str, float]]:
    """Holidays of a year: name and effect on the log of sales."""
    thanksgiving = _nth_weekday(year, 11, 3, 4)
    return {
        date(year, 1, 1): ("New Year's Day", -0.60),
        _nth_weekday(year, 1, 0, 3): ("Martin Luther King Jr. Day", -0.15),
        _nth_weekday(year, 2, 0, 3): ("Presidents' Day", -0.15),
        _nth_weekday(year, 5, 0, -1): ("Memorial Day", -0.35),
        date(year, 6, 19): ("Juneteenth", -0.20),
        date(year, 7, 4): ("Independence Day", -0.40),
        _nth_weekday(year, 9, 0, 1): ("Labor Day", -0.30),
        thanksgiving: ("Thanksgiving", -0.50),
        thanksgiving + timedelta(days=1): ("Black Friday", 0.70),
        thanksgiving + timedelta(days=4): ("Cyber Monday", 0.80),
        date(year, 12, 24): ("Christmas Eve", -0.30),
        date(year, 12, 26): ("Boxing Day", -0.20),
        date(year, 12, 31): ("New Year's Eve", -0.40),
    }


@cache
def closed_days(year: int) -> dict[date, str]:
    """Days on which the shop sells nothing."""
    return {
        _nth_weekday(year, 3, 6, 2): "Annual stocktake",
        date(year, 12, 25): "Christmas Day",
    }


def promotions(seed: int, product_id: str, scenario: Scenario, days: int) -> list[Window]:
    """Promotion windows that start before `days`."""
    if scenario.kind == "promotion":
        return _windows(seed, "promotion", product_id, days, _CAMPAIGN_BLOCK_DAYS, 1.0, (4, 6))
    return _windows(seed, "promotion", product_id, days, _PROMOTION_BLOCK_DAYS, 0.6, (3, 5))


def stock_outs(seed: int, product_id: str, scenario: Scenario, days: int) -> list[Window]:
    """Stock-out windows that start before `days`, none of which overlaps a promotion."""
    if scenario.kind == "intermittent":
        return []
    found = _windows(seed, "stock_out", product_id, days, _STOCK_OUT_BLOCK_DAYS, 0.4, (2, 4))
    taken = promotions(seed, product_id, scenario, days + _STOCK_OUT_BLOCK_DAYS)
    return [
        window
        for window in found
        if all(window.last_day < p.first_day or p.last_day < window.first_day for p in taken)
    ]


def _windows(
    seed: int,
    purpose: str,
    product_id: str,
    days: int,
    block_days: int,
    probability: float,
    lengths: tuple[int, int],
) -> list[Window]:
    """At most one window a block of days, whole inside its block."""
    found = []
    for block in range(-(-days // block_days)):
        luck = dice(seed, purpose, product_id, block)
        if not luck.chance(probability):
            continue
        length = lengths[0] + luck.below(lengths[1] - lengths[0] + 1)
        first = block * block_days + 3 + luck.below(block_days - length - 5)
        strength = (10 + 5 * luck.below(5)) / 100
        if first < days:
            found.append(Window(first, first + length - 1, strength))
    return found
