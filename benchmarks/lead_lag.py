"""How long the lead-lag method takes, beside a Granger loop of statsmodels on the same series.

    python -m benchmarks.lead_lag [--products 1000] [--days 365] [--rounds 3] [--looped 20]

Both run in turns in one process on one thread. The loop tests the orders 1 to 14 in both
directions, as one does to pick the best lag, without effect or interval, and is timed on a part of
the products. `cpu`: the time of this process says more than that of the wall on a machine that
others use.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings

import numpy as np

from benchmarks.lag_screen import autoregressive
from udfs.lead_lag.links import test_links
from udfs.lead_lag.multiplicity import decide
from udfs.lead_lag.panel import MAX_LAG, FloatArray, Panel

GOAL_SECONDS = 6.0
GOAL_TIMES = 8.0
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def unrelated(products: int, days: int) -> Panel:
    """Moods and sales that have nothing to do with each other."""
    generator = np.random.default_rng(7)
    shape = (products, days)
    none = np.zeros(shape, dtype=bool)
    moving = 0.3 * autoregressive(generator, shape, 0.5)
    return Panel(
        product_ids=tuple(f"p{number:05d}" for number in range(products)),
        dates=np.datetime64("2024-01-01") + np.arange(days),
        signal=0.2 + 0.1 * autoregressive(generator, shape, 0.5),
        outcome=generator.poisson(40 * np.exp(moving)).astype(float),
        signal_variance=np.full(shape, 0.02**2),
        posts=np.full(shape, 30.0),
        promo=generator.random(shape) < 0.05,
        holiday=none,
        stock_out=none,
        is_open=~none,
        categories=(None,) * products,
    )


def granger_loop(signal: FloatArray, outcome: FloatArray) -> list[float]:
    """Least p over the orders of each product and direction, by statsmodels."""
    from statsmodels.tsa.stattools import grangercausalitytests

    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for left, right in zip(signal, np.log1p(outcome), strict=True):
            for pair in ((right, left), (left, right)):
                tests = grangercausalitytests(np.column_stack(pair), MAX_LAG)
                found.append(min(float(test[0]["ssr_ftest"][1]) for test in tests.values()))
    return found


def main() -> int:
    """Print both times of each round; the exit code says whether both goals were met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--looped", type=int, default=20, help="products that the loop is timed on")
    options = parser.parse_args()
    if not ONE_THREAD.items() <= os.environ.items():
        # NumPy reads these once, when it is first imported.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **ONE_THREAD})
    panel = unrelated(options.products, options.days)
    looped = min(options.looped, options.products)
    granger_loop(panel.signal[:1], panel.outcome[:1])  # imports do not count
    ours, theirs = [], []
    for number in range(1, options.rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        tests = test_links(panel)
        decisions = decide(tests)
        ours.append(time.process_time() - cpu)
        wall = time.perf_counter() - wall
        cpu = time.process_time()
        granger_loop(panel.signal[:looped], panel.outcome[:looped])
        theirs.append((time.process_time() - cpu) * options.products / looped)
        print(
            f"round {number}: wall {wall:.2f} s, cpu {ours[-1]:.2f} s;"
            f" loop of statsmodels {theirs[-1]:.1f} s ({looped} products, scaled)"
        )
    times = float(np.median(theirs) / np.median(ours))
    print(
        f"{options.products} products x {options.days} days x 29 lags, tests both ways and effects:"
        f" {np.count_nonzero(tests.p < 0.05) / options.products:.1%} of unrelated products at"
        f" p < .05, {np.count_nonzero(decisions.is_claim)} claims; best {min(ours):.2f} s of cpu"
        f" (goal {GOAL_SECONDS:.0f} s), {times:.0f} times as fast as the loop (goal"
        f" {GOAL_TIMES:.0f})"
    )
    return int(min(ours) > GOAL_SECONDS or times < GOAL_TIMES)


if __name__ == "__main__":
    raise SystemExit(main())
