"""Landing files: what a source sent, made durable before its cursor moves.

`landing/<source>/<stream>/<date>/<run>-<part>.jsonl.zst` holds one JSON object a line,

    {"fetched_at":"2026-01-05T10:00:00.000000Z","record_id":"…","payload":{…}}

with exactly this order of keys and no blanks between them, the payload as it was received. What a
source could not read lies beside it in `<run>-<part>.rejects.jsonl.zst`:

    {"rejected_at":"…","text":"…","reason":"…","origin":"…"}

How files become visible, and what a crash leaves, is told in `warehouse.commits`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import duckdb
import pyarrow as pa
import zstandard

from warehouse.commits import (
    DATA_SUFFIX,
    REJECTS_MARK,
    Commit,
    Kind,
    LandedFile,
    Part,
    check_names,
    check_run_id,
    data_path_of,
    finish_commit,
    last_sequence,
    read_cursor,
    recover,
    write_commit,
)
from warehouse.errors import LandingError, explain_os_error
from warehouse.files import make_durable_folder, sync_folder, temporary_name
from warehouse.tombstones import Tombstones, read_tombstones

__all__ = ["Guard", "LandingWriter", "Payload", "land_query", "read_cursor"]

Payload = Mapping[str, Any] | str
Guard = Callable[[Tombstones, str, str, str, Payload], Payload | None]
"""What remains of a payload (of source, stream, record id) once forgotten authors and customers are
out of it; None if nothing. The warehouse does not know how payloads name people."""

MAX_PART_ROWS = 500_000
MAX_PART_BYTES = 256 * 1024 * 1024
"""Of text, before compression."""
MAX_REJECT_CHARACTERS = 100_000
COMPRESSION_LEVEL = 3
_FLUSH_BYTES = 1 << 18
QUERY_BATCH_ROWS = 20_480


class _HashedFile:
    """A file being written whose hash and size are known at the end without reading it again."""

    def __init__(self, path: Path) -> None:
        self._handle = path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._handle.write(data)

    def finish(self) -> str:
        """Sync and close; return the hash in hexadecimal digits."""
        self._handle.flush()
        os.fsync(self._handle.fileno())
        self._handle.close()
        return self._hash.hexdigest()

    def drop(self) -> None:
        """Close, whatever the disk says."""
        with contextlib.suppress(OSError):
            self._handle.close()


@dataclass(slots=True)
class _OpenPart:
    """A part that is being written under its temporary name."""

    logical_id: str
    source: str
    stream: str
    kind: Kind
    temporary: Path
    output: _HashedFile
    compressor: zstandard.ZstdCompressionWriter
    pending: bytearray = field(default_factory=bytearray)
    rows: int = 0
    text_bytes: int = 0


class LandingWriter:
    """Appends records of one source module; nothing counts before `commit` returns.

    A module may write streams of several sources (`x/posts` of the simulated shop): `source` of
    `append` names the folder and the table, `source_name` names whose cursor it is.

    A record on the target's list of forgotten ones does not land again; `guard` says what of other
    records must not. `forgotten` counts what was kept out or changed.

    Memory stays bounded by a few hundred lines per stream; parts roll over after
    `max_part_rows` rows or `max_part_bytes` of text. Opening a writer calls `recover`, so it must
    be done while holding the target's lock. Used as a context manager, leaving the block drops
    what was not committed.
    """

    def __init__(
        self,
        landing_dir: Path,
        *,
        source_name: str,
        run_id: str,
        is_simulated: bool,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_part_rows: int = MAX_PART_ROWS,
        max_part_bytes: int = MAX_PART_BYTES,
        guard: Guard | None = None,
        is_tidying: bool = True,
    ) -> None:
        """Prepare the folder. `is_tidying` is false for who does not hold the target's lock: the
        files that another process is writing are not leftovers.

        Raises:
            LandingError: the folder cannot be written, a commit record is damaged, a name cannot
                become a file name, or posts or people are to be kept out of
                payloads and there is no `guard`.
            LoadError: the list of forgotten records is damaged.
        """
        check_names(source_name, "x")
        check_run_id(run_id)
        self._landing_dir = landing_dir
        self._source_name = source_name
        self._run_id = run_id
        self._is_simulated = is_simulated
        self._clock = clock
        self._max_part_rows = max_part_rows
        self._max_part_bytes = max_part_bytes
        self._open: dict[tuple[str, str, Kind], _OpenPart] = {}
        self._finished: list[Part] = []
        self._counters: dict[Path, int] = {}
        self._is_broken = False
        self._guard = guard
        self._tombstones = read_tombstones(landing_dir)
        self.forgotten = 0
        if guard is None and self._tombstones.needs_guard():
            raise LandingError(
                f"{landing_dir} keeps people out, and this writer does not know how.",
                "Hand pipeline.privacy.guard to the landing writer.",
            )
        try:
            make_durable_folder(landing_dir)
            if is_tidying:
                recover(landing_dir)
            self._sequence = last_sequence(landing_dir)
            self._cursor = read_cursor(landing_dir, source_name)
        except OSError as error:
            message, remedy = explain_os_error(error, doing="preparing", path=landing_dir)
            raise LandingError(message, remedy) from error

    @property
    def cursor(self) -> dict[str, Any]:
        """The cursor of the last commit of this source; empty before the first."""
        return dict(self._cursor)

    def append(
        self,
        source: str,
        stream: str,
        record_id: str,
        payload: Mapping[str, Any] | str,
        fetched_at: datetime,
    ) -> None:
        """Add one record. `payload` is a JSON object or its text as received, `fetched_at` aware.

        What cannot be written as JSON (a payload with NaN, text that is no JSON object) lands among
        the rejects with its reason.

        Raises:
            LandingError: the disk is full or cannot be written, `fetched_at` is naive, a name
                cannot become a table.
            TypeError: the payload holds something that JSON does not know.
        """
        instant = _instant(fetched_at)
        if self._tombstones.requests:
            remaining = self._remaining(source, stream, record_id, payload)
            if remaining is None:
                return
            payload = remaining
        try:
            text = _payload_text(payload)
        except ValueError as error:
            reason = f"payload is not JSON: {error}"
            self.reject(source, stream, _shown(payload), reason, origin=record_id)
            return
        part = self._part(source, stream, "records", instant[:10])
        self._add(part, _line(instant, record_id, text), 1)

    def reject(self, source: str, stream: str, text: str, reason: str, *, origin: str = "") -> None:
        """Keep what a source could not read: it lands too, and is loaded into raw.rejects.

        The text is cut after 100,000 characters and the reason says so.

        Raises:
            LandingError: the disk is full or cannot be written.
        """
        if len(text) > MAX_REJECT_CHARACTERS:
            reason = f"{reason} (text cut, it had {len(text)} characters)"
            text = text[:MAX_REJECT_CHARACTERS]
        instant = _instant(self._clock())
        content = {"rejected_at": instant, "text": text, "reason": reason, "origin": origin}
        cleaned = {
            key: value.encode("utf-8", "backslashreplace").decode()
            for key, value in content.items()
        }
        line = json.dumps(cleaned, ensure_ascii=False, separators=(",", ":")) + "\n"
        part = self._part(source, stream, "rejects", instant[:10])
        self._add(part, line.encode(), 1)

    def append_lines(self, source: str, stream: str, lines: bytes, *, rows: int, day: str) -> None:
        """Add whole lines in the landing form that were built elsewhere; `day` is an ISO date.

        Raises:
            LandingError: the disk is full or cannot be written, or the lines are not `rows` lines.
        """
        if lines.count(b"\n") != rows or not lines.endswith(b"\n"):
            raise LandingError(
                f"Lines for {source}/{stream} hold line breaks inside a record.",
                "Write each record as one line of JSON.",
            )
        if self._tombstones.requests:
            lines, rows = self._remaining_lines(source, stream, lines)
            if not rows:
                return
        self._add(self._part(source, stream, "records", day), lines, rows)

    def _remaining(
        self, source: str, stream: str, record_id: str, payload: Payload
    ) -> Payload | None:
        """What may land of a record; None if it is forgotten."""
        if self._tombstones.has("record", f"{source}/{stream}", record_id):
            self.forgotten += 1
            return None
        if self._guard is None or not self._tombstones.needs_guard():
            return payload
        remaining = self._guard(self._tombstones, source, stream, record_id, payload)
        self.forgotten += remaining is not payload
        return remaining

    def _remaining_lines(self, source: str, stream: str, lines: bytes) -> tuple[bytes, int]:
        """What may land of lines in the landing form, and how many those are."""
        kept: list[bytes] = []
        for line in lines.splitlines(keepends=True):
            record = json.loads(line)
            payload = record["payload"]
            remaining = self._remaining(source, stream, str(record["record_id"]), payload)
            if remaining is payload:
                kept.append(line)
            elif remaining is not None:
                kept.append(record_line(record["fetched_at"], record["record_id"], remaining))
        return b"".join(kept), len(kept)

    def commit(self, cursor: Mapping[str, Any] | None = None) -> list[LandedFile]:
        """Make everything appended so far durable, together with the cursor, and return its files.

        `None` leaves the cursor where it was. When this raises, the writer is of no more use, and
        the next one finds either all of it or nothing.

        Raises:
            LandingError: the disk is full or cannot be written.
        """
        self._check_usable()
        for key in list(self._open):
            self._finish(key)
        parts = tuple(self._finished)
        if not parts and (cursor is None or dict(cursor) == self._cursor):
            return []
        commit = Commit(
            sequence=self._sequence + 1,
            source_name=self._source_name,
            run_id=self._run_id,
            is_simulated=self._is_simulated,
            committed_at=_instant(self._clock()),
            parts=parts,
            cursor=None if cursor is None else dict(cursor),
        )
        try:
            for folder in {
                data_path_of(self._landing_dir, part.logical_id).parent for part in parts
            }:
                sync_folder(folder)
            write_commit(self._landing_dir, commit)
            self._sequence += 1
            self._finished = []
            if cursor is not None:
                self._cursor = dict(cursor)
            finish_commit(self._landing_dir, commit)
        except OSError as error:
            self._fail(error, "committing", self._landing_dir)
        return [
            LandedFile(
                path=data_path_of(self._landing_dir, part.logical_id),
                logical_id=part.logical_id,
                source=part.source,
                stream=part.stream,
                kind=part.kind,
                run_id=self._run_id,
                is_simulated=self._is_simulated,
                rows=part.rows,
                bytes=part.bytes,
                sha256=part.sha256,
                sequence=commit.sequence,
            )
            for part in parts
        ]

    def close(self) -> None:
        """Drop what was not committed."""
        for part in self._open.values():
            part.output.drop()
            part.temporary.unlink(missing_ok=True)
        self._open.clear()
        for finished in self._finished:
            final = data_path_of(self._landing_dir, finished.logical_id)
            final.with_name(finished.temporary).unlink(missing_ok=True)
        self._finished = []

    def __enter__(self) -> LandingWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _check_usable(self) -> None:
        if self._is_broken:
            raise LandingError(
                "This landing writer failed before.",
                "Run again: it continues from the last commit.",
            )

    def _part(self, source: str, stream: str, kind: Kind, day: str) -> _OpenPart:
        """The open part of a stream, a new one if there is none. A part keeps the day it was begun
        with, so that records of one commit do not scatter around midnight."""
        self._check_usable()
        key = (source, stream, kind)
        part = self._open.get(key)
        if part is None:
            check_names(source, stream)
            folder = self._landing_dir / source / stream / day
            try:
                make_durable_folder(folder)
                final = self._free_name(folder, kind)
                temporary = temporary_name(final)
                output = _HashedFile(temporary)
            except OSError as error:
                self._fail(error, "writing to", folder)
            compressor = zstandard.ZstdCompressor(
                level=COMPRESSION_LEVEL, write_checksum=True
            ).stream_writer(output, closefd=False)  # type: ignore[arg-type]
            logical_id = final.relative_to(self._landing_dir).as_posix().removesuffix(DATA_SUFFIX)
            part = _OpenPart(logical_id, source, stream, kind, temporary, output, compressor)
            self._open[key] = part
        return part

    def _free_name(self, folder: Path, kind: Kind) -> Path:
        """The first part number that no file of this run uses, final or temporary."""
        mark = REJECTS_MARK if kind == "rejects" else ""
        number = self._counters.get(folder, 0)
        while True:
            number += 1
            stem = f"{self._run_id}-{number:05d}"
            if any(folder.glob(f"{stem}*")) or any(folder.glob(f".{stem}*")):
                continue
            self._counters[folder] = number
            return folder / f"{stem}{mark}{DATA_SUFFIX}"

    def _add(self, part: _OpenPart, lines: bytes, rows: int) -> None:
        part.pending += lines
        part.rows += rows
        part.text_bytes += len(lines)
        if len(part.pending) >= _FLUSH_BYTES:
            try:
                part.compressor.write(part.pending)
            except OSError as error:
                self._fail(error, "writing", part.temporary.parent)
            part.pending.clear()
        if part.rows >= self._max_part_rows or part.text_bytes >= self._max_part_bytes:
            self._finish((part.source, part.stream, part.kind))

    def _finish(self, key: tuple[str, str, Kind]) -> None:
        """Close a part and wait until the disk has its bytes; it is not visible yet."""
        part = self._open[key]
        try:
            part.compressor.write(part.pending)
            part.compressor.flush(zstandard.FLUSH_FRAME)
            digest = part.output.finish()
        except OSError as error:
            self._fail(error, "writing", part.temporary.parent)
        del self._open[key]
        self._finished.append(
            Part(
                logical_id=part.logical_id,
                source=part.source,
                stream=part.stream,
                kind=part.kind,
                temporary=part.temporary.name,
                rows=part.rows,
                text_bytes=part.text_bytes,
                bytes=part.output.size,
                sha256=digest,
            )
        )

    def _fail(self, error: OSError, doing: str, path: Path) -> NoReturn:
        self._is_broken = True
        with contextlib.suppress(OSError):
            self.close()
        message, remedy = explain_os_error(error, doing=doing, path=path)
        raise LandingError(message, remedy) from error


def land_query(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    *,
    writer: LandingWriter,
    source: str,
    stream: str,
    parameters: list[Any] | dict[str, Any] | None = None,
) -> int:
    """Land the rows of a query and return how many; the bulk way for data sets.

    `sql` is a SELECT that gives at least the columns

    * `record_id`, castable to varchar;
    * `payload`, JSON or the text of one JSON object without line breaks (what `to_json` and
      `json_object` give);
    * `fetched_at`, timestamptz.

    Rows go through `writer` in the order of the query, without a Python step per row, in bounded
    memory, over as many parts as needed; they count when `writer.commit` returns. Rows of one call
    land in the folder of the first row's day. Nothing else may use `connection` meanwhile.

    Raises:
        LandingError: a record_id, payload or fetched_at is null, a payload holds a line break, or
            the disk is full or cannot be written.
        duckdb.Error: the query itself fails.
    """
    line = f"""
        select
            '{{"fetched_at":"'
            || strftime(cast(fetched_at as timestamptz) at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')
            || '","record_id":' || cast(to_json(cast(record_id as varchar)) as varchar)
            || ',"payload":' || cast(payload as varchar) || '}}' || chr(10) as line
        from ({sql})
    """
    landed = 0
    day = ""
    connection.execute(line, parameters or [])
    for batch in connection.to_arrow_reader(QUERY_BATCH_ROWS):
        lines = batch.column(0)
        if lines.null_count:
            raise LandingError(
                f"The query for {source}/{stream} gives rows without record_id, payload or "
                "fetched_at.",
                "Filter such rows out of the query and land them with reject().",
            )
        if not len(lines):
            continue
        day = day or lines[0].as_py()[15:25]
        writer.append_lines(source, stream, _text_of(lines), rows=len(lines), day=day)
        landed += len(lines)
    return landed


def _text_of(lines: pa.StringArray) -> bytes:
    """The text of all values one after the other, which is how Arrow holds them."""
    if not pa.types.is_string(lines.type):
        lines = lines.cast(pa.string())
    _, offsets, data = lines.buffers()
    ends = memoryview(offsets).cast("i")
    return bytes(memoryview(data)[ends[lines.offset] : ends[lines.offset + len(lines)]])


def _instant(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise LandingError(
            f"The instant {moment.isoformat()} has no time zone.", "Hand over aware datetimes."
        )
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def record_line(instant: str, record_id: str, payload: Payload) -> bytes:
    """A record as one line of a landing file; `instant` as in `fetched_at`.

    Raises:
        ValueError: the payload is no JSON object.
    """
    return _line(instant, record_id, _payload_text(payload))


def _line(instant: str, record_id: str, text: str) -> bytes:
    line = f'{{"fetched_at":"{instant}","record_id":{_json_text(record_id)},"payload":{text}}}\n'
    return _encode(line)


def _payload_text(payload: Mapping[str, Any] | str) -> str:
    """The payload as one line of JSON.

    Raises:
        ValueError: it is not a JSON object.
    """
    if not isinstance(payload, str):
        try:
            return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    text = payload.strip(" \t\r\n")
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("not an object")
    if "\n" in text or "\r" in text:
        try:
            json.loads(text)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        # Valid JSON has line breaks between tokens only, where a blank means the same.
        text = text.replace("\r", " ").replace("\n", " ")
    return text


def _shown(payload: Mapping[str, Any] | str) -> str:
    """The text that a reject keeps of a payload."""
    if isinstance(payload, str):
        return payload
    try:
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, ValueError):
        return f"keys: {', '.join(map(str, payload))}"


def _json_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _encode(line: str) -> bytes:
    """UTF-8; a lone surrogate keeps its `\\ud83d` form, which the loader puts to the rejects."""
    try:
        return line.encode()
    except UnicodeEncodeError:
        return line.encode("utf-8", "backslashreplace")
