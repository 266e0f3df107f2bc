"""RSS and Atom documents read as hostile input.

The text is decoded here, the document type is cut off before any parser sees it (so no entity is
ever defined, expanded or fetched), and links other than http and https are taken out. What the
parser can read of a broken document is kept, with the reason.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from extract._outcomes import Answer, RetryError
from extract.base import Json

MAX_ENTRIES = 1_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BARE = ((b"<\x00?\x00", "utf-16-le"), (b"\x00<\x00?", "utf-16-be"))
_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]{0,500}\?>")
_DECLARED = re.compile(
    rb"\A\s*<\?xml\b[^>]{0,300}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']"
)
_ENCODINGS = re.compile(
    r"utf-(8|16|32)|ascii|iso8859|cp125|koi8|shift_jis|euc|gb|big5|mac-|iso2022"
)
"""Text encodings of feeds; others, such as idna, take quadratic time on long bodies."""
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
_DOCTYPE = "<!DOCTYPE"
_UNREADABLE_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_END = re.compile(r"</(?:\w+:)?(?:rss|feed|RDF)\s*>\s*(?:<!--.*?-->\s*)*\Z", re.DOTALL)
_LOOKED_AT = 4_096
_BENIGN = ("CharacterEncodingOverride", "NonXMLContentType")


@dataclass(frozen=True, slots=True)
class Feed:
    """What a document holds. `problem` is why it could not be read as it should, `notes` what
    was refused or repaired in it."""

    title: str
    link: str
    language: str
    entries: list[Json]
    problem: str = ""
    is_cut_off: bool = False
    notes: list[str] = field(default_factory=list)


def parse_feed(answer: Answer) -> Feed:
    """The feed in an answer.

    Raises:
        RetryError: it is no feed at all (a login page, nothing).
    """
    # Only here, so that commands that fetch no feed do not wait for it.
    import feedparser

    notes: list[str] = []
    text = _decoded(answer.body, answer.headers.get("content-type", ""), notes)
    text = _without_doctype(_DECLARATION.sub("", text, count=1), notes)
    if _UNREADABLE_IN_XML.search(text):
        text = _UNREADABLE_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
        notes.append("control characters were replaced")
    parsed = feedparser.parse(
        io.BytesIO(b'<?xml version="1.0" encoding="utf-8"?>' + text.encode("utf-8", "replace")),
        response_headers={"content-type": "application/xml; charset=utf-8"},
        resolve_relative_uris=False,
        sanitize_html=False,
    )
    if not parsed.get("version") and not parsed.get("entries"):
        kind = "HTML" if "<html" in text[:_LOOKED_AT].lower() else "something else"
        raise RetryError(
            f"{answer.url.partition('?')[0]} answers with {kind if text.strip() else 'nothing'} "
            "instead of a feed.",
            "If it stays, correct or remove this feed in the settings.",
        )
    entries = list(parsed.entries)
    problem, is_cut_off = "", False
    if parsed.get("bozo") and type(parsed.get("bozo_exception")).__name__ not in _BENIGN:
        problem = f"malformed: {parsed.get('bozo_exception')}"
        if entries and not _END.search(text[-_LOOKED_AT:]):
            entries.pop()
            is_cut_off = True
            problem += "; it is cut off, its last entry is left for the next fetch"
    if len(entries) > MAX_ENTRIES:
        notes.append(f"only the first {MAX_ENTRIES:,} of {len(entries):,} entries were read")
        entries = entries[:MAX_ENTRIES]
    # As plain dicts: the parser's own answer to `published` may be the date of an update.
    read = [_entry(dict(entry)) for entry in entries]
    refused = sum(len(entry.get("refused_links", ())) for entry in read)
    if refused:
        notes.append(f"{refused} links that are not http or https were taken out")
    head = parsed.get("feed", {})
    return Feed(
        title=_text(head.get("title")),
        link=_text(head.get("link")),
        language=_text(head.get("language")),
        entries=read,
        problem=problem,
        is_cut_off=is_cut_off,
        notes=notes,
    )


def _decoded(body: bytes, content_type: str, notes: list[str]) -> str:
    """The text by its byte order mark, the header, its own declaration, or as UTF-8; what cannot
    be decoded is replaced and noted."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for beginning, name in _BARE:
        if body.startswith(beginning):
            return body.decode(name, "replace")
    charset = _CHARSET.search(content_type)
    declared = _DECLARED.search(body[:_LOOKED_AT])
    named = [charset.group(1)] if charset else []
    named += [declared.group(1).decode("ascii")] if declared else []
    is_narrow = b"\0" not in body[:64]
    for name in [*named, "utf-8"]:
        try:
            if is_narrow and codecs.lookup(name).name.startswith(("utf-16", "utf-32")):
                notes.append(f"it is not in the encoding that it names ({name})")
                continue
            if _ENCODINGS.match(codecs.lookup(name).name):
                return body.decode(name)
            notes.append(f"its encoding {name} is refused")
        except (LookupError, UnicodeError, ValueError):
            notes.append(f"it is not in the encoding that it names ({name})")
    return body.decode("cp1252", "replace")


def _without_doctype(text: str, notes: list[str]) -> str:
    """The document without its document type, which is where entities are defined."""
    start = text[:_LOOKED_AT].upper().find(_DOCTYPE)
    first_element = re.search(r"<[A-Za-z]", text[:_LOOKED_AT])
    if start < 0 or (first_element and first_element.start() < start):
        return text
    depth, end = 0, len(text)
    for match in re.compile(r"[\[\]>]").finditer(text, start):
        sign = match.group()
        depth += {"[": 1, "]": -1}.get(sign, 0)
        if sign == ">" and depth <= 0:
            end = match.end()
            break
    if "<!ENTITY" in text[start:end].upper():
        notes.append("it defines entities, which are refused: they stay unexpanded")
    return text[:start] + text[end:]


def _entry(entry: Mapping[str, Any]) -> Json:
    """What is kept of an entry, as it stands in the feed, HTML included."""
    refused: list[str] = []
    contents = [_text(part.get("value")) for part in entry.get("content", ()) if part]
    kept: Json = {
        "id": _text(entry.get("id")) or None,
        "title": _text(entry.get("title")) or None,
        "link": _link(entry.get("link"), refused),
        "comments_link": _link(entry.get("comments"), refused),
        "author": _text(entry.get("author")) or None,
        "summary": _text(entry.get("summary")) or None,
        "content": max(contents, key=len) if contents else None,
        "tags": [_text(tag.get("term")) for tag in entry.get("tags", ()) if tag.get("term")],
        "published": _text(entry.get("published")) or None,
        "published_at": _instant(entry.get("published_parsed")),
        "updated": _text(entry.get("updated")) or None,
        "updated_at": _instant(entry.get("updated_parsed")),
    }
    if refused:
        kept["refused_links"] = refused
    return kept


def entry_id(entry: Mapping[str, Any]) -> str:
    """The entry's own id, else its link, else a hash of what it says."""
    known = entry.get("id") or entry.get("link")
    if known:
        return str(known)
    said = "|".join(str(entry.get(key)) for key in ("title", "published", "summary"))
    return "sha256:" + hashlib.sha256(said.encode()).hexdigest()


def _text(value: object) -> str:
    """Text that can be written as UTF-8."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _link(value: object, refused: list[str]) -> str | None:
    text = _text(value).strip()
    if not text:
        return None
    try:
        scheme = urlsplit(text).scheme.lower()
    except ValueError:
        scheme = "?"
    if scheme in ("http", "https"):
        return text
    if ":" in text:
        refused.append(text[:500])
    return None


def _instant(parts: Any) -> str | None:  # noqa: ANN401 - struct_time or nothing
    try:
        return datetime.fromtimestamp(timegm(parts), UTC).isoformat().replace("+00:00", "Z")
    except (TypeError, ValueError, OverflowError, OSError):
        return None
