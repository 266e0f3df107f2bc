"""Readers: from a file's bytes to chunks of rows, each with its place and its text.

Memory is bounded by the chunk, never by the file. What cannot be read as a row is kept with its
text and the reason; only what makes the rest of a file unreadable is an error.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from extract.datasets.files import SourceFile, open_bytes
from extract.datasets.mapping import DatasetMapping, MappingError, nearest

MAX_RECORD_CHARS = 4 << 20
MAX_CHUNK_CHARS = 16 << 20
MAX_WHOLE_FILE_BYTES = 256 << 20
JSON_COLUMN = "record"
_NON_TEXT_BYTES = 4096


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read: its text, why not, and its place in the file."""

    text: str
    reason: str
    place: int


@dataclass(slots=True)
class Chunk:
    """Rows of one file: `table` has a column for each source column.

    `places` are line numbers (row numbers in JSON arrays and Parquet), ascending. `texts` gives a
    row as it stood in the file, `keys()` what tells each row from others, whatever its quoting.
    """

    table: pa.Table
    places: list[int]
    texts: Sequence[str]
    keys: Callable[[], Sequence[str]]
    bad_rows: list[BadRow] = field(default_factory=list)

    @property
    def last_place(self) -> int:
        """The last place that the chunk covers, read or not."""
        last = self.places[-1] if self.places else 0
        return max(last, self.bad_rows[-1].place if self.bad_rows else 0)


def read_chunks(mapping: DatasetMapping, file: SourceFile, *, max_rows: int) -> Iterator[Chunk]:
    """Read a file into chunks of at most `max_rows` rows and about 16 MiB of text.

    Raises `MappingError` for a wrong encoding, a missing header or a damaged file.
    """
    if file.format == "parquet":
        yield from _read_parquet(file, max_rows=max_rows)
        return
    with open_bytes(file) as stream:
        if file.format in {"csv", "tsv"}:
            yield from _read_delimited(mapping, file, stream, max_rows=max_rows)
        elif file.format == "jsonl":
            yield from _read_json_lines(mapping, file, stream, max_rows=max_rows)
        else:
            yield from _read_json(mapping, file, stream, max_rows=max_rows)


# Lines ------------------------------------------------------------------------------------------


class _Decoder:
    """Lines of text from bytes, which counts the lines that the encoding does not fit.

    `fault` says what is wrong with the line that was given last, mostly nothing.
    """

    def __init__(self, mapping: DatasetMapping, file: SourceFile) -> None:
        self._mapping = mapping
        self._file = file
        self.fault = ""
        self._lines = 0
        self._beyond_ascii = 0
        self._unfit = 0
        self._example: tuple[int, bytes] | None = None

    def lines(self, stream: IO[bytes]) -> Iterator[str]:
        """Every line with its end; a line that does not decode or is too long sets `fault`."""
        head = _peek(stream)
        self._check_head(head)
        encoding = "utf-8" if self._mapping.encoding == "utf-8-sig" else self._mapping.encoding
        has_plain_ends = "a\n".encode(encoding) == b"a\n" and not (
            b"\r" in head and b"\n" not in head
        )
        if has_plain_ends:
            yield from self._plain_lines(stream, encoding)
        else:
            yield from self._other_lines(stream, encoding)

    def check(self) -> None:
        """Raise `MappingError` if so many lines do not decode that the encoding must be wrong."""
        if self._mapping.undecodable == "reject" or self._example is None:
            return
        is_frequent = self._unfit * 100 > self._lines
        is_usual = self._unfit >= 3 and self._unfit * 2 > self._beyond_ascii
        if is_frequent or is_usual:
            place, raw = self._example
            raise MappingError(
                f"{self._file.name} is not {self._mapping.encoding}: {self._unfit} of its first "
                f"{self._lines} lines do not decode, the first is line {place}: "
                f"{_around_fault(raw, self._mapping.encoding)!r}.",
                f"Set `encoding` to what it is, such as {_plausible(raw)}, or set "
                "`undecodable: reject` to leave those lines out.",
            )

    def _plain_lines(self, stream: IO[bytes], encoding: str) -> Iterator[str]:
        readline = stream.readline
        is_utf8 = encoding == "utf-8"
        raw = readline(MAX_RECORD_CHARS)
        if is_utf8:
            raw = raw.removeprefix(b"\xef\xbb\xbf") or readline(MAX_RECORD_CHARS)
        while raw:
            self._lines += 1
            if is_utf8 and raw.isascii():
                text = raw.decode("ascii")
            else:
                self._beyond_ascii += not raw.isascii()
                text = self._decode(raw, encoding)
            if len(raw) == MAX_RECORD_CHARS and not raw.endswith(b"\n"):
                self.fault = f"longer than {MAX_RECORD_CHARS} bytes"
                text = text[:1000]
                while (rest := readline(MAX_RECORD_CHARS)) and not rest.endswith(b"\n"):
                    pass
            yield text
            self.fault = ""
            raw = readline(MAX_RECORD_CHARS)

    def _decode(self, raw: bytes, encoding: str) -> str:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            self._unfit += 1
            self._example = self._example or (self._lines, raw)
            self.fault = f"bytes that are not {encoding}"
            return raw.decode(encoding, "backslashreplace")

    def _other_lines(self, stream: IO[bytes], encoding: str) -> Iterator[str]:
        text = io.TextIOWrapper(stream, encoding=encoding, errors="strict", newline="")
        place = 0
        try:
            while line := text.readline(MAX_RECORD_CHARS):
                place += 1
                yield line.removeprefix("\ufeff") if place == 1 else line
        except UnicodeError as error:
            raise MappingError(
                f"{self._file.name} is not {self._mapping.encoding}: line {place + 1} does not "
                f"decode ({error}).",
                "Set `encoding` to what it is, such as utf-8 or cp1252.",
            ) from error
        finally:
            text.detach()

    def _check_head(self, head: bytes) -> None:
        is_wide = self._mapping.encoding.startswith(("utf-16", "utf-32"))
        has_mark = head.startswith((b"\xff\xfe", b"\xfe\xff"))
        if not is_wide and (has_mark or head.count(0) * 4 > len(head)):
            raise MappingError(
                f"{self._file.name} is not {self._mapping.encoding}: it looks like UTF-16.",
                "Set `encoding: utf-16`.",
            )


def _peek(stream: IO[bytes]) -> bytes:
    peek: Callable[[int], bytes] | None = getattr(stream, "peek", None)
    return peek(_NON_TEXT_BYTES)[:_NON_TEXT_BYTES] if peek else b""


def _around_fault(raw: bytes, encoding: str) -> bytes:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError as error:
        return raw[max(error.start - 10, 0) : error.end + 10]
    return raw[:20]


def _plausible(raw: bytes) -> str:
    """Single-byte encodings that can hold the line, the likeliest first."""
    fitting = []
    for encoding in ("cp1252", "mac_roman", "latin-1"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        fitting.append(encoding)
    return " or ".join(fitting)


# CSV and TSV ------------------------------------------------------------------------------------


class _RecordLines:
    """Feeds lines to a CSV reader and remembers those of the record that it is in."""

    def __init__(self, decoder: _Decoder, stream: IO[bytes]) -> None:
        self._decoder = decoder
        self._lines = decoder.lines(stream)
        self._returned: list[tuple[str, str]] = []
        self._faults: dict[int, str] = {}
        self._chars = 0
        self.pending: list[str] = []
        self.place = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._returned:
            line, fault = self._returned.pop()
        else:
            line = next(self._lines)
            fault = self._decoder.fault
        if fault:
            self._faults[len(self.pending)] = fault
        self.pending.append(line)
        self.place += 1
        if len(self.pending) > 1:
            self._chars += len(line)
            if self._chars > MAX_RECORD_CHARS:
                raise csv.Error("a quote that is opened is never closed")
        return line

    def start(self) -> None:
        """A new record begins."""
        self.pending = []
        self._chars = 0
        if self._faults:
            self._faults = {}

    @property
    def fault(self) -> str:
        """What is wrong with a line of the record, mostly nothing."""
        return next(iter(self._faults.values())) if self._faults else ""

    def give_back(self, keep: int = 1) -> str:
        """Return the first `keep` lines of the record; the others will be read again."""
        again = range(keep, len(self.pending))
        for number in reversed(again):
            self._returned.append((self.pending[number], self._faults.pop(number, "")))
        self.place -= len(again)
        self.pending = self.pending[:keep]
        return "".join(self.pending)


def _read_delimited(
    mapping: DatasetMapping, file: SourceFile, stream: IO[bytes], *, max_rows: int
) -> Iterator[Chunk]:
    decoder = _Decoder(mapping, file)
    lines = _RecordLines(decoder, stream)
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD_CHARS))
    reader = csv.reader(
        lines,
        delimiter=mapping.delimiter or ("\t" if file.format == "tsv" else ","),
        quotechar=mapping.quote or None,
        quoting=csv.QUOTE_MINIMAL if mapping.quote else csv.QUOTE_NONE,
        escapechar=mapping.escape,
        doublequote=True,
        strict=True,
    )
    names = _header(mapping, file, lines, reader)
    decoder.check()
    if names is None:
        return
    rows = _RowCollector(names, max_rows, _carrier(mapping, file, names))
    while _fill(rows, reader, lines):
        decoder.check()
        yield rows.take()
    decoder.check()
    yield rows.take()


def _fill(to: _RowCollector, reader: Iterator[list[str]], lines: _RecordLines) -> bool:
    """Collect records until the collector is full; False at the end of the file."""
    width = to.width
    while not to.is_full:
        lines.start()
        place = lines.place + 1
        try:
            row = next(reader)
        except StopIteration:
            return False
        except csv.Error as error:
            to.reject(lines.give_back(), _csv_reason(error), place)
            continue
        if len(row) != width:
            row = _without_empty_tail(row, width)
        fault = lines.fault
        if len(row) == width and not fault:
            pending = lines.pending
            to.add(row, pending[0] if len(pending) == 1 else "".join(pending), place)
        elif fault or row:
            # A stray quote may have swallowed the lines that follow: they get their own chance.
            reason = fault or f"{len(row)} columns where the header has {width}"
            to.reject(lines.give_back(), reason, place)
    return True


class _Carrier:
    """Fills what stands only on the first of several rows that belong together."""

    def __init__(self, within: int, columns: Sequence[int], nulls: frozenset[str]) -> None:
        self._within = within
        self._columns = columns
        self._nulls = nulls
        self._first: list[str] | None = None
        self._is_sure = True

    def fill(self, row: list[str]) -> None:
        """Complete a row from the first of those it belongs to, or make it the first."""
        first, within = self._first, self._within
        is_unnamed = row[within].strip() in self._nulls
        if is_unnamed and not self._is_sure:
            return
        if first is None or not (is_unnamed or row[within] == first[within]):
            self._first = None if is_unnamed else row
            self._is_sure = True
            return
        for column in (within, *self._columns):
            if row[column].strip() in self._nulls:
                row[column] = first[column]

    def forget(self) -> None:
        """After a row that could not be read: a nameless one that follows may be of it."""
        self._is_sure = False


def _carrier(mapping: DatasetMapping, file: SourceFile, names: Sequence[str]) -> _Carrier | None:
    carry = mapping.carry_down
    if carry is None:
        return None
    for name in (carry.within, *carry.columns):
        if name not in names:
            raise MappingError(
                f"carry_down: column {name!r} is not in {file.name}{nearest(name, names) or '.'}",
                f"Its columns are {', '.join(names)}.",
            )
    places = [names.index(name) for name in carry.columns]
    return _Carrier(names.index(carry.within), places, frozenset(mapping.null_values))


class _RowCollector:
    def __init__(self, names: tuple[str, ...], max_rows: int, carrier: _Carrier | None) -> None:
        self.width = len(names)
        self._carrier = carrier
        self._max_rows = max_rows
        self._schema = pa.schema([(name, pa.string()) for name in names])
        self._clear()

    @property
    def is_full(self) -> bool:
        count = len(self._rows) + len(self._bad_rows)
        return count >= self._max_rows or self._chars >= MAX_CHUNK_CHARS

    def add(self, row: list[str], text: str, place: int) -> None:
        if self._carrier is not None:
            self._carrier.fill(row)
        self._rows.append(row)
        self._texts.append(text)
        self._places.append(place)
        self._chars += len(text)

    def reject(self, text: str, reason: str, place: int) -> None:
        if self._carrier is not None:
            self._carrier.forget()
        self._bad_rows.append(BadRow(text, reason, place))
        self._chars += len(text)

    def take(self) -> Chunk:
        columns = list(zip(*self._rows, strict=True)) or [()] * self.width
        table = pa.Table.from_arrays(
            [pa.array(column, pa.string()) for column in columns], schema=self._schema
        )
        rows = self._rows
        chunk = Chunk(
            table,
            self._places,
            self._texts,
            lambda: ["\x1f".join(row) for row in rows],
            self._bad_rows,
        )
        self._clear()
        return chunk

    def _clear(self) -> None:
        self._rows: list[list[str]] = []
        self._texts: list[str] = []
        self._places: list[int] = []
        self._bad_rows: list[BadRow] = []
        self._chars = 0


def _header(
    mapping: DatasetMapping, file: SourceFile, lines: _RecordLines, reader: Iterator[list[str]]
) -> tuple[str, ...] | None:
    """The column names; leaves the lines at the first row. None for a file without any line."""
    for _ in range(mapping.skip_rows):
        if next(lines, None) is None:
            return None
    if not mapping.header:
        return mapping.column_names
    if mapping.header_starts_with:
        while (line := next(lines, None)) is not None:
            start = line.lstrip("\ufeff \t")
            if start.startswith((mapping.header_starts_with, f'"{mapping.header_starts_with}')):
                lines.give_back(keep=0)
                break
            lines.start()
        else:
            if lines.place == 0:
                return None
            raise MappingError(
                f"{file.name}: none of its {lines.place} lines starts with "
                f"{mapping.header_starts_with!r}.",
                "Correct `header_starts_with`, or give `skip_rows`.",
            )
    while True:
        lines.start()
        try:
            row = next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            raise MappingError(
                f"{file.name}: line {lines.place} is no header: {_csv_reason(error)}.",
                "Check `delimiter`, `quote`, `skip_rows` and `header_starts_with`.",
            ) from error
        if row:
            break
    return _unique_names(row)


def _unique_names(row: list[str]) -> tuple[str, ...]:
    """Header cells as names: trimmed, an empty one by its number, a repeated one with `_2`."""
    names: list[str] = []
    taken: set[str] = set()
    for number, cell in enumerate(row, start=1):
        base = cell.strip() or f"column_{number}"
        name = base
        count = 1
        while name.lower() in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name.lower())
        names.append(name)
    return tuple(names)


def _without_empty_tail(row: list[str], width: int) -> list[str]:
    if len(row) > width and not any(row[width:]):
        return row[:width]
    return row


def _csv_reason(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text or "never closed" in text:
        return "a quote that is opened is never closed"
    if "expected after" in text:
        return "text after a closing quote"
    if "new-line character" in text:
        return "a line end inside a field that is not quoted"
    return text


# JSON -------------------------------------------------------------------------------------------

_JSON_SCHEMA = pa.schema([(JSON_COLUMN, pa.string())])


class _JsonCollector:
    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._clear()

    @property
    def is_full(self) -> bool:
        count = len(self._texts) + len(self._bad_rows)
        return count >= self._max_rows or self._chars >= MAX_CHUNK_CHARS

    def add(self, text: str, place: int) -> None:
        self._texts.append(text)
        self._places.append(place)
        self._chars += len(text)

    def reject(self, text: str, reason: str, place: int) -> None:
        self._bad_rows.append(BadRow(text, reason, place))
        self._chars += len(text)

    def take(self) -> Chunk:
        table = pa.Table.from_arrays([pa.array(self._texts, pa.string())], schema=_JSON_SCHEMA)
        texts = self._texts
        chunk = Chunk(table, self._places, texts, lambda: texts, self._bad_rows)
        self._clear()
        return chunk

    def _clear(self) -> None:
        self._texts: list[str] = []
        self._places: list[int] = []
        self._bad_rows: list[BadRow] = []
        self._chars = 0


def _read_json_lines(
    mapping: DatasetMapping, file: SourceFile, stream: IO[bytes], *, max_rows: int
) -> Iterator[Chunk]:
    decoder = _Decoder(mapping, file)
    collector = _JsonCollector(max_rows)
    for place, line in enumerate(decoder.lines(stream), start=1):
        text = line.strip()
        if decoder.fault:
            collector.reject(text, decoder.fault, place)
        elif text:
            collector.add(text, place)
        if collector.is_full:
            decoder.check()
            yield collector.take()
    decoder.check()
    yield collector.take()


def _read_json(
    mapping: DatasetMapping, file: SourceFile, stream: IO[bytes], *, max_rows: int
) -> Iterator[Chunk]:
    encoding = "utf-8-sig" if mapping.encoding == "utf-8" else mapping.encoding
    text = io.TextIOWrapper(stream, encoding=encoding, errors="strict")
    collector = _JsonCollector(max_rows)
    values = _nested_values(mapping, file, text) if mapping.records else _json_values(file, text)
    try:
        with _named_encoding(mapping, file):
            for place, value in enumerate(values, start=1):
                collector.add(value, place)
                if collector.is_full:
                    yield collector.take()
            yield collector.take()
    finally:
        text.detach()


@contextmanager
def _named_encoding(mapping: DatasetMapping, file: SourceFile) -> Iterator[None]:
    try:
        yield
    except UnicodeError as error:
        raise MappingError(
            f"{file.name} is not {mapping.encoding}: {error}.",
            "Set `encoding` to what it is, such as cp1252 or utf-16.",
        ) from error


def _nested_values(mapping: DatasetMapping, file: SourceFile, text: IO[str]) -> Iterator[str]:
    if file.path.stat().st_size > MAX_WHOLE_FILE_BYTES:
        raise MappingError(
            f"{file.name} is too large to look for `records` in it.",
            "Convert it to JSON lines, one record a line.",
        )
    try:
        value: Any = json.load(text)
    except json.JSONDecodeError as error:
        raise _broken_json(file, error, 0) from error
    for part in (mapping.records or "").removeprefix("$.").split("."):
        if not isinstance(value, dict) or part not in value:
            known = ", ".join(value) if isinstance(value, dict) else "a list"
            raise MappingError(
                f"{file.name}: `records: {mapping.records}` is not in it; there is {known[:200]}.",
                "Correct `records`: the path to the list of records.",
            )
        value = value[part]
    if not isinstance(value, list):
        raise MappingError(
            f"{file.name}: `records: {mapping.records}` is no list.",
            "Correct `records`: the path to the list of records.",
        )
    for item in value:
        yield json.dumps(item, ensure_ascii=False)


def _json_values(file: SourceFile, text: IO[str]) -> Iterator[str]:
    """The elements of an array, or the values that follow each other, as their own text."""
    decoder = json.JSONDecoder()
    buffer = ""
    position = 0
    is_array: bool | None = None
    is_whole = False
    count = 0
    while True:
        position = _skip(buffer, position, " \t\r\n," if is_array else " \t\r\n")
        if position == len(buffer) and not is_whole:
            buffer, position, is_whole = _more(text, buffer, position)
            continue
        if position == len(buffer):
            if is_array:
                raise _broken_json(file, "it ends inside the list", count)
            return
        if is_array is None:
            is_array = buffer[position] == "["
            position += is_array
            continue
        if is_array and buffer[position] == "]":
            return
        try:
            _, end = decoder.raw_decode(buffer, position)
        except json.JSONDecodeError as error:
            if is_whole or len(buffer) - position > MAX_RECORD_CHARS:
                raise _broken_json(file, error, count) from error
            end = len(buffer)
        if end == len(buffer) and not is_whole:
            buffer, position, is_whole = _more(text, buffer, position)
            continue
        count += 1
        yield buffer[position:end]
        position = end


def _skip(buffer: str, position: int, characters: str) -> int:
    while position < len(buffer) and buffer[position] in characters:
        position += 1
    return position


def _more(text: IO[str], buffer: str, position: int) -> tuple[str, int, bool]:
    rest = buffer[position:]
    # Twice what is there, so that a long element is not looked at again for every piece.
    piece = text.read(max(1 << 18, len(rest)))
    return rest + piece, 0, not piece


def _broken_json(file: SourceFile, error: json.JSONDecodeError | str, count: int) -> MappingError:
    reason = error if isinstance(error, str) else error.msg
    return MappingError(
        f"{file.name} is not valid JSON after record {count}: {reason}.",
        "Mend or fetch the file again; for one record a line set `format: jsonl`, which leaves "
        "out only the lines that are bad.",
    )


# Parquet ----------------------------------------------------------------------------------------


class _RowTexts(Sequence[str]):
    """Rows of a table as JSON text, made only for those that are asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401 - int or slice
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        row = self._table.slice(index, 1).to_pylist()[0]
        return json.dumps(row, ensure_ascii=False, default=str)


def _row_keys(table: pa.Table) -> list[str]:
    return [json.dumps(row, default=str) for row in table.to_pylist()]


def _read_parquet(file: SourceFile, *, max_rows: int) -> Iterator[Chunk]:
    try:
        with pq.ParquetFile(file.path) as parquet:
            size = sum(
                parquet.metadata.row_group(index).total_byte_size
                for index in range(parquet.metadata.num_row_groups)
            )
            row_bytes = size // max(parquet.metadata.num_rows, 1) + 1
            rows = max(1, min(max_rows, MAX_CHUNK_CHARS // row_bytes))
            place = 0
            for batch in parquet.iter_batches(batch_size=rows):
                table = pa.Table.from_batches([batch])
                places = list(range(place + 1, place + table.num_rows + 1))
                place += table.num_rows
                yield Chunk(table, places, _RowTexts(table), partial(_row_keys, table))
    except (pa.ArrowInvalid, pa.ArrowException, OSError) as error:
        raise MappingError(
            f"{file.name} is not a readable Parquet file: {' '.join(str(error).split())}.",
            "Fetch the file again, or correct `format`.",
        ) from error
