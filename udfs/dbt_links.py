"""What the Python models about links share: daily series of the warehouse as panels of arrays.

Only this module knows both DuckDB and `udfs.lead_lag`, which knows arrays alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, replace
from typing import Any, Literal, TypeAlias

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from udfs.dbt_sentiment_mistakes import MATRIX_OF, known_confusion
from udfs.lead_lag import multiplicity, stability
from udfs.lead_lag.cards import CardFacts, write_card
from udfs.lead_lag.links import test_links
from udfs.lead_lag.panel import BoolArray, DayArray, FloatArray, IntArray, LinkTests, Panel

PRODUCTS_PER_CHUNK = 500
MOOD = "sentiment_mean"
PairKey: TypeAlias = tuple[str, str, str]  # product_id, signal, metric

# The standard error of a day's value, where a signal is a mean over texts.
_STANDARD_ERRORS = {MOOD: "sentiment_se", "net_sentiment": "net_sentiment_se"}

_KEY = [("product_id", pa.string()), ("signal", pa.string()), ("metric", pa.string())]
# Fields of LinkTests that are one value a product, and the columns that hold them.
_NUMBERS = {
    "missing_day_ratio": "missing_day_ratio",
    "posts_per_day": "posts_per_day",
    "outcome_per_day": "outcome_per_day",
    "days_sold_ratio": "days_sold_ratio",
    "p": "p_value",
    "z": "z_value",
    "reverse_p": "reverse_p_value",
    "reverse_z": "reverse_z_value",
    "uplift": "uplift_ratio",
    "uplift_low": "uplift_low_ratio",
    "uplift_high": "uplift_high_ratio",
    "minimum_detectable_effect": "minimum_detectable_effect_ratio",
    "reliability": "reliability_ratio",
    "signal_sd": "signal_sd",
}
_LAG_FIELDS = (
    "lag_days",
    "width_days",
    "peak_lag_days",
    "reverse_lag_days",
    "reverse_width_days",
)
_FLAGS = ("is_lag_confirmed", "is_reverse_lag_confirmed", "is_percentage_allowed")
_CURVES = {
    "correlation": "correlations",
    "null_band": "null_bands",
    "whitened_correlation": "whitened_correlations",
    "whitened_band": "whitened_bands",
}
TESTED_SCHEMA = pa.schema(
    [
        *_KEY,
        ("gate", pa.string()),
        ("reason", pa.string()),
        ("is_tested", pa.bool_()),
        ("n_days", pa.int64()),
        *((column, pa.float64()) for column in _NUMBERS.values()),
        *((column, pa.int32()) for column in _LAG_FIELDS),
        *((column, pa.bool_()) for column in _FLAGS),
        ("percentage_reason", pa.string()),
        *((column, pa.list_(pa.float64())) for column in _CURVES.values()),
        ("contraction_ratio", pa.float64()),
    ]
)
DECIDED_SCHEMA = pa.schema(
    [
        *_KEY,
        ("family", pa.string()),
        ("is_primary", pa.bool_()),
        ("q_value", pa.float64()),
        ("reverse_q_value", pa.float64()),
        ("verdict", pa.string()),
        ("is_claim", pa.bool_()),
        ("first_claim_level", pa.float64()),
        ("claim_level", pa.float64()),
        ("watch_level", pa.float64()),
    ]
)
# Fields of CardFacts and the columns of int_insights__facts that hold them.
_FACT_COLUMNS = {
    "product_name": "product_name",
    "signal_words": "signal_words",
    "metric_words": "metric_words",
    "verdict": "verdict",
    "gate": "gate",
    "reason": "reason_words",
    "what_is_missing": "missing_words",
    "days_observed": "days_open",
    "days_needed": "days_needed",
    "lag_days": "lag_days",
    "width_days": "width_days",
    "uplift": "uplift_ratio",
    "uplift_low": "uplift_low_ratio",
    "uplift_high": "uplift_high_ratio",
    "p": "p_value",
    "q": "q_value",
    "reverse_q": "reverse_q_value",
    "reverse_lag_days": "reverse_lag_days",
    "n_days": "n_days",
    "signal_sd": "signal_sd",
    "reliability": "reliability_ratio",
    "minimum_detectable_effect": "minimum_detectable_effect_ratio",
    "percentage_reason": "percentage_reason",
    "is_predictive": "is_predictive",
    "stability_ratio": "stability_ratio",
    "look_status": "look_status",
    "look_reason": "look_reason",
    "products_tested": "products_tested",
    "is_simulated": "is_simulated",
    "is_rise": "is_rise",
}
CARDS_SCHEMA = pa.schema(
    [
        (name, pa.string())
        for name in ("insight_id", "headline", "detail", "recommendation", "caveat")
    ]
)
CHECKS_SCHEMA = pa.schema(
    [
        *_KEY,
        ("check_kind", pa.string()),
        ("check_name", pa.string()),
        ("is_agreeing", pa.bool_()),
        ("p_value", pa.float64()),
        ("lag_days", pa.int32()),
    ]
)


def read_panels(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    pairs: duckdb.DuckDBPyRelation | None = None,
    signals: Collection[str] | None = None,
    metrics: Collection[str] | None = None,
    products_per_chunk: int = PRODUCTS_PER_CHUNK,
) -> Iterator[tuple[str, str, Panel]]:
    """Yield (signal, metric, panel) for every signal and outcome, a chunk of products at a time.

    `series`: int_daily__series, `daily_signals`: int_daily__signals, `products`: dim_products.
    `pairs` (product_id, signal, metric): only these; else every signal with every outcome of each
    product. `signals`, `metrics`: only these names. Memory holds the days of one chunk, whatever
    the number of pairs.

    A panel runs from the first to the last day on which any of its products has both series; a
    product's days outside its own overlap are NaN and closed. Signals are on their scale (the
    logarithm or square root of counts), outcomes in their own unit. Outcomes whose scale is
    'identity' for some products and not for others come as two panels. Products are in the order
    of their id, pairs in the order of their names within a chunk.
    """
    reader = session.cursor()  # its own: dbt goes on using the session's connection
    wanted = _wanted_pairs(reader, series, pairs, signals, metrics)
    ids = sorted({product_id for product_id, _, _ in wanted})
    for start in range(0, len(ids), products_per_chunk):
        chunk = ids[start : start + products_per_chunk]
        inside = set(chunk)
        yield from _panels_of_chunk(
            reader, series, daily_signals, products, chunk, [k for k in wanted if k[0] in inside]
        )


def _wanted_pairs(
    reader: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    pairs: duckdb.DuckDBPyRelation | None,
    signals: Collection[str] | None,
    metrics: Collection[str] | None,
) -> list[PairKey]:
    """Return the pairs of which both series exist, in order."""
    chosen = f"({pairs.sql_query()})" if pairs is not None else "every_pair"
    rows = reader.execute(
        f"""
        with names as (
            select distinct product_id, series, series_role from ({series.sql_query()})
        ),
        every_pair as (
            select s.product_id, s.series as signal, m.series as metric
            from names as s
            inner join names as m on s.product_id = m.product_id
            where s.series_role = 'signal' and m.series_role = 'outcome'
        )
        select product_id, signal, metric
        from every_pair
        semi join {chosen} as chosen using (product_id, signal, metric)
        order by all
        """
    ).fetchall()
    return [
        (product_id, signal, metric)
        for product_id, signal, metric in rows
        if (signals is None or signal in signals) and (metrics is None or metric in metrics)
    ]


class _Days:
    """The days of one chunk of products: arrays of shape (products, days) by name of series."""

    def __init__(self, chunk: list[str], dates: DayArray) -> None:
        self.row_of = {product_id: row for row, product_id in enumerate(chunk)}
        self.dates = dates
        self.shape = (len(chunk), len(dates))
        self.value: dict[str, FloatArray] = {}
        self.is_inside: dict[str, BoolArray] = {}
        self.is_expected: dict[str, BoolArray] = {}
        self.is_identity: dict[str, BoolArray] = {}
        self.daily: dict[str, FloatArray] = {}
        self.flag: dict[str, BoolArray] = {}

    def laid(self, row: IntArray, column: IntArray, values: FloatArray) -> FloatArray:
        """Long values on the grid, NaN elsewhere."""
        grid = np.full(self.shape, np.nan)
        grid[row, column] = values
        return grid

    def marked(self, row: IntArray, column: IntArray, values: npt.ArrayLike = True) -> BoolArray:
        """Long flags on the grid, false elsewhere."""
        grid = np.zeros(self.shape, dtype=np.bool_)
        grid[row, column] = values
        return grid


def _panels_of_chunk(
    reader: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    chunk: list[str],
    wanted: list[PairKey],
) -> Iterator[tuple[str, str, Panel]]:
    reader.register("chunk_products", pa.table({"product_id": chunk, "row": range(len(chunk))}))
    try:
        days = _read_days(reader, series, daily_signals, chunk)
        categories = dict(
            reader.execute(
                f"select product_id, category from ({products.sql_query()})"
                " semi join chunk_products using (product_id)"
            ).fetchall()
        )
    finally:
        reader.unregister("chunk_products")
    of_pair: dict[tuple[str, str], list[str]] = {}
    for product_id, signal, metric in wanted:
        of_pair.setdefault((signal, metric), []).append(product_id)
    for (signal, metric), ids in sorted(of_pair.items()):
        rows = np.array([days.row_of[product_id] for product_id in ids], dtype=np.int64)
        is_identity = days.is_identity[metric][rows]
        scales: tuple[tuple[Literal["auto", "identity"], BoolArray], ...] = (
            ("auto", ~is_identity),
            ("identity", is_identity),
        )
        for scale, of_scale in scales:
            if of_scale.any():
                panel = _panel(days, signal, metric, rows[of_scale], categories, scale)
                if panel is not None:
                    yield signal, metric, panel


def _read_days(
    reader: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    chunk: list[str],
) -> _Days:
    """Read every series of a chunk of products."""
    reader.execute(
        "create or replace temp table chunk_series as"
        " select chunk_products.row, all_series.* exclude (product_id)"
        f" from ({series.sql_query()}) as all_series"
        " inner join chunk_products using (product_id)"
    )
    span = reader.execute("select min(date_day), max(date_day) from chunk_series").fetchall()
    first, last = span[0]
    dates = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    days = _Days(chunk, dates)
    names = reader.execute(
        "select distinct series, series_role from chunk_series order by all"
    ).fetchall()
    for name, role in names:
        # Signals are tested on their scale; outcomes are put on theirs by the method.
        value = "scaled_value" if role == "signal" else "observed_value"
        found = reader.execute(
            f"""
            select row, date_diff('day', cast(? as date), date_day) as day,
                coalesce(cast({value} as double), 'nan'::double) as value,
                is_expected, value_scale = 'identity' as is_identity
            from chunk_series
            where series = ? and series_role = ?
            """,
            [first, name, role],
        ).fetchnumpy()
        row, column = (np.asarray(found[key], dtype=np.int64) for key in ("row", "day"))
        days.value[name] = days.laid(row, column, np.asarray(found["value"], dtype=np.float64))
        days.is_inside[name] = days.marked(row, column)
        days.is_expected[name] = days.marked(row, column, np.asarray(found["is_expected"]))
        identity = np.zeros(len(chunk), dtype=np.bool_)
        identity[row] = np.asarray(found["is_identity"])
        days.is_identity[name] = identity
    reader.execute("drop table chunk_series")

    numbers = ("posts_count", *_STANDARD_ERRORS.values())
    flags = ("is_promo", "is_holiday", "is_stock_out")
    found = reader.execute(
        f"""
        select row, date_diff('day', cast(? as date), date_day) as day,
            {", ".join(f"coalesce(cast({n} as double), 'nan'::double) as {n}" for n in numbers)},
            {", ".join(f"coalesce({flag}, false) as {flag}" for flag in flags)}
        from ({daily_signals.sql_query()}) as daily
        inner join chunk_products using (product_id)
        where date_day between ? and ?
        """,
        [first, first, last],
    ).fetchnumpy()
    row, column = (np.asarray(found[key], dtype=np.int64) for key in ("row", "day"))
    for name in numbers:
        days.daily[name] = days.laid(row, column, np.asarray(found[name], dtype=np.float64))
    for name in flags:
        days.flag[name] = days.marked(row, column, np.asarray(found[name]))
    return days


def _panel(
    days: _Days,
    signal: str,
    metric: str,
    rows: IntArray,
    categories: dict[str, str | None],
    scale: Literal["auto", "identity"],
) -> Panel | None:
    """Cut one panel out of a chunk, or None if no product ever has both series on one day."""
    inside = days.is_inside[signal][rows] & days.is_inside[metric][rows]
    used = np.flatnonzero(inside.any(axis=0))
    if used.size == 0:
        return None
    window = slice(int(used[0]), int(used[-1]) + 1)
    inside = inside[:, window]

    def number(grid: FloatArray) -> FloatArray:
        return np.where(inside, grid[rows, window], np.nan)

    def flag(grid: BoolArray) -> BoolArray:
        return grid[rows, window] & inside

    standard_error = _STANDARD_ERRORS.get(signal)
    names = list(days.row_of)
    ids = tuple(names[row] for row in rows)
    return Panel(
        product_ids=ids,
        dates=days.dates[window],
        signal=number(days.value[signal]),
        outcome=number(days.value[metric]),
        signal_variance=(
            number(days.daily[standard_error]) ** 2
            if standard_error
            else np.full(inside.shape, np.nan)
        ),
        posts=number(days.daily["posts_count"]),
        promo=flag(days.flag["is_promo"]),
        holiday=flag(days.flag["is_holiday"]),
        stock_out=flag(days.flag["is_stock_out"]),
        is_open=flag(days.is_expected[signal] & days.is_expected[metric]),
        categories=tuple(categories.get(product_id) for product_id in ids),
        scale=scale,
    )


def pair_tests(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    pairs: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Test every wanted pair. Returns a table of `TESTED_SCHEMA`, NaN as null.

    `contraction_ratio`: how much the model's mistakes shrink a difference in true mood, null for
    other signals and for models without a known confusion matrix.
    """
    contractions = _contractions(session)
    parts = [
        _tests_table(signal, metric, test_links(panel), contractions.get(signal))
        for signal, metric, panel in read_panels(
            session, series, daily_signals, products, pairs=pairs
        )
    ]
    return pa.concat_tables(parts) if parts else TESTED_SCHEMA.empty_table()


def _tests_table(signal: str, metric: str, tests: LinkTests, contraction: float | None) -> pa.Table:
    count = len(tests.product_ids)
    untested = ~tests.is_tested
    columns: dict[str, Any] = {
        "product_id": pa.array(tests.product_ids, pa.string()),
        "signal": pa.array([signal] * count, pa.string()),
        "metric": pa.array([metric] * count, pa.string()),
        "gate": pa.array(tests.gate.tolist(), pa.string()),
        "reason": pa.array(tests.reason.tolist(), pa.string()),
        "is_tested": pa.array(tests.is_tested),
        "n_days": pa.array(tests.n_days, pa.int64()),
        "percentage_reason": pa.array(tests.percentage_reason.tolist(), pa.string()),
        "contraction_ratio": pa.array([contraction] * count, pa.float64()),
    }
    for name, column in _NUMBERS.items():
        columns[column] = _doubles(getattr(tests, name))
    for name in _LAG_FIELDS:
        columns[name] = pa.array(getattr(tests, name).astype(np.int32), mask=untested)
    for name in _FLAGS:
        columns[name] = pa.array(getattr(tests, name), mask=untested)
    for name, column in _CURVES.items():
        curves: FloatArray = getattr(tests, name)
        offsets = np.arange(count + 1, dtype=np.int32) * curves.shape[1]
        columns[column] = pa.ListArray.from_arrays(offsets, _doubles(curves.ravel()))
    return pa.table([columns[name] for name in TESTED_SCHEMA.names], schema=TESTED_SCHEMA)


def _doubles(values: FloatArray) -> pa.Array:
    """Numbers with null for whatever is not finite."""
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))


def _contractions(session: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Return, by signal, the slope of measured on true mood that the model's mistakes leave.

    With M[r, s] the share of texts of true label r that the model labels s, a text that turns from
    negative to positive moves the mean label by (M++ - M+-) - (M-+ - M--) instead of 2: the slope
    is half of that. Net sentiment counts labels; the mean score adds up probabilities, so M holds
    their means where the model's predictions lie beside it. Empty for a model without a matrix.
    """
    reader = session.cursor()
    known = known_confusion(reader)
    if known is None:
        return {}
    folder, labels, counts = known
    negative, positive = labels.index("negative"), labels.index("positive")

    def slope(matrix: FloatArray) -> float:
        gain = matrix[positive] - matrix[negative]
        return float(gain[positive] - gain[negative]) / 2

    by_label = slope(counts / counts.sum(axis=1, keepdims=True))
    by_score = by_label
    predictions = folder / "predictions.parquet"
    if predictions.is_file():
        rows = reader.execute(
            f"select {', '.join(f'avg(p_{name})' for name in labels)} from read_parquet(?)"
            " where part = ? group by gold order by gold",
            [str(predictions), MATRIX_OF],
        ).fetchall()
        if len(rows) == len(labels):
            by_score = slope(np.asarray(rows, dtype=np.float64))
    found = {MOOD: by_score, "net_sentiment": by_label}
    return {signal: value for signal, value in found.items() if value > 0}


def pair_decisions(
    session: duckdb.DuckDBPyConnection,
    *,
    tested: duckdb.DuckDBPyRelation,
    primary: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Correct over all tested pairs and give the verdicts: a table of `DECIDED_SCHEMA`.

    The products' primary pairs are one family, whatever outcome they have; every other signal and
    outcome is a family of its own.
    """
    rows = (
        session.cursor()
        .execute(
            f"""
            select tested.product_id, tested.signal, tested.metric,
                chosen.metric is not null as is_primary,
                case when chosen.metric is not null then 'primary'
                    else tested.signal || ' and ' || tested.metric end as family,
                tested.p_value, tested.reverse_p_value,
                coalesce(tested.is_lag_confirmed, false) as is_lag_confirmed,
                coalesce(tested.is_reverse_lag_confirmed, false) as is_reverse_lag_confirmed
            from ({tested.sql_query()}) as tested
            left join ({primary.sql_query()}) as chosen
                using (product_id, signal, metric)
            order by all
            """
        )
        .to_arrow_table()
    )

    def column(name: str) -> npt.NDArray[Any]:
        return np.asarray(rows.column(name).to_numpy())

    decisions = multiplicity.decide_families(
        column("family").astype(object),
        column("is_primary").astype(np.bool_),
        column("p_value").astype(np.float64),
        column("reverse_p_value").astype(np.float64),
        column("is_lag_confirmed").astype(np.bool_),
        column("is_reverse_lag_confirmed").astype(np.bool_),
    )
    columns = {name: rows.column(name) for name, _ in _KEY} | {
        "family": rows.column("family"),
        "is_primary": rows.column("is_primary"),
        "q_value": _doubles(decisions.q),
        "reverse_q_value": _doubles(decisions.reverse_q),
        "verdict": pa.array(decisions.verdict.tolist(), pa.string()),
        "is_claim": pa.array(decisions.is_claim, pa.bool_()),
    }
    # The ledger of repeated looks goes by the same levels.
    for name in ("first_claim_level", "claim_level", "watch_level"):
        level = float(getattr(multiplicity, name.upper()))
        columns[name] = pa.array(np.full(rows.num_rows, level), pa.float64())
    return pa.table([columns[name] for name in DECIDED_SCHEMA.names], schema=DECIDED_SCHEMA)


def stability_checks(
    session: duckdb.DuckDBPyConnection,
    series: duckdb.DuckDBPyRelation,
    daily_signals: duckdb.DuckDBPyRelation,
    products: duckdb.DuckDBPyRelation,
    *,
    decided: duckdb.DuckDBPyRelation,
    variants: duckdb.DuckDBPyRelation,
) -> pa.Table:
    """Test what claims something, and primary pairs on the watchlist, again in other ways.

    `variants`: int_daily__signal_variants, for mood. Returns a table of `CHECKS_SCHEMA`; a check
    that cannot be made (too few posts of one platform, say) has nulls.
    """
    chosen = decided.filter("is_claim or (is_primary and verdict = 'watchlist')")
    pairs = chosen.select("product_id", "signal", "metric")
    sales_leads = set(
        chosen.filter("verdict = 'sales_lead'").select("product_id", "signal", "metric").fetchall()
    )
    found: list[dict[str, Any]] = []
    for signal, metric, panel in read_panels(session, series, daily_signals, products, pairs=pairs):
        moods = _mood_variants(session, variants, panel) if signal == MOOD else {}
        kind_of = {name: kind for name, (kind, _) in moods.items()}
        _, checks = stability.agreement(
            panel,
            test_links(panel),
            np.arange(panel.n_products),
            variants={name: variant for name, (_, variant) in moods.items()},
            is_reverse=np.array(
                [(product, signal, metric) in sales_leads for product in panel.product_ids]
            ),
        )
        found += [
            {
                "product_id": panel.product_ids[check.row],
                "signal": signal,
                "metric": metric,
                "check_kind": kind_of.get(check.check, "method"),
                "check_name": check.check,
                "is_agreeing": check.is_agreeing,
                "p_value": None if check.is_agreeing is None else check.p,
                "lag_days": None if check.is_agreeing is None else check.lag_days,
            }
            for check in checks
        ]
    return pa.Table.from_pylist(found, schema=CHECKS_SCHEMA)


def _mood_variants(
    session: duckdb.DuckDBPyConnection, variants: duckdb.DuckDBPyRelation, panel: Panel
) -> dict[str, tuple[str, Panel]]:
    """Return the kind and the panel of each variant: the same days with the mood of other posts."""
    reader = session.cursor()
    reader.register(
        "panel_products",
        pa.table({"product_id": panel.product_ids, "row": range(panel.n_products)}),
    )
    try:
        rows = reader.execute(
            f"""
            select variant, variant_kind, row,
                date_diff('day', cast(? as date), date_day) as day,
                coalesce(sentiment_mean, 'nan'::double) as mean,
                coalesce(sentiment_se, 'nan'::double) as se,
                cast(posts_count as double) as posts
            from ({variants.sql_query()})
            inner join panel_products using (product_id)
            where date_day between ? and ?
            order by variant
            """,
            [panel.dates[0].item(), panel.dates[0].item(), panel.dates[-1].item()],
        ).to_arrow_table()
    finally:
        reader.unregister("panel_products")
    found: dict[str, tuple[str, Panel]] = {}
    for name in dict.fromkeys(rows.column("variant").to_pylist()):
        part = rows.filter(pc.equal(rows.column("variant"), name))
        place = tuple(part.column(axis).to_numpy().astype(np.int64) for axis in ("row", "day"))
        grids = {}
        for column in ("mean", "se", "posts"):
            grid = np.full(panel.signal.shape, np.nan)
            grid[place] = part.column(column).to_numpy()
            # Only days that the panel itself has: a variant is no way to more of them.
            grids[column] = np.where(np.isfinite(panel.signal), grid, np.nan)
        changed = replace(
            panel,
            signal=grids["mean"],
            signal_variance=grids["se"] ** 2,
            posts=np.where(np.isfinite(panel.posts), np.nan_to_num(grids["posts"]), np.nan),
        )
        found[name] = (part.column("variant_kind")[0].as_py(), changed)
    return found


def worded_cards(session: duckdb.DuckDBPyConnection, *, facts: duckdb.DuckDBPyRelation) -> pa.Table:
    """Word every card of int_insights__facts: a table of `CARDS_SCHEMA`."""
    names = {column: name for name, column in _FACT_COLUMNS.items()}
    rows = (
        session.cursor()
        .execute(
            f"select insight_id, {', '.join(names)} from ({facts.sql_query()}) order by insight_id"
        )
        .to_arrow_table()
        .to_pylist()
    )
    found = []
    for row in rows:
        insight_id = row.pop("insight_id")
        card = write_card(CardFacts(**{names[column]: value for column, value in row.items()}))
        found.append({"insight_id": insight_id, **asdict(card)})
    return pa.Table.from_pylist(found, schema=CARDS_SCHEMA)
