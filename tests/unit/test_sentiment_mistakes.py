"""Shares of labels turned back into shares of opinions by the model's own confusion matrix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from udfs.dbt_sentiment_mistakes import LABELS, correction

MATRIX = [[264, 28, 20], [215, 483, 171], [59, 116, 644]]


def warehouse(folder: Path, matrix: Any, labels: tuple[str, ...] = LABELS) -> Any:
    figures = {"tweeteval_val": {"confusion_matrix": matrix}}
    (folder / "model.json").write_text(
        json.dumps({"labels": labels, "figures": figures}), encoding="utf-8"
    )
    connection = duckdb.connect()
    connection.execute("create schema raw")
    connection.execute("create table raw.settings (key varchar, value varchar)")
    connection.execute("insert into raw.settings values ('sentiment_model_dir', ?)", [str(folder)])
    return connection


def test_labels_of_a_known_stream_give_its_opinions_back(tmp_path: Path) -> None:
    rows = correction(warehouse(tmp_path, MATRIX)).to_pylist()
    assert [row["label"] for row in rows] == list(LABELS)
    true = np.array([0.2, 0.5, 0.3])
    shares = np.array(MATRIX) / np.sum(MATRIX, axis=1, keepdims=True)
    given = true @ shares
    assert given[0] > 0.3  # the model overcounts negative
    for at, label in enumerate(LABELS):
        found = sum(share * row[f"{label}_weight"] for share, row in zip(given, rows, strict=True))
        assert found == pytest.approx(true[at])
    net = sum(share * row["net_weight"] for share, row in zip(given, rows, strict=True))
    assert net == pytest.approx(true[2] - true[0])


def test_the_variance_is_that_of_another_matrix_of_as_many_texts(tmp_path: Path) -> None:
    rows = correction(warehouse(tmp_path, MATRIX)).to_pylist()
    counts = np.array(MATRIX)
    shares = counts / counts.sum(axis=1, keepdims=True)
    true = np.array([0.2, 0.5, 0.3])
    weight = np.array([row["net_weight"] for row in rows])
    told = sum(part**2 * row["net_variance"] for part, row in zip(true, rows, strict=True))
    generator = np.random.default_rng(2)
    drawn = [
        sum(
            part * generator.multinomial(count.sum(), share) / count.sum() @ weight
            for part, count, share in zip(true, counts, shares, strict=True)
        )
        for _ in range(4000)
    ]
    assert told == pytest.approx(np.var(drawn), rel=0.1)


@pytest.mark.parametrize(
    ("matrix", "labels"),
    [
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1]], LABELS),  # guesses: nothing can be told back
        ([[8, 2], [1, 9]], ("negative", "positive")),
        ([[8, 2, 0], [0, 0, 0], [1, 1, 8]], LABELS),
        ("none", LABELS),
    ],
)
def test_mistakes_that_are_not_known_correct_nothing(
    tmp_path: Path, matrix: Any, labels: tuple[str, ...]
) -> None:
    assert correction(warehouse(tmp_path, matrix, labels)).num_rows == 0
