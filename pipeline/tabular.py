"""Rows of CSV, TSV, JSON lines and Parquet files, read and written a piece at a time."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from udfs.errors import SocialSignalsError

if TYPE_CHECKING:
    import pyarrow as pa

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_ROWS_PER_GROUP = 4_096
# A spreadsheet runs a cell that begins with one of these as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Row = dict[str, Any]


class TabularError(SocialSignalsError):
    """A file that cannot be read or written as asked."""


def check_suffix(file: Path) -> str:
    """Return a file's suffix; raises `TabularError` for one that is not known."""
    suffix = file.suffix.lower()
    if suffix not in SUFFIXES:
        raise TabularError(
            f"{file}: unknown kind of file {suffix or '(no suffix)'}.",
            f"Use a name that ends in {', '.join(SUFFIXES)}.",
        )
    return suffix


def read_rows(file: Path, *, required: Sequence[str]) -> tuple[Iterator[Row], pa.Schema | None]:
    """Return a file's rows and, for Parquet, its schema. Memory does not grow with the file.

    Raises `TabularError` if the file cannot be read or lacks a required column (a JSON line
    may leave out a key, as long as the first line has it).
    """
    readers: dict[str, Callable[[Path], tuple[Iterator[Row], pa.Schema | None]]] = {
        ".csv": _read_csv,
        ".tsv": _read_tsv,
        ".jsonl": _read_jsonl,
        ".parquet": _read_parquet,
    }
    reader = readers[check_suffix(file)]
    if not file.is_file():
        raise TabularError(f"there is no file {file}.", "Check the path.")
    rows, schema = reader(file)
    first = list(islice(rows, 1))
    names = list(schema.names) if schema is not None else list(first[0] if first else required)
    missing = [name for name in required if name not in names]
    if missing:
        raise TabularError(
            f"{file} has no column {missing[0]!r}.", f"It has: {', '.join(map(str, names[:30]))}."
        )
    return chain(first, rows), schema


def write_rows(
    file: Path, rows: Iterator[Row], *, source_schema: pa.Schema | None, added: Sequence[str]
) -> int:
    """Write rows and return how many; the file appears complete or not at all.

    `added` are the columns that `source_schema` (of a Parquet source, else None) lacks.
    """
    suffix = check_suffix(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    if not file.parent.is_dir():
        raise TabularError(f"there is no folder {file.parent}.", "Make it, or write elsewhere.")
    try:
        if suffix in {".csv", ".tsv"}:
            count = _write_csv(temporary, rows, "\t" if suffix == ".tsv" else ",")
        elif suffix == ".jsonl":
            count = _write_jsonl(temporary, rows)
        else:
            count = _write_parquet(temporary, rows, source_schema, added)
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return count


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return a value as JSON knows it: no NaN, no bytes, no lone surrogate."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value if value is None or isinstance(value, (bool, int)) else str(value)


def _read_csv(file: Path) -> tuple[Iterator[Row], None]:
    return _csv_rows(file, ","), None


def _read_tsv(file: Path) -> tuple[Iterator[Row], None]:
    return _csv_rows(file, "\t"), None


def _csv_rows(file: Path, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    # Bytes that are no UTF-8 pass through as they are: one bad name must not stop a file.
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
        reader = csv.DictReader(opened, delimiter=delimiter)
        names = reader.fieldnames or []
        if len(set(names)) < len(names):
            raise TabularError(f"{file} names a column twice.", "Rename one of them.")
        try:
            for row in reader:
                if None in row:
                    raise TabularError(
                        f"{file}, line {reader.line_num}: more cells than the header names.",
                        "Quote cells that hold the separator.",
                    )
                yield row
        except csv.Error as error:
            raise TabularError(
                f"{file}, line {reader.line_num}: {error}.", "Check the quotes of this line."
            ) from None


def _read_jsonl(file: Path) -> tuple[Iterator[Row], None]:
    return _jsonl_rows(file), None


def _jsonl_rows(file: Path) -> Iterator[Row]:
    with file.open("rb") as opened:
        for number, line in enumerate(opened, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig", "replace"))
            except ValueError as error:
                raise TabularError(
                    f"{file}, line {number}: not JSON ({error}).", "One JSON object a line."
                ) from None
            if not isinstance(row, dict):
                raise TabularError(f"{file}, line {number}: not an object.", "One object a line.")
            yield row


def _read_parquet(file: Path) -> tuple[Iterator[Row], pa.Schema]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        opened = pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise TabularError(f"{file} is no Parquet file: {error}.", "Check the file.") from None

    def rows() -> Iterator[Row]:
        with opened:
            for batch in opened.iter_batches(batch_size=_ROWS_PER_GROUP):
                yield from batch.to_pylist()

    return rows(), opened.schema_arrow


def _write_csv(file: Path, rows: Iterator[Row], delimiter: str) -> int:
    count = 0
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
        writer: csv.DictWriter[str] | None = None
        for row in rows:
            if writer is None:
                names = list(row)
                writer = csv.DictWriter(
                    opened, names, extrasaction="raise", lineterminator="\n", delimiter=delimiter
                )
                writer.writerow({name: _cell(name) for name in names})
            try:
                writer.writerow({name: _cell(value) for name, value in row.items()})
            except ValueError:
                extra = sorted(set(row) - set(writer.fieldnames))
                raise TabularError(
                    f"row {count + 1} has the key {extra[0]!r}, which the first row lacks.",
                    "Write .jsonl instead, which may differ from line to line.",
                ) from None
            count += 1
    return count


def _cell(value: Any) -> str | int | float:  # noqa: ANN401
    """Return a value as a cell that no spreadsheet runs; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (dict, list)):
        text = json.dumps(plain(value), ensure_ascii=False)
    elif isinstance(value, str):
        text = _storable(value)
    else:
        text = str(plain(value))
    if text.startswith(_FORMULA_STARTS) and not _is_number(text):
        return f"'{text}"
    return text


def _storable(text: str) -> str:
    """Return a text that can be written: foreign bytes as they came, lone surrogates replaced."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return str(plain(text))
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text and text == text.strip()


def _write_jsonl(file: Path, rows: Iterable[Row]) -> int:
    count = 0
    with file.open("w", encoding="utf-8") as opened:
        for row in rows:
            opened.write(json.dumps(plain(row), ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(
    file: Path, rows: Iterator[Row], source_schema: pa.Schema | None, added: Sequence[str]
) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: pq.ParquetWriter | None = None
    schema: pa.Schema | None = None
    count = 0
    try:
        while group := list(islice(rows, _ROWS_PER_GROUP)):
            if schema is None:
                schema = _schema(group, source_schema, added)
                writer = pq.ParquetWriter(file, schema, compression="zstd")
            try:
                if source_schema is None:
                    group = [plain(row) for row in group]
                table = pa.Table.from_pylist(group, schema=schema)
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise TabularError(
                    f"rows {count + 1} to {count + len(group)} do not have the types of the first "
                    f"rows: {error}.",
                    "Write .jsonl instead, which may differ from line to line.",
                ) from None
            assert writer is not None
            writer.write_table(table)
            count += len(group)
        if schema is None:
            pq.write_table(_schema([], source_schema, added).empty_table(), file)
    finally:
        if writer is not None:
            writer.close()
    return count


def _schema(
    group: Sequence[Row], source_schema: pa.Schema | None, added: Sequence[str]
) -> pa.Schema:
    """Return the source's columns and the new ones; without a schema those of the first rows."""
    import pyarrow as pa

    new = [
        pa.field(name, pa.string() if name.endswith(_TEXT_COLUMNS) else pa.float32())
        for name in added
    ]
    if source_schema is not None:
        return pa.schema([*source_schema, *new])
    old = pa.Table.from_pylist([plain(row) for row in group]).schema if group else pa.schema([])
    kept = [
        # A column that is null in all first rows may hold text further down.
        field.with_type(pa.string()) if pa.types.is_null(field.type) else field
        for field in old
        if field.name not in added
    ]
    return pa.schema([*kept, *new])


_TEXT_COLUMNS = ("label", "status", "model_revision")
