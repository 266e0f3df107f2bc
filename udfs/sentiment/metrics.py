"""Measures of a classifier, as plain functions over arrays.

Labels are integers 0 <= label < n_classes, given as arrays of shape (n,).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]


def confusion_matrix(gold: Labels, predicted: Labels, *, n_classes: int) -> npt.NDArray[np.int64]:
    """Counts of shape (n_classes, n_classes): rows are the true class, columns the prediction.

    Raises `ValueError` if the shapes differ or a label lies outside 0..n_classes-1.
    """
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    if gold.shape != predicted.shape or gold.ndim != 1:
        raise ValueError(f"labels of shape {gold.shape} and predictions of {predicted.shape}")
    for labels in (gold, predicted):
        if labels.size and not (labels.min() >= 0 and labels.max() < n_classes):
            raise ValueError(f"labels must lie in 0..{n_classes - 1}")
    counts = np.bincount(
        gold.astype(np.int64) * n_classes + predicted.astype(np.int64), minlength=n_classes**2
    )
    return counts.astype(np.int64).reshape(n_classes, n_classes)


def accuracy(gold: Labels, predicted: Labels) -> float:
    """Share of equal labels; nan for no texts."""
    gold, predicted = np.asarray(gold), np.asarray(predicted)
    if gold.shape != predicted.shape:
        raise ValueError(f"labels of shape {gold.shape} and predictions of {predicted.shape}")
    return float(np.mean(gold == predicted)) if gold.size else float("nan")


def macro_recall(gold: Labels, predicted: Labels, *, n_classes: int) -> float:
    """Mean over the classes that occur in `gold` of the share found; nan for no texts.

    The measure of SemEval 2017 task 4 A (Rosenthal et al. 2017, `AvgRec`): it does not
    depend on how frequent the classes are.
    """
    counts = confusion_matrix(gold, predicted, n_classes=n_classes)
    totals = counts.sum(axis=1)
    present = totals > 0
    if not present.any():
        return float("nan")
    return float(np.mean(np.diag(counts)[present] / totals[present]))


def macro_f1(gold: Labels, predicted: Labels, *, n_classes: int) -> float:
    """Mean F1 over the classes that occur in `gold` or `predicted`; nan for no texts."""
    counts = confusion_matrix(gold, predicted, n_classes=n_classes)
    occurrences = counts.sum(axis=0) + counts.sum(axis=1)  # true + predicted, per class
    present = occurrences > 0
    if not present.any():
        return float("nan")
    return float(np.mean(2 * np.diag(counts)[present] / occurrences[present]))


def expected_calibration_error(gold: Labels, probabilities: Floats, *, n_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, weighted by bin; nan for no texts.

    `probabilities` has shape (n, n_classes). Bins of equal width over the highest
    probability of each text, closed on the right, as in Guo et al. 2017, "On Calibration
    of Modern Neural Networks", equation 3.
    """
    gold, probabilities = np.asarray(gold), np.asarray(probabilities, dtype=np.float64)
    if probabilities.ndim != 2 or gold.shape != probabilities.shape[:1]:
        raise ValueError(f"labels of shape {gold.shape}, probabilities {probabilities.shape}")
    if not gold.size:
        return float("nan")
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == gold
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / gold.size)
