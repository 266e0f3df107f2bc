"""Any Hugging Face classifier: by folder, in any order of labels, or refused with the remedy."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import tiny_checkpoint
from udfs.sentiment import hub
from udfs.sentiment.engine import SCORE_SCHEMA, load_engine
from udfs.sentiment.errors import SentimentError

TEXTS = ["I love this app", "I hate it , broken", "the order arrived today", "", None]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint.make_tiny_checkpoint(tmp_path_factory.mktemp("tiny"))


def _with_config(source: Path, target: Path, **changes: object) -> Path:
    folder = shutil.copytree(source, target)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def _two_classes(source: Path, target: Path) -> Path:
    """The same checkpoint without its neutral class, labelled as SST-2 checkpoints are."""
    from safetensors.numpy import load_file, save_file

    folder = _with_config(
        source,
        target,
        id2label={"0": "NEGATIVE", "1": "POSITIVE"},
        label2id={"NEGATIVE": 0, "POSITIVE": 1},
    )
    weights = load_file(folder / "model.safetensors")
    for name in ("classifier.weight", "classifier.bias"):
        weights[name] = np.ascontiguousarray(weights[name][[0, 2]])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_a_folder_scores_like_the_embedded_engine(tiny: Path) -> None:
    slow = load_engine(f"hub:{tiny}").score(TEXTS)
    fast = load_engine(model_dir=tiny).score(TEXTS)
    assert slow.schema == SCORE_SCHEMA
    assert slow.column("label").to_pylist() == fast.column("label").to_pylist()
    assert slow.column("status").to_pylist() == fast.column("status").to_pylist()
    gap = slow.column("score").to_numpy()[:3] - fast.column("score").to_numpy()[:3]
    assert np.abs(gap).max() < 0.02


def test_two_classes_leave_neutral_null(tiny: Path, tmp_path: Path) -> None:
    rows = load_engine(f"hub:{_two_classes(tiny, tmp_path / 'two')}").score(TEXTS).to_pylist()
    assert [row["label"] for row in rows[:2]] == ["positive", "negative"]
    assert rows[2]["label"] in {"positive", "negative"}
    assert all(row["p_neutral"] is None for row in rows)
    assert abs(rows[0]["p_positive"] + rows[0]["p_negative"] - 1) < 1e-5
    assert rows[2]["score"] == pytest.approx(rows[2]["p_positive"] - rows[2]["p_negative"])


def test_other_order_of_labels(tiny: Path, tmp_path: Path) -> None:
    folder = _with_config(tiny, tmp_path / "turned", id2label={"0": "pos", "1": "NEU", "2": "neg"})
    labels = load_engine(f"hub:{folder}").score(TEXTS[:3]).column("label").to_pylist()
    assert labels == ["negative", "positive", "neutral"]


def test_names_that_say_nothing_need_the_setting(tiny: Path, tmp_path: Path) -> None:
    names = {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}
    folder = _with_config(tiny, tmp_path / "nameless", id2label=names)
    with pytest.raises(SentimentError) as caught:
        load_engine(f"hub:{folder}")
    assert "LABEL_0" in caught.value.message
    assert "labels=negative,neutral,positive" in caught.value.remedy
    engine = load_engine(f"hub:{folder};labels=negative,neutral,positive")
    assert engine.score(TEXTS[:2]).column("label").to_pylist() == ["positive", "negative"]


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        (["NEGATIVE", "POSITIVE"], ("negative", "positive")),
        (["positive", "negative", "neutral"], ("positive", "negative", "neutral")),
        (["NEU", "POS", "NEG"], ("neutral", "positive", "negative")),
        (
            ["1 star", "2 stars", "3 stars", "4 stars", "5 stars"],
            ("negative", "negative", "neutral", "positive", "positive"),
        ),
        (
            ["Very Negative", "Negative", "Neutral", "Positive", "Very Positive"],
            ("negative", "negative", "neutral", "positive", "positive"),
        ),
    ],
)
def test_sides_by_name(names: list[str], sides: tuple[str, ...]) -> None:
    assert hub.sides_of(dict(enumerate(names)), (), name="x") == sides


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["LABEL_0", "LABEL_1"], ()),
        (["joy", "anger", "fear"], ()),
        (["neutral", "positive"], ()),
        (["LABEL_0", "LABEL_1"], ("negative", "neutral", "positive")),
    ],
)
def test_sides_that_cannot_be_told(names: list[str], labels: tuple[str, ...]) -> None:
    with pytest.raises(SentimentError) as caught:
        hub.sides_of(dict(enumerate(names)), labels, name="x")
    assert caught.value.remedy


def test_a_checkpoint_without_head_is_refused(tiny: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(tiny, tmp_path / "headless")
    weights = load_file(folder / "model.safetensors")
    body = {name: value for name, value in weights.items() if "classifier" not in name}
    save_file(body, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SentimentError, match="classification head"):
        load_engine(f"hub:{folder}")


def test_long_texts_are_read_in_windows(tiny: Path) -> None:
    text = "The order arrived today. " * 150 + "I hate it, broken and terrible. " * 100
    row = load_engine(f"hub:{tiny}").score([text]).to_pylist()[0]
    assert row["status"] in {"scored", "low_confidence"}
    assert row["read_ratio"] == 1.0


def test_languages_setting(tiny: Path) -> None:
    german = ["Das Produkt ist kaputt und der Kundendienst antwortet nicht"]
    every = load_engine(f"hub:{tiny}").score(german).column("status")[0].as_py()
    english = load_engine(f"hub:{tiny};languages=en").score(german).column("status")[0].as_py()
    assert every != "unsupported_language"
    assert english == "unsupported_language"


def test_an_unreachable_hub_fails_at_once_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(SentimentError, match="cannot be reached") as caught:
        load_engine(f"hub:{hub.DOCUMENTED}")
    assert "hub:FOLDER" in caught.value.remedy


def test_a_missing_extra_names_the_command(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(SentimentError) as caught:
        load_engine(f"hub:{tiny}")
    assert ".[hub]" in caught.value.remedy


@pytest.mark.parametrize(
    "spec", ["hub:", "hub:/no/such/folder", "hub:x/y;labels=good,bad", "hub:x/y;colour=red"]
)
def test_bad_settings_are_refused(spec: str) -> None:
    with pytest.raises(SentimentError) as caught:
        load_engine(spec)
    assert caught.value.remedy
