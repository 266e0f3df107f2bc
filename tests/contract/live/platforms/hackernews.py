"""Algolia's search and Firebase's items."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from extract import hackernews
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import START, Reply, Request, json_reply


@dataclass
class HackerNews(Platform):
    """Algolia's search and Firebase's items over eleven items, three of them of one second."""

    landed = 22
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
