"""Pages of GitHub: what an answer must look like, its `Link` header, and stars read backwards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from extract._outcomes import Answer, RetryError, parse_json
from extract.base import Json

LISTED_PAGES = 400
LISTED_STARS = 40_000
"""GitHub shows no page of stargazers beyond the 400th, of 100 each."""
_LINK = re.compile(r"<(?P<url>[^<>]*)>\s*;[^,<]*?\brel\s*=\s*\"?(?P<rel>[a-z]+)")


def page_of(answer: Answer, rel: str) -> int | None:
    """The number of the page that `Link` calls next, prev, last or first; its address is not
    followed, so that an answer cannot send us elsewhere."""
    for match in _LINK.finditer(answer.headers.get("link", "")):
        if match["rel"] == rel:
            (number,) = parse_qs(urlsplit(match["url"]).query).get("page", [""])[:1]
            return int(number) if number.isascii() and number.isdigit() else None
    return None


def epoch(text: object) -> int | None:
    """Seconds since 1970 of an ISO instant; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return max(0, int(instant.timestamp()))


def check_record(answer: Answer) -> Json:
    """A repository's own record."""
    content = parse_json(answer)
    is_record = isinstance(content, dict) and isinstance(content.get("full_name"), str)
    if not is_record or not _is_id(content.get("id")):
        raise _strange("a repository")
    if not _is_id(content.get("stargazers_count")):
        raise _strange("a repository with its stars")
    return dict(content)


def check_issues(answer: Answer) -> Json:
    """The count of a search for issues."""
    content = parse_json(answer)
    if not isinstance(content, dict) or not _is_id(content.get("total_count")):
        raise _strange("a count of issues")
    return dict(content)


def check_found(answer: Answer) -> Json:
    """Repositories found by a search."""
    content = parse_json(answer)
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise _strange("repositories")
    if items and not any(isinstance(item, dict) and "full_name" in item for item in items):
        raise _strange("repositories")
    return dict(content)


def check_releases(answer: Answer, *, page: int) -> list[Any]:
    """A page of releases."""
    items = _listed(answer, "releases", ("tag_name", "id"))
    following = page_of(answer, "next")
    if following is not None and following != page + 1:
        raise _strange(f"page {page} of the releases")
    return items


def check_stars(answer: Answer, *, page: int) -> list[Any]:
    """A page of stargazers with their dates."""
    items = _listed(answer, "stars with their dates", ("starred_at", "user"))
    before = page_of(answer, "prev")
    # Beyond the end the page before is the last one that holds any.
    if items and before is not None and before != page - 1:
        raise _strange(f"page {page} of the stars")
    return items


def _listed(answer: Answer, what: str, fields: Iterable[str]) -> list[Any]:
    content = parse_json(answer)
    if not isinstance(content, list):
        raise _strange(what)
    wanted = set(fields)
    if content and not any(isinstance(item, dict) and wanted & set(item) for item in content):
        raise _strange(what)
    return content


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _strange(what: str) -> RetryError:
    return RetryError(
        f"github: the answer is not {what} as asked for.",
        "Run again; if it stays, check sources.github.base_url and any cache before it.",
    )


@dataclass(slots=True)
class Stars:
    """A walk over the stars of a repository from the last page to the first.

    A page holds stars of rising age from bottom to top; those of its oldest second may go on in
    the page before, so they are carried there. A star that is taken back meanwhile moves others
    to the page before, which is still to come: none is lost.
    """

    page: int
    floor: int
    covered_until: str
    carried: dict[str, int] = field(default_factory=dict)
    met: list[str] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        resume: Json | None,
        *,
        known_until: int | None,
        since: datetime | None,
        overlap_hours: int,
        count: int,
        page_size: int,
        now: datetime,
    ) -> Stars:
        if resume is not None:
            return cls(
                int(resume["page"]),
                int(resume["floor"]),
                str(resume["covered_until"]),
                dict(resume["carried"]),
            )
        floor = 0 if known_until is None else max(0, known_until - overlap_hours * 3600)
        if since is not None:
            floor = max(0, int(since.timestamp()))
        pages = -(-count // page_size)
        # All that was given before today is in the list; beyond its cap only what it reaches.
        until = f"{now.astimezone(UTC):%Y-%m-%dT00:00:00Z}" if pages <= LISTED_PAGES else ""
        return cls(max(1, min(pages, LISTED_PAGES)), floor, until)

    def take(
        self, items: list[Any], *, is_unchanged: bool
    ) -> tuple[dict[str, int], list[str], bool]:
        """Stars by second that are complete now, dates that are none, and whether that is all."""
        rejects: list[str] = []
        groups = dict(self.carried)
        for item in items:
            text = item.get("starred_at") if isinstance(item, dict) else None
            if epoch(text) is None:
                # Never the whole item: it names the person.
                rejects.append(repr(text)[:100])
                continue
            groups[str(text)] = groups.get(str(text), 0) + 1
        self.met = list(groups)
        seconds = {text: epoch(text) or 0 for text in groups}
        if not self.covered_until and seconds:
            self.covered_until = max(groups, key=lambda text: seconds[text])
        oldest = min(seconds.values(), default=None)
        is_end = is_unchanged or self.page == 1 or (oldest is not None and oldest < self.floor)
        held = "" if is_end or oldest is None else min(groups, key=lambda text: seconds[text])
        done = {
            text: count
            for text, count in groups.items()
            if text != held and seconds[text] >= self.floor
        }
        self.carried = {held: groups[held]} if held else {}
        return done, rejects, is_end

    def resume(self) -> Json:
        """Where the next page is."""
        return {
            "page": self.page - 1,
            "floor": self.floor,
            "covered_until": self.covered_until,
            "carried": self.carried,
        }
