"""The shipped model's files agree with one another and with its card."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from udfs.normalise import NORMALISER_REVISION
from udfs.sentiment.training import card, export

MODEL = Path(__file__).resolve().parents[2] / "udfs" / "sentiment" / "model"


@pytest.fixture(scope="module")
def content() -> dict:
    return json.loads((MODEL / "model.json").read_text(encoding="utf-8"))


def test_files_are_those_that_were_measured(content: dict) -> None:
    for file, sha256 in content["sha256"].items():
        assert export.file_sha256(MODEL / file) == sha256, file
    assert content["normaliser_revision"] == NORMALISER_REVISION
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 50 * 1024**2


def test_figures_follow_from_the_stored_predictions(content: dict) -> None:
    assert card.figures(MODEL / "predictions.parquet") == content["figures"]


def test_the_card_says_what_model_json_says(content: dict) -> None:
    assert (MODEL / "MODEL_CARD.md").read_text(encoding="utf-8") == card.render(content)


def test_stored_predictions_hold_no_text() -> None:
    table = pq.read_table(MODEL / "predictions.parquet")
    assert (MODEL / "predictions.parquet").stat().st_size < 500_000
    assert table.schema.field("text_sha256").type == pa.binary(32)
    assert set(table["part"].unique().to_pylist()) <= set(card.PART_NAMES)
    others = [field for field in table.schema if field.name not in ("part", "text_sha256")]
    assert all(not pa.types.is_string(field.type) for field in others)
    assert len(set(table["text_sha256"].to_pylist())) >= 0.99 * table.num_rows


def test_threshold_follows_from_the_validation_texts(content: dict) -> None:
    table = pq.read_table(MODEL / "predictions.parquet", filters=[("part", "==", "tweeteval_val")])
    names = ("p_negative", "p_neutral", "p_positive")
    scores = np.stack([table[name].to_numpy().astype("float64") for name in names], axis=1)
    threshold = card.low_confidence_threshold(table["gold"].to_numpy().astype("int64"), scores)
    assert threshold == content["low_confidence_below"]


def test_the_model_is_good_enough_to_ship(content: dict) -> None:
    figures = content["figures"]
    assert figures["tweeteval_val"]["macro_recall"] >= 0.73
    assert figures["sst2_dev"]["two_class_accuracy"] >= 0.885
    assert figures["reviews"]["two_class_accuracy"] >= 0.915
    assert figures["emoji_held_out"]["accuracy"] >= 0.96
