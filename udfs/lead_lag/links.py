"""Every product's lead test, reverse test and effect: the method of one panel from end to end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from udfs.lead_lag.correlating import cross_correlation, null_band, white_band
from udfs.lead_lag.effect import estimate_effect
from udfs.lead_lag.gates import Gates, judge, percentage
from udfs.lead_lag.panel import (
    LAGS,
    MAX_LAG,
    BoolArray,
    FloatArray,
    IntArray,
    LinkTests,
    Options,
    Panel,
)
from udfs.lead_lag.preparing import OUTCOME_LIMIT, SIGNAL_LIMIT, prepare
from udfs.lead_lag.testing import Directed, directed_test

LEVEL = 0.05  # of p at which a direction shows
PRODUCTS_AT_ONCE = 128  # some 100 MB of work space at two years

_SCALARS = (
    "p",
    "z",
    "reverse_p",
    "reverse_z",
    "uplift",
    "uplift_low",
    "uplift_high",
    "minimum_detectable_effect",
    "reliability",
    "signal_sd",
)
_WHOLE = ("lag_days", "width_days", "peak_lag_days", "reverse_lag_days", "reverse_width_days")
_FLAGS = ("is_lag_confirmed", "is_reverse_lag_confirmed")
_CURVES = ("correlation", "null_band", "whitened_correlation", "whitened_band")


def test_links(panel: Panel, options: Options | None = None) -> LinkTests:  # noqa: PT028
    """Test every product of a panel that passes the gates; numbers of the others are NaN (or 0)."""
    options = options or Options()
    gates = judge(panel, options)
    count = panel.n_products
    found: dict[str, Any] = {
        **{name: np.full(count, np.nan) for name in _SCALARS},
        **{name: np.zeros(count, dtype=np.int64) for name in _WHOLE},
        **{name: np.zeros(count, dtype=np.bool_) for name in _FLAGS},
        **{name: np.full((count, len(LAGS)), np.nan) for name in _CURVES},
    }
    is_flat = np.zeros(count, dtype=np.bool_)
    tested = np.flatnonzero(gates.is_tested)
    # Windows of like length together, so that short ones do not carry the days of long ones.
    tested = tested[np.argsort(gates.length[tested], kind="stable")]
    for first in range(0, len(tested), PRODUCTS_AT_ONCE):
        rows = tested[first : first + PRODUCTS_AT_ONCE]
        part, is_flat[rows] = _test_some(
            panel.select(rows), gates.start[rows], gates.length[rows], options
        )
        for name, values in part.items():
            found[name][rows] = values
    gates = _without(gates, is_flat)
    for name in (*_SCALARS, *_CURVES):
        found[name][is_flat] = np.nan
    for name in (*_WHOLE, *_FLAGS):
        found[name][is_flat] = 0
    is_allowed, why_not = percentage(panel, gates, found["reliability"])
    return LinkTests(
        product_ids=panel.product_ids,
        gate=gates.gate,
        reason=gates.reason,
        is_tested=gates.is_tested,
        n_days=gates.n_days,
        missing_day_ratio=gates.missing_day_ratio,
        posts_per_day=gates.posts_per_day,
        outcome_per_day=gates.outcome_per_day,
        days_sold_ratio=gates.days_sold_ratio,
        is_percentage_allowed=is_allowed,
        percentage_reason=why_not,
        **found,
    )


test_links.__test__ = False  # type: ignore[attr-defined]  # a name that pytest would collect


def _test_some(
    panel: Panel, start: IntArray, length: IntArray, options: Options
) -> tuple[dict[str, FloatArray | IntArray | BoolArray], BoolArray]:
    """The numbers of one chunk, and which of its products hold nothing but their design."""
    prepared = prepare(panel, start, length, options)
    signal, outcome = prepared.signal, prepared.outcome
    lead = directed_test(
        outcome.winsorised,
        signal.winsorised,
        outcome.fitted,
        signal.observed,
        (OUTCOME_LIMIT, SIGNAL_LIMIT),
        prepared.rank,
        length,
        options,
    )
    # Days out of stock say nothing about what precedes sales, but much about what follows them.
    reverse = directed_test(
        signal.winsorised,
        outcome.winsorised,
        signal.fitted,
        outcome.observed,
        (SIGNAL_LIMIT, OUTCOME_LIMIT),
        prepared.rank,
        length,
        options,
    )
    in_stock = np.where(outcome.fitted, outcome.winsorised, 0.0)
    series = (signal.winsorised, in_stock, signal.observed, outcome.fitted)
    correlation, pairs = cross_correlation(*series)
    whitened, white_pairs = cross_correlation(
        lead.predictor, lead.response, signal.observed, outcome.fitted
    )
    height = np.abs(correlation)
    peak = np.asarray(LAGS)[np.argmax(height, axis=1)]
    lead_peak, reverse_peak = _peaks_by_side(height, peak, (lead.p < LEVEL) & (reverse.p < LEVEL))
    effect = estimate_effect(prepared, lead.lag_days, lead.critical, options)
    numbers = {
        "p": lead.p,
        "z": lead.z,
        "lag_days": lead.lag_days,
        "width_days": lead.width_days,
        "peak_lag_days": peak,
        "is_lag_confirmed": _is_confirmed(lead, lead_peak),
        "reverse_p": reverse.p,
        "reverse_z": reverse.z,
        "reverse_lag_days": reverse.lag_days,
        "reverse_width_days": reverse.width_days,
        "is_reverse_lag_confirmed": _is_confirmed(reverse, -reverse_peak),
        "uplift": effect.uplift,
        "uplift_low": effect.uplift_low,
        "uplift_high": effect.uplift_high,
        "minimum_detectable_effect": effect.minimum_detectable,
        "reliability": effect.reliability,
        "signal_sd": effect.signal_sd,
        "correlation": correlation,
        "null_band": null_band(*series, pairs),
        "whitened_correlation": whitened,
        "whitened_band": white_band(white_pairs),
    }
    return numbers, signal.is_flat | outcome.is_flat


def _peaks_by_side(
    height: FloatArray, peak: IntArray, is_both: BoolArray
) -> tuple[IntArray, IntArray]:
    """The lag at which each direction must lie, (B,) each; `height`: (B, 29).

    That is the one peak of all lags, unless both directions show: one curve has but one highest
    point, and each is held against the peak of its own side.
    """
    first_lead = MAX_LAG + 1
    of_lead = np.argmax(height[:, first_lead:], axis=1) + 1
    of_reverse = np.argmax(height[:, :MAX_LAG], axis=1) - MAX_LAG
    return np.where(is_both, of_lead, peak), np.where(is_both, of_reverse, peak)


def _is_confirmed(test: Directed, peak: IntArray) -> BoolArray:
    """Whether the plain cross-correlation peaks where the test does: within 1 day, 2 if spread."""
    allowed = np.where(test.width_days == 1, 1, 2)
    return np.asarray(np.abs(test.lag_days - peak) <= allowed)


def _without(gates: Gates, is_flat: BoolArray) -> Gates:
    """Block the products whose series are nothing but weekday, trend and season."""
    gate, reason = gates.gate.copy(), gates.reason.copy()
    gate[is_flat] = "blocked"
    reason[is_flat] = "signal or outcome never changes but with weekday and season"
    return replace(gates, gate=gate, reason=reason, is_tested=gates.is_tested & ~is_flat)
