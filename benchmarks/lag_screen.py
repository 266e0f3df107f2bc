"""How long the SQL screen takes: every product's signal against its outcome at 29 lags.

    python -m benchmarks.lag_screen [--products 1000] [--days 365] [--rounds 3] [--threads 1]

The statement is compiled from the project's own macro (dbt_project/macros/lag_screen.sql), from the
daily series as the intermediate model leaves them to q-values, on one thread unless told otherwise.
`cpu` is the time of all threads, which says more than `wall` on a machine that others use.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import numpy as np
import pyarrow as pa

from udfs.dbt_plugin import register

MACRO = Path(__file__).resolve().parents[1] / "dbt_project" / "macros" / "lag_screen.sql"
SIGNAL, METRIC = "sentiment_mean", "units"
GOAL_SECONDS = 4.0

Array = np.ndarray[Any, np.dtype[Any]]


def screen_sql(series: str = "series", pairs: str = "pairs") -> str:
    """Return the screen as SQL over two tables, compiled from the project's macro."""
    environment = jinja2.Environment(autoescape=False, extensions=["jinja2.ext.do"])
    module: Any = environment.from_string(MACRO.read_text(encoding="utf-8")).module
    return str(module.lag_screen(series, pairs))


def connect(*, threads: int = 1) -> duckdb.DuckDBPyConnection:
    """Return an empty database that knows the project's functions."""
    connection = duckdb.connect(config={"threads": threads})
    register(connection)
    return connection


def load_series(
    connection: duckdb.DuckDBPyConnection,
    signal: Array,
    outcome: Array,
    *,
    is_promo: Array | None = None,
    is_holiday: Array | None = None,
    is_stock_out: Array | None = None,
    is_tested: bool = True,
) -> None:
    """Make the tables `series` and `pairs` of products × days arrays; NaN is not observed.

    Day 0 is a Monday. Flags are arrays of the same shape and default to none.
    """
    product_count, day_count = outcome.shape
    products = [f"p{number:05d}" for number in range(product_count)]
    day = np.tile(np.arange(day_count), product_count)
    columns: dict[str, Any] = {
        "product_id": np.repeat(products, day_count),
        "day_number": day,
        "weekday": day % 7 + 1,
        "is_promo": _flags(is_promo, outcome),
        "is_holiday": _flags(is_holiday, outcome),
    }
    for name, values, stock_out in (
        (SIGNAL, signal, None),
        (METRIC, outcome, is_stock_out),
    ):
        flat = np.asarray(values, dtype=float).ravel()
        table = pa.table(
            {
                **columns,
                "series": pa.array([name] * flat.size),
                "is_stock_out": _flags(stock_out, outcome),
                "value": pa.array(flat, mask=np.isnan(flat)),
            }
        )
        connection.register("arrived", table)
        start = "create or replace table series as" if name == SIGNAL else "insert into series"
        connection.execute(f"{start} select * from arrived")
        connection.unregister("arrived")
    connection.execute(
        "create or replace table pairs as select distinct product_id, ? as signal, ? as metric,"
        " ? as is_tested from series",
        [SIGNAL, METRIC, is_tested],
    )


def autoregressive(
    generator: np.random.Generator, shape: tuple[int, int], coefficient: float
) -> Array:
    """Return stationary AR(1) series of unit variance, one a row."""
    product_count, day_count = shape
    noise = generator.standard_normal((product_count, day_count)) * np.sqrt(1 - coefficient**2)
    values = np.empty_like(noise)
    values[:, 0] = generator.standard_normal(product_count)
    for day in range(1, day_count):
        values[:, day] = coefficient * values[:, day - 1] + noise[:, day]
    return values


def _flags(values: Array | None, like: Array) -> Array:
    return np.zeros(like.size, dtype=bool) if values is None else np.asarray(values, bool).ravel()


def main() -> int:
    """Print the time of each round; the exit code says whether the best one met the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--products", type=int, default=1000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    generator = np.random.default_rng(7)
    shape = (options.products, options.days)
    connection = connect(threads=options.threads)
    signal = autoregressive(generator, shape, 0.6)
    load_series(connection, signal, autoregressive(generator, shape, 0.5))
    query = f"create or replace temp table screened as {screen_sql()}"
    rounds = []
    for number in range(1, options.rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        connection.execute(query)
        rounds.append((time.perf_counter() - wall, time.process_time() - cpu))
        print(f"round {number}: wall {rounds[-1][0]:.2f} s, cpu {rounds[-1][1]:.2f} s")
    ((rows, listed),) = connection.execute(
        "select count(*), count(distinct product_id) filter (where q_value <= 0.05) from screened"
    ).fetchall()
    best = min(cpu for _, cpu in rounds)
    print(
        f"{options.products} products x {options.days} days x 29 lags: {rows} rows, {listed}"
        f" unrelated products at q <= .05; best {best:.2f} s of cpu (goal {GOAL_SECONDS:.0f} s)"
    )
    return int(best > GOAL_SECONDS)


if __name__ == "__main__":
    raise SystemExit(main())
