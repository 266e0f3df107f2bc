"""From trained weights to the folder that ships: averaged, calibrated, rounded, written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import DistilBertForSequenceClassification

from udfs.sentiment.training.data import Example, text_sha256

MODEL_FILE = "model.safetensors"
PREDICTIONS_FILE = "predictions.parquet"
_NO_SOFTENING = 1.0


def average_states(states: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Mean of the weights of runs that began alike.

    Such runs end in one basin, so that their mean is a model, and mostly a better one
    (Wortsman et al. 2022, "Model soups").
    """
    return {
        name: torch.stack([state[name].float() for state in states]).mean(dim=0)
        for name in states[0]
    }


def best_temperature(gold: npt.NDArray[np.int64], logits: npt.NDArray[np.float32]) -> float:
    """Temperature between 0.5 and 3 that minimises the log loss of `logits` (n, 3) on `gold`.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    if not len(gold):
        return _NO_SOFTENING
    candidates = np.geomspace(0.5, 3.0, 181)
    losses = []
    for temperature in candidates:
        scaled = logits.astype(np.float64) / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        log_probabilities = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        losses.append(-log_probabilities[np.arange(len(gold)), gold].mean())
    return float(candidates[int(np.argmin(losses))])


def fold_temperature(model: DistilBertForSequenceClassification, temperature: float) -> None:
    """Divide the classifier's weights, so that a plain softmax is calibrated."""
    with torch.no_grad():
        model.classifier.weight /= temperature
        model.classifier.bias /= temperature


def round_to_half(model: DistilBertForSequenceClassification) -> None:
    """Round every weight to what float16 can hold: figures are then those of what ships."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.half().float())


def probabilities(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Softmax over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: npt.NDArray[np.float32] = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def write_checkpoint(
    model: DistilBertForSequenceClassification, tokenizer: Tokenizer, vocabulary: Path, folder: Path
) -> None:
    """Write a plain Hugging Face checkpoint with float16 weights into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, folder / MODEL_FILE, metadata={"format": "pt"})
    (folder / MODEL_FILE).chmod(0o644)  # safetensors writes files only their owner may read
    config = model.config.to_diff_dict()
    for unneeded in ("transformers_version", "_name_or_path", "torch_dtype"):
        config.pop(unneeded, None)
    config |= {
        "architectures": ["DistilBertForSequenceClassification"],
        "model_type": "distilbert",
        "dtype": "float16",
        "vocab_size": model.config.vocab_size,
        "max_position_embeddings": model.config.max_position_embeddings,
        "id2label": {str(index): label for index, label in model.config.id2label.items()},
        "label2id": model.config.label2id,
        "n_heads": model.config.n_heads,
        "n_layers": model.config.n_layers,
        "dim": model.config.dim,
        "hidden_dim": model.config.hidden_dim,
        "activation": model.config.activation,
        "pad_token_id": 0,
    }
    write_json(config, folder / "config.json")
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(
        {
            "tokenizer_class": "DistilBertTokenizer",
            "do_lower_case": True,
            "model_max_length": 512,
            "model_input_names": ["input_ids", "attention_mask"],
            "unk_token": "[UNK]",
            "sep_token": "[SEP]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
        },
        folder / "tokenizer_config.json",
    )
    if vocabulary.resolve() != (folder / "vocab.txt").resolve():
        shutil.copyfile(vocabulary, folder / "vocab.txt")


def write_predictions(
    parts: Mapping[str, tuple[Sequence[Example], npt.NDArray[np.float32]]], path: Path
) -> None:
    """Store what the model says of each evaluation text: numbers and hashes, never text.

    One row per text: `part`, `text_sha256` (of the normalised text, 32 bytes), `gold`
    (0 negative, 1 neutral, 2 positive) and the three probabilities.
    """
    tables = [
        pa.table(
            {
                "part": pa.array([part] * len(examples), pa.string()).dictionary_encode(),
                "text_sha256": pa.array(
                    [bytes.fromhex(text_sha256(example.text)) for example in examples],
                    pa.binary(32),
                ),
                "gold": pa.array([example.label for example in examples], pa.int8()),
                "p_negative": pa.array(scores[:, 0], pa.float32()),
                "p_neutral": pa.array(scores[:, 1], pa.float32()),
                "p_positive": pa.array(scores[:, 2], pa.float32()),
            }
        )
        for part, (examples, scores) in parts.items()
    ]
    pq.write_table(pa.concat_tables(tables).unify_dictionaries(), path, compression="zstd")


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(content: object, path: Path) -> None:
    """Write indented JSON that ends in a line feed."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
