"""Simulated shops with planted links or none, three families, all products at once.

Nothing here is taken from the project's demo generator or from the method that is measured.

* `log_linear`: log sales = weekday + trend + promotions + holidays + AR(1) level + effect; units
  are negative binomial. Mood is an AR(1) with weekdays, a trend and a nudge by promotions.
* `structural`: sales have a random-walk level (ETS with multiplicative error), GARCH(1, 1) noise,
  orders that excite further orders (an INGARCH form of Hawkes's process, 1971) and, for a share of
  products, demand that pauses (Croston 1972). Mood mixes a slow and a fast component with
  volatility that clusters, and is bounded.
* `messy`: the first, plus level shifts, a season whose phase drifts, campaigns that move mood and
  sales at once, bulk orders, viral days, stock-outs, closed weekdays, missing days and windows of
  unequal length.

An effect acts on log sales at a lag of 1-10 days ("point"), per +1 SD of the latent daily mood less
weekday, trend, season and flagged days; or spread by an adstock with geometric decay, per +1 SD of
the *adstocked* mood. What is observed is the mean of that day's posts, so noise of a known standard
error is on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Panel

Array = np.ndarray[Any, np.dtype[Any]]
Family = Literal["log_linear", "structural", "messy"]
Kind = Literal["none", "lead", "reverse", "feedback"]
Shape = Literal["point", "spread"]

FAMILIES: tuple[Family, ...] = ("log_linear", "structural", "messy")
HISTORY = 24
BURN_IN_DAYS = 70
POST_SD = 0.5
MOOD_SD = 0.13
SURPRISE_LIMIT = 4.0


@dataclass(frozen=True, slots=True)
class Planted:
    """What is in the data, per product: arrays of shape (N,), weights (N, HISTORY).

    `uplift`: fraction of sales per +1 SD of the latent mood at `lag_days`, the strongest day; the
    SD is that of the mood less weekday, trend, season and flagged days, as it is published.
    `lead_weights[:, k]`: effect on log sales of the mood k days before; `reverse_weights`: effect
    on mood (in SD) of the sales surprise (in SD) k days before.
    """

    kind: Array
    lag_days: IntArray
    uplift: FloatArray
    lead_weights: FloatArray
    reverse_weights: FloatArray


@dataclass(frozen=True, slots=True)
class Shops:
    """Simulated products as the method gets them, with what was planted and whose shop it is."""

    panel: Panel
    planted: Planted
    shop: IntArray


@dataclass(frozen=True, slots=True)
class Setting:
    """How to simulate. `shop_size`: products a shop. `is_shared`: one signal a shop.

    `kind` is planted in a share of `planted_ratio` of the products. `effect` is the fraction of
    sales per +1 SD; `reverse_effect`: SD of mood per SD of the sales surprise. `is_same_lag`: one
    lag for all products of a shop. `pausing_ratio`: share of structural products whose demand
    pauses for days. `campaigns`: days that move mood and sales at once, tracked as
    promotions, untracked, or none at all.
    """

    family: Family = "log_linear"
    n_days: int = 180
    shop_size: int = 20
    is_shared: bool = False
    kind: Kind = "none"
    is_same_lag: bool = False
    shape: Shape = "point"
    planted_ratio: float = 1.0
    effect: float = 0.0
    reverse_effect: float = 0.7
    pausing_ratio: float = 0.15
    campaigns: Literal["tracked", "untracked", "none"] = "tracked"


def simulate(setting: Setting, n_products: int, rng: np.random.Generator) -> Shops:
    """Simulate `n_products` in shops of `setting.shop_size`."""
    shop = np.arange(n_products) // setting.shop_size
    planted = _plant(setting, shop, rng)
    n_days = BURN_IN_DAYS + setting.n_days
    calendar = _calendar(setting, n_products, shop, n_days, rng)
    mood = _mood(setting, n_products, shop, calendar, rng)
    kept = slice(BURN_IN_DAYS, None)
    seen = calendar.of(kept)
    if planted.lead_weights.any():
        planted = _per_sd(planted, irregular(mood[:, kept], seen))
    latent, units = _run(planted, mood, _sales(setting, shop, calendar, rng), rng)
    panel = _observe(setting, shop, latent[:, kept], units[:, kept], seen, rng)
    sd = irregular(latent[:, kept], seen).std(axis=1)
    uplift = np.expm1(planted.lead_weights.max(axis=1) * sd)
    return Shops(panel=panel, planted=replace(planted, uplift=uplift), shop=shop)


# What is planted -------------------------------------------------------------------------------


def _plant(setting: Setting, shop: IntArray, rng: np.random.Generator) -> Planted:
    n = len(shop)
    is_planted = np.zeros(n, dtype=bool)
    if setting.kind != "none":
        is_planted = rng.random(n) < setting.planted_ratio
    kind = np.where(is_planted, setting.kind, "none").astype(object)
    leads = is_planted & (setting.kind in ("lead", "feedback"))
    reverses = is_planted & (setting.kind in ("reverse", "feedback"))
    lag = rng.integers(1, 11, n)
    if setting.is_same_lag:
        lag = lag[shop]
    size = np.log1p(setting.effect)
    lead_weights = np.zeros((n, HISTORY))
    rows = np.arange(n)
    if setting.shape == "point":
        lead_weights[rows, lag] = size
    else:
        decay = rng.uniform(0.3, 0.6, n)
        after = np.arange(HISTORY)[None, :] - lag[:, None]
        lead_weights = np.where(after >= 0, size * decay[:, None] ** np.maximum(after, 0), 0.0)
    lead_weights *= leads[:, None]
    reverse_lag = rng.integers(1, 11, n)
    reverse_weights = np.zeros((n, HISTORY))
    reverse_weights[rows[reverses], reverse_lag[reverses]] = setting.reverse_effect
    return Planted(
        kind=kind,
        lag_days=np.where(leads, lag, 0).astype(np.int64),
        uplift=np.zeros(n),  # known when the mood is
        lead_weights=lead_weights,
        reverse_weights=reverse_weights,
    )


def _per_sd(planted: Planted, mood: FloatArray) -> Planted:
    """Divide the weights by the SD of what they act through: the mood, spread over their days."""
    peak = planted.lead_weights.max(axis=1)
    kernel = planted.lead_weights / np.where(peak > 0, peak, 1.0)[:, None]
    acting = np.zeros_like(mood)
    for lag in np.flatnonzero(kernel.any(axis=0)):
        acting[:, lag:] += kernel[:, lag : lag + 1] * mood[:, : mood.shape[1] - lag]
    sd = acting[:, HISTORY:].std(axis=1)
    return replace(planted, lead_weights=planted.lead_weights / np.where(sd > 0, sd, 1.0)[:, None])


def irregular(mood: FloatArray, calendar: _Calendar) -> FloatArray:
    """A mood (N, T) less weekday, trend, cosines (floor(2 T / 120) of them) and flagged days."""
    n_days = mood.shape[1]
    place = (np.arange(n_days) + 0.5) / n_days
    waves = [np.cos(np.pi * place * wave) for wave in range(1, 2 * n_days // 120 + 1)]
    weekday = np.equal.outer(calendar.weekday, np.arange(7))
    common = np.column_stack([weekday, place, *waves]).astype(float)
    rest = np.empty_like(mood)
    for row in range(len(mood)):
        design = np.column_stack([common, calendar.promo[row], calendar.holiday[row]])
        rest[row] = mood[row] - design @ np.linalg.lstsq(design, mood[row], rcond=None)[0]
    return rest


# The calendar ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Days × products: weekday number (T,), flags (N, T), unflagged campaigns (N, T)."""

    weekday: IntArray
    promo: BoolArray
    hidden: BoolArray
    holiday: BoolArray
    is_open: BoolArray
    stock_out: BoolArray

    def of(self, days: slice) -> _Calendar:
        return _Calendar(
            weekday=self.weekday[days],
            promo=self.promo[:, days],
            hidden=self.hidden[:, days],
            holiday=self.holiday[:, days],
            is_open=self.is_open[:, days],
            stock_out=self.stock_out[:, days],
        )


def _calendar(
    setting: Setting, n: int, shop: IntArray, n_days: int, rng: np.random.Generator
) -> _Calendar:
    shape = (n, n_days)
    weekday = np.arange(n_days) % 7
    holiday = np.zeros(shape, dtype=bool)
    n_shops = int(shop.max()) + 1
    # Holidays are one calendar for a shop.
    of_shop = rng.random((n_shops, n_days)) < 10 / 365
    holiday |= of_shop[shop]
    promo = _windows(shape, per_year=7, length=(3, 8), rng=rng)
    hidden = np.zeros(shape, dtype=bool)
    is_open = np.ones(shape, dtype=bool)
    stock_out = np.zeros(shape, dtype=bool)
    if setting.campaigns == "untracked":
        hidden = _windows(shape, per_year=5, length=(2, 5), rng=rng)
    if setting.family == "messy":
        campaigns = _windows(shape, per_year=4, length=(2, 5), rng=rng)
        if setting.campaigns == "tracked":
            promo |= campaigns
        stock_out = _windows(shape, per_year=3, length=(2, 9), rng=rng)
        stock_out &= (rng.random(n) < 0.4)[:, None]
        closes = (rng.random(n_shops) < 0.35)[shop]
        is_open = ~(closes[:, None] & (weekday == 6)[None, :])
    return _Calendar(weekday, promo, hidden, holiday, is_open, stock_out)


def _windows(
    shape: tuple[int, int], *, per_year: float, length: tuple[int, int], rng: np.random.Generator
) -> BoolArray:
    """Random windows of days: a rate a year, a length from `length[0]` to `length[1]` - 1 days."""
    n, n_days = shape
    starts = rng.random(shape) < per_year / 365
    lengths = rng.integers(*length, size=shape)
    inside = np.zeros(shape, dtype=bool)
    left = np.zeros(n, dtype=np.int64)
    for day in range(n_days):
        left = np.where(starts[:, day] & (left == 0), lengths[:, day], left)
        inside[:, day] = left > 0
        left = np.maximum(left - 1, 0)
    return inside


# Mood ------------------------------------------------------------------------------------------


def _mood(
    setting: Setting, n: int, shop: IntArray, calendar: _Calendar, rng: np.random.Generator
) -> FloatArray:
    """The latent mood without any answer to sales: its irregular part has SD 1."""
    n_shops = int(shop.max()) + 1
    rows = n_shops if setting.is_shared else n
    n_days = len(calendar.weekday)
    day = np.arange(n_days) / 365
    if setting.family == "structural":
        slow = autoregressive((rows, n_days), rng.uniform(0.85, 0.95, rows), rng)
        fast = autoregressive((rows, n_days), rng.uniform(0.0, 0.4, rows), rng, is_garch=True)
        share = rng.uniform(0.2, 0.6, rows)[:, None]
        values = np.sqrt(share) * slow + np.sqrt(1 - share) * fast
        values = 3 * np.tanh(values / 3)
        values /= values.std(axis=1, keepdims=True)
    else:
        values = autoregressive((rows, n_days), rng.uniform(0.2, 0.75, rows), rng)
    if setting.family == "messy":
        values = values + _level_shifts((rows, n_days), 0.8, rng)
        values += 0.6 * np.sin(2 * np.pi * (day[None, :] * 2 + rng.random((rows, 1))))
        viral = rng.random((rows, n_days)) < 0.008
        values += viral * rng.choice([-1.0, 1.0], viral.shape) * rng.uniform(3, 7, viral.shape)
    values = values + 0.3 * rng.standard_normal((rows, 7))[:, calendar.weekday]
    values += rng.normal(0, 0.8, (rows, 1)) * day
    if setting.is_shared:
        # A shared signal is about the shop: it answers the first product's campaigns, if any.
        values = values[shop]
        _, first = np.unique(shop, return_index=True)
        promo, hidden = calendar.promo[first][shop], calendar.hidden[first][shop]
    else:
        promo, hidden = calendar.promo, calendar.hidden
    nudge = 0.9 if setting.family == "messy" else 0.4
    return np.asarray(values + nudge * promo + 1.5 * hidden)


def autoregressive(
    shape: tuple[int, int],
    coefficient: float | FloatArray,
    rng: np.random.Generator,
    *,
    is_garch: bool = False,
) -> FloatArray:
    """Stationary AR(1) rows of unit variance; with GARCH(1, 1) innovations if asked."""
    n, n_days = shape
    phi = np.broadcast_to(np.asarray(coefficient, dtype=float), (n,))
    noise = _garch(shape, rng) if is_garch else rng.standard_normal(shape)
    noise = noise * np.sqrt(1 - phi**2)[:, None]
    values = np.empty(shape)
    values[:, 0] = rng.standard_normal(n)
    for day in range(1, n_days):
        values[:, day] = phi * values[:, day - 1] + noise[:, day]
    return values


def _garch(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """Unit-variance GARCH(1, 1) noise with .15 and .75 (Bollerslev 1986)."""
    n, n_days = shape
    noise = np.empty(shape)
    variance = np.ones(n)
    for day in range(n_days):
        noise[:, day] = rng.standard_normal(n) * np.sqrt(variance)
        variance = 0.10 + 0.15 * noise[:, day] ** 2 + 0.75 * variance
    return noise


def _level_shifts(shape: tuple[int, int], size: float, rng: np.random.Generator) -> FloatArray:
    """About two lasting shifts a year a row, each normal with SD `size`."""
    shifts = (rng.random(shape) < 2 / 365) * rng.normal(0, size, shape)
    return np.cumsum(shifts, axis=1)


# Sales -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sales:
    """Log of expected sales without the effect (N, T), and how units scatter around them."""

    log_mean: FloatArray
    surprise_of: FloatArray
    dispersion: FloatArray
    excitation: FloatArray
    is_active: BoolArray


def _sales(
    setting: Setting, shop: IntArray, calendar: _Calendar, rng: np.random.Generator
) -> _Sales:
    n, n_days = calendar.promo.shape
    day = np.arange(n_days) / 365
    base = np.log(np.clip(rng.lognormal(np.log(32), 0.6, n), 8, 200))[:, None]
    fixed = base + 0.25 * rng.standard_normal((n, 7))[:, calendar.weekday]
    fixed = fixed + rng.normal(0, 0.3, (n, 1)) * day
    fixed += rng.uniform(0.2, 0.7, (n, 1)) * calendar.promo
    fixed += rng.normal(0.2, 0.3, (n, 1)) * calendar.holiday + 0.5 * calendar.hidden
    dispersion = rng.uniform(6, 25, (n,))
    excitation: FloatArray = np.zeros(n)
    is_active: BoolArray = np.ones((n, n_days), dtype=bool)
    if setting.family == "structural":
        step = rng.uniform(0.01, 0.05, (n, 1))
        level = np.cumsum(rng.standard_normal((n, n_days)) * step, axis=1)
        noise = _garch((n, n_days), rng) * rng.uniform(0.08, 0.25, (n, 1))
        common = autoregressive((int(shop.max()) + 1, n_days), 0.7, rng)[shop] * 0.10
        wander = level + noise + common
        excitation = rng.uniform(0.1, 0.5, (n,))
        pauses = _windows((n, n_days), per_year=60, length=(1, 4), rng=rng)
        is_active = ~(pauses & (rng.random((n,)) < setting.pausing_ratio)[:, None])
    else:
        level = autoregressive((n, n_days), rng.uniform(0.3, 0.8, n), rng)
        wander = level * rng.uniform(0.10, 0.30, (n, 1))
    if setting.family == "messy":
        wander = wander + _level_shifts((n, n_days), 0.35, rng)
        drift = np.cumsum(rng.normal(0, 0.03, (n, n_days)), axis=1)
        wander += rng.uniform(0.05, 0.25, (n, 1)) * np.sin(
            2 * np.pi * (2 * day[None, :] + rng.random((n, 1))) + drift
        )
        bulk = rng.random((n, n_days)) < 0.006
        wander += bulk * rng.uniform(0.8, 1.8, bulk.shape)
    return _Sales(fixed + wander, fixed, dispersion, excitation, is_active)


def _run(
    planted: Planted,
    mood: FloatArray,
    sales: _Sales,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Mood and units day by day, each with its answer to the other's past."""
    n, n_days = mood.shape
    latent = mood.copy()
    units = np.zeros((n, n_days))
    surprise = np.zeros((n, n_days))
    excess = np.zeros(n)
    scatter = np.sqrt(0.04 + np.exp(-sales.surprise_of.mean(axis=1)) + 1 / sales.dispersion)
    answers = bool(planted.reverse_weights.any())
    acts = bool(planted.lead_weights.any())
    for day in range(n_days):
        reach = min(day + 1, HISTORY)
        back = slice(day, None if day < reach else day - reach, -1)
        if answers:
            latent[:, day] += (planted.reverse_weights[:, :reach] * surprise[:, back]).sum(axis=1)
        log_mean = sales.log_mean[:, day]
        if acts:
            log_mean = log_mean + (planted.lead_weights[:, :reach] * latent[:, back]).sum(axis=1)
        mean = np.exp(np.minimum(log_mean, 9.0))
        excited = np.maximum(mean + sales.excitation * excess, 0.05 * mean)
        mixed = rng.gamma(sales.dispersion) / sales.dispersion
        units[:, day] = rng.poisson(excited * mixed) * sales.is_active[:, day]
        excess = units[:, day] - mean
        usual = np.exp(np.minimum(sales.surprise_of[:, day], 9.0))
        beyond = np.log((1 + units[:, day]) / (1 + usual)) / scatter
        surprise[:, day] = np.clip(beyond, -SURPRISE_LIMIT, SURPRISE_LIMIT)
    return latent, units


# What is observed ------------------------------------------------------------------------------


def _observe(
    setting: Setting,
    shop: IntArray,
    latent: FloatArray,
    units: FloatArray,
    calendar: _Calendar,
    rng: np.random.Generator,
) -> Panel:
    n, n_days = latent.shape
    rows = int(shop.max()) + 1 if setting.is_shared else n
    usual = np.clip(rng.lognormal(np.log(45), 0.35, rows), 20, 150)[:, None]
    busy = np.exp(0.3 * autoregressive((rows, n_days), 0.5, rng))
    posts = rng.poisson(usual * busy * rng.gamma(10, 1 / 10, (rows, n_days))) + 1.0
    error = rng.standard_normal((rows, n_days))
    if setting.is_shared:
        posts, error = posts[shop], error[shop]
    se = POST_SD / np.sqrt(posts)
    signal = 0.15 + MOOD_SD * latent + se * error
    outcome = units.copy()
    # What a shop measures is its posts' scatter, not the scatter's true size.
    stated_se = se * np.sqrt(rng.chisquare(posts) / posts)
    if setting.family == "messy":
        outcome = np.where(calendar.stock_out, np.floor(outcome * 0.1), outcome)
        outcome[~calendar.is_open] = np.nan
        ratio = rng.uniform(0, 0.06, (n, 1))
        outcome[rng.random((n, n_days)) < ratio] = np.nan
        silent = rng.random((rows, n_days)) < (ratio[:rows] if rows < n else ratio)
        signal[silent[shop] if setting.is_shared else silent] = np.nan
        late = np.where(rng.random(n) < 0.3, rng.integers(0, max(1, n_days // 6), n), 0)
        late = np.minimum(late, n_days - 90)
        before = np.arange(n_days)[None, :] < late[:, None]
        outcome[before] = np.nan
        signal[before] = np.nan
    is_silent = np.isnan(signal)
    start = np.datetime64("2024-01-01")
    return Panel(
        product_ids=tuple(f"p{number:05d}" for number in range(n)),
        dates=np.arange(start, start + np.timedelta64(n_days, "D")),
        signal=signal,
        outcome=outcome,
        signal_variance=np.where(is_silent, np.nan, stated_se**2),
        posts=np.where(is_silent, 0.0, posts),
        promo=calendar.promo,
        holiday=calendar.holiday,
        stock_out=calendar.stock_out,
        is_open=calendar.is_open,
        categories=(None,) * n,
    )


def last_days(shops: Shops, first: int, last: int) -> Shops:
    """The same shops as somebody sees them who has only the days `first` .. `last` - 1."""
    cut: dict[str, Any] = {"dates": shops.panel.dates[first:last]}
    for name in (
        "signal",
        "outcome",
        "signal_variance",
        "posts",
        "promo",
        "holiday",
        "stock_out",
        "is_open",
    ):
        cut[name] = getattr(shops.panel, name)[:, first:last]
    return replace(shops, panel=replace(shops.panel, **cut))
