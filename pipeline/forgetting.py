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

from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from extract.personal import Targets
from extract.registry import SOURCES
from pipeline.console import meter
from pipeline.forget_plan import Plan, make_plan, plan_expired, told_deletions
from pipeline.forget_removal import list_ids, remove
from pipeline.forget_requests import PLANNED, REMOVED, Request, begun, finish, keep
from pipeline.paths import TargetPaths
from pipeline.settings import Settings
from udfs.sentiment.store import keep_only
from warehouse.commits import list_landed, read_commits
from warehouse.schema import open_work
from warehouse.tombstones import Role


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
        keep(paths, request)
        list_ids(paths, request)
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
    waiting = [request for request in begun(settings.paths) if request.stage == REMOVED]
    if not waiting:
        return []
    scores = _forget_scores(settings.paths)
    if scores is None:
        return []
    receipts = []
    for request in waiting:
        receipts.append(finish(settings, request, scores=scores, finished_at=now))
    return receipts


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
