"""What the tests of the statistics share: published series, simple shops, plain formulas.

The formulas are the slow and obvious ones, for one product at a time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from udfs.lead_lag.panel import Panel

Array = npt.NDArray[np.float64]


def golden(shared: Path, name: str) -> Array:
    """The numbers of one golden series, one row a time step."""
    return np.genfromtxt(shared / "golden" / f"{name}.csv", delimiter=",", skip_header=1)


def granger(response: Array, predictor: Array, lags: int) -> tuple[float, float]:
    """F and p of Granger (1969): do values of the predictor add to the response's own past?"""
    rows = len(response) - lags
    own = [response[lags - lag : lags - lag + rows] for lag in range(1, lags + 1)]
    other = [predictor[lags - lag : lags - lag + rows] for lag in range(1, lags + 1)]
    small = np.column_stack([np.ones(rows), *own])
    large = np.column_stack([small, *other])
    target = response[lags:]

    def rest(design: Array) -> float:
        fitted = design @ np.linalg.lstsq(design, target, rcond=None)[0]
        return float(((target - fitted) ** 2).sum())

    freedom = rows - large.shape[1]
    f = (rest(small) - rest(large)) / lags / (rest(large) / freedom)
    return f, float(stats.f.sf(f, lags, freedom))


def autoregressive(
    generator: np.random.Generator, shape: tuple[int, int], coefficient: float
) -> Array:
    """Stationary AR(1) series of unit variance, one a row."""
    noise = generator.standard_normal(shape) * np.sqrt(1 - coefficient**2)
    values = np.empty(shape)
    values[:, 0] = generator.standard_normal(shape[0])
    for day in range(1, shape[1]):
        values[:, day] = coefficient * values[:, day - 1] + noise[:, day]
    return values


def panel_of(signal: Array, outcome: Array, **given: Any) -> Panel:
    """A panel of (N, T) arrays that starts on a Monday; nothing else happens unless given."""
    none = np.zeros(signal.shape, dtype=bool)
    series: dict[str, Any] = {
        "product_ids": tuple(f"p{number:04d}" for number in range(len(signal))),
        "dates": np.datetime64("2024-01-01") + np.arange(signal.shape[1]),
        "signal": signal,
        "outcome": outcome,
        "signal_variance": np.full(signal.shape, np.nan),
        "posts": np.full(signal.shape, 30.0),
        "promo": none,
        "holiday": none,
        "stock_out": none,
        "is_open": ~none,
        "categories": (None,) * len(signal),
    }
    return Panel(**{**series, **given})


def log_linear_shop(
    products: int,
    days: int,
    *,
    seed: int,
    uplift: float = 0.0,
    kernel: dict[int, float] | None = None,
    sales_move_mood: float = 0.0,
) -> Panel:
    """Sales around a log-linear autoregression with weekday, trend and promotions.

    `uplift`: of one standard deviation of mood, spread over the lags (days) of `kernel`, 3 days
    later unless given. `sales_move_mood`: standard deviations of mood for one of sales, 2 days
    later.
    """
    generator = np.random.default_rng(seed)
    before = 30
    shape = (products, days + before)
    day = np.arange(shape[1])
    mood = autoregressive(generator, shape, 0.5)
    season = generator.normal(0, 0.2, (products, 7))[:, day % 7]
    trend = generator.normal(0, 0.3, (products, 1)) * day / shape[1]
    promo = np.repeat(generator.random((products, shape[1] // 10 + 1)) < 0.12, 10, axis=1)
    promo = promo[:, : shape[1]] & (day % 10 < 5)
    moving = 0.25 * autoregressive(generator, shape, 0.5)
    for lag, share in (kernel or {3: 1.0}).items():
        moving[:, lag:] += share * np.log1p(uplift) * mood[:, :-lag]
    level = np.log(generator.lognormal(np.log(40), 0.5, (products, 1)))
    usual = level + season + trend + 0.35 * promo
    mean = np.exp(usual + moving)
    units = generator.poisson(mean * generator.gamma(12, 1 / 12, shape)).astype(float)
    unusual = np.log1p(units) - usual
    mood[:, 2:] += sales_move_mood * (unusual / unusual.std(axis=1, keepdims=True))[:, :-2]
    posts = generator.poisson(30, shape) + 1.0
    error = 0.33 / np.sqrt(posts)
    signal = 0.2 + 0.12 * (mood + 0.3 * season) + error * generator.standard_normal(shape)
    kept = np.s_[:, before:]
    return panel_of(
        signal[kept],
        units[kept],
        signal_variance=error[kept] ** 2,
        posts=posts[kept],
        promo=promo[kept],
    )
