"""Panels of simulated shops for the tests of the statistics: small, seeded, with a known truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from udfs.lead_lag.panel import Panel

Array = np.ndarray[Any, np.dtype[Any]]


def ar1(generator: np.random.Generator, shape: tuple[int, int], memory: float | Array) -> Array:
    """AR(1) series of unit variance, one a row; `memory` one number or (N,)."""
    phi = np.broadcast_to(np.asarray(memory, dtype=float), shape[:1])
    noise = generator.standard_normal(shape) * np.sqrt(1 - phi**2)[:, None]
    out = np.empty(shape)
    out[:, 0] = noise[:, 0] / np.sqrt(1 - phi**2)
    for day in range(1, shape[1]):
        out[:, day] = phi * out[:, day - 1] + noise[:, day]
    return out


def simulated_panel(
    seed: int,
    products: int,
    days: int,
    *,
    uplift: float = 0.0,
    lag: int = 3,
    posts_per_day: float = 40.0,
    units_per_day: float = 40.0,
    noise: float = 0.2,
    shared_mood: float = 0.0,
    shared_noise: float = 0.0,
    buzz_of_sales: float = 0.0,
    closed_sundays: bool = False,
    promo_days: bool = True,
) -> Panel:
    """Simulate a log-linear shop.

    `uplift`: fraction of units per +1 SD of mood, `lag` days later. `noise`: SD of the log of
    expected units. `shared_mood`, `shared_noise`: correlation between products of mood and of
    that noise. `buzz_of_sales`: SDs of mood per SD of the noise two days before.
    """
    generator = np.random.default_rng(seed)
    shape, margin = (products, days), 40
    long = (products, days + margin)

    def partly_shared(share: float, memory: Array) -> Array:
        own = ar1(generator, long, memory)
        common = ar1(generator, (1, long[1]), 0.5)
        return np.sqrt(1 - share) * own + np.sqrt(share) * common

    mood = partly_shared(shared_mood, generator.uniform(0.3, 0.8, products))
    rest = partly_shared(shared_noise, generator.uniform(0.2, 0.7, products))
    if buzz_of_sales:
        mood[:, 2:] += buzz_of_sales * rest[:, :-2]
    day = np.arange(days)
    weekday = generator.normal(0, 0.2, (products, 7))[:, day % 7]
    promo = np.zeros(shape, dtype=bool)
    if promo_days:
        for start in generator.integers(5, days - 5, 4):
            promo[:, start : start + 4] = True
    log_units = (
        np.log(units_per_day)
        + weekday
        + generator.normal(0, 0.3, (products, 1)) * (day / days)
        + 0.4 * promo
        + noise * rest[:, margin:]
        + np.log1p(uplift) * mood[:, margin - lag : margin - lag + days]
    )
    units = generator.poisson(np.exp(log_units)).astype(float)
    posts = generator.poisson(posts_per_day, shape).astype(float)
    posts = np.maximum(posts, 1.0)
    # One post has SD .6 around the day's mood of SD .2.
    error = 0.6 / np.sqrt(posts)
    signal = 0.1 + 0.2 * mood[:, margin:] + error * generator.standard_normal(shape)
    is_open = np.ones(shape, dtype=bool)
    if closed_sundays:
        is_open[:, day % 7 == 6] = False
        units[~is_open] = np.nan
    return Panel(
        product_ids=tuple(f"p{number:04d}" for number in range(products)),
        dates=np.datetime64("2026-01-05", "D") + day,
        signal=signal,
        outcome=units,
        signal_variance=error**2,
        posts=posts,
        promo=promo,
        holiday=np.zeros(shape, dtype=bool),
        stock_out=np.zeros(shape, dtype=bool),
        is_open=is_open,
        categories=tuple("a" if number % 2 else "b" for number in range(products)),
    )
