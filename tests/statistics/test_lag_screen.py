"""The SQL screen against an independent calculation, on nulls and on planted links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy import stats

from benchmarks.lag_screen import (
    METRIC,
    SIGNAL,
    autoregressive,
    connect,
    load_series,
    screen_sql,
)

Array = np.ndarray[Any, np.dtype[Any]]
LAGS = np.arange(-14, 15)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as opened:
        yield opened


def screen(connection: duckdb.DuckDBPyConnection) -> dict[str, Array]:
    """Run the screen on what is loaded; columns as products × lags arrays."""
    columns = connection.execute(
        f"select * from ({screen_sql()}) as screened order by product_id, lag_days"
    ).fetchnumpy()
    return {
        name: (
            values.filled(np.nan)
            if np.ma.isMaskedArray(values) and values.dtype.kind == "f"
            else np.asarray(values)
        ).reshape(-1, LAGS.size)
        for name, values in columns.items()
    }


def rows_of(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    return connection.execute(f"select * from ({screen_sql()}) as screened").fetchall()


# An independent calculation, day by day --------------------------------------------------------


def backfitted(
    values: Array, weekday: Array, promo: Array, holiday: Array, left_out: Array
) -> Array:
    """Three sweeps of weekday mean, trend, promotion mean, holiday mean."""
    rest = values.copy()
    used = ~np.isnan(values) & ~left_out
    day = np.arange(values.size, dtype=float)
    for _ in range(3):
        for groups in (weekday, None, promo, holiday):
            if groups is None:
                slope, level = np.polyfit(day[used], rest[used], 1)
                rest = rest - level - slope * day
                continue
            for group in np.unique(groups):
                inside = groups == group
                if (inside & used).any():
                    rest[inside] -= rest[inside & used].mean()
    return rest


def correlation(left: Array, right: Array) -> tuple[float, int]:
    both = ~np.isnan(left) & ~np.isnan(right)
    return float(np.corrcoef(left[both], right[both])[0, 1]), int(both.sum())


def shifted(values: Array, days: int) -> Array:
    """The value of `days` days before."""
    moved = np.full_like(values, np.nan)
    moved[days:] = values[: values.size - days]
    return moved


def expected(signal: Array, outcome: Array, stock_out: Array) -> dict[str, Array]:
    """Correlations, days, effective days and p-values of one pair."""
    in_stock = np.where(stock_out, np.nan, outcome)
    found: dict[str, list[float]] = {"correlation": [], "n_days": []}
    for lag in LAGS:
        left = shifted(signal, lag) if lag >= 0 else signal
        right = in_stock if lag >= 0 else shifted(outcome, -lag)
        value, days = correlation(left, right)
        found["correlation"].append(value)
        found["n_days"].append(days)
    n_days = np.array(found["n_days"], dtype=float)
    n_same_day = n_days[LAGS == 0][0]
    inflation = 1 + 2 * sum(
        (1 - lag / n_same_day)
        * correlation(signal, shifted(signal, lag))[0]
        * correlation(outcome, shifted(outcome, lag))[0]
        for lag in range(1, 15)
    )
    n_eff = n_days / max(1.0, inflation)
    r = np.array(found["correlation"])
    t_value = r * np.sqrt((n_eff - 2) / (1 - r**2))
    limit = stats.t.ppf(1 - (1 - 0.95 ** (1 / 29)) / 2, n_eff - 2)
    return {
        "correlation": r,
        "n_days": n_days,
        "n_eff": n_eff,
        "p_value": 2 * stats.t.sf(np.abs(t_value), n_eff - 2),
        "null_high": limit / np.sqrt(n_eff - 2 + limit**2),
    }


def test_agrees_with_a_calculation_day_by_day(connection: duckdb.DuckDBPyConnection) -> None:
    generator = np.random.default_rng(11)
    shape = (5, 150)
    signal, outcome = autoregressive(generator, shape, 0.6), autoregressive(generator, shape, 0.5)
    outcome[:, 4:] += 0.5 * signal[:, :-4]
    day = np.arange(shape[1])
    promo = np.tile((day % 40 > 34), (shape[0], 1))
    holiday = generator.random(shape) < 0.03
    stock_out = np.tile((day >= 60) & (day < 66), (shape[0], 1))
    outcome += 0.9 * (day % 7 == 5) + 0.01 * day + 2.0 * promo
    outcome[stock_out] -= 8.0
    signal += 0.3 * (day % 7 == 5) + 1.0 * promo
    outcome[generator.random(shape) < 0.05] = np.nan
    signal[generator.random(shape) < 0.05] = np.nan
    load_series(
        connection, signal, outcome, is_promo=promo, is_holiday=holiday, is_stock_out=stock_out
    )
    found = screen(connection)
    for product in range(shape[0]):
        flags = (day % 7, promo[product], holiday[product])
        nowhere = np.zeros(shape[1], dtype=bool)
        want = expected(
            backfitted(signal[product], *flags, nowhere),
            backfitted(outcome[product], *flags, stock_out[product]),
            stock_out[product],
        )
        for name, values in want.items():
            np.testing.assert_allclose(found[name][product], values, rtol=1e-6, err_msg=name)
        peak = int(np.argmin(want["p_value"]))
        assert found["is_peak"][product].nonzero()[0].tolist() == [peak]
        np.testing.assert_allclose(
            found["p_sidak"][product], 1 - (1 - want["p_value"][peak]) ** 29, rtol=1e-6, atol=1e-12
        )
    # Out-of-stock days say nothing about what precedes sales, but much about what follows them.
    assert (found["n_days"][:, LAGS == -1] > found["n_days"][:, LAGS == 1]).all()


def test_q_values_are_those_of_benjamini_and_hochberg(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    generator = np.random.default_rng(5)
    signal = autoregressive(generator, (40, 120), 0.4)
    outcome = autoregressive(generator, (40, 120), 0.4)
    outcome[:12, 2:] += np.linspace(0.2, 0.8, 12)[:, None] * signal[:12, :-2]
    load_series(connection, signal, outcome)
    found = screen(connection)
    np.testing.assert_allclose(
        found["q_value"][:, 0],
        stats.false_discovery_control(found["p_sidak"][:, 0]),
        rtol=1e-9,
    )


@pytest.mark.parametrize("lag", [-5, 0, 3, 14])
def test_a_planted_link_shows_at_its_lag_and_sign(
    connection: duckdb.DuckDBPyConnection, lag: int
) -> None:
    generator = np.random.default_rng(100 + lag)
    shape = (30, 240)
    signal = autoregressive(generator, (shape[0], shape[1] + 40), 0.5)
    outcome = autoregressive(generator, shape, 0.4)
    sign = np.where(np.arange(shape[0]) % 2, -1.0, 1.0)[:, None]
    outcome += 0.9 * sign * signal[:, 20 - lag : 20 - lag + shape[1]]
    load_series(connection, signal[:, 20 : 20 + shape[1]], outcome)
    found = screen(connection)
    peaks = LAGS[found["is_peak"].astype(bool).argmax(axis=1)]
    assert np.mean(np.abs(peaks - lag) <= 1) >= 0.95
    assert np.mean(peaks == lag) >= 0.85
    at_lag = found["correlation"][:, lag + 14]
    assert (np.sign(at_lag) == sign[:, 0]).mean() >= 0.95
    assert np.mean(found["q_value"][:, 0] <= 0.05) >= 0.9


@pytest.mark.parametrize(
    ("days", "of_signal", "of_outcome"), [(90, 0.0, 0.0), (180, 0.5, 0.5), (180, 0.9, 0.8)]
)
def test_unrelated_series_are_seldom_listed(
    connection: duckdb.DuckDBPyConnection, days: int, of_signal: float, of_outcome: float
) -> None:
    generator = np.random.default_rng(days + int(10 * of_signal))
    shape = (500, days)
    day = np.arange(days)
    signal = autoregressive(generator, shape, of_signal) + 0.6 * np.sin(2 * np.pi * day / 7)
    outcome = autoregressive(generator, shape, of_outcome) + 1.5 * np.sin(2 * np.pi * day / 7)
    signal += 0.01 * day
    outcome += 0.02 * day
    load_series(connection, signal, outcome)
    found = screen(connection)
    # 500 shops: three standard errors above 5 % are 8 %; the screen may be too careful, not blind.
    p_sidak = found["p_sidak"][:, 0]
    assert np.mean(p_sidak < 0.05) <= 0.08
    assert np.mean(p_sidak < 0.5) >= 0.2
    # Under no link at all, a family lists any pair in one case of twenty.
    assert np.sum(found["q_value"][:, 0] <= 0.05) <= 3
    outside = np.abs(found["correlation"]) > found["null_high"]
    assert np.mean(outside.any(axis=1)) <= 0.08
    # Single lags of strongly autocorrelated pairs reject a little more than they should.
    assert np.mean(found["p_value"] < 0.05) <= 0.09


def test_shared_weekday_trend_and_promotions_are_no_link(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    generator = np.random.default_rng(3)
    shape = (200, 180)
    day = np.arange(shape[1])
    promo = np.tile(day % 45 < 5, (shape[0], 1))
    shared = 2.0 * (day % 7 >= 5) + 0.05 * day + 3.0 * promo
    load_series(
        connection,
        autoregressive(generator, shape, 0.4) + shared,
        autoregressive(generator, shape, 0.4) + 2 * shared,
        is_promo=promo,
    )
    found = screen(connection)
    assert np.mean(found["p_sidak"][:, 0] < 0.05) <= 0.095
    raw = [
        stats.pearsonr(left, right).pvalue
        for left, right in zip(
            autoregressive(generator, shape, 0.4) + shared,
            autoregressive(generator, shape, 0.4) + 2 * shared,
            strict=True,
        )
    ]
    assert np.mean(np.array(raw) < 0.05) > 0.9  # what the screen saves us from


def test_closed_days_keep_their_place(connection: duckdb.DuckDBPyConnection) -> None:
    generator = np.random.default_rng(9)
    shape = (25, 200)
    signal = autoregressive(generator, shape, 0.5)
    outcome = autoregressive(generator, shape, 0.3)
    outcome[:, 3:] += 0.9 * signal[:, :-3]
    outcome[:, np.arange(shape[1]) % 7 == 6] = np.nan
    load_series(connection, signal, outcome)
    found = screen(connection)
    assert np.mean(LAGS[found["is_peak"].astype(bool).argmax(axis=1)] == 3) >= 0.9
    assert (found["n_days"][:, LAGS == 0] == 200 - 28).all()


def test_series_without_a_residual_yield_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    generator = np.random.default_rng(1)
    day = np.arange(120)
    signal = autoregressive(generator, (4, 120), 0.3)
    outcome = np.stack(
        [
            np.full(120, 5.0),  # constant
            np.array([1.0, 3.0, 2.0, 5.0, 4.0, 0.0, 0.0])[day % 7],  # its weekdays alone
            1e6 + 0.25 * day,  # a straight line far from 0
            np.full(120, np.nan),  # nothing
        ]
    )
    load_series(connection, signal, outcome)
    assert rows_of(connection) == []


def test_what_is_only_described_is_not_tested(connection: duckdb.DuckDBPyConnection) -> None:
    generator = np.random.default_rng(2)
    signal = autoregressive(generator, (3, 80), 0.3)
    load_series(connection, signal, signal + 0.1, is_tested=False)
    found = screen(connection)
    assert not np.isnan(found["correlation"]).any()
    assert not np.isnan(found["null_high"]).any()
    for name in ("t_value", "p_value", "p_sidak", "q_value"):
        assert np.isnan(found[name]).all(), name


def test_nothing_in_nothing_out(connection: duckdb.DuckDBPyConnection) -> None:
    load_series(connection, np.empty((0, 0)), np.empty((0, 0)))
    assert rows_of(connection) == []


def test_families_are_one_signal_and_one_metric(connection: duckdb.DuckDBPyConnection) -> None:
    """A second outcome with strong links must not lend its q-values to the first."""
    generator = np.random.default_rng(8)
    signal = autoregressive(generator, (10, 150), 0.3)
    load_series(connection, signal, autoregressive(generator, (10, 150), 0.3))
    alone = {row[0]: row[10] for row in rows_of(connection)}
    connection.execute(
        f"insert into series select * replace ('volume' as series) from series"
        f" where series = '{SIGNAL}'"
    )
    connection.execute("insert into pairs select * replace ('volume' as metric) from pairs")
    both = rows_of(connection)
    assert {row[0]: row[10] for row in both if row[2] == METRIC} == pytest.approx(alone)
    assert max(row[10] for row in both if row[2] == "volume") < 1e-6
