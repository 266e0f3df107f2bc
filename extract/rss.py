"""RSS and Atom feeds: conditional GET, one fetch per feed and interval, hostile feeds refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from extract._feeds import Feed, entry_id, parse_feed
from extract._live import AnyUrl, LiveSettings, Planned, Probe, open_http
from extract._outcomes import Answer, FixError
from extract._patience import Patience
from extract._state import Progress, Seen, one_after_the_other
from extract.base import Context, Cursor, ExtractError, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http

NAME = "rss"
STREAMS: tuple[tuple[str, str], ...] = (("rss", "entries"),)
IS_SIMULATED = False
CREDENTIALS: tuple[str, ...] = ()

ENTRIES = "rss/entries"
_BODY_BYTES = 8 * 1024 * 1024
_SEEN_BEYOND_FEED = 50
_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.1"

FeedName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]


class FeedSettings(BaseModel):
    """One feed: its address and why it is worth reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: AnyUrl
    why: str = ""


class Settings(LiveSettings):
    """`[sources.rss]`. A feed is fetched at most once in `interval_minutes`. `base_url` sends every
    feed through another origin (a proxy): the feed's own address follows as the path."""

    base_url: AnyUrl | None = None
    feeds: dict[FeedName, FeedSettings] = Field(default_factory=dict)
    interval_minutes: Annotated[int, Field(ge=0, le=100_000)] = 30
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 1.0


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield one page a feed that has something new; a feed that fails does not stop the others."""
    _need_feeds(settings)
    progress = Progress.of(cursor, source=NAME)
    states: Json = {
        name: state
        for name, state in progress.extra.get("feeds", {}).items()
        if name in settings.feeds
    }
    progress.extra["feeds"] = states
    with _open(settings, context) as http:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (name, partial(_pull_feed, http, settings, context, progress, name))
            for name in settings.feeds
        ]
        yield from one_after_the_other(parts, source=NAME)


def _need_feeds(settings: Settings) -> None:
    if not settings.feeds:
        raise FixError(
            f"{NAME}: no feed is set.",
            'Add [sources.rss.feeds] with lines such as name = { url = "https://…" }.',
        )


def _open(settings: Settings, context: Context) -> Http:
    allowed = [address(settings, feed.url) for feed in settings.feeds.values()]
    patience = Patience(
        wait_s=settings.max_wait_s, body_bytes=_BODY_BYTES, read_s=20.0, total_s=60.0
    )
    return open_http(settings, context, source=NAME, allowed=allowed, patience=patience)


def address(settings: Settings, url: str) -> str:
    """Where a feed is fetched from."""
    return f"{settings.base_url}/{url}" if settings.base_url else url


def _pull_feed(
    http: Http, settings: Settings, context: Context, progress: Progress, name: str
) -> Iterator[Page]:
    url = settings.feeds[name].url
    is_backfill = context.since is not None or context.until is not None
    known = progress.extra["feeds"].get(name, {})
    state: Json = dict(known) if known.get("url") == url else {}
    if not is_backfill and _is_early(settings, context, state):
        return
    answer = http.get(
        address(settings, url),
        headers={"Accept": _ACCEPT} | ({} if is_backfill else _conditions(state)),
        parse=parse_feed,
    )
    http.settle(answer)
    now = context.clock.now().isoformat(timespec="seconds")
    new_state: Json = {**state, "url": url, "fetched_at": now}
    if answer.status == 304:
        if not is_backfill:
            progress.extra["feeds"][name] = new_state
            yield Page([], progress.cursor())
        return
    feed: Feed = answer.content
    seen = Seen(state.get("seen"), limit=len(feed.entries) + _SEEN_BEYOND_FEED)
    records = []
    for record in _records(feed, name, url, answer):
        if _is_wanted(record, context) and seen.is_new(record):
            records.append(record)
    rejects, notes = [], [f"{NAME} {name}: {note}" for note in [*feed.notes, *_moved(answer)]]
    if feed.problem:
        shown = answer.body[:2000].decode("utf-8", "replace")
        reason = f"{feed.problem}; {len(feed.entries)} entries could be read"
        rejects.append(Reject(ENTRIES, shown, reason, name))
        notes.append(f"{NAME} {name}: {reason}")
    if is_backfill:
        # What lies outside the window is still to come, so the feed counts as not fetched.
        new_state = {**state, "url": url}
    else:
        # A feed that was cut off is fetched again even if it does not change.
        validators = {} if feed.is_cut_off else answer.headers
        new_state["etag"] = validators.get("etag")
        new_state["last_modified"] = validators.get("last-modified")
    progress.extra["feeds"][name] = {**new_state, "seen": seen.state()}
    yield Page(records, progress.cursor(), rejects, notes)


def _is_early(settings: Settings, context: Context, state: Json) -> bool:
    """Whether the feed was fetched less than an interval ago (never, by a clock set back)."""
    try:
        last = datetime.fromisoformat(state["fetched_at"])
    except (KeyError, TypeError, ValueError):
        return False
    age = context.clock.now() - last
    return timedelta(0) <= age < timedelta(minutes=settings.interval_minutes)


def _conditions(state: Json) -> dict[str, str]:
    """Headers that let the server answer "not modified"."""
    found = {
        "If-None-Match": state.get("etag"),
        "If-Modified-Since": state.get("last_modified"),
    }
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and value.isprintable() and value.isascii()
    }


def _records(feed: Feed, name: str, url: str, answer: Answer) -> Iterator[Record]:
    about = {
        "name": name,
        "url": url,
        "title": feed.title or None,
        "link": feed.link or None,
        "language": feed.language or None,
    }
    for entry in feed.entries:
        payload = {"feed": about, "entry": entry}
        yield Record(ENTRIES, f"{name}|{entry_id(entry)}", payload, answer.fetched_at)


def _is_wanted(record: Record, context: Context) -> bool:
    """Whether an entry lies in the window of a backfill; one without a date always does."""
    entry = record.payload["entry"]
    text = entry["published_at"] or entry["updated_at"]
    if text is None:
        return True
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return not (
        (context.since is not None and instant < context.since)
        or (context.until is not None and instant >= context.until)
    )


def _moved(answer: Answer) -> list[str]:
    return [f"it has moved to {answer.url}: update its url"] if answer.hops else []


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One request a feed that is due; nothing is asked."""
    _need_feeds(settings)
    states = Progress.of(cursor, source=NAME).extra.get("feeds", {})
    due = [
        name for name in settings.feeds if not _is_early(settings, context, states.get(name, {}))
    ]
    minutes = len(due) * max(settings.pace_s, 1.0) / 60
    return [Planned(f"{len(due)} feeds", len(due), minutes=minutes, basis="one each")]


def probe(settings: Settings, context: Context) -> Probe:
    """Fetch the first feed, without its conditions."""
    try:
        _need_feeds(settings)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    name, feed = next(iter(settings.feeds.items()))
    with _open(settings, context) as http:
        try:
            http.settle(http.get(address(settings, feed.url), parse=_anything))
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=f"{name}: {error}")
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)


def _anything(answer: Answer) -> Any:  # noqa: ANN401
    return len(answer.body)
