"""Does the signal improve forecasts of the outcome? The same model with and without it.

Every day is forecast from what was known `horizon` days before and fitted before that: design,
autoregression, and also the lag and the coefficient of the signal. A lead that is real but too
weak to help a forecast fails here, and so does one that only the whole sample knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special

from udfs.lead_lag.gates import MIN_DAYS_FULL
from udfs.lead_lag.multiplicity import benjamini_hochberg
from udfs.lead_lag.panel import (
    MAX_LAG,
    BoolArray,
    FloatArray,
    IntArray,
    Options,
    Panel,
    TextArray,
)
from udfs.lead_lag.preparing import OUTCOME_LIMIT, WEEKDAYS
from udfs.lead_lag.rolling import (
    Training,
    errors_ahead,
    first_origins,
    limited,
    origins,
    scaled_outcome,
    steps_ahead,
)
from udfs.lead_lag.testing import CONTRASTS, lagged
from udfs.lead_lag.whitening import apply_filter

CLAIM_Q = 0.10
# Benjamini-Hochberg alone would let a product without skill through at .10 where most others have
# some, or where there is no other product. With this and the lead test .7 % of 10,000 products
# without skill pass alone in their family (at most 1.4 % in a kind of shop), else fewer.
CLAIM_P = 0.02
LEAD_P = 0.05  # of the lead test: no skill without a lead
MIN_FORECASTS = 20
TRAINING = Training(min_days=60, share=0.4)

_SHRINKAGE = 3.0


class LeadTests(Protocol):
    """What forecasting needs to know of the lead test; `LinkTests` is one. Arrays are (N,)."""

    @property
    def p(self) -> FloatArray:
        """NaN where not tested."""

    @property
    def gate(self) -> TextArray:
        """As in `panel.Gate`."""

    @property
    def is_tested(self) -> BoolArray:
        """Whether the gates let the product through."""

    @property
    def reason(self) -> TextArray:
        """Why not; empty where tested."""


@dataclass(frozen=True, slots=True)
class SkillTests:
    """Forecasts of N products at H horizons, with and without the signal.

    `horizons`: days ahead. Arrays are (N, H). `p`: one-sided, of Clark and West (2007). `q`:
    Benjamini-Hochberg over products per horizon. `mase_without`, `mase_with`: mean absolute error
    on the outcome's scale over that of repeating last week's day (Hyndman and Koehler 2006), which
    is taken before the first origin. `improvement_ratio`: 1 - mase_with / mase_without.
    `n_forecasts`: days forecast. `lag_days`: chosen at the last origin, 0 for none. `is_tested`
    and, where false, `reason`. `is_predictive`: q <= .10, p <= .02, a smaller error and a lead
    test of p <= .05. Numbers are NaN where not tested.
    """

    product_ids: tuple[str, ...]
    horizons: tuple[int, ...]
    p: FloatArray
    q: FloatArray
    mase_without: FloatArray
    mase_with: FloatArray
    improvement_ratio: FloatArray
    n_forecasts: IntArray
    lag_days: IntArray
    is_tested: BoolArray
    is_predictive: BoolArray
    reason: TextArray


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecast errors of N products on T days at one horizon, 0 on days without a forecast.

    `error`: of the forecast without the signal, on the outcome's scale. `clipped`: the same within
    the limit that the training days gave. `change`: what the signal adds to the forecast.
    `is_forecast`: (N, T). `naive_error`, (N,): mean error of repeating last week's day, NaN if
    unknown. `lag_days`, (N,): at the last origin, 0 for none.
    """

    error: FloatArray
    clipped: FloatArray
    change: FloatArray
    is_forecast: BoolArray
    naive_error: FloatArray
    lag_days: IntArray


def forecast_skill(
    panel: Panel,
    tests: LeadTests,
    *,
    horizons: Sequence[int] = (1, 7),
    rows: BoolArray | None = None,
    options: Options | None = None,
) -> SkillTests:
    """Test of each product whether the signal improves forecasts `horizons` days ahead.

    `tests`: what the lead test said of the same panel. `rows`, (N,): only these products are
    forecast; the others of the family count as without skill in the correction, so choosing rows
    by their lead test is no second look. Horizons above one day need 180 days.
    """
    options = options or Options()
    shape = (panel.n_products, len(horizons))
    numbers = {name: np.full(shape, np.nan) for name in ("p", "without", "with", "gain")}
    lead_p = np.full(shape, np.nan)
    n_forecasts, lag_days = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    reason = np.full(shape, "", dtype=object)
    wanted = np.ones(panel.n_products, dtype=np.bool_) if rows is None else rows
    for column, horizon in enumerate(horizons):
        is_long_enough = can_be_forecast(tests.gate, horizon)
        lead_p[:, column] = np.where(is_long_enough, tests.p, np.nan)
        reason[:, column] = _why_not(tests, wanted, is_long_enough, horizon)
        chosen = np.flatnonzero(reason[:, column] == "")
        if chosen.size == 0:
            continue
        made = rolling_forecasts(panel.select(chosen), horizon, options)
        count = np.count_nonzero(made.is_forecast, axis=1)
        is_enough = (count >= MIN_FORECASTS) & (made.naive_error > 0)
        reason[chosen[~is_enough], column] = f"fewer than {MIN_FORECASTS} days could be forecast"
        n_forecasts[chosen, column], lag_days[chosen, column] = count, made.lag_days
        scale = np.where(is_enough, np.maximum(count, 1) * made.naive_error, np.nan)
        without = np.abs(made.error).sum(axis=1) / scale
        with_signal = np.abs(made.error - made.change).sum(axis=1) / scale
        numbers["without"][chosen, column] = without
        numbers["with"][chosen, column] = with_signal
        is_perfect = ~(without > 0)
        numbers["gain"][chosen, column] = np.where(
            is_perfect, np.nan, 1 - with_signal / np.where(is_perfect, 1.0, without)
        )
        p = clark_west(made.clipped, made.change, made.is_forecast, horizon)
        numbers["p"][chosen, column] = np.where(is_enough, p, np.nan)

    family = np.broadcast_to(np.arange(shape[1]), shape)
    q, is_predictive = skill_claims(
        numbers["p"].ravel(), numbers["gain"].ravel(), lead_p.ravel(), family.ravel()
    )
    return SkillTests(
        product_ids=panel.product_ids,
        horizons=tuple(horizons),
        p=numbers["p"],
        q=q.reshape(shape),
        mase_without=numbers["without"],
        mase_with=numbers["with"],
        improvement_ratio=numbers["gain"],
        n_forecasts=n_forecasts,
        lag_days=lag_days,
        is_tested=np.isfinite(numbers["p"]),
        is_predictive=is_predictive.reshape(shape),
        reason=reason,
    )


def can_be_forecast(gate: TextArray, horizon: int) -> BoolArray:
    """Whether the days, (N,), are enough for forecasts `horizon` days ahead."""
    return np.asarray((gate == "full") | (horizon == 1), dtype=np.bool_)


def skill_claims(
    p: FloatArray, improvement_ratio: FloatArray, lead_p: FloatArray, family: npt.NDArray[Any]
) -> tuple[FloatArray, BoolArray]:
    """q-values and claims of forecasts in families; all arrays (M,).

    What could be forecast (`lead_p` is a number) but was not tried counts in its family as p = 1.
    q is NaN where p is.
    """
    is_tried = np.isfinite(p)
    of_family = np.where(is_tried, p, np.where(np.isfinite(lead_p), 1.0, np.nan))
    q = np.where(is_tried, benjamini_hochberg(of_family, groups=family), np.nan)
    is_predictive = (q <= CLAIM_Q) & (p <= CLAIM_P) & (improvement_ratio > 0) & (lead_p <= LEAD_P)
    return q, is_predictive


def clark_west(
    error: FloatArray, change: FloatArray, is_forecast: BoolArray, horizon: int
) -> FloatArray:
    """One-sided p, (N,), that the larger of two nested models forecasts no better.

    `error`: (N, T), of the smaller model; `change`: (N, T), the larger model's forecast less the
    smaller one's. Clark and West (2007): the mean of e² - [(e - d)² - d²] over its standard error,
    with Bartlett weights over `horizon` - 1 days, and never below that of independent days. The
    reference is t with n / horizon - 1 degrees of freedom, as so few independent errors are there.
    Source: Journal of Econometrics 138, 291-311.
    """
    adjusted = np.where(is_forecast, error**2 - ((error - change) ** 2 - change**2), 0.0)
    count = np.maximum(np.count_nonzero(is_forecast, axis=1), 1)
    mean = adjusted.sum(axis=1) / count
    rest = np.where(is_forecast, adjusted - mean[:, None], 0.0)
    independent = (rest**2).sum(axis=1)
    variance = independent.copy()
    for lag in range(1, min(horizon, rest.shape[1])):
        together = (rest[:, lag:] * rest[:, :-lag]).sum(axis=1)
        variance += 2 * (1 - lag / horizon) * together
    variance = np.maximum(variance, independent)
    is_silent = ~(variance > 0)
    t_value = adjusted.sum(axis=1) / np.sqrt(np.where(is_silent, 1.0, variance))
    freedom = np.maximum(count / horizon - 1, 1.0)
    # A change of nothing is no improvement.
    return np.where(is_silent, 1.0, special.stdtr(freedom, -t_value))


def rolling_forecasts(panel: Panel, horizon: int, options: Options) -> Forecasts:
    """Forecast every product from the origins of `rolling.origins`, `horizon` days ahead.

    The effect is taken at one of the lags from `horizon` on, or spread over three of them:
    whichever stands out most among the training days; its coefficient shrinks by
    max(0, 1 - 3 / z²), as the largest of many is too large.
    """
    shape = panel.signal.shape
    error, clipped, change = (np.zeros(shape) for _ in range(3))
    is_forecast = np.zeros(shape, dtype=np.bool_)
    lag_days = np.zeros(shape[0], dtype=np.int64)
    for origin in origins(panel, TRAINING, options, horizon=horizon):
        response = np.where(origin.used, apply_filter(origin.bounded, origin.coefficients), 0.0)
        past = lagged(apply_filter(origin.predictor, origin.coefficients))
        weights, lag = _social_terms(response, past, origin.used, horizon)
        miss = errors_ahead(origin, horizon)
        if horizon > 1:
            ahead = steps_ahead(origin.coefficients, horizon)
            past = lagged(apply_filter(origin.predictor, ahead))
        added = np.einsum("bk,bkl->bl", weights, past)
        error = np.where(origin.block, miss, error)
        clipped = np.where(origin.block, limited(miss, origin.used, OUTCOME_LIMIT), clipped)
        change = np.where(origin.block, added, change)
        is_forecast |= origin.block
        lag_days = np.where(origin.block.any(axis=1), lag, lag_days)
    scaled, counted = scaled_outcome(panel, options)
    first, _ = first_origins(panel, TRAINING)
    before = np.arange(panel.n_days) < first[:, None]
    return Forecasts(
        error=error,
        clipped=clipped,
        change=change,
        is_forecast=is_forecast,
        naive_error=_naive_error(scaled, counted & before),
        lag_days=lag_days,
    )


def _social_terms(
    response: FloatArray, past: FloatArray, rows: BoolArray, horizon: int
) -> tuple[FloatArray, IntArray]:
    """Weights of the lags 1 to 14, (B, 14), of the contrast that stands out most; its lag, (B,).

    `response`: (B, L), filtered, 0 where `rows` is false; `past`: (B, 14, L), filtered predictor.
    """
    is_known = ~np.any(CONTRASTS[:, : horizon - 1] > 0, axis=1)
    contrasts = CONTRASTS[is_known]
    moment = (past @ response[:, :, None])[:, :, 0] @ contrasts.T
    gram = (past * rows[:, None, :]) @ past.transpose(0, 2, 1)
    power = np.einsum("ck,bkj,cj->bc", contrasts, gram, contrasts, optimize=True)
    power = np.where(power > 0, power, np.inf)
    count = np.maximum(np.count_nonzero(rows, axis=1), 1)
    variance = (response**2).sum(axis=1) / count
    is_flat = ~(variance > 0)
    z = moment / np.sqrt(power * np.where(is_flat, np.inf, variance)[:, None])
    best = np.argmax(np.abs(z), axis=1)
    row = np.arange(len(z))
    strength = z[row, best] ** 2
    kept = np.where(strength > _SHRINKAGE, 1 - _SHRINKAGE / np.maximum(strength, _SHRINKAGE), 0.0)
    slope = kept * moment[row, best] / power[row, best]
    middle = contrasts @ np.arange(1, MAX_LAG + 1) / contrasts.sum(axis=1)
    lag_days = np.where(kept > 0, np.rint(middle[best]).astype(np.int64), 0)
    return slope[:, None] * contrasts[best], lag_days


def _naive_error(scaled: FloatArray, used: BoolArray) -> FloatArray:
    """Mean absolute change from last week's day, (N,), over the days `used`; NaN if there is none.

    The day of the week before may be missing, as after a closed week: such pairs are left out.
    """
    both = used[:, WEEKDAYS:] & used[:, :-WEEKDAYS]
    step = np.where(both, scaled[:, WEEKDAYS:] - scaled[:, :-WEEKDAYS], 0.0)
    count = np.count_nonzero(both, axis=1)
    return np.where(count > 0, np.abs(step).sum(axis=1) / np.maximum(count, 1), np.nan)


def _why_not(
    tests: LeadTests, wanted: BoolArray, is_long_enough: BoolArray, horizon: int
) -> TextArray:
    """Why a product is not forecast, (N,); empty where it is."""
    reason = np.full(len(wanted), "", dtype=object)
    reason[~is_long_enough] = f"forecasts {horizon} days ahead need {MIN_DAYS_FULL} days"
    reason[~wanted] = "the lead test gives no ground to try a forecast"
    untested = ~tests.is_tested
    reason[untested] = np.asarray(tests.reason, dtype=object)[untested]
    return reason
