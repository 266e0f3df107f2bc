"""Product Hunt: launches of topics and of the catalogue, and what their votes grow to.

The GraphQL API lists the launches of a topic, newest first, and knows one by its slug; it has no
search by name. What people think of a launch comes days later, so the first pull of a day reads the
last `refresh_days` again and lands every launch with its counts of that day, changed or not; later
pulls of the day read what is new. Nobody is asked for: neither makers nor voters nor comments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from extract._graphql import GraphAnswer, ask
from extract._live import (
    LiveSettings,
    OwnUrl,
    Planned,
    Probe,
    credential,
    latest_second,
    open_http,
)
from extract._outcomes import FixError, RetryError
from extract._queries import named_terms
from extract._state import (
    Batch,
    Progress,
    and_what_came_since,
    one_after_the_other,
    walk_listing,
    window_key,
)
from extract.base import Context, Cursor, ExtractError, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http

NAME = "producthunt"
STREAMS: tuple[tuple[str, str], ...] = (("producthunt", "posts"),)
IS_SIMULATED = False
TOKEN = "SOCIAL_SIGNALS_PRODUCTHUNT_TOKEN"  # noqa: S105 - the name of a variable
CREDENTIALS: tuple[str, ...] = (TOKEN,)

POSTS = "producthunt/posts"
_ATTEMPTS = 3
_FIELDS = """
id slug name tagline description createdAt featuredAt votesCount commentsCount reviewsRating
url website topics(first: 10) { edges { node { slug name } } }
"""
LISTING = f"""
query Launches($topic: String, $first: Int!, $after: String, $postedAfter: DateTime,
    $postedBefore: DateTime) {{
  posts(topic: $topic, order: NEWEST, first: $first, after: $after, postedAfter: $postedAfter,
      postedBefore: $postedBefore) {{
    pageInfo {{ hasNextPage endCursor }}
    edges {{ node {{ {_FIELDS} }} }}
  }}
}}
"""
LAUNCH = f"query Launch($slug: String!) {{ post(slug: $slug) {{ {_FIELDS} }} }}"
COUNT = """
query Count($topic: String, $postedAfter: DateTime, $postedBefore: DateTime) {
  posts(topic: $topic, first: 1, postedAfter: $postedAfter, postedBefore: $postedBefore) {
    totalCount
  }
}
"""


class Settings(LiveSettings):
    """`[sources.producthunt]`. Read are the launches of `topics` (slugs, such as `ai`) and those
    that the catalogue names (terms of kind `launch`). `first_days` is how far back the first pull
    goes, `refresh_days` for how long votes and comments are counted again every day."""

    base_url: OwnUrl = "https://api.producthunt.com"
    topics: tuple[Annotated[str, Field(pattern=r"^[a-z0-9-]{1,80}$")], ...] = ()
    first_days: Annotated[int, Field(ge=1, le=10_000)] = 30
    refresh_days: Annotated[int, Field(ge=0, le=365)] = 7
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = 24
    page_size: Annotated[int, Field(ge=1, le=50)] = 20
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 1.0


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield the launches of each topic, then those that the catalogue names."""
    slugs = _asked(settings, context)
    progress = Progress.of(cursor, source=NAME)
    is_backfill = context.since is not None or context.until is not None
    topics = list(dict.fromkeys(settings.topics))
    keys = [window_key(topic, context.since, context.until) for topic in topics]
    progress.keep_only([*topics, *keys])
    counted = progress.extra.get("counted", {})
    progress.extra["counted"] = {key: counted[key] for key in [*topics, *slugs] if key in counted}
    with _open(settings, context) as http:
        reader = _Reader(http, settings, context, progress, slugs)
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (f"topic {topic}", partial(reader.topic, topic, key))
            for topic, key in zip(topics, keys, strict=True)
        ]
        if not is_backfill:
            parts += [(slug, partial(reader.launch, slug)) for slug in slugs]
        yield from one_after_the_other(parts, source=NAME)


def _asked(settings: Settings, context: Context) -> list[str]:
    slugs = [slug.lower() for slug in named_terms(context.catalogue, "launch")]
    if not slugs and not settings.topics:
        raise FixError(
            f"{NAME}: there is no launch to read.",
            "Set sources.producthunt.topics, or add terms of kind launch (a slug) to terms.csv.",
        )
    return slugs


def _open(settings: Settings, context: Context) -> Http:
    token = credential(context, TOKEN, source=NAME)
    return open_http(
        settings,
        context,
        source=NAME,
        allowed=[settings.base_url],
        secrets=[token],
        credentials=CREDENTIALS,
    )


class _Reader:
    """One pull: where it stands and what it asks with."""

    def __init__(
        self,
        http: Http,
        settings: Settings,
        context: Context,
        progress: Progress,
        slugs: list[str],
    ) -> None:
        self.http = http
        self.settings = settings
        self.context = context
        self.progress = progress
        self.slugs = slugs
        self.is_backfill = context.since is not None or context.until is not None

    def ask(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        what: str,
        is_right: Callable[[Json], bool],
    ) -> GraphAnswer:
        """Ask until the answer is one to this question: a cache may repeat another one."""
        token = credential(self.context, TOKEN, source=NAME)
        for _ in range(_ATTEMPTS):
            found = ask(
                self.http,
                f"{self.settings.base_url}/v2/api/graphql",
                query=query,
                variables=variables,
                headers={"authorization": f"Bearer {token}"},
                what=what,
            )
            self.http.settle(found.answer)
            if is_right(found.data):
                return found
        raise RetryError(
            f"{NAME}: {what} is answered with something else.",
            "Run again; if it stays, check sources.producthunt.base_url and any cache before it.",
        )

    def topic(self, topic: str, key: str) -> Iterator[Page]:
        once = partial(self._topic_once, topic, key)
        yield from and_what_came_since(self.progress, key, once, is_backfill=self.is_backfill)

    def _topic_once(self, topic: str, key: str) -> Iterator[Page]:
        walk = self.progress.walk(key)
        today = self._today()
        # Fixed for the walk, also for the run that takes it up again after a stop.
        bounds: Json = dict((walk.resume or {}).get("bounds") or self._bounds(topic, walk.done))
        for batch in walk_listing(
            walk,
            self.progress.seen,
            partial(self._fetch, topic, bounds),
            latest=latest_second(self.context),
            max_pages=self.settings.max_pages,
            what=f"{NAME} topic {topic!r}",
        ):
            if batch.reached and self.is_backfill:
                del self.progress.walks[key]
            elif batch.reached and bounds["is_whole"]:
                self._mark_counted(topic, str(bounds.get("day", today)))
            yield self.progress.page(batch)

    def _bounds(self, topic: str, done: int | None) -> Json:
        """From when to when a walk reads; `is_whole` if it counts the day's votes of them all."""
        context, now = self.context, self.context.clock.now()
        if self.is_backfill:
            return {
                "after": _instant(context.since) if context.since else None,
                "before": _instant(context.until) if context.until else None,
                "is_whole": False,
            }
        if done is None:
            first = now - timedelta(days=self.settings.first_days)
        else:
            first = datetime.fromtimestamp(done, UTC)
            first -= timedelta(hours=self.settings.overlap_hours)
        is_whole = self.progress.extra["counted"].get(topic) != self._today()
        if is_whole:
            first = min(first, now - timedelta(days=self.settings.refresh_days))
        return {
            "after": _instant(first),
            "before": None,
            "is_whole": is_whole,
            "day": self._today(),
        }

    def _fetch(self, topic: str, bounds: Json, resume: Json | None) -> Batch:
        after = (resume or {}).get("after")

        def is_right(data: Json) -> bool:
            listed = data.get("posts")
            if not isinstance(listed, dict) or not isinstance(listed.get("edges"), list):
                return False
            if after is not None and _end_of(listed) == after:
                return False
            nodes = [edge["node"] for edge in listed["edges"] if _has_node(edge)]
            return not nodes or any(topic in _topics_of(node) for node in nodes)

        found = self.ask(
            LISTING,
            {
                "topic": topic,
                "first": self.settings.page_size,
                "after": after,
                "postedAfter": bounds["after"],
                "postedBefore": bounds["before"],
            },
            what=f"the list of topic {topic!r}",
            is_right=is_right,
        )
        listed = found.data["posts"]
        records: list[Record] = []
        rejects: list[Reject] = []
        positions: dict[str, int] = {}
        for edge in listed["edges"]:
            node = edge["node"] if _has_node(edge) else None
            read = self._record(node, found)
            if isinstance(read, Reject):
                rejects.append(read)
            else:
                records.append(read)
                positions[read.record_id] = _second(node) or 0
        end = _end_of(listed)
        following = None if end is None else {"after": end, "bounds": bounds}
        notes = [f"{NAME} topic {topic!r}: {note}" for note in found.notes]
        return Batch(records, positions, following, following is None, rejects, notes)

    def launch(self, slug: str) -> Iterator[Page]:
        """One launch of the catalogue, once a day."""
        if self.progress.extra["counted"].get(slug) == self._today():
            return
        others = {other for other in self.slugs if other != slug}

        def is_right(data: Json) -> bool:
            node = data.get("post", "")
            if node is None:
                return True
            return isinstance(node, dict) and str(node.get("slug", "")).lower() not in others

        found = self.ask(LAUNCH, {"slug": slug}, what=f"the launch {slug!r}", is_right=is_right)
        if found.data["post"] is None:
            raise FixError(
                f"{NAME}: there is no launch {slug!r}.", "Correct the term in terms.csv."
            )
        read = self._record(found.data["post"], found)
        self._mark_counted(slug, self._today())
        if isinstance(read, Reject):
            rejects = [read] if self.progress.seen.is_new_reject(read) else []
            yield Page([], self.progress.cursor(), rejects)
        elif self.progress.seen.is_new(read):
            yield Page([read], self.progress.cursor())

    def _record(self, node: Any, found: GraphAnswer) -> Record | Reject:  # noqa: ANN401
        if not isinstance(node, dict) or not str(node.get("id") or "").strip():
            return Reject(POSTS, repr(node), "a launch has no id")
        if _second(node) is None:
            return Reject(POSTS, repr(node), "createdAt is no instant")
        fetched_at = found.answer.fetched_at
        # Its counts are those of a day, also when they are those of the day before.
        payload = {**node, "_counted_on": f"{fetched_at.astimezone(UTC):%Y-%m-%d}"}
        return Record(POSTS, str(node["id"]), payload, fetched_at)

    def _today(self) -> str:
        return f"{self.context.clock.now():%Y-%m-%d}"

    def _mark_counted(self, key: str, day: str) -> None:
        self.progress.extra["counted"] = {**self.progress.extra["counted"], key: day}


def _has_node(edge: object) -> bool:
    return isinstance(edge, dict) and isinstance(edge.get("node"), dict)


def _end_of(listed: Json) -> str | None:
    """Where the next page begins; None at the end."""
    info = listed.get("pageInfo")
    if not isinstance(info, dict) or not info.get("hasNextPage"):
        return None
    end = info.get("endCursor")
    return end if isinstance(end, str) and end else None


def _topics_of(node: Json) -> set[str]:
    topics = node.get("topics")
    edges = topics.get("edges") if isinstance(topics, dict) else None
    nodes = [edge["node"] for edge in edges or [] if _has_node(edge)]
    return {str(node.get("slug")) for node in nodes}


def _second(node: Any) -> int | None:  # noqa: ANN401 - as received
    created = node.get("createdAt") if isinstance(node, dict) else None
    try:
        instant = datetime.fromisoformat(created)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return max(0, int(instant.timestamp()))


def _instant(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One counting request a topic, and one request for each launch of the catalogue."""
    slugs = _asked(settings, context)
    progress = Progress.of(cursor, source=NAME)
    progress.extra.setdefault("counted", {})
    planned = []
    with _open(settings, context) as http:
        reader = _Reader(http, settings, context, progress, slugs)
        for topic in dict.fromkeys(settings.topics):
            walk = progress.walk(window_key(topic, context.since, context.until))
            bounds = reader._bounds(topic, walk.done)
            found = reader.ask(
                COUNT,
                {"topic": topic, "postedAfter": bounds["after"], "postedBefore": bounds["before"]},
                what=f"the count of topic {topic!r}",
                is_right=lambda data: isinstance(_count_in(data), int),
            )
            launches = _count_in(found.data) or 0
            requests = launches // settings.page_size + 1
            minutes = requests * settings.pace_s / 60
            basis = "counted by Product Hunt"
            units = {"launches": launches}
            planned.append(Planned(f"topic {topic}", requests, units, minutes=minutes, basis=basis))
    if slugs and not reader.is_backfill:
        minutes = len(slugs) * settings.pace_s / 60
        planned.append(Planned("launches", len(slugs), minutes=minutes, basis="one each"))
    return planned


def _count_in(data: Json) -> int | None:
    listed = data.get("posts")
    count = listed.get("totalCount") if isinstance(listed, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def probe(settings: Settings, context: Context) -> Probe:
    """Ask for a count: a request, and no launch."""
    if not context.environment.get(TOKEN, "").strip():
        return Probe(is_configured=False, missing=(TOKEN,), message=f"{TOKEN} is not set.")
    try:
        slugs = _asked(settings, context)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    with _open(settings, context) as http:
        reader = _Reader(http, settings, context, Progress(), slugs)
        nothing = {"topic": None, "postedAfter": _instant(context.clock.now())}
        try:
            reader.ask(
                COUNT,
                {**nothing, "postedBefore": None},
                what="a count",
                is_right=lambda data: isinstance(_count_in(data), int),
            )
        except FixError as error:
            is_refused = error.status in (401, 403)
            return Probe(
                is_configured=True,
                is_reachable=error.status != 0,
                is_authorised=False if is_refused else None,
                message=str(error),
            )
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=str(error))
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)
