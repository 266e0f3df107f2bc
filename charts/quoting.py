"""What of a record may be shown to readers: its words, its author, an address to click on.

The rule stands here, once, for pictures and for the report. Both may be handed on to anybody, and
the published file may not: it holds more. A platform that is not in the table gets the strictest
rule. Sources of the terms: docs/sources.md.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from charts.style import clean


@dataclass(frozen=True, slots=True)
class Terms:
    """What one platform lets its readers be shown."""

    may_quote_text: bool = False
    may_name_author: bool = False
    """Whether names and handles may be shown."""
    author_id: str = ""
    """Pattern of ids that only the platform can turn into a person; these may be shown."""
    hosts: tuple[str, ...] = ()
    """Where its pages lie, subdomains among them; empty where everybody has a server."""
    page: tuple[str, str] = ("", "")
    """Pattern of an id, without an author in it, and the address of its page."""
    why: str = ""


NO_TERMS = Terms(why="nobody has said what may be shown of it")
TERMS: dict[str, Terms] = {
    "x": Terms(
        author_id=r"\d{1,20}",
        hosts=("x.com", "twitter.com"),
        page=(r"(\d{1,20})", r"https://x.com/i/status/\1"),
        why="ids may be shared, texts may not",
    ),
    "reddit": Terms(
        author_id=r"t2_[0-9a-z]{1,13}",
        hosts=("reddit.com", "redd.it"),
        page=(r"t3_([0-9a-z]{1,13})", r"https://www.reddit.com/comments/\1"),
        why="what is removed there must go everywhere, and a picture cannot",
    ),
    "bluesky": Terms(
        author_id=r"did:plc:[2-7a-z]{24}",
        hosts=("bsky.app",),
        why="posts belong to their authors, who may delete them",
    ),
    "mastodon": Terms(why="each server has rules of its own; ids hold the author's name"),
    "hackernews": Terms(
        hosts=("ycombinator.com",),
        page=(r"(\d{1,12})", r"https://news.ycombinator.com/item?id=\1"),
        why="texts belong to their authors; ids of authors are their names",
    ),
    "producthunt": Terms(
        hosts=("producthunt.com",), why="commercial use needs the platform's permission"
    ),
    "rss": Terms(why="texts belong to their publishers"),
    "steam": Terms(
        author_id=r"7656\d{13}",
        hosts=("steampowered.com", "steamcommunity.com"),
        why="each data set has a licence of its own",
    ),
    "storefront": Terms(may_quote_text=True, why="the shop's own pages show them already"),
    "woocommerce": Terms(may_quote_text=True, why="the shop's own pages show them already"),
}
# Simulated records are nobody's.
_SIMULATED = Terms(may_quote_text=True, may_name_author=True, why="no real person or platform")

_PSEUDONYM = re.compile(r"person_[0-9a-f]{24}")
_LONGEST_URL = 2000
_PRIVATE = frozenset({"local", "localhost", "internal", "lan", "home", "test", "invalid"})
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_SHOWN_DIGITS = 10
# Signs that an address may hold; quotes are none of them.
_UNTOUCHED = "/?:@!$&()*+,;=%-._~"


def terms_of(platform: str | None, *, is_simulated: bool = False) -> Terms:
    """The rule for records of a platform; the strictest for one that is not known."""
    if is_simulated:
        return _SIMULATED
    return TERMS.get((platform or "").strip().lower(), NO_TERMS)


def may_quote(platform: str | None, *, is_simulated: bool = False) -> bool:
    """Whether the words of a record of this platform may be shown."""
    return terms_of(platform, is_simulated=is_simulated).may_quote_text


def quoted(text: str | None, platform: str | None, *, is_simulated: bool = False) -> str | None:
    """The words of a record where they may be shown; None where not, or where there are none.

    Control, format and direction characters are left out. It is still text from outside: a page
    escapes it, a picture draws it through `charts.style.clean`.
    """
    if text is None or not may_quote(platform, is_simulated=is_simulated):
        return None
    kept = "".join(
        character if unicodedata.category(character)[0] not in "CZ" else " " * character.isspace()
        for character in text
    )
    return " ".join(kept.split()) or None


def author_words(
    author_id: str | None, platform: str | None, *, is_simulated: bool = False
) -> str | None:
    """What an author may be called: a pseudonym, an id, or a name where the terms allow one.

    None where nothing of it may be shown; then only the platform is. Long ids are cut in the
    middle: they tell authors apart, and the published file holds them whole.
    """
    if author_id is None:
        return None
    if _PSEUDONYM.fullmatch(author_id):
        return _short(author_id)
    terms = terms_of(platform, is_simulated=is_simulated)
    if terms.may_name_author:
        return _short(clean(author_id)) or None
    if terms.author_id and re.fullmatch(terms.author_id, author_id, re.ASCII):
        return _short(author_id)
    return None


def _short(text: str) -> str:
    if len(text) <= 2 * _SHOWN_DIGITS + 4:
        return text
    return f"{text[: _SHOWN_DIGITS + 3]}…{text[-6:]}"


def post_words(post_id: str | None, platform: str | None) -> str | None:
    """The id of a post where it tells nothing of its author; None where it may."""
    pattern, _ = terms_of(platform).page
    if not pattern or not post_id or not re.fullmatch(pattern, post_id, re.ASCII):
        return None
    return post_id


def link(
    url: str | None,
    platform: str | None,
    *,
    post_id: str | None = None,
    is_simulated: bool = False,
) -> str | None:
    """An address to click on, in ASCII: the record's own if it is safe, else the one of its id.

    Safe is http or https to a public name, for a platform with pages of its own to one of these,
    without a login, a port or a sign that hides where it leads. None where there is no such
    address, and for simulated records, whose ids may be those of real ones. Where the marts left
    an address out because it names an author, an id that names one does not bring it back.
    """
    if is_simulated:
        return None
    terms = terms_of(platform)
    checked = _checked(url, terms.hosts)
    if checked is not None or post_words(post_id, platform) is None:
        return checked
    pattern, page = terms.page
    return re.sub(pattern, page, post_id or "", count=1)


def _checked(url: str | None, hosts: tuple[str, ...]) -> str | None:
    if not url or len(url) > _LONGEST_URL or "\\" in url:
        return None
    if any(unicodedata.category(character)[0] in "CZ" for character in url):
        return None
    try:
        parts = urlsplit(url)
        has_port = parts.port is not None
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
    except (ValueError, UnicodeError):
        return None
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or has_port:
        return None
    if not _is_public_name(host):
        return None
    if hosts and not any(host == each or host.endswith(f".{each}") for each in hosts):
        return None
    path, query, fragment = (
        quote(part, safe=_UNTOUCHED) for part in (parts.path, parts.query, parts.fragment)
    )
    return urlunsplit((parts.scheme, host, path, query, fragment))


def _is_public_name(host: str) -> bool:
    labels = host.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # Addresses in numbers end in one, 127.1 and 0x7f.1 too; no public name does.
    return not labels[-1][0].isdigit() and labels[-1] not in _PRIVATE
