"""Forgetting: what was asked for goes from every file of a target, and stays away.

In this order, so that a process that is killed anywhere loses nothing of the request:

1. what is touched is written into `state/forgetting/<id>.json`;
2. the list of forgotten ids: from now on nothing of it lands or loads again;
3. landing files, raw and staging tables, commit records; what was built from them is dropped and
   the work file copied into a new one without free blocks; dbt's artefacts, charts and insights go;
4. the next build and publish make everything anew; then scores of texts that nobody posts go too.

Whatever command comes next finishes a request that was begun (`finish_begun`); every step can be
repeated. The receipt in `receipts/` says what was removed where, without content and without ids:
it holds the hashes of the list.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from extract._state import seen_key
from extract.personal import SHAPES, Targets, names_of, redact, shape_of
from extract.registry import SOURCES
from pipeline.console import meter
from pipeline.fingerprints import BUILT
from pipeline.forget_plan import (
    Marks,
    Plan,
    Scope,
    counts_of,
    make_plan,
    parse,
    plan_expired,
    told_deletions,
)
from pipeline.paths import DBT_PROJECT, TargetPaths
from pipeline.privacy import guard
from pipeline.settings import Settings
from udfs.errors import SocialSignalsError
from udfs.sentiment.store import keep_only
from warehouse.commits import Commit, LandedFile, list_landed, read_commits, recover
from warehouse.files import TEMPORARY_SUFFIX, make_durable_folder, replace_durably
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
from warehouse.tombstones import (
    Role,
    Tombstones,
    apply_tombstones,
    list_records,
    read_tombstones,
)

FORMAT = 1
PLANNED, REMOVED = "planned", "removed"
NOT_REBUILT = frozenset({"mart_insight_ledger"})
"""Tables that remember what earlier builds said, of products and never of people."""
KEPT_SCHEMAS = frozenset({"raw", "staging", "seeds", "information_schema"})
_DIGITS_OF_AN_ID = 12
"""Ids with as many digits hold their time: a cursor may hold one as a position."""


class ForgettingError(SocialSignalsError):
    """A request that was begun cannot be read back."""


@dataclass(slots=True)
class Request:
    """One request: what was found for it, why and how it was asked for.

    `keep_out` are people whose records do not land again: authors are dropped, customers made
    anonymous. `lists` says whether ids go on the list of forgotten ones (what only grew too old
    may come again).
    """

    request_id: str
    asked_at: datetime
    reason: str
    how: str
    plan: Plan
    asked: Mapping[str, int] = field(default_factory=dict)
    keep_out: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    lists: bool = True
    originals: tuple[str, ...] = ()
    stage: str = PLANNED
    removed: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        content: dict[str, Any] = {
            "format": FORMAT,
            "request_id": self.request_id,
            "asked_at": self.asked_at.isoformat(),
            "reason": self.reason,
            "how": self.how,
            "asked": dict(self.asked),
            "lists": self.lists,
            "originals": list(self.originals),
            "stage": self.stage,
            "removed": self.removed,
            "problems": self.plan.problems,
        }
        if self.stage == PLANNED:
            targets = self.plan.targets
            content |= {
                "keep_out": {role: list(values) for role, values in self.keep_out.items()},
                "targets": {
                    "posts": sorted(targets.posts),
                    "authors": sorted(targets.authors),
                    "customers": sorted(targets.customers),
                    "orders": sorted(targets.orders),
                },
                "records": sorted(self.plan.records),
                "marks": {
                    "/".join(scope): {
                        name: [marks.drop, marks.change, marks.whole]
                        for name, marks in files.items()
                    }
                    for scope, files in self.plan.marks.items()
                },
            }
        return (json.dumps(content, ensure_ascii=True) + "\n").encode()


def request_of(content: Mapping[str, Any]) -> Request:
    """A request as `Request.to_json` wrote it."""
    targets = {name: set(values) for name, values in content.get("targets", {}).items()}
    plan = Plan(Targets(**targets), problems=list(content["problems"]))
    plan.records = {(str(s), str(t), str(r)) for s, t, r in content.get("records", [])}
    for name, files in content.get("marks", {}).items():
        source, _, stream = name.partition("/")
        plan.marks[source, stream] = {
            logical_id: Marks(list(drop), list(change), int(whole))
            for logical_id, (drop, change, whole) in files.items()
        }
    return Request(
        request_id=str(content["request_id"]),
        asked_at=datetime.fromisoformat(content["asked_at"]),
        reason=str(content["reason"]),
        how=str(content["how"]),
        plan=plan,
        asked=dict(content["asked"]),
        keep_out={role: tuple(values) for role, values in content.get("keep_out", {}).items()},
        lists=bool(content["lists"]),
        originals=tuple(content["originals"]),
        stage=str(content["stage"]),
        removed=dict(content["removed"]),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: whom and what, why, how it was said, and whether later posts of forgotten
    authors are kept out too; whether what streams told was deleted goes as well (`deleted`), and
    what is older than its source's retention (`expired`)."""

    targets: Targets = field(default_factory=Targets)
    reason: str = "asked"
    how: str = "forget"
    keep_out: bool = False
    is_built: bool = False
    deleted: bool = False
    expired: bool = False


def remove_asked(settings: Settings, asked: Asked, *, run_id: str, now: datetime) -> Request:
    """Find what is asked for and do steps 1 to 3; returns the request.

    Raises:
        SocialSignalsError: a full disk, a damaged file; what was begun is finished by the next
            command.
    """
    targets = asked.targets
    counts = {
        name: len(group)
        for name, group in (
            ("posts", targets.posts),
            ("authors", targets.authors),
            ("customers", targets.customers),
            ("orders", targets.orders),
        )
        if group
    }
    plan = find(settings, targets)
    keep_out: dict[Role, tuple[str, ...]] = {"customer": tuple(sorted(targets.customers))}
    if asked.keep_out:
        keep_out["author"] = tuple(sorted(targets.authors))
    request = Request(
        request_id=run_id,
        asked_at=now,
        reason=asked.reason,
        how=asked.how,
        plan=plan,
        asked=counts,
        keep_out=keep_out,
        originals=_originals(settings, plan),
    )
    _search_what_came_since(settings, request)
    remove(settings, request)
    return request


def _search_what_came_since(settings: Settings, request: Request) -> None:
    """A stream lands beside this: what it committed before the ids were listed is searched too, and
    from then on it heeds the list."""
    paths = settings.paths
    while True:
        _keep(paths, request)
        _list(paths, request)
        landed = list_landed(paths.landing) if paths.landing.is_dir() else []
        if all(file.logical_id in request.plan.searched for file in landed):
            return
        request.plan = find(settings, request.plan.targets)


def keep_promises(settings: Settings, asked: Asked, *, run_id: str, now: datetime) -> list[Request]:
    """Forget what streams told was deleted and what has grown too old, as far as it is asked for;
    returns the requests that found something.

    Raises:
        SocialSignalsError: as `remove_asked`.
    """
    requests = []
    if asked.deleted:
        told = told_deletions(settings.paths.landing, SOURCES)
        if told.count():
            plan = find(settings, told)
            if not plan.is_empty():
                requests.append(
                    Request(
                        request_id=f"{run_id}-deleted",
                        asked_at=now,
                        reason="deleted on its platform",
                        how="deletions of streams",
                        plan=plan,
                    )
                )
                _search_what_came_since(settings, requests[-1])
                remove(settings, requests[-1])
    if asked.expired and settings.privacy.retention_days:
        plan = _find_expired(settings, now)
        if not plan.is_empty():
            days = ", ".join(f"{k} {v}" for k, v in settings.privacy.retention_days.items())
            requests.append(
                Request(
                    request_id=f"{run_id}-expired",
                    asked_at=now,
                    reason=f"older than privacy.retention_days allows ({days})",
                    how="retention",
                    plan=plan,
                    lists=False,
                )
            )
            remove(settings, requests[-1])
    return requests


def preview(settings: Settings, *, deleted: bool, expired: bool, now: datetime) -> list[Plan]:
    """What `keep_promises` would find; nothing is changed."""
    plans = []
    if deleted:
        plans.append(find(settings, told_deletions(settings.paths.landing, SOURCES)))
    if expired:
        plans.append(_find_expired(settings, now))
    return plans


def _find_expired(settings: Settings, now: datetime) -> Plan:
    """Lines that were fetched before the day on which the retention of their source begins."""
    landing = settings.paths.landing
    if not landing.is_dir():
        return Plan(Targets())
    today = now.astimezone(UTC).date()
    cutoffs = {
        source: f"{today - timedelta(days=days)}T00:00:00.000000Z"
        for source, days in settings.privacy.retention_days.items()
    }
    committed = {
        part.logical_id: commit.committed_at
        for commit in read_commits(landing)
        for part in commit.parts
    }
    return plan_expired(list_landed(landing), cutoffs, committed)


def find(settings: Settings, targets: Targets) -> Plan:
    """What a request touches; nothing is changed."""
    paths = settings.paths
    with meter("search") as progress:
        if not paths.work.exists():
            return make_plan(paths.landing, targets, progress=progress.update)
        with closing(open_work(paths.work)) as connection:
            return make_plan(paths.landing, targets, work=connection, progress=progress.update)


def _originals(settings: Settings, plan: Plan) -> tuple[str, ...]:
    """Mappings of the data sets whose records go: their files are the user's own."""
    datasets = settings.sources.get("datasets")
    if datasets is None or not any(source == "datasets" for source, _ in plan.marks):
        return ()
    return tuple(str(path) for path in getattr(datasets, "mappings", ()))


def summary(request: Request) -> list[str]:
    """What a request touches, in a few words without content."""
    found = [
        f"{source}/{stream}: {drop:,} records removed"
        + (f", {change:,} changed" if change else "")
        + f" in {files:,} files"
        for (source, stream), (files, drop, change) in counts_of(request.plan).items()
    ]
    if request.originals:
        found.append(f"not touched: the originals behind {', '.join(request.originals)}")
    return found or ["nothing found; what was asked for by id is kept out from now on"]


def begun(paths: TargetPaths) -> list[Request]:
    """Requests that are not finished, oldest first.

    Raises:
        ForgettingError: one cannot be read.
    """
    found = []
    for path in sorted((paths.state / "forgetting").glob("[!.]*.json")):
        try:
            found.append(request_of(json.loads(path.read_bytes())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ForgettingError(
                f"The request {path} was begun and cannot be read ({type(error).__name__}).",
                "Ask for it again with social-signals forget, then delete that file.",
            ) from error
    return sorted(found, key=lambda request: (request.asked_at, request.request_id))


def _keep(paths: TargetPaths, request: Request) -> None:
    folder = paths.state / "forgetting"
    make_durable_folder(folder)
    replace_durably(folder / f"{request.request_id}.json", request.to_json())


def remove(settings: Settings, request: Request) -> None:
    """Steps 1 to 3; the request is then waiting for the next build, or done if there is none.

    Call it only while holding the target's lock. Repeating it does no harm.

    Raises:
        SocialSignalsError: a full disk, a damaged file; run again to go on.
    """
    paths = settings.paths
    _keep(paths, request)
    if request.lists:
        _list(paths, request)
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
    _keep(paths, request)


def _list(paths: TargetPaths, request: Request) -> None:
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


def clean_arrivals(settings: Settings) -> int:
    """Before a load: take forgotten ones out of landing files that no writer of this target wrote
    as they are now (put there by hand, restored from a backup), so that neither the file nor a
    table gets them back; returns how many files were rewritten.

    Raises:
        SocialSignalsError: the list is damaged, a full disk.
    """
    paths = settings.paths
    tombstones = read_tombstones(paths.landing)
    if not tombstones.requests:
        return 0
    loaded: set[str] = set()
    if paths.work.exists():
        with closing(open_work(paths.work)) as connection:
            ensure_raw_tables(connection, ())
            rows = connection.execute("select logical_id from raw.load_log").fetchall()
            loaded = {name for (name,) in rows}
    cleaned: dict[str, Rewritten] = {}
    for file in list_landed(paths.landing):
        if file.logical_id in loaded or file.kind != "records" or not file.path.exists():
            continue
        if file.sequence is not None and file.path.stat().st_size == file.bytes:
            continue
        done = rewrite(file, partial(_heed, tombstones, file.source, file.stream))
        if done is not None:
            cleaned[file.logical_id] = done[0]
    if cleaned:
        amend_landing(paths.landing, cleaned)
    return len(cleaned)


def _heed(
    tombstones: Tombstones, source: str, stream: str, _number: int, line: bytes
) -> bytes | None:
    """A line as the list allows it."""
    record = parse(line)
    if record is None:
        return None
    record_id, payload = record
    if tombstones.has("record", f"{source}/{stream}", record_id):
        return b""
    remaining = guard(tombstones, source, stream, record_id, payload)
    if remaining is payload:
        return None
    if remaining is None:
        return b""
    try:
        text = record_line(json.loads(line)["fetched_at"], record_id, remaining)
    except ValueError:
        return b""
    return text.rstrip(b"\n")


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
    for path in (paths.insights, paths.folder / "report.html"):
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


def finish_begun(settings: Settings) -> list[Request]:
    """Steps 1 to 3 of requests that a killed process had begun; returns those."""
    waiting = [request for request in begun(settings.paths) if request.stage == PLANNED]
    for request in waiting:
        remove(settings, request)
    return waiting


def finish_removed(settings: Settings, now: datetime) -> list[Path]:
    """Step 4, after a publish: scores go, receipts are finished; returns those.

    Without built tables nobody can say which texts are still posted: requests wait for the next
    build then, unless there is no score.
    """
    paths = settings.paths
    waiting = [request for request in begun(paths) if request.stage == REMOVED]
    if not waiting:
        return []
    scores = _forget_scores(paths)
    if scores is None:
        return []
    receipts = []
    for request in waiting:
        receipts.append(write_receipt(settings, request, scores=scores, finished_at=now))
        (paths.state / "forgetting" / f"{request.request_id}.json").unlink(missing_ok=True)
    return receipts


def write_receipt(
    settings: Settings,
    request: Request,
    *,
    scores: int | None = None,
    finished_at: datetime | None = None,
) -> Path:
    """Put the receipt of a request into the target's folder and return its path."""
    receipt = settings.paths.folder / "receipts" / f"{request.request_id}.json"
    make_durable_folder(receipt.parent)
    content = {
        "format": FORMAT,
        "target": settings.name,
        "request_id": request.request_id,
        "asked_at": request.asked_at.isoformat(),
        "finished_at": None if finished_at is None else finished_at.isoformat(),
        "how": request.how,
        "reason": request.reason,
        "asked": dict(request.asked),
        "removed": {**request.removed, "scores": scores},
        "originals_not_touched": list(request.originals),
        "problems": request.plan.problems,
    }
    replace_durably(receipt, (json.dumps(content, indent=1) + "\n").encode())
    return receipt


def _forget_scores(paths: TargetPaths) -> int | None:
    """Delete scores of texts that no post or review has any more; return how many, or None where
    nobody can tell which those are."""
    store = paths.folder / "scores"
    if not any(store.glob("*/*.parquet")):
        return 0
    if not paths.work.exists():
        return None
    with closing(open_work(paths.work, read_only=True)) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_columns() "
            "where column_name = 'text_key' and schema_name <> 'raw' "
            "and table_name not like 'int_texts%'"
        ).fetchall()
        if not tables:
            return None
        live: set[str] = set()
        for schema, name in tables:
            rows = connection.execute(
                f'select distinct text_key from "{schema}"."{name}" where text_key is not null'
            ).fetchall()
            live.update(key for (key,) in rows)
    return keep_only(store, live)
