"""The score store: one row per text and model revision, in Parquet parts that only grow.

    <store_dir>/<revision>/<time>-<process>-<number>.parquet

Parts appear complete or not at all (temporary name, fsync, rename), so that a killed run keeps
every part it finished and a reader never meets half a part. Two runs may append at the same time:
a text that both scored is one row for the reader, and their rows are equal. Many small parts are
merged into one; the merged part appears before the small ones go. A part that cannot be read is set
aside as `*.corrupt` by the next scoring run, which scores its texts again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import count
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from udfs.sentiment.engine import SCORE_SCHEMA
from udfs.sentiment.errors import SentimentError

log = logging.getLogger(__name__)

STORE_SCHEMA = pa.schema([("text_key", pa.string()), *SCORE_SCHEMA])
# What `read` returns: one revision is one value, not a million copies of it.
READ_SCHEMA = STORE_SCHEMA.set(
    STORE_SCHEMA.get_field_index("model_revision"),
    pa.field("model_revision", pa.dictionary(pa.int32(), pa.string())),
)
TEXTS_PER_PART = 4_096  # a few seconds of work are lost at most
SMALL_PARTS_KEPT = 16
_SMALL_PART_BYTES = 8 * 1024 * 1024
_ABANDONED_SECONDS = 3_600.0
_READ_ATTEMPTS = 5
_LOG_SECONDS = 10.0

# Called with the number of texts scored so far and, where it is known, of all missing ones.
Progress = Callable[[int, int | None], None]
Digests = npt.NDArray[np.uint64]  # (keys, 2): 128 bits of a key's hash, 16 bytes for each text

_part_numbers = count()


class Scorer(Protocol):
    """What the store needs of an engine."""

    @property
    def revision(self) -> str:
        """Folder of the scores."""

    def score(self, texts: Sequence[object]) -> pa.Table:
        """Return one row of `SCORE_SCHEMA` per text."""


def score_missing(
    texts: pa.Table | pa.RecordBatchReader,
    *,
    engine: Scorer,
    store_dir: Path,
    progress: Progress | None = None,
) -> None:
    """Score the texts (columns text_key, text) that the store lacks and append them to it.

    Memory does not grow with the texts of a reader, but for 16 bytes for each key. Interrupted at
    any moment, the parts already written are kept and the next call goes on from there.
    """
    folder = store_dir / engine.revision
    folder.mkdir(parents=True, exist_ok=True)
    _clean_up(folder)
    known = _Known(_digests_of_store(folder))
    report = _reporter(progress)
    total = None
    if isinstance(texts, pa.Table):
        _check_columns(texts.schema)
        total = _count_missing(texts, known)
        batches = iter(texts.select(["text_key", "text"]).to_batches(max_chunksize=TEXTS_PER_PART))
    else:
        _check_columns(texts.schema)
        batches = (batch.select(["text_key", "text"]) for batch in texts)
    done = 0
    report(done, total)
    for part in _parts(batches, known):
        scores = engine.score(part.column("text").to_pylist())
        rows = pa.Table.from_arrays([part.column("text_key"), *scores.columns], schema=STORE_SCHEMA)
        _write_part(folder, [rows])
        done += part.num_rows
        report(done, total)
    _compact(folder)


def read(store_dir: Path, revision: str) -> pa.Table:
    """Return all scores of a revision, one row per text_key; no row if there are none.

    `model_revision` is dictionary-encoded. Safe while a run appends or merges parts.
    """
    folder = store_dir / revision
    for _ in range(_READ_ATTEMPTS):
        try:
            tables = list(_tables(folder))
            break
        except FileNotFoundError:
            continue  # merged into another part since it was listed
    else:
        raise SentimentError(
            f"the score store {folder} changes faster than it can be read.",
            "Wait for the scoring run to end and try again.",
        )
    if not tables:
        return READ_SCHEMA.empty_table()
    table = pa.concat_tables(tables).unify_dictionaries()
    digests = _digests(table.column("text_key"))
    _, first = np.unique(_as_records(digests), return_index=True)
    if len(first) < table.num_rows:
        table = table.take(pa.array(np.sort(first)))
    return table


def keep_only(store_dir: Path, live: Set[str]) -> int:
    """Delete the scores of all texts but those with these keys, in every revision; return how many
    rows went. Parts are written anew one by one: stopped anywhere, the next call goes on.

    Call it only while nobody scores: parts that cannot be read go as well.
    """
    gone = 0
    for folder in sorted(path for path in store_dir.iterdir() if path.is_dir()):
        for leftover in [*folder.glob("*.corrupt"), *folder.glob(".*.tmp")]:
            leftover.unlink(missing_ok=True)
        for file in _part_files(folder):
            table = pq.read_table(file, schema=STORE_SCHEMA, partitioning=None)
            is_live = pa.array([key in live for key in table.column("text_key").to_pylist()])
            kept = table.filter(is_live)
            if kept.num_rows == table.num_rows:
                continue
            gone += table.num_rows - kept.num_rows
            if kept.num_rows:
                _write_part(folder, [kept])
            file.unlink()
        _sync_folder(folder)
    return gone


class _Known:
    """The keys that need no scoring: sorted hashes, 16 bytes each."""

    def __init__(self, digests: Digests) -> None:
        self._sorted = np.unique(_as_records(digests))

    def missing(self, digests: Digests) -> npt.NDArray[np.bool_]:
        """Say which keys are new; of equal keys only the first."""
        records = _as_records(digests)
        places = np.searchsorted(self._sorted, records)
        is_new = np.ones(len(records), bool)
        inside = places < len(self._sorted)
        is_new[inside] = self._sorted[places[inside]] != records[inside]
        is_first = np.zeros(len(records), bool)
        is_first[np.unique(records, return_index=True)[1]] = True
        return is_new & is_first

    def add(self, digests: Digests) -> None:
        """Remember keys."""
        records = np.sort(_as_records(digests))
        self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, records), records)


def _parts(batches: Iterator[pa.RecordBatch], known: _Known) -> Iterator[pa.Table]:
    """Yield tables of up to `TEXTS_PER_PART` texts that are not known yet."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        for start in range(0, batch.num_rows, TEXTS_PER_PART):
            piece = batch.slice(start, TEXTS_PER_PART)
            digests = _digests(piece.column("text_key"))
            is_new = known.missing(digests)
            known.add(digests[is_new])
            waiting.append(piece.filter(pa.array(is_new)))
            rows += int(is_new.sum())
            if rows >= TEXTS_PER_PART:
                table = pa.Table.from_batches(waiting)
                yield table.slice(0, TEXTS_PER_PART)
                rest = table.slice(TEXTS_PER_PART)
                waiting, rows = rest.to_batches(), rest.num_rows
    if rows:
        yield pa.Table.from_batches(waiting)


def _count_missing(texts: pa.Table, known: _Known) -> int:
    digests = _digests(texts.column("text_key"))
    return int(known.missing(digests).sum())


def _digests(keys: pa.Array | pa.ChunkedArray) -> Digests:
    """Hash keys to 128 bits each."""
    chunks = keys.chunks if isinstance(keys, pa.ChunkedArray) else [keys]
    hashed = bytearray()
    for chunk in chunks:
        for key in chunk.to_pylist():
            if key is None:
                raise SentimentError(
                    "a text has no text_key.", "Give every row the sha256 of its normalised text."
                )
            hashed += hashlib.blake2b(key.encode(), digest_size=16).digest()
    return np.frombuffer(bytes(hashed), np.uint64).reshape(-1, 2)


def _as_records(digests: Digests) -> npt.NDArray[np.void]:
    """Return the two halves of each hash as one sortable value."""
    return np.ascontiguousarray(digests).view([("high", np.uint64), ("low", np.uint64)]).ravel()


def _check_columns(schema: pa.Schema) -> None:
    missing = {"text_key", "text"} - set(schema.names)
    if missing:
        raise SentimentError(
            f"the texts to score lack the column {', '.join(sorted(missing))}.",
            "Hand over the columns text_key and text.",
        )


def _part_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet")) if folder.is_dir() else []


def _tables(folder: Path) -> Iterator[pa.Table]:
    for file in _part_files(folder):
        try:
            table = pq.read_table(file, schema=STORE_SCHEMA, partitioning=None)
        except FileNotFoundError:
            raise
        except (OSError, pa.ArrowException) as error:
            log.warning("score part %s cannot be read and is left out: %s", file.name, error)
            continue
        yield table.cast(READ_SCHEMA)


def _digests_of_store(folder: Path) -> Digests:
    """Return the hashes of all keys; a part that cannot be read is set aside."""
    found = [np.zeros((0, 2), np.uint64)]
    for file in _part_files(folder):
        try:
            # All columns, for a part that can be read only in part is no part.
            with pq.ParquetFile(file) as opened:
                if not opened.schema_arrow.equals(STORE_SCHEMA):
                    raise pa.ArrowInvalid("it has other columns")
                found += [_digests(batch.column("text_key")) for batch in opened.iter_batches()]
        except FileNotFoundError:
            continue  # merged by another run: its rows are in a part that this one may score again
        except (OSError, pa.ArrowException) as error:
            aside = file.with_name(f"{file.name}.corrupt")
            file.replace(aside)
            log.warning(
                "score part %s cannot be read (%s); set aside as %s, its texts are scored again",
                file.name,
                error,
                aside.name,
            )
    return np.concatenate(found)


def _write_part(folder: Path, tables: Iterator[pa.Table] | Sequence[pa.Table]) -> Path:
    """Write one part from tables, one after the other; it appears complete or not at all."""
    name = f"{time.time_ns():020d}-{os.getpid()}-{next(_part_numbers):06d}.parquet"
    temporary = folder / f".{name}.tmp"
    with temporary.open("wb") as sink:
        with pq.ParquetWriter(sink, STORE_SCHEMA, compression="zstd") as writer:
            for table in tables:
                writer.write_table(table.cast(STORE_SCHEMA))
        sink.flush()
        os.fsync(sink.fileno())
    final = folder / name
    temporary.replace(final)
    _sync_folder(folder)
    return final


def _compact(folder: Path) -> None:
    """Merge small parts into one once there are many."""
    small = [file for file in _part_files(folder) if file.stat().st_size < _SMALL_PART_BYTES]
    if len(small) <= SMALL_PARTS_KEPT:
        return
    _write_part(folder, _without_repeats(small))
    for file in small:
        file.unlink(missing_ok=True)
    _sync_folder(folder)


def _without_repeats(files: Sequence[Path]) -> Iterator[pa.Table]:
    known = _Known(np.zeros((0, 2), np.uint64))
    for file in files:
        table = pq.read_table(file, schema=STORE_SCHEMA, partitioning=None)
        digests = _digests(table.column("text_key"))
        is_new = known.missing(digests)
        known.add(digests[is_new])
        yield table.filter(pa.array(is_new))


def _clean_up(folder: Path) -> None:
    """Remove what a killed run left half written, unless it may still be at it."""
    for file in folder.glob(".*.tmp"):
        try:
            if time.time() - file.stat().st_mtime > _ABANDONED_SECONDS:
                file.unlink()
        except FileNotFoundError:
            continue


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reporter(progress: Progress | None) -> Progress:
    """Return the given callback, or one that logs rate and time left every ten seconds."""
    if progress is not None:
        return progress
    started = last = time.monotonic()

    def report(done: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LOG_SECONDS or not done:
            return
        last = now
        rate = done / (now - started)
        if total is None:
            log.info("scored %d texts, %.0f/s", done, rate)
        else:
            left = (total - done) / rate
            log.info("scored %d of %d texts, %.0f/s, about %.0f s left", done, total, rate, left)

    return report
