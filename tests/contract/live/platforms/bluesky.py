"""Jetstream over a WebSocket, and search with a login."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from extract import bluesky
from extract.base import Context
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import CLOSING, START, Reply, Request, json_reply, text_frame

_ALICE, _BOB = "did:plc:alice2345", "did:plc:bob2345"


def microseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * 1_000_000 + instant.microsecond


def commit(
    did: str,
    rkey: str,
    at: datetime,
    text: str | None = None,
    *,
    operation: str = "create",
    collection: str = "app.bsky.feed.post",
    **record: Any,
) -> dict[str, Any]:
    """An event of one record, as Jetstream sends it; no text for a delete."""
    time_us = microseconds(at)
    content: dict[str, Any] = {
        "rev": f"3{time_us:012d}"[-13:],
        "operation": operation,
        "collection": collection,
        "rkey": rkey,
    }
    if text is not None:
        created = f"{at:%Y-%m-%dT%H:%M:%S}.000Z"
        content["record"] = {"$type": collection, "createdAt": created, "text": text, **record}
        content["cid"] = f"bafy{abs(hash((rkey, text))) % 10**9}"
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": content}


def account(did: str, at: datetime, *, active: bool, status: str | None = None) -> dict[str, Any]:
    """What became of an account."""
    said: dict[str, Any] = {"active": active, "did": did, "seq": microseconds(at), "time": str(at)}
    if status is not None:
        said["status"] = status
    return {"did": did, "time_us": microseconds(at), "kind": "account", "account": said}


@dataclass
class Jetstream(Platform):
    """Fourteen events of which nine concern the catalogue; a connection brings a few and is closed,
    the one that has brought the newest stays open."""

    landed = 9
    source: Any = bluesky
    size: int = 5
    folder: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)
    has_backfill = False
    follows_redirects = False

    def events(self) -> list[dict[str, Any]]:
        second = START - timedelta(seconds=8)
        newest = [
            commit(_BOB, "3newer", second - timedelta(milliseconds=500), "acme is quick"),
            commit(_ALICE, "3newest", second, "acme is quicker"),
        ]
        found = [
            commit(_ALICE, "3a", ago(minutes=400), "acme number one"),
            commit(_BOB, "3x", ago(minutes=390), "nothing of interest, acmeology at most"),
            commit(_BOB, "3b", ago(minutes=300), "my #AcmeLife", langs=["en"]),
            commit(_BOB, "3like", ago(minutes=299), None, collection="app.bsky.feed.like"),
            {"did": _BOB, "time_us": microseconds(ago(minutes=298)), "kind": "identity"},
            commit(_ALICE, "3c", ago(minutes=200), "I like ACME"),
            commit(_ALICE, "3c", ago(minutes=199), "I liked it", operation="update"),
            commit(_BOB, "3b", ago(minutes=100), None, operation="delete"),
            commit(_BOB, "3unknown", ago(minutes=90), None, operation="delete"),
            account(_ALICE, ago(minutes=30), active=False, status="deactivated"),
            account("did:plc:carol2345", ago(minutes=29), active=False, status="deleted"),
            account(_ALICE, ago(minutes=20), active=True),
            *newest[: len(newest) - self.hidden],
        ]
        if self.edits:
            edited = START - timedelta(seconds=6)
            found.append(commit(_ALICE, "3a", edited, "acme (edited)", operation="update"))
        # The stream goes on: its newest event is of this moment.
        found.append(commit("did:plc:dave2345", "3last", self.time.now(), "good night"))
        return found

    def _twisted(self, event: dict[str, Any]) -> dict[str, Any]:
        rkey = event.get("commit", {}).get("rkey")
        if self.quirk == "unknown_fields":
            event["brand_new"] = {"deeply": [{"nested": True}]}
        if self.quirk == "missing_fields" and rkey == "3newer":
            del event["did"]
        if self.quirk == "missing_fields" and rkey == "3newest":
            del event["commit"]["rkey"]
        if self.quirk == "wrong_types" and rkey == "3newer":
            event["time_us"] = "yesterday"
        if self.quirk == "wrong_types" and rkey == "3newest":
            event["commit"]["record"]["text"] = 7
        if self.quirk == "future" and rkey == "3newer":
            event["time_us"] += 86_400 * 365 * 50 * 1_000_000
        return event

    def settings(self, **changes: Any) -> Any:
        base = {
            "jetstream_urls": ["ws" + self.url.removeprefix("http")],
            "first_hours": 720,
            "overlap_seconds": 30,
            "idle_seconds": 0.2,
            "page_size": 4,
        }
        return bluesky.Settings(**budget(base, changes))

    def context(self, folder: Path | None = None, **changes: Any) -> Context:
        return super().context(folder, **({"state": Path(self.folder.name)} | changes))

    def answer(self, request: Request) -> Reply:
        assert request.path == "/subscribe", request.path
        assert request.query["wantedCollections"] == "app.bsky.feed.post"
        cursor = int(request.query.get("cursor", 0))
        events = [event for event in self.events() if event["time_us"] >= cursor]
        if self.quirk == "empty":
            events = [commit(_BOB, "3early", ago(minutes=500), "good morning")]
        if self.quirk == "endless":
            events = self.events()[:4]
        shown = [self._twisted(event) for event in events[: self.size]]
        if self.quirk == "reordered":
            # Events of one repository keep their order.
            shown.sort(key=lambda event: str(event.get("did")), reverse=True)
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        body = b"".join(map(text_frame, shown))
        is_last = len(events) <= self.size and self.quirk != "endless"
        return Reply(101, body if is_last else body + CLOSING)


def token(at: datetime) -> str:
    """A token that ends two hours later."""
    claims = json.dumps({"exp": int(at.timestamp()) + 7_200}).encode()
    return f"head.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.tail"


@dataclass
class BlueskySearch(Platform):
    """Search over eleven posts, three of them of one second, of which three carry the hashtag."""

    landed = 11
    source: Any = bluesky
    size: int = 4
    environment: dict[str, str] = field(
        default_factory=lambda: {
            bluesky.HANDLE: "acme.test",
            bluesky.PASSWORD: "abcd-efgh-ijkl-mnop",
        }
    )

    def posts(self) -> list[dict[str, Any]]:
        found = []
        for number, minutes in enumerate([5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400]):
            at = f"{ago(minutes=minutes):%Y-%m-%dT%H:%M:%S}.000Z"
            text = f"acme number {number}" + (" #acmelife" if number % 4 == 0 else "")
            text += " (edited)" if self.edits and number == 6 else ""
            post: dict[str, Any] = {
                "uri": f"at://{_ALICE}/app.bsky.feed.post/3k{number}",
                "cid": f"bafy{number}{self.edits if number == 6 else 0}",
                "author": {"did": _ALICE, "handle": "alice.test", "displayName": "Alice"},
                "record": {"$type": "app.bsky.feed.post", "createdAt": at, "text": text},
                "replyCount": number,
                "repostCount": 0,
                "likeCount": number * 2,
                "quoteCount": 0,
                "indexedAt": at,
                "viewer": {"threadMuted": number % 2 == 0},
            }
            self._twist(post, number)
            found.append(post)
        return found

    def _twist(self, post: dict[str, Any], number: int) -> None:
        if self.quirk == "unknown_fields":
            post["brand_new"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del post["uri"]
        if self.quirk == "missing_fields" and number == 4:
            del post["author"]
        if self.quirk == "wrong_types" and number == 3:
            post["indexedAt"] = 7
        if self.quirk == "wrong_types" and number == 4:
            post["likeCount"] = "many"
        if self.quirk == "future" and number == 0:
            post["indexedAt"] = post["record"]["createdAt"] = "2076-01-01T00:00:00.000Z"

    def settings(self, **changes: Any) -> Any:
        base = {"base_url": self.url, "stream": False, "search_page_size": self.size}
        base |= {"search_first_days": 30}
        return bluesky.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("createSession"):
            login = json.loads(request.body)
            assert login == {"identifier": "acme.test", "password": "abcd-efgh-ijkl-mnop"}
            given = {"accessJwt": token(self.time.now()), "refreshJwt": "renewal-token"}
            return json_reply({**given, "did": _ALICE, "handle": "acme.test"})
        assert request.path == "/xrpc/app.bsky.feed.searchPosts", request.path
        if not request.headers.get("authorization", "").startswith("Bearer head."):
            return json_reply({"error": "AuthMissing", "message": "Authentication Required"}, 403)
        if self.quirk == "empty":
            return json_reply({"posts": []})
        wanted = request.query["q"].strip('"')
        posts = [post for post in self.posts()[self.hidden :] if _matches(post, wanted, request)]
        size = int(request.query["limit"])
        start = int(request.query.get("cursor", 0))
        shown = posts[start : start + size]
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        content: dict[str, Any] = {"posts": shown, "hitsTotal": len(posts)}
        if self.quirk == "endless":
            content = {"posts": self.posts()[:size], "cursor": str(start + size)}
        elif start + size < len(posts):
            content["cursor"] = str(start + size)
        return json_reply(content)


def _matches(post: dict[str, Any], wanted: str, request: Request) -> bool:
    if wanted not in post["record"]["text"]:
        return False
    at = post["record"]["createdAt"]
    return request.query.get("since", "") <= at < request.query.get("until", "9")
