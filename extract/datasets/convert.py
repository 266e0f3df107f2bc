"""From the values of a column to the values of a field: one function a field type.

A converter takes one value that is not missing and returns what lands, or raises `BadValue`, whose
text is the reason for the reject. Reasons name no value, so that they can be counted.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any

from extract.datasets.dates import DateError, as_utc
from extract.datasets.kinds import FieldType
from extract.datasets.mapping import DatasetMapping, Decoding, FieldSpec

Converter = Callable[[Any], Any]

_SCIENTIFIC = re.compile(r"[+-]?\d(\.\d+)?[eE]\+?\d+")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_BYTES_LITERAL = re.compile(r"\s*b(['\"]).*\1\s*", re.DOTALL)
_MISREAD = re.compile(r"[\u0080-\U0010ffff]{2,}")
_TRUE = {"true", "t", "yes", "y", "1", "1.0"}
_FALSE = {"false", "f", "no", "n", "0", "0.0"}
_EXACT_FLOAT = 2.0**53


class BadValue(ValueError):  # noqa: N818 - it is a value, and the reason for a reject
    """A value that does not fit its field."""


def converter(
    mapping: DatasetMapping, spec: FieldSpec, field_type: FieldType, choices: tuple[str, ...] = ()
) -> Converter:
    """The function from a raw value to what lands in a field; None stays None."""
    nulls = frozenset(mapping.null_values if spec.null_values is None else spec.null_values)
    translate = _translator(spec)
    typed = _typed(mapping, spec, field_type, choices)
    is_text = field_type == "text"

    def convert(value: Any) -> Any:  # noqa: ANN401 - raw values
        if isinstance(value, str):
            if not is_text:
                value = value.strip()
            if value in nulls:
                return None
        elif value is None or value != value:
            return None
        if translate is not None:
            value = translate(value)
            if value is None:
                return None
        return typed(value)

    return convert


def _typed(
    mapping: DatasetMapping, spec: FieldSpec, field_type: FieldType, choices: tuple[str, ...]
) -> Converter:
    if field_type == "instant":
        return _instant(mapping, spec)
    if field_type == "day":
        return _day(mapping, spec)
    if field_type in {"number", "count"}:
        number = _number(spec.decimal or mapping.decimal, spec.thousands or mapping.thousands)
        return number if field_type == "number" else lambda value: _count(number(value))
    if field_type == "flag":
        return _flag
    if field_type == "choice":
        return _choice(choices)
    return _id if field_type == "id" else _text(spec.decode)


def _translator(spec: FieldSpec) -> Converter | None:
    if spec.map is None:
        return None
    table: dict[str, Any] = {}
    for key, target in spec.map.items():
        for name in _spellings(key):
            table[name] = target

    def translate(value: Any) -> Any:  # noqa: ANN401 - raw values
        name = str(value)
        if name in table:
            return table[name]
        if spec.otherwise == "keep":
            return value
        if spec.otherwise == "null":
            return None
        raise BadValue("is not in `map`")

    return translate


def _spellings(key: object) -> tuple[str, ...]:
    """YAML reads `yes` and `true` as one value: all that it may have been."""
    if key is True:
        return ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON")
    if key is False:
        return ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF")
    return (str(key),)


def _id(value: Any) -> str:  # noqa: ANN401 - raw values
    if isinstance(value, bool | bytes | datetime | date | list | dict):
        raise BadValue(f"a {type(value).__name__} is no id")
    if isinstance(value, float | Decimal):
        if value != int(value):
            raise BadValue("a number with a fraction is no id")
        if isinstance(value, float) and abs(value) >= _EXACT_FLOAT:
            raise BadValue("is stored as a floating-point number that has lost digits")
        return str(int(value))
    text = str(value)
    if _SCIENTIFIC.fullmatch(text):
        raise BadValue("is in scientific notation: the file has lost its digits")
    return _clean(text)


def _text(decodings: tuple[Decoding, ...]) -> Converter:
    steps = [_DECODERS[name] for name in decodings]

    def convert(value: Any) -> str:  # noqa: ANN401 - raw values
        if isinstance(value, bytes):
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                raise BadValue("is bytes that are not utf-8") from None
        if isinstance(value, list | tuple | dict):
            raise BadValue(f"a {type(value).__name__} is no text")
        text = value if isinstance(value, str) else str(value)
        for step in steps:
            text = step(text)
        return _clean(text)

    return convert


def _clean(text: str) -> str:
    if "\0" in text:
        raise BadValue("holds a NUL character")
    return text


def _number(decimal: str, thousands: str) -> Callable[[Any], int | float]:
    grouped = (
        re.compile(rf"[+-]?\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+(?:{re.escape(decimal)}\d*)?")
        if thousands
        else None
    )

    def convert(value: Any) -> int | float:  # noqa: ANN401 - raw values
        if isinstance(value, bool):
            raise BadValue("is no number")
        if isinstance(value, int):
            return value
        if isinstance(value, float | Decimal):
            number = float(value)
            if not math.isfinite(number):
                raise BadValue("is not a finite number")
            return int(value) if isinstance(value, Decimal) and value == int(value) else number
        text = str(value)
        if grouped is not None and grouped.fullmatch(text):
            text = text.replace(thousands, "")
        if decimal != ".":
            text = text.replace(".", "\0").replace(decimal, ".")
        if not _PLAIN_NUMBER.fullmatch(text):
            raise BadValue("is no number")
        if text.lstrip("+-").isdigit():
            return int(text)
        number = float(text)
        if not math.isfinite(number):
            raise BadValue("is not a finite number")
        return number

    return convert


def _count(number: float) -> int:
    if number != int(number):
        raise BadValue("is no whole number")
    if number < 0:
        raise BadValue("is negative, which a count cannot be")
    return int(number)


def _flag(value: Any) -> bool:  # noqa: ANN401 - raw values
    if isinstance(value, bool):
        return value
    name = str(value).lower()
    if name in _TRUE:
        return True
    if name in _FALSE:
        return False
    raise BadValue("is neither true nor false; say what it means with `map`")


def _choice(choices: tuple[str, ...]) -> Converter:
    def convert(value: Any) -> str:  # noqa: ANN401 - raw values
        if value not in choices:
            raise BadValue(f"is none of {', '.join(choices)}")
        return str(value)

    return convert


def _instant(mapping: DatasetMapping, spec: FieldSpec) -> Converter:
    parse = mapping.date_reader(spec).parser()

    def convert(value: Any) -> str:  # noqa: ANN401 - raw values
        try:
            return as_utc(parse(value))
        except DateError as error:
            raise BadValue(str(error)) from None

    return convert


def _day(mapping: DatasetMapping, spec: FieldSpec) -> Converter:
    reader = mapping.date_reader(spec)
    parse = reader.parser()
    zone: tzinfo = reader.zone or UTC

    def convert(value: Any) -> str:  # noqa: ANN401 - raw values
        if isinstance(value, date) and not isinstance(value, datetime):
            return value.isoformat()
        try:
            return parse(value).astimezone(zone).date().isoformat()
        except DateError as error:
            raise BadValue(str(error)) from None
        except OverflowError:
            raise BadValue("the date is out of range") from None

    return convert


def _bytes_repr(text: str) -> str:
    """`b'caf\\xc3\\xa9'`, as Python shows bytes, as the text that it stands for.

    A cut sequence at its end, which stream captures leave behind, becomes U+FFFD.
    """
    if not _BYTES_LITERAL.fullmatch(text):
        return text
    # The literal may hold real line ends, which Python's own notation would not.
    literal = text.strip().replace("\r", "\\r").replace("\n", "\\n")
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, MemoryError):
        raise BadValue("looks like Python bytes but cannot be read as such") from None
    if not isinstance(value, bytes):
        raise BadValue("looks like Python bytes but cannot be read as such")
    return value.decode("utf-8", "replace")


def _misread_utf8(text: str) -> str:
    """Undo UTF-8 that was read as cp1252, run by run; a run that was no such stays as it is."""
    return _MISREAD.sub(_undo_run, text)


def _undo_run(match: re.Match[str]) -> str:
    run = match.group()
    try:
        # cp1252 leaves five bytes undefined, which programs pass through unchanged.
        raw = b"".join(
            bytes([ord(character)])
            if character in "\x81\x8d\x8f\x90\x9d"
            else character.encode("cp1252")
            for character in run
        )
        return raw.decode("utf-8")
    except UnicodeError:
        return run


_DECODERS: Mapping[Decoding, Callable[[str], str]] = {
    "python_bytes_repr": _bytes_repr,
    "utf8_read_as_cp1252": _misread_utf8,
}
