"""Many orders of a Shopify shop at once: a bulk operation, and its result as the same records.

An operation runs on Shopify's side for minutes to hours and leaves a file of JSON lines, one an
object, in which a child names its parent and comes anywhere behind it. The file goes to disk, and
through an index on disk, so that memory stays the same however many orders there are. The
operation's id is in the cursor before it is waited for: a run that is stopped finds it again, as
does one that was stopped before that could be saved. A failed operation or a damaged result is no
loss: the orders are then read page by page.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from extract import _shopify_queries as queries
from extract._addresses import origin_of
from extract._graphql import DENIED_CODES, QueryError
from extract._live import latest_second
from extract._outcomes import FixError, WaitError
from extract._shopify_shop import NAME, ORDERS, Shop, listed, second_of, usable
from extract._state import Progress, Walk
from extract.base import Json, Page

BULK = "bulk"
"""The key of a walk's `resume` that goes the way of a bulk operation."""
_UNFINISHED = frozenset({"CREATED", "RUNNING", "CANCELING"})
_BUSY = frozenset({"OPERATION_IN_PROGRESS", "LIMIT_REACHED"})
_FIRST_POLL_S, _LONGEST_POLL_S = 2.0, 30.0
_ORDERS_A_PAGE = 200
_MOST_BYTES = 64 * 1024**3
_DOWNLOAD_S = 6 * 3600.0
_ATTEMPTS = 3
_LINES_A_WRITE = 2_000
_WINDOW = re.compile(
    r"(?P<field>created_at|updated_at):>='(?P<floor>[0-9TZ:-]+)'(?P<until> AND .*)?"
)


class _DamagedError(Exception):
    """The result is not what the operation says it is."""


def pull_in_bulk(
    shop: Shop, progress: Progress, key: str, *, window: str, forget: bool
) -> Generator[Page, None, bool]:
    """Yield the orders of a bulk operation; returns whether it gave them, else they are to be read
    page by page. `window` is the filter of a new operation; `forget` drops the walk at the end.

    Raises:
        WaitError: it runs longer than a run may wait; the next run finds it again.
        ExtractError: what the questions raise.
    """
    walk = progress.walk(key)
    if walk.resume is None:
        started = _start(shop, window)
        if started is None:
            yield shop.page(progress)
            return False
        walk.resume = {BULK: started}
        yield shop.page(progress)
    operation = _wait(shop, str(walk.resume[BULK]["id"]))
    try:
        yield from _read(shop, progress, walk, operation)
    except _DamagedError as error:
        shop.say(f"{NAME} {shop.name}: {error} The orders are read page by page instead.")
        walk.top, walk.resume = None, None
        yield shop.page(progress)
        return False
    # The operation reads on while orders change: what was changed since it began may be missing.
    began = walk.resume[BULK].get("began")
    if walk.top is not None and isinstance(began, int):
        walk.top = min(walk.top, began)
    walk.finish()
    if forget:
        del progress.walks[key]
    yield shop.page(progress)
    return True


def _start(shop: Shop, window: str) -> Json | None:
    """Find the operation that an earlier run began, or begin one; None if Shopify takes none."""
    text = queries.BULK_ORDERS % window
    waited, step = 0.0, _FIRST_POLL_S
    while True:
        running = _running(shop)
        for operation in running:
            if _is_ours(str(operation.get("query")), window):
                return _state_of(operation)
        if not running:
            payload = shop.ask(
                queries.RUN_BULK,
                {"query": text, "grouped": False},
                root="bulkOperationRunQuery",
                what="a bulk operation",
            )
            payload = payload if isinstance(payload, dict) else {}
            begun = payload.get("bulkOperation")
            if isinstance(begun, dict) and isinstance(begun.get("id"), str):
                return _state_of(begun)
            problems = [e for e in listed(payload.get("userErrors")) if isinstance(e, dict)]
            if not any(problem.get("code") in _BUSY for problem in problems):
                said = "; ".join(str(problem.get("message"))[:200] for problem in problems)
                shop.say(
                    f"{NAME} {shop.name}: a bulk operation is refused ({said}): the orders are "
                    "read page by page instead."
                )
                return None
        # Another operation of the app: one at a time.
        if waited + step > shop.settings.bulk_wait_s:
            raise WaitError(
                f"{NAME} {shop.name}: another bulk operation of the app is still running.",
                'Run again later, or set sources.shopify.bulk = "never".',
            )
        shop.context.clock.sleep(step)
        waited, step = waited + step, min(2 * step, _LONGEST_POLL_S)


def _running(shop: Shop) -> list[Json]:
    variables = {"first": 10, "query": "operation_type:query"}
    found = shop.ask(queries.BULK_RUNNING, variables, root="bulkOperations", what="bulk operations")
    nodes = listed(found.get("nodes")) if isinstance(found, dict) else []
    return [n for n in nodes if isinstance(n, dict) and n.get("status") in _UNFINISHED]


def _is_ours(text: str, window: str) -> bool:
    """Whether an operation reads what this window asks for, or more of the past."""
    before, _, after = " ".join(queries.BULK_ORDERS.split()).partition("%s")
    text = " ".join(text.split())
    if not text.startswith(before) or not text.endswith(after):
        return False
    theirs = _WINDOW.fullmatch(text[len(before) : len(text) - len(after)])
    ours = _WINDOW.fullmatch(window)
    return (
        theirs is not None
        and ours is not None
        and theirs["field"] == ours["field"]
        and theirs["until"] == ours["until"]
        and theirs["floor"] <= ours["floor"]
    )


def _state_of(operation: Json) -> Json:
    return {"id": operation.get("id"), "began": second_of(operation.get("createdAt")), "read": 0}


def _wait(shop: Shop, operation_id: str) -> Json:
    """The operation once it has ended; empty if Shopify no longer knows it.

    Raises:
        WaitError: it takes longer than a run may wait.
    """
    waited, step = 0.0, _FIRST_POLL_S
    while True:
        variables = {"id": operation_id}
        operation = shop.ask(queries.BULK_STATE, variables, root="node", what="the bulk operation")
        if not isinstance(operation, dict):
            return {}
        if operation.get("status") not in _UNFINISHED:
            return operation
        if waited + step > shop.settings.bulk_wait_s:
            raise WaitError(
                f"{NAME} {shop.name}: the bulk operation {operation_id} is still running after "
                f"{waited:,.0f} s ({operation.get('objectCount')} objects so far).",
                "Run again later: it is found again; sources.shopify.bulk_wait_s waits longer.",
            )
        shop.context.clock.sleep(step)
        waited, step = waited + step, min(2 * step, _LONGEST_POLL_S)


def _read(shop: Shop, progress: Progress, walk: Walk, operation: Json) -> Iterator[Page]:
    """The pages of an ended operation.

    Raises:
        _DamagedError: it failed, or its result is gone or damaged.
    """
    status = operation.get("status", "gone")
    if status != "COMPLETED":
        code = operation.get("errorCode")
        if code in DENIED_CODES:
            walk.top, walk.resume = None, None
            raise QueryError(
                f"{NAME} {shop.name}: the bulk operation was denied access ({code}).",
                "Give the app the scopes read_orders and read_products.",
                codes=frozenset({str(code)}),
                status=403,
            )
        # Orders in a partial file may lack lines, which nothing in it tells.
        raise _DamagedError(f"The bulk operation ended as {status} ({code or 'no reason given'}).")
    url = operation.get("url")
    if not isinstance(url, str):
        if _number(operation.get("objectCount")):
            raise _DamagedError("The bulk operation gives no address of its result.")
        return
    with TemporaryDirectory(prefix="social-signals-") as folder:
        index = Path(folder) / "lines.sqlite"
        _fetch(shop, url, operation, Path(folder) / "result.jsonl", index)
        yield from _pages(shop, progress, walk, index)


def _fetch(shop: Shop, url: str, operation: Json, file: Path, index: Path) -> None:
    """Download the result and index it, again where it is damaged."""
    if origin_of(shop.url)[0] == "https" and origin_of(url)[0] != "https":
        raise _DamagedError("The result of the bulk operation lies at an unencrypted address.")
    for attempt in range(_ATTEMPTS):
        if attempt:
            shop.context.clock.sleep(_FIRST_POLL_S * attempt)
        try:
            with file.open("w+b") as handle:
                shop.http.download(url, handle, most_bytes=_MOST_BYTES, total_s=_DOWNLOAD_S)
        except FixError as error:
            if error.status in (403, 404, 410):
                raise _DamagedError("The result of the bulk operation has expired.") from error
            raise
        try:
            _index(file, index, _number(operation.get("objectCount")))
        except _DamagedError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        file.unlink()
        return


def _index(file: Path, index: Path, expected: int | None) -> None:
    """Put the lines of a result where they can be found by their parent."""
    index.unlink(missing_ok=True)
    with closing(sqlite3.connect(index)) as lines:
        lines.execute("pragma journal_mode = off")
        lines.execute("pragma synchronous = off")
        lines.execute("create table roots (number integer primary key, id text, line text)")
        lines.execute("create table children (parent text, number integer, line text)")
        roots: list[tuple[int, str, str]] = []
        children: list[tuple[str, int, str]] = []
        count = 0
        for line in _lines_of(file):
            count += 1
            try:
                node = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _DamagedError("A line of the bulk result cannot be read.") from error
            if not isinstance(node, dict):
                raise _DamagedError("A line of the bulk result is no object.")
            parent = node.get("__parentId")
            if parent is None:
                roots.append((count, str(node.get("id")), line))
            else:
                children.append((str(parent), count, line))
            if count % _LINES_A_WRITE == 0:
                _write(lines, roots, children)
        _write(lines, roots, children)
        if expected is not None and count != expected:
            raise _DamagedError(
                f"The bulk result has {count:,} lines instead of the {expected:,} announced."
            )
        lines.execute("create index by_parent on children (parent, number)")
        lines.execute("create index by_id on roots (id)")
        orphans = lines.execute(
            "select count(*) from children where parent not in (select id from roots)"
        ).fetchone()[0]
        if orphans:
            raise _DamagedError(f"{orphans:,} lines of the bulk result have no parent in it.")
        lines.commit()


def _lines_of(file: Path) -> Iterator[str]:
    # Other line ends may be part of a text.
    with file.open(encoding="utf-8", errors="replace", newline="\n") as handle:
        yield from (line for line in handle if line.strip())


def _write(
    lines: sqlite3.Connection,
    roots: list[tuple[int, str, str]],
    children: list[tuple[str, int, str]],
) -> None:
    lines.executemany("insert into roots values (?, ?, ?)", roots)
    lines.executemany("insert into children values (?, ?, ?)", children)
    roots.clear()
    children.clear()


def _pages(shop: Shop, progress: Progress, walk: Walk, index: Path) -> Iterator[Page]:
    latest = latest_second(shop.context)
    resume: Any = (walk.resume or {})[BULK]
    with closing(sqlite3.connect(index)) as lines:
        while True:
            rows = lines.execute(
                "select number, id, line from roots where number > ? order by number limit ?",
                (int(resume.get("read", 0)), _ORDERS_A_PAGE),
            ).fetchall()
            if not rows:
                return
            nodes, rejects = usable(
                [_whole(lines, node_id, line) for _, node_id, line in rows], ORDERS, shop.name
            )
            shop.complete_orders(nodes)
            changed = [second_of(node.get("updatedAt")) for node in nodes]
            met = [second for second in changed if second is not None and second <= latest]
            if met:
                walk.top = max(met if walk.top is None else [walk.top, *met])
            resume = {**resume, "read": rows[-1][0]}
            walk.resume = {BULK: resume}
            yield shop.page(progress, [shop.record(ORDERS, node) for node in nodes], rejects)


def _whole(lines: sqlite3.Connection, node_id: str, line: str) -> Json:
    """An order as the paged road gives it: its lines are nodes below it."""
    node: Json = json.loads(line)
    found = lines.execute(
        "select line from children where parent = ? order by number", (node_id,)
    ).fetchall()
    nodes = [json.loads(text) for (text,) in found]
    for child in nodes:
        child.pop("__parentId", None)
    return {**node, "lineItems": {"nodes": nodes}}


def _number(value: object) -> int | None:
    """An UnsignedInt64, which travels as text."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
