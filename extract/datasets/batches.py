"""Batches of landed rows: what a pull writes and what a dry run counts, made the same way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from extract.base import Json
from extract.datasets.evaluate import Evaluator, value_from_path
from extract.datasets.files import SourceFile
from extract.datasets.ids import Occurrences
from extract.datasets.kinds import FETCHED_AT
from extract.datasets.mapping import DatasetMapping, FieldSpec, MappingError, nearest
from extract.datasets.readers import BadRow, Chunk, read_chunks

_SAMPLE_FILES = 50
_SAMPLE_ROWS = 2_000
_REJECT_TEXT_CHARS = 20_000


class Landed(NamedTuple):
    """A record as it will land, its place in the file and when it was captured, if known."""

    place: int
    record_id: str
    payload: Json
    fetched_at: str | None


@dataclass(slots=True)
class Part:
    """What a batch holds of one file; `is_end` where the file ends with it."""

    file: SourceFile
    landed: list[Landed] = field(default_factory=list)
    rejected: list[BadRow] = field(default_factory=list)
    row_count: int = 0
    filtered_count: int = 0
    last_place: int = 0
    is_end: bool = False


class BatchMaker:
    """Turns the files of one mapping into batches, in order, in bounded memory."""

    def __init__(self, mapping: DatasetMapping, *, origin: str, batch_rows: int) -> None:
        self._mapping = mapping
        self._origin = origin
        self._batch_rows = batch_rows
        self._evaluator = Evaluator(mapping, origin=origin)
        self._has_ids = mapping.kind == "metrics" or mapping.shape.id_field in mapping.columns
        self._occurrences: dict[str, Occurrences] = {}

    def close(self) -> None:
        """Free what the evaluation holds."""
        self._evaluator.close()

    def check(self, files: Sequence[SourceFile]) -> None:
        """Raise `MappingError` if the mapping does not fit the first rows of the files.

        A path into JSON that no sampled record has is taken for a mistake unless it is optional.
        """
        wanted = {
            name: spec.column
            for name, spec in self._specs()
            if spec.column is not None and not spec.optional
        }
        sampled: list[str] = []
        for file in files[:_SAMPLE_FILES]:
            rows = _SAMPLE_ROWS - len(sampled)
            if rows <= 0:
                break
            chunk = next(read_chunks(self._mapping, file, max_rows=rows), None)
            if chunk is None:
                continue
            self._evaluator.check_columns(chunk.table, file)
            if file.format in {"json", "jsonl"}:
                sampled += chunk.texts
        if sampled and wanted:
            missing = self._evaluator.unseen_fields(sampled, wanted)
            for name, path in missing.items():
                known = self._evaluator.known_keys(sampled)
                raise MappingError(
                    f"{self._origin}: {name}: no record of {files[0].name} and the files after it "
                    f"has {path!r}"
                    f"{nearest(path.removeprefix('$.'), known) or '.'}",
                    f"Its records have {', '.join(known[:30])}. Correct the path, or set "
                    "`optional: true`.",
                )

    def batches(self, files: Sequence[SourceFile]) -> Iterator[list[Part]]:
        """Batches of about `batch_rows` rows; small files share one."""
        group: list[tuple[SourceFile, Chunk | None]] = []
        rows = 0
        schema: pa.Schema | None = None
        for file in files:
            for chunk in read_chunks(self._mapping, file, max_rows=self._batch_rows):
                count = len(chunk.places) + len(chunk.bad_rows)
                is_other = schema is not None and not chunk.table.schema.equals(schema)
                if group and (is_other or rows + count > self._batch_rows):
                    yield self._evaluate(group)
                    group, rows = [], 0
                group.append((file, chunk))
                rows += count
                schema = chunk.table.schema
            group.append((file, None))
            if len(group) > self._batch_rows:
                yield self._evaluate(group)
                group, rows = [], 0
        if group:
            yield self._evaluate(group)

    def _evaluate(self, group: list[tuple[SourceFile, Chunk | None]]) -> list[Part]:
        chunks = [(file, chunk) for file, chunk in group if chunk is not None]
        file_of_row: list[SourceFile] = []
        part_of_row: list[int] = []
        places: list[int] = []
        for number, (file, chunk) in enumerate(chunks):
            count = len(chunk.places)
            file_of_row += [file] * count
            part_of_row += [number] * count
            places += chunk.places
        parts = [
            Part(
                file,
                rejected=list(chunk.bad_rows),
                row_count=len(chunk.places) + len(chunk.bad_rows),
                last_place=chunk.last_place,
            )
            for file, chunk in chunks
        ]
        if places:
            table = pa.concat_tables([chunk.table for _, chunk in chunks]).combine_chunks()
            outcome = self._evaluator.evaluate(table, file_of_row)
            ids = [] if self._has_ids else self._made_ids(chunks)
            id_field = self._mapping.shape.id_field
            for row, record_id, payload in outcome.payloads:
                if ids:
                    payload[id_field] = ids[row]
                    record_id = f"{self._mapping.dataset}|{ids[row]}"
                fetched_at = payload.pop(FETCHED_AT, None)
                parts[part_of_row[row]].landed.append(
                    Landed(places[row], record_id, payload, fetched_at)
                )
            starts = _starts(chunks)
            for row, reason in outcome.rejected.items():
                number = part_of_row[row]
                text = chunks[number][1].texts[row - starts[number]]
                parts[number].rejected.append(BadRow(text, reason, places[row]))
            for row in outcome.filtered - outcome.rejected.keys():
                parts[part_of_row[row]].filtered_count += 1
        for part in parts:
            part.rejected = [
                BadRow(bad.text[:_REJECT_TEXT_CHARS], bad.reason, bad.place)
                for bad in sorted(part.rejected, key=lambda bad: bad.place)
            ]
        return _with_ends(group, parts)

    def _made_ids(self, chunks: Sequence[tuple[SourceFile, Chunk]]) -> list[str]:
        ids: list[str] = []
        for file, chunk in chunks:
            if file.name not in self._occurrences:
                # Files come one after the other: the earlier one's ids are no longer needed.
                self._occurrences = {file.name: Occurrences()}
            is_named = bool(self._mapping.id_from)
            keys = self._identities(file, chunk) if is_named else chunk.keys()
            context = "" if is_named else self._file_context(file)
            ids += self._occurrences[file.name].ids(keys, context)
        return ids

    def _identities(self, file: SourceFile, chunk: Chunk) -> list[str]:
        """What the mapping says a row is known by: the rest of it may change."""
        names = chunk.table.schema.names
        for name in self._mapping.id_from:
            if name not in names:
                raise MappingError(
                    f"{self._origin}: id_from: column {name!r} is not in {file.name}"
                    f"{nearest(name, names) or '.'}",
                    f"Its columns are {', '.join(names)}.",
                )
        columns = [chunk.table.column(name).to_pylist() for name in self._mapping.id_from]
        return [
            "\x1f".join(str(value) for value in values) for values in zip(*columns, strict=True)
        ]

    def _file_context(self, file: SourceFile) -> str:
        """What the mapping takes from the file's path: part of what a row says."""
        values = [
            value_from_path(spec.from_path, file.name, name)
            for name, spec in self._specs()
            if spec.from_path is not None
        ]
        expressions = [spec.expression or "" for _, spec in self._specs()]
        if any("file_path" in text or "file_name" in text for text in expressions):
            values.append(file.name)
        return "\x1f".join(values)

    def _specs(self) -> Iterator[tuple[str, FieldSpec]]:
        yield from self._mapping.columns.items()
        if isinstance(self._mapping.product, FieldSpec):
            yield "product", self._mapping.product
        for metric in self._mapping.metrics:
            yield metric.label, metric


def _starts(chunks: Sequence[tuple[SourceFile, Chunk]]) -> list[int]:
    starts = []
    total = 0
    for _, chunk in chunks:
        starts.append(total)
        total += len(chunk.places)
    return starts


def _with_ends(
    group: Sequence[tuple[SourceFile, Chunk | None]], parts: Sequence[Part]
) -> list[Part]:
    """The parts with their ends marked, and an empty part for a file that ends without rows."""
    out: list[Part] = []
    remaining = iter(parts)
    for file, chunk in group:
        if chunk is not None:
            out.append(next(remaining))
        elif out and out[-1].file is file:
            out[-1].is_end = True
        else:
            out.append(Part(file, is_end=True))
    return out
