"""From landing files to raw tables: set-based, and every file once.

Files are taken in the order in which they were committed, a few at a time (up to about a million
lines), and one transaction writes their rows into `raw.<source>_<stream>`, their bad lines into
raw.rejects and one row each into raw.load_log. So a file is in the tables with its log row or not
at all, whenever the process is killed; what the log knows is not read again. `load_id` counts the
files in that order, and a work file that was deleted is rebuilt with the same rows and load ids.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from warehouse.commits import LandedFile, list_landed, recover
from warehouse.errors import LoadError
from warehouse.field_notes import note_fields
from warehouse.lines import MAX_TEXT_BYTES, SCHEMA, FileState, read_lines, read_objects
from warehouse.operations import compact_fields
from warehouse.schema import ensure_raw_tables, open_work, raw_table
from warehouse.tombstones import apply_tombstones, key_in_sql, prefix

logger = logging.getLogger(__name__)

GROUP_ROWS = 1_000_000
GROUP_BYTES = 128 * 1024 * 1024
"""Of compressed files in one transaction."""

_READER_SCHEMA = SCHEMA.append(pa.field("load_id", pa.int64()))


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """What one landing file became; `message` tells of damage or of lines that were not usual."""

    logical_id: str
    source: str
    stream: str
    load_id: int
    row_count: int
    reject_count: int
    is_damaged: bool
    message: str


@dataclass(slots=True)
class LoadReport:
    """What a load did. `problems` holds one sentence for each file that could not be read at all or
    not to its end: then the command ends with an exit code other than 0."""

    files: list[LoadedFile] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        return sum(file.row_count for file in self.files)

    @property
    def reject_count(self) -> int:
        return sum(file.reject_count for file in self.files)


@dataclass(slots=True)
class _Pending:
    """A file in the transaction that is under way."""

    file: LandedFile
    load_id: int
    state: FileState = field(default_factory=FileState)
    error: OSError | None = None
    rows: int = 0
    rejects: int = 0


def load(
    work: duckdb.DuckDBPyConnection | Path,
    landing_dir: Path,
    streams: Iterable[tuple[str, str]],
    *,
    allow_simulated: bool,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[str, int], None] = lambda _message, _count: None,
) -> LoadReport:
    """Load every landing file that raw.load_log does not know, and say what was done.

    Args:
        work: the work file, or a connection to it without an open transaction.
        landing_dir: the target's landing folder; need not exist.
        streams: the declared (source, stream) pairs, whose tables are made even if nothing landed;
            files of other streams are loaded too, into tables of their own.
        allow_simulated: whether the target is declared simulated. A file that was put into the
            landing folder by hand counts as simulated there and as real elsewhere.
        progress: called after each transaction with its first stream and the number of its rows.

    Call it only while holding the target's lock.

    Raises:
        LockedError: the work file is in use.
        LoadError: simulated records in a live target, a full disk, a damaged list of tombstones.
        LandingError: a damaged commit record.
    """
    if isinstance(work, Path):
        connection = open_work(work)
        try:
            return _load(connection, landing_dir, streams, allow_simulated, clock, progress)
        finally:
            connection.close()
    return _load(work, landing_dir, streams, allow_simulated, clock, progress)


def _load(
    connection: duckdb.DuckDBPyConnection,
    landing_dir: Path,
    streams: Iterable[tuple[str, str]],
    allow_simulated: bool,
    clock: Callable[[], datetime],
    progress: Callable[[str, int], None],
) -> LoadReport:
    report = LoadReport()
    try:
        recover(landing_dir)
    except OSError as error:
        # A read-only landing folder can still be loaded from.
        logger.warning("%s cannot be tidied: %s", landing_dir, error)
    landed = list_landed(landing_dir) if landing_dir.is_dir() else []
    _refuse_simulated(landed, allow_simulated)
    keep_order = connection.execute("select current_setting('preserve_insertion_order')").fetchall()
    try:
        connection.execute("set preserve_insertion_order = false")
        ensure_raw_tables(connection, streams)
        apply_tombstones(connection, landing_dir)
        _forget_damaged(connection, landed)
        for group in _groups(_new_files(connection, landed, report)):
            before = report.row_count
            _load_group(connection, group, allow_simulated, clock(), report)
            progress(f"{group[0].source}/{group[0].stream}", report.row_count - before)
    except duckdb.Error as error:
        raise _explain(error) from error
    finally:
        connection.execute(f"set preserve_insertion_order = {bool(keep_order[0][0])}")
    return report


def _refuse_simulated(landed: Sequence[LandedFile], allow_simulated: bool) -> None:
    """A live target takes no simulated records."""
    simulated = [file for file in landed if file.is_simulated]
    if simulated and not allow_simulated:
        raise LoadError(
            f"The landing file {simulated[0].path} holds simulated records "
            f"({len(simulated)} such files), and this target is not declared simulated.",
            "Load them in a target that is (such as demo), or give this target a data folder of "
            "its own and remove the file.",
        )


def _new_files(
    connection: duckdb.DuckDBPyConnection, landed: Sequence[LandedFile], report: LoadReport
) -> list[LandedFile]:
    """The files that the log does not know and that can be opened; the others are problems."""
    known = {row[0] for row in connection.execute("select logical_id from raw.load_log").fetchall()}
    new = []
    for file in landed:
        if file.logical_id in known:
            continue
        try:
            with file.path.open("rb"):
                new.append(file)
        except OSError as error:
            report.problems.append(_unreadable(file, error))
    return new


def _unreadable(file: LandedFile, error: OSError) -> str:
    return (
        f"The landing file {file.path} cannot be read ({error.strerror or error}); it was left "
        "out and the next load tries again. Restore it from a copy or check its permissions."
    )


def _groups(files: Sequence[LandedFile]) -> Iterator[list[LandedFile]]:
    """Neighbouring files that fit into one transaction."""
    group: list[LandedFile] = []
    rows = size = 0
    for file in files:
        file_size = file.path.stat().st_size
        # About 120 bytes a line where the number of lines is not known.
        file_rows = file.rows if file.rows is not None else file_size // 120
        if group and (rows + file_rows > GROUP_ROWS or size + file_size > GROUP_BYTES):
            yield group
            group, rows, size = [], 0, 0
        group.append(file)
        rows += file_rows
        size += file_size
    if group:
        yield group


def _load_group(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[LandedFile],
    allow_simulated: bool,
    loaded_at: datetime,
    report: LoadReport,
) -> None:
    """One transaction. A file that fails while it is read is left out and the rest begun again."""
    remaining = list(files)
    while remaining:
        pending: list[_Pending] = []
        with _transaction(connection) as outcome:
            last = connection.execute("select max(load_id) from raw.load_log").fetchall()[0][0]
            first_id = int(last or 0) + 1
            pending = [_Pending(file, first_id + index) for index, file in enumerate(remaining)]
            _write_group(connection, pending, allow_simulated, loaded_at)
            outcome.is_wanted = not any(entry.error for entry in pending)
        failed = [entry for entry in pending if entry.error]
        if not failed:
            for entry in pending:
                _report(entry, report)
            return
        report.problems.extend(_unreadable(e.file, e.error) for e in failed if e.error)
        remaining = [entry.file for entry in pending if not entry.error]


@dataclass(slots=True)
class _Outcome:
    is_wanted: bool = True


@contextlib.contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[_Outcome]:
    """Commit at the end of the block if it was left in peace and `is_wanted` is still true."""
    outcome = _Outcome()
    connection.begin()
    try:
        yield outcome
        if outcome.is_wanted:
            connection.commit()
    except BaseException:
        with contextlib.suppress(duckdb.Error):
            connection.rollback()
        raise
    if not outcome.is_wanted:
        connection.rollback()


def _write_group(
    connection: duckdb.DuckDBPyConnection,
    pending: Sequence[_Pending],
    allow_simulated: bool,
    loaded_at: datetime,
) -> None:
    """Write rows, rejects and log rows of some files inside the open transaction."""
    streams: dict[tuple[str, str], list[_Pending]] = {}
    for entry in pending:
        if entry.file.kind == "records":
            streams.setdefault((entry.file.source, entry.file.stream), []).append(entry)
    ensure_raw_tables(connection, streams)
    for (source, stream), entries in streams.items():
        _write_records(connection, source, stream, entries, allow_simulated, loaded_at)
        note_fields(connection, source, stream, first_load_id=entries[0].load_id)
    compact_fields(connection, now=loaded_at)
    for entry in pending:
        if entry.file.kind == "rejects":
            _write_landed_rejects(connection, entry, loaded_at)
        elif entry.rows < entry.state.lines - entry.state.blank_lines:
            _write_bad_lines(connection, entry, loaded_at)
        if entry.state.damage:
            _write_damage(connection, entry, loaded_at)
    _write_log(connection, pending, allow_simulated, loaded_at)


_INSTANT = "make_timestamptz(epoch_us(try_cast(lines.fetched_at as timestamp)))"
# One expression, and an outer join below, because DuckDB would hand simple conditions to Arrow,
# which cannot filter views of strings.
_IS_GOOD = f"""(
    case
        when lines.reason is null and {_INSTANT} is not null
            then coalesce(json_valid(lines.payload), false)
        else false
    end
)"""


def _write_records(
    connection: duckdb.DuckDBPyConnection,
    source: str,
    stream: str,
    entries: Sequence[_Pending],
    allow_simulated: bool,
    loaded_at: datetime,
) -> None:
    """Insert the good lines of files of one stream, and count them for each file."""
    table = raw_table(source, stream)
    salts = connection.execute(
        "select salt from raw.tombstones where role = 'record' and source = ? and stream = ? "
        "limit 1",
        [source, stream],
    ).fetchall()
    is_kept = (
        f"and {key_in_sql('lines.record_id')} not in (select record_key from raw.tombstones "
        "where role = 'record' and source = $source and stream = $stream)"
        if salts
        else ""
    )
    parameters: dict[str, object] = {"loaded_at": loaded_at}
    if salts:
        before = prefix(salts[0][0], "record", f"{source}/{stream}")
        parameters |= {"source": source, "stream": stream, "prefix": before}
    facts = _facts(entries, allow_simulated)
    with _registered(connection, landed_lines=_reader(entries), landed_files=facts):
        connection.execute(
            f"""
            insert into {table}
            select
                lines.record_id,
                lines.payload,
                {_INSTANT} as fetched_at,
                files.is_simulated,
                files.source_file,
                lines.line_no,
                files.run_id,
                lines.load_id,
                cast($loaded_at as timestamptz) as loaded_at
            from landed_lines as lines
            left join landed_files as files on lines.load_id = files.load_id
            where {_IS_GOOD} {is_kept}
            """,
            parameters,
        )
    counts = connection.execute(
        f"select load_id, count(*) from {table} where load_id >= ? group by load_id",
        [entries[0].load_id],
    ).fetchall()
    rows = {int(load_id): int(count) for load_id, count in counts}
    for entry in entries:
        entry.rows = rows.get(entry.load_id, 0)


def _reader(entries: Sequence[_Pending], *, with_text: bool = False) -> pa.RecordBatchReader:
    """The lines of some files, one after the other; a file that fails ends early with its error."""

    def batches() -> Iterator[pa.RecordBatch]:
        for entry in entries:
            entry.state = FileState()
            try:
                for batch in read_lines(entry.file.path, entry.state, with_text=with_text):
                    load_ids = pa.array(np.full(len(batch), entry.load_id, dtype=np.int64))
                    yield pa.RecordBatch.from_arrays(
                        [*batch.columns, load_ids], schema=_READER_SCHEMA
                    )
            except OSError as error:
                entry.error = error

    return pa.RecordBatchReader.from_batches(_READER_SCHEMA, batches())


def _facts(entries: Sequence[_Pending], allow_simulated: bool) -> pa.Table:
    """What is the same for all rows of a file."""
    return pa.table(
        {
            "load_id": pa.array([entry.load_id for entry in entries], pa.int64()),
            "source_file": pa.array([entry.file.logical_id for entry in entries], pa.string()),
            "run_id": pa.array([entry.file.run_id for entry in entries], pa.string()),
            "is_simulated": pa.array(
                [_is_simulated(entry.file, allow_simulated) for entry in entries], pa.bool_()
            ),
        }
    )


def _is_simulated(file: LandedFile, allow_simulated: bool) -> bool:
    return allow_simulated if file.is_simulated is None else file.is_simulated


@contextlib.contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, **objects: object) -> Iterator[None]:
    for name, value in objects.items():
        connection.register(name, value)
    try:
        yield
    finally:
        for name in objects:
            connection.unregister(name)


def _write_bad_lines(
    connection: duckdb.DuckDBPyConnection, entry: _Pending, loaded_at: datetime
) -> None:
    """Read a file once more for the lines that did not become rows."""
    with _registered(connection, landed_lines=_reader([entry], with_text=True)):
        counted = connection.execute(
            f"""
            insert into raw.rejects
            select
                $source,
                $stream,
                left(lines.text, {MAX_TEXT_BYTES}) as text,
                case
                    when lines.reason is not null then lines.reason
                    when contains(lines.text, chr(0)) then 'not JSON: it holds a NUL byte'
                    when regexp_matches(lines.text, '[\\x00-\\x1f]')
                        then 'not JSON: it holds a control character that is not escaped'
                    when json_valid(lines.payload) then 'fetched_at is not an instant'
                    when regexp_matches(lines.text, '(?i)\\\\ud[89a-f]')
                        then 'not JSON: half of a character (a lone surrogate)'
                    else 'not JSON'
                end as reason,
                $source_file,
                lines.line_no,
                $run_id,
                $load_id,
                cast($loaded_at as timestamptz)
            from landed_lines as lines
            where not {_IS_GOOD}
            """,
            {
                "source": entry.file.source,
                "stream": entry.file.stream,
                "source_file": entry.file.logical_id,
                "run_id": entry.file.run_id,
                "load_id": entry.load_id,
                "loaded_at": loaded_at,
            },
        ).fetchall()
    entry.rejects += int(counted[0][0])


def _write_landed_rejects(
    connection: duckdb.DuckDBPyConnection, entry: _Pending, loaded_at: datetime
) -> None:
    """Put what an extractor had refused into raw.rejects."""
    texts: list[str | None] = []
    reasons: list[str] = []
    numbers: list[int] = []
    try:
        for number, content, line in read_objects(entry.file.path, entry.state):
            if content is None:
                texts.append(line)
                reasons.append("not JSON, in a file of rejects")
            else:
                text = content.get("text")
                texts.append(None if text is None else str(text))
                origin = str(content.get("origin") or "")
                reason = str(content.get("reason") or "refused by the extractor")
                reasons.append(f"{reason} [{origin}]" if origin else reason)
            numbers.append(number)
    except OSError as error:
        entry.error = error
        return
    _insert_rejects(connection, entry, texts, reasons, numbers, loaded_at)


def _write_damage(
    connection: duckdb.DuckDBPyConnection, entry: _Pending, loaded_at: datetime
) -> None:
    """One row that tells of the rest of a file, which cannot be read."""
    reason = f"the file cannot be read after line {entry.state.lines}: {entry.state.damage}"
    _insert_rejects(connection, entry, [None], [reason], [entry.state.lines + 1], loaded_at)


def _insert_rejects(
    connection: duckdb.DuckDBPyConnection,
    entry: _Pending,
    texts: Sequence[str | None],
    reasons: Sequence[str],
    numbers: Sequence[int],
    loaded_at: datetime,
) -> None:
    rows = pa.table(
        {
            "text": pa.array([_clean(text) for text in texts], pa.string()),
            "reason": pa.array([_clean(reason) for reason in reasons], pa.string()),
            "line_no": pa.array(numbers, pa.int64()),
        }
    )
    with _registered(connection, landed_rejects=rows):
        connection.execute(
            "insert into raw.rejects select ?, ?, text, reason, ?, line_no, ?, ?, "
            "cast(? as timestamptz) from landed_rejects",
            [
                entry.file.source,
                entry.file.stream,
                entry.file.logical_id,
                entry.file.run_id,
                entry.load_id,
                loaded_at,
            ],
        )
    entry.rejects += len(rows)


def _clean(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _write_log(
    connection: duckdb.DuckDBPyConnection,
    pending: Sequence[_Pending],
    allow_simulated: bool,
    loaded_at: datetime,
) -> None:
    rows = [
        {
            "load_id": entry.load_id,
            "logical_id": entry.file.logical_id,
            "source": entry.file.source,
            "stream": entry.file.stream,
            "kind": entry.file.kind,
            "run_id": entry.file.run_id,
            "row_count": entry.rows,
            "reject_count": entry.rejects,
            "byte_count": entry.state.bytes,
            "sha256": entry.state.sha256,
            "is_simulated": _is_simulated(entry.file, allow_simulated),
            "is_damaged": bool(entry.state.damage),
            "message": entry.state.damage or None,
            "loaded_at": loaded_at,
        }
        for entry in pending
    ]
    with _registered(connection, landed_log=pa.Table.from_pylist(rows)):
        connection.execute("insert into raw.load_log by name select * from landed_log")


def _report(entry: _Pending, report: LoadReport) -> None:
    file = entry.file
    report.files.append(
        LoadedFile(
            logical_id=file.logical_id,
            source=file.source,
            stream=file.stream,
            load_id=entry.load_id,
            row_count=entry.rows,
            reject_count=entry.rejects,
            is_damaged=bool(entry.state.damage),
            message=entry.state.damage,
        )
    )
    if entry.state.damage:
        report.problems.append(
            f"The landing file {file.path} is damaged after line {entry.state.lines} "
            f"({entry.state.damage}); {entry.rows} rows before that were loaded. Put an intact "
            "copy in its place and load again, or delete the work file to rebuild it."
        )
    elif file.sha256 is not None and file.sha256 != entry.state.sha256:
        logger.info("%s was rewritten after it was landed", file.path)


def _forget_damaged(connection: duckdb.DuckDBPyConnection, landed: Sequence[LandedFile]) -> None:
    """Take damaged files back out of the tables if another file now lies in their place, so that
    it is loaded like a new one."""
    damaged = {
        logical_id: (load_id, sha256)
        for logical_id, load_id, sha256 in connection.execute(
            "select logical_id, load_id, sha256 from raw.load_log where is_damaged"
        ).fetchall()
    }
    for file in landed:
        if file.logical_id not in damaged:
            continue
        load_id, sha256 = damaged[file.logical_id]
        try:
            with file.path.open("rb") as handle:
                is_same = hashlib.file_digest(handle, "sha256").hexdigest() == sha256
        except OSError:
            continue
        if is_same:
            continue
        with _transaction(connection):
            if file.kind == "records":
                ensure_raw_tables(connection, [(file.source, file.stream)])
                table = raw_table(file.source, file.stream)
                connection.execute(f"delete from {table} where load_id = ?", [load_id])
            connection.execute("delete from raw.rejects where load_id = ?", [load_id])
            connection.execute("delete from raw.load_log where load_id = ?", [load_id])


def _explain(error: duckdb.Error) -> LoadError:
    text = str(error)
    first = text.splitlines()[0] if text else type(error).__name__
    if "No space left" in text or "could not write" in text.lower():
        return LoadError(
            f"The disk is full while loading ({first}).",
            "Free some space and run again: what was loaded before is kept, the rest follows.",
        )
    if "Out of Memory" in text:
        return LoadError(
            f"Loading ran out of memory ({first}).",
            "Close other programs and run again; what was loaded before is kept.",
        )
    return LoadError(
        f"DuckDB failed while loading: {first}",
        "Run again; if it stays, delete the work file: the landing files rebuild it.",
    )
