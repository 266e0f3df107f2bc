"""Calibration of the int8 engine: how activations become bytes where they meet weights.

    python -m udfs.sentiment.quantise CHECKPOINT [--texts FILE]

For every such place the choices below are tried on what the float32 model computes for a few
hundred texts, and the ones with the smallest error of the product are kept: how much of large
activations the weights carry, which channels stay float32, how many of GELU's bytes lie below
zero. They go to `engine.safetensors` beside the weights. Nothing else is stored: activations are
scaled token by token, weights are quantised when the model is loaded.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from udfs.normalise import is_empty, normalise
from udfs.sentiment import checkpoint as checkpoints
from udfs.sentiment import graph
from udfs.sentiment.checkpoint import Checkpoint
from udfs.sentiment.errors import SentimentError
from udfs.sentiment.graph import Scales

ENGINE_FILE = "engine.safetensors"
ENGINE_FORMAT = "2"

Floats = npt.NDArray[np.float32]

# The share of the spread between channels that moves to the weights; 0 is none.
_EXPONENTS = (0.0, 0.4, 0.5, 0.6, 0.7)
_MOST_TEXTS = 512
_ROWS_PER_SITE = 768
_LARGEST_FACTOR = 64.0
_KEPT_CHANNELS = 4
_GELU_ZEROS = (16, 24, 32, 48, 64)
_GELU_SHARES = (1.0, 0.7, 0.5, 0.35)  # of the peak at which nothing negative is cut


def calibrate(checkpoint_dir: Path, texts: Sequence[str] = ()) -> None:
    """Write the engine's file into a checkpoint folder (config, weights, tokenizer, model.json).

    `texts` are a few hundred of the kind that will be scored; without any, sentences are
    generated. Nothing of them is stored but one factor a channel. Raises `SentimentError` if
    the checkpoint is of another kind or damaged.
    """
    checkpoint = checkpoints.read(checkpoint_dir)
    chosen = _choose(texts or generated_texts(), checkpoint)
    tensors: dict[str, npt.NDArray[np.generic]] = {}
    for site, rows in _activations(checkpoint, chosen).items():
        scales = _best_scales(site, rows, checkpoint)
        tensors[f"{site}.factors"] = scales.factors
        tensors[f"{site}.kept"] = scales.kept
        tensors[f"{site}.zero"] = np.array([scales.zero], np.int64)
        tensors[f"{site}.floor"] = np.array([scales.floor], np.float32)
    from safetensors.numpy import save_file

    file = checkpoint_dir / ENGINE_FILE
    metadata = {"format": ENGINE_FORMAT, "model_sha256": checkpoint.sha256}
    temporary = file.with_name(f"{file.name}.tmp")
    save_file(tensors, temporary, metadata=metadata)
    temporary.chmod(0o644)
    temporary.replace(file)


def read_scales(checkpoint: Checkpoint) -> dict[str, Scales]:
    """Read what `calibrate` wrote for exactly these weights, by `<layer>.<site>`."""
    from safetensors import SafetensorError, safe_open

    file = checkpoint.folder / ENGINE_FILE
    remedy = f"Run `python -m udfs.sentiment.quantise {checkpoint.folder}`."
    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise SentimentError(f"{file} cannot be read: {error}.", remedy) from None
    if metadata.get("format") != ENGINE_FORMAT:
        raise SentimentError(f"{file} was written by another version of the engine.", remedy)
    if metadata.get("model_sha256") != checkpoint.sha256:
        raise SentimentError(f"{file} was made for other weights than model.safetensors.", remedy)
    return {
        name.removesuffix(".factors"): Scales(
            factors=factors,
            kept=tensors[name.replace(".factors", ".kept")],
            zero=int(tensors[name.replace(".factors", ".zero")][0]),
            floor=float(tensors[name.replace(".factors", ".floor")][0]),
        )
        for name, factors in tensors.items()
        if name.endswith(".factors")
    }


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

    built = graph.build(checkpoint.weights, checkpoint.sizes, scales=None, has_taps=True)
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


def _best_scales(site: str, rows: Floats, checkpoint: Checkpoint) -> Scales:
    """Return the scales with the smallest squared error for `rows`, shape (tokens, channels)."""
    weight = _weight(site, checkpoint)
    kept = _kept_channels(site, rows, weight, checkpoint)
    is_free = np.ones(rows.shape[1], bool)
    is_free[kept] = False
    rows, weight = rows[:, is_free], weight[is_free]
    exact = rows @ weight
    is_gelu = site.endswith("ffn_out")

    def error(scales: Scales) -> float:
        factors = scales.factors[is_free]
        quantised, step = graph.quantise_weights(weight * factors[:, None])
        entered = _as_quantised(rows / factors, scales, is_one_sided=is_gelu)
        return float(np.square(entered @ (quantised * step) - exact).mean())

    def scales(free_factors: Floats) -> Scales:
        factors = np.ones(len(is_free), np.float32)
        factors[is_free] = free_factors
        if not is_gelu:
            return Scales(factors, kept, graph.SYMMETRIC_ZERO, graph.SYMMETRIC_FLOOR)
        zero = _GELU_ZEROS[len(_GELU_ZEROS) // 2]
        return Scales(factors, kept, zero, graph.gelu_floor(factors, zero))

    best = min(map(scales, _candidates(rows, weight)), key=error)
    if not is_gelu:
        return best
    choices = [
        replace(best, zero=zero, floor=share * graph.gelu_floor(best.factors, zero))
        for zero in _GELU_ZEROS
        for share in _GELU_SHARES
    ]
    return min(choices, key=error)


def _weight(site: str, checkpoint: Checkpoint) -> Floats:
    """Return the weights of a site side by side, shape (channels, outputs)."""
    layer, kind = site.split(".")
    prefix = graph.layer_prefix(int(layer))
    parts = [checkpoint.weights[f"{prefix}{part}.weight"] for part in graph.SITES[kind]]
    return np.concatenate([part.astype(np.float32).T for part in parts], axis=1)


def _kept_channels(
    site: str, rows: Floats, weight: Floats, checkpoint: Checkpoint
) -> npt.NDArray[np.int64]:
    layer, kind = site.split(".")
    if kind != "ffn_out" or int(layer) == checkpoint.sizes.layers - 1:
        return np.zeros(0, np.int64)
    reach = np.abs(rows).max(axis=0) * np.abs(weight).max(axis=1)
    return np.sort(np.argsort(-reach, kind="stable")[:_KEPT_CHANNELS])


def _candidates(rows: Floats, weight: Floats) -> Iterator[Floats]:
    peaks = np.maximum(np.abs(rows).max(axis=0), 1e-4)
    reach = np.maximum(np.abs(weight).max(axis=1), 1e-6)
    for exponent in _EXPONENTS:
        # With and without regard to how large the channel's weights are already.
        for weight_exponent in {0.0, (1 - exponent) if exponent else 0.0}:
            factors = peaks**exponent / reach**weight_exponent
            factors /= np.exp(np.log(factors).mean())
            yield np.clip(factors, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR).astype(np.float32)


def _as_quantised(rows: Floats, scales: Scales, *, is_one_sided: bool) -> Floats:
    """Return rows as the engine sees them after rounding to bytes."""
    peak = np.maximum(
        (rows if is_one_sided else np.abs(rows)).max(axis=1, keepdims=True), scales.floor
    )
    most = 255 - scales.zero
    steps = np.clip(np.rint(rows / peak * most), -scales.zero, most)
    result: Floats = (steps * (peak / np.float32(most))).astype(np.float32)
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
