"""Small stand-ins of the platforms, one a source: a world of records, and the wire to it."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from extract import hackernews, reddit, rss, x
from extract.base import Context, Product
from tests.contract.live.server import START, FakeClock, Reply, Request, json_reply

CATALOGUE = (
    Product("acme", "Acme", "Acme", "tools", {"keyword": ("acme",), "hashtag": ("acmelife",)}),
)


@dataclass
class Platform(ABC):
    """A platform with a few records. `source` is the module under test; `quirk` is a fault of the
    whole wire (duplicated or reordered pages, fields of other kinds), which each platform shows in
    its own way; the newest `hidden` records are not published yet."""

    quirk: str = ""
    edits: int = 0
    hidden: int = 0
    time: FakeClock = field(default_factory=FakeClock)
    url: str = ""
    source: Any = None
    environment: dict[str, str] = field(default_factory=dict)

    has_pages = True

    @abstractmethod
    def settings(self, **changes: Any) -> Any:
        """The settings of the source that ask this platform."""

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """What the platform sends back."""

    def edit(self) -> None:
        """Change a record that has been published long ago."""
        self.edits += 1

    def context(self, folder: Path | None = None, **changes: Any) -> Context:
        given: dict[str, Any] = {
            "run_id": "r1",
            "now": self.time.now,
            "catalogue": CATALOGUE,
            "root": Path(),
            "truth_path": Path(),
            "clock": self.time.clock(),
            "environment": self.environment,
            "budgets": folder,
        }
        return Context(**(given | changes))


def budget(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with a small budget where a test gives one."""
    merged = settings | changes
    requests = merged.pop("requests", None)
    if requests is not None:
        merged["budget"] = {**merged.get("budget", {}), "requests": requests}
    return merged


def ago(**parts: float) -> datetime:
    return START - timedelta(**parts)


# Hacker News --------------------------------------------------------------------------------------


@dataclass
class HackerNews(Platform):
    """Algolia's search and Firebase's items over eleven items, three of them of one second."""

    source: Any = hackernews
    size: int = 4

    def items(self) -> list[dict[str, Any]]:
        minutes = [5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400]
        found = []
        for number, minute in enumerate(minutes):
            created = int(ago(minutes=minute).timestamp())
            item_id = str(40_000_000 - number)
            is_story = number % 3 == 0
            text = f"acme number {number}" + (" (edited)" if self.edits and number == 6 else "")
            hit: dict[str, Any] = {
                "objectID": item_id,
                "created_at_i": created,
                "created_at": f"{ago(minutes=minute):%Y-%m-%dT%H:%M:%SZ}",
                "author": f"user{number}",
                "_tags": ["story" if is_story else "comment", f"author_user{number}"],
                "points": number if is_story else None,
                "_highlightResult": {"title": {"value": "varies"}},
            }
            hit |= {"title": text} if is_story else {"comment_text": f"<p>{html.escape(text)}"}
            self._twist(hit, number)
            found.append(hit)
        return found

    def _twist(self, hit: dict[str, Any], number: int) -> None:
        if self.quirk == "unknown_fields":
            hit["brand_new"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del hit["objectID"]
        if self.quirk == "missing_fields" and number == 4:
            del hit["author"]
        if self.quirk == "wrong_types" and number == 3:
            hit["created_at_i"] = "yesterday"
        if self.quirk == "wrong_types" and number == 4:
            hit |= {"points": "many", "author": 7}
        if self.quirk == "future" and number == 0:
            hit["created_at_i"] += 86_400 * 365 * 50

    def settings(self, **changes: Any) -> Any:
        base = {
            "base_url": self.url,
            "items_url": self.url,
            "page_size": self.size,
            "refresh_after_hours": 0,
            "first_days": 30,
            "pace_s": 0.4,
        }
        return hackernews.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/v0/item/"):
            item_id = request.path.removeprefix("/v0/item/").removesuffix(".json")
            return json_reply({"id": int(item_id), "type": "comment", "by": "x", "kids": []})
        assert request.path == "/api/v1/search_by_date", request.path
        if self.quirk == "empty":
            return json_reply({"hits": [], "nbHits": 0})
        hits = [hit for hit in self.items()[self.hidden :] if _matches(hit, request.query)]
        hits.sort(key=lambda hit: (-_second(hit), hit.get("objectID", "")))
        size = int(request.query.get("hitsPerPage", 20))
        start = int(request.query.get("page", 0)) * size
        shown = hits[start : start + size] if size else []
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        if self.quirk == "endless":
            newest = max(self.items(), key=_second)
            shown = [newest] * size
        return json_reply({"hits": shown, "nbHits": len(hits), "page": 0})


def _second(hit: dict[str, Any]) -> int:
    created = hit["created_at_i"]
    return created if isinstance(created, int) else int(START.timestamp()) - 540


def _matches(hit: dict[str, Any], query: dict[str, str]) -> bool:
    for condition in filter(None, query.get("numericFilters", "").split(",")):
        field_name, sign, number = condition.partition(
            next(s for s in (">=", "<=", "<", ">") if s in condition)
        )
        assert field_name == "created_at_i"
        value, bound = _second(hit), int(number)
        holds = {">=": value >= bound, "<=": value <= bound, "<": value < bound}[sign]
        if not holds:
            return False
    return True


# Feeds --------------------------------------------------------------------------------------------


@dataclass
class Feeds(Platform):
    """Three feeds, RSS 2.0 and Atom, with entity tags."""

    source: Any = rss
    has_pages = False
    is_proxied: bool = False

    def settings(self, **changes: Any) -> Any:
        feeds = {name: {"url": f"{self.url}/{name}.xml"} for name in ("one", "two", "three")}
        base = {"feeds": feeds, "interval_minutes": 0, "pace_s": 1.0}
        return rss.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        name = request.path.strip("/").removesuffix(".xml")
        body = (self.atom(name) if name == "two" else self.rss(name)).encode()
        tag = f'"{name}-{self.edits}-{self.quirk}"'
        if request.headers.get("if-none-match") == tag:
            return Reply(304, headers={"etag": tag})
        return Reply(200, body, {"content-type": "application/xml", "etag": tag})

    def _numbers(self) -> Sequence[int]:
        if self.quirk == "empty":
            return []
        numbers = list(range(4))
        if self.quirk == "duplicated":
            return [*numbers, *numbers]
        return numbers[::-1] if self.quirk == "reordered" else numbers

    def rss(self, name: str) -> str:
        items = []
        for number in self._numbers():
            edited = " (edited)" if self.edits and number == 2 else ""
            guid = f"<guid>{name}-{number}</guid>"
            date = f"<pubDate>{format_datetime(ago(hours=number))}</pubDate>"
            extra = ""
            if self.quirk == "unknown_fields":
                extra = "<zz:mood xmlns:zz='urn:zz'>fine</zz:mood><strange/>"
            if self.quirk == "missing_fields" and number == 3:
                guid = ""
            if self.quirk == "wrong_types" and number == 3:
                date = "<pubDate>yesterday, about noon</pubDate>"
            items.append(
                f"<item>{guid}<title>acme {number}{edited}</title>"
                f"<link>https://shop.example/{name}/{number}</link>{date}"
                f"<description>&lt;p&gt;All about acme&lt;/p&gt;</description>{extra}</item>"
            )
        return (
            '<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel>'
            f"<title>{name}</title><link>https://shop.example/</link>{''.join(items)}"
            "</channel></rss>"
        )

    def atom(self, name: str) -> str:
        items = []
        for number in self._numbers():
            when = f"{ago(hours=number):%Y-%m-%dT%H:%M:%SZ}"
            items.append(
                f"<entry><id>tag:{name},{number}</id><title>acme atom {number}</title>"
                f'<link href="https://shop.example/{name}/{number}"/><updated>{when}</updated>'
                f"<content type='html'>&lt;b&gt;bold&lt;/b&gt; acme</content></entry>"
            )
        return (
            '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
            f"<id>urn:{name}</id><title>{name}</title>{''.join(items)}</feed>"
        )


# X ------------------------------------------------------------------------------------------------


@dataclass
class X(Platform):
    """Recent search over eleven posts by three authors, four a page, in the older field names."""

    source: Any = x
    environment: dict[str, str] = field(
        default_factory=lambda: {"SOCIAL_SIGNALS_X_BEARER_TOKEN": "very-secret-token"}
    )
    size: int = 4
    names: str = "tweet"

    def posts(self) -> list[dict[str, Any]]:
        minutes = [5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400]
        found = []
        for number, minute in enumerate(minutes):
            text = f"acme number {number}"
            post_id = str(x.id_at(ago(minutes=minute)) + number)
            post: dict[str, Any] = {
                "id": post_id,
                "text": text,
                "author_id": str(number % 3),
                "created_at": f"{ago(minutes=minute):%Y-%m-%dT%H:%M:%S.000Z}",
                f"edit_history_{self.names}_ids": [post_id],
                "public_metrics": {
                    "like_count": number,
                    "repost_count" if self.names == "post" else "retweet_count": 0,
                    **dict.fromkeys(
                        ("reply_count", "quote_count", "bookmark_count", "impression_count"), 0
                    ),
                },
            }
            if number == 2:
                post[f"referenced_{self.names}s"] = [{"type": "quoted", "id": "17"}]
            if number == 5:
                post[f"note_{self.names}"] = {"text": text + " and much more" * 30}
            if number == 8:
                post["withheld"] = {"country_codes": ["DE"], "copyright": False}
            self._twist(post, number)
            found.append(post)
            if number == 6 and self.edits:
                # An edit is a new post that names the chain.
                new_id = str(x.id_at(START - timedelta(minutes=1)))
                chain = {f"edit_history_{self.names}_ids": [post_id, new_id]}
                found.append({**post, "id": new_id, "text": f"{text} (edited)", **chain})
        return found

    def _twist(self, post: dict[str, Any], number: int) -> None:
        if self.quirk == "unknown_fields":
            post["brand_new"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del post["id"]
        if self.quirk == "missing_fields" and number == 4:
            del post["author_id"]
        if self.quirk == "wrong_types" and number == 3:
            post["id"] = {"value": post["id"]}
        if self.quirk == "wrong_types" and number == 4:
            post |= {"text": 5, "public_metrics": "many"}
        if self.quirk == "future" and number == 0:
            post["id"] = str(x.id_at(START + timedelta(days=365 * 50)))

    def settings(self, **changes: Any) -> Any:
        base = {
            "base_url": self.url,
            "queries": ["acme -is:retweet"],
            "prices_usd": {"posts": 0, "users": 0},
            "field_names": self.names,
        }
        return x.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        assert request.headers["authorization"] == "Bearer very-secret-token"
        query = request.query
        assert f"{self.names}.fields" in query or request.path.endswith("counts/recent")
        posts = sorted(self.posts()[self.hidden :], key=lambda post: -_number(post))
        if "since_id" in query:
            posts = [post for post in posts if _number(post) > int(query["since_id"])]
        for name, is_in in (("start_time", 1), ("end_time", -1)):
            if name in query:
                bound = x.id_at(datetime.fromisoformat(query[name].replace("Z", "+00:00")))
                posts = [post for post in posts if (_number(post) >= bound) == (is_in == 1)]
        if request.path == "/2/tweets/counts/recent":
            return json_reply({"data": [{f"{self.names}_count": len(posts)}], "meta": {}})
        assert request.path == "/2/tweets/search/recent", request.path
        if self.quirk == "empty":
            return json_reply({"meta": {"result_count": 0}})
        pages = [posts[start : start + self.size] for start in range(0, len(posts), self.size)]
        if self.quirk == "reordered":
            pages = [page[::-1] for page in [pages[0], *pages[:0:-1]]]
        if self.quirk == "duplicated":
            pages = [page for page in pages for _ in range(2)]
        number = int(query.get("next_token", "t0").removeprefix("t"))
        page = pages[number] if number < len(pages) else []
        meta: dict[str, Any] = {"result_count": len(page)}
        if number + 1 < len(pages):
            meta["next_token"] = f"t{number + 1}"
        if self.quirk == "endless":
            page, meta = pages[0], {"next_token": f"t{number + 1}"}
        users = sorted({str(post.get("author_id", "0")) for post in page})
        includes: dict[str, Any] = {
            "users": [{"id": user, "username": f"user{user}"} for user in users],
        }
        if any(f"referenced_{self.names}s" in post for post in page):
            quoted = {"id": "17", "text": "an old post", "author_id": "0"}
            includes[f"{self.names}s"] = [quoted]
        if not page:
            return json_reply({"meta": meta})
        return json_reply({"data": page, "includes": includes, "meta": meta})


@dataclass
class XNewNames(X):
    """The same in the field names of specification 2.167."""

    names: str = "post"


def _number(post: dict[str, Any]) -> int:
    post_id = post.get("id")
    return int(post_id) if isinstance(post_id, str) else x.id_at(ago(minutes=9))


# Reddit -------------------------------------------------------------------------------------------


@dataclass
class Reddit(Platform):
    """One subreddit and one search through OAuth: eleven submissions and five comments."""

    source: Any = reddit
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "SOCIAL_SIGNALS_REDDIT_CLIENT_ID": "an-id",
            "SOCIAL_SIGNALS_REDDIT_CLIENT_SECRET": "very-secret-key",
        }
    )
    size: int = 4

    def things(self, kind: str) -> list[dict[str, Any]]:
        minutes = [5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400]
        found = []
        for number, minute in enumerate(minutes if kind == "t3" else minutes[:5]):
            edited = " (edited)" if self.edits and number == 6 else ""
            data: dict[str, Any] = {
                "name": f"{kind}_a{number}",
                "id": f"a{number}",
                "created_utc": float(int(ago(minutes=minute).timestamp())),
                "author": f"user{number}",
                "subreddit": "acme",
                "score": number,
            }
            words = f"acme number {number}{edited}"
            data |= {"title": words, "selftext": ""} if kind == "t3" else {"body": words}
            self._twist(data, number)
            found.append({"kind": kind, "data": data})
        return found

    def _twist(self, data: dict[str, Any], number: int) -> None:
        if self.quirk == "unknown_fields":
            data["brand_new"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del data["name"]
        if self.quirk == "missing_fields" and number == 4:
            del data["author"]
        if self.quirk == "wrong_types" and number == 3:
            data["created_utc"] = "yesterday"
        if self.quirk == "wrong_types" and number == 4:
            data |= {"score": "many", "author": 7}
        if self.quirk == "future" and number == 0:
            data["created_utc"] += 86_400.0 * 365 * 50

    def settings(self, **changes: Any) -> Any:
        base = {
            "base_url": self.url,
            "oauth_url": self.url,
            "subreddits": ["acme"],
            "overlap_hours": 24,
        }
        return reddit.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        if request.path == "/api/v1/access_token":
            assert request.method == "POST"
            assert request.headers["authorization"].startswith("Basic ")
            token = {"access_token": "abcdef123456", "expires_in": 86400, "scope": "*"}
            return json_reply(token | {"token_type": "bearer"})
        assert request.headers["authorization"] == "bearer abcdef123456"
        kind = {"/r/acme/new": "t3", "/r/acme/comments": "t1", "/search": "t3"}[request.path]
        things = [] if self.quirk == "empty" else self.things(kind)[self.hidden :]
        pages = [things[start : start + self.size] for start in range(0, len(things), self.size)]
        if self.quirk == "reordered":
            pages = [page[::-1] for page in [pages[0], *pages[:0:-1]]]
        if self.quirk == "duplicated":
            pages = [page for page in pages for _ in range(2)]
        number = int(request.query.get("after", "t_0").partition("_")[2])
        page = pages[number] if number < len(pages) else []
        after = f"{kind}_{number + 1}" if number + 1 < len(pages) else None
        if self.quirk == "endless":
            page, after = pages[0], f"{kind}_{number + 1}"
        headers = {"x-ratelimit-remaining": "97.0", "x-ratelimit-reset": "300"}
        headers["x-ratelimit-used"] = "3"
        listing = {"kind": "Listing", "data": {"children": page, "after": after}}
        return json_reply(listing, **headers)


@dataclass
class RedditFeeds(Platform):
    """The same without keys: two public feeds."""

    source: Any = reddit
    has_pages = False

    def settings(self, **changes: Any) -> Any:
        base = {"base_url": self.url, "subreddits": ["acme"], "feed_pace_s": 1.0}
        return reddit.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        kind = {"/r/acme/new/.rss": "t3", "/r/acme/comments/.rss": "t1"}[request.path]
        numbers = list(range(6))
        if self.quirk == "empty":
            numbers = []
        if self.quirk == "duplicated":
            numbers = [*numbers, *numbers]
        if self.quirk == "reordered":
            numbers = numbers[::-1]
        entries = []
        for number in numbers:
            edited = " (edited)" if self.edits and number == 2 else ""
            when = f"{ago(minutes=40 * number + 5):%Y-%m-%dT%H:%M:%S+00:00}"
            entry_id = f"<id>{kind}_a{number}</id>"
            extra = "<strange/>" if self.quirk == "unknown_fields" else ""
            if self.quirk == "missing_fields" and number == 3:
                entry_id = ""
            if self.quirk == "wrong_types" and number == 3:
                when = "yesterday"
            entries.append(
                f"<entry>{entry_id}<title>acme {number}{edited}</title><updated>{when}</updated>"
                f"<published>{when}</published><author><name>/u/user{number}</name></author>"
                f'<link href="https://www.reddit.com/r/acme/comments/a{number}/"/>'
                f'<content type="html">&lt;p&gt;acme&lt;/p&gt;</content>{extra}</entry>'
            )
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
            f"<id>/r/acme</id><title>acme</title>{''.join(entries)}</feed>"
        )
        return Reply(200, body.encode(), {"content-type": "application/atom+xml; charset=UTF-8"})


PLATFORMS: dict[str, type[Platform]] = {
    "hackernews": HackerNews,
    "reddit": Reddit,
    "reddit_feeds": RedditFeeds,
    "rss": Feeds,
    "x": X,
    "x_new_names": XNewNames,
}
