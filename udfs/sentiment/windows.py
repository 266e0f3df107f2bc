"""Long texts are read in windows of whole sentences, so that none is cut in silence.

The work for one text is bounded: up to `READ_WHOLE_CHARACTERS` it is read completely; beyond,
`EXCERPTS` excerpts spread evenly over it are read (its beginning and its end among them) and
the share that was read is reported. A megabyte costs about as much as 300 posts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

READ_WHOLE_CHARACTERS = 32_768
EXCERPTS = 64
EXCERPT_CHARACTERS = 512

# A sentence ends at . ! ? or an ellipsis, closing quotes included, before white space.
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+")


@dataclass(frozen=True)
class Readable:
    """What of a text is read: pieces in their order, and the share of its characters."""

    pieces: tuple[str, ...]
    read_ratio: float


def readable(text: str) -> Readable:
    """Return the whole text as one piece or, where it is too long, evenly spread excerpts."""
    if len(text) <= READ_WHOLE_CHARACTERS:
        return Readable((text,), 1.0)
    step = (len(text) - EXCERPT_CHARACTERS) / (EXCERPTS - 1)
    pieces = []
    for number in range(EXCERPTS):
        start = round(number * step)
        excerpt = text[start : start + EXCERPT_CHARACTERS]
        is_last = number == EXCERPTS - 1
        pieces.append(_without_broken_words(excerpt, at_start=number > 0, at_end=not is_last))
    return Readable(tuple(pieces), sum(map(len, pieces)) / len(text))


def split_sentences(text: str) -> list[str]:
    """Cut a text after each sentence; the pieces joined by a space are the text again."""
    sentences = []
    start = 0
    for match in _SENTENCE_END.finditer(text):
        sentences.append(text[start : match.end()].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def pack(
    text: str, *, tokenise: Callable[[Sequence[str]], list[list[int]]], limit: int
) -> list[list[int]]:
    """Return the token ids of a text in windows of whole sentences, `limit` ids at most each.

    A sentence that is longer than a window is cut into equal parts. Texts that fit are one
    window, token for token as if they had not passed through here.
    """
    windows: list[list[int]] = []
    current: list[int] = []
    for ids in tokenise(split_sentences(text)):
        for part in _equal_parts(ids, limit):
            if len(current) + len(part) > limit:
                windows.append(current)
                current = []
            current = current + part
    if current:
        windows.append(current)
    return windows


def _equal_parts(ids: list[int], limit: int) -> list[list[int]]:
    if not ids:
        return []
    count = -(-len(ids) // limit)
    size = -(-len(ids) // count)
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _without_broken_words(excerpt: str, *, at_start: bool, at_end: bool) -> str:
    """Drop the words that an excerpt cuts through, unless it is one long word."""
    first, last = excerpt.find(" "), excerpt.rfind(" ")
    if first < 0 or first == last:
        return excerpt
    return excerpt[first + 1 if at_start else 0 : last if at_end else len(excerpt)]
