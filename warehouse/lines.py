"""Reading landing files: from compressed bytes to Arrow batches that DuckDB inserts as they are.

The bytes of a file are cut into lines by finding line feeds, and each line of the usual form into
record id, instant and payload by position, all as views of the same memory: no Python step per
byte, no copy. Lines of another form are read one by one. Nothing in a file can stop the reading:
a line that cannot be a record becomes a row with a reason, and a damaged file ends early.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import zstandard

from warehouse.commits import list_landed

MAX_LINE_BYTES = 16 * 1024 * 1024
"""A longer line is no record; it becomes a reject."""
MAX_TEXT_BYTES = 100_000
"""How much of a bad line is kept."""
CHUNK_BYTES = 1024 * 1024
_READ_BYTES = 16 * 1024

SCHEMA = pa.schema(
    [
        ("line_no", pa.int64()),
        ("record_id", pa.string_view()),
        ("fetched_at", pa.string_view()),
        # An extension type of Arrow: DuckDB takes it for JSON without parsing it a second time.
        pa.field("payload", pa.string_view(), metadata={"ARROW:extension:name": "arrow.json"}),
        ("text", pa.string_view()),
        ("reason", pa.string_view()),
    ]
)
"""`payload` is JSON or not, which the database decides; `text` is the whole line, filled for lines
with a `reason` and, on demand, for all."""

_HEAD = np.frombuffer(b'{"fetched_at":"', dtype=np.uint8)
_MIDDLE = np.frombuffer(b'Z","record_id":"', dtype=np.uint8)
_MARK = b'","payload":'
_INSTANT_AT = len(_HEAD)
_INSTANT_LENGTH = 26
_ID_AT = _INSTANT_AT + _INSTANT_LENGTH + len(_MIDDLE)
_LINE_FEED, _CARRIAGE_RETURN, _BACKSLASH, _BRACE = 10, 13, 92, 123

Bytes = npt.NDArray[np.uint8]
Positions = npt.NDArray[np.int64]


@dataclass(slots=True)
class FileState:
    """What reading one file found out. `damage` says where and why it could not be read to its end;
    `sha256` and `bytes` are of the compressed file."""

    lines: int = 0
    blank_lines: int = 0
    bytes: int = 0
    sha256: str = ""
    damage: str = ""
    slow_lines: int = 0


def read_lines(
    path: Path, state: FileState, *, with_text: bool = False
) -> Iterator[pa.RecordBatch]:
    """The lines of a landing file as batches of `SCHEMA`, blank lines left out.

    `state` is filled while reading. `with_text` fills the column `text` for every line.

    Raises:
        OSError: the file cannot be opened or read.
    """
    for chunk in _chunks(path, state):
        yield from _batches(chunk, state, with_text=with_text)


def read_objects(path: Path, state: FileState) -> Iterator[tuple[int, dict[str, Any] | None, str]]:
    """(line number, object or None, text) of each line that is not blank; for small files.

    Raises:
        OSError: the file cannot be opened or read.
    """
    for chunk in _chunks(path, state):
        for line in chunk.data.split(b"\n")[: chunk.count]:
            state.lines += 1
            if not line.strip():
                state.blank_lines += 1
                continue
            text = line.decode("utf-8", "backslashreplace")
            try:
                content = json.loads(text)
            except (ValueError, RecursionError):
                content = None
            yield state.lines, content if isinstance(content, dict) else None, text


def whole_lines(path: Path, state: FileState) -> Iterator[bytes]:
    """The text of a file in pieces that end with a line, however long that is; the last one may
    lack its line feed.

    Raises:
        OSError: the file cannot be opened or read.
    """
    pieces: list[bytes] = []
    size = 0
    for piece in decompressed(path, state):
        pieces.append(piece)
        size += len(piece)
        if size < CHUNK_BYTES or b"\n" not in piece:
            continue
        data = b"".join(pieces)
        end = data.rfind(b"\n") + 1
        yield data[:end]
        pieces, size = [data[end:]], len(data) - end
    if rest := b"".join(pieces):
        yield rest


@dataclass(slots=True)
class _Chunk:
    """Whole lines, each ended by a line feed; `too_long` marks a single line that was cut."""

    data: bytes
    count: int
    too_long: int = 0


def decompressed(path: Path, state: FileState) -> Iterator[bytes]:
    """Pieces of the file's text. A damaged or truncated file gives what comes before the damage."""
    digest = hashlib.sha256()
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    is_inside = False
    with path.open("rb") as handle:
        while data := handle.read(_READ_BYTES):
            digest.update(data)
            state.bytes += len(data)
            while data and not state.damage:
                try:
                    piece = frame.decompress(data)
                except zstandard.ZstdError as error:
                    state.damage = f"damaged compression: {error}"
                    break
                is_inside = True
                if piece:
                    yield piece
                data = b""
                if frame.eof:
                    data = frame.unused_data
                    frame = decompressor.decompressobj()
                    is_inside = False
    state.sha256 = digest.hexdigest()
    if is_inside and not state.damage:
        state.damage = "the file ends in the middle (truncated)"


def landed_ids(landing_dir: Path, source: str, stream: str) -> Iterator[str]:
    """The record ids of everything that has landed in a stream, as often as it has.

    Raises:
        LandingError: a commit record is damaged.
        OSError: a landing file cannot be read.
    """
    for file in list_landed(landing_dir):
        if (file.source, file.stream, file.kind) != (source, stream, "records"):
            continue
        for batch in read_lines(file.path, FileState()):
            for record_id in batch.column("record_id").to_pylist():
                if record_id is not None:
                    yield record_id


def _chunks(path: Path, state: FileState) -> Iterator[_Chunk]:
    """The text in chunks of whole lines, in bounded memory even if a line never ends."""
    pieces: list[bytes] = []
    size = 0
    skipped = 0
    for piece in decompressed(path, state):
        if skipped:
            end = piece.find(b"\n")
            if end < 0:
                skipped += len(piece)
                continue
            yield _Chunk(pieces[0], 1, too_long=skipped + end)
            pieces, skipped = [], 0
            piece = piece[end + 1 :]
            size = 0
        pieces.append(piece)
        size += len(piece)
        if size < CHUNK_BYTES:
            continue
        data = b"".join(pieces)
        end = data.rfind(b"\n") + 1
        if end:
            yield _Chunk(data[:end], data.count(b"\n", 0, end))
        rest = data[end:]
        if len(rest) > MAX_LINE_BYTES:
            skipped = len(rest)
            rest = rest[:MAX_TEXT_BYTES]
        pieces = [rest] if rest else []
        size = len(rest)
    if skipped:
        yield _Chunk(pieces[0], 1, too_long=skipped)
    elif pieces:
        data = b"".join(pieces)
        if data and not data.endswith(b"\n"):
            data += b"\n"
        if data:
            yield _Chunk(data, data.count(b"\n"))


def _batches(chunk: _Chunk, state: FileState, *, with_text: bool) -> Iterator[pa.RecordBatch]:
    first = state.lines + 1
    state.lines += chunk.count
    if chunk.too_long:
        reason = f"line of {chunk.too_long} bytes is too long (at most {MAX_LINE_BYTES})"
        yield _slow_batch([(first, chunk.data, reason)], state)
        return
    data = chunk.data
    view = np.frombuffer(data, dtype=np.uint8)
    feeds = np.flatnonzero(view == _LINE_FEED)
    starts = np.empty_like(feeds)
    starts[0] = 0
    starts[1:] = feeds[:-1] + 1
    ends = feeds - (view[np.maximum(feeds - 1, 0)] == _CARRIAGE_RETURN)
    ends = np.maximum(ends, starts)
    marks = _find_marks(data, starts)
    is_usual = _usual(view, starts, ends, marks)
    if b"\\" in data:
        is_usual &= _has_plain_id(view, starts, marks)
    if not _is_utf8(data):
        is_usual &= _decodable(data, starts, feeds)
    usual = np.flatnonzero(is_usual)
    if len(usual):
        yield _usual_batch(
            data, view, usual + first, starts[usual], ends[usual], marks[usual], with_text
        )
    if len(usual) < len(feeds):
        slow = np.flatnonzero(~is_usual)
        state.slow_lines += len(slow)
        entries = [(first + int(i), data[starts[i] : feeds[i]], "") for i in slow]
        yield _slow_batch(entries, state)


def _find_marks(data: bytes, starts: Positions) -> Positions:
    """Where the payload's mark begins in each line, -1 or behind the line if it is not there.

    The text of a JSON string holds no quote without a backslash before it, so that the first mark
    cannot be inside the record id.
    """
    find = data.find
    return np.fromiter(
        (find(_MARK, start) for start in (starts + _ID_AT).tolist()),
        dtype=np.int64,
        count=len(starts),
    )


def _usual(
    view: Bytes, starts: Positions, ends: Positions, marks: Positions
) -> npt.NDArray[np.bool_]:
    """Which lines have exactly the form that the landing writer gives to plain record ids."""
    is_usual = (marks >= 0) & (marks + len(_MARK) + 2 <= ends)
    last = np.int64(len(view) - 1)
    for offset, expected in ((0, _HEAD), (_INSTANT_AT + _INSTANT_LENGTH, _MIDDLE)):
        at = np.minimum(starts[:, None] + np.arange(offset, offset + len(expected)), last)
        is_usual &= (view[at] == expected).all(axis=1)
    is_usual &= view[np.minimum(marks + len(_MARK), last)] == _BRACE
    is_usual &= view[np.maximum(ends - 1, 0)] == ord("}")
    return is_usual


def _has_plain_id(view: Bytes, starts: Positions, marks: Positions) -> npt.NDArray[np.bool_]:
    """Which lines have no backslash up to the mark, so that the record id is what it says."""
    backslashes = np.flatnonzero(view == _BACKSLASH)
    found = np.searchsorted(backslashes, starts)
    return np.asarray(found >= np.searchsorted(backslashes, np.maximum(marks, 0)))


def _is_utf8(data: bytes) -> bool:
    offsets = np.array([0, len(data)], dtype=np.int32)
    text = pa.StringArray.from_buffers(1, pa.py_buffer(offsets), pa.py_buffer(data))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decodable(data: bytes, starts: Positions, ends: Positions) -> npt.NDArray[np.bool_]:
    def is_text(start: int, end: int) -> bool:
        try:
            data[start:end].decode()
        except UnicodeDecodeError:
            return False
        return True

    return np.array([is_text(s, e) for s, e in zip(starts, ends, strict=True)], dtype=np.bool_)


def _usual_batch(
    data: bytes,
    view: Bytes,
    numbers: Positions,
    starts: Positions,
    ends: Positions,
    marks: Positions,
    with_text: bool,
) -> pa.RecordBatch:
    count = len(starts)
    instants = starts + _INSTANT_AT
    empty = pa.nulls(count, pa.string_view())
    return pa.record_batch(
        [
            pa.array(numbers, pa.int64()),
            _views(data, view, starts + _ID_AT, marks),
            _views(data, view, instants, instants + _INSTANT_LENGTH),
            _views(data, view, marks + len(_MARK), ends - 1),
            _views(data, view, starts, ends) if with_text else empty,
            empty,
        ],
        schema=SCHEMA,
    )


def _views(data: bytes, view: Bytes, starts: Positions, ends: Positions) -> pa.Array:
    """Pieces of `data` as an Arrow string_view array: 16 bytes each (length, then the text itself
    up to 12 bytes, or its first four, the number of the buffer and the position in it)."""
    lengths = ends - starts
    entries = np.zeros((len(starts), 16), dtype=np.uint8)
    words = entries.view(np.int32)
    words[:, 0] = lengths
    last = np.int64(len(view) - 1)
    is_short = lengths <= 12
    columns = np.arange(12)
    entries[:, 4:8] = view[np.minimum(starts[:, None] + columns[:4], last)]
    words[:, 3] = starts
    short = np.flatnonzero(is_short)
    if len(short):
        texts = view[np.minimum(starts[short, None] + columns, last)]
        entries[short, 4:16] = np.where(columns < lengths[short, None], texts, 0)
    return pa.Array.from_buffers(
        pa.string_view(), len(starts), [None, pa.py_buffer(entries), pa.py_buffer(data)]
    )


def _slow_batch(entries: list[tuple[int, bytes, str]], state: FileState) -> pa.RecordBatch:
    """Lines that are not of the usual form, one by one."""
    rows: list[dict[str, Any]] = []
    for number, line, known_reason in entries:
        if not known_reason and not line.strip(b"\xef\xbb\xbf \t\r"):
            state.blank_lines += 1
            continue
        row: dict[str, Any] = {"line_no": number}
        reason = known_reason or _read_slowly(line, row)
        text = line.decode("utf-8", "backslashreplace")
        if reason:
            if len(line) > MAX_TEXT_BYTES:
                text = line[:MAX_TEXT_BYTES].decode("utf-8", "backslashreplace")
                reason += f" (text cut after {MAX_TEXT_BYTES} bytes)"
            row = {"line_no": number, "reason": reason}
        row["text"] = text
        rows.append(row)
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _read_slowly(line: bytes, row: dict[str, Any]) -> str:
    """Fill `row` from a line in any JSON form; return why it is no record, or an empty string."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: byte {error.start + 1} of the line ({error.reason})"
    if "\x00" in text:
        return "not JSON: it holds a NUL byte"
    try:
        content = json.loads(text.lstrip("\ufeff"))
    except RecursionError:
        return "not JSON that can be read: nested too deeply"
    except ValueError as error:
        return f"not JSON: {error}"
    if not isinstance(content, dict):
        return "not a JSON object"
    missing = [key for key in ("fetched_at", "record_id", "payload") if content.get(key) is None]
    if missing:
        return f"no {', '.join(missing)}"
    if not isinstance(content["payload"], dict):
        return "payload is not a JSON object"
    record_id, fetched_at = str(content["record_id"]), str(content["fetched_at"])
    if any("\ud800" <= character <= "\udfff" for character in record_id + fetched_at):
        return "not JSON: a lone surrogate in the record id"
    if not fetched_at.endswith("Z"):
        return "fetched_at is not an instant in UTC ending in Z"
    payload = _cut_payload(text)
    row["record_id"] = record_id
    row["fetched_at"] = fetched_at.removesuffix("Z")
    row["payload"] = payload or json.dumps(
        content["payload"], ensure_ascii=True, separators=(",", ":")
    )
    return ""


def _cut_payload(text: str) -> str:
    """The payload as it was written, if the line has the usual order of keys; else nothing."""
    head = '{"fetched_at":"'
    middle = '","record_id":'
    at = len(head) + _INSTANT_LENGTH + 1
    if not (text.startswith(head) and text.startswith(middle, at)):
        return ""
    try:
        record_id, end = json.JSONDecoder().raw_decode(text, at + len(middle))
    except ValueError:
        return ""
    mark = _MARK.decode()[1:]
    line = text.rstrip()
    if not isinstance(record_id, str) or not text.startswith(mark, end) or not line.endswith("}"):
        return ""
    return line[end + len(mark) : -1]
