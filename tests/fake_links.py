"""The marts about forecasts, placebos and shared effects of the small published file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import duckdb

POOLED = """
create table marts.mart_pooled_effect (
    category varchar, signal varchar, metric varchar, products_count bigint, n_days bigint,
    lag_days integer, width_days integer, q_value double, uplift_ratio double,
    uplift_low_ratio double, uplift_high_ratio double, is_percentage_allowed boolean,
    is_tested boolean, is_refused boolean, reason varchar, is_simulated boolean
)
"""
SKILL = """
create table marts.mart_skill (
    product_id varchar, signal varchar, metric varchar, horizon_days integer, p_value double,
    q_value double, improvement_ratio double, mase_without double, mase_with double,
    forecasts_count bigint, lag_days integer, is_predictive boolean, is_tested boolean,
    reason varchar, is_simulated boolean
)
"""
PLACEBO = """
create table marts.mart_placebo_audit (
    signal varchar, metric varchar, tests_count bigint, left_out_count bigint,
    share_below_05_ratio double, low double, high double, is_as_expected boolean,
    is_simulated boolean
)
"""
EVENTS = """
create table marts.mart_event_uplift (
    product_id varchar, event_kind varchar, signal varchar, metric varchar, window_days integer,
    events_count bigint, uplift_ratio double, uplift_low_ratio double, uplift_high_ratio double,
    q_value double, is_tested boolean, reason varchar, is_simulated boolean
)
"""
SIGNALS = ("sentiment_mean", "posts_count")


class Tested(Protocol):
    """What is needed of a planted product."""

    @property
    def product_id(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def gate(self) -> str: ...
    @property
    def metric(self) -> str | None: ...


def add_links(
    connection: duckdb.DuckDBPyConnection, products: Sequence[Tested], days: int, is_simulated: bool
) -> None:
    """Create and fill the four marts: products that the mood leads are forecast better."""
    for statement in (POOLED, SKILL, PLACEBO, EVENTS):
        connection.execute(statement)
    for product in products:
        if product.gate in {"tested", "full"}:
            _forecasts(connection, product, days, is_simulated)
            _events(connection, product, is_simulated)
    tested = [product for product in products if product.gate in {"tested", "full"}]
    for metric in sorted({product.metric or "units" for product in tested}):
        _shared(connection, metric, len(tested), days, is_simulated)
        for number, signal in enumerate(SIGNALS):
            tests = len(tested) * (len(tested) - 1)
            _insert(
                connection,
                "mart_placebo_audit",
                (signal, metric, tests, number, 0.04 if tests else None, 0.01 if tests else None,
                 0.12 if tests else None, True if tests >= 20 else None, is_simulated),
            )  # fmt: skip


def _forecasts(
    connection: duckdb.DuckDBPyConnection, product: Tested, days: int, is_simulated: bool
) -> None:
    pair = (product.product_id, "sentiment_mean", product.metric or "units")
    is_better = product.verdict in {"social_leads", "feedback"}
    saved = 0.06 if is_better else -0.004
    q_value = 0.02 if is_better else 0.7
    _insert(
        connection,
        "mart_skill",
        (*pair, 1, q_value / 2, q_value, saved, 0.7, 0.7 * (1 - saved), max(days - 70, 5), 3,
         is_better, True, None, is_simulated),
    )  # fmt: skip
    _insert(
        connection,
        "mart_skill",
        (*pair, 7, None, None, None, None, None, 0, None, False, False,
         "forecasts 7 days ahead need 180 days", is_simulated),
    )  # fmt: skip


def _events(connection: duckdb.DuckDBPyConnection, product: Tested, is_simulated: bool) -> None:
    """Days of high mood where the mood leads, promotions for one, and too few holidays."""
    is_found = product.verdict in {"social_leads", "feedback"}
    sizes = (0.2, 0.08, 0.33, 0.01) if is_found else (0.01, -0.1, 0.12, 0.8)
    for kind, window, values in (
        ("high_mood", 3, sizes), ("volume_burst", 3, (-0.02, -0.2, 0.15, 0.9)),
        ("holiday", 0, None),
    ):  # fmt: skip
        _insert(
            connection,
            "mart_event_uplift",
            (product.product_id, kind, "sentiment_mean", product.metric or "units", window,
             12 if values else 4, *(values or (None,) * 4), values is not None,
             None if values else "4 of 5 events needed", is_simulated),
        )  # fmt: skip


def _shared(
    connection: duckdb.DuckDBPyConnection, metric: str, count: int, days: int, is_simulated: bool
) -> None:
    is_tested = count >= 3
    reason = None if is_tested else f"{count} of 3 products with enough days"
    for category, q_value, low, estimate, high in (
        ("all", 0.3, -0.01, 0.03, 0.07),
        ("category", 0.01, 0.02, 0.05, 0.08),
    ):
        sizes = (q_value, estimate, low, high) if is_tested else (None,) * 4
        _insert(
            connection,
            "mart_pooled_effect",
            (category, "sentiment_mean", metric, count, days if is_tested else 0,
             2 if is_tested else None, 1 if is_tested else None, *sizes, is_tested, is_tested,
             False, reason, is_simulated),
        )  # fmt: skip


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: Sequence[Any]) -> None:
    marks = ", ".join("?" for _ in row)
    connection.execute(f"insert into marts.{table} values ({marks})", list(row))
