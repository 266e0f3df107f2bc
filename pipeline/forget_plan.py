"""Finding what is to be forgotten: which lines of which landing files, before anything changes.

Every file of the sources concerned is read, once or a few times: an author's posts lead to copies
of them, an edited post to its other versions, until nothing new turns up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from extract.base import ReadDeletion, deletions_of
from extract.personal import (
    NOBODY,
    SHAPES,
    Shape,
    Targets,
    is_dropped,
    names_of,
    qualified,
    redact,
    shape_of,
    texts_of,
    told_at_of,
)
from warehouse.commits import LandedFile, list_landed
from warehouse.forgetting import is_loaded_from, lines_of
from warehouse.lines import FileState
from warehouse.schema import ensure_raw_tables, raw_table

Scope = tuple[str, str]
_NEEDLES_AT_MOST = 64
_TEXTS_AT_MOST = 2_000
_SHORTEST_TEXT = 20
_SHORTEST_ID = 4
_PLAIN_RUN = re.compile(r"[A-Za-z0-9_-]{3,}")
_WORDS = re.compile(r"[\w@.#+-]+")
_PIECES = re.compile(r"[^\s\"'`,{}\[\]()<>\\]+")
_DATASETS = "datasets"


@dataclass(slots=True)
class Marks:
    """Numbers of the lines of a file that go, and of those that change; or the whole of a file
    that has so many lines."""

    drop: list[int] = field(default_factory=list)
    change: list[int] = field(default_factory=list)
    whole: int = 0

    def __bool__(self) -> bool:
        return bool(self.drop or self.change or self.whole)

    @property
    def dropped(self) -> int:
        return len(self.drop) + self.whole


@dataclass(slots=True)
class Plan:
    """What a request touches. `targets` holds all that was found to belong to it; `records` are
    (source, stream, record id) of the lines that go; `problems` name files that cannot be searched
    to their end; `searched` are the landing files that were there."""

    targets: Targets
    marks: dict[Scope, dict[str, Marks]] = field(default_factory=dict)
    records: set[tuple[str, str, str]] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    searched: frozenset[str] = frozenset()

    def marks_of(self, scope: Scope, logical_id: str) -> Marks:
        return self.marks.setdefault(scope, {}).setdefault(logical_id, Marks())

    def is_empty(self) -> bool:
        return not any(marks for files in self.marks.values() for marks in files.values())


def concerned(targets: Targets) -> dict[Scope, Shape]:
    """The streams whose records can name any of the targets."""
    platforms = targets.platforms()
    return {
        scope: shape
        for scope, shape in SHAPES.items()
        if shape is not NOBODY and (shape.qualifier in platforms or shape.platform)
    }


def make_plan(
    landing_dir: Path,
    targets: Targets,
    *,
    work: duckdb.DuckDBPyConnection | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Plan:
    """Find every line that a request touches; nothing is changed.

    `targets` grows by what belongs to it. Raw rows of `work` whose landing file is gone are
    searched too.

    Raises:
        LandingError: a damaged commit record.
    """
    shapes = concerned(targets)
    landed = list_landed(landing_dir) if landing_dir.is_dir() else []
    files = [file for file in landed if (file.source, file.stream) in shapes]
    records = [file for file in files if file.kind == "records"]
    while True:
        before = targets.count()
        plan = Plan(targets, searched=frozenset(file.logical_id for file in landed))
        needles = _needles(targets)
        for done, file in enumerate(records):
            progress(done, len(files))
            _search_records(plan, file, shapes[file.source, file.stream], needles)
        if work is not None:
            for scope, shape in shapes.items():
                _search_orphans(plan, work, landing_dir, scope, shape)
        if targets.count() == before:
            break
    matcher = _Text(targets, plan.texts)
    for done, file in enumerate(file for file in files if file.kind == "rejects"):
        progress(len(records) + done, len(files))
        _search_rejects(plan, file, matcher)
    return plan


def _search_records(
    plan: Plan, file: LandedFile, shape: Shape, needles: Collection[bytes] | None
) -> None:
    scope = (file.source, file.stream)
    state = FileState()
    matcher: _Text | None = None
    try:
        for number, line in lines_of(file.path, state, needles=needles):
            record = parse(line)
            if record is None:
                matcher = matcher or _Text(plan.targets, ())
                if matcher.is_in(line.decode("utf-8", "replace")):
                    plan.marks_of(scope, file.logical_id).drop.append(number)
                continue
            judge(plan, scope, shape, file.logical_id, number, record)
    except OSError as error:
        plan.problems.append(f"{file.path} cannot be read ({error.strerror or error}).")
    if state.damage:
        plan.problems.append(
            f"{file.path} is damaged ({state.damage}) and cannot be searched to its end: put an "
            "intact copy in its place and forget again, or delete it."
        )


def parse(line: bytes) -> tuple[str, dict[str, Any]] | None:
    """(record id, payload) of a line, None if it is no record."""
    try:
        content = json.loads(line)
        payload = content["payload"]
        return (str(content["record_id"]), payload) if isinstance(payload, dict) else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def judge(
    plan: Plan,
    scope: Scope,
    shape: Shape,
    logical_id: str,
    number: int,
    record: tuple[str, dict[str, Any]],
) -> None:
    """Mark a record's line if it goes or changes; what else belongs to it becomes a target."""
    record_id, payload = record
    targets = plan.targets
    names = names_of(shape, record_id, payload)
    if is_dropped(names, targets):
        plan.marks_of(scope, logical_id).drop.append(number)
        plan.records.add((*scope, record_id))
        targets.posts.update(names.posts, names.versions)
        if not targets.authors.isdisjoint(names.authors):
            targets.authors.update(names.authors)
        if len(plan.texts) < _TEXTS_AT_MOST:
            found = texts_of(shape, payload)
            plan.texts.update(text for text in found if len(text) >= _SHORTEST_TEXT)
    elif redact(shape, names, payload, targets, is_dry=True):
        plan.marks_of(scope, logical_id).change.append(number)


def _search_orphans(
    plan: Plan, work: duckdb.DuckDBPyConnection, landing_dir: Path, scope: Scope, shape: Shape
) -> None:
    """Raw rows whose landing file somebody removed."""
    ensure_raw_tables(work, [scope])
    table = raw_table(*scope)
    files = work.execute(f"select distinct source_file from {table}").fetchall()
    orphaned = [name for (name,) in files if not is_loaded_from(landing_dir, name)]
    if not orphaned:
        return
    rows = work.execute(
        f"select source_file, line_no, record_id, payload from {table} "
        "where source_file in (select unnest(?))",
        [orphaned],
    )
    while batch := rows.fetchmany(10_000):
        for logical_id, number, record_id, text in batch:
            judge(plan, scope, shape, logical_id, number, (record_id, json.loads(text)))


def _search_rejects(plan: Plan, file: LandedFile, matcher: _Text) -> None:
    state = FileState()
    ids = {record_id for source, _, record_id in plan.records if source == file.source}
    try:
        for number, line in lines_of(file.path, state):
            text, origin = line.decode("utf-8", "replace"), ""
            try:
                content = json.loads(line)
                text, origin = str(content.get("text")), str(content.get("origin") or "")
            except (ValueError, AttributeError, RecursionError):
                pass
            if origin in ids or matcher.is_in(text):
                plan.marks_of((file.source, file.stream), file.logical_id).drop.append(number)
    except OSError as error:
        plan.problems.append(f"{file.path} cannot be read ({error.strerror or error}).")
    if state.damage:
        plan.problems.append(f"{file.path} is damaged ({state.damage}).")


class _Text:
    """Says whether a text that is no record holds an id of the targets or what they wrote."""

    def __init__(self, targets: Targets, texts: Iterable[str]) -> None:
        groups = (targets.posts, targets.authors, targets.customers, targets.orders)
        ids = {value.partition(":")[2].casefold() for group in groups for value in group}
        self._ids = {value for value in ids if len(value) >= _SHORTEST_ID and " " not in value}
        self._phrases = [value for value in ids if " " in value and len(value) >= _SHORTEST_ID]
        self._texts = [form for text in texts for form in _written(text)]

    def is_in(self, text: str) -> bool:
        folded = text.casefold()
        if not self._ids.isdisjoint(_WORDS.findall(folded)):
            return True
        if not self._ids.isdisjoint(_PIECES.findall(folded)):
            return True
        return any(phrase in folded for phrase in self._phrases) or any(
            written in text for written in self._texts
        )


def _written(text: str) -> set[str]:
    """A text as it may stand inside another one: itself, as JSON, as Python shows it."""
    forms = {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return forms | {repr(text)[1:-1]}


def _needles(targets: Targets) -> list[bytes] | None:
    """Bytes without which a piece of a file holds no target; None if it must be read anyway."""
    groups = (targets.posts, targets.authors, targets.customers, targets.orders)
    ids = [value.partition(":")[2] for group in groups for value in group]
    if len(ids) > _NEEDLES_AT_MOST:
        return None
    needles = []
    for value in ids:
        runs = _PLAIN_RUN.findall(value)
        if not runs:
            return None
        needles.append(max(runs, key=len).lower().encode())
    return list(dict.fromkeys(needles))


def counts_of(plan: Plan) -> Mapping[Scope, tuple[int, int, int]]:
    """Files, lines that go and lines that change, by stream."""
    return {
        scope: (
            sum(1 for marks in files.values() if marks),
            sum(marks.dropped for marks in files.values()),
            sum(len(marks.change) for marks in files.values()),
        )
        for scope, files in sorted(plan.marks.items())
        if any(files.values())
    }


def plan_expired(
    landed: Sequence[LandedFile], cutoffs: Mapping[str, str], committed: Mapping[str, str]
) -> Plan:
    """Find every line that was fetched before its source's cutoff, an instant as landing files
    write it. `committed` tells when files were committed: one that was committed before the cutoff
    goes as a whole without being read, and so stays one that was begun on a later day. Records of
    data sets are as old as their landing."""
    plan = Plan(Targets())
    for file in landed:
        cutoff = cutoffs.get(file.source)
        if cutoff is None or file.rows == 0:
            continue
        scope = (file.source, file.stream)
        at = committed.get(file.logical_id)
        if at is not None and at < cutoff:
            plan.marks_of(scope, file.logical_id).whole = file.rows or 0
        elif at is None or (file.source != _DATASETS and file.path.parent.name <= cutoff[:10]):
            _search_expired(plan, file, cutoff)
    return plan


def _search_expired(plan: Plan, file: LandedFile, cutoff: str) -> None:
    state = FileState()
    try:
        for number, line in lines_of(file.path, state):
            if _fetched_at(line) < cutoff:
                marks = plan.marks_of((file.source, file.stream), file.logical_id)
                marks.drop.append(number)
    except OSError as error:
        plan.problems.append(f"{file.path} cannot be read ({error.strerror or error}).")
    if state.damage:
        plan.problems.append(f"{file.path} is damaged ({state.damage}).")


def told_deletions(landing_dir: Path, sources: Mapping[str, object]) -> Targets:
    """What streams told was deleted. A post of which a later version has landed is another one
    under the same id and stays."""
    deleted: dict[str, datetime] = {}
    targets = Targets()
    landed = list_landed(landing_dir) if landing_dir.is_dir() else []
    records = [file for file in landed if file.kind == "records"]
    for source, module in sources.items():
        readers = deletions_of(module)
        for file in records:
            if file.source == source and file.stream in readers:
                _read_deletions(file, readers[file.stream], source, deleted, targets)
    for source, module in sources.items():
        posts = getattr(module, "POSTS_STREAM", None)
        for file in records:
            if deleted and file.source == source and file.stream == posts:
                _leave_later_versions(file, source, deleted)
    targets.posts.update(deleted)
    return targets


def _read_deletions(
    file: LandedFile,
    read: ReadDeletion,
    source: str,
    deleted: dict[str, datetime],
    targets: Targets,
) -> None:
    folds = shape_of(file.source, file.stream).folds_case
    for _, line in lines_of(file.path, FileState()):
        record = parse(line)
        deletion = read(record[1]) if record else None
        if deletion is None:
            continue
        if deletion.record_id is not None:
            name = qualified(source, deletion.record_id, folds_case=folds)
            deleted[name] = max(deletion.deleted_at, deleted.get(name, deletion.deleted_at))
        elif deletion.author_id is not None:
            targets.authors.add(qualified(source, deletion.author_id, folds_case=folds))


def _leave_later_versions(file: LandedFile, source: str, deleted: dict[str, datetime]) -> None:
    shape = shape_of(file.source, file.stream)
    for _, line in lines_of(file.path, FileState()):
        record = parse(line)
        name = qualified(source, record[0], folds_case=shape.folds_case) if record else ""
        if record is None or name not in deleted:
            continue
        told_at = told_at_of(shape, record[1])
        if told_at is not None and told_at > deleted[name]:
            del deleted[name]


def _fetched_at(line: bytes) -> str:
    for key in (b'{"fetched_at":"', b'{"rejected_at":"'):
        if line.startswith(key):
            return line[len(key) : len(key) + 27].decode("ascii", "replace")
    try:
        content = json.loads(line)
        return str(content.get("fetched_at") or content.get("rejected_at") or "~")
    except (ValueError, AttributeError, RecursionError):
        return "~"
