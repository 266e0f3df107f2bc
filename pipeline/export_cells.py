"""SQL that turns the columns of a table into lines of CSV, TSV and JSON, or into Parquet's types.

Lines are put together in SQL because only there every value is still exact: a decimal that passes
through a float, or an instant that passes through a local zone, is another one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT")
_EXACT = (*_INTEGERS, "UINTEGER", "UBIGINT", "UHUGEINT", "DECIMAL")
_FLOATS = ("FLOAT", "DOUBLE")
_FOR_PARQUET = {"HUGEINT": "decimal(38, 0)", "UHUGEINT": "decimal(38, 0)"}
_AS_TEXT_IN_PARQUET = ("JSON", "UUID", "ENUM", "INTERVAL", "BIT", "TIME")

_FORMULA_STARTS = "^[=+@\\-\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"
"""What makes a spreadsheet run a cell; the last four are their full-width forms."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column and its type as DuckDB writes it."""

    name: str
    type: str

    @property
    def quoted(self) -> str:
        return quoted(self.name)

    @property
    def is_nested(self) -> bool:
        return self.type.endswith("]") or self.type.startswith(("STRUCT(", "MAP(", "UNION("))

    @property
    def is_exact_number(self) -> bool:
        return not self.is_nested and self.type.startswith(_EXACT)

    @property
    def is_float(self) -> bool:
        return self.type in _FLOATS


def quoted(name: str) -> str:
    """A name as SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL takes any text."""
    return "'" + value.replace("'", "''") + "'"


def delimited_header(fields: Sequence[Field], delimiter: str) -> str:
    return delimiter.join(
        '"' + field.name.replace('"', '""') + '"'
        if any(sign in field.name for sign in (delimiter, '"', "\r", "\n"))
        else field.name
        for field in fields
    )


def delimited_line(fields: Sequence[Field], delimiter: str, *, is_plain: bool) -> str:
    """A row as one line of RFC 4180: null is nothing at all, an empty text is `""`."""
    # A line of one empty cell would be an empty line, which readers skip.
    null = '""' if len(fields) == 1 else ""
    cells = [
        f"coalesce({_cell(field, delimiter, is_plain=is_plain)}, {text(null)})" for field in fields
    ]
    return f" || {_literal(delimiter)} || ".join(cells)


def json_line(fields: Sequence[Field]) -> str:
    """A row as one JSON object; numbers keep their digits, what is JSON stays JSON."""
    parts = [
        f"{text(json.dumps(field.name, ensure_ascii=False) + ':')} "
        f"|| coalesce({_json(field)}, 'null')"
        for field in fields
    ]
    return "'{' || " + " || ',' || ".join(parts) + " || '}'"


def parquet_columns(fields: Sequence[Field]) -> str:
    """The columns in types that Parquet has and that lose nothing."""
    return ", ".join(f"{_parquet(field)} as {field.quoted}" for field in fields)


def _cell(field: Field, delimiter: str, *, is_plain: bool) -> str:
    name = field.quoted
    if field.is_exact_number or field.is_float or field.type in ("BOOLEAN", "DATE"):
        return f"cast({name} as varchar)"
    if field.type.startswith("TIMESTAMP"):
        return _instant(field)
    value = _nested(field) if field.is_nested else f"cast({name} as varchar)"
    if not is_plain:
        value = (
            f"case when regexp_matches({value}, {text(_FORMULA_STARTS)}) "
            f"then '''' || {value} else {value} end"
        )
    sign = "\\t" if delimiter == "\t" else delimiter
    needs_quotes = text(f'["\\r\\n{sign}]')
    return (
        f"case when ({value}) = '' or regexp_matches({value}, {needs_quotes}) "
        f"""then '"' || replace({value}, '"', '""') || '"' else {value} end"""
    )


def _json(field: Field) -> str:
    name = field.quoted
    if field.is_exact_number or field.type == "BOOLEAN":
        return f"cast({name} as varchar)"
    if field.is_float:
        # JSON has no word for these.
        return f"case when isfinite({name}) then cast({name} as varchar) end"
    if field.type == "JSON":
        return _one_line(f"cast({name} as varchar)")
    if field.is_nested:
        return _one_line(_nested(field))
    value = _instant(field) if field.type.startswith("TIMESTAMP") else f"cast({name} as varchar)"
    return f"cast(to_json({value}) as varchar)"


def _one_line(value: str) -> str:
    """JSON on one line: between its tokens a line break is a space, inside a text there is none.
    What is no JSON after all becomes a text."""
    return (
        f"case when json_valid({value}) "
        f"then regexp_replace({value}, '[\\r\\n]+', ' ', 'g') "
        f"else cast(to_json({value}) as varchar) end"
    )


def _nested(field: Field) -> str:
    return f"cast(to_json({field.quoted}) as varchar)"


def _instant(field: Field) -> str:
    """ISO 8601 with microseconds; `Z` where the column knows its zone (the session's is UTC)."""
    zone = "Z" if field.type == "TIMESTAMP WITH TIME ZONE" else ""
    return f"strftime({field.quoted}, '%Y-%m-%dT%H:%M:%S.%f{zone}')"


def _parquet(field: Field) -> str:
    if field.type in _FOR_PARQUET:
        return f"cast({field.quoted} as {_FOR_PARQUET[field.type]})"
    if not field.is_nested and field.type.startswith(_AS_TEXT_IN_PARQUET):
        is_instant = field.type.startswith("TIMESTAMP")
        return field.quoted if is_instant else f"cast({field.quoted} as varchar)"
    return field.quoted


def _literal(delimiter: str) -> str:
    return "chr(9)" if delimiter == "\t" else text(delimiter)
