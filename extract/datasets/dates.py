"""Dates of data files as instants in UTC: format lists, epochs, abbreviations, zero-based months.

Formats are those of `strptime`, read here without the locale, in English, so that a file means the
same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

EPOCH_SCALES: Mapping[str, int] = {
    "epoch_s": 1,
    "epoch_ms": 1_000,
    "epoch_us": 1_000_000,
    "epoch_ns": 1_000_000_000,
}
ISO = "iso"

# Only abbreviations with one usual meaning, and for BST and the American ones the usual one. IST,
# which is Indian, Irish or Israeli, has to be said by the mapping.
ABBREVIATIONS: Mapping[str, float] = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7,
    "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "JST": 9, "KST": 9,
    "AEST": 10, "AEDT": 11, "ACST": 9.5, "ACDT": 10.5, "AWST": 8, "NZST": 12, "NZDT": 13,
}  # fmt: skip

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}
_PATTERNS = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d{2})",
    "m": r"(?P<m>\d{1,2})",
    "d": r"(?P<d>\d{1,2})",
    "e": r"\s?(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3,9})\.?",
    "B": r"(?P<b>[A-Za-z]{3,9})\.?",
    "a": r"[A-Za-z]{2,9}\.?",
    "A": r"[A-Za-z]{2,9}\.?",
    "H": r"(?P<H>\d{1,2})",
    "I": r"(?P<I>\d{1,2})",
    "M": r"(?P<M>\d{1,2})",
    "S": r"(?P<S>\d{1,2})",
    "f": r"(?P<f>\d{1,9})",
    "p": r"(?P<p>[AaPp]\.?[Mm]\.?)",
    "z": r"(?P<z>Z|[+-]\d{2}:?\d{2}(?::?\d{2})?|[+-]\d{2})",
    "Z": r"(?P<Z>[A-Za-z]{1,5})",
    "j": r"(?P<j>\d{1,3})",
    "%": "%",
}
_COMPOUND = {"T": "%H:%M:%S", "D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M"}
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,9}))?\s*(.*))?", re.DOTALL
)
_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})?(?::?(\d{2}))?")
_LATEST_EPOCH = datetime(2100, 1, 1, tzinfo=UTC)
_START = datetime(1970, 1, 1, tzinfo=UTC)


class DateError(ValueError):
    """A value is no date in the mapping's formats; the text is the reason for a reject."""


@dataclass(frozen=True, slots=True)
class DateReader:
    """How the dates of one column are read.

    `formats` holds strptime formats, `iso` and `epoch_s`, `epoch_ms`, `epoch_us`, `epoch_ns`; the
    first that fits counts. A time without a zone is in `zone`; where the clocks go back, the
    earlier of two instants is meant.
    """

    formats: tuple[str, ...]
    zone: tzinfo
    month_is_zero_based: bool = False
    abbreviations: Mapping[str, timedelta] | None = None

    def parser(self) -> Callable[[object], datetime]:
        """A function from a value to an aware instant in its own zone; raises `DateError`."""
        readers = [self._reader(item) for item in self.formats]
        text_reader = readers[0] if len(readers) == 1 else _first_of(readers, self.formats)

        def parse(value: object) -> datetime:
            if isinstance(value, str):
                return text_reader(value.strip())
            if isinstance(value, datetime):
                return value if value.tzinfo else value.replace(tzinfo=self.zone)
            if isinstance(value, date):
                return datetime(value.year, value.month, value.day, tzinfo=self.zone)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return text_reader(str(value))
            raise DateError(f"a {type(value).__name__} is not a date")

        return parse

    def _reader(self, item: str) -> Callable[[str], datetime]:
        if item in EPOCH_SCALES:
            return _epoch_reader(item)
        if item == ISO:
            return lambda text: _read_iso(text, self.zone, self.month_is_zero_based)
        pattern = compile_format(item)
        names = {name: timedelta(hours=hours) for name, hours in ABBREVIATIONS.items()}
        names.update(self.abbreviations or {})
        base = 1 if self.month_is_zero_based else 0
        return lambda text: _read_format(text, item, pattern, self.zone, base, names)


def as_utc(moment: datetime) -> str:
    """An aware instant as ISO text in UTC, with a fraction only where there is one."""
    try:
        text = moment.astimezone(UTC).isoformat()
    except (OverflowError, ValueError) as error:
        raise DateError("the date is out of range") from error
    return text.replace("+00:00", "Z")


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo:
    """The time zone of an IANA name or of an offset such as `+02:00`; raises `ValueError`."""
    if name.upper() in {"UTC", "Z", "GMT"}:
        return UTC
    if _OFFSET.fullmatch(name):
        return timezone(_offset(name))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone") from error


@lru_cache(maxsize=256)
def compile_format(item: str) -> re.Pattern[str]:
    """The pattern of one strptime format; raises `ValueError` for an unknown directive."""
    for letter, expansion in _COMPOUND.items():
        item = item.replace(f"%{letter}", expansion)
    parts: list[str] = []
    position = 0
    while position < len(item):
        character = item[position]
        if character == "%":
            letter = item[position + 1 : position + 2]
            if letter == "-":
                position += 1
                letter = item[position + 1 : position + 2]
            if letter not in _PATTERNS:
                known = " ".join(f"%{name}" for name in _PATTERNS)
                raise ValueError(f"%{letter} in {item!r} is not understood; known are {known}")
            parts.append(_PATTERNS[letter])
            position += 2
        elif character.isspace():
            parts.append(r"\s+")
            position += 1
        else:
            parts.append(re.escape(character))
            position += 1
    try:
        pattern = re.compile("".join(parts))
    except re.error as error:
        raise ValueError(f"{item!r} names the same part twice") from error
    has_day = {"j"} <= set(pattern.groupindex) or (
        {"d"} <= set(pattern.groupindex) and {"m", "b"} & set(pattern.groupindex)
    )
    if not ({"Y", "y"} & set(pattern.groupindex) and has_day):
        raise ValueError(f"{item!r} lacks a year, a month or a day")
    return pattern


def check_formats(formats: Sequence[str]) -> None:
    """Raise `ValueError` if one of the formats cannot be used."""
    for item in formats:
        if item != ISO and item not in EPOCH_SCALES:
            if "%" not in item:
                known = ", ".join((ISO, *EPOCH_SCALES))
                raise ValueError(f"{item!r} is neither a strptime format nor one of {known}")
            compile_format(item)


def _first_of(
    readers: Sequence[Callable[[str], datetime]], formats: Sequence[str]
) -> Callable[[str], datetime]:
    def read(text: str) -> datetime:
        reasons = []
        for reader in readers:
            try:
                return reader(text)
            except DateError as error:
                reasons.append(str(error))
        special = next((reason for reason in reasons if "does not match" not in reason), None)
        raise DateError(special or f"does not match any of {', '.join(formats)}")

    return read


def _epoch_reader(item: str) -> Callable[[str], datetime]:
    scale = EPOCH_SCALES[item]

    def read(text: str) -> datetime:
        try:
            if "." in text or "e" in text.lower():
                seconds, rest = divmod(round(float(text) * 1_000_000 / scale), 1_000_000)
            else:
                seconds, rest = divmod(int(text) * 1_000_000 // scale, 1_000_000)
        except (ValueError, OverflowError):
            raise DateError(f"does not match {item}: not a number") from None
        try:
            moment = _START + timedelta(seconds=seconds, microseconds=rest)
        except OverflowError:
            moment = _LATEST_EPOCH
        if moment >= _LATEST_EPOCH:
            raise DateError(f"does not match {item}: after 2099, so the unit is a smaller one")
        return moment

    return read


def _read_iso(text: str, zone: tzinfo, month_is_zero_based: bool) -> datetime:
    match = _ISO.fullmatch(text)
    if match is None:
        raise DateError("does not match iso (2024-03-05 or 2024-03-05T10:00:00+01:00)")
    day, clock, fraction, offset = match.groups()
    if month_is_zero_based:
        day = f"{day[:4]}-{int(day[5:7]) + 1:02d}-{day[8:]}"
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}")
    except ValueError as error:
        raise DateError(f"is no date: {error}") from None
    if fraction:
        moment = moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))
    if not offset:
        return moment.replace(tzinfo=zone)
    if offset.upper() in {"Z", "UTC", "GMT"}:
        return moment.replace(tzinfo=UTC)
    if not _OFFSET.fullmatch(offset):
        raise DateError("does not match iso: what follows the time is no offset")
    return moment.replace(tzinfo=timezone(_offset(offset)))


def _read_format(
    text: str,
    item: str,
    pattern: re.Pattern[str],
    zone: tzinfo,
    month_base: int,
    abbreviations: Mapping[str, timedelta],
) -> datetime:
    match = pattern.fullmatch(text)
    if match is None:
        raise DateError(f"does not match {item}")
    parts = match.groupdict()
    try:
        day = _day(parts, month_base)
        return datetime(
            day.year,
            day.month,
            day.day,
            _hour(parts),
            int(parts.get("M") or 0),
            int(parts.get("S") or 0),
            int((parts.get("f") or "0")[:6].ljust(6, "0")),
            tzinfo=_zone(parts, zone, abbreviations),
        )
    except DateError:
        raise
    except (ValueError, OverflowError) as error:
        raise DateError(f"is no date by {item}: {error}") from None


def _day(parts: Mapping[str, str | None], month_base: int) -> date:
    if parts.get("Y"):
        year = int(parts["Y"] or 0)
    else:
        year = int(parts["y"] or 0)
        year += 2000 if year < 69 else 1900
    if parts.get("j"):
        return date(year, 1, 1) + timedelta(days=int(parts["j"] or 0) - 1)
    name = parts.get("b")
    if name:
        month = _MONTHS.get(name.lower())
        if month is None:
            raise ValueError(f"{name!r} is no English month")
    else:
        month = int(parts["m"] or 0) + month_base
    return date(year, month, int(parts["d"] or 0))


def _hour(parts: Mapping[str, str | None]) -> int:
    if not parts.get("I"):
        return int(parts.get("H") or 0)
    hour = int(parts["I"] or 0)
    if not 1 <= hour <= 12:
        raise ValueError("hour must be in 1..12")
    is_afternoon = (parts.get("p") or "a")[0].lower() == "p"
    return hour % 12 + (12 if is_afternoon else 0)


def _zone(
    parts: Mapping[str, str | None], zone: tzinfo, abbreviations: Mapping[str, timedelta]
) -> tzinfo:
    offset = parts.get("z")
    if offset:
        return UTC if offset == "Z" else timezone(_offset(offset))
    name = parts.get("Z")
    if name:
        shift = abbreviations.get(name.upper())
        if shift is None:
            raise DateError(
                f"time zone {name!r} is not known; give its offset under time_zone_abbreviations"
            )
        return timezone(shift)
    return zone


def _offset(text: str) -> timedelta:
    match = _OFFSET.fullmatch(text)
    if match is None:
        raise DateError(f"{text!r} is no offset such as +02:00")
    sign, hours, minutes, seconds = match.groups()
    shift = timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
    if shift >= timedelta(hours=24):
        raise DateError(f"offset {text!r} is out of range")
    return -shift if sign == "-" else shift


def offset_of(value: str | float) -> timedelta:
    """An offset given as `+05:30` or as hours; raises `ValueError`."""
    if isinstance(value, str):
        return _offset(value)
    if not -24 < value < 24:
        raise ValueError(f"an offset of {value} hours is out of range")
    return timedelta(hours=value)
