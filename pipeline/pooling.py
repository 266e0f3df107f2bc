"""What the products of a table show together, where each alone shows too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.daily_table import DailyTable

MOST_CELLS = 1_000_000
COLUMNS = (
    ("category", "string"),
    ("n_products", "int64"),
    ("n_days", "int64"),
    ("verdict", "string"),
    ("lag_days", "int64"),
    ("uplift", "float64"),
    ("lo", "float64"),
    ("hi", "float64"),
    ("p", "float64"),
    ("q", "float64"),
    ("reliability", "float64"),
    ("width_days", "int64"),
    ("own_variance_ratio", "float64"),
    ("is_refused", "bool"),
    ("reason", "string"),
    ("summed_p", "float64"),
    ("summed_lag_days", "int64"),
    ("summed_uplift", "float64"),
    ("summed_lo", "float64"),
    ("summed_hi", "float64"),
    ("headline", "string"),
)
"""The columns of the pooled output in their order, with their types in Parquet."""


def pool(table: DailyTable, signal: str, metric: str) -> list[dict[str, Any]]:
    """One row for all products and one for each category, corrected over these rows.

    `signal`, `metric`: the two series in words. A pooled lead is claimed where q <= .05; a size is
    given only then. Raises `DailyFileError` for a table too large to pool at once.
    """
    import numpy as np

    from udfs.lead_lag.cards import PooledFacts, write_pooled
    from udfs.lead_lag.multiplicity import CLAIM_LEVEL, benjamini_hochberg
    from udfs.lead_lag.pooled import pooled_effects

    panel = table.whole_panel(MOST_CELLS)
    if panel is None:
        return []
    effects = pooled_effects(panel)
    p = np.array([effect.p if effect.p is not None else np.nan for effect in effects])
    rows = []
    for effect, q in zip(effects, benjamini_hochberg(p), strict=True):
        found = asdict(effect)
        is_claim = bool(q <= CLAIM_LEVEL) and not effect.is_refused
        has_size = is_claim and effect.is_percentage_allowed
        row = {name: found.get(name) for name, _ in COLUMNS}
        row |= {
            "verdict": "social_leads" if is_claim else "none" if effect.p is not None else
            "insufficient",
            "q": float(q) if np.isfinite(q) else None,
            "lag_days": effect.lag_days if is_claim else None,
            "width_days": effect.width_days if is_claim else None,
            "uplift": effect.uplift if has_size else None,
            "lo": effect.uplift_low if has_size else None,
            "hi": effect.uplift_high if has_size else None,
            "summed_lo": effect.summed_uplift_low,
            "summed_hi": effect.summed_uplift_high,
        }  # fmt: skip
        row = {name: _rounded(value) for name, value in row.items()}
        row["headline"] = write_pooled(
            PooledFacts(
                category=effect.category,
                signal_words=signal,
                metric_words=metric,
                n_products=effect.n_products,
                n_days=effect.n_days,
                is_claim=is_claim,
                reason=effect.reason,
                lag_days=row["lag_days"],
                width_days=row["width_days"],
                uplift=row["uplift"],
                uplift_low=row["lo"],
                uplift_high=row["hi"],
                q=row["q"],
                is_rise=None if effect.z is None else effect.z > 0,
            )
        )
        rows.append(row)
    return rows


def _rounded(value: Any) -> Any:  # noqa: ANN401
    """Six significant digits: the rest differs from machine to machine."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def shown(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The rows in words: all products first, then the claims, then the other categories."""
    ordered = sorted(rows, key=lambda row: (row["category"] != "all", row["verdict"] == "none"))
    return [str(row["headline"]) for row in ordered]
