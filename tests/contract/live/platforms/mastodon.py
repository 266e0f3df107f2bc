"""A Mastodon server: the timeline of a hashtag, and single statuses."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from extract import mastodon
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import START, Reply, Request, json_reply

_MINUTES = [5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400]


def snowflake(instant: datetime, number: int = 0) -> str:
    """An id as Mastodon makes them: milliseconds, then 16 bits of its own."""
    return str((int(instant.timestamp() * 1000) << 16) + number)


@dataclass
class Mastodon(Platform):
    """Eleven statuses, three of one second, four a page. `gone` are deleted, `home` is the server's
    name in addresses; `has_links` whether it sends the `Link` header."""

    landed = 11
    source: Any = mastodon
    environment: dict[str, str] = field(
        default_factory=lambda: {"SOCIAL_SIGNALS_MASTODON_HOOT_EXAMPLE_TOKEN": "very-secret-token"}
    )
    size: int = 4
    home: str = "hoot.example"
    has_links: bool = True
    gone: tuple[int, ...] = ()
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What is another way about a status, by its number."""

    def statuses(self) -> list[dict[str, Any]]:
        return [self.status(number) for number in range(len(_MINUTES)) if number not in self.gone]

    def status(self, number: int) -> dict[str, Any]:
        created = ago(minutes=_MINUTES[number])
        status_id = snowflake(created, 99 - number)
        text = f"acme number {number}"
        status: dict[str, Any] = {
            "id": status_id,
            "created_at": f"{created:%Y-%m-%dT%H:%M:%S}.123Z",
            "edited_at": None,
            "visibility": "public",
            "uri": f"https://{self.home}/users/u{number}/statuses/{status_id}",
            "url": f"https://{self.home}/@u{number}/{status_id}",
            "spoiler_text": "",
            "language": "en",
            "favourites_count": number,
            "reblog": None,
            "account": {
                "id": str(number),
                "acct": f"u{number}",
                "bot": number == 1,
                "note": "<p>hello</p>",
                "statuses_count": 3,
            },
        }
        if number == 6 and self.edits:
            text += " (edited)"
            status["edited_at"] = f"{START:%Y-%m-%dT%H:%M:%SZ}"
        status["content"] = f"<p>{html.escape(text)}</p>"
        self._twist(status, number)
        return status | self.changes.get(number, {})

    def _twist(self, status: dict[str, Any], number: int) -> None:
        if self.quirk == "unknown_fields":
            status["brand_new"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del status["id"]
        if self.quirk == "missing_fields" and number == 4:
            del status["account"]
        if self.quirk == "wrong_types" and number == 3:
            status["created_at"] = 17
        if self.quirk == "wrong_types" and number == 4:
            status |= {"favourites_count": "many", "account": [7], "reblog": "none"}
        if self.quirk == "future" and number == 0:
            far = START + timedelta(days=365 * 50)
            status["created_at"] = f"{far:%Y-%m-%dT%H:%M:%SZ}"

    def settings(self, **changes: Any) -> Any:
        base = {
            "instances": [self.home],
            "base_url": self.url,
            "tags": ["acme"],
            "page_size": self.size,
            "refresh_after_hours": 0,
            "first_days": 30,
        }
        return mastodon.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        assert request.headers["authorization"] == "Bearer very-secret-token"
        if request.path.startswith("/api/v1/statuses/"):
            status_id = request.path.rpartition("/")[2]
            found = [status for status in self.statuses() if status.get("id") == status_id]
            return json_reply(found[0]) if found else json_reply({"error": "Record not found"}, 404)
        if request.path == "/api/v1/tags/acme":
            day = START.replace(hour=0)
            uses = [{"day": str(int(day.timestamp())), "uses": "11", "accounts": "4"}]
            return json_reply({"name": "acme", "history": uses})
        assert request.path == "/api/v1/timelines/tag/acme", request.path
        return self._timeline(request)

    def _timeline(self, request: Request) -> Reply:
        if self.quirk == "empty":
            return json_reply([])
        statuses = self.statuses()[self.hidden :]
        statuses.sort(key=lambda status: -_number(status))
        if "max_id" in request.query and self.quirk != "endless":
            below = int(request.query["max_id"])
            statuses = [status for status in statuses if _number(status) < below]
        size = int(request.query.get("limit", 20))
        shown = statuses[:size]
        headers = {}
        if shown and self.has_links:
            oldest = min(_number(status) for status in shown)
            if self.quirk == "endless":
                oldest = int(request.query.get("max_id", _number(shown[0]) + 9)) - 1
                shown = [{**shown[0], "id": str(oldest)}] if self.edits else shown[-1:]
            address = f"https://{self.home}{request.path}?max_id={oldest}"
            headers["Link"] = f'<{address}>; rel="next", <{address}>; rel="prev"'
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        return json_reply(shown, **headers)


def _number(status: dict[str, Any]) -> int:
    status_id = status.get("id")
    return int(status_id) if isinstance(status_id, str) else int(snowflake(ago(minutes=9), 96))
