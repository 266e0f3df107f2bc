"""What the sentiment model is known to mistake, and what that makes of shares of labels.

A model whose card holds a confusion matrix says how often a text of each true label gets each
label. Shares of labels in a stream can be turned back into shares of opinions with it (the adjusted
count of Forman 2008, for three classes), as far as the texts are like those it was measured on.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from udfs.lead_lag.panel import FloatArray
from udfs.sentiment.checkpoint import EMBEDDED_FOLDER
from udfs.sentiment.engine import EMBEDDED

MATRIX_OF = "tweeteval_val"  # the part of a model's figures that has all three labels
LABELS = ("negative", "neutral", "positive")
_LEAST_DETERMINANT = 0.05  # nearer to singular the mistakes cannot be told apart


def known_confusion(
    reader: duckdb.DuckDBPyConnection,
) -> tuple[Path, list[str], FloatArray] | None:
    """Return the model's folder, its labels and counts [true, given]; None if it states none."""
    settings = dict(
        reader.execute(
            "select key, value from raw.settings where key like 'sentiment_%'"
        ).fetchall()
    )
    if (settings.get("sentiment_engine") or EMBEDDED) != EMBEDDED:
        return None
    folder = Path(settings.get("sentiment_model_dir") or EMBEDDED_FOLDER)
    try:
        model = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        labels = [str(name) for name in model["labels"]]
        counts = np.asarray(model["figures"][MATRIX_OF]["confusion_matrix"], dtype=np.float64)
        labels.index("negative"), labels.index("positive")
    except (OSError, ValueError, KeyError, TypeError):
        return None  # a model of one's own need not state how often it errs
    if counts.shape != (len(labels), len(labels)) or (counts.sum(axis=1) == 0).any():
        return None
    return folder, labels, counts


def correction(session: duckdb.DuckDBPyConnection) -> pa.Table:
    """Say how shares of labels become shares of opinions, label by label.

    Returns no row if the model's mistakes are not known, else one row per label: `label`; what one
    text that has it adds to the true share of each (`negative_weight`, `neutral_weight`,
    `positive_weight`); `net_weight`, the last less the first; and `net_variance`, that of the
    corrected net sentiment for a stream of this true label alone, which the matrix leaves, being
    counted on so many texts.
    """
    known = known_confusion(session.cursor())
    weights = None if known is None else _weights(known[1], known[2])
    if weights is None:
        rows: list[dict[str, object]] = []
    else:
        inverse, shares, totals = weights
        net = inverse[2] - inverse[0]
        spread = (shares @ net**2 - (shares @ net) ** 2) / totals
        rows = [
            {
                "label": label,
                "negative_weight": inverse[0, at],
                "neutral_weight": inverse[1, at],
                "positive_weight": inverse[2, at],
                "net_weight": net[at],
                "net_variance": spread[at],
            }
            for at, label in enumerate(LABELS)
        ]
    number = pa.float64()
    names = ("negative_weight", "neutral_weight", "positive_weight", "net_weight", "net_variance")
    schema = pa.schema([("label", pa.string()), *((name, number) for name in names)])
    return pa.Table.from_pylist(rows, schema=schema)


def _weights(
    labels: list[str], counts: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return weights [true, given], shares [true, given] and texts [true] in the order of `LABELS`.

    None for a model of other labels or one whose mistakes hide what is true.
    """
    if sorted(labels) != sorted(LABELS):
        return None
    order = [labels.index(label) for label in LABELS]
    ordered = counts[np.ix_(order, order)]
    totals = ordered.sum(axis=1)
    shares = ordered / totals[:, None]
    if np.linalg.det(shares) < _LEAST_DETERMINANT:
        return None
    return np.asarray(np.linalg.inv(shares.T)), shares, totals
