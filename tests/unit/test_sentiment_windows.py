"""Long texts in windows of whole sentences."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.sentiment import windows


def _characters(texts: Sequence[str]) -> list[list[int]]:
    return [[ord(character) for character in text if character != " "] for text in texts]


def test_sentences() -> None:
    text = 'It broke. "Really?" he asked! Yes... at 3.50 pm'
    sentences = windows.split_sentences(text)
    assert " ".join(sentences) == text
    assert sentences == ["It broke.", '"Really?"', "he asked!", "Yes...", "at 3.50 pm"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(alphabet="abc.!? ", min_size=1, max_size=60), min_size=1, max_size=12),
    st.integers(1, 20),
)
def test_no_token_is_lost_and_no_window_too_long(parts: list[str], limit: int) -> None:
    text = " ".join(" ".join(parts).split())
    packed = windows.pack(text, tokenise=_characters, limit=limit)
    assert [token for window in packed for token in window] == _characters([text])[0]
    assert all(0 < len(window) <= limit for window in packed)


def test_windows_end_where_sentences_end() -> None:
    packed = windows.pack("aaa. bbbb. cc. dd.", tokenise=_characters, limit=9)
    assert ["".join(map(chr, window)) for window in packed] == ["aaa.bbbb.", "cc.dd."]


def test_work_is_bounded_and_covers_both_ends() -> None:
    text = "first " + "word " * 300_000 + "last"
    found = windows.readable(text)
    assert len(found.pieces) == windows.EXCERPTS
    assert found.pieces[0].startswith("first ")
    assert found.pieces[-1].endswith(" last")
    assert sum(map(len, found.pieces)) <= windows.EXCERPTS * windows.EXCERPT_CHARACTERS
    assert 0 < found.read_ratio < 0.05
    whole = "a" * windows.READ_WHOLE_CHARACTERS
    assert windows.readable(whole) == windows.Readable((whole,), 1.0)
