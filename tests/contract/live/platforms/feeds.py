"""RSS and Atom feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any

from extract import rss
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import Reply, Request


@dataclass
class Feeds(Platform):
    """Three feeds, RSS 2.0 and Atom, with entity tags."""

    landed = 12
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
