"""Carrying out a request to forget: list, landing files, tables, cursors, artefacts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import duckdb

from extract._state import seen_key
from extract.personal import SHAPES, Targets, names_of, redact, shape_of
from extract.registry import SOURCES
from pipeline.fingerprints import BUILT
from pipeline.forget_plan import Marks, Scope, parse
from pipeline.forget_requests import REMOVED, Request, keep, write_receipt
from pipeline.paths import DBT_PROJECT, TargetPaths
from pipeline.settings import Settings
from warehouse.commits import Commit, LandedFile, list_landed, recover
from warehouse.files import TEMPORARY_SUFFIX
from warehouse.forgetting import (
    Rewritten,
    amend_landing,
    compact,
    delete_rows,
    drop_built_tables,
    empty,
    measure,
    note_in_log,
    rewrite,
    update_payloads,
)
from warehouse.landing import record_line
from warehouse.schema import ensure_raw_tables, open_work, raw_table
from warehouse.tombstones import Role, apply_tombstones, list_records, read_tombstones

NOT_REBUILT = frozenset({"mart_insight_ledger"})
"""Tables that remember what earlier builds said, of products and never of people."""
KEPT_SCHEMAS = frozenset({"raw", "staging", "seeds", "information_schema"})
_DIGITS_OF_AN_ID = 12
"""Ids with as many digits hold their time: a cursor may hold one as a position."""


def remove(settings: Settings, request: Request) -> None:
    """Steps 1 to 3; the request is then waiting for the next build, or done if there is none.

    Call it only while holding the target's lock. Repeating it does no harm.

    Raises:
        SocialSignalsError: a full disk, a damaged file; run again to go on.
    """
    paths = settings.paths
    keep(paths, request)
    if request.lists:
        list_ids(paths, request)
    rewritten, changed, missing = _rewrite_files(paths, request)
    counts: dict[str, Any] = {}
    if paths.work.exists():
        with closing(open_work(paths.work)) as connection:
            counts = _clean_tables(connection, paths, request, rewritten, changed, missing)
    by_file = {file.logical_id: file for files in rewritten.values() for file in files}
    amended = amend_landing(paths.landing, by_file, _amend_cursor(request))
    if not request.plan.is_empty():
        if paths.work.exists():
            compact(paths.work)
        _remove_artefacts(paths)
    _tidy(paths)
    request.removed = {
        "landing": [
            {
                "file": logical_id,
                "lines": marks.dropped,
                "changed_lines": len(marks.change),
                "is_missing": logical_id in missing,
            }
            for files in request.plan.marks.values()
            for logical_id, marks in sorted(files.items())
            if marks
        ],
        "tables": counts,
        "commit_records": amended,
        "keys": _keys(paths, request),
    }
    write_receipt(settings, request)
    request.stage = REMOVED
    keep(paths, request)


def list_ids(paths: TargetPaths, request: Request) -> None:
    """The tombstones: what was found, and what was asked for and may still come."""
    targets, records = request.plan.targets, set(request.plan.records)
    for (source, stream), shape in SHAPES.items():
        for group, own in ((targets.posts, shape.posts), (targets.orders, shape.orders)):
            if "@" in own:
                ahead = f"{shape.qualifier}:"
                records |= {
                    (source, stream, value.removeprefix(ahead))
                    for value in group
                    if value.startswith(ahead)
                }
    people: dict[Role, Iterable[str]] = {"post": targets.posts, **request.keep_out}
    list_records(
        paths.landing,
        sorted(records),
        reason=request.reason,
        created_at=request.asked_at,
        people=people,
    )


_Changed = dict[Scope, list[tuple[str, int, str]]]


def _rewrite_files(
    paths: TargetPaths, request: Request
) -> tuple[dict[Scope, list[Rewritten]], _Changed, set[str]]:
    """Rewrite the files that are touched, one by one; what they are now, which raw payloads
    change, and which files are gone."""
    landed = list_landed(paths.landing) if paths.landing.is_dir() else []
    known = {file.logical_id: file for file in landed if file.path.exists()}
    rewritten: dict[Scope, list[Rewritten]] = {}
    changed: _Changed = {}
    missing: set[str] = set()
    for scope, files in sorted(request.plan.marks.items()):
        for logical_id, marks in sorted(files.items()):
            if not marks:
                continue
            file = known.get(logical_id)
            if file is None:
                missing.add(logical_id)
                continue
            payloads: list[tuple[str, int, str]] = []
            rewritten.setdefault(scope, []).append(
                _rewrite_one(file, scope, marks, request.plan.targets, payloads)
            )
            changed.setdefault(scope, []).extend(payloads)
    return rewritten, changed, missing


def _rewrite_one(
    file: LandedFile,
    scope: Scope,
    marks: Marks,
    targets: Targets,
    payloads: list[tuple[str, int, str]],
) -> Rewritten:
    if marks.whole:
        return empty(file)
    gone, touched = set(marks.drop), set(marks.change)

    def change(number: int, line: bytes) -> bytes | None:
        if number in gone:
            return b""
        if number not in touched:
            return None
        found = without(scope, line, targets)
        if found is None:
            # A number that JSON cannot say again: the line goes as a whole.
            marks.drop.append(number)
            return b""
        text, payload = found
        payloads.append((file.logical_id, number, payload))
        return text

    done = rewrite(file, change)
    return measure(file) if done is None else done[0]


def without(scope: Scope, line: bytes, targets: Targets) -> tuple[bytes, str] | None:
    """A line without what is of the targets, and its payload; None if it cannot be written."""
    record = parse(line)
    if record is None:
        return None
    record_id, payload = record
    shape = shape_of(*scope)
    redact(shape, names_of(shape, record_id, payload), payload, targets)
    try:
        text = record_line(json.loads(line)["fetched_at"], record_id, payload)
    except ValueError:
        return None
    return text.rstrip(b"\n"), json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _clean_tables(
    connection: duckdb.DuckDBPyConnection,
    paths: TargetPaths,
    request: Request,
    rewritten: Mapping[Scope, list[Rewritten]],
    changed: _Changed,
    missing: set[str],
) -> dict[str, Any]:
    """Raw and staging tables; what was built of them is dropped. Counts by table."""
    counts: dict[str, Any] = {}
    rebuilt: set[str] = set()
    ensure_raw_tables(connection, request.plan.marks)
    for scope, files in request.plan.marks.items():
        connection.begin()
        try:
            lines = {name: marks.drop for name, marks in files.items()}
            whole = [name for name, marks in files.items() if marks.whole]
            for table, count in delete_rows(connection, *scope, lines, whole=whole).items():
                counts[table] = counts.get(table, 0) + count
            payloads = changed.get(scope, []) + _orphans(connection, scope, request, missing)
            updated = update_payloads(connection, *scope, payloads)
            note_in_log(connection, *scope, rewritten.get(scope, []))
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        if updated:
            counts[f"raw.{'_'.join(scope)} (changed)"] = updated
        if any(files.values()):
            rebuilt.add(scope[0])
    deleted = apply_tombstones(connection, paths.landing)
    if deleted:
        counts["raw (listed elsewhere)"] = deleted
    if request.plan.is_empty() and not deleted:
        return counts
    # Staging is unpacked anew from raw, everything above it from staging.
    staged = tuple(f"stg_{source}__" for source in rebuilt)
    dropped = drop_built_tables(
        connection,
        lambda schema, name: (
            name.startswith(staged)
            if schema == "staging" and staged
            else schema not in KEPT_SCHEMAS and name not in NOT_REBUILT
        ),
    )
    counts["rebuilt"] = dropped
    return counts


def _orphans(
    connection: duckdb.DuckDBPyConnection, scope: Scope, request: Request, missing: set[str]
) -> list[tuple[str, int, str]]:
    """What raw rows become whose landing file is gone."""
    files = request.plan.marks[scope]
    touched = {name: set(files[name].change) for name in missing & set(files)}
    rows = connection.execute(
        f"select source_file, line_no, record_id, payload from {raw_table(*scope)} "
        "where source_file in (select unnest(?))",
        [[name for name, numbers in touched.items() if numbers]],
    ).fetchall()
    found = []
    for logical_id, number, record_id, text in rows:
        if number in touched[logical_id]:
            payload, shape = json.loads(text), shape_of(*scope)
            names = names_of(shape, record_id, payload)
            redact(shape, names, payload, request.plan.targets)
            found.append((logical_id, number, json.dumps(payload, ensure_ascii=False)))
    return found


def _amend_cursor(request: Request) -> Callable[[Commit], Commit]:
    """Take forgotten ids, and hashes of them, out of cursors: an id that is a position becomes its
    neighbour, from which a pull goes on just as well."""
    records = request.plan.records
    sources = {source for source, _, _ in records} - {"datasets"}
    ids = {record_id for source, _, record_id in records if source in sources}
    ids |= {
        seen_key(f"{source}/{stream}", record_id)
        for source, stream, record_id in records
        if source in sources
    }
    numbers = {int(i) for i in ids if i.isdigit() and len(i) >= _DIGITS_OF_AN_ID}
    modules = {
        name
        for name, module in SOURCES.items()
        if sources & {source for source, _ in module.STREAMS}
    } | sources

    def amend(commit: Commit) -> Commit:
        if not ids or commit.cursor is None or commit.source_name not in modules:
            return commit
        return replace(commit, cursor=_without(commit.cursor, ids, numbers))

    return amend


def _without(value: Any, ids: set[str], numbers: set[int]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return {
            key: _without(inner, ids, numbers) for key, inner in value.items() if key not in ids
        }
    if isinstance(value, list | tuple):
        kept = (inner for inner in value if not (isinstance(inner, str) and inner in ids))
        return [_without(inner, ids, numbers) for inner in kept]
    if isinstance(value, str) and value in ids:
        return str(int(value) - 1) if value.isdigit() else None
    if isinstance(value, int) and not isinstance(value, bool) and value in numbers:
        return value - 1
    return value


def _remove_artefacts(paths: TargetPaths) -> None:
    """What quotes records beside the tables: dbt's results and logs, charts, insights, reports."""
    (paths.state / BUILT).unlink(missing_ok=True)
    by_hand = DBT_PROJECT / "target"
    for folder in (paths.dbt_target, by_hand):
        for name in ("compiled", "run"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "run_results.json").unlink(missing_ok=True)
    for folder in (paths.dbt_target / "logs", DBT_PROJECT / "logs", paths.charts):
        shutil.rmtree(folder, ignore_errors=True)
    for path in (paths.insights, paths.report):
        path.unlink(missing_ok=True)


def _tidy(paths: TargetPaths) -> None:
    """Delete what killed processes left half-written: it may hold what is to be forgotten."""
    recover(paths.landing)
    for folder in (paths.state / "forgetting", paths.folder / "receipts", paths.state):
        for path in folder.glob(f".*{TEMPORARY_SUFFIX}"):
            path.unlink(missing_ok=True)


def _keys(paths: TargetPaths, request: Request) -> dict[str, list[str]]:
    """The hashes under which this request's ids are listed."""
    if not request.lists:
        return {}
    tombstones = read_tombstones(paths.landing)
    targets = request.plan.targets
    keys = {"post": sorted(tombstones.key("post", "", value) for value in targets.posts)}
    for role, group in (("author", targets.authors), ("customer", targets.customers)):
        keys[role] = sorted(tombstones.key(role, "", value) for value in group)  # type: ignore[arg-type]
    keys["record"] = sorted(
        tombstones.key("record", f"{source}/{stream}", record_id)
        for source, stream, record_id in request.plan.records
    )
    return {role: values for role, values in keys.items() if values}
