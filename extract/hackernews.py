"""Hacker News: Algolia's search finds stories and comments, Firebase tells what became of them.

Algolia gives at most 1,000 hits to a query, newest first, so a query is read in slices of time: the
next slice ends at the last second of the one before, that second included. A day after an item was
published its page at Firebase is read once: score, comments, and whether it was deleted or killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from extract._live import (
    LiveSettings,
    OwnUrl,
    Planned,
    Probe,
    latest_second,
    open_http,
    seconds,
)
from extract._outcomes import Answer, FixError, RetryError, parse_json
from extract._queries import catalogue_terms
from extract._state import (
    Batch,
    Progress,
    Walk,
    and_what_came_since,
    one_after_the_other,
    walk_listing,
    window_key,
)
from extract.base import Context, Cursor, ExtractError, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http

NAME = "hackernews"
STREAMS: tuple[tuple[str, str], ...] = (("hackernews", "hits"), ("hackernews", "items"))
IS_SIMULATED = False
CREDENTIALS: tuple[str, ...] = ()

HITS, ITEMS = "hackernews/hits", "hackernews/items"
_HIT_LIMIT = 1_000
_PAGE_ITEMS = 50
_PENDING_LIMIT = 2_000
"""Items that wait for their second reading; of more, the newest are kept."""
_VOLATILE = ("_highlightResult",)
"""Differs by query, though the item is the same."""


class Settings(LiveSettings):
    """`[sources.hackernews]`. Without `queries` every keyword of the catalogue is searched.

    `overlap_hours` is how far each pull reads again, for items that Algolia received late and for
    scores; `first_days` how far back the first pull goes; `refresh_items` how many pages of items
    a run reads from Firebase.
    """

    base_url: OwnUrl = "https://hn.algolia.com"
    items_url: OwnUrl = "https://hacker-news.firebaseio.com"
    queries: tuple[str, ...] = ()
    first_days: Annotated[int, Field(ge=1, le=10_000)] = 30
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24
    page_size: Annotated[int, Field(ge=2, le=_HIT_LIMIT)] = 500
    refresh_after_hours: Annotated[int, Field(ge=0)] = 24
    refresh_items: Annotated[int, Field(ge=0)] = 200
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 0.4


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield hits that are new or changed since the cursor, query by query, then due items."""
    queries = _queries(settings, context)
    progress = Progress.of(cursor, source=NAME, without=_VOLATILE)
    keys = [window_key(query, context.since, context.until) for query in queries]
    progress.keep_only([*queries, *keys])
    with _open(settings, context) as http:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (repr(query), partial(_search, http, settings, context, progress, query, key))
            for query, key in zip(queries, keys, strict=True)
        ]
        if context.since is None and context.until is None:
            parts.append(("items", partial(_refresh, http, settings, context, progress)))
        yield from one_after_the_other(parts, source=NAME)


def _open(settings: Settings, context: Context) -> Http:
    allowed = [settings.base_url, settings.items_url]
    return open_http(settings, context, source=NAME, allowed=allowed)


def _queries(settings: Settings, context: Context) -> list[str]:
    queries = list(settings.queries) or catalogue_terms(context.catalogue, ("keyword",))
    if not queries:
        raise FixError(
            f"{NAME}: there is nothing to search for.",
            "Add keywords to terms.csv, or set sources.hackernews.queries.",
        )
    return list(dict.fromkeys(queries))


def _floor(settings: Settings, context: Context, walk: Walk) -> int:
    """The first second that a walk has to reach."""
    if context.since is not None:
        return seconds(context.since) or 0
    if walk.done is None:
        return int(context.clock.now().timestamp()) - settings.first_days * 86_400
    return max(0, walk.done - settings.overlap_hours * 3600)


def _search(
    http: Http, settings: Settings, context: Context, progress: Progress, query: str, key: str
) -> Iterator[Page]:
    walk_once = partial(_search_once, http, settings, context, progress, query, key)
    yield from and_what_came_since(progress, key, walk_once, is_backfill=key != query)


def _search_once(
    http: Http, settings: Settings, context: Context, progress: Progress, query: str, key: str
) -> Iterator[Page]:
    walk = progress.walk(key)
    # Fixed for the walk, also for the run that takes it up again after a stop.
    floor = int((walk.resume or {}).get("floor", _floor(settings, context, walk)))
    fetch = partial(_fetch, http, settings, context, query, floor)
    for batch in walk_listing(
        walk,
        progress.seen,
        fetch,
        latest=latest_second(context),
        max_pages=settings.max_pages,
        what=f"{NAME} {query!r}",
    ):
        if context.since is None and context.until is None:
            _expect(progress, batch.positions, int(context.clock.now().timestamp()))
        if batch.reached and key != query:
            del progress.walks[key]
        yield progress.page(batch)


def _fetch(
    http: Http, settings: Settings, context: Context, query: str, floor: int, resume: Json | None
) -> Batch:
    """One slice: from `floor` to the second that the last slice ended with."""
    place = resume or {}
    ceiling, number = place.get("ceiling"), int(place.get("page", 0))
    filters = [f"created_at_i>={floor}"]
    if ceiling is not None:
        filters.append(f"created_at_i<={ceiling}")
    elif context.until is not None:
        filters.append(f"created_at_i<{seconds(context.until)}")
    answer = http.get(
        f"{settings.base_url}/api/v1/search_by_date",
        {
            "query": f'"{query}"',
            "advancedSyntax": "true",
            "typoTolerance": "false",
            "tags": "(story,comment)",
            "numericFilters": ",".join(filters),
            "hitsPerPage": settings.page_size,
            "page": number,
            "attributesToHighlight": "none",
        },
        parse=partial(_parse_slice, floor=floor, ceiling=ceiling),
    )
    http.settle(answer)
    hits = answer.content["hits"]
    records: list[Record] = []
    positions: dict[str, int] = {}
    rejects: list[Reject] = []
    for hit in hits:
        problem = _problem(hit)
        if problem:
            rejects.append(Reject(HITS, repr(hit), problem, query))
            continue
        record_id, position = str(hit["objectID"]), hit["created_at_i"]
        positions[record_id] = position
        records.append(Record(HITS, record_id, hit, answer.fetched_at))
    following, notes = _next_slice(settings, positions, len(hits), ceiling, number, query)
    if following is not None:
        following["floor"] = floor
    return Batch(records, positions, following, following is None, rejects, notes)


def _parse_hits(answer: Answer) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    if not isinstance(content, dict) or not isinstance(content.get("hits"), list):
        raise RetryError(
            f"{NAME}: the answer holds no list of hits.",
            "Run again; if it stays, check sources.hackernews.base_url.",
        )
    return content


def _parse_slice(answer: Answer, *, floor: int, ceiling: int | None) -> Any:  # noqa: ANN401
    """A slice whose hits lie where they were asked for; a cache may answer another question."""
    content = _parse_hits(answer)
    for hit in content["hits"]:
        if _problem(hit):
            continue
        created = hit["created_at_i"]
        if created < floor or (ceiling is not None and created > ceiling):
            raise RetryError(
                f"{NAME}: the answer holds hits of another time than asked for.",
                "Run again; if it stays, a cache before the platform ignores the query.",
            )
    return content


def _problem(hit: Any) -> str:  # noqa: ANN401 - as received
    if not isinstance(hit, dict):
        return "a hit is no object"
    if not isinstance(hit.get("objectID"), str | int) or not str(hit["objectID"]).strip():
        return "a hit has no objectID"
    created = hit.get("created_at_i")
    if not isinstance(created, int) or isinstance(created, bool):
        return "created_at_i is no whole number"
    return ""


def _next_slice(
    settings: Settings,
    positions: dict[str, int],
    hit_count: int,
    ceiling: int | None,
    number: int,
    query: str,
) -> tuple[Json | None, list[str]]:
    """Where the slice after this one ends, None at the end; and what is lost on the way."""
    if hit_count == 0 or not positions:
        return None, []
    oldest = min(positions.values())
    if ceiling is None or oldest < ceiling:
        # Not by the count of hits: a short page is no proof of the end.
        return {"ceiling": oldest, "page": 0}, []
    if hit_count < settings.page_size:
        return None, []
    if (number + 2) * settings.page_size <= _HIT_LIMIT:
        return {"ceiling": ceiling, "page": number + 1}, []
    instant = datetime.fromtimestamp(ceiling, UTC).isoformat()
    note = f"{NAME} {query!r}: more than {_HIT_LIMIT:,} hits in the second {instant}; the rest of "
    return {"ceiling": ceiling - 1, "page": 0}, [note + "them cannot be asked for."]


def _expect(progress: Progress, positions: Mapping[str, int], now: int) -> None:
    """Remember which items are to be looked at once more, oldest first."""
    pending = {**progress.extra.get("pending", {})}
    done = set(progress.extra.get("refreshed", []))
    for item_id, position in positions.items():
        if item_id.isdigit() and item_id not in done:
            pending.setdefault(item_id, min(position, now))
    ordered = sorted(pending.items(), key=lambda entry: (entry[1], entry[0]))
    progress.extra["pending"] = dict(ordered[-_PENDING_LIMIT:])


def _refresh(
    http: Http, settings: Settings, context: Context, progress: Progress
) -> Iterator[Page]:
    """The pages of items that were published long enough ago."""
    due_before = context.clock.now().timestamp() - settings.refresh_after_hours * 3600
    pending = progress.extra.get("pending", {})
    due = [item_id for item_id, position in pending.items() if position <= due_before]
    due = due[: settings.refresh_items]
    for start in range(0, len(due), _PAGE_ITEMS):
        records: list[Record] = []
        rejects: list[Reject] = []
        chosen = due[start : start + _PAGE_ITEMS]
        stopped: ExtractError | None = None
        for item_id in chosen:
            try:
                found = _item(http, settings, item_id)
            except ExtractError as error:
                # What was fetched lands with this page; the rest stays pending.
                stopped = error
                break
            del progress.extra["pending"][item_id]
            if isinstance(found, Reject):
                rejects.append(found)
            elif progress.seen.is_new(found):
                records.append(found)
            refreshed = [*progress.extra.get("refreshed", []), item_id]
            progress.extra["refreshed"] = refreshed[-_PENDING_LIMIT:]
        if records or rejects:
            yield Page(records, progress.cursor(), rejects)
        if stopped is not None:
            raise stopped


def _item(http: Http, settings: Settings, item_id: str) -> Record | Reject:
    url = f"{settings.items_url}/v0/item/{item_id}.json"
    answer = http.get(url, parse=partial(_parse_item, item_id=item_id))
    http.settle(answer)
    content = answer.content
    if content is None:
        return Reject(ITEMS, "null", "the item is gone", item_id)
    return Record(ITEMS, item_id, content, answer.fetched_at)


def _parse_item(answer: Answer, *, item_id: str) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    if content is not None and not (
        isinstance(content, dict) and str(content.get("id")) == item_id
    ):
        raise RetryError(
            f"{NAME}: the answer is not the item {item_id} that was asked for.",
            "Run again; if it stays, check sources.hackernews.items_url.",
        )
    return content


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One counting request a query; Algolia tells how many hits there are."""
    progress = Progress.of(cursor, source=NAME)
    planned = []
    with _open(settings, context) as http:
        for query in _queries(settings, context):
            walk = progress.walk(window_key(query, context.since, context.until))
            filters = [f"created_at_i>={_floor(settings, context, walk)}"]
            if context.until is not None:
                filters.append(f"created_at_i<{seconds(context.until)}")
            answer = http.get(
                f"{settings.base_url}/api/v1/search_by_date",
                {
                    "query": f'"{query}"',
                    "advancedSyntax": "true",
                    "typoTolerance": "false",
                    "tags": "(story,comment)",
                    "numericFilters": ",".join(filters),
                    "hitsPerPage": 0,
                },
                parse=_parse_hits,
            )
            http.settle(answer)
            hits = int(answer.content.get("nbHits", 0))
            requests = hits // settings.page_size + 2
            planned.append(
                Planned(
                    query,
                    requests,
                    {"hits": hits},
                    minutes=requests * settings.pace_s / 60,
                    basis="counted by Algolia",
                )
            )
    pending = progress.extra.get("pending", {})
    due_before = context.clock.now().timestamp() - settings.refresh_after_hours * 3600
    due = sum(1 for position in pending.values() if position <= due_before)
    items = min(due, settings.refresh_items)
    if items:
        planned.append(
            Planned("items", items, minutes=items * settings.pace_s / 60, basis="one each")
        )
    return planned


def probe(settings: Settings, context: Context) -> Probe:
    """Ask for no hits at all."""
    try:
        _queries(settings, context)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    with _open(settings, context) as http:
        try:
            answer = http.get(f"{settings.base_url}/api/v1/search_by_date", {"hitsPerPage": 0})
            http.settle(answer)
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=str(error))
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)
