"""GitHub's REST API: entity tags, numbered pages with `Link`, a search."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from extract import github
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import Reply, Request, json_reply

IDS = {"acme/one": 101, "acme/two": 102}
_STARS = {"acme/one": [4_000, 300, 90, 90, 60, 7, 5], "acme/two": [500, 60, 9]}
_RELEASES = {"acme/one": [400, 200, 90, 30, 9], "acme/two": [70, 6]}


@dataclass
class GitHub(Platform):
    """Two repositories with releases and stars, two of which share a second, and a topic."""

    landed = 28
    """Two repositories and their issue counts; 7 releases; 6 + 3 seconds with stars, one of
    them over two pages, and how far each list is complete; 6 more repositories of the topic."""
    source: Any = github
    size: int = 3

    def settings(self, **changes: Any) -> Any:
        base = {
            "base_url": self.url,
            # A tracked repository has counts at least: nothing at all comes of topics alone.
            "repositories": () if self.quirk == "empty" else tuple(IDS),
            "topics": ("acme-tools",),
            "page_size": self.size,
            "pace_s": 0.5,
        }
        return github.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        if request.path == "/rate_limit":
            return json_reply({"resources": {"core": {"limit": 60, "remaining": 60}}})
        if request.path.startswith("/search/"):
            return self._search(request)
        _, repos, owner, name, *rest = request.path.split("/")
        assert repos == "repos", request.path
        full_name = f"{owner}/{name}"
        if full_name not in IDS:
            return json_reply({"message": "Not Found"}, 404)
        assert "x-github-api-version" in request.headers
        if rest == ["releases"]:
            return self._page(request, self.releases(full_name))
        if rest == ["stargazers"]:
            assert request.headers["accept"] == "application/vnd.github.star+json"
            return self._page(request, self.stars(full_name))
        assert rest == []
        return tagged(request, self.record(full_name))

    def record(self, full_name: str) -> dict[str, Any]:
        record: dict[str, Any] = {
            "id": IDS[full_name],
            "full_name": full_name,
            "name": full_name.partition("/")[2],
            "owner": {"login": "acme", "type": "Organization"},
            "stargazers_count": len(_STARS[full_name]),
            "forks_count": 4,
            "subscribers_count": 2,
            "open_issues_count": 5,
            "topics": ["acme-tools"],
            "created_at": "2020-01-01T00:00:00Z",
        }
        if self.quirk == "unknown_fields":
            record["brand_new"] = {"deeply": [{"nested": 1}]}
        return record

    def releases(self, full_name: str) -> list[dict[str, Any]]:
        """Newest first, as GitHub lists them."""
        found = []
        for number, minutes in enumerate(reversed(_RELEASES[full_name])):
            edited = " (edited)" if self.edits and number == 0 else ""
            item = {
                "id": IDS[full_name] * 1000 + len(_RELEASES[full_name]) - number,
                "tag_name": f"v{len(_RELEASES[full_name]) - number}",
                "name": f"Release{edited}",
                "body": "What is new",
                "draft": False,
                "prerelease": number == 1,
                "author": {"login": "maintainer"},
                "created_at": f"{ago(minutes=minutes + 1):%Y-%m-%dT%H:%M:%SZ}",
                "published_at": f"{ago(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}",
            }
            if self.quirk == "missing_fields" and item["id"] == 101_004:
                del item["id"]
            if self.quirk == "wrong_types" and number == 1:
                item |= {"published_at": 7, "draft": "no"}
            if self.quirk == "future" and number == 0:
                item["published_at"] = "2076-01-01T00:00:00Z"
            found.append(item)
        return found[self.hidden if full_name == "acme/one" else 0 :]

    def stars(self, full_name: str) -> list[dict[str, Any]]:
        """Oldest first, as GitHub lists them."""
        found: list[dict[str, Any]] = []
        for number, minutes in enumerate(_STARS[full_name]):
            person = {"login": f"somebody{number}", "id": 900 + number}
            item = {"starred_at": f"{ago(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}", "user": person}
            if self.quirk == "wrong_types" and number == 1 and full_name == "acme/one":
                item["starred_at"] = 5  # type: ignore[assignment]
            if self.quirk == "missing_fields" and number == 1 and full_name == "acme/one":
                del item["starred_at"]
            found.append(item)
        return found[: len(found) - self.hidden] if full_name == "acme/one" else found

    def _search(self, request: Request) -> Reply:
        if request.path == "/search/issues":
            somebody = {"id": 1, "title": "somebody's words", "user": {"login": "somebody"}}
            return json_reply({"total_count": 3, "incomplete_results": False, "items": [somebody]})
        items = [
            {**self.record("acme/one"), "id": identifier, "full_name": name, "score": 1.0}
            for name, identifier in [*IDS.items(), *((f"else/{n}", 200 + n) for n in range(6))]
        ]
        if self.quirk == "reordered":
            items.reverse()
        shown = {"total_count": len(items), "incomplete_results": False, "items": items}
        if self.quirk == "empty":
            shown["items"] = []
        return json_reply(shown)

    def _page(self, request: Request, items: list[dict[str, Any]]) -> Reply:
        """A numbered page with links to its neighbours."""
        size, number = int(request.query["per_page"]), int(request.query["page"])
        last = max(1, -(-len(items) // size))
        shown = items[(number - 1) * size : number * size]
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated" and request.path.endswith("releases"):
            shown = [*shown, *shown[:2]]
        is_endless = self.quirk == "endless" and request.path.endswith("releases")
        if is_endless:
            shown, last = items[:size], number + 1
        links = {"next": number + 1, "last": last} if number < last else {}
        links |= {"prev": number - 1, "first": 1} if number > 1 else {}
        # A host of its own, as behind a proxy: nobody may follow these addresses.
        base = f"https://api.github.com/repositories/1{request.path[-6:]}?per_page={size}"
        link = ", ".join(f'<{base}&page={n}>; rel="{rel}"' for rel, n in links.items())
        return tagged(request, shown, **({"link": link} if link else {}))


def tagged(request: Request, content: Any, **headers: str) -> Reply:
    """An answer under its entity tag; without a body if the client has it."""
    digest = hashlib.sha256(json.dumps([content, headers], sort_keys=True).encode()).hexdigest()
    tag = f'W/"{digest[:16]}"'
    if request.headers.get("if-none-match") == tag:
        return Reply(304, headers={"etag": tag})
    return json_reply(content, etag=tag, **headers)
