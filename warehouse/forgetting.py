"""Taking lines out of landing files, rows out of the work file, and what is left in between.

A landing file is rewritten as a whole: temporary name, sync, rename. A line that goes becomes an
empty one, so that all others keep their numbers, by which raw tables know them. The file keeps its
logical id and is not loaded again; its commit record gets the new size and hash.

DuckDB leaves what was deleted in free blocks of its file until they are written over: the work file
is copied into a new one, which holds what is there and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pyarrow as pa
import zstandard

from warehouse.commits import DATA_SUFFIX, Commit, LandedFile, amend_commits
from warehouse.errors import LandingError, LoadError, explain_os_error
from warehouse.files import TEMPORARY_SUFFIX, replace_durably, sync_folder, temporary_name
from warehouse.landing import COMPRESSION_LEVEL
from warehouse.lines import FileState, whole_lines
from warehouse.schema import STORAGE_VERSION, open_work, raw_table

Change = Callable[[int, bytes], bytes | None]
"""What becomes of a line (number, text without its line feed): None leaves it as it is, nothing
takes it out."""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A landing file after it was rewritten."""

    logical_id: str
    rows: int
    text_bytes: int
    bytes: int
    sha256: str


def lines_of(
    path: Path, state: FileState, *, needles: Collection[bytes] | None = None
) -> Iterator[tuple[int, bytes]]:
    """(number, text) of the lines of a landing file that are not blank.

    With `needles` (in small letters), lines without any of them are left out. `state` is filled.

    Raises:
        OSError: the file cannot be opened or read.
    """
    number = 0
    for data in whole_lines(path, state):
        folded = b"" if needles is None else data.lower()
        lines = (
            list(enumerate(_split(data), start=1))
            if needles is None or _HIDDEN.search(folded)
            else _lines_with(data, folded, needles)
        )
        for index, line in lines:
            if line.strip():
                yield number + index, line
        number += data.count(b"\n")
    state.lines = number


# A letter or digit written as \u0041 hides what is searched for: such a piece is read whole.
_HIDDEN = re.compile(rb"\\u00(?:2d|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a])")


def _lines_with(data: bytes, folded: bytes, needles: Collection[bytes]) -> list[tuple[int, bytes]]:
    """(number within the piece, text) of the lines that hold a needle, in their order."""
    starts: set[int] = set()
    for needle in needles:
        at = folded.find(needle)
        while at >= 0:
            starts.add(data.rfind(b"\n", 0, at) + 1)
            end = data.find(b"\n", at)
            at = folded.find(needle, end) if end >= 0 else -1
    found = []
    before = number = 0
    for start in sorted(starts):
        number += data.count(b"\n", before, start)
        before = start
        end = data.find(b"\n", start)
        found.append((number + 1, data[start : end if end >= 0 else len(data)]))
    return found


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _holds_one(data: bytes, needles: Collection[bytes]) -> bool:
    # A letter or digit written as \u0041 hides what is searched for: such a piece is read.
    folded = data.lower()
    return any(needle in folded for needle in needles) or b"\\u00" in folded


def rewrite(file: LandedFile, change: Change) -> tuple[Rewritten, FileState] | None:
    """Rewrite a landing file line by line; None, and the file as it was, if nothing changes.

    What cannot be decompressed of a damaged file is lost with the rewriting; `state.damage` tells.

    Raises:
        LandingError: the disk is full, or the file cannot be read or written.
    """
    temporary = temporary_name(file.path)
    state = FileState()
    try:
        with temporary.open("wb") as raw:
            output = _Hashed(raw.write)
            compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
            is_changed = False
            rows = text_bytes = number = 0
            with compressor.stream_writer(output, closefd=False) as packed:  # type: ignore[arg-type]
                for data in whole_lines(file.path, state):
                    kept: list[bytes] = []
                    for line in _split(data):
                        number += 1
                        changed = change(number, line)
                        is_changed |= changed is not None and changed != line
                        kept.append(line if changed is None else changed)
                    text = b"\n".join(kept) + b"\n"
                    rows += sum(1 for line in kept if line.strip())
                    text_bytes += len(text)
                    packed.write(text)
            raw.flush()
            os.fsync(raw.fileno())
        if not is_changed:
            return None
        temporary.replace(file.path)
        sync_folder(file.path.parent)
    except OSError as error:
        message, remedy = explain_os_error(error, doing="rewriting", path=file.path)
        raise LandingError(message, remedy) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    digest = output.digest()
    return Rewritten(file.logical_id, rows, text_bytes, output.size, digest), state


class _Hashed:
    """A sink that knows the hash and the size of what went through it."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self._write = write
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._write(data)

    def digest(self) -> str:
        return self._hash.hexdigest()


def empty(file: LandedFile) -> Rewritten:
    """Replace a landing file by one without lines, which stays known and loaded.

    Raises:
        LandingError: the disk is full or cannot be written.
    """
    content = zstandard.ZstdCompressor(write_checksum=True).compress(b"")
    try:
        replace_durably(file.path, content)
    except OSError as error:
        message, remedy = explain_os_error(error, doing="emptying", path=file.path)
        raise LandingError(message, remedy) from error
    return Rewritten(file.logical_id, 0, 0, len(content), hashlib.sha256(content).hexdigest())


def measure(file: LandedFile) -> Rewritten:
    """A file as it lies on disk, for a commit record that a killed run did not get to.

    Raises:
        LandingError: the file cannot be read.
    """
    state = FileState()
    rows = text_bytes = 0
    try:
        for data in whole_lines(file.path, state):
            rows += sum(1 for line in _split(data) if line.strip())
            text_bytes += len(data)
    except OSError as error:
        message, remedy = explain_os_error(error, doing="reading", path=file.path)
        raise LandingError(message, remedy) from error
    return Rewritten(file.logical_id, rows, text_bytes, state.bytes, state.sha256)


def amend_landing(
    landing_dir: Path,
    rewritten: Mapping[str, Rewritten],
    amend_cursor: Callable[[Commit], Commit] = lambda commit: commit,
) -> int:
    """Write sizes and hashes of rewritten files, and cursors without what was forgotten, into the
    commit records; return how many records changed.

    Raises:
        LandingError: a record is damaged or cannot be written.
    """

    def amend(commit: Commit) -> Commit:
        parts = tuple(
            replace(
                part,
                rows=new.rows,
                text_bytes=new.text_bytes,
                bytes=new.bytes,
                sha256=new.sha256,
            )
            if (new := rewritten.get(part.logical_id))
            else part
            for part in commit.parts
        )
        return amend_cursor(replace(commit, parts=parts))

    try:
        return amend_commits(landing_dir, amend)
    except OSError as error:
        message, remedy = explain_os_error(error, doing="writing", path=landing_dir)
        raise LandingError(message, remedy) from error


Lines = Mapping[str, Collection[int]]
"""Line numbers by logical id of a landing file."""


def delete_rows(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    stream: str,
    lines: Lines,
    *,
    whole: Collection[str] = (),
) -> dict[str, int]:
    """Delete the raw rows, and rejects, of these lines and of these whole files of a stream; return
    counts by table."""
    table = raw_table(source, stream)
    places = pa.table(
        {
            "logical_id": pa.array(
                [name for name, numbers in lines.items() for _ in numbers], pa.string()
            ),
            "number": pa.array([n for numbers in lines.values() for n in numbers], pa.int64()),
        }
    )
    counts: dict[str, int] = {}
    connection.register("gone_lines", places)
    try:
        for name in (table, "raw.rejects"):
            if not _exists(connection, name):
                continue
            deleted = connection.execute(
                f"delete from {name} where (source_file, line_no) in "
                "(select logical_id, number from gone_lines) "
                "or source_file in (select unnest(cast(? as varchar[])))",
                [list(whole)],
            ).fetchall()
            counts[name.replace('"', "")] = int(deleted[0][0])
    finally:
        connection.unregister("gone_lines")
    return counts


def update_payloads(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    stream: str,
    changed: Sequence[tuple[str, int, str]],
) -> int:
    """Give raw rows, named by (logical id, line number), other payloads; return how many."""
    table = raw_table(source, stream)
    if not changed or not _exists(connection, table):
        return 0
    rows = pa.table(
        {
            "logical_id": pa.array([entry[0] for entry in changed], pa.string()),
            "number": pa.array([entry[1] for entry in changed], pa.int64()),
            "new_payload": pa.array([entry[2] for entry in changed], pa.string()),
        }
    )
    connection.register("changed_lines", rows)
    try:
        updated = connection.execute(
            f"update {table} set payload = cast(changed_lines.new_payload as json) "
            "from changed_lines where source_file = changed_lines.logical_id "
            "and line_no = changed_lines.number"
        ).fetchall()
    finally:
        connection.unregister("changed_lines")
    return int(updated[0][0])


def note_in_log(
    connection: duckdb.DuckDBPyConnection, source: str, stream: str, rewritten: Sequence[Rewritten]
) -> None:
    """Let raw.load_log say what rewritten files of a stream are now."""
    table = raw_table(source, stream)
    if not rewritten or not _exists(connection, table):
        return
    rows = pa.table(
        {
            "logical_id": pa.array([file.logical_id for file in rewritten], pa.string()),
            "byte_count": pa.array([file.bytes for file in rewritten], pa.int64()),
            "sha256": pa.array([file.sha256 for file in rewritten], pa.string()),
        }
    )
    connection.register("rewritten_files", rows)
    try:
        for column, counted in (("row_count", table), ("reject_count", "raw.rejects")):
            connection.execute(
                f"update raw.load_log set {column} = (select count(*) from {counted} as found "
                "where found.source_file = load_log.logical_id) "
                "where logical_id in (select logical_id from rewritten_files)"
            )
        connection.execute(
            "update raw.load_log set byte_count = files.byte_count, sha256 = files.sha256 "
            "from rewritten_files as files where load_log.logical_id = files.logical_id"
        )
    finally:
        connection.unregister("rewritten_files")


def drop_built_tables(
    connection: duckdb.DuckDBPyConnection, is_wanted: Callable[[str, str], bool]
) -> list[str]:
    """Drop the tables and views that `is_wanted` (schema, name) names; return them, sorted."""
    found = connection.execute(
        "select schema_name, table_name, 'table' from duckdb_tables() "
        "where database_name = current_database() and not temporary and schema_name <> 'raw' "
        "union all select schema_name, view_name, 'view' from duckdb_views() "
        "where database_name = current_database() and not internal and not temporary "
        "order by 1, 2"
    ).fetchall()
    dropped = []
    for schema, name, kind in found:
        if is_wanted(schema, name):
            connection.execute(f'drop {kind} if exists "{schema}"."{name}" cascade')
            dropped.append(f"{schema}.{name}")
    return dropped


def compact(work_path: Path) -> None:
    """Put a copy of the work file that holds nothing but what is there into its place.

    Call it only while holding the target's lock and with the file closed.

    Raises:
        LockedError: another process has the work file open.
        LoadError: the disk is full or cannot be written; the work file is as it was.
    """
    remove_leftovers(work_path)
    with contextlib.closing(open_work(work_path)) as connection:
        connection.execute("force checkpoint")
    temporary = temporary_name(work_path)
    try:
        with contextlib.closing(duckdb.connect()) as connection:
            connection.execute(f"attach {_text(str(work_path))} as work (read_only)")
            connection.execute(
                f"attach {_text(str(temporary))} as fresh "
                f"(storage_version {_text(STORAGE_VERSION)})"
            )
            connection.execute("copy from database work to fresh")
            connection.execute("checkpoint fresh")
            connection.execute("detach fresh")
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(work_path)
        work_path.with_name(f"{work_path.name}.wal").unlink(missing_ok=True)
        sync_folder(work_path.parent)
    except (OSError, duckdb.Error) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LoadError(
            f"The work file cannot be compacted ({first}).",
            "Free as much space as it takes, then run social-signals forget --resume: until then "
            "deleted rows may lie in its free blocks.",
        ) from error
    finally:
        remove_leftovers(work_path)


def remove_leftovers(work_path: Path) -> None:
    """Delete what killed compactions and spilling queries left beside the work file."""
    for path in work_path.parent.glob(f".{work_path.name}.*{TEMPORARY_SUFFIX}*"):
        path.unlink(missing_ok=True)
    spilled = work_path.with_name(f"{work_path.name}.tmp")
    if spilled.is_dir():
        for path in spilled.iterdir():
            path.unlink(missing_ok=True)
        spilled.rmdir()


def is_loaded_from(landing_dir: Path, logical_id: str) -> bool:
    """Whether the landing file of raw rows is still there."""
    return (landing_dir / f"{logical_id}{DATA_SUFFIX}").exists()


def _exists(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, _, name = table.replace('"', "").partition(".")
    found = connection.execute(
        "select count(*) from duckdb_tables() where database_name = current_database() "
        "and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchall()
    return bool(found[0][0])


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
