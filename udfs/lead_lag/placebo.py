"""The method tried where there can be no link: each product's sales with another product's mood.

Real series, real autocorrelation, outliers and seasons, but no reason to be related. If more than
5 % of such tests reject at .05, the method is not to be trusted on these data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from udfs.lead_lag.gates import judge
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Options, Panel
from udfs.lead_lag.preparing import OUTCOME_LIMIT, SIGNAL_LIMIT, prepare
from udfs.lead_lag.testing import directed_test

LEVEL = 0.05
MIN_TESTS = 20
# Products whose moods move together share a signal: the other's mood is then no placebo.
MAX_CORRELATION = 0.30
PRODUCTS_AT_ONCE = 128

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit of one signal and outcome; None where no pairing could be tested.

    `n_tests`: pairings tested. `n_left_out`: pairings whose moods move together.
    `share_below_05`: share of p < .05; `low`, `high`: its Wilson interval, 95 %.
    `is_as_expected`: the interval does not lie above 5 %; None with fewer than 20 tests.
    """

    n_tests: int
    n_left_out: int
    share_below_05: float | None
    low: float | None
    high: float | None
    is_as_expected: bool | None


def placebo_audit(
    panel: Panel, *, n_pairings: int, seed: int, options: Options | None = None
) -> Audit:
    """Test every product's outcome against the signals of `n_pairings` other products.

    Only products that pass the gates take part; with few of them there are fewer pairings.
    """
    p, n_left_out = placebo_p_values(panel, n_pairings=n_pairings, seed=seed, options=options)
    return audit(p, n_left_out)


def audit(p: FloatArray, n_left_out: int = 0) -> Audit:
    """Sum up p-values of placebo tests."""
    if p.size == 0:
        return Audit(0, n_left_out, None, None, None, None)
    below = int(np.count_nonzero(p < LEVEL))
    low, high = wilson_interval(below, p.size)
    return Audit(
        n_tests=p.size,
        n_left_out=n_left_out,
        share_below_05=below / p.size,
        low=low,
        high=high,
        is_as_expected=low <= LEVEL if p.size >= MIN_TESTS else None,
    )


def placebo_p_values(
    panel: Panel, *, n_pairings: int, seed: int, options: Options | None = None
) -> tuple[FloatArray, int]:
    """p-values of the lead test of all pairings, and how many pairings were left out."""
    options = options or Options()
    usable = panel.select(judge(panel, options).is_tested)
    count = usable.n_products
    order = np.random.default_rng(seed).permutation(count)
    turns = range(1, min(n_pairings, count - 1) + 1)
    if not turns:
        return np.empty(0), 0
    # Turning one random order gives every product another partner each time, never itself.
    own, partner = np.tile(order, len(turns)), np.concatenate([np.roll(order, t) for t in turns])
    is_apart = _correlation(usable.signal[own], usable.signal[partner]) <= MAX_CORRELATION
    own, partner = own[is_apart], partner[is_apart]
    p = lead_p_values(_with_signal_of(usable.select(own), usable, partner), options)
    return p[np.isfinite(p)], int(np.count_nonzero(~is_apart))


def lead_p_values(panel: Panel, options: Options) -> FloatArray:
    """p of the lead test alone, (N,), NaN where the gates do not let a product through."""
    gates = judge(panel, options)
    p = np.full(panel.n_products, np.nan)
    tested = np.flatnonzero(gates.is_tested)
    tested = tested[np.argsort(gates.length[tested], kind="stable")]
    for first in range(0, len(tested), PRODUCTS_AT_ONCE):
        rows = tested[first : first + PRODUCTS_AT_ONCE]
        part = prepare(panel.select(rows), gates.start[rows], gates.length[rows], options)
        test = directed_test(
            part.outcome.winsorised,
            part.signal.winsorised,
            part.outcome.fitted,
            part.signal.observed,
            (OUTCOME_LIMIT, SIGNAL_LIMIT),
            part.rank,
            gates.length[rows],
            options,
        )
        p[rows] = np.where(part.signal.is_flat | part.outcome.is_flat, np.nan, test.p)
    return p


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); 0 and 1 without trials."""
    if trials == 0:
        return 0.0, 1.0
    share, unit = successes / trials, _NORMAL_95**2 / trials
    centre = (share + unit / 2) / (1 + unit)
    half = _NORMAL_95 / (1 + unit) * np.sqrt((share * (1 - share) + unit / 4) / trials)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _with_signal_of(panel: Panel, others: Panel, partner: IntArray) -> Panel:
    return replace(
        panel,
        signal=others.signal[partner],
        signal_variance=others.signal_variance[partner],
        posts=others.posts[partner],
    )


def _correlation(left: FloatArray, right: FloatArray) -> FloatArray:
    """Absolute correlation of day-to-day changes of two signals, (N,); 0 where unknown.

    Changes, since levels of unrelated moods that drift are often alike.
    """
    first, second = np.diff(left, axis=1), np.diff(right, axis=1)
    both: BoolArray = np.isfinite(first) & np.isfinite(second)
    count = np.maximum(np.count_nonzero(both, axis=1), 1)
    centred = []
    for values in (first, second):
        known = np.where(both, values, 0.0)
        mean = known.sum(axis=1) / count
        centred.append(np.where(both, known - mean[:, None], 0.0))
    power = (centred[0] ** 2).sum(axis=1) * (centred[1] ** 2).sum(axis=1)
    product = (centred[0] * centred[1]).sum(axis=1)
    return np.asarray(np.abs(product) / np.sqrt(np.where(power > 0, power, 1.0)))
