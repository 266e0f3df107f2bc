"""The autoregression of a response, and the filter that it makes of it."""

from __future__ import annotations

import numpy as np

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray


def fit_autoregression(
    values: FloatArray, observed: BoolArray, order_max: int
) -> tuple[FloatArray, IntArray]:
    """Coefficients (B, order_max), 0 beyond the order, and the order (B,) of least AIC.

    values: (B, L), 0 where not observed. Conditional least squares on the observed days from
    `order_max` on, the same for all orders, so that their AIC compare (Akaike 1974). The nested
    fits come from one Cholesky factor: its leading blocks are the factors of the smaller models.
    """
    products, days = values.shape
    used = observed.copy()
    used[:, :order_max] = False
    count = np.maximum(np.count_nonzero(used, axis=1), 1)
    response = np.where(used, values, 0.0)
    past = np.zeros((products, order_max, days))
    for order in range(1, order_max + 1):
        past[:, order - 1, order:] = values[:, :-order] if days > order else 0.0
    masked = past * used[:, None, :]
    gram = masked @ past.transpose(0, 2, 1)
    moment = (masked @ response[:, :, None])[:, :, 0]
    power = np.einsum("bl,bl->b", response, response)

    # Days that repeat each other exactly leave no factor; a hair of variance does.
    diagonal = np.arange(order_max)
    gram[:, diagonal, diagonal] += 1e-9 * power[:, None] + 1e-300
    factor = np.asarray(np.linalg.cholesky(gram), dtype=np.float64)
    explained = _forward(factor, moment)
    rest = power[:, None] - np.cumsum(explained**2, axis=1)
    rest = np.concatenate([power[:, None], rest], axis=1)
    rest = np.maximum(rest, 1e-12 * power[:, None] + 1e-300)
    akaike = count[:, None] * np.log(rest / count[:, None]) + 2 * np.arange(order_max + 1)
    order = np.argmin(akaike, axis=1)
    kept = np.where(np.arange(order_max) < order[:, None], explained, 0.0)
    return _backward(factor, kept), order


def apply_filter(values: FloatArray, coefficients: FloatArray) -> FloatArray:
    """values_t - Σ φ_j values_{t-j} along axis 1; what is before the window counts as 0.

    values: (B, L) or (B, L, P); coefficients: (B, order_max).
    """
    filtered = values.copy()
    shape = (-1,) + (1,) * (values.ndim - 1)
    for lag in range(1, coefficients.shape[1] + 1):
        weight = coefficients[:, lag - 1]
        if np.any(weight):
            filtered[:, lag:] -= weight.reshape(shape) * values[:, :-lag]
    return filtered


def _forward(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve L x = right for lower triangular L (B, K, K), right (B, K)."""
    found = np.zeros_like(right)
    for row in range(right.shape[1]):
        known = np.einsum("bk,bk->b", factor[:, row, :row], found[:, :row])
        found[:, row] = (right[:, row] - known) / factor[:, row, row]
    return found


def _backward(factor: FloatArray, right: FloatArray) -> FloatArray:
    """Solve Lᵀ x = right for lower triangular L (B, K, K), right (B, K)."""
    found = np.zeros_like(right)
    for row in reversed(range(right.shape[1])):
        known = np.einsum("bk,bk->b", factor[:, row + 1 :, row], found[:, row + 1 :])
        found[:, row] = (right[:, row] - known) / factor[:, row, row]
    return found
