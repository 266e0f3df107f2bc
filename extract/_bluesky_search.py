"""Bluesky's search: a login whose tokens are renewed, and the listing of one term."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from extract._jetstream import COLLECTION, POSTS, remember
from extract._kept import Kept
from extract._live import latest_second
from extract._outcomes import Answer, FixError, RetryError, parse_json
from extract._state import Batch, Progress, Walk, and_what_came_since, walk_listing, window_key
from extract.base import Context, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http
    from extract.bluesky import Settings

NAME = "bluesky"
_SEARCH = "/xrpc/app.bsky.feed.searchPosts"
_LOGIN = "/xrpc/com.atproto.server.createSession"
_RENEW = "/xrpc/com.atproto.server.refreshSession"
_POST_URI = re.compile(rf"at://(did:[^/\s]+)/{re.escape(COLLECTION)}/([^/\s]+)")
_RENEWED_BEFORE = timedelta(minutes=2)


@dataclass(slots=True)
class Session:
    """A login. Tokens are asked for when they are needed, renewed before they expire, and kept in
    memory only."""

    http: Http
    base_url: str
    login: tuple[str, str]
    context: Context
    access: str = ""
    renewal: str = ""
    expires_at: datetime | None = None

    def get(self, params: Mapping[str, str | int], parse: Callable[[Answer], Any]) -> Answer:
        """Search with a token that holds."""
        if not self.access:
            self._begin()
        elif self.expires_at and self.context.clock.now() >= self.expires_at - _RENEWED_BEFORE:
            self._renew()
        try:
            return self._ask(params, parse)
        except FixError as error:
            if error.status != 400 or "expired" not in error.message.lower():
                raise
        self._renew()
        return self._ask(params, parse)

    def _ask(self, params: Mapping[str, str | int], parse: Callable[[Answer], Any]) -> Answer:
        headers = {"authorization": f"Bearer {self.access}"}
        answer = self.http.get(f"{self.base_url}{_SEARCH}", params, headers=headers, parse=parse)
        self.http.settle(answer)
        return answer

    def _begin(self) -> None:
        body = json.dumps({"identifier": self.login[0], "password": self.login[1]}).encode()
        self._take(_LOGIN, {"content-type": "application/json"}, body)

    def _renew(self) -> None:
        try:
            self._take(_RENEW, {"authorization": f"Bearer {self.renewal}"}, None)
        except FixError:
            self._begin()

    def _take(self, route: str, headers: Mapping[str, str], body: bytes | None) -> None:
        answer = self.http.send(
            "POST", f"{self.base_url}{route}", headers=headers, body=body, parse=_parse_session
        )
        self.http.settle(answer)
        self.access, self.renewal = answer.content["accessJwt"], answer.content["refreshJwt"]
        self.http.keep_secret(self.access)
        self.http.keep_secret(self.renewal)
        self.expires_at = _expiry(self.access)


def _parse_session(answer: Answer) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    tokens = ("accessJwt", "refreshJwt")
    if not isinstance(content, dict) or not all(
        isinstance(content.get(name), str) and content[name] for name in tokens
    ):
        raise RetryError(
            f"{NAME}: the answer to the login holds no tokens.",
            "Run again; if it stays, check sources.bluesky.base_url.",
        )
    return content


def _expiry(token: str) -> datetime | None:
    """When a token says that it ends; None if it cannot be read."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, KeyError, ValueError, TypeError, OverflowError, OSError):
        return None


def search_term(
    session: Session,
    settings: Settings,
    context: Context,
    progress: Progress,
    kept: Kept,
    term: str,
) -> Iterator[Page]:
    key = window_key(term, context.since, context.until)
    once = partial(_search_once, session, settings, context, progress, kept, term, key)
    yield from and_what_came_since(progress, key, once, is_backfill=key != term)


def _search_once(
    session: Session,
    settings: Settings,
    context: Context,
    progress: Progress,
    kept: Kept,
    term: str,
    key: str,
) -> Iterator[Page]:
    walk = progress.walk(key)
    # Fixed for the walk, also for the run that takes it up again after a stop.
    bounds = dict((walk.resume or {}).get("bounds") or bounds_of(settings, context, walk))
    for batch in walk_listing(
        walk,
        progress.seen,
        partial(_fetch, session, settings, term, bounds),
        latest=latest_second(context),
        max_pages=settings.max_pages,
        what=f"{NAME} {term!r}",
    ):
        if batch.reached and key != term:
            del progress.walks[key]
        for record in batch.records:
            remember(kept, record.record_id)
        kept.save()
        yield progress.page(batch)


def bounds_of(settings: Settings, context: Context, walk: Walk) -> dict[str, str]:
    """The window of a walk, as the platform reads it."""
    if context.since is not None or context.until is not None:
        window = {"since": context.since, "until": context.until}
        return {name: _instant(value) for name, value in window.items() if value is not None}
    if walk.done is None:
        return {"since": _instant(context.clock.now() - timedelta(days=settings.search_first_days))}
    overlap = timedelta(hours=settings.search_overlap_hours)
    return {"since": _instant(datetime.fromtimestamp(walk.done, UTC) - overlap)}


def _instant(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.000Z}"


def query_of(term: str) -> str:
    """A term in the syntax of search: exact, whatever it holds; signs stay in front."""
    text = " ".join(term.replace('"', " ").split())
    return text if text[:1] == "#" and " " not in text else f'"{text}"'


def _fetch(
    session: Session,
    settings: Settings,
    term: str,
    bounds: Mapping[str, str],
    resume: Json | None,
) -> Batch:
    place = resume or {}
    params: dict[str, str | int] = {
        "q": query_of(term),
        "sort": "latest",
        "limit": settings.search_page_size,
        **bounds,
    }
    if place.get("cursor"):
        params["cursor"] = str(place["cursor"])
    try:
        answer = session.get(params, parse_posts)
    except FixError as error:
        # A cursor that is too old: the walk begins anew, repeats are dropped.
        if error.status == 400 and place.get("cursor"):
            return _fetch(session, settings, term, bounds, None)
        raise
    records: list[Record] = []
    positions: dict[str, int] = {}
    rejects: list[Reject] = []
    for post in answer.content["posts"]:
        problem = _problem(post)
        if problem:
            rejects.append(Reject(POSTS, repr(post), problem, term))
            continue
        positions[post["uri"]] = _second(post)
        records.append(Record(POSTS, post["uri"], post, answer.fetched_at))
    following = answer.content.get("cursor")
    if isinstance(following, str) and following and answer.content["posts"]:
        onward = {"cursor": following, "bounds": dict(bounds)}
        return Batch(records, positions, onward, False, rejects)
    return Batch(records, positions, None, True, rejects)


def parse_posts(answer: Answer) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    if not isinstance(content, dict) or not isinstance(content.get("posts"), list):
        raise RetryError(
            f"{NAME}: the answer holds no list of posts.",
            "Run again; if it stays, check sources.bluesky.base_url.",
        )
    return content


def _problem(post: Any) -> str:  # noqa: ANN401 - as received
    if not isinstance(post, dict):
        return "a post is no object"
    if not isinstance(post.get("uri"), str) or not _POST_URI.fullmatch(post["uri"]):
        return "uri is not that of a post"
    if not isinstance(post.get("record"), dict):
        return "record is no object"
    if _parsed(post.get("indexedAt")) is None:
        return "indexedAt is no instant"
    return ""


def _second(post: Json) -> int:
    """The second that search sorts by: when it was received, or made if that was earlier."""
    indexed, created = _parsed(post["indexedAt"]), _parsed(post["record"].get("createdAt"))
    assert indexed is not None
    return int(min(indexed, created or indexed).timestamp())


def _parsed(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
