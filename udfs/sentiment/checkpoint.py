"""The embedded checkpoint on disk: its files, their checksums, its sizes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from udfs.sentiment.errors import SentimentError
from udfs.sentiment.graph import Sizes

EMBEDDED_FOLDER = Path(__file__).parent / "model"
LABELS = ("negative", "neutral", "positive")
DEFAULT_LOW_CONFIDENCE = 0.5
_RESTORE = (
    "Restore the folder from the repository (git checkout -- udfs/sentiment/model), or point the "
    "setting to the folder of another checkpoint."
)


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint; `weights` are views of the file's bytes (float16 or float32)."""

    folder: Path
    sha256: str
    sizes: Sizes
    columns: tuple[int, ...]  # where the model keeps negative, neutral and positive
    low_confidence_below: float
    weights: dict[str, npt.NDArray[np.generic]]


def read(folder: Path) -> Checkpoint:
    """Read and verify a checkpoint of the embedded layout.

    Raises `SentimentError` if a file is missing or damaged, or the model is of another kind.
    """
    card = _json(folder / "model.json")
    config = _json(folder / "config.json")
    weights_file = folder / "model.safetensors"
    content = _bytes(weights_file)
    expected = _checksums(card)
    sha256 = _verify(weights_file, content, expected.get("model.safetensors", ""))
    if "tokenizer.json" in expected:
        tokenizer_file = folder / "tokenizer.json"
        _verify(tokenizer_file, _bytes(tokenizer_file), expected["tokenizer.json"])
    _check_kind(config, folder)
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = load(content)
    except SafetensorError as error:
        raise SentimentError(f"{weights_file} is no safetensors file: {error}.", _RESTORE) from None
    if "classifier.weight" not in weights:
        raise SentimentError(
            f"{weights_file} has no classification head (classifier.weight).",
            "Use a checkpoint that was fine-tuned for sentiment.",
        )
    names = [str(config["id2label"][str(number)]).lower() for number in range(len(LABELS))]
    return Checkpoint(
        folder=folder,
        sha256=sha256,
        sizes=Sizes(
            layers=int(config["n_layers"]),
            heads=int(config["n_heads"]),
            dim=int(config["dim"]),
            labels=len(LABELS),
        ),
        columns=tuple(names.index(label) for label in LABELS),
        low_confidence_below=float(card.get("low_confidence_below", DEFAULT_LOW_CONFIDENCE)),
        weights=weights,
    )


def _checksums(card: dict[str, Any]) -> dict[str, str]:
    """Return the sha256 of each file, as model.json lists them."""
    listed = card.get("sha256", {})
    return dict(listed) if isinstance(listed, dict) else {"model.safetensors": str(listed)}


def _verify(file: Path, content: bytes, expected: str) -> str:
    """Return the sha256 of a file's content, which must be the expected one."""
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected:
        raise SentimentError(
            f"{file} is damaged: its sha256 is {actual}, model.json says {expected or 'nothing'}.",
            _RESTORE,
        )
    return actual


def _check_kind(config: dict[str, Any], folder: Path) -> None:
    names = sorted(str(label).lower() for label in config.get("id2label", {}).values())
    if config.get("model_type") != "distilbert" or config.get("activation", "gelu") != "gelu":
        raise SentimentError(
            f"{folder}: the embedded engine runs DistilBERT with GELU, this is "
            f"{config.get('model_type')!r} with {config.get('activation')!r}.",
            f"Use `hub:{folder}` instead (extra `hub`).",
        )
    if names != sorted(LABELS):
        raise SentimentError(
            f"{folder}: the embedded engine has the labels negative, neutral and positive; this "
            f"model has {', '.join(names) or 'none'}.",
            f"Use `hub:{folder}` instead (extra `hub`).",
        )


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SentimentError(
            f"the sentiment model lacks {file} ({error.strerror}).", _RESTORE
        ) from None


def _json(file: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(_bytes(file))
    except ValueError as error:
        raise SentimentError(f"{file} is not JSON: {error}.", _RESTORE) from None
    if not isinstance(parsed, dict):
        raise SentimentError(f"{file} is not a JSON object.", _RESTORE)
    return parsed
