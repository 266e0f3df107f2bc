"""The usual ways to look for a lead, on the same data: what they announce where nothing is.

Each takes a panel and returns which products it would announce (N,). They see what a notebook sees:
raw daily values, missing days left out.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import stats

from udfs.lead_lag.panel import LAGS, BoolArray, FloatArray, Panel

LEVEL = 0.05
GRANGER_LAGS = 14


def same_day(panel: Panel) -> BoolArray:
    """Pearson's correlation of the same day, p < .05."""
    return np.asarray(_p_of_lag(panel.signal, panel.outcome, 0) < LEVEL)


def best_lag(panel: Panel) -> BoolArray:
    """Best of the 29 lags by Pearson's correlation, p < .05."""
    smallest = [_p_of_lag(panel.signal, panel.outcome, lag) for lag in LAGS]
    return np.asarray(np.nanmin(smallest, axis=0) < LEVEL)


def first_differences(panel: Panel) -> BoolArray:
    """Both series differenced, best of 29 lags with Šidák's correction, p < .05."""
    signal, outcome = np.diff(panel.signal, axis=1), np.diff(panel.outcome, axis=1)
    smallest = np.nanmin([_p_of_lag(signal, outcome, lag) for lag in LAGS], axis=0)
    return np.asarray(1 - (1 - smallest) ** len(LAGS) < LEVEL)


def granger(panel: Panel, products: range) -> BoolArray:
    """The loop over products and orders 1-14 with statsmodels, smallest p < .05."""
    from statsmodels.tsa.stattools import grangercausalitytests

    found = []
    for product in products:
        pair = np.column_stack([panel.outcome[product], panel.signal[product]])
        pair = pair[np.isfinite(pair).all(axis=1)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results: Any = grangercausalitytests(pair, GRANGER_LAGS)
        found.append(min(each[0]["ssr_ftest"][1] for each in results.values()) < LEVEL)
    return np.array(found)


def _p_of_lag(signal: FloatArray, outcome: FloatArray, lag: int) -> FloatArray:
    """Two-sided p of the correlation of the signal `lag` days before the outcome, per row."""
    n_days = signal.shape[1]
    if lag >= 0:
        left, right = signal[:, : n_days - lag], outcome[:, lag:]
    else:
        left, right = signal[:, -lag:], outcome[:, : n_days + lag]
    both = np.isfinite(left) & np.isfinite(right)
    days = both.sum(axis=1)
    x = np.where(both, left, 0.0)
    y = np.where(both, right, 0.0)
    x = np.where(both, x - (x.sum(axis=1) / np.maximum(days, 1))[:, None], 0.0)
    y = np.where(both, y - (y.sum(axis=1) / np.maximum(days, 1))[:, None], 0.0)
    power = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    r = np.divide((x * y).sum(axis=1), power, out=np.zeros(len(x)), where=power > 0)
    r = np.clip(r, -1 + 1e-12, 1 - 1e-12)
    free = np.maximum(days - 2, 1)
    return np.asarray(2 * stats.t.sf(np.abs(r) * np.sqrt(free / (1 - r * r)), free))
