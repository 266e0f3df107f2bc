"""From a panel to residuals: windows, scale, design, batched least squares, winsorising.

Shapes: B products of one chunk, L days of the longest window in it, P columns of the design. Every
product's window starts in column 0, so that products with different first days share arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Options, Panel

OUTCOME_LIMIT = 3.0  # robust standard deviations kept of a residual before it is whitened
SIGNAL_LIMIT = 4.0
LOG_FROM = 10.0  # the 10th percentile from which an outcome is put on the log scale
WEEKDAYS = 7

_RIDGE = 1e-10  # of a unit diagonal: rank-deficient designs fit as if by the pseudo-inverse
_NO_VARIANCE = 1e-6  # residual to raw standard deviation below which nothing is left to test


@dataclass(frozen=True, slots=True)
class Residuals:
    """A series less its design.

    `values`: (B, L), 0 where not observed. `winsorised`: the same within its limit. `observed`:
    (B, L). `fitted`: (B, L), those observed rows that shaped the fit. `is_flat`: (B,), nothing but
    the design is in the series.
    """

    values: FloatArray
    winsorised: FloatArray
    observed: BoolArray
    fitted: BoolArray
    is_flat: BoolArray


@dataclass(frozen=True, slots=True)
class Prepared:
    """One chunk, ready for the tests.

    `length`: (B,), days of each window. `design`: (B, L, P), 0 outside the window.
    `rank`: (B,), columns in use. `outcome_raw`: (B, L), NaN where not observed.
    `signal_variance`: (B, L), NaN where unknown. `is_identity`: (B,), the outcome is on no scale.
    """

    length: IntArray
    design: FloatArray
    rank: IntArray
    signal: Residuals
    outcome: Residuals
    outcome_raw: FloatArray
    signal_variance: FloatArray
    is_identity: BoolArray


def prepare(panel: Panel, start: IntArray, length: IntArray, options: Options) -> Prepared:
    """Cut each product's window (first column, days; (B,)) out of the panel and take residuals."""
    days = int(length.max(initial=0))
    column = start[:, None] + np.arange(days)
    inside = np.arange(days) < length[:, None]
    column = np.where(inside, column, 0)

    def cut(values: FloatArray) -> FloatArray:
        taken = np.take_along_axis(values, column, axis=1)
        return np.where(inside & np.isfinite(taken), taken, np.nan)

    def flag(values: BoolArray) -> BoolArray:
        return np.take_along_axis(values, column, axis=1) & inside

    signal, outcome = cut(panel.signal), cut(panel.outcome)
    in_stock = ~flag(panel.stock_out)
    weekday = panel.dates.astype("datetime64[D]").astype(np.int64)[column] % WEEKDAYS
    design = build_design(
        inside, length, weekday, flag(panel.holiday), flag(panel.promo), options.days_per_cosine
    )
    is_identity, scaled = scale_outcome(outcome, in_stock, panel.scale, options.scale)
    observed = np.isfinite(outcome)
    everywhere = np.isfinite(signal)
    return Prepared(
        length=length,
        design=design,
        rank=np.count_nonzero(np.any(design != 0, axis=1), axis=1),
        signal=take_residuals(design, signal, everywhere, SIGNAL_LIMIT),
        outcome=take_residuals(design, scaled, observed & in_stock, OUTCOME_LIMIT),
        outcome_raw=outcome,
        signal_variance=cut(panel.signal_variance),
        is_identity=is_identity,
    )


def build_design(
    inside: BoolArray,
    length: IntArray,
    weekday: IntArray,
    holiday: BoolArray,
    promo: BoolArray,
    days_per_cosine: int,
) -> FloatArray:
    """Weekdays, trend, cosines, holidays and promotions as (B, L, P); 0 outside the window.

    Cosines of half-periods 1, 2, … fill the window, floor(2 T / days_per_cosine) of them, T being
    the product's own days; columns that a product does not use are 0 throughout.
    """
    products, days = inside.shape
    cosines = 2 * length // days_per_cosine
    most = int(cosines.max(initial=0))
    design = np.zeros((products, days, WEEKDAYS + 1 + most + 2))
    design[:, :, :WEEKDAYS] = weekday[:, :, None] == np.arange(WEEKDAYS)
    place = (np.arange(days) + 0.5) / np.maximum(length, 1)[:, None]  # 0 to 1 in the window
    design[:, :, WEEKDAYS] = 2 * place - 1
    wave = np.arange(1, most + 1)
    design[:, :, WEEKDAYS + 1 : -2] = np.cos(np.pi * place[:, :, None] * wave) * (
        wave <= cosines[:, None]
    ).astype(float).reshape(products, 1, most)
    design[:, :, -2], design[:, :, -1] = holiday, promo
    design *= inside[:, :, None]
    return design


def scale_outcome(
    outcome: FloatArray, in_stock: BoolArray, panel_scale: str, chosen: str
) -> tuple[BoolArray, FloatArray]:
    """Return which products stay as they are, (B,), and the outcome on its scale, (B, L).

    ln(1 + y) where the 10th percentile of the days in stock is at least 10, √(y + 3/8) (Anscombe
    1948) where it is less. A day of net returns counts as 0; what is negative on more than a tenth
    of its days is no count, and stays as it is.
    """
    usual = np.where(in_stock, outcome, np.nan)
    is_identity = (panel_scale == "identity") | (quantile(usual, 0.10) < 0)
    is_log = quantile(usual, 0.10) >= LOG_FROM if chosen == "auto" else chosen == "log"
    positive = np.maximum(outcome, 0.0)
    scaled = np.where(
        np.broadcast_to(is_log, is_identity.shape)[:, None],
        np.log1p(positive),
        np.sqrt(positive + 0.375),
    )
    return is_identity, np.where(is_identity[:, None], outcome, scaled)


def take_residuals(
    design: FloatArray, values: FloatArray, used: BoolArray, limit: float
) -> Residuals:
    """Fit `values` (B, L; NaN: not observed) on the rows `used`; keep residuals of all observed."""
    observed = np.isfinite(values)
    # A level far from 0 would cost digits in the sums.
    level = mean_where(values, used)
    centred = np.where(observed, values - level[:, None], 0.0)
    coefficients = least_squares(design, centred, used)
    residual = np.where(observed, centred - fitted_values(design, coefficients), 0.0)
    left = np.sqrt(mean_where(residual**2, used))
    before = np.sqrt(mean_where(centred**2, used))
    is_flat = ~(left > _NO_VARIANCE * before)
    residual[is_flat] = 0.0
    return Residuals(residual, winsorise(residual, used, limit), observed, used, is_flat)


def least_squares(
    design: FloatArray, values: FloatArray, weights: FloatArray | BoolArray
) -> FloatArray:
    """Coefficients (B, P) of values (B, L) by weighted normal equations; dead columns get 0."""
    weighted = design * weights[:, :, None]
    gram = design.transpose(0, 2, 1) @ weighted
    moment = (values[:, None, :] @ weighted)[:, 0, :]
    return solve(gram, moment)


def fitted_values(design: FloatArray, coefficients: FloatArray) -> FloatArray:
    """design (B, L, P) times coefficients (B, P)."""
    product: FloatArray = (design @ coefficients[:, :, None])[:, :, 0]
    return product


def solve(gram: FloatArray, moment: FloatArray) -> FloatArray:
    """Solve gram (B, P, P) · x = moment (B, P) or (B, P, Q), with 0 for columns of zeros."""
    diagonal = np.einsum("bpp->bp", gram)
    size = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = gram / (size[:, :, None] * size[:, None, :])
    columns = np.arange(gram.shape[1])
    scaled[:, columns, columns] = 1.0 + _RIDGE
    is_vector = moment.ndim == 2
    right = moment[:, :, None] if is_vector else moment
    found: FloatArray = np.linalg.solve(scaled, right / size[:, :, None]) / size[:, :, None]
    return found[:, :, 0] if is_vector else found


def winsorise(values: FloatArray, used: BoolArray, limit: float) -> FloatArray:
    """Keep values (B, L) within `limit` robust standard deviations of the rows `used`."""
    bound = limit * robust_sd(values, used)[:, None]
    return np.clip(values, -bound, bound)


def robust_sd(values: FloatArray, used: BoolArray) -> FloatArray:
    """max(1.4826 MAD, .3 SD) of each product, (B,): the MAD alone is 0 for mostly equal values."""
    masked = np.where(used, values, np.nan)
    middle = quantile(masked, 0.5)
    deviation = quantile(np.abs(masked - middle[:, None]), 0.5)
    centre = mean_where(values, used)
    spread = np.sqrt(mean_where((values - centre[:, None]) ** 2, used))
    return np.maximum(1.4826 * deviation, 0.3 * spread)


def quantile(values: FloatArray, share: float) -> FloatArray:
    """Quantile of each row's numbers (B,), linear between neighbours; NaN for a row of NaN."""
    count = np.count_nonzero(~np.isnan(values), axis=1)
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)  # NaN last
    place = share * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(values))
    below, above = ordered[rows, low], ordered[rows, high]
    return np.asarray(below + (place - low) * (above - below))


def mean_where(values: FloatArray, used: BoolArray) -> FloatArray:
    """Mean of each row over the days `used`, (B,); 0 where there is none."""
    total = np.where(used, values, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(np.count_nonzero(used, axis=1), 1))
