"""One effect of many products: what a category shows that no product alone could.

Each product's outcome and signal are whitened by its own filter; then every day's mean over
products is taken out of both (two-way fixed effects), because a campaign, a holiday or the news
moves all products at once. Where too little of the signal is left by that, the products share one
signal: then the effect is refused and the summed outcome is tested against it instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from udfs.lead_lag.gates import MIN_RELIABILITY, judge
from udfs.lead_lag.links import test_links
from udfs.lead_lag.panel import MAX_LAG, BoolArray, FloatArray, IntArray, Options, Panel
from udfs.lead_lag.preparing import OUTCOME_LIMIT, mean_where, prepare, scale_outcome
from udfs.lead_lag.rolling import Training, errors_ahead, limited, origins
from udfs.lead_lag.testing import CONTRASTS, critical_value, lagged, mixing_of, sup_p_value
from udfs.lead_lag.whitening import apply_filter

ALL = "all"  # the category of all products together
MIN_PRODUCTS = 3
MIN_OWN_VARIANCE_RATIO = 0.20
MIN_DATES = 20
# Fits on so few days are rough, yet what they miss is as new as what good ones miss.
TRAINING = Training(min_days=42, share=0.25)

_WEEK = 7
_LEVEL_DAYS = 28
_MIN_SIGNAL_SHARE = 0.1  # of the variance, so that a noisy signal's SD is not taken for nothing


@dataclass(frozen=True, slots=True)
class PooledEffect:
    """The effect of one category; numbers are None where there is none.

    `uplift`, `uplift_low`, `uplift_high`: fraction of the outcome per +1 SD of each product's own
    denoised, deseasonalised signal, simultaneous 95 % over the lags. `own_variance_ratio`: share of
    the signals' variance that is not common to all products of a day. `reliability`: share of that
    which is not sampling noise. `is_refused`: too little is left; then the `summed_*` say what the
    summed outcome shows. `reason`: why it was refused or not tested.
    """

    category: str
    n_products: int
    n_days: int
    is_tested: bool = False
    is_refused: bool = False
    reason: str = ""
    own_variance_ratio: float | None = None
    p: float | None = None
    z: float | None = None
    lag_days: int | None = None
    width_days: int | None = None
    uplift: float | None = None
    uplift_low: float | None = None
    uplift_high: float | None = None
    reliability: float | None = None
    is_percentage_allowed: bool = False
    summed_p: float | None = None
    summed_lag_days: int | None = None
    summed_n_days: int | None = None
    summed_uplift: float | None = None
    summed_uplift_low: float | None = None
    summed_uplift_high: float | None = None


def pooled_effects(
    panel: Panel, categories: Sequence[str] | None = None, *, options: Options | None = None
) -> list[PooledEffect]:
    """Test each category and, as category 'all', all products together.

    `categories`: only these; by default every one of the panel and 'all'. Products count from 60
    days with both series on, at whatever volume: pooling is what their volume needs.
    """
    options = options or Options()
    of_panel = sorted({name for name in panel.categories if name is not None} - {ALL})
    wanted = [ALL, *of_panel] if categories is None else list(categories)
    gate = judge(panel, options).gate.astype(str)
    usable = panel.select(np.isin(gate, ["descriptive", "tested", "full"]))
    white = whiten(usable, options)
    of_product = np.array([name or "" for name in usable.categories], dtype=object)
    effects = []
    for name in wanted:
        rows = np.flatnonzero((of_product == name) | (name == ALL))
        effects.append(_category(usable.select(rows), white.select(rows), name, options))
    return effects


@dataclass(frozen=True, slots=True)
class Whitened:
    """What `two_way_test` takes, for B products on L days.

    `response`: (B, L), relative to the product's level; `past`: (B, 14, L), the predictor of 1 to
    14 days before in SDs of the product's denoised, deseasonalised signal. `news`: the same less
    its mean of the four weeks before. `rows`: (B, L), days on which the response counts. `noise`:
    (B, L), sampling variance inside the predictor, NaN where unknown.
    """

    response: FloatArray
    past: FloatArray
    news: FloatArray
    rows: BoolArray
    noise: FloatArray

    def select(self, rows: IntArray) -> Whitened:
        """Return some of the products."""
        return Whitened(
            self.response[rows],
            self.past[rows],
            self.news[rows],
            self.rows[rows],
            self.noise[rows],
        )


@dataclass(frozen=True, slots=True)
class TwoWay:
    """The pooled test over 14 lags. `slope`, `error`: at `lag_days`, not yet freed of sampling
    noise, and its standard error; `critical`: standard errors of a simultaneous 95 % interval over
    the lags. `reliability` and `own_variance_ratio` as in `PooledEffect`, NaN if unknown."""

    p: float
    z: float
    lag_days: int
    width_days: int
    slope: float
    error: float
    critical: float
    reliability: float
    own_variance_ratio: float


def whiten(panel: Panel, options: Options) -> Whitened:
    """Whiten every product by its own autoregression, each day by a fit on the days before it.

    Residuals of a fit on the whole sample know the days to come. In one product that is nothing;
    pooled over many it adds up to a link where sales precede the signal (18-38 % of such nulls of
    30 products rejected), and to an effect of the wrong sign. After a shift of the level both
    series miss in one direction for weeks: the predictor is therefore held against its own last
    four weeks (with it 5 %, without it 12 % of nulls with shifts are rejected).
    """
    shape = panel.signal.shape
    response, rows = np.zeros(shape), np.zeros(shape, dtype=np.bool_)
    past = np.zeros((shape[0], MAX_LAG, shape[1]))
    news, noise = past.copy(), np.full(shape, np.nan)
    size, sampling = _true_sd(panel, options)
    level = _level(panel, options)
    for origin in origins(panel, TRAINING, options):
        error = limited(errors_ahead(origin, 1), origin.used, OUTCOME_LIMIT)
        response = np.where(origin.block, error / level[:, None], response)
        predictor = apply_filter(origin.predictor, origin.coefficients) / size[:, None]
        block = origin.block[:, None, :]
        past = np.where(block, lagged(predictor), past)
        news = np.where(block, lagged(predictor - _mean_before(predictor)), news)
        carried = sampling / size**2 * (1 + (origin.coefficients**2).sum(axis=1))
        noise = np.where(origin.block, carried[:, None], noise)
        rows |= origin.block
    return Whitened(response, past, news, rows, noise)


def two_way_test(white: Whitened, options: Options) -> TwoWay:
    """Test whether whitened predictors precede whitened responses beyond what products share.

    Both are freed of the mean over products of each day, products weighted by 1 / variance. A
    day's score is one number however many products it has, so what they still share (shocks that
    hit them unequally) widens the test (errors clustered by date: Arellano 1987). What is left of
    levels that drift makes scores of neighbouring days alike: their variance grows by
    1 + 2 Σ (1 - j/8) r_j over a week, r averaged over the 14 lags and shrunk. p is that of the
    largest of 26 contrasts, as for one product, with Student's t over the dates.
    """
    rows = white.rows
    variance = mean_where(white.response**2, rows)
    weight = np.where(variance > 0, 1 / np.where(variance > 0, variance, 1.0), 0.0)
    weights = weight[:, None] * rows
    own = (white.news - _date_means(white.news, weights)) * rows[:, None, :]
    left = (white.response - _date_means(white.response, weights)) * rows
    gram = np.zeros((MAX_LAG, MAX_LAG))
    for product, weight_of_day in zip(own, weights, strict=True):
        gram += (product * weight_of_day) @ product.T
    dates = rows.any(axis=0)
    scores = np.einsum("bl,bkl->kl", weights * left, own)[:, dates]
    unit_scores = scores / np.sqrt(np.maximum((scores**2).sum(axis=1, keepdims=True), 1e-300))
    size = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    correlation = gram / (size[:, None] * size)
    correlation[np.diag_indices(MAX_LAG)] = 1.0
    inflation = _inflation(unit_scores, correlation)
    z_single = unit_scores.sum(axis=1) / np.sqrt(inflation)
    unit = np.sqrt(np.maximum(np.einsum("ck,kj,cj->c", CONTRASTS, correlation, CONTRASTS), 1e-6))
    z = CONTRASTS @ z_single / unit
    best = int(np.argmax(np.abs(z)))
    freedom = max(1, scores.shape[1] - 1)
    # Capped: beyond it a tail of Student's t is no number any more.
    height = -special.ndtri(max(special.stdtr(freedom, -abs(z[best])), 1e-300))
    mixing = mixing_of(correlation[None])
    inside = np.where(CONTRASTS[best] > 0, z_single * np.sign(z[best]), -np.inf)
    lag = int(np.argmax(inside))

    # The news are the instrument of the whole predictor, as the response follows the whole.
    whole = (white.past[:, lag] - _date_means(white.past[:, lag], weights)) * rows
    power = float((weights * own[:, lag] * whole).sum())
    slope = float(scores[lag].sum()) / power if power > 0 else np.nan
    misses = (weights * own[:, lag] * (left - slope * whole)).sum(axis=0)
    error = float(np.sqrt(inflation * (misses**2).sum())) / power if power > 0 else np.nan
    reliability, ratio = _shares(white, weights, whole, lag)
    return TwoWay(
        p=float(sup_p_value(np.array([height]), mixing, options.seed)[0]),
        z=float(z[best]),
        lag_days=lag + 1,
        width_days=int(np.count_nonzero(CONTRASTS[best])),
        slope=slope,
        error=error,
        critical=float(critical_value(mixing[:, :MAX_LAG], options.seed)[0]),
        reliability=reliability,
        own_variance_ratio=ratio,
    )


def _inflation(scores: FloatArray, correlation: FloatArray) -> float:
    """How much wider sums of scores (14, dates) of unit length are than of independent days.

    Estimated on few dates, so shrunk by its own noise: 1 + d³ / (d² + v), v being the variance of
    the excess d if there is none. `correlation`: (14, 14), of the lags.
    """
    dates = scores.shape[1]
    lags = np.arange(1, min(_WEEK, dates - 1) + 1)
    weight = 2 * (1 - lags / (_WEEK + 1))
    related = [float((scores[:, lag:] * scores[:, :-lag]).sum()) / MAX_LAG for lag in lags]
    excess = float(weight @ related)
    noise = float((weight**2).sum() * (correlation**2).mean() / dates)
    return 1 + excess**3 / (excess**2 + noise) if excess > 0 else 1.0


def _shares(white: Whitened, weights: FloatArray, own: FloatArray, lag: int) -> tuple[float, float]:
    """Reliability of what is the products' own in the predictor, and their own share of it."""
    power_alone = float((weights * white.past[:, lag] ** 2).sum())
    power = float((weights * own**2).sum())
    if not power > 0:
        return np.nan, 0.0
    is_known = np.isfinite(white.noise)
    noise = np.where(is_known, white.noise, 0.0)
    # Sampling noise is each product's own: the mean over products takes next to nothing of it.
    per_date = weights.sum(axis=0)
    kept = 1 - weights / np.where(per_date > 0, per_date, 1.0)
    noise_alone, noise_left = float((weights * noise).sum()), float((weights * kept * noise).sum())
    true, true_alone = power - noise_left, power_alone - noise_alone
    # Where hardly any signal is known for sure, only the whole variance can be compared.
    is_clear = true_alone > _MIN_SIGNAL_SHARE * power_alone
    ratio = true / true_alone if is_clear else power / power_alone
    reliability = 1 - noise_left / power if is_known.any() else np.nan
    return reliability, min(max(ratio, 0.0), 1.0)


def _category(panel: Panel, white: Whitened, name: str, options: Options) -> PooledEffect:
    both = np.isfinite(panel.signal) & np.isfinite(panel.outcome) & ~panel.stock_out
    n_days = int(np.count_nonzero(np.count_nonzero(both, axis=0) >= 2))
    found = PooledEffect(category=name, n_products=panel.n_products, n_days=n_days)
    if panel.n_products < MIN_PRODUCTS:
        reason = f"{panel.n_products} of {MIN_PRODUCTS} products with enough days"
        return replace(found, reason=reason)
    if np.count_nonzero(white.rows.any(axis=0)) < MIN_DATES:
        return replace(found, reason=f"fewer than {MIN_DATES} days after the first fit")
    test = two_way_test(white, options)
    ratio, reliability = test.own_variance_ratio, test.reliability
    found = replace(found, own_variance_ratio=ratio, reliability=_number(reliability))
    if ratio < MIN_OWN_VARIANCE_RATIO:
        reason = (
            f"{ratio:.0%} of the signal is a product's own, {MIN_OWN_VARIANCE_RATIO:.0%} needed"
        )
        return _refused(panel, replace(found, is_refused=True, reason=reason), options)
    share = reliability if np.isfinite(reliability) else 1.0
    share = share if share >= _MIN_SIGNAL_SHARE else np.nan
    slope, width = test.slope / share, test.critical * test.error / share
    return replace(
        found,
        is_tested=True,
        p=test.p,
        z=test.z,
        lag_days=test.lag_days,
        width_days=test.width_days,
        uplift=_uplift(slope, panel),
        uplift_low=_uplift(slope - width, panel),
        uplift_high=_uplift(slope + width, panel),
        is_percentage_allowed=bool(share >= MIN_RELIABILITY),
    )


def _uplift(slope: float, panel: Panel) -> float | None:
    """Counts and amounts are relative to a log-linear baseline, ratings to their mean."""
    return _number(slope if panel.scale == "identity" else float(np.expm1(slope)))


def _refused(panel: Panel, found: PooledEffect, options: Options) -> PooledEffect:
    tests = test_links(summed(panel), options)
    is_tested = bool(tests.is_tested[0])
    more = "the sum of the products is tested" if is_tested else f"the sum: {tests.reason[0]}"
    return replace(
        found,
        reason=f"{found.reason}; {more}",
        summed_p=_number(tests.p[0]),
        summed_lag_days=int(tests.lag_days[0]) if is_tested else None,
        summed_n_days=int(tests.n_days[0]),
        summed_uplift=_number(tests.uplift[0]),
        summed_uplift_low=_number(tests.uplift_low[0]),
        summed_uplift_high=_number(tests.uplift_high[0]),
    )


def summed(panel: Panel) -> Panel:
    """The products of a panel as one: outcomes added, signals averaged.

    A day counts if the products observed on it make up at least half of the usual sum; it is then
    scaled up to all of them, so that a product's missing day is no slump. Outcomes without a
    scale (ratings) are averaged.
    """
    observed = np.isfinite(panel.outcome) & ~panel.stock_out
    usual = mean_where(panel.outcome, observed)
    is_mean = panel.scale == "identity"
    share = np.full(len(usual), 1 / len(usual))
    if not is_mean and usual.min() >= 0 and usual.sum() > 0:
        share = usual / usual.sum()
    seen = share @ observed
    factor = share if is_mean else np.ones_like(share)
    total = factor @ np.where(observed, panel.outcome, 0.0)
    known = np.isfinite(panel.signal)
    count = known.sum(axis=0)
    mean = np.where(known, panel.signal, 0.0).sum(axis=0) / np.maximum(count, 1)
    sampling = np.where(known, panel.signal_variance, 0.0).sum(axis=0) / np.maximum(count, 1)
    posts = np.where(np.isfinite(panel.posts), panel.posts, 0.0).sum(axis=0)

    # One signal read off many products is not known better for it; many measurements are. How far
    # the products differ on a day tells which: only that part of the noise is averaged out.
    centred = panel.signal - mean_where(panel.signal, known)[:, None]
    between = np.where(
        known, centred - _date_means(np.where(known, centred, 0.0), known * 1.0), 0.0
    )
    spread = float((between**2).sum()) / max(1, int((count - 1).clip(0).sum()))
    usual_sampling = float(np.nanmean(sampling)) if np.isfinite(sampling).any() else np.nan
    part = min(1.0, spread / usual_sampling) if usual_sampling > 0 else 0.0
    variance = sampling * (1 - part + part / np.maximum(count, 1))

    def one(values: FloatArray, is_known: npt.ArrayLike) -> FloatArray:
        return np.where(np.asarray(is_known), values, np.nan)[None]

    return Panel(
        product_ids=("sum",),
        dates=panel.dates,
        signal=one(mean, count > 0),
        outcome=one(total / np.where(seen > 0, seen, 1.0), seen >= 0.5),
        signal_variance=one(variance, count > 0),
        posts=one(posts, np.isfinite(panel.posts).any(axis=0)),
        promo=np.asarray(share @ panel.promo >= 0.5)[None],
        holiday=np.any(panel.holiday, axis=0, keepdims=True),
        stock_out=np.zeros((1, panel.n_days), dtype=np.bool_),
        is_open=np.any(panel.is_open, axis=0, keepdims=True),
        categories=(None,),
        scale=panel.scale,
    )


def _true_sd(panel: Panel, options: Options) -> tuple[FloatArray, FloatArray]:
    """SD of the denoised, deseasonalised signal and its sampling variance (NaN: unknown), (B,)."""
    whole = np.full(panel.n_products, panel.n_days, dtype=np.int64)
    prepared = prepare(panel, np.zeros_like(whole), whole, options)
    observed = prepared.signal.observed
    has_error = np.isfinite(prepared.signal_variance) & observed
    sampling = mean_where(np.where(has_error, prepared.signal_variance, 0.0), has_error)
    total = mean_where(prepared.signal.values**2, observed)
    true = np.maximum(total - sampling, _MIN_SIGNAL_SHARE * total)
    size = np.sqrt(np.where(true > 0, true, np.inf))
    return size, np.where(has_error.any(axis=1), sampling, np.nan)


def _level(panel: Panel, options: Options) -> FloatArray:
    """What one unit of the outcome's logarithm is on its scale, (B,): d scale(y) / d ln y.

    Of an outcome without a scale: its mean, so that responses are fractions of it.
    """
    in_stock = ~panel.stock_out
    is_identity, scaled = scale_outcome(panel.outcome, in_stock, panel.scale, options.scale)
    counted = in_stock & np.isfinite(panel.outcome)
    y = np.where(counted, np.maximum(panel.outcome, 0.0), 0.0)
    is_log = np.abs(scaled - np.log1p(y)) < np.abs(scaled - np.sqrt(y + 0.375))
    step = np.where(is_log, y / (1 + y), 0.5 * y / np.sqrt(y + 0.375))
    level = mean_where(np.where(is_identity[:, None], np.abs(y), step), counted)
    return np.where(level > 0, level, np.inf)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean_before(values: FloatArray) -> FloatArray:
    """Mean of the `_LEVEL_DAYS` days before each day, (B, L); days before the first count as 0."""
    total = np.cumsum(values, axis=1)
    before = np.zeros_like(total)
    before[:, 1:] = total[:, :-1]
    before[:, _LEVEL_DAYS + 1 :] -= total[:, : -_LEVEL_DAYS - 1]
    return before / _LEVEL_DAYS


def _date_means(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Weighted mean over products of each day; values (B, …, L), weights (B, L)."""
    per_date = weights.sum(axis=0)
    total = np.einsum("bl,b...l->...l", weights, values)
    return np.asarray(total / np.where(per_date > 0, per_date, 1.0))
