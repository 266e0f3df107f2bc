"""Texts in, scores out: what all models share.

A model turns token ids into probabilities. Everything before (what is no text, what holds
nothing, what is in another language, what is too long) and after (windows back to texts, label,
score, status) is here, so that every model means the same by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from udfs.normalise import is_empty, normalise
from udfs.sentiment import windows
from udfs.sentiment.errors import SentimentError
from udfs.sentiment.languages import is_readable

EMBEDDED = "embedded"
HUB_PREFIX = "hub:"

SCORED = "scored"
LOW_CONFIDENCE = "low_confidence"  # scored, and flagged
EMPTY = "empty"  # missing, or nothing but links, @names and punctuation
UNSUPPORTED_LANGUAGE = "unsupported_language"
NOT_TEXT = "not_text"  # a number, bytes, any other object
STATUSES = (SCORED, LOW_CONFIDENCE, EMPTY, UNSUPPORTED_LANGUAGE, NOT_TEXT)

LABELS = ("negative", "neutral", "positive")

# read_ratio: share of the text's characters that was read; below 1 only where windows.py says so.
SCORE_SCHEMA = pa.schema(
    [
        ("p_negative", pa.float32()),
        ("p_neutral", pa.float32()),
        ("p_positive", pa.float32()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("confidence", pa.float32()),
        ("status", pa.string()),
        ("model_revision", pa.string()),
        ("read_ratio", pa.float32()),
    ]
)

_TEXTS_AT_ONCE = 4_096  # enough of every length to fill batches, small enough for memory

Floats = npt.NDArray[np.float32]


class Model(Protocol):
    """What an engine needs of a model."""

    @property
    def revision(self) -> str:
        """Name of everything that a score depends on; fit for a folder's name."""

    @property
    def has_neutral(self) -> bool:
        """False for a model that knows only positive and negative."""

    @property
    def is_english_only(self) -> bool:
        """True if texts in other languages are to be refused."""

    @property
    def low_confidence_below(self) -> float:
        """Scores whose highest probability is lower are flagged."""

    @property
    def window_tokens(self) -> int:
        """How many tokens the model reads at once, its own marks not counted."""

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of normalised texts, without the model's own marks."""

    def probabilities(self, token_windows: Sequence[Sequence[int]]) -> Floats:
        """Return negative, neutral, positive for each window: shape (windows, 3)."""


class Engine:
    """Scores texts with one model."""

    def __init__(self, model: Model) -> None:
        self._model = model

    @property
    def revision(self) -> str:
        """Name of everything that a score depends on: weights, engine, normaliser, rules."""
        return self._model.revision

    def score(self, texts: Sequence[object]) -> pa.Table:
        """Score texts and return a table of `SCORE_SCHEMA`, one row per text in their order.

        Never raises for a text: what cannot be scored has null scores and a status that says why.
        A text's row depends on nothing but the text.
        """
        values: Sequence[object] = texts.to_pylist() if hasattr(texts, "to_pylist") else texts
        parts = [
            self._score_part(values[start : start + _TEXTS_AT_ONCE])
            for start in range(0, len(values), _TEXTS_AT_ONCE)
        ]
        return pa.concat_tables(parts) if parts else SCORE_SCHEMA.empty_table()

    def _score_part(self, texts: Sequence[object]) -> pa.Table:
        part = _Part([_Text() for _ in texts])
        for entry, value in zip(part.texts, texts, strict=True):
            self._prepare(entry, value)
        self._tokenise(part)
        part.probabilities = self._model.probabilities(part.windows)
        return self._table(part)

    def _prepare(self, entry: _Text, value: object) -> None:
        if not isinstance(value, str):
            entry.status = EMPTY if _is_missing(value) else NOT_TEXT
            return
        normal = normalise(value)
        if is_empty(normal):
            entry.status = EMPTY
        elif self._model.is_english_only and not is_readable(normal):
            entry.status = UNSUPPORTED_LANGUAGE
        else:
            entry.readable = windows.readable(normal)

    def _tokenise(self, part: _Part) -> None:
        """Fill in the windows of all texts; most texts are one window."""
        limit = self._model.window_tokens
        pending = [
            (entry, piece)
            for entry in part.texts
            if entry.readable is not None
            for piece in entry.readable.pieces
        ]
        ids_of_pieces = self._model.tokenise([piece for _, piece in pending])
        for (entry, piece), ids in zip(pending, ids_of_pieces, strict=True):
            if len(ids) <= limit:
                pieces = [ids] if ids else []
            else:
                pieces = windows.pack(piece, tokenise=self._model.tokenise, limit=limit)
            entry.windows.extend(range(len(part.windows), len(part.windows) + len(pieces)))
            part.windows.extend(pieces)
        for entry in part.texts:
            if not entry.status:
                entry.status = SCORED if entry.windows else EMPTY

    def _table(self, part: _Part) -> pa.Table:
        count = len(part.texts)
        sides = np.full((count, 3), np.nan, np.float32)
        ratios = np.ones(count, np.float32)
        for row, entry in enumerate(part.texts):
            if entry.windows:
                sides[row] = _combine(part, entry.windows)
            if entry.readable is not None:
                ratios[row] = entry.readable.read_ratio
        is_scored = ~np.isnan(sides[:, 0])
        ranked = np.where(is_scored[:, None], sides, 0.0)
        if not self._model.has_neutral:
            ranked[:, 1] = -1.0
        best = ranked.argmax(axis=1)
        confidence = ranked.max(axis=1)
        names = [LABELS[index] for index in best]
        is_low = confidence < np.float32(self._model.low_confidence_below)
        status = [
            LOW_CONFIDENCE if low and entry.status == SCORED else entry.status
            for entry, low in zip(part.texts, is_low, strict=True)
        ]
        has_neutral = is_scored & self._model.has_neutral
        columns = [
            _floats(sides[:, 0], is_scored),
            _floats(sides[:, 1], has_neutral),
            _floats(sides[:, 2], is_scored),
            _strings(names, is_scored),
            _floats(sides[:, 2] - sides[:, 0], is_scored),
            _floats(confidence, is_scored),
            _strings(status),
            _strings([self.revision] * count),
            _floats(ratios, np.ones(count, bool)),
        ]
        return pa.Table.from_arrays(columns, schema=SCORE_SCHEMA)


@dataclass
class _Text:
    """One text on its way; `windows` are indices into the part's windows."""

    status: str = ""
    readable: windows.Readable | None = None
    windows: list[int] = field(default_factory=list)


@dataclass
class _Part:
    texts: list[_Text]
    windows: list[list[int]] = field(default_factory=list)
    probabilities: Floats = field(default_factory=lambda: np.zeros((0, 3), np.float32))


def _combine(part: _Part, indices: Sequence[int]) -> Floats:
    """Return the mean of a text's windows, weighted by their tokens."""
    if len(indices) == 1:
        only: Floats = part.probabilities[indices[0]]
        return only
    weights = np.array([len(part.windows[index]) for index in indices], np.float64)
    mean = (part.probabilities[list(indices)].astype(np.float64) * weights[:, None]).sum(axis=0)
    result: Floats = (mean / weights.sum()).astype(np.float32)
    return result


# Built from buffers: `pa.array` imports pandas where that is installed, which takes longer than
# loading the model.
def _floats(values: Floats, is_valid: npt.NDArray[np.bool_]) -> pa.Array:
    data = np.where(is_valid, values, 0).astype(np.float32)
    return pa.Array.from_buffers(
        pa.float32(), len(data), [_bitmap(is_valid), pa.py_buffer(data.tobytes())]
    )


def _strings(values: Sequence[str], is_valid: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    encoded = [value.encode() for value in values]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    buffers = [
        None if is_valid is None else _bitmap(is_valid),
        pa.py_buffer(offsets.tobytes()),
        pa.py_buffer(b"".join(encoded)),
    ]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def _bitmap(is_valid: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(is_valid, bitorder="little").tobytes())


def _is_missing(value: object) -> bool:
    if value is None or (isinstance(value, float) and value != value):
        return True
    return type(value).__name__ in {"NAType", "NaTType"}  # pandas, without importing it


def load_engine(
    spec: str = EMBEDDED, *, model_dir: Path | None = None, threads: int | None = None
) -> Engine:
    """Load a model and return its engine.

    `spec` is `embedded`, the model that ships (or another checkpoint of its layout in
    `model_dir`), or `hub:NAME[@REVISION]` or `hub:FOLDER` for any Hugging Face sequence
    classification checkpoint (extra `hub`; hub.py describes the options that may follow).
    `threads` is how many batches are computed at a time, by default one per processor; scores of
    the embedded model do not depend on it. Raises `SentimentError` if the model cannot be used.
    """
    model: Model
    if spec == EMBEDDED:
        from udfs.sentiment.embedded import EmbeddedModel

        model = EmbeddedModel.load(model_dir, threads=threads)
    elif spec.startswith(HUB_PREFIX):
        from udfs.sentiment.hub import load_hub_model

        model = load_hub_model(spec.removeprefix(HUB_PREFIX), threads=threads)
    else:
        raise SentimentError(
            f"unknown sentiment model {spec!r}.",
            "Say `embedded`, or `hub:` and the name or folder of a Hugging Face checkpoint.",
        )
    return Engine(model)
