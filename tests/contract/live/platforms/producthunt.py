"""Product Hunt's GraphQL API: launches of topics by relay cursor, and one by its slug."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from extract import producthunt
from extract.base import Product
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import Reply, Request, json_reply

MINUTES = [5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400]
TERMS = {"keyword": ("acme",), "launch": ("acme-2", "acme-classic")}
LAUNCHES = (Product("acme", "Acme", "Acme", "tools", TERMS),)


@dataclass
class ProductHunt(Platform):
    """Eleven launches of one topic, three of a second; one of another, and one known by its slug
    alone."""

    landed = 13
    source: Any = producthunt
    size: int = 4
    environment: dict[str, str] = field(
        default_factory=lambda: {producthunt.TOKEN: "ph-token-0123456789"}
    )

    def settings(self, **changes: Any) -> Any:
        base = {
            "base_url": self.url,
            "topics": ("tools", "games"),
            "page_size": self.size,
            "pace_s": 1.0,
        }
        return producthunt.Settings(**budget(base, changes))

    def context(self, folder: Any = None, **changes: Any) -> Any:
        # A launch that the catalogue names always has counts: nothing at all comes of topics.
        named = {} if self.quirk == "empty" else {"catalogue": LAUNCHES}
        return super().context(folder, **(named | changes))

    def launch(self, number: int, minutes: float, topic: str, slug: str) -> dict[str, Any]:
        edited = " (edited)" if self.edits and number == 6 else ""
        node: dict[str, Any] = {
            "id": str(500 + number),
            "slug": slug,
            "name": f"Acme {number}",
            "tagline": f"Does things{edited}",
            "description": "More of it",
            "createdAt": f"{ago(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}",
            "featuredAt": None,
            "votesCount": 10 + number,
            "commentsCount": number,
            "reviewsRating": 0.0,
            "url": f"https://www.producthunt.com/posts/{slug}",
            "website": "https://www.producthunt.com/r/1",
            "topics": {"edges": [{"node": {"slug": topic, "name": topic.title()}}]},
        }
        if self.quirk == "unknown_fields":
            node["brandNew"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del node["id"]
        if self.quirk == "missing_fields" and number == 4:
            del node["votesCount"]
        if self.quirk == "wrong_types" and number == 3:
            node["createdAt"] = 7
        if self.quirk == "wrong_types" and number == 4:
            node["votesCount"] = "many"
        if self.quirk == "future" and number == 0:
            node["createdAt"] = "2076-01-01T00:00:00Z"
        return node

    def listed(self, topic: str | None) -> list[dict[str, Any]]:
        if topic == "games":
            return [self.launch(20, 45, "games", "acme-2")]
        tools = [self.launch(n, m, "tools", f"acme-t{n}") for n, m in enumerate(MINUTES)]
        return tools[self.hidden :]

    def answer(self, request: Request) -> Reply:
        assert request.path == "/v2/api/graphql", request.path
        if request.headers.get("authorization") != "Bearer ph-token-0123456789":
            return json_reply({"errors": [{"error": "invalid_oauth_token"}]}, 401)
        asked = json.loads(request.body)
        variables = asked["variables"]
        headers = {"x-rate-limit-limit": "6250", "x-rate-limit-remaining": "6000"}
        headers["x-rate-limit-reset"] = "900"
        if "slug" in variables:
            return json_reply({"data": {"post": self._named(variables["slug"])}}, **headers)
        found = self._selected(variables)
        if "totalCount" in asked["query"]:
            return json_reply({"data": {"posts": {"totalCount": len(found)}}}, **headers)
        return json_reply({"data": {"posts": self._page(found, variables)}}, **headers)

    def _named(self, slug: str) -> dict[str, Any] | None:
        return {
            "acme-2": self.launch(20, 45, "games", "acme-2"),
            "acme-classic": self.launch(30, 600_000, "tools", "acme-classic"),
        }.get(slug)

    def _selected(self, variables: dict[str, Any]) -> list[dict[str, Any]]:
        if self.quirk == "empty":
            return []
        after, before = variables.get("postedAfter"), variables.get("postedBefore")
        return [
            node
            for node in self.listed(variables["topic"])
            if not isinstance(node["createdAt"], str)
            or (
                (after is None or _at(node) > datetime.fromisoformat(after))
                and (before is None or _at(node) < datetime.fromisoformat(before))
            )
        ]

    def _page(self, found: list[dict[str, Any]], variables: dict[str, Any]) -> dict[str, Any]:
        start = int(variables["after"] or 0)
        end = start + variables["first"]
        shown = found[start:end]
        has_next = end < len(found)
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        if self.quirk == "endless" and variables["topic"] == "tools":
            shown, has_next = found[:1], True
        info = {"hasNextPage": has_next, "endCursor": str(end)}
        return {"pageInfo": info, "edges": [{"node": node} for node in shown]}


def _at(node: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(node["createdAt"])
