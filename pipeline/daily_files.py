"""Daily tables of other people, read as text a piece at a time: CSV, TSV, JSON lines, Parquet.

Columns are found by name, whatever their order and letter case. Everything stays text here: what
is a number or a day is decided over the whole file (pipeline/daily_table.py).
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import tabular
from udfs.errors import SocialSignalsError

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = (",", ";", "\t", "|")
_BLOCK_BYTES = 8 << 20
_ROWS_PER_BATCH = 65_536
_JSON_ROWS_FOR_COLUMNS = 1_000
_MOST_RAGGED_RATIO = 0.10
_MOST_NAMED = 30


class DailyFileError(SocialSignalsError):
    """A daily table that cannot be read as it is; the remedy says what to change."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which columns make up the table. `metric`, `signal`: the two series to relate."""

    metric: str = "units"
    signal: str = "sentiment_mean"

    def names(self) -> dict[str, tuple[str, ...]]:
        """The names under which each column may stand in a file, the documented one first."""
        error = "sentiment_se" if self.signal == "sentiment_mean" else f"{self.signal}_se"
        return {
            "product_id": ("product_id",),
            "date": ("date", "date_day", "day"),
            "outcome": (self.metric,),
            "signal": (self.signal,),
            "signal_se": (error,),
            "posts": ("posts", "posts_count"),
            "promo": ("promo", "is_promo"),
            "holiday": ("holiday", "is_holiday"),
            "stock_out": ("stock_out", "is_stock_out"),
            "is_open": ("is_open", "open"),
            "is_closed": ("closed", "is_closed"),
            "category": ("category",),
            "is_simulated": ("is_simulated", "simulated"),
        }


REQUIRED = ("product_id", "date", "outcome", "signal")


@dataclass(slots=True)
class DailyFile:
    """An open file: which of its columns stand for what, and its rows as batches of text.

    `columns`: role -> name in the file. `unused`: the file's other columns. Batches hold `row`
    (1 for the first row of data) and one text column a role. `ragged_rows`: how many rows of a
    text file had more or fewer cells than the header; known when all batches were read.
    """

    file: Path
    columns: dict[str, str]
    unused: tuple[str, ...]
    delimiter: str = ""
    encoding: str = ""
    ragged_rows: int = 0
    rows_read: int = 0
    notices: list[str] = field(default_factory=list)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in the order of the file; memory does not grow with it."""
        readers = {".jsonl": self._jsonl, ".parquet": self._parquet}
        reader = readers.get(self.file.suffix.lower(), self._text)
        yield from reader()
        if self.ragged_rows > _MOST_RAGGED_RATIO * (self.rows_read + self.ragged_rows):
            raise DailyFileError(
                f"{self.file}: rows with more or fewer cells than the header: "
                f"{self.ragged_rows:,}, the first is line {self.ragged_lines()[0]}.",
                "Quote cells that hold the separator (a decimal comma, perhaps) and close every "
                "quote, or separate cells by semicolons.",
            )

    def lines(self, rows: Collection[int]) -> dict[int, int]:
        """The lines (from 1, the header included) on which rows of data begin.

        JSON lines and Parquet have none beside the row's own number. Reads a text file again, up
        to the last row asked for: for messages only.
        """
        if not rows or not self.delimiter:
            return {row: row for row in rows}
        wanted, found = set(rows), {}
        for row, line, _ in self._counted():
            if row in wanted:
                found[row] = line
                if len(found) == len(wanted):
                    break
        return found

    def ragged_lines(self, most: int = 5) -> list[int]:
        """The first lines whose rows have more or fewer cells than the header."""
        return list(islice((line for row, line, _ in self._counted() if row is None), most))

    def _counted(self) -> Iterator[tuple[int | None, int, list[str]]]:
        """Row number (None for a ragged row), line and cells of every row of a text file."""
        csv.field_size_limit(sys.maxsize)
        with self.file.open(encoding=self.encoding, errors="replace", newline="") as opened:
            reader = csv.reader(opened, delimiter=self.delimiter)
            width = len(next(reader, []))
            row, before = 0, reader.line_num
            for cells in reader:
                line, before = before + 1, reader.line_num
                if not cells:
                    continue
                if len(cells) != width:
                    yield None, line, cells
                    continue
                row += 1
                yield row, line, cells

    def _text(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        import pyarrow.csv as pa_csv

        def count(row: Any) -> str:  # noqa: ANN401, ARG001
            self.ragged_rows += 1
            return "skip"

        names = list(self.columns.values())
        try:
            # Opened by Python: the reader of the drawer below would ask the suffix to decompress.
            with self.file.open("rb") as opened:
                if self.encoding == "utf-8-sig" and opened.read(3) != codecs.BOM_UTF8:
                    opened.seek(0)
                reader = pa_csv.open_csv(
                    opened,
                    read_options=pa_csv.ReadOptions(
                        use_threads=False,
                        block_size=_BLOCK_BYTES,
                        encoding="utf8" if self.encoding == "utf-8-sig" else self.encoding,
                    ),
                    parse_options=pa_csv.ParseOptions(
                        delimiter=self.delimiter,
                        newlines_in_values=True,
                        invalid_row_handler=count,
                    ),
                    convert_options=pa_csv.ConvertOptions(
                        column_types=dict.fromkeys(names, pa.string()),
                        include_columns=names,
                        strings_can_be_null=False,
                    ),
                )
                for batch in reader:
                    yield self._numbered([batch.column(name) for name in names])
        except pa.ArrowException as error:
            raise DailyFileError(
                f"{self.file} cannot be read after row {self.rows_read:,}: {_first_line(error)}.",
                "Check the quotes from there on: each that opens must close.",
            ) from None

    def _jsonl(self) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        rows, _ = tabular.read_rows(self.file, required=())
        while group := list(islice(rows, _ROWS_PER_BATCH)):
            yield self._numbered(
                [
                    pa.array([_text_of(row.get(name)) for row in group], pa.string())
                    for name in self.columns.values()
                ]
            )

    def _parquet(self) -> Iterator[pa.RecordBatch]:
        import pyarrow.parquet as pq

        names = list(self.columns.values())
        with pq.ParquetFile(self.file) as opened:
            for batch in opened.iter_batches(batch_size=_ROWS_PER_BATCH, columns=names):
                yield self._numbered([_column_text(batch.column(name)) for name in names])

    def _numbered(self, texts: list[Any]) -> pa.RecordBatch:
        import numpy as np
        import pyarrow as pa

        count = len(texts[0])
        numbers = pa.array(np.arange(self.rows_read + 1, self.rows_read + count + 1))
        self.rows_read += count
        return pa.RecordBatch.from_arrays([numbers, *texts], ["row", *self.columns])


def open_daily(file: Path, wanted: Wanted) -> DailyFile:
    """Find out how a file is written and which of its columns stand for what.

    Raises `DailyFileError` for a file that is missing, empty or of another kind, and for a column
    that is needed and not there, naming the nearest one.
    """
    suffix = tabular.check_suffix(file)
    if not file.is_file():
        raise DailyFileError(f"there is no file {file}.", "Check the path.")
    if file.stat().st_size == 0:
        raise DailyFileError(f"{file} is empty.", "Give a table with a header and rows.")
    delimiter = encoding = ""
    notices: list[str] = []
    if suffix == ".parquet":
        names = _parquet_names(file)
    elif suffix == ".jsonl":
        names = _jsonl_names(file)
    else:
        encoding = _encoding(file, notices)
        delimiter, names = _header(file, encoding, is_tabbed=suffix == ".tsv")
    columns = _find(file, names, wanted)
    unused = tuple(name for name in names if name not in columns.values())
    return DailyFile(file, columns, unused, delimiter, encoding, notices=notices)


def column_list(names: Collection[str]) -> str:
    """Names of columns for a message, at most thirty of them."""
    shown = ", ".join(repr(name)[1:-1] for name in islice(names, _MOST_NAMED))
    return f"{shown} …" if len(names) > _MOST_NAMED else shown


def _find(file: Path, names: list[str], wanted: Wanted) -> dict[str, str]:
    by_key: dict[str, str] = {}
    needed = {_key(name) for spellings in wanted.names().values() for name in spellings}
    for name in names:
        key = _key(name)
        if key in by_key and key in needed:
            raise DailyFileError(
                f"{file} names a column twice: {name!r}.", "Rename or remove one of them."
            )
        by_key[key] = name
    found: dict[str, str] = {}
    for role, spellings in wanted.names().items():
        there = next((by_key[_key(name)] for name in spellings if _key(name) in by_key), None)
        if there is not None:
            found[role] = there
    if found.get("outcome") and found.get("outcome") == found.get("signal"):
        raise DailyFileError(
            f"--metric and --signal both name the column {found['signal']!r}.",
            "Name two different columns.",
        )
    missing = [role for role in REQUIRED if role not in found]
    if missing:
        raise _missing(file, missing, by_key, wanted)
    return found


def _missing(
    file: Path, roles: list[str], by_key: Mapping[str, str], wanted: Wanted
) -> DailyFileError:
    lacking = []
    for role in roles:
        spellings = wanted.names()[role]
        near = [
            match
            for name in spellings
            for match in get_close_matches(_key(name), list(by_key), n=1, cutoff=0.6)
        ]
        lacking.append(f"{spellings[0]!r}" + (f" (nearest: {by_key[near[0]]!r})" if near else ""))
    options = {"outcome": "--metric NAME", "signal": "--signal NAME"}
    choice = " and ".join(options[role] for role in roles if role in options)
    remedy = f"Rename the column, or say which one it is: {choice}." if choice else "Rename it."
    return DailyFileError(
        f"{file} has no column {', '.join(lacking)}. It has: {column_list(by_key.values())}.",
        remedy,
    )


def _key(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().strip("\ufeff").lower())


def check_size(cells: int, most: int) -> None:
    """Raises `DailyFileError` where so many product-days cannot be pooled at once."""
    if cells > most:
        raise DailyFileError(
            f"{cells:,} product-days are too many to pool at once: {most:,} at most.",
            "Pool a category at a time: one file each.",
        )


# How a text file is written ---------------------------------------------------------------------


def _encoding(file: Path, notices: list[str]) -> str:
    with file.open("rb") as opened:
        start = opened.read(4)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        opened.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            while block := opened.read(_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            notices.append(
                "The file is not UTF-8: its letters were read as Latin-1. Save it as UTF-8 if "
                "names look wrong."
            )
            return "latin-1"
    return "utf-8-sig"


def _header(file: Path, encoding: str, *, is_tabbed: bool) -> tuple[str, list[str]]:
    """Return the separator and the names of the first line that is not blank."""
    csv.field_size_limit(sys.maxsize)
    with file.open(encoding=encoding, errors="replace", newline="") as opened:
        start = opened.read(1 << 16)
    line = next((part for part in start.splitlines() if part.strip()), "")
    if not line:
        raise DailyFileError(f"{file} holds no header.", "Give a table with a header and rows.")
    first = start.index(line)
    if first:
        raise DailyFileError(
            f"{file} begins with an empty line.", "The first line must name the columns."
        )
    counts = {mark: len(_cells(line, mark)) for mark in DELIMITERS}
    best = max(DELIMITERS, key=lambda mark: counts[mark])
    if is_tabbed and counts["\t"] > 1:
        best = "\t"
    return best, next(csv.reader(io.StringIO(start, newline=""), delimiter=best))


def _cells(line: str, mark: str) -> list[str]:
    return next(csv.reader([line], delimiter=mark), [])


def _jsonl_names(file: Path) -> list[str]:
    rows, _ = tabular.read_rows(file, required=())
    names: dict[str, None] = {}
    for row in islice(rows, _JSON_ROWS_FOR_COLUMNS):
        names.update(dict.fromkeys(map(str, row)))
    if not names:
        raise DailyFileError(f"{file} holds no row.", "One JSON object a line.")
    return list(names)


def _parquet_names(file: Path) -> list[str]:
    _, schema = tabular.read_rows(file, required=())
    assert schema is not None
    return list(schema.names)


# Values as text ---------------------------------------------------------------------------------


def _text_of(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return json.dumps(value)
    return str(tabular.plain(value)) if not isinstance(value, float) else repr(value)


def _column_text(column: Any) -> Any:  # noqa: ANN401
    """A column of a Parquet file as text; a moment keeps the offset of its zone."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%S%z")
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowException:
        return pa.array([_text_of(value) for value in column.to_pylist()], pa.string())


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200].rstrip(".")
