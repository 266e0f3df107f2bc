"""What the Python models of skill, pooled effects, events and placebos share.

They read the same panels as the models about links (`udfs.dbt_links`), call `udfs.lead_lag` and
lay the answers out as Arrow tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa

from udfs.dbt_links import read_panels
from udfs.lead_lag import events, placebo
from udfs.lead_lag.multiplicity import benjamini_hochberg
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray, Panel, TextArray
from udfs.lead_lag.pooled import PooledEffect, pooled_effects
from udfs.lead_lag.skill import can_be_forecast, forecast_skill, skill_claims

HORIZONS = (1, 7)
# Forecasts are tried where the lead test gives them a chance, and for every primary pair.
TRY_FORECAST_P = 0.10
# Pooled at most: the panel of a category lies in memory as a whole.
POOLED_PRODUCTS = 2_000
PLACEBO_TESTS = 200
PLACEBO_SEED = 20260101
CALENDAR = "calendar"  # the signal of events that come from the business calendar
# Other kinds of its events, and the days that are tested: those after them, or (0) their own.
CALENDAR_KINDS = {
    "campaign": 0,
    "launch": events.WINDOW_DAYS,
    "outage": 0,
    "price_change": events.WINDOW_DAYS,
    "release": events.WINDOW_DAYS,
}
Span: TypeAlias = tuple[str | None, np.datetime64, np.datetime64]

_KEY = [("product_id", pa.string()), ("signal", pa.string()), ("metric", pa.string())]
SKILL_SCHEMA = pa.schema(
    [
        *_KEY,
        ("horizon_days", pa.int32()),
        ("is_tested", pa.bool_()),
        ("reason", pa.string()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),
        ("mase_without", pa.float64()),
        ("mase_with", pa.float64()),
        ("improvement_ratio", pa.float64()),
        ("forecasts_count", pa.int64()),
        ("lag_days", pa.int32()),
        ("is_predictive", pa.bool_()),
    ]
)
POOLED_SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("signal", pa.string()),
        ("metric", pa.string()),
        ("products_count", pa.int64()),
        ("n_days", pa.int64()),
        ("is_tested", pa.bool_()),
        ("is_refused", pa.bool_()),
        ("reason", pa.string()),
        ("own_variance_ratio", pa.float64()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),
        ("z_value", pa.float64()),
        ("lag_days", pa.int32()),
        ("width_days", pa.int32()),
        ("uplift_ratio", pa.float64()),
        ("uplift_low_ratio", pa.float64()),
        ("uplift_high_ratio", pa.float64()),
        ("reliability_ratio", pa.float64()),
        ("is_percentage_allowed", pa.bool_()),
        ("summed_p_value", pa.float64()),
        ("summed_lag_days", pa.int32()),
        ("summed_n_days", pa.int64()),
        ("summed_uplift_ratio", pa.float64()),
        ("summed_uplift_low_ratio", pa.float64()),
        ("summed_uplift_high_ratio", pa.float64()),
    ]
)
EVENT_SCHEMA = pa.schema(
    [
        ("product_id", pa.string()),
        ("event_kind", pa.string()),
        ("signal", pa.string()),
        ("metric", pa.string()),
        ("window_days", pa.int32()),
        ("is_tested", pa.bool_()),
        ("reason", pa.string()),
        ("events_count", pa.int64()),
        ("window_days_count", pa.int64()),
        ("other_days_count", pa.int64()),
        ("uplift_ratio", pa.float64()),
        ("uplift_low_ratio", pa.float64()),
        ("uplift_high_ratio", pa.float64()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),
    ]
)
PLACEBO_SCHEMA = pa.schema(
    [
        ("signal", pa.string()),
        ("metric", pa.string()),
        ("tests_count", pa.int64()),
        ("left_out_count", pa.int64()),
        ("share_below_05_ratio", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("is_as_expected", pa.bool_()),
    ]
)


@dataclass(frozen=True, slots=True)
class _Lead:
    """The lead test of a panel's products as int_links__tested has it; (N,), NaN for null."""

    p: FloatArray
    gate: TextArray
    is_tested: BoolArray
    reason: TextArray


def forecasts_of_pairs(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    tested: duckdb.DuckDBPyRelation,
    primary: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Return the skill of every pair of int_links__tested at each horizon, as `SKILL_SCHEMA`."""
    reader = session.cursor()
    found = reader.execute(
        f"""
        select t.product_id, t.signal, t.metric, t.is_tested, coalesce(t.reason, '') as reason,
            t.gate, coalesce(t.p_value, 'nan'::double) as p,
            coalesce(t.p_value <= ?, false) or p.product_id is not null as is_wanted
        from ({tested.sql_query()}) as t
        left join ({primary.sql_query()}) as p using (product_id, signal, metric)
        """,
        [TRY_FORECAST_P],
    ).fetchall()
    lead_of = {tuple(row[:3]): row[3:] for row in found}
    parts: list[dict[str, Any]] = []
    for signal, metric, panel in read_panels(
        session, series, daily_signals, products, pairs=tested
    ):
        rows = [lead_of[product_id, signal, metric] for product_id in panel.product_ids]
        lead = _Lead(
            p=np.array([row[3] for row in rows], dtype=np.float64),
            gate=np.array([row[2] for row in rows], dtype=object),
            is_tested=np.array([row[0] for row in rows], dtype=np.bool_),
            reason=np.array([row[1] for row in rows], dtype=object),
        )
        wanted = np.array([row[4] for row in rows], dtype=np.bool_)
        skill = forecast_skill(panel, lead, horizons=HORIZONS, rows=wanted)
        for column, horizon in enumerate(HORIZONS):
            parts.append(
                {
                    "product_id": list(panel.product_ids),
                    "signal": [signal] * panel.n_products,
                    "metric": [metric] * panel.n_products,
                    "horizon_days": [horizon] * panel.n_products,
                    "reason": skill.reason[:, column].tolist(),
                    "p_value": skill.p[:, column],
                    "mase_without": skill.mase_without[:, column],
                    "mase_with": skill.mase_with[:, column],
                    "improvement_ratio": skill.improvement_ratio[:, column],
                    "forecasts_count": skill.n_forecasts[:, column],
                    "lag_days": skill.lag_days[:, column],
                    "lead_p": np.where(can_be_forecast(lead.gate, horizon), lead.p, np.nan),
                }
            )
    if not parts:
        return SKILL_SCHEMA.empty_table()
    columns = _joined(parts)
    # The families span all chunks of products.
    family = _families(columns, "signal", "metric", "horizon_days")
    p, lead_p = columns["p_value"], columns.pop("lead_p")
    columns["q_value"], columns["is_predictive"] = skill_claims(
        p, columns["improvement_ratio"], lead_p, family
    )
    columns["is_tested"] = np.isfinite(p)
    columns["lag_days"] = _positive(columns["lag_days"])
    return _table(columns, SKILL_SCHEMA)


def pooled_categories(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    pairs: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Return the pooled effect of every category, signal and outcome, as `POOLED_SCHEMA`.

    `pairs`: product_id, signal, metric of the products that may be pooled; of more than
    `POOLED_PRODUCTS` the first by their id.
    """
    reader = session.cursor()
    chosen = reader.sql(
        f"""
        with pairs as (select * from ({pairs.sql_query()})),
        first_products as (
            select distinct product_id from pairs order by product_id limit {POOLED_PRODUCTS}
        )
        select pairs.* from pairs semi join first_products using (product_id)
        """
    )
    largest: dict[tuple[str, str, str], PooledEffect] = {}
    for signal, metric, panel in read_panels(
        session,
        series,
        daily_signals,
        products,
        pairs=chosen,
        products_per_chunk=POOLED_PRODUCTS,
    ):
        for effect in pooled_effects(panel):
            key = effect.category, signal, metric
            # Products on another scale are pooled apart; the larger part speaks for the category.
            if key not in largest or effect.n_products > largest[key].n_products:
                largest[key] = effect
    if not largest:
        return POOLED_SCHEMA.empty_table()
    effects = list(largest.values())
    columns: dict[str, Any] = {
        name: [key[place] for key in largest]
        for place, name in enumerate(("category", "signal", "metric"))
    }
    for column, name in _POOLED_FIELDS.items():
        columns[column] = [getattr(effect, name) for effect in effects]
    p = np.array([np.nan if effect.p is None else effect.p for effect in effects])
    columns["q_value"] = benjamini_hochberg(p, groups=_families(columns, "signal", "metric"))
    return _table(columns, POOLED_SCHEMA)


_POOLED_FIELDS = {
    "products_count": "n_products",
    "n_days": "n_days",
    "is_tested": "is_tested",
    "is_refused": "is_refused",
    "reason": "reason",
    "own_variance_ratio": "own_variance_ratio",
    "p_value": "p",
    "z_value": "z",
    "lag_days": "lag_days",
    "width_days": "width_days",
    "uplift_ratio": "uplift",
    "uplift_low_ratio": "uplift_low",
    "uplift_high_ratio": "uplift_high",
    "reliability_ratio": "reliability",
    "is_percentage_allowed": "is_percentage_allowed",
    "summed_p_value": "summed_p",
    "summed_lag_days": "summed_lag_days",
    "summed_n_days": "summed_n_days",
    "summed_uplift_ratio": "summed_uplift",
    "summed_uplift_low_ratio": "summed_uplift_low",
    "summed_uplift_high_ratio": "summed_uplift_high",
}


def uplift_of_events(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    pairs: duckdb.DuckDBPyRelation,
    calendar: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Return what followed the events of every pair that has any, as `EVENT_SCHEMA`.

    `pairs`: product_id, signal, metric whose gate is open. Mood makes high-mood and low-mood days,
    post volume makes bursts; promotions and holidays are those of the days with mood. `calendar`,
    int_calendar__events, has the launches, releases, outages, campaigns and price changes; a kind
    that it does not hold has no rows.
    """
    spans = _read_spans(session, calendar)
    parts: list[dict[str, Any]] = []
    for signal, metric, panel in read_panels(
        session,
        series,
        daily_signals,
        products,
        pairs=pairs,
        signals=("sentiment_mean", "posts_count"),
    ):
        for kind, of_signal, days, window_days, part in _events_of(signal, panel, spans):
            test = events.event_uplift(part, days, window_days=window_days)
            parts.append(
                {
                    "product_id": list(panel.product_ids),
                    "event_kind": [kind] * panel.n_products,
                    "signal": [of_signal] * panel.n_products,
                    "metric": [metric] * panel.n_products,
                    "window_days": [window_days] * panel.n_products,
                    "is_tested": test.is_tested,
                    "reason": test.reason.tolist(),
                    "events_count": test.n_events,
                    "window_days_count": test.n_window_days,
                    "other_days_count": test.n_other_days,
                    "uplift_ratio": test.uplift,
                    "uplift_low_ratio": test.uplift_low,
                    "uplift_high_ratio": test.uplift_high,
                    "p_value": test.p,
                }
            )
    if not parts:
        return EVENT_SCHEMA.empty_table()
    columns = _joined(parts)
    # Over the kinds too: whoever tries many kinds of events finds one that did something.
    family = _families(columns, "signal", "metric")
    columns["q_value"] = benjamini_hochberg(columns["p_value"], groups=family)
    return _table(columns, EVENT_SCHEMA)


def _read_spans(
    session: duckdb.DuckDBPyConnection, calendar: duckdb.DuckDBPyRelation
) -> dict[str, list[Span]]:
    """First and last day of the calendar's events by kind; without a product for the shop."""
    rows = (
        session.cursor()
        .execute(
            f"""
            select event_kind, case when not is_shop_wide then product_id end,
                starts_date, coalesce(ends_date, date '9999-12-31')
            from ({calendar.sql_query()})
            where is_mapped and list_contains(?, event_kind)
            order by all
            """,
            [list(CALENDAR_KINDS)],
        )
        .fetchall()
    )
    spans: dict[str, list[Span]] = {}
    for kind, product_id, first, last in rows:
        span = (product_id, np.datetime64(first, "D"), np.datetime64(last, "D"))
        spans.setdefault(kind, []).append(span)
    return spans


def days_of(spans: Sequence[Span], panel: Panel) -> BoolArray:
    """Days (N, T) of a panel that lie in a span of the product or of the whole shop."""
    days = np.zeros((panel.n_products, panel.n_days), dtype=np.bool_)
    row_of = {product_id: row for row, product_id in enumerate(panel.product_ids)}
    for product_id, first, last in spans:
        inside = (panel.dates >= first) & (panel.dates <= last)
        if product_id is None:
            days |= inside
        elif product_id in row_of:
            days[row_of[product_id]] |= inside
    return days


def _events_of(
    signal: str, panel: Panel, spans: Mapping[str, Sequence[Span]]
) -> list[tuple[str, str, BoolArray, int, Panel]]:
    """Kind, signal, days, days of the window and panel of each kind of event of a signal."""
    if signal == "posts_count":
        bursts = events.signal_events(panel, events.BURST_SD)
        return [("volume_burst", signal, bursts, events.WINDOW_DAYS, panel)]
    found = [
        (kind, signal, events.signal_events(panel, threshold), events.WINDOW_DAYS, panel)
        for kind, threshold in (("high_mood", events.HIGH_SD), ("low_mood", -events.HIGH_SD))
    ]
    for kind, flag, days in (
        ("promotion", "promo", panel.promo),
        ("holiday", "holiday", panel.holiday),
    ):
        # The days of the event itself; as a control it would leave nothing of them.
        found.append((kind, CALENDAR, days, 0, events.without_flag(panel, flag)))
    for kind in sorted(spans):
        found.append((kind, CALENDAR, days_of(spans[kind], panel), CALENDAR_KINDS[kind], panel))
    return found


def placebo_of_pairs(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    pairs: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Return the placebo audit of every signal and outcome, as `PLACEBO_SCHEMA`.

    `pairs`: product_id, signal, metric whose gate is open. At most about `PLACEBO_TESTS` tests
    each, of products drawn at random.
    """
    found: dict[tuple[str, str], list[FloatArray]] = {}
    left_out: dict[tuple[str, str], int] = {}
    for signal, metric, panel in read_panels(session, series, daily_signals, products, pairs=pairs):
        key = signal, metric
        done = sum(p.size for p in found.setdefault(key, []))
        room = PLACEBO_TESTS - done
        if room <= 0:
            continue
        rows = np.random.default_rng(PLACEBO_SEED).permutation(panel.n_products)[:room]
        n_pairings = max(1, room // max(1, len(rows)))
        p, without = placebo.placebo_p_values(
            panel.select(np.sort(rows)), n_pairings=n_pairings, seed=PLACEBO_SEED
        )
        found[key].append(p)
        left_out[key] = left_out.get(key, 0) + without
    if not found:
        return PLACEBO_SCHEMA.empty_table()
    columns: dict[str, Any] = {name: [] for name in PLACEBO_SCHEMA.names}
    for (signal, metric), parts in found.items():
        audit = placebo.audit(np.concatenate(parts), left_out[signal, metric])
        for name, value in (
            ("signal", signal),
            ("metric", metric),
            ("tests_count", audit.n_tests),
            ("left_out_count", audit.n_left_out),
            ("share_below_05_ratio", audit.share_below_05),
            ("low", audit.low),
            ("high", audit.high),
            ("is_as_expected", audit.is_as_expected),
        ):
            columns[name].append(value)
    return _table(columns, PLACEBO_SCHEMA)


def _joined(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of many parts end to end: arrays stay arrays, lists stay lists."""
    joined: dict[str, Any] = {}
    for name, first in parts[0].items():
        if isinstance(first, np.ndarray):
            joined[name] = np.concatenate([part[name] for part in parts])
        else:
            joined[name] = [value for part in parts for value in part[name]]
    return joined


def _families(columns: Mapping[str, Any], *names: str) -> TextArray:
    """One text a row that names its family."""
    rows = zip(*(columns[name] for name in names), strict=True)
    return np.array(["\x1f".join(str(value) for value in row) for row in rows], dtype=object)


def _positive(values: IntArray) -> pa.Array:
    """Whole numbers with null for 0."""
    return pa.array(values.astype(np.int32), mask=values <= 0)


def _table(columns: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Columns in the order and types of the schema; numbers that are not finite are null."""
    laid = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            values = pa.array(values, mask=~np.isfinite(values))
        elif not isinstance(values, pa.Array):
            values = pa.array(values, type=None if isinstance(values, np.ndarray) else field.type)
        laid.append(values.cast(field.type))
    return pa.table(laid, schema=schema)
