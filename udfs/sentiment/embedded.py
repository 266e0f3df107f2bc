"""The model that ships, on a CPU, in int8."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from udfs.normalise import NORMALISER_REVISION
from udfs.sentiment import checkpoint as checkpoints
from udfs.sentiment import graph, quantise
from udfs.sentiment.checkpoint import Checkpoint
from udfs.sentiment.errors import SentimentError
from udfs.sentiment.languages import RULE_REVISION
from udfs.sentiment.session import Session, batches_of_equal_length, is_saturating

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Raise it when graph.py, windows.py or engine.py change what a text's score is.
ENGINE_REVISION = "2"

# The model was trained on tweets and sentences: windows are of their kind, not of the 512 tokens
# that its positions would allow.
WINDOW_TOKENS = 94

Floats = npt.NDArray[np.float32]


class EmbeddedModel:
    """A DistilBERT classifier run by onnxruntime; see graph.py for how and why."""

    has_neutral = True
    is_english_only = True
    window_tokens = WINDOW_TOKENS

    def __init__(
        self, checkpoint: Checkpoint, *, threads: int | None, is_reference: bool = False
    ) -> None:
        scales = None if is_reference else quantise.read_scales(checkpoint)
        self.revision = _revision(checkpoint, is_reference=is_reference)
        self.low_confidence_below = checkpoint.low_confidence_below
        self._columns = list(checkpoint.columns)
        self._tokenizer = _tokenizer(checkpoint)
        self._first, self._last = _marks(self._tokenizer, checkpoint)
        self._session = Session(
            graph.build(
                checkpoint.weights,
                checkpoint.sizes,
                scales=scales,
                is_saturating=not is_reference and is_saturating(),
            )
        )
        count = _thread_count(threads)
        self._pool = ThreadPoolExecutor(count) if count > 1 else None

    @classmethod
    def load(
        cls, folder: Path | None = None, *, threads: int | None = None, is_reference: bool = False
    ) -> EmbeddedModel:
        """Load a checkpoint of the embedded layout; `is_reference` computes in float32.

        Raises `SentimentError` for missing, damaged or unfit files.
        """
        # The first score is wanted soon: libraries load while the weights are read and verified.
        with ThreadPoolExecutor(1) as helper:
            warm = helper.submit(_warm_up)
            checkpoint = checkpoints.read(folder or checkpoints.EMBEDDED_FOLDER)
            warm.result()
        return cls(checkpoint, threads=threads, is_reference=is_reference)

    def tokenise(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of normalised texts, without [CLS] and [SEP]."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def probabilities(self, token_windows: Sequence[Sequence[int]]) -> Floats:
        """Return negative, neutral, positive for each window: shape (windows, 3)."""
        result = np.zeros((len(token_windows), 3), np.float32)

        def run(indices: list[int]) -> None:
            ids = [[self._first, *token_windows[index], self._last] for index in indices]
            rows = self._session.run(np.array(ids, np.int64))[0]
            result[indices] = rows[: len(indices), self._columns]

        batches = batches_of_equal_length(token_windows)
        if self._pool is None:
            for indices in batches:
                run(indices)
        else:
            for _ in self._pool.map(run, batches):
                pass
        return result


def _warm_up() -> None:
    import onnxruntime  # noqa: F401  # loaded for its effect
    import tokenizers  # noqa: F401


def _revision(checkpoint: Checkpoint, *, is_reference: bool) -> str:
    engine = "fp32"
    if not is_reference:
        factors = (checkpoint.folder / quantise.ENGINE_FILE).read_bytes()
        engine = f"int8-{hashlib.sha256(factors).hexdigest()[:8]}"
    return (
        f"embedded-{checkpoint.sha256[:12]}-{engine}-e{ENGINE_REVISION}"
        f"-l{RULE_REVISION}-n{NORMALISER_REVISION}"
    )


def _thread_count(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if threads < 1:
        raise SentimentError(f"threads must be 1 or more, not {threads}.", "Leave the setting out.")
    return threads


def _tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    from tokenizers import Tokenizer

    file = checkpoint.folder / "tokenizer.json"
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001  # what the package tokenizers raises
        raise SentimentError(
            f"{file} cannot be read: {error}.",
            "Restore the folder from the repository (git checkout -- udfs/sentiment/model).",
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _marks(tokenizer: Tokenizer, checkpoint: Checkpoint) -> tuple[int, int]:
    """Return the ids of [CLS] and [SEP]; the vocabulary must fit the embeddings."""
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    rows = checkpoint.weights["distilbert.embeddings.word_embeddings.weight"].shape[0]
    if first is None or last is None or tokenizer.get_vocab_size() > rows:
        raise SentimentError(
            f"{checkpoint.folder / 'tokenizer.json'} does not belong to these weights: "
            f"{tokenizer.get_vocab_size()} pieces for {rows} embeddings.",
            "Copy tokenizer.json from where the weights come from.",
        )
    return first, last
