"""Recent search of X, in the older and the newer field names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from extract import x
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import START, Reply, Request, json_reply


@dataclass
class X(Platform):
    """Recent search over eleven posts by three authors, four a page, in the older field names."""

    landed = 15
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
