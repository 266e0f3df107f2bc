"""A DistilBERT of toy size in the shipped layout, for tests that must not wait for the real one.

It is random but for one circuit: the words in `POSITIVE` and `NEGATIVE` pull the label their
way, any other text is neutral. No torch, and less than a second to make.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from udfs.sentiment.quantise import calibrate

POSITIVE = (
    "love", "loved", "loves", "great", "good", "best", "amazing", "excellent", "happy", "perfect",
    "awesome", "wonderful", "fantastic", "nice", "enjoy", "recommend", "brilliant", "smooth", "up",
    "thanks",
)  # fmt: skip
NEGATIVE = (
    "hate", "hated", "hates", "broken", "bad", "worst", "terrible", "awful", "angry", "useless",
    "horrible", "disappointed", "disappointing", "slow", "crash", "crashes", "refund", "scam",
    "poor", "waste", "down", "bug",
)  # fmt: skip
ORDINARY = (
    "the", "a", "an", "and", "or", "but", "not", "no", "this", "that", "it", "its", "is", "was",
    "are", "be", "been", "i", "you", "we", "they", "he", "she", "my", "your", "our", "of", "to",
    "in", "on", "at", "for", "with", "from", "by", "as", "so", "if", "do", "does", "did", "have",
    "has", "had", "will", "would", "can", "could", "just", "very", "really", "today", "yesterday",
    "tomorrow", "new", "old", "first", "last", "one", "two", "all", "some", "time", "day", "week",
    "people", "product", "app", "phone", "shop", "order", "price", "support", "team", "game",
    "music", "user", "http", "rt", "face", "thumbs", "tears", "joy", "red", "heart", "fire",
    "arrives", "arrived", "works", "work", "store", "update", "service", "delivery", "quality",
    "screen", "battery",
)  # fmt: skip
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

_DIM, _LAYERS, _HEADS, _HIDDEN, _POSITIONS = 32, 2, 4, 64, 512
_SOME = ("love", "hate", "great", "broken", "app")
_UP, _DOWN = 0, 1  # the two dimensions that carry praise and complaint


def make_tiny_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Write a toy checkpoint, engine files included, into `folder` (made if need be)."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _vocabulary()
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    config = {
        "architectures": ["DistilBertForSequenceClassification"],
        "model_type": "distilbert",
        "activation": "gelu",
        "attention_dropout": 0.1,
        "dim": _DIM,
        "dropout": 0.1,
        "dtype": "float16",
        "hidden_dim": _HIDDEN,
        "id2label": {"0": "negative", "1": "neutral", "2": "positive"},
        "initializer_range": 0.02,
        "label2id": {"negative": 0, "neutral": 1, "positive": 2},
        "max_position_embeddings": _POSITIONS,
        "n_heads": _HEADS,
        "n_layers": _LAYERS,
        "pad_token_id": 0,
        "seq_classif_dropout": 0.1,
        "sinusoidal_pos_embds": False,
        "tie_weights_": True,
        "vocab_size": len(vocabulary),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "DistilBertTokenizer", "do_lower_case": True}) + "\n",
        encoding="utf-8",
    )
    save_file(_weights(vocabulary, seed), folder / "model.safetensors", metadata={"format": "pt"})
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    card = {"name": "tiny", "sha256": {"model.safetensors": sha256}, "low_confidence_below": 0.5}
    (folder / "model.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    calibrate(folder, [f"I {a} this, the app is {b}!" for a in _SOME for b in _SOME])
    return folder


def _vocabulary() -> list[str]:
    printable = [chr(code) for code in range(33, 127) if not chr(code).isupper()]
    letters = [character for character in printable if character.isalnum()]
    words = [word for word in (*POSITIVE, *NEGATIVE, *ORDINARY) if len(word) > 1]
    return [*SPECIAL, *printable, *(f"##{letter}" for letter in letters), *dict.fromkeys(words)]


def _tokenizer(vocabulary: list[str]) -> Tokenizer:
    index = {piece: position for position, piece in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(index, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", index["[CLS]"]), ("[SEP]", index["[SEP]"])],
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL))
    return tokenizer


def _weights(vocabulary: list[str], seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)

    def noise(*shape: int, scale: float) -> np.ndarray:
        return random.normal(0.0, scale, shape).astype(np.float32)

    words = noise(len(vocabulary), _DIM, scale=1.0)
    words[:, [_UP, _DOWN]] = 0.0
    for position, piece in enumerate(vocabulary):
        if piece in POSITIVE:
            words[position, _UP] = 8.0
        elif piece in NEGATIVE:
            words[position, _DOWN] = 8.0
    weights = {
        "distilbert.embeddings.word_embeddings.weight": words,
        "distilbert.embeddings.position_embeddings.weight": noise(_POSITIONS, _DIM, scale=0.05),
    }
    weights |= _norm("distilbert.embeddings.LayerNorm")
    for layer in range(_LAYERS):
        prefix = f"distilbert.transformer.layer.{layer}"
        for part, rows, columns in (
            ("attention.q_lin", _DIM, _DIM),
            ("attention.k_lin", _DIM, _DIM),
            ("attention.v_lin", _DIM, _DIM),
            ("attention.out_lin", _DIM, _DIM),
            ("ffn.lin1", _HIDDEN, _DIM),
            ("ffn.lin2", _DIM, _HIDDEN),
        ):
            weights[f"{prefix}.{part}.weight"] = noise(rows, columns, scale=0.05)
            weights[f"{prefix}.{part}.bias"] = noise(rows, scale=0.02)
        weights |= _norm(f"{prefix}.sa_layer_norm")
        weights |= _norm(f"{prefix}.output_layer_norm")
    # The circuit: the first layer hands the words' mean praise and complaint to every position.
    for side in (_UP, _DOWN):
        weights["distilbert.transformer.layer.0.attention.v_lin.weight"][side, side] = 3.0
        weights["distilbert.transformer.layer.0.attention.out_lin.weight"][side, side] = 8.0
    weights["pre_classifier.weight"] = np.eye(_DIM, dtype=np.float32)
    weights["pre_classifier.bias"] = np.zeros(_DIM, np.float32)
    head = np.zeros((3, _DIM), np.float32)
    head[0, _UP], head[0, _DOWN] = -1.0, 1.5
    head[2, _UP], head[2, _DOWN] = 1.5, -1.0
    weights["classifier.weight"] = head
    weights["classifier.bias"] = np.array([0.0, 1.5, 0.0], np.float32)
    return {name: np.ascontiguousarray(value.astype(np.float16)) for name, value in weights.items()}


def _norm(name: str) -> dict[str, np.ndarray]:
    return {f"{name}.weight": np.ones(_DIM, np.float32), f"{name}.bias": np.zeros(_DIM, np.float32)}
