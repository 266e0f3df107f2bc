"""The directed test: does one filtered series precede another, at any of 14 lags?

Contrasts are the 14 single lags and the 12 sums of three neighbouring lags (for effects that
spread); the p-value is that of the largest of the 26, given how the lags hang together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from udfs.lead_lag.panel import LAGS, MAX_LAG, BoolArray, FloatArray, IntArray, Options
from udfs.lead_lag.preparing import mean_where, winsorise
from udfs.lead_lag.whitening import apply_filter, fit_autoregression

WINDOW = 3
DRAWS_PER_CONTRAST = 40  # 1,040 in all: an error of 1.5 % of p
SCALE_FROM_DAYS = 120
SCALE_FIRST_SHIFT = 29

_FAR = 8.0  # from here on contrasts exceed it one at a time


def _contrasts() -> FloatArray:
    single = np.eye(MAX_LAG)
    spread = np.stack(
        [single[first : first + WINDOW].sum(axis=0) for first in range(MAX_LAG - WINDOW + 1)]
    )
    return np.concatenate([single, spread])


CONTRASTS = _contrasts()  # (26, 14)


@dataclass(frozen=True, slots=True)
class Directed:
    """The test of one direction, for B products over L days.

    `p`, `z`, `lag_days`, `width_days`: (B,). `z_single`: (B, 14), lags 1 to 14, before the
    circular scale. `response`, `predictor`: (B, L), filtered. `coefficients`, `order`: of the
    filter. `critical`: (B,), standard errors of a simultaneous 95 % interval over the single lags.
    """

    p: FloatArray
    z: FloatArray
    lag_days: IntArray
    width_days: IntArray
    z_single: FloatArray
    response: FloatArray
    predictor: FloatArray
    coefficients: FloatArray
    order: IntArray
    critical: FloatArray


def directed_test(
    response: FloatArray,
    predictor: FloatArray,
    rows: BoolArray,
    known: BoolArray,
    limits: tuple[float, float],
    rank: IntArray,
    length: IntArray,
    options: Options,
) -> Directed:
    """Test whether `predictor` precedes `response`, both (B, L) and 0 where not observed.

    `rows`: (B, L), days on which the response counts. `known`: (B, L), days with a predictor.
    `limits`: robust standard deviations of response and predictor. `rank`: (B,), columns that the
    design took. `length`: (B,), days of each window.
    """
    response = np.where(rows, response, 0.0)
    coefficients, order = fit_autoregression(response, rows, options.ar_order_max)
    left = np.where(rows, apply_filter(response, coefficients), 0.0)
    left = winsorise(left, rows, limits[0])
    right = np.where(known, apply_filter(predictor, coefficients), 0.0)
    right = winsorise(right, known, limits[1] + 1)

    freedom = np.maximum(np.count_nonzero(rows, axis=1) - rank - order, 1)
    sd = np.sqrt(np.einsum("bl,bl->b", left, left) / freedom)
    past = lagged(right)
    gram = (past * rows[:, None, :]) @ past.transpose(0, 2, 1)
    power = np.einsum("bkk->bk", gram)
    z_single = _ratio((past @ left[:, :, None])[:, :, 0], sd[:, None] * np.sqrt(power))
    correlation = _correlation(gram, power)
    weight = np.sqrt(np.einsum("ck,bkj,cj->bc", CONTRASTS, correlation, CONTRASTS, optimize=True))
    scale = circular_scale(left, right, rows, sd, length, correlation)
    z = z_single @ CONTRASTS.T / weight
    z[:, :MAX_LAG] /= scale[:, :1]
    z[:, MAX_LAG:] /= scale[:, 1:]
    z = gaussian_score(z, freedom)

    best = np.argmax(np.abs(z), axis=1)
    strongest = z[np.arange(len(z)), best]
    mixing = mixing_of(correlation)
    lag_days, width_days = _winning_lag(best, strongest, z_single)
    return Directed(
        p=sup_p_value(np.abs(strongest), mixing, options.seed),
        z=strongest,
        lag_days=lag_days,
        width_days=width_days,
        z_single=z_single,
        response=left,
        predictor=right,
        coefficients=coefficients,
        order=order,
        critical=simultaneous_limit(mixing[:, :MAX_LAG], freedom, options.seed) * scale[:, 0],
    )


def gaussian_score(z: FloatArray, freedom: IntArray) -> FloatArray:
    """The normal quantile of a correlation z / √freedom, (B, C).

    A correlation cannot exceed 1, so its z-score has shorter tails than the normal ones by which it
    would be judged; Student's t has the same p exactly (Fisher 1915).
    """
    degrees = np.maximum(freedom - 1, 1)[:, None]
    square = np.minimum(z**2 / freedom[:, None], 0.999)
    p = special.stdtr(degrees, -np.sqrt(square * degrees / (1 - square)))
    return np.asarray(-np.sign(z) * special.ndtri(np.maximum(p, 1e-300)))


def lagged(values: FloatArray, lags: int = MAX_LAG) -> FloatArray:
    """The values of 1 to `lags` days before, (B, lags, L); 0 before the window."""
    products, days = values.shape
    past = np.zeros((products, lags, days))
    for lag in range(1, min(lags, days - 1) + 1):
        past[:, lag - 1, lag:] = values[:, :-lag]
    return past


def circular_scale(
    response: FloatArray,
    predictor: FloatArray,
    rows: BoolArray,
    sd: FloatArray,
    length: IntArray,
    correlation: FloatArray,
) -> FloatArray:
    """How much wider than expected contrasts of width 1 and 3 are where no link can be, (B, 2).

    The predictor is turned round its window by 29 … T - 29 days, which keeps the volatility and the
    outliers of each series and breaks any link: the mean square of those z-scores is the variance
    that the lags' z-scores have too. Windows of less than 120 days are too short to tell.

    Turning takes volatility of both series at the same time apart, which makes links of nothing as
    well. The mean of y² x² over the near shifts, over what it were if the two had nothing to do
    with each other, is the variance that this adds (White 1980); as a mean over 29 shifts it costs
    next to no power, which such a variance lag by lag would.

    The circular sums come from one transform of doubled length, whatever each product's T: Σ at
    shift s is that at s plus that at s - T.
    """
    days = response.shape[1]
    size = 2 * days
    shift = np.arange(days)
    wrapped = (shift - length[:, None]) % size

    def circular(left: FloatArray, right: FloatArray) -> FloatArray:
        spectrum = np.fft.rfft(left, size) * np.conj(np.fft.rfft(right, size))
        linear = np.fft.irfft(spectrum, size)
        return linear[:, :days] + np.take_along_axis(linear, wrapped, axis=1)

    power = np.maximum(circular(rows.astype(float), predictor**2), 0.0)
    z = _ratio(circular(response, predictor), sd[:, None] * np.sqrt(power))
    spread = np.zeros_like(z)
    spread[:, 1:-1] = z[:, :-2] + z[:, 1:-1] + z[:, 2:]
    one_apart, two_apart = (
        np.einsum("bkk->bk", correlation[:, apart:, :-apart]).mean(axis=1) for apart in (1, 2)
    )
    spread /= np.sqrt(np.maximum(3 + 4 * one_apart + 2 * two_apart, 0.1))[:, None]
    counted = (shift >= SCALE_FIRST_SHIFT) & (shift <= length[:, None] - SCALE_FIRST_SHIFT)
    counted &= length[:, None] >= SCALE_FROM_DAYS
    turned = np.stack([_variance(each, counted & (power > 0)) for each in (z, spread)], axis=1)

    is_near = (shift <= MAX_LAG) | (shift >= length[:, None] - MAX_LAG)
    is_near &= shift < length[:, None]
    usual = mean_where(response**2, rows)[:, None] * power
    together = _ratio(circular(response**2, predictor**2), usual, otherwise=1.0)
    n_rows = np.maximum(np.count_nonzero(rows, axis=1), 1)
    # Of Gaussian series y² x² has the variance 4, in units of its mean.
    volatile = _shrunk(mean_where(together, is_near), 4 / (n_rows * len(LAGS)))
    return np.asarray(np.sqrt(np.maximum(turned, volatile[:, None])))


def _variance(z: FloatArray, counted: BoolArray) -> FloatArray:
    """Mean square of z (B, L) over the days `counted`, at least 1 and shrunk towards it, (B,).

    Its noise comes from the number of days and the autocorrelation of z over them.
    """
    square = mean_where(z**2, counted)
    number = np.maximum(np.count_nonzero(counted, axis=1), 1)
    kept = np.where(counted, z, 0.0)
    size = np.where(square > 0, square, 1.0) * number
    alike = np.zeros_like(square)
    for apart in range(1, MAX_LAG):
        alike += (np.einsum("bl,bl->b", kept[:, apart:], kept[:, :-apart]) / size) ** 2
    return np.where(counted.any(axis=1), _shrunk(square, 2 * (1 + 2 * alike) / number), 1.0)


def _shrunk(variance: FloatArray, noise: FloatArray) -> FloatArray:
    """A variance that is 1 or more, of an estimate with such a variance of its own, (B,).

    The excess over 1 counts by the share of it that is not noise (James & Stein 1961): max(1, ·)
    alone would widen by noise what needs no widening.
    """
    excess = np.maximum(variance - 1, 0.0)
    return np.asarray(1 + excess**3 / np.maximum(excess**2 + noise, 1e-12))


def mixing_of(correlation: FloatArray) -> FloatArray:
    """What makes the 26 contrasts, of variance 1, of independent normal numbers, (B, 26, 14).

    `correlation`: (B, 14, 14), of the lagged predictor. The first 14 rows are the single lags.
    """
    mixing: FloatArray = CONTRASTS @ np.linalg.cholesky(correlation + 1e-6 * np.eye(MAX_LAG))
    mixing /= np.linalg.norm(mixing, axis=2, keepdims=True)
    return mixing


def draws(contrasts: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Normal numbers (14, C, n) and evenly spread uniform ones (C, n), for all products alike."""
    generator = np.random.default_rng(seed)
    normal = generator.standard_normal((MAX_LAG, contrasts, DRAWS_PER_CONTRAST))
    place = generator.permuted(np.tile(np.arange(DRAWS_PER_CONTRAST), (contrasts, 1)), axis=1)
    return normal, (place + 0.5) / DRAWS_PER_CONTRAST


def sup_p_value(height: FloatArray, mixing: FloatArray, seed: int) -> FloatArray:
    """P(largest |contrast| > height), (B,), of Gaussian contrasts `mixing` (B, C, 14), variance 1.

    Σ over the contrasts of P(this one is beyond) · E(1 / number of those beyond | this one is), by
    a thousand draws (Adler, Blanchet & Liu 2012): as good far out, at p = 1e-6, as at p = .05,
    where counting draws would need a formula for the tail.
    """
    contrasts = mixing.shape[1]
    normal, uniform = draws(contrasts, seed)
    at = np.minimum(height, _FAR)
    beyond = -special.ndtri(uniform * special.ndtr(-at)[:, None, None])
    drawn = np.tensordot(mixing.astype(np.float32), normal.astype(np.float32), axes=(2, 0))
    own = np.einsum("bccn->bcn", drawn)
    close = (mixing @ mixing.transpose(0, 2, 1)).astype(np.float32)
    drawn += close[:, :, :, None] * (beyond - own).astype(np.float32)[:, None]
    np.abs(drawn, out=drawn)
    is_beyond = drawn >= at.astype(np.float32)[:, None, None, None]
    number = is_beyond.sum(axis=1, dtype=np.uint8)
    share = contrasts * (1 / np.maximum(number, 1)).mean(axis=(1, 2))
    return np.asarray(np.minimum(2 * special.ndtr(-height) * share, 1.0))


def critical_value(mixing: FloatArray, seed: int, level: float = 0.05) -> FloatArray:
    """The height that the largest |contrast| exceeds with probability `level`, (B,); secants."""
    before = np.full(len(mixing), 2.4)
    here = np.full(len(mixing), 2.8)
    target = np.log(level)
    miss_before = np.log(sup_p_value(before, mixing, seed)) - target
    for _ in range(3):
        miss = np.log(sup_p_value(here, mixing, seed)) - target
        slope = _ratio(miss - miss_before, here - before, otherwise=-2.5)
        before, miss_before = here, miss
        here = np.clip(here - miss / np.minimum(slope, -0.5), 1.9, 3.5)
    return np.asarray(here)


def simultaneous_limit(
    mixing: FloatArray, freedom: IntArray, seed: int, level: float = 0.05
) -> FloatArray:
    """`critical_value` for a standard error estimated with so many degrees of freedom, (B,)."""
    normal = critical_value(mixing, seed, level)
    return np.asarray(-special.stdtrit(freedom, special.ndtr(-normal)))


def _winning_lag(
    best: IntArray, strongest: FloatArray, z_single: FloatArray
) -> tuple[IntArray, IntArray]:
    """Strongest single lag inside the winning contrast, and the contrast's width, (B,) each."""
    is_inside = CONTRASTS[best] > 0
    along = np.where(is_inside, z_single * np.sign(strongest)[:, None], -np.inf)
    return np.argmax(along, axis=1) + 1, np.where(best < MAX_LAG, 1, WINDOW)


def _correlation(gram: FloatArray, power: FloatArray) -> FloatArray:
    size = np.sqrt(np.where(power > 0, power, 1.0))
    correlation: FloatArray = gram / (size[:, :, None] * size[:, None, :])
    lags = np.arange(MAX_LAG)
    correlation[:, lags, lags] = 1.0
    return correlation


def _ratio(top: FloatArray, bottom: FloatArray, otherwise: float = 0.0) -> FloatArray:
    """top / bottom, `otherwise` where the bottom is 0."""
    is_zero = bottom == 0
    return np.where(is_zero, otherwise, top / np.where(is_zero, 1.0, bottom))
