"""Reddit: listings through praw with keys; public feeds, best effort, without.

A listing ends near 1,000 items and gives no way to ask for a time, so it is read from its newest
item down to where the last pull began, less an overlap. `before` is not used: it goes stale when
its anchor is deleted. New keys need Reddit's approval since November 2025; the feeds show about 25
entries and no scores, and stand one request a minute.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

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
from extract._queries import catalogue_terms, either
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
    import praw

    from extract._bridge import Bridge
    from extract._http import Http

NAME = "reddit"
STREAMS: tuple[tuple[str, str], ...] = (
    ("reddit", "submissions"),
    ("reddit", "comments"),
    ("reddit", "feed_entries"),
)
IS_SIMULATED = False
CLIENT_ID = "SOCIAL_SIGNALS_REDDIT_CLIENT_ID"
CLIENT_SECRET = "SOCIAL_SIGNALS_REDDIT_CLIENT_SECRET"  # noqa: S105 - the name of a variable
CREDENTIALS: tuple[str, ...] = (CLIENT_ID, CLIENT_SECRET)

SUBMISSIONS, COMMENTS, FEED_ENTRIES = "reddit/submissions", "reddit/comments", "reddit/feed_entries"
_STREAM_OF = {"t3": SUBMISSIONS, "t1": COMMENTS}
_LISTING_END = 900
"""A listing that ends after fewer items than this has ended by itself."""
_QUERY_LENGTH = 512

SubredditName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{2,50}$")]


class Settings(LiveSettings):
    """`[sources.reddit]`: `subreddits` are read with their comments (`comments = false` leaves
    them out), `queries` are searched everywhere; without both, the keywords of the catalogue are
    searched. With both keys in the environment listings are read, else public feeds.

    `overlap_hours` is how far each pull reads again, for scores and late items; `feed_pace_s` is
    the least time between two requests for feeds.
    """

    base_url: OwnUrl = "https://www.reddit.com"
    oauth_url: OwnUrl = "https://oauth.reddit.com"
    subreddits: tuple[SubredditName, ...] = ()
    queries: tuple[str, ...] = ()
    comments: bool = True
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24
    page_size: Annotated[int, Field(ge=1, le=100)] = 100
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 0.7
    feed_pace_s: Annotated[float, Field(ge=0, le=3600)] = 60.0


@dataclass(frozen=True, slots=True)
class _Listing:
    """One listing: its key in the cursor, its path for the API and for feeds, what it holds."""

    key: str
    path: str
    feed_path: str
    kind: str = "t3"
    parameters: tuple[tuple[str, str], ...] = ()


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield what is new or changed since the cursor, listing by listing."""
    listings = _listings(settings, context)
    has_keys = _has_keys(context)
    progress = Progress.of(cursor, source=NAME)
    prefix = "" if has_keys else "feed "
    keys = [window_key(prefix + listing.key, context.since, context.until) for listing in listings]
    usual = [start + listing.key for listing in listings for start in ("", "feed ")]
    progress.keep_only([*usual, *keys])
    connect = _with_keys if has_keys else _with_feeds
    with connect(settings, context) as reader:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (listing.key, partial(_read, reader, settings, context, progress, listing, key))
            for listing, key in zip(listings, keys, strict=True)
        ]
        yield from one_after_the_other(parts, source=NAME)


def _has_keys(context: Context) -> bool:
    """Whether both keys are there.

    Raises:
        FixError: only one is.
    """
    given = [name for name in CREDENTIALS if context.environment.get(name, "").strip()]
    if len(given) == 1:
        missing = next(name for name in CREDENTIALS if name not in given)
        raise FixError(
            f"{NAME}: {given[0]} is set, {missing} is not.",
            "Set both, or neither to read public feeds.",
            is_credential=True,
        )
    return bool(given)


def _listings(settings: Settings, context: Context) -> list[_Listing]:
    found = []
    for name in dict.fromkeys(settings.subreddits):
        found.append(_Listing(f"r/{name}", f"r/{name}/new", f"r/{name}/new/.rss"))
        if settings.comments:
            path = f"r/{name}/comments"
            found.append(_Listing(path, path, f"{path}/.rss", "t1"))
    queries = list(dict.fromkeys(settings.queries))
    if not found and not queries:
        terms = catalogue_terms(context.catalogue, ("keyword",))
        queries = either(terms, suffix="", limit=_QUERY_LENGTH, source=NAME)
    for query in queries:
        parameters = (("q", query), ("sort", "new"), ("t", "all"), ("type", "link"))
        found.append(_Listing(f"search {query}", "search", "search.rss", "t3", parameters))
    if not found:
        raise FixError(
            f"{NAME}: there is nothing to read.",
            "Set sources.reddit.subreddits or queries, or add keywords to terms.csv.",
        )
    return found


def _floor(settings: Settings, context: Context, walk: Walk) -> int | None:
    """The second down to which a walk reads; None for all that there is."""
    if context.since is not None:
        return seconds(context.since)
    return None if walk.done is None else walk.done - settings.overlap_hours * 3600


def _read(
    reader: _Keys | _Feeds,
    settings: Settings,
    context: Context,
    progress: Progress,
    listing: _Listing,
    key: str,
) -> Iterator[Page]:
    is_backfill = context.since is not None or context.until is not None
    walk_once = partial(_read_once, reader, settings, context, progress, listing, key)
    yield from and_what_came_since(progress, key, walk_once, is_backfill=is_backfill)


def _read_once(
    reader: _Keys | _Feeds,
    settings: Settings,
    context: Context,
    progress: Progress,
    listing: _Listing,
    key: str,
) -> Iterator[Page]:
    walk = progress.walk(key)
    floor = (walk.resume or {}).get("floor", _floor(settings, context, walk))
    is_backfill = context.since is not None or context.until is not None
    for batch in walk_listing(
        walk,
        progress.seen,
        partial(reader.fetch, listing, floor, walk.done),
        latest=latest_second(context),
        max_pages=settings.max_pages,
        what=f"{NAME} {listing.key[:60]}",
    ):
        page = progress.page(batch)
        if is_backfill:
            kept = [r for r in batch.records if _is_inside(batch.positions[r.record_id], context)]
            if batch.reached:
                del progress.walks[key]
            page = Page(kept, progress.cursor(), page.rejects, page.notes)
        yield page


def _is_inside(position: int, context: Context) -> bool:
    return not (
        (context.since is not None and position < context.since.timestamp())
        or (context.until is not None and position >= context.until.timestamp())
    )


@dataclass(slots=True)
class _Keys:
    """Listings through praw."""

    settings: Settings
    reddit: praw.Reddit
    bridge: Bridge
    http: Http

    def fetch(
        self, listing: _Listing, floor: int | None, done: int | None, resume: Json | None
    ) -> Batch:
        place = resume or {}
        after, count = place.get("after"), int(place.get("count", 0))
        parameters: dict[str, str | int] = dict(listing.parameters)
        parameters["limit"] = self.settings.page_size
        if after:
            parameters |= {"after": after, "count": count}
        self.bridge.parse = partial(_parse, kind=listing.kind)
        answer = self._get(listing.path, parameters)
        children = answer.content["data"]["children"]
        if after and not children and not place.get("again"):
            # The anchor was deleted: from the top once more, repeats are dropped.
            batch = self.fetch(listing, floor, done, None)
            if batch.resume is not None:
                batch.resume["again"] = True
            return batch
        records: list[Record] = []
        positions: dict[str, int] = {}
        rejects: list[Reject] = []
        for child in children:
            problem = _problem(child)
            if problem:
                rejects.append(Reject(SUBMISSIONS, repr(child), problem, listing.key))
                continue
            data = child["data"]
            stream, name = _STREAM_OF[child["kind"]], data["name"]
            positions[name] = int(data["created_utc"])
            records.append(Record(stream, name, child, answer.fetched_at))
        count += len(children)
        following = answer.content["data"].get("after")
        # All of a page, not its last item: pages may come in another order.
        reached = bool(floor is not None and positions and max(positions.values()) < floor)
        notes: list[str] = []
        if not following and not reached and count >= _LISTING_END and done is not None:
            notes = _gap(listing, positions, done)
        if reached or not isinstance(following, str) or not following:
            return Batch(records, positions, None, True, rejects, notes)
        state: Json = {"after": following, "count": count, "floor": floor}
        if place.get("again"):
            state["again"] = True
        return Batch(records, positions, state, False, rejects, notes)

    def _get(self, path: str, parameters: dict[str, str | int]) -> Answer:
        from prawcore.exceptions import OAuthException, PrawcoreException, RequestException

        try:
            self.reddit.request(method="GET", path=path, params=parameters)
        except RequestException as error:
            if isinstance(error.original_exception, ExtractError):
                raise error.original_exception from error
            raise RetryError(f"{NAME}: {error.original_exception}.") from error
        except OAuthException as error:
            raise FixError(
                f"{NAME}: the credentials are not accepted ({self.http.redact(str(error))}).",
                f"Check {' and '.join(CREDENTIALS)} in the environment or .env.",
                is_credential=True,
            ) from error
        except PrawcoreException as error:
            raise RetryError(f"{NAME}: {self.http.redact(str(error))}.") from error
        answer = self.bridge.answer
        assert answer is not None
        self.http.settle(answer)
        return answer


def _problem(child: Any) -> str:  # noqa: ANN401 - as received
    if not isinstance(child, dict) or not isinstance(child.get("data"), dict):
        return "a child of a listing is no object with data"
    if child.get("kind") not in _STREAM_OF:
        return f"a listing holds the kind {child.get('kind')!r}"
    data = child["data"]
    if not isinstance(data.get("name"), str) or not data["name"].strip():
        return "it has no name"
    created = data.get("created_utc")
    if not isinstance(created, int | float) or isinstance(created, bool) or created < 0:
        return "created_utc is no number of seconds"
    return ""


def _gap(listing: _Listing, positions: dict[str, int], done: int) -> list[str]:
    oldest = min(positions.values(), default=done)
    if oldest <= done:
        return []
    first, last = (f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in (done, oldest))
    said = f"{NAME} {listing.key[:60]}: the listing ends before what was read last time; what was "
    return [said + f"published between {first} and {last} (UTC) is lost. Pull more often."]


def _parse(answer: Answer, *, kind: str) -> Any:  # noqa: ANN401 - as received
    """A listing of things of this kind, or the answer to a request for a token."""
    content = parse_json(answer)
    if answer.url.partition("?")[0].endswith("/access_token"):
        return content
    data = content.get("data") if isinstance(content, dict) else None
    if not isinstance(data, dict) or not isinstance(data.get("children"), list):
        raise RetryError(
            f"{NAME}: the answer is no listing.",
            "Run again; if it stays, check sources.reddit.oauth_url.",
        )
    kinds = {child.get("kind") for child in data["children"] if isinstance(child, dict)}
    if kinds and kind not in kinds and kinds <= set(_STREAM_OF):
        raise RetryError(
            f"{NAME}: the listing is not the one asked for.",
            "Run again; if it stays, a cache before the platform ignores the address.",
        )
    return content


@contextmanager
def _with_keys(settings: Settings, context: Context) -> Iterator[_Keys]:
    import praw

    from extract._bridge import Bridge, bridged_session

    client_id, secret = (context.environment[name].strip() for name in CREDENTIALS)
    sent = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    with open_http(
        settings,
        context,
        source=NAME,
        allowed=[settings.base_url, settings.oauth_url],
        secrets=[secret, sent],
        credentials=CREDENTIALS,
    ) as http:
        bridge = Bridge(http, {})
        reddit = praw.Reddit(
            client_id=client_id,
            client_secret=secret,
            user_agent=http.user_agent,
            reddit_url=settings.base_url,
            oauth_url=settings.oauth_url,
            requestor_kwargs={"session": bridged_session(bridge)},
            check_for_updates=False,
            check_for_async=False,
        )
        yield _Keys(settings, reddit, bridge, http)


@dataclass(slots=True)
class _Feeds:
    """Public feeds."""

    settings: Settings
    http: Http

    def fetch(
        self, listing: _Listing, floor: int | None, done: int | None, resume: Json | None
    ) -> Batch:
        from extract._feeds import Feed, parse_feed

        del floor, resume
        parameters = {**dict(listing.parameters), "limit": "100"}
        url = (
            f"{self.settings.base_url}/{listing.feed_path}?{urlencode(parameters, quote_via=quote)}"
        )
        answer = self.http.get(url, parse=parse_feed)
        self.http.settle(answer)
        feed: Feed = answer.content
        records: list[Record] = []
        positions: dict[str, int] = {}
        rejects: list[Reject] = []
        for entry in feed.entries:
            entry_id = str(entry.get("id") or "")
            instant = entry["published_at"] or entry["updated_at"]
            if entry_id[:3] not in ("t1_", "t3_") or instant is None:
                rejects.append(
                    Reject(FEED_ENTRIES, repr(entry), "it has no id or no date", listing.key)
                )
                continue
            payload = {"feed": {"listing": listing.key, "title": feed.title}, "entry": entry}
            at = datetime.fromisoformat(instant.replace("Z", "+00:00"))
            positions[entry_id] = int(at.timestamp())
            records.append(Record(FEED_ENTRIES, entry_id, payload, answer.fetched_at))
        notes = [f"{NAME} {listing.key}: {note}" for note in feed.notes]
        if feed.problem:
            reason = f"{feed.problem}; {len(feed.entries)} entries could be read"
            shown = answer.body[:2000].decode("utf-8", "replace")
            rejects.append(Reject(FEED_ENTRIES, shown, reason, listing.key))
        if done is not None and len(positions) >= 20:
            notes += _gap(listing, positions, done)
        return Batch(records, positions, None, True, rejects, notes)


@contextmanager
def _with_feeds(settings: Settings, context: Context) -> Iterator[_Feeds]:
    paced = settings.model_copy(update={"pace_s": max(settings.pace_s, settings.feed_pace_s)})
    with open_http(
        paced, context, source=NAME, allowed=[settings.base_url], credentials=CREDENTIALS
    ) as http:
        yield _Feeds(settings, http)


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """At most ten pages a listing, or one feed; Reddit offers no counts and nothing is asked."""
    progress = Progress.of(cursor, source=NAME)
    planned = []
    has_keys = _has_keys(context)
    for listing in _listings(settings, context):
        if not has_keys:
            pace = max(settings.pace_s, settings.feed_pace_s)
            planned.append(Planned(listing.key, 1, minutes=pace / 60, basis="one feed each"))
            continue
        is_first = progress.walk(listing.key).done is None
        requests = -(-1_000 // settings.page_size) if is_first else 3
        basis = "a whole listing of 1,000" if is_first else "a guess: Reddit offers no counts"
        minutes = requests * max(settings.pace_s, 0.5) / 60
        planned.append(Planned(listing.key, requests, minutes=minutes, basis=basis))
    return planned


def probe(settings: Settings, context: Context) -> Probe:
    """One page of the first listing, or its feed."""
    try:
        listing = _listings(settings, context)[0]
        has_keys = _has_keys(context)
    except FixError as error:
        missing = tuple(name for name in CREDENTIALS if not context.environment.get(name))
        return Probe(is_configured=False, missing=missing, message=str(error))
    connect = _with_keys if has_keys else _with_feeds
    message = "" if has_keys else f"{' and '.join(CREDENTIALS)} are not set: public feeds are read."
    try:
        with connect(settings, context) as reader:
            reader.fetch(listing, None, None, None)
    except FixError as error:
        is_refused = error.is_credential or error.status in (401, 403)
        return Probe(
            is_configured=True,
            is_reachable=error.status != 0 or error.is_credential,
            is_authorised=False if is_refused else None,
            message=str(error),
        )
    except ExtractError as error:
        return Probe(is_configured=True, is_reachable=False, message=str(error))
    return Probe(is_configured=True, is_reachable=True, is_authorised=True, message=message)
