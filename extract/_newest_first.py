"""The whole of a source that reads one listing, newest first: what examples/own_source builds on.

An own source says how to ask for a page and how to read an item; stopping anywhere, going on,
overlap, repeats, backfills and budgets are done here with the same mechanics as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from extract._http import Http
from extract._live import LiveSettings, latest_second, seconds
from extract._outcomes import Answer, Parse, RetryError, parse_json
from extract._state import Batch, Progress, and_what_came_since, walk_listing, window_key
from extract.base import Context, Cursor, Json, Page, Record, Reject

Ask = Callable[[int | None, Parse], Answer]
"""Ask for the newest items that are no newer than a second since 1970 (None: the newest of all),
handing `parse` to the transport."""
Identify = Callable[[Any], tuple[str, int]]
"""An item's id and the second since 1970 by which the listing is sorted."""
Spread = Callable[[Any], Iterable[tuple[str, Json]]]
"""The records of an item, by id: its lines, or itself under other names."""
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
_KEY = "listing"


@dataclass(frozen=True, slots=True)
class _Listing:
    """What an own source says of its listing."""

    context: Context
    http: Http
    source: str
    stream: str
    ask: Ask
    identify: Identify
    items: Callable[[Any], Any]
    spread: Spread | None

    def fetch(self, floor: int, resume: Json | None) -> Batch:
        """A page: what is no newer than the oldest of the page before."""
        ceiling = (resume or {}).get("ceiling", _last_second(self.context))
        answer = self.ask(ceiling, partial(self.parse, ceiling=ceiling))
        self.http.settle(answer)
        records: list[Record] = []
        rejects: list[Reject] = []
        positions: dict[str, int] = {}
        for item in answer.content:
            try:
                item_id, position = self.identify(item)
                parts = [(item_id, item)] if self.spread is None else list(self.spread(item))
            except UNREADABLE as error:
                reason = f"it cannot be read: {error!r}"
                rejects.append(Reject(self.stream, repr(item), reason))
                continue
            positions[item_id] = position
            if self.context.since is None or position >= floor:
                records += [Record(self.stream, *part, answer.fetched_at) for part in parts]
        oldest = min(positions.values(), default=None)
        following, notes = self._next(oldest, ceiling, floor, len(answer.content))
        is_reached = following is None or (oldest is not None and oldest < floor)
        return Batch(records, positions, following, is_reached, rejects, notes)

    def _next(
        self, oldest: int | None, ceiling: int | None, floor: int, count: int
    ) -> tuple[Json | None, list[str]]:
        if oldest is None:
            return None, []
        if ceiling is None or oldest < ceiling:
            return {"ceiling": oldest, "floor": floor}, []
        if count < 2:
            # The one item that is always met again: there is nothing older.
            return None, []
        note = f"{self.source}: more than a page of items may share the second {ceiling}; what of"
        note += " them is beyond the page cannot be asked for."
        return {"ceiling": oldest - 1, "floor": floor}, [note]

    def parse(self, answer: Answer, *, ceiling: int | None) -> Any:  # noqa: ANN401 - as received
        found = self.items(parse_json(answer))
        if not isinstance(found, list):
            raise RetryError(
                f"{self.source}: the answer holds no list.",
                f"Run again; if it stays, check sources.{self.source}.base_url.",
            )
        if ceiling is not None and any(p > ceiling for p in self._positions(found)):
            raise RetryError(
                f"{self.source}: the answer holds items of another time than asked for.",
                "Run again; if it stays, a cache before the platform ignores the query.",
            )
        return found

    def _positions(self, found: list[Any]) -> Iterator[int]:
        for item in found:
            try:
                yield self.identify(item)[1]
            except UNREADABLE:
                continue


def pull_newest_first(
    settings: LiveSettings,
    cursor: Cursor,
    context: Context,
    http: Http,
    *,
    source: str,
    stream: str,
    ask: Ask,
    identify: Identify,
    spread: Spread | None = None,
    items: Callable[[Any], Any] = lambda content: content,
    first_days: int = 3_650,
    overlap_seconds: int = 86_400,
) -> Iterator[Page]:
    """Yield what is new or changed since the cursor. `items` finds the list in an answer, `spread`
    makes records of an item; without it the item lands as received.

    An item that cannot be read goes to the rejects. Of more items in one second than
    a page holds, the rest cannot be asked for, which a note says.
    """
    progress = Progress.of(cursor, source=source)
    key = window_key(_KEY, context.since, context.until)
    progress.keep_only([_KEY, key])
    listing = _Listing(context, http, source, stream, ask, identify, items, spread)

    def walk_once() -> Iterator[Page]:
        walk = progress.walk(key)
        if context.since is not None:
            floor = seconds(context.since) or 0
        elif walk.done is None:
            floor = max(0, int(context.clock.now().timestamp()) - first_days * 86_400)
        else:
            floor = max(0, walk.done - overlap_seconds)
        # Fixed for the walk, also for the run that takes it up again after a stop.
        floor = int((walk.resume or {}).get("floor", floor))
        for batch in walk_listing(
            walk,
            progress.seen,
            partial(listing.fetch, floor),
            latest=latest_second(context),
            max_pages=settings.max_pages,
            what=source,
        ):
            if batch.reached and key != _KEY:
                del progress.walks[key]
            yield progress.page(batch)

    yield from and_what_came_since(progress, key, walk_once, is_backfill=key != _KEY)


def _last_second(context: Context) -> int | None:
    until = seconds(context.until)
    return None if until is None else until - 1
