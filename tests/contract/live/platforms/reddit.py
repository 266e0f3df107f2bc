"""Reddit through OAuth, and its public feeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from extract import reddit
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import Reply, Request, json_reply


@dataclass
class Reddit(Platform):
    """One subreddit and one search through OAuth: eleven submissions and five comments."""

    landed = 16
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

    landed = 12
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
