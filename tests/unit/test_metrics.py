"""Measures against hand-counted cases."""

from __future__ import annotations

import numpy as np
import pytest

from udfs.sentiment import metrics

GOLD = np.array([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = np.array([0, 0, 1, 2, 1, 1, 2, 0])


def test_confusion_matrix_rows_are_true() -> None:
    expected = [[2, 1, 1], [0, 2, 0], [1, 0, 1]]
    assert metrics.confusion_matrix(GOLD, PREDICTED, n_classes=3).tolist() == expected


def test_shares() -> None:
    assert metrics.accuracy(GOLD, PREDICTED) == 5 / 8
    assert metrics.macro_recall(GOLD, PREDICTED, n_classes=3) == pytest.approx((0.5 + 1 + 0.5) / 3)
    f1 = (4 / 7 + 4 / 5 + 2 / 4) / 3
    assert metrics.macro_f1(GOLD, PREDICTED, n_classes=3) == pytest.approx(f1)


def test_macro_recall_ignores_how_frequent_classes_are() -> None:
    gold = np.concatenate([GOLD, np.repeat(1, 100)])
    predicted = np.concatenate([PREDICTED, np.repeat(1, 100)])
    assert metrics.macro_recall(gold, predicted, n_classes=3) == pytest.approx(2 / 3)


def test_absent_class_counts_only_when_predicted() -> None:
    gold, predicted = np.array([0, 0, 2]), np.array([0, 0, 2])
    assert metrics.macro_recall(gold, predicted, n_classes=3) == 1
    assert metrics.macro_f1(gold, predicted, n_classes=3) == 1
    assert metrics.macro_f1(gold, np.array([0, 1, 2]), n_classes=3) == pytest.approx(
        (2 / 3 + 0 + 1) / 3
    )


def test_calibration_error() -> None:
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.4, 0.6]])
    gold = np.array([0, 0, 1, 1])
    # .8 in one bin: accuracy 2/3, three of four texts; .6 in another: accuracy 1.
    expected = 0.75 * (0.8 - 2 / 3) + 0.25 * 0.4
    assert metrics.expected_calibration_error(gold, probabilities, n_bins=10) == pytest.approx(
        expected
    )


def test_calibration_error_of_certain_and_right_is_zero() -> None:
    assert metrics.expected_calibration_error(np.array([0, 1]), np.eye(2)) == 0


def test_no_texts_have_no_score() -> None:
    none = np.array([], dtype=np.int64)
    assert np.isnan(metrics.accuracy(none, none))
    assert np.isnan(metrics.macro_recall(none, none, n_classes=3))
    assert np.isnan(metrics.macro_f1(none, none, n_classes=3))
    assert np.isnan(metrics.expected_calibration_error(none, np.empty((0, 3))))


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ValueError, match="labels must lie"):
        metrics.confusion_matrix(np.array([3]), np.array([0]), n_classes=3)
    with pytest.raises(ValueError, match="shape"):
        metrics.confusion_matrix(np.array([0, 1]), np.array([0]), n_classes=3)
    with pytest.raises(ValueError, match="shape"):
        metrics.accuracy(np.array([0, 1]), np.array([0]))
    with pytest.raises(ValueError, match="shape"):
        metrics.expected_calibration_error(np.array([0]), np.array([0.4]))
