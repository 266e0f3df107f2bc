"""Which texts may mention the catalogue: the door of a stream that carries everything.

SQL decides later what a post mentions (macros/words.sql and int_posts__product_mentions). This
matcher is quicker and coarser: whatever SQL would match passes, and little else. Both sides are
folded alike (case, accents, apostrophes, entities), words of a term may stand apart by anything
that is no letter, and only where a letter surely ends a word does it count as a boundary.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from extract._queries import catalogue_terms
from extract.base import Product

_LAST_BOUNDED = 0x600
"""Beyond are scripts that write words without blanks, and others where SQL may split elsewhere."""
_SIGNS = "#$@"
_LOOKALIKES = str.maketrans("＃＠＄", "#@$")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&#39;", " "), ("&#x200b;", " "), ("&amp;", "&"))
_APOSTROPHES = re.compile("['’ʼ]")
_MARKS = re.compile("[\u0300-\u036f]+")


def _letters() -> str:
    """A character class, without brackets, of what is part of a word on either side of it."""
    found = [c for c in map(chr, range(_LAST_BOUNDED)) if c.isalnum() and c != "ʼ"]
    ranges: list[list[int]] = []
    for number in sorted({*map(ord, found), ord("_")}):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in ranges)


LETTERS = _letters()
_TOKENS = re.compile(f"[{LETTERS}]+|[^\\x00-\\x7f{LETTERS}]")
_GAP = f"[^{LETTERS}]*"
# An address in Latin letters ends where another letter begins, so no boundary can be relied on.
_ADDRESS = re.compile(r"@[\w-]+[.][\w.-]*[^\x00-\x7f]", re.ASCII)


def folded(text: str) -> str:
    """A text in the form that is compared: coarser than SQL's in every respect."""
    if text.isascii():
        text = text.lower()
    else:
        text = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
        text = _MARKS.sub("", text.translate(_LOOKALIKES))
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    return _APOSTROPHES.sub(" ", text)


@dataclass(frozen=True, slots=True)
class _Term:
    """One term: with word boundaries, and anywhere."""

    bounded: re.Pattern[str]
    anywhere: re.Pattern[str]


@dataclass(slots=True)
class Mentions:
    """A compiled catalogue. Terms are found by the first word of each, so that a text costs the
    same whether ten terms are tracked or ten thousand."""

    terms: list[str]
    _by_first: dict[str, list[_Term]] = field(default_factory=dict)
    _all: list[_Term] = field(default_factory=list)
    _firsts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for term in dict.fromkeys(self.terms):
            self._add(folded(term.strip()))
        self._firsts = frozenset(self._by_first)

    def _add(self, term: str) -> None:
        sign = term[:1] if term[:1] in _SIGNS else ""
        # Runs of letters that end words, and every other letter by itself.
        atoms = [atom for atom in _TOKENS.findall(term) if _is_solid(atom)]
        if not atoms:
            return
        if not term.startswith(sign + atoms[0]):
            # What stands between belongs to no word, so the sign to none either.
            sign = ""
        body = _GAP.join(map(re.escape, atoms))
        before = re.escape(sign) if sign else _edge(atoms[0][0], "(?<!")
        compiled = _Term(
            re.compile(f"{before}{body}{_edge(atoms[-1][-1], '(?!')}"),
            re.compile(re.escape(sign) + body),
        )
        self._all.append(compiled)
        # As a hashtag the words of a term may be written as one.
        first = ""
        for atom in atoms:
            first += atom
            self._by_first.setdefault(first, []).append(compiled)
            if not _is_bounded(atom[0]):
                break

    def match(self, text: str) -> bool:
        """Whether a text may mention the catalogue."""
        written, text = text, folded(text)
        tokens = _TOKENS.findall(text)
        if not self._firsts.isdisjoint(tokens):
            for first in self._firsts.intersection(tokens):
                if any(term.bounded.search(text) for term in self._by_first[first]):
                    return True
        if "@" in text and not written.isascii() and _ADDRESS.search(written):
            return any(term.anywhere.search(text) for term in self._all)
        return False

    def match_parts(self, text: str, tags: Sequence[str]) -> bool:
        """Whether a text with tags that stand beside it may mention the catalogue."""
        if self.match(text):
            return True
        if not tags:
            return False
        lower = text.lower()
        beside = [tag for tag in tags if f"#{tag.lower()}" not in lower]
        return any(
            self.match(f"{text}\n\n{' '.join('#' + tag for tag in chosen)}")
            for chosen in (beside, tags)
        )


def mentions_of(catalogue: Iterable[Product], queries: Sequence[str] = ()) -> Mentions:
    """The matcher of a catalogue, or of own terms in its place."""
    return Mentions(list(queries) or catalogue_terms(catalogue))


def _is_bounded(character: str) -> bool:
    return ord(character) < _LAST_BOUNDED and (character.isalnum() or character == "_")


def _is_solid(atom: str) -> bool:
    """Whether SQL takes it for a part of a word: letters, numbers and marks."""
    return _is_bounded(atom[0]) or unicodedata.category(atom[0])[0] in "LNM"


def _edge(character: str, look: str) -> str:
    """What may not stand beside the end of a term."""
    return f"{look}[{LETTERS}])" if _is_bounded(character) else ""
