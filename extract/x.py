"""X: recent search of API v2 through tweepy, both generations of field names.

tweepy builds and authorises the requests; `extract._bridge` sends them. A page's own posts, the
posts they refer to, and the authors land; partial errors, which come with status 200, go to the
rejects. Reads cost money since February 2026, and the default budget for money is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from extract._live import (
    LATEST_MARGIN_SECONDS,
    LiveSettings,
    Money,
    OwnUrl,
    Planned,
    Probe,
    credential,
    open_http,
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
    import tweepy

    from extract._bridge import Bridge
    from extract._http import Http

NAME = "x"
STREAMS: tuple[tuple[str, str], ...] = (("x", "posts"), ("x", "users"))
IS_SIMULATED = False
TOKEN = "SOCIAL_SIGNALS_X_BEARER_TOKEN"  # noqa: S105 - the name of a variable
CREDENTIALS: tuple[str, ...] = (TOKEN,)

POSTS, USERS = "x/posts", "x/users"
_BUILT_IN_HOST = "https://api.twitter.com"
_SEARCH, _COUNTS = "/2/tweets/search/recent", "/2/tweets/counts/recent"
_EPOCH_MS = 1_288_834_974_657
_REACH = timedelta(days=7) - timedelta(minutes=10)
"""How far recent search goes back, less a margin for clocks that differ."""
_SIZES = (100, 50, 25, 10)
_INCLUDED = 2
"""Posts that one post can bring along: the one it answers and the one it quotes."""
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "tweet": {
        "tweet.fields": "author_id,conversation_id,created_at,edit_controls,"
        "edit_history_tweet_ids,entities,in_reply_to_user_id,lang,note_tweet,possibly_sensitive,"
        "public_metrics,referenced_tweets,reply_settings,withheld",
        "expansions": "author_id,referenced_tweets.id,referenced_tweets.id.author_id",
    },
    "post": {
        "post.fields": "conversation_id,created_at,edit_controls,entities,lang,note_post,"
        "possibly_sensitive,public_metrics,reply_settings,withheld",
        "expansions": "author_id,edit_history_post_ids,in_reply_to_user_id,referenced_posts",
    },
}
_USER_FIELDS = "created_at,description,name,public_metrics,username,verified,withheld"


class Settings(LiveSettings):
    """`[sources.x]`. Without `queries` every term of the catalogue is searched, with `suffix` after
    it, split to `query_length` characters (512 in the lower plans). `field_names` is the generation
    of names that is asked for; both are understood. `with_references` also reads the posts that
    are answered or quoted, which are billed too."""

    base_url: OwnUrl = "https://api.x.com"
    queries: tuple[str, ...] = ()
    suffix: str = "-is:retweet"
    query_length: Annotated[int, Field(ge=20, le=4096)] = 512
    field_names: Literal["tweet", "post"] = "tweet"
    with_references: bool = True
    overlap_seconds: Annotated[int, Field(ge=0, le=86_400)] = 120
    page_size: Annotated[int, Field(ge=10, le=100)] = 100
    prices_usd: dict[str, Money] = Field(
        default_factory=lambda: {"posts": Decimal("0.005"), "users": Decimal("0.010")}
    )
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 2.0


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield posts and authors that are new or changed since the cursor, query by query."""
    queries = _queries(settings, context)
    progress = Progress.of(cursor, source=NAME)
    keys = [window_key(query, context.since, context.until) for query in queries]
    progress.keep_only([*queries, *keys])
    with _connected(settings, context) as search:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (repr(query), partial(search.pull, progress, query, key))
            for query, key in zip(queries, keys, strict=True)
        ]
        yield from one_after_the_other(parts, source=NAME)


def _queries(settings: Settings, context: Context) -> list[str]:
    if settings.queries:
        for query in settings.queries:
            if not 0 < len(query) <= settings.query_length:
                raise FixError(
                    f"{NAME}: a query has {len(query)} characters; the plan takes "
                    f"{settings.query_length}: {query[:60]!r}.",
                    "Split it in sources.x.queries, or raise sources.x.query_length if the plan "
                    "takes more.",
                )
        return list(dict.fromkeys(settings.queries))
    terms = catalogue_terms(context.catalogue)
    queries = either(terms, suffix=settings.suffix, limit=settings.query_length, source=NAME)
    if not queries:
        raise FixError(
            f"{NAME}: there is nothing to search for.",
            "Add terms to terms.csv, or set sources.x.queries.",
        )
    return queries


def id_at(instant: datetime) -> int:
    """The smallest id that a post of this instant can have."""
    milliseconds = int(instant.timestamp() * 1000) - _EPOCH_MS
    return max(0, milliseconds) << 22


@contextmanager
def _connected(settings: Settings, context: Context) -> Iterator[_Search]:
    import tweepy

    from extract._bridge import Bridge, bridged_session

    token = credential(context, TOKEN, source=NAME)
    with open_http(
        settings,
        context,
        source=NAME,
        allowed=[settings.base_url],
        secrets=[token],
        credentials=CREDENTIALS,
    ) as http:
        bridge = Bridge(http, {_BUILT_IN_HOST: settings.base_url})
        client = tweepy.Client(token, wait_on_rate_limit=False)
        client.session = bridged_session(bridge)
        client.user_agent = f"{http.user_agent} tweepy/{tweepy.__version__}"
        yield _Search(settings, context, client, bridge, http)


@dataclass(slots=True)
class _Search:
    """Recent search with one client."""

    settings: Settings
    context: Context
    client: tweepy.Client
    bridge: Bridge
    http: Http

    def pull(self, progress: Progress, query: str, key: str) -> Iterator[Page]:
        walk_once = partial(self._walk, progress, query, key)
        yield from and_what_came_since(progress, key, walk_once, is_backfill=key != query)

    def _walk(self, progress: Progress, query: str, key: str) -> Iterator[Page]:
        walk = progress.walk(key)
        notes = self._note_gap(walk, query)
        now = self.context.clock.now()
        latest = id_at(now + timedelta(seconds=LATEST_MARGIN_SECONDS))
        bounds = dict((walk.resume or {}).get("bounds", self._bounds(walk)))
        for batch in walk_listing(
            walk,
            progress.seen,
            partial(self._fetch, query, bounds),
            latest=latest,
            max_pages=self.settings.max_pages,
            what=f"{NAME} {query[:60]!r}",
        ):
            if batch.reached and key != query:
                del progress.walks[key]
            page = progress.page(batch)
            page.notes.extend(notes)
            notes = []
            yield page

    def _bounds(self, walk: Walk) -> dict[str, str]:
        """Where a walk begins and ends; fixed for the walk, also over a stop."""
        context = self.context
        if context.since is not None or context.until is not None:
            window = {"start_time": context.since, "end_time": context.until}
            return {name: _instant(value) for name, value in window.items() if value is not None}
        if walk.done is None:
            return {}
        floor = walk.done - ((self.settings.overlap_seconds * 1000) << 22)
        # X refuses a since_id that is older than what it searches.
        return {"since_id": str(floor)} if floor > id_at(context.clock.now() - _REACH) else {}

    def _note_gap(self, walk: Walk, query: str) -> list[str]:
        now = self.context.clock.now()
        wanted = self.context.since
        if wanted is not None:
            if wanted >= now - _REACH:
                return []
            raise FixError(
                f"{NAME}: recent search reaches back 7 days, to {_instant(now - _REACH)}.",
                "Give a later --since; older posts need another access level.",
            )
        if walk.done is None or walk.done >= id_at(now - _REACH):
            return []
        first, last = _instant(_instant_of(walk.done)), _instant(now - _REACH)
        said = f"{NAME} {query[:60]!r}: the last pull was more than 7 days ago; posts between "
        return [said + f"{first} and {last} are lost."]

    def _fetch(self, query: str, bounds: Mapping[str, str], resume: Json | None) -> Batch:
        token = (resume or {}).get("token")
        size = self._size()
        parameters: dict[str, str | int] = {
            "query": query,
            "max_results": size,
            "user.fields": _USER_FIELDS,
            **bounds,
            **self._asked_fields(),
        }
        if token:
            parameters["next_token"] = token
        self.bridge.units = self._most(size)
        try:
            answer, content = self._get(_SEARCH, parameters)
        except FixError as error:
            # A token, or a since_id, that is too old: the walk begins anew, repeats are dropped.
            if error.status == 400 and token:
                return self._fetch(query, bounds, None)
            if error.status == 400 and "since_id" in error.message:
                return self._fetch(query, {}, None)
            raise
        batch = self._batch(answer, content, query)
        self.http.settle(answer, _billed(content))
        following = content.get("meta", {}).get("next_token")
        if isinstance(following, str) and following:
            resume = {"token": following, "bounds": dict(bounds)}
            return Batch(batch.records, batch.positions, resume, False, batch.rejects)
        return batch

    def _size(self) -> int:
        """The largest page that the budget still allows; the ledger refuses the smallest."""
        ledger, largest = self.http.ledger, self.settings.page_size
        if ledger is None:
            return largest
        for size in (largest, *(size for size in _SIZES if size < largest)):
            if ledger.allows(self._most(size)):
                return size
        return min(largest, _SIZES[-1])

    def _most(self, size: int) -> dict[str, int]:
        """The most that a page can be billed."""
        posts = size * (1 + (_INCLUDED if self.settings.with_references else 0))
        return {"posts": posts, "users": posts}

    def _asked_fields(self) -> dict[str, str]:
        fields = dict(_FIELDS[self.settings.field_names])
        if not self.settings.with_references:
            kept = [name for name in fields["expansions"].split(",") if "referenced" not in name]
            fields["expansions"] = ",".join(kept)
        return fields

    def _get(self, route: str, parameters: Mapping[str, str | int]) -> tuple[Answer, Json]:
        self.bridge.parse = _parse
        self.client.request("GET", route, params=dict(parameters))
        answer = self.bridge.answer
        assert answer is not None
        return answer, answer.content

    def _batch(self, answer: Answer, content: Json, query: str) -> Batch:
        """A page as records; what is no object with an id goes to the rejects."""
        records: list[Record] = []
        positions: dict[str, int] = {}
        rejects: list[Reject] = []
        includes = content.get("includes")
        includes = includes if isinstance(includes, dict) else {}
        groups = [(POSTS, content.get("data")), (USERS, includes.get("users"))]
        groups += [(POSTS, includes.get(name)) for name in ("posts", "tweets")]
        for number, (stream, items) in enumerate(groups):
            for item in _listed(items):
                item_id = item.get("id") if isinstance(item, dict) else None
                if isinstance(item_id, int) and not isinstance(item_id, bool):
                    item_id = str(item_id)
                if not isinstance(item_id, str) or not item_id.isdigit():
                    rejects.append(Reject(stream, repr(item), "it has no usable id", query))
                    continue
                records.append(Record(stream, item_id, item, answer.fetched_at))
                if number == 0:
                    positions[item_id] = int(item_id)
        for problem in _listed(content.get("errors")):
            rejects.append(Reject(POSTS, repr(problem), f"partial error: {_told(problem)}", query))
        return Batch(records, positions, None, True, rejects)

    def count(self, query: str, walk: Walk) -> int:
        """How many posts a pull of the query would find, from the counts endpoint."""
        self.bridge.units = {}
        total, token = 0, None
        for _ in range(10):
            parameters: dict[str, str | int] = {"query": query, "granularity": "day"}
            parameters |= self._bounds(walk)
            if token:
                parameters["next_token"] = token
            answer, content = self._get(_COUNTS, parameters)
            self.http.settle(answer)
            for bucket in _listed(content.get("data")):
                found = bucket.get("tweet_count", bucket.get("post_count", 0))
                total += int(found)
            token = content.get("meta", {}).get("next_token")
            if not token:
                break
        return total


def _parse(answer: Answer) -> Any:  # noqa: ANN401 - as received
    content = parse_json(answer)
    known = ("data", "meta", "errors", "includes")
    if not isinstance(content, dict) or not any(key in content for key in known):
        raise RetryError(
            f"{NAME}: the answer holds neither posts nor errors.",
            "Run again; if it stays, check sources.x.base_url.",
        )
    if not isinstance(content.get("meta", {}), dict):
        raise RetryError(f"{NAME}: the answer's meta is no object.", "Run again.")
    return content


def _listed(items: object) -> list[Any]:
    return items if isinstance(items, list) else []


def _billed(content: Json) -> dict[str, int]:
    """Posts and users in an answer, those included: each read is billed."""
    includes = content.get("includes")
    includes = includes if isinstance(includes, dict) else {}
    posts = [content.get("data"), includes.get("posts"), includes.get("tweets")]
    return {
        "posts": sum(len(_listed(group)) for group in posts),
        "users": len(_listed(includes.get("users"))),
    }


def _told(problem: object) -> str:
    if not isinstance(problem, dict):
        return "unknown"
    return str(problem.get("title") or problem.get("detail") or problem.get("type") or "unknown")


def _instant(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _instant_of(post_id: int) -> datetime:
    return datetime.fromtimestamp(((post_id >> 22) + _EPOCH_MS) / 1000, UTC)


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One request a query to the counts endpoint, which bills no posts."""
    progress = Progress.of(cursor, source=NAME)
    planned = []
    with _connected(settings, context) as search:
        for query in _queries(settings, context):
            walk = progress.walk(window_key(query, context.since, context.until))
            posts = search.count(query, walk)
            requests = posts // settings.page_size + 1
            most = search._most(posts)
            prices = settings.prices_usd
            money = sum((prices.get(unit, Decimal(0)) * n for unit, n in most.items()), Decimal(0))
            minutes = requests * max(settings.pace_s, 1.0) / 60
            planned.append(Planned(query, requests, most, money, minutes, "at most; counted by X"))
    return planned


def probe(settings: Settings, context: Context) -> Probe:
    """Count one query's posts: it costs a request and no post."""
    missing = tuple(name for name in CREDENTIALS if not context.environment.get(name))
    if missing:
        return Probe(is_configured=False, missing=missing, message=f"{missing[0]} is not set.")
    try:
        query = _queries(settings, context)[0]
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    try:
        with _connected(settings, context) as search:
            search.count(query, Walk())
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
