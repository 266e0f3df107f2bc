"""Bluesky: the stream of every public event (Jetstream), kept as far as it concerns the catalogue,
and, with a login, search.

The stream needs no account, brings deletions, and reaches back 36 hours. Search reaches further and
tells likes, reposts, replies and quotes. Both give the same at-uri for the same post, so they meet
in staging; either can be switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from extract._bluesky_search import Session, bounds_of, parse_posts, query_of, search_term
from extract._jetstream import (
    COLLECTION,
    MESSAGE_BYTES,
    WALK,
    Stream,
    hidden,
    uri_of,
)
from extract._kept import Kept
from extract._live import (
    DurationText,
    LiveSettings,
    OwnUrl,
    Planned,
    Probe,
    StreamUrl,
    duration_of,
    open_http,
)
from extract._mentions import mentions_of
from extract._outcomes import FixError, RetryError
from extract._patience import Patience
from extract._queries import catalogue_terms
from extract._state import (
    Progress,
    one_after_the_other,
    window_key,
)
from extract.base import (
    Context,
    Cursor,
    Deletion,
    ExtractError,
    Json,
    Page,
    ReadDeletion,
)

if TYPE_CHECKING:
    from extract._http import Http

NAME = "bluesky"
STREAMS: tuple[tuple[str, str], ...] = (
    ("bluesky", "posts"),
    ("bluesky", "deletions"),
    ("bluesky", "accounts"),
)
POSTS_STREAM = "posts"
IS_SIMULATED = False
HANDLE = "SOCIAL_SIGNALS_BLUESKY_HANDLE"
PASSWORD = "SOCIAL_SIGNALS_BLUESKY_APP_PASSWORD"  # noqa: S105 - the variable's name
CREDENTIALS: tuple[str, ...] = (HANDLE, PASSWORD)

_VOLATILE = ("viewer", "threadgate", "debug")
"""Differs by who asks, though the post is the same."""
_EVENTS_A_SECOND = 50
_EVENT_BYTES = 700
_READ_A_SECOND = 10_000
_PROBE_TICKS = 200


class Settings(LiveSettings):
    """`[sources.bluesky]`. Without `queries` every term of the catalogue is kept and searched.

    `stream` and `search` switch the two roads; search needs a login. `first_hours` is how far back
    the first pull of the stream goes, `overlap_seconds` what a connection reads again,
    `retention_hours` how far back the servers reach, `duration` how long to listen (such as `10m`;
    without it until caught up), `page_size` the events read between two pages, and `max_pages`
    bounds both roads. `search_first_days` is how far back the first search goes,
    `search_overlap_hours` how far each search reads again, for new counts.
    """

    stream: bool = True
    search: bool = True
    jetstream_urls: Annotated[tuple[StreamUrl, ...], Field(min_length=1)] = (
        "wss://jetstream2.us-east.bsky.network",
        "wss://jetstream1.us-east.bsky.network",
        "wss://jetstream2.us-west.bsky.network",
        "wss://jetstream1.us-west.bsky.network",
    )
    base_url: OwnUrl = "https://bsky.social"
    queries: tuple[str, ...] = ()
    duration: DurationText | None = None
    first_hours: Annotated[float, Field(ge=0, le=8760)] = 1.0
    overlap_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    retention_hours: Annotated[float, Field(gt=0)] = 36.0
    idle_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    page_size: Annotated[int, Field(ge=1, le=100_000)] = 5_000
    search_page_size: Annotated[int, Field(ge=1, le=100)] = 100
    search_first_days: Annotated[int, Field(ge=1, le=10_000)] = 7
    search_overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 0.2


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield what the stream brought since the cursor, then what search finds; with a window to fill
    in, only the latter.

    Raises:
        FixError: a login is needed, or half of one is there; or there is nothing to look for.
    """
    terms = _terms(settings, context)
    login = _login(settings, context)
    is_backfill = context.since is not None or context.until is not None
    if is_backfill and login is None:
        raise FixError(
            f"{NAME}: a window of the past is read by search, which needs a login: without one "
            "Bluesky answers 403.",
            f"Set {HANDLE} and {PASSWORD} (an app password of bsky.app/settings), and "
            "sources.bluesky.search = true.",
            is_credential=True,
        )
    if login is None and not settings.stream:
        raise FixError(
            f"{NAME}: the stream is switched off, and search has no login or is off too.",
            f"Set sources.bluesky.stream = true, or {HANDLE} and {PASSWORD}.",
        )
    progress = Progress.of(cursor, source=NAME, without=_VOLATILE)
    keys = [window_key(term, context.since, context.until) for term in terms]
    progress.keep_only([WALK, *terms, *keys])
    kept = _memory(cursor, context)
    failure: RetryError | None = None
    try:
        if settings.stream and not is_backfill:
            try:
                yield from _stream(settings, context, progress, kept)
            except RetryError as error:
                # Search asks another host: what fails there need not fail here.
                failure = error
        if login is not None:
            yield from _searches(settings, context, progress, kept, login)
    finally:
        kept.close()
    if failure is not None:
        raise failure


def _terms(settings: Settings, context: Context) -> list[str]:
    terms = [term.strip() for term in settings.queries] or catalogue_terms(context.catalogue)
    terms = [term for term in dict.fromkeys(terms) if term]
    if not terms:
        raise FixError(
            f"{NAME}: there is nothing to look for.",
            "Add terms to terms.csv, or set sources.bluesky.queries.",
        )
    return terms


def _login(settings: Settings, context: Context) -> tuple[str, str] | None:
    """Handle and app password; None without, or where search is off."""
    found = [context.environment.get(name, "").strip() for name in CREDENTIALS]
    if not settings.search or not any(found):
        return None
    if not all(found):
        missing = CREDENTIALS[found.index("")]
        raise FixError(
            f"{NAME}: {missing} is not set, the other half of the login is.",
            "Set both in the environment or .env, or none: the stream needs no login.",
            is_credential=True,
        )
    return found[0].removeprefix("@"), found[1]


def _memory(cursor: Cursor, context: Context) -> Kept:
    """What was kept so far; filled again from what has landed when it was lost."""
    folder = None if context.state is None else context.state / NAME
    kept = Kept(folder, is_first=not cursor)
    if not kept.is_complete and context.landed is not None:
        landed = context.landed

        def keys() -> Iterator[str]:
            for record_id in landed(NAME, "posts"):
                yield record_id
                yield record_id.removeprefix("at://").partition("/")[0]
            for did in landed(NAME, "accounts"):
                yield hidden(did)

        kept.complete(keys())
    return kept


def _stream(settings: Settings, context: Context, progress: Progress, kept: Kept) -> Iterator[Page]:
    duration = context.duration
    if duration is None and settings.duration is not None:
        duration = duration_of(settings.duration)
    with _listening(settings, context) as http:
        yield from Stream(
            http=http,
            settings=settings,
            context=context,
            progress=progress,
            mentions=mentions_of(context.catalogue, settings.queries),
            kept=kept,
            duration=duration,
        ).pull()


def _listening(settings: Settings, context: Context) -> Http:
    return open_http(
        settings,
        context,
        source=NAME,
        allowed=["http" + url.removeprefix("ws") for url in settings.jetstream_urls],
        secrets=[value for name in CREDENTIALS[1:] if (value := context.environment.get(name, ""))],
        patience=Patience(wait_s=settings.max_wait_s, body_bytes=MESSAGE_BYTES),
    )


def _searches(
    settings: Settings,
    context: Context,
    progress: Progress,
    kept: Kept,
    login: tuple[str, str],
) -> Iterator[Page]:
    terms = _terms(settings, context)
    with _asking(settings, context, login) as http:
        session = Session(http, settings.base_url, login, context)
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (repr(term), partial(search_term, session, settings, context, progress, kept, term))
            for term in terms
        ]
        yield from one_after_the_other(parts, source=NAME)


def _asking(settings: Settings, context: Context, login: tuple[str, str]) -> Http:
    return open_http(
        settings,
        context,
        source=NAME,
        allowed=[settings.base_url],
        secrets=[login[1]],
        credentials=CREDENTIALS,
    )


def _deleted_at(event: Json) -> datetime | None:
    time_us = event.get("time_us")
    if not isinstance(time_us, int) or isinstance(time_us, bool):
        return None
    try:
        return datetime.fromtimestamp(time_us / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _post_deletion(event: Json) -> Deletion | None:
    """A post that its author deleted."""
    commit, did, instant = event.get("commit"), event.get("did"), _deleted_at(event)
    if not isinstance(commit, dict) or commit.get("operation") != "delete" or instant is None:
        return None
    return Deletion(uri_of(str(did), str(commit.get("rkey"))), str(did), instant)


def _account_deletion(event: Json) -> Deletion | None:
    """An account that is gone for good; one that is only hidden may come back, and SQL hides it."""
    account, did, instant = event.get("account"), event.get("did"), _deleted_at(event)
    if not isinstance(account, dict) or instant is None:
        return None
    if account.get("active") is not False or account.get("status") != "deleted":
        return None
    return Deletion(None, str(did), instant)


DELETIONS: dict[str, ReadDeletion] = {
    "deletions": _post_deletion,
    "accounts": _account_deletion,
}


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """The stream by the time since the last event; search by one counting request a term."""
    progress = Progress.of(cursor, source=NAME)
    is_backfill = context.since is not None or context.until is not None
    planned = []
    if settings.stream and not is_backfill:
        planned.append(_planned_stream(settings, context, progress))
    login = _login(settings, context)
    if login is None:
        if is_backfill:
            raise FixError(
                f"{NAME}: a window of the past is read by search, which needs a login.",
                f"Set {HANDLE} and {PASSWORD}.",
                is_credential=True,
            )
        return planned
    with _asking(settings, context, login) as http:
        session = Session(http, settings.base_url, login, context)
        for term in _terms(settings, context):
            walk = progress.walk(window_key(term, context.since, context.until))
            bounds = bounds_of(settings, context, walk)
            query: dict[str, str | int] = {"q": query_of(term), "limit": 1, **bounds}
            content = session.get(query, parse_posts).content
            hits = content.get("hitsTotal")
            known = isinstance(hits, int) and not isinstance(hits, bool) and hits >= 0
            posts = int(hits) if known else len(content["posts"])
            requests = posts // settings.search_page_size + 1
            basis = "counted by Bluesky, rounded" if known else "at least; it does not tell"
            minutes = requests * settings.pace_s / 60
            planned.append(Planned(term, requests, {"posts": posts}, minutes=minutes, basis=basis))
    return planned


def _planned_stream(settings: Settings, context: Context, progress: Progress) -> Planned:
    done = progress.walk(WALK).done
    now = context.clock.now().timestamp()
    behind = settings.first_hours * 3600 if done is None else max(0.0, now - done / 1_000_000)
    behind = min(behind, settings.retention_hours * 3600)
    duration = context.duration
    if duration is None and settings.duration is not None:
        duration = duration_of(settings.duration)
    minutes = behind * _EVENTS_A_SECOND / _READ_A_SECOND / 60
    if duration is not None:
        minutes = duration.total_seconds() / 60
        behind += duration.total_seconds()
    events = int(behind * _EVENTS_A_SECOND)
    megabytes = events * _EVENT_BYTES / 1e6
    return Planned(
        "stream",
        1,
        {"events": events},
        minutes=minutes,
        basis=f"about {_EVENTS_A_SECOND} posts a second, {megabytes:,.0f} MB to read; free",
    )


def probe(settings: Settings, context: Context) -> Probe:
    """Open the stream and wait for an event; log in where there is a login."""
    try:
        _terms(settings, context)
        login = _login(settings, context)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    message = ""
    try:
        if settings.stream:
            _probe_stream(settings, context)
        if login is not None:
            with _asking(settings, context, login) as http:
                Session(http, settings.base_url, login, context).get(
                    {"q": "bluesky", "limit": 1}, parse_posts
                )
        elif settings.search:
            message = f"Without {HANDLE} and {PASSWORD} only the stream is read; that is enough."
    except FixError as error:
        is_refused = error.is_credential or error.status in (401, 403)
        return Probe(
            is_configured=True,
            is_reachable=error.status != 0,
            is_authorised=False if is_refused else None,
            message=str(error),
        )
    except ExtractError as error:
        return Probe(is_configured=True, is_reachable=False, message=str(error))
    return Probe(is_configured=True, is_reachable=True, is_authorised=True, message=message)


def _probe_stream(settings: Settings, context: Context) -> None:
    from extract._websocket import connect

    with _listening(settings, context) as http:
        url = f"{settings.jetstream_urls[0]}/subscribe"
        with connect(http, url, [("wantedCollections", COLLECTION)]) as socket:
            for _ in range(_PROBE_TICKS):
                if socket.receive(0.05):
                    return
    raise RetryError(
        f"{NAME}: {url} is open, and no event came in {_PROBE_TICKS * 0.05:g} s.",
        "Name another host in sources.bluesky.jetstream_urls.",
    )
