"""Calibration of the int8 engine: how much of large activations the weights should carry.

    python -m udfs.sentiment.quantise CHECKPOINT [--texts FILE]

For every place where activations meet weights, the exponents below are tried on what the
float32 model computes for a few hundred texts, and the one with the smallest error of the
product is kept. The factors go to `engine.safetensors` beside the weights. Nothing else is
stored: activations are scaled token by token, weights are quantised when the model is loaded.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from udfs.normalise import is_empty, normalise
from udfs.sentiment import checkpoint as checkpoints
from udfs.sentiment import graph
from udfs.sentiment.checkpoint import Checkpoint
from udfs.sentiment.errors import SentimentError

ENGINE_FILE = "engine.safetensors"
ENGINE_FORMAT = "1"

Floats = npt.NDArray[np.float32]

# The share of the spread between channels that moves to the weights; 0 is none.
_EXPONENTS = (0.0, 0.4, 0.5, 0.6, 0.7)
_MOST_TEXTS = 512
_ROWS_PER_SITE = 768
_LARGEST_FACTOR = 64.0


def calibrate(checkpoint_dir: Path, texts: Sequence[str] = ()) -> None:
    """Write the engine's file into a checkpoint folder (config, weights, tokenizer, model.json).

    `texts` are a few hundred of the kind that will be scored; without any, sentences are
    generated. Nothing of them is stored but one factor a channel. Raises `SentimentError` if
    the checkpoint is of another kind or damaged.
    """
    checkpoint = checkpoints.read(checkpoint_dir)
    chosen = _choose(texts or generated_texts(), checkpoint)
    smoothing: dict[str, Floats] = {}
    for site, rows in _activations(checkpoint, chosen).items():
        smoothing[site] = _best_factors(site, rows, checkpoint)
    from safetensors.numpy import save_file

    file = checkpoint_dir / ENGINE_FILE
    metadata = {"format": ENGINE_FORMAT, "model_sha256": checkpoint.sha256}
    temporary = file.with_name(f"{file.name}.tmp")
    save_file(smoothing, temporary, metadata=metadata)
    temporary.chmod(0o644)
    temporary.replace(file)


def read_smoothing(checkpoint: Checkpoint) -> dict[str, Floats]:
    """Read the factors that `calibrate` wrote for exactly these weights."""
    from safetensors import SafetensorError, safe_open

    file = checkpoint.folder / ENGINE_FILE
    remedy = f"Run `python -m udfs.sentiment.quantise {checkpoint.folder}`."
    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
            factors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise SentimentError(f"{file} cannot be read: {error}.", remedy) from None
    if metadata.get("format") != ENGINE_FORMAT:
        raise SentimentError(f"{file} was written by another version of the engine.", remedy)
    if metadata.get("model_sha256") != checkpoint.sha256:
        raise SentimentError(f"{file} was made for other weights than model.safetensors.", remedy)
    return factors


def generated_texts(*, count: int = _MOST_TEXTS, seed: int = 7) -> list[str]:
    """Return made-up posts: enough variety to show which channels are large."""
    draw = random.Random(seed)  # noqa: S311
    texts = []
    for _ in range(count):
        sentences = [_sentence(draw) for _ in range(draw.choice((1, 1, 2, 2, 3)))]
        text = " ".join(sentences)
        if draw.random() < 0.2:
            text = f"@user {text}"
        if draw.random() < 0.3:
            text = f"{text} #{draw.choice(_TOPICS).replace(' ', '')}"
        if draw.random() < 0.2:
            text = f"{text} {draw.choice(_EMOJI)}"
        if draw.random() < 0.15:
            text = f"{text} https://example.com/{draw.randrange(10_000)}"
        if draw.random() < 0.05:
            text = text.upper()
        texts.append(normalise(text))
    return texts


def _sentence(draw: random.Random) -> str:
    pattern = draw.choice(_PATTERNS)
    return pattern.format(
        topic=draw.choice(_TOPICS),
        other=draw.choice(_TOPICS),
        good=draw.choice(_GOOD),
        bad=draw.choice(_BAD),
        when=draw.choice(_WHEN),
        number=draw.randrange(2, 400),
    )


_TOPICS = (
    "phone", "battery", "new update", "delivery", "support team", "coffee machine", "headphones",
    "laptop", "checkout", "train", "film", "concert", "match", "restaurant", "hotel room",
    "winter jacket", "running shoes", "subscription", "app", "game", "keyboard", "airline", "bank",
    "weather", "election debate", "album", "series finale", "price", "packaging", "screen",
    "chat assistant", "dashboard", "payment page", "camera", "school", "garden",
)  # fmt: skip
_GOOD = (
    "great",
    "love it",
    "so much better than expected",
    "a joy to use",
    "worth every cent",
    "absolutely brilliant",
    "pretty good",
    "fast and quiet",
    "the best I have had",
    "not bad at all",
    "made my day",
    "works like a charm",
    "fun",
    "beautiful",
    "reliable",
)  # fmt: skip
_BAD = (
    "terrible",
    "broken again",
    "a complete waste of money",
    "too slow",
    "not what I ordered",
    "the worst",
    "disappointing",
    "overpriced",
    "unusable since yesterday",
    "so annoying",
    "never again",
    "a joke",
    "rude",
    "sad",
    "boring",
)  # fmt: skip
_WHEN = (
    "today", "yesterday", "on Friday", "tomorrow night", "this morning", "last week", "in 2019",
    "at 9pm", "on the 3rd", "after two weeks",
)  # fmt: skip
_PATTERNS = (
    "The {topic} is {good}.",
    "The {topic} is {bad}!",
    "Got my {topic} {when}.",
    "Does anybody know whether the {topic} opens {when}?",
    "I can't believe the {topic}: {bad}...",
    "My {topic} and the {other}, {good} :)",
    "{number} people asked about the {topic} {when}.",
    "ugh, {topic} {bad}",
    "lol the {topic} was {good}, the {other} was {bad}",
    "New {topic} announced {when}, price from ${number}.",
    "If the {topic} is {bad}, ask for a refund.",
    "Thanks for the {topic}, {good}!!",
    "I wanted to like the {topic}, but the {other} is {bad}.",
    "Not sure about the {topic} yet, the {other} seems fine.",
    "Going to see the {topic} {when} w/ friends",
    "\"{good}\", they said about the {topic}. It is {bad}.",
    "RT: {topic} vs {other}, {when}",
    "who else has a {topic} with {number} reviews?",
    "Finally: {good}.",
    "Why is the {topic} {bad}?",
)  # fmt: skip
_EMOJI = ("😂", "😍", "😡", "👍", "😭", "🔥", "❤️", "🙄", "🎉", "👎")


def _choose(texts: Sequence[str], checkpoint: Checkpoint) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(checkpoint.folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    normal = [text for text in map(normalise, texts) if not is_empty(text)]
    if not normal:
        raise SentimentError(
            "no text to calibrate on: all are empty.", "Hand over a few hundred posts."
        )
    if len(normal) > _MOST_TEXTS:
        normal = random.Random(11).sample(normal, _MOST_TEXTS)  # noqa: S311
    return [encoding.ids[:128] for encoding in tokenizer.encode_batch(normal)]


def _activations(checkpoint: Checkpoint, texts: Sequence[Sequence[int]]) -> dict[str, Floats]:
    """Return what enters each site in float32, as a sample of rows (tokens)."""
    from udfs.sentiment.session import Session, batches_of_equal_length

    built = graph.build(checkpoint.weights, checkpoint.sizes, smoothing=None, has_taps=True)
    session = Session(built)
    draw = np.random.default_rng(3)
    tokens = sum(map(len, texts))
    share = min(1.0, _ROWS_PER_SITE / tokens)
    rows: dict[str, list[Floats]] = defaultdict(list)
    for indices in batches_of_equal_length(texts):
        outputs = session.run(np.array([texts[index] for index in indices], np.int64))[1:]
        is_kept = draw.random(len(indices) * len(texts[indices[0]])) < share
        is_kept[0] = True
        for site, values in zip(built.taps, outputs, strict=True):
            rows[site].append(values.reshape(-1, values.shape[-1])[is_kept])
    return {site: np.concatenate(parts) for site, parts in rows.items()}


def _best_factors(site: str, rows: Floats, checkpoint: Checkpoint) -> Floats:
    """Return the factors, shape (channels,), with the smallest squared error of the products."""
    layer, kind = site.split(".")
    prefix = graph.layer_prefix(int(layer))
    weight = np.concatenate(
        [
            checkpoint.weights[f"{prefix}{part}.weight"].astype(np.float32).T
            for part in graph.SITES[kind]
        ],
        axis=1,
    )
    exact = rows @ weight
    best, best_error = np.ones(rows.shape[1], np.float32), np.inf
    for factors in _candidates(rows, weight):
        quantised, scale = graph.quantise_weights(weight * factors[:, None])
        entered = _as_quantised(rows / factors, kind, factors)
        error = float(np.square(entered @ (quantised * scale) - exact).mean())
        if error < best_error:
            best, best_error = factors, error
    return best


def _candidates(rows: Floats, weight: Floats) -> Iterator[Floats]:
    peaks = np.maximum(np.abs(rows).max(axis=0), 1e-4)
    reach = np.maximum(np.abs(weight).max(axis=1), 1e-6)
    for exponent in _EXPONENTS:
        # With and without regard to how large the channel's weights are already.
        for weight_exponent in {0.0, (1 - exponent) if exponent else 0.0}:
            factors = peaks**exponent / reach**weight_exponent
            factors /= np.exp(np.log(factors).mean())
            yield np.clip(factors, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR).astype(np.float32)


def _as_quantised(rows: Floats, kind: str, factors: Floats) -> Floats:
    """Return rows as the engine sees them after rounding to bytes."""
    if kind == "ffn_out":
        peak = np.maximum(rows.max(axis=1, keepdims=True), graph.gelu_floor(factors))
        zero = graph.GELU_ZERO
    else:
        peak = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12)
        zero = graph.SYMMETRIC_ZERO
    steps = np.clip(np.rint(rows / peak * (255 - zero)), -zero, 255 - zero)
    result: Floats = (steps * (peak / np.float32(255 - zero))).astype(np.float32)
    return result


def _main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m udfs.sentiment.quantise",
        description="Write the int8 engine's file into a checkpoint folder.",
    )
    parser.add_argument("checkpoint", type=Path, help="folder with config.json and weights")
    parser.add_argument("--texts", type=Path, help="one text a line; generated ones when absent")
    arguments = parser.parse_args()
    texts: list[str] = []
    if arguments.texts is not None:
        texts = arguments.texts.read_text(encoding="utf-8").splitlines()
    calibrate(arguments.checkpoint, texts)


if __name__ == "__main__":
    _main()
