"""What the pictures need from the marts of a published file, and nothing else.

The file is opened read-only. A null stays a null (NaN in arrays): it is never filled and never 0.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import numpy as np
from numpy.typing import NDArray

from charts.style import ChartError, clean, name_of

Numbers: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Days: TypeAlias = NDArray[np.datetime64]

DATA_VARIABLE = "SOCIAL_SIGNALS_DATA"
DEFAULT_DATA = Path(__file__).resolve().parents[1] / "warehouse" / "data"
MARTS = "marts"
MOOD = "sentiment_mean"

NEEDED = {
    "fct_daily_signals": (
        "product_id", "date_day", "posts_count", "sentiment_mean", "sentiment_se", "units",
        "net_sales", "orders_count", "reviews_count", "rating_mean", "search_interest", "is_promo",
        "is_stock_out", "is_observed_social", "is_observed_sales", "is_partial_day",
        "is_simulated",
    ),
    "mart_lag_correlation": (
        "product_id", "signal", "metric", "lag_days", "correlation", "n_days", "n_eff", "p_sidak",
        "q_value", "null_low", "null_high", "is_peak", "screen_verdict", "is_simulated",
    ),
    "mart_sufficiency": (
        "product_id", "signal", "metric", "gate", "reason", "days_observed", "days_needed",
        "missing_day_ratio", "posts_per_day", "units_per_day", "what_is_missing",
        "is_percentage_allowed", "is_simulated",
    ),
    "mart_insights": (
        "insight_id", "product_id", "signal", "metric", "verdict", "headline", "detail",
        "recommendation", "caveat", "evidence", "is_simulated",
    ),
}  # fmt: skip

# Which outcome stands for "sales" where a target has several: first what people bought, then what a
# data set measured, last what only surrounds a sale.
BOUGHT = ("units", "net_sales", "orders_count")
_AROUND = ("reviews_count", "rating_mean", "search_interest")
_QUANTITIES = ("volume", "units", "quantity", "sales", "players", "orders", "downloads", "visits")
_SIGNALS = frozenset(
    {"posts_count", "authors_count", "sentiment_mean", "sentiment_sd", "sentiment_se",
     "net_sentiment", "engagement_count", "share_of_voice_ratio"}
)  # fmt: skip

# Parts of sales that the long metrics state beside them.
_PARTS = frozenset({"gross_units", "returned_units", "gross_sales", "discounts", "returns"})

_WORDS = {
    # name: (what it is, its axis title, the noun of the direction "… first")
    "units": ("units", "units a day", "sales"),
    "net_sales": ("net sales", "net sales a day", "sales"),
    "orders_count": ("orders", "orders a day", "orders"),
    "reviews_count": ("reviews", "reviews a day", "reviews"),
    "rating_mean": ("rating", "mean rating, stars", "rating"),
    "search_interest": ("search interest", "search interest, 0 to 100", "searches"),
    "sentiment_mean": ("mood", "mood, \N{MINUS SIGN}1 to +1", "mood"),
    "net_sentiment": ("net mood", "net mood, \N{MINUS SIGN}1 to +1", "net mood"),
    "posts_count": ("posts", "posts a day", "posts"),
    "engagement_count": ("engagement", "engagement a day", "engagement"),
    "share_of_voice_ratio": ("share of voice", "share of voice, 0 to 1", "share of voice"),
}


@dataclass(frozen=True, slots=True)
class Measure:
    """A signal or outcome in words."""

    key: str
    words: str
    title: str
    noun: str


def is_quantity(metric: str) -> bool:
    """Whether a data set's metric is named like something that is counted or sold."""
    return any(word in metric.lower().split("_") for word in _QUANTITIES)


def measure(key: str, *, unit: str = "") -> Measure:
    """The words for a column or data-set metric; `unit` is a currency or a metric's own unit."""
    words, title, noun = _WORDS.get(key, ("", "", ""))
    if not words:
        words = clean(key.replace("_", " ")) or "metric"
        title, noun = f"{words} a day", words
    unit = clean(unit)
    if unit and unit.lower() not in title.lower():
        title = f"{title}, {unit}"
    return Measure(key, words, title, noun)


@dataclass(frozen=True, slots=True)
class Published:
    """An open published file: its connection and the columns of its tables."""

    file: Path
    connection: duckdb.DuckDBPyConnection
    columns: dict[str, frozenset[str]]
    schemas: dict[str, str]
    kept: dict[str, Any] = field(default_factory=dict)
    """What several charts ask for and takes long to read, while the file is open."""

    def has(self, table: str, *columns: str) -> bool:
        """Whether the table is there with these columns."""
        return set(columns) <= self.columns.get(table, frozenset()) and table in self.schemas

    def table(self, name: str) -> str:
        """The table's quoted name, after a check of the columns it must have."""
        missing = [column for column in NEEDED.get(name, ()) if not self.has(name, column)]
        if name not in self.schemas or missing:
            lack = f"column {missing[0]}" if name in self.schemas else "it"
            raise ChartError(
                f"{self.file} is not complete: table {MARTS}.{name} is expected and {lack} is "
                "missing. It was published by another version or by an unfinished build.",
                "Build and publish again: social-signals run.",
            )
        return f'"{self.schemas[name]}"."{name}"'

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises ChartError where the file cannot answer it."""
        try:
            return self.connection.execute(query, list(parameters)).fetchall()
        except duckdb.Error as error:
            raise ChartError(
                f"{self.file} cannot be read: {_first_line(error)}",
                "Build and publish again: social-signals run.",
            ) from error


def published_file(target: str) -> Path:
    """Where a target's published file lies: below `$SOCIAL_SIGNALS_DATA` or `warehouse/data`."""
    return Path(os.environ.get(DATA_VARIABLE) or DEFAULT_DATA) / target / "published.duckdb"


@contextmanager
def open_published(file: Path) -> Iterator[Published]:
    """Open a published file read-only. Raises ChartError when it is missing, locked or foreign."""
    if not file.is_file():
        raise ChartError(
            f"There is no published file {file}.",
            "Run the target first: social-signals run --target NAME.",
        )
    try:
        connection = duckdb.connect(str(file), read_only=True)
    except duckdb.Error as error:
        raise _cannot_open(file, error) from error
    try:
        found = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns "
            "where table_catalog = current_database() order by 1, 2"
        ).fetchall()
        columns: dict[str, set[str]] = {}
        schemas: dict[str, str] = {}
        for schema, table, column in sorted(found, key=lambda row: row[0] != MARTS):
            if schemas.setdefault(table, schema) == schema:
                columns.setdefault(table, set()).add(column)
        frozen = {table: frozenset(names) for table, names in columns.items()}
        yield Published(file, connection, frozen, schemas)
    finally:
        connection.close()


def _cannot_open(file: Path, error: duckdb.Error) -> ChartError:
    text = _first_line(error)
    lowered = text.lower()
    if "lock" in lowered or "different configuration" in lowered:
        return ChartError(
            f"{file} is in use by a program that writes to it: {text}",
            "Close that program (a database browser, perhaps); open it there read-only.",
        )
    if "permission" in lowered or "cannot open file" in lowered:
        return ChartError(f"{file} cannot be opened: {text}", "Change its permissions.")
    return ChartError(
        f"{file} is not a database that this version of DuckDB reads: {text}",
        "Build and publish again: social-signals run.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


# What the file is about -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Overview:
    """The facts that every caption states."""

    first_day: date | None
    last_day: date | None
    cutoff: str
    posts_count: int
    post_sources: tuple[str, ...]
    sales_sources: tuple[str, ...]
    is_simulated: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """A product and the outcome that stands for its sales."""

    product_id: str
    name: str
    outcome: str | None
    has_mood: bool
    total: float | None
    posts_count: int


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every product, best first by the stated rule, and the outcomes of the target."""

    subjects: tuple[Subject, ...]
    outcome: str | None
    units: dict[str, str] = field(default_factory=dict)

    def measure(self, key: str) -> Measure:
        """The words for an outcome, with its unit where a data set or the shop states one."""
        return measure(key, unit=self.units.get(key, ""))


def read_overview(published: Published, *, cutoff: datetime | None = None) -> Overview:
    """Window, cut-off, posts, sources, and whether anything is simulated.

    `cutoff` is the newest instant that counts; without it the last day stands for it.
    """
    signals = published.table("fct_daily_signals")
    first, last, posts, simulated = published.rows(
        f"""
        select min(date_day)::date, max(date_day)::date, coalesce(sum(posts_count), 0)::bigint,
            coalesce(bool_or(is_simulated), false)
        from {signals}
        """
    )[0]
    return Overview(
        first_day=first,
        last_day=last,
        cutoff=moment_words(cutoff) if cutoff else day_words(last) if last else "none",
        posts_count=int(posts),
        post_sources=_distinct(published, "fct_posts", "platform"),
        sales_sources=_distinct(published, "fct_order_lines", "source")
        or _distinct(published, "fct_daily_metrics", "source"),
        is_simulated=bool(simulated),
    )


def moment_words(moment: datetime) -> str:
    """`4 Jul 2026 09:30 UTC`."""
    moment = moment.astimezone(UTC)
    return f"{day_words(moment.date())} {moment:%H:%M} UTC"


def _distinct(published: Published, table: str, column: str) -> tuple[str, ...]:
    if not published.has(table, column):
        return ()
    found = published.rows(
        f"select distinct {column}::varchar from {published.table(table)} "
        f"where {column} is not null order by 1 limit 12"
    )
    return tuple(clean(row[0]) for row in found if clean(row[0]))


def read_catalogue(published: Published) -> Catalogue:
    """All products of the file, ordered: both mood and outcome first, then by outcome, then posts.

    A product's outcome is the one of its primary card in the marts. Without a card it is the first
    available of units, net sales, orders, the data sets' own metrics, reviews, rating, searches.
    """
    signals = published.table("fct_daily_signals")
    wide = (*BOUGHT, *_AROUND)
    counted = ", ".join(
        f"count({c}) as n_{c}, sum({c})::double as s_{c}, count(nullif({c}, 0)) as z_{c}"
        for c in wide
    )
    rows = published.rows(
        f"""
        select product_id, coalesce(sum(posts_count), 0)::bigint, count({MOOD}), {counted}
        from {signals} group by product_id order by product_id
        """
    )
    sums: dict[str, dict[str, tuple[int, float | None, int]]] = {}
    posts: dict[str, tuple[int, int]] = {}
    for row in rows:
        posts[row[0]] = (int(row[1]), int(row[2]))
        values = row[3:]
        sums[row[0]] = {
            column: (values[3 * i], number_or_none(values[3 * i + 1]), values[3 * i + 2])
            for i, column in enumerate(wide)
            if values[3 * i]
        }
    units = _add_metrics(published, sums)
    names = _names(published)
    order = _outcome_order(sums)
    chosen = _primary_outcomes(published)
    subjects = []
    for product_id in sorted(set(names) | set(sums)):
        available = sums.get(product_id, {})
        outcome = chosen.get(product_id)
        if outcome not in available:
            outcome = next((key for key in order if key in available), None)
        post_count, mood_days = posts.get(product_id, (0, 0))
        subjects.append(
            Subject(
                product_id=product_id,
                name=name_of(names.get(product_id), product_id),
                outcome=outcome,
                has_mood=mood_days > 0,
                total=available[outcome][1] if outcome else None,
                posts_count=post_count,
            )
        )
    found = Counter(subject.outcome for subject in subjects if subject.outcome)
    primary = max(order, key=lambda key: (found[key], -order.index(key)), default=None)
    subjects.sort(
        key=lambda s: (
            not (s.outcome and s.has_mood), s.outcome != primary, -(s.total or 0.0),
            -s.posts_count, s.product_id,
        )
    )  # fmt: skip
    return Catalogue(tuple(subjects), primary, units)


def _primary_outcomes(published: Published) -> dict[str, str]:
    """The outcome that the marts set against the mood of each product."""
    if not published.has("mart_insights", "is_primary", "product_id", "signal", "metric"):
        return {}
    return dict(
        published.rows(
            f"select product_id, min(metric) from {published.table('mart_insights')} "
            f"where is_primary and signal = '{MOOD}' and metric is not null group by 1"
        )
    )


def _add_metrics(
    published: Published, sums: dict[str, dict[str, tuple[int, float | None, int]]]
) -> dict[str, str]:
    """Add the data sets' own metrics to each product's outcomes; return their units."""
    if not published.has("fct_daily_metrics", "product_id", "date_day", "metric", "value"):
        return {}
    unit = "min(unit)" if published.has("fct_daily_metrics", "unit") else "null"
    units: dict[str, str] = {}
    wide = (*BOUGHT, *_AROUND)
    for product_id, metric, count, total, nonzero, unit_name in published.rows(
        f"""
        select product_id, metric, count(value), sum(value)::double, count(nullif(value, 0)), {unit}
        from {published.table("fct_daily_metrics")}
        group by product_id, metric having count(value) > 0 order by product_id, metric
        """
    ):
        if product_id is None or metric in _SIGNALS or metric in _PARTS:
            continue
        if metric not in BOUGHT or metric == "net_sales":
            units.setdefault(metric, "" if unit_name in {None, "unknown"} else unit_name)
        if metric not in wide:
            sums.setdefault(product_id, {})[metric] = (count, number_or_none(total), nonzero)
    return units


def _outcome_order(sums: dict[str, dict[str, tuple[int, float | None, int]]]) -> list[str]:
    days: dict[str, int] = {}
    nonzero: dict[str, int] = {}
    for available in sums.values():
        for key, (count, _, count_nonzero) in available.items():
            days[key] = days.get(key, 0) + count
            nonzero[key] = nonzero.get(key, 0) + count_nonzero

    def rank(key: str) -> tuple[Any, ...]:
        if key in BOUGHT:
            group = BOUGHT.index(key)
        elif key in _AROUND:
            group = len(BOUGHT) + 2 + _AROUND.index(key)
        else:
            group = len(BOUGHT) + (0 if is_quantity(key) else 1)
        return (nonzero[key] == 0, group, -days[key], key)

    return sorted(days, key=rank)


def _names(published: Published) -> dict[str, str | None]:
    if not published.has("dim_products", "product_id", "product_name"):
        return {}
    return dict(
        published.rows(
            f"select product_id, any_value(product_name) from {published.table('dim_products')} "
            "where product_id is not null group by 1"
        )
    )


# Daily series -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DailySeries:
    """One product on a dense calendar: arrays of the same length, NaN where nothing is known.

    `posts` counts the posts that have a mood.
    """

    subject: Subject
    days: Days
    outcome: Numbers
    mood: Numbers
    mood_se: Numbers
    posts: Numbers
    is_promo: Flags
    is_stock_out: Flags
    is_observed_social: Flags
    events: tuple[tuple[int, str], ...] = ()
    """Day (its place in `days`) and kind of what happened, in that order."""


# Promotions, stock-outs and closed days are shown as days; holidays would be in every panel.
MARKED_KINDS = ("launch", "release", "price_change", "campaign", "outage")


def read_daily(published: Published, subjects: Sequence[Subject]) -> list[DailySeries]:
    """The daily series of the given products over the whole window of the file."""
    signals = published.table("fct_daily_signals")
    overview = published.rows(f"select min(date_day)::date, max(date_day)::date from {signals}")
    first, last = overview[0]
    if first is None or not subjects:
        return []
    days = np.arange(
        np.datetime64(first, "D"), np.datetime64(last, "D") + np.timedelta64(1, "D"), dtype="M8[D]"
    )
    wide = [*BOUGHT, *_AROUND]
    is_counted = published.has("fct_daily_signals", "scored_posts_count")
    weight = "scored_posts_count" if is_counted else "posts_count"
    wanted = [subject.product_id for subject in subjects]
    found: dict[str, list[tuple[Any, ...]]] = {product_id: [] for product_id in wanted}
    for row in published.rows(
        f"""
        select product_id, datediff('day', ?::date, date_day::date), {MOOD}, sentiment_se,
            {weight}, is_promo, is_stock_out, is_observed_social, is_observed_sales,
            is_partial_day, {", ".join(f"{column}::double" for column in wide)}
        from {signals} where product_id in (select unnest(?)) order by product_id, date_day
        """,
        [first, wanted],
    ):
        found[row[0]].append(row)
    metrics = _read_metrics(published, subjects, first, len(days))
    events = _read_events(published, first)
    return [
        replace(
            _series(subject, days, found[subject.product_id], wide, metrics),
            events=tuple(
                (day, kind)
                for day, kind, product_id in events
                if product_id in (None, subject.product_id)
            ),
        )
        for subject in subjects
    ]


def _read_events(published: Published, first: date) -> list[tuple[int, str, str | None]]:
    """Day, kind and product (None for all) of each event's first day in the window."""
    if not published.has("bridge_date_events", "event_kind"):
        return []
    return [
        (day, kind, product_id)
        for day, kind, product_id in published.rows(
            f"""
            select distinct datediff('day', ?::date, starts_date::date), event_kind, product_id
            from {published.table("bridge_date_events")}
            where date_day = starts_date and event_kind in (select unnest(?)) order by all
            """,
            [first, list(MARKED_KINDS)],
        )
    ]


def _read_metrics(
    published: Published, subjects: Sequence[Subject], first: date, length: int
) -> dict[str, Numbers]:
    pairs = {s.product_id: s.outcome for s in subjects if s.outcome}
    long = {p: m for p, m in pairs.items() if m not in BOUGHT and m not in _AROUND}
    if not long:
        return {}
    values = {product_id: np.full(length, np.nan) for product_id in long}
    for product_id, metric, offset, value in published.rows(
        f"""
        select product_id, metric, datediff('day', ?::date, date_day::date), value::double
        from {published.table("fct_daily_metrics")} where product_id in (select unnest(?))
        order by product_id, metric, date_day
        """,
        [first, list(long)],
    ):
        if metric == long[product_id] and value is not None and 0 <= offset < length:
            values[product_id][offset] = value
    return values


def _series(
    subject: Subject,
    days: Days,
    rows: Sequence[tuple[Any, ...]],
    wide: Sequence[str],
    metrics: dict[str, Numbers],
) -> DailySeries:
    length = len(days)
    outcome = metrics.get(subject.product_id, np.full(length, np.nan))
    mood, mood_se, posts = (np.full(length, np.nan) for _ in range(3))
    promo, stock_out, social = (np.zeros(length, dtype=bool) for _ in range(3))
    column = 10 + wide.index(subject.outcome) if subject.outcome in wide else None
    for row in rows:
        day = row[1]
        is_observed_social = row[7] is not False
        social[day] = is_observed_social
        promo[day], stock_out[day] = row[5] is True, row[6] is True
        posts[day] = finite(row[4])
        if is_observed_social and row[9] is not True:
            mood[day], mood_se[day] = finite(row[2]), finite(row[3])
        # The flag speaks of the shop's days; reviews and searches have days of their own.
        is_blank = row[9] is True or (subject.outcome in BOUGHT and row[8] is False)
        if column is not None and not is_blank:
            outcome[day] = finite(row[column])
    return DailySeries(
        subject, days, outcome, mood, mood_se, posts, promo, stock_out, social & ~np.isnan(posts)
    )


def finite(value: float | Decimal | None) -> float:
    """A number from the file, NaN where it is null or not finite."""
    number = number_or_none(value)
    return math.nan if number is None else number


def number_or_none(value: float | Decimal | None) -> float | None:
    """A finite float, or None."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


# Verdicts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claim:
    """What may be said of one signal and outcome of a product.

    `lag_days` is above 0 where the signal comes first, below 0 where the outcome does; the uplift's
    interval is a fraction per +1 SD, None where no size may be stated. `q_value` is that of the
    direction that the verdict is about.
    """

    verdict: str
    lag_days: int | None = None
    uplift_low: float | None = None
    uplift_high: float | None = None
    q_value: float | None = None
    n_days: int | None = None


def read_claims(published: Published) -> dict[tuple[str, str, str], Claim]:
    """The verdict of every product, signal and outcome that was tested or has a card.

    A card goes before the test of the day: a first claim waits for stronger evidence. A claim
    without a card counts as watchlist. Empty for a file of a version without mart_lead_lag.
    Raises ChartError for a verdict that does not exist.
    """
    if "claims" not in published.kept:
        published.kept["claims"] = _read_claims(published)
    return dict(published.kept["claims"])


def _read_claims(published: Published) -> dict[tuple[str, str, str], Claim]:
    columns = ("product_id", "signal", "metric", "verdict", "is_claim", "q_value", "n_days")
    if not published.has("mart_lead_lag", *columns):
        return {}
    claims = {
        (row[0], row[1], row[2]): Claim(
            _known_verdict(row[3], "mart_lead_lag"),
            q_value=number_or_none(row[4]),
            n_days=row[5],
        )
        for row in published.rows(
            "select product_id, signal, metric, case when is_claim then 'watchlist' else verdict "
            f"end, q_value, n_days from {published.table('mart_lead_lag')}"
        )
    }
    stated = ("lag_days", "uplift_low_ratio", "uplift_high_ratio", "q_value", "reverse_q_value")
    if not published.has("mart_insights", "n_days", *stated):
        return claims
    for row in published.rows(
        "select product_id, signal, metric, verdict, lag_days, uplift_low_ratio, "
        "uplift_high_ratio, case verdict when 'sales_lead' then reverse_q_value else q_value end, "
        f"n_days from {published.table('mart_insights')} where signal is not null"
    ):
        claims[row[0], row[1], row[2]] = Claim(
            _known_verdict(row[3], "mart_insights"),
            lag_days=row[4],
            uplift_low=number_or_none(row[5]),
            uplift_high=number_or_none(row[6]),
            q_value=number_or_none(row[7]),
            n_days=row[8],
        )
    return claims


def _known_verdict(verdict: str, table: str) -> str:
    if verdict not in VERDICTS:
        raise ChartError(
            f"{table} holds the verdict {verdict!r}; known are {', '.join(VERDICTS)}.",
            "The file was published by another version: build again with social-signals run.",
        )
    return verdict


def verdict_of(gate: str | None, screened: str | None, claim: Claim | None) -> str:
    """The verdict on a pair: a closed gate first, then the claim, then the screen alone."""
    if claim is None:
        return screen_verdict(gate, screened)
    return "insufficient" if gate in UNTESTED_GATES else claim.verdict


# The screen -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LagCurve:
    """The screen of one product: correlation by lag with its null band, verdict and gate.

    Arrays are ordered by lag (days; above 0 the signal comes first); NaN where nothing is known.
    """

    subject: Subject
    signal: str
    metric: str
    lags: Numbers
    correlation: Numbers
    null_low: Numbers
    null_high: Numbers
    peak: int | None
    verdict: str
    n_days: int | None
    n_eff: float | None
    q_value: float | None
    gate: str
    missing: str
    claim: Claim | None = None

    @property
    def is_peak_outside(self) -> bool:
        """Whether the strongest correlation lies outside the null band."""
        if self.peak is None:
            return False
        value = self.correlation[self.peak]
        low, high = self.null_low[self.peak], self.null_high[self.peak]
        return bool(value > high or value < low)


def read_lags(
    published: Published, subjects: Sequence[Subject], *, signal: str = MOOD
) -> list[LagCurve]:
    """The lag curve of each product, its signal against the outcome that stands for its sales."""
    correlations = published.table("mart_lag_correlation")
    sufficiency = published.table("mart_sufficiency")
    wanted = [subject.product_id for subject in subjects]
    curves: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in published.rows(
        f"""
        select product_id, metric, lag_days, correlation, null_low, null_high, is_peak,
            screen_verdict, n_days, n_eff, q_value
        from {correlations}
        where signal = ? and product_id in (select unnest(?))
        order by product_id, metric, lag_days
        """,
        [signal, wanted],
    ):
        curves.setdefault((row[0], row[1]), []).append(row[2:])
    gates = {
        (row[0], row[1]): row[2:]
        for row in published.rows(
            f"""
            select product_id, metric, gate, reason, what_is_missing
            from {sufficiency} where signal = ? and product_id in (select unnest(?))
            order by product_id, metric
            """,
            [signal, wanted],
        )
    }
    claims = read_claims(published)
    judged: dict[str, str] = {}
    for product_id, metric in (*gates, *curves):
        judged[product_id] = min(metric, judged.get(product_id, metric))
    return [
        _curve(subject, signal, curves, gates, claims, judged.get(subject.product_id, ""))
        for subject in subjects
    ]


def _curve(
    subject: Subject,
    signal: str,
    curves: dict[tuple[str, str], list[tuple[Any, ...]]],
    gates: dict[tuple[str, str], tuple[Any, ...]],
    claims: dict[tuple[str, str, str], Claim],
    judged: str,
) -> LagCurve:
    # The screen may have judged another outcome of this product: better that than nothing.
    metric = judged if subject.outcome is None else subject.outcome
    rows = curves.get((subject.product_id, metric), [])
    gate, reason, missing = gates.get((subject.product_id, metric), ("", "", ""))
    numbers = {
        index: np.array([finite(row[index]) for row in rows], dtype=float) for index in range(4)
    }
    claim = claims.get((subject.product_id, signal, metric))
    claimed_lag = claim.lag_days if claim is not None and claim.verdict in CLAIMS else None
    peak = next((i for i, row in enumerate(rows) if row[4] is True), None)
    if claimed_lag is not None:
        peak = next((i for i, row in enumerate(rows) if row[0] == claimed_lag), peak)
    if peak is not None and math.isnan(numbers[1][peak]):
        peak = None
    at = rows[peak if peak is not None else 0] if rows else (None,) * 9
    verdicts = sorted({row[5] for row in rows if row[5]})
    verdict = verdict_of(gate, verdicts[0] if verdicts else None, claim)
    q_value = number_or_none(at[8])
    if claim is not None and claim.q_value is not None:
        q_value = claim.q_value
    return LagCurve(
        subject=subject,
        signal=signal,
        metric=metric,
        lags=numbers[0],
        correlation=numbers[1],
        null_low=numbers[2],
        null_high=numbers[3],
        peak=peak,
        verdict=verdict,
        n_days=None if at[6] is None else int(at[6]),
        n_eff=number_or_none(at[7]),
        q_value=q_value,
        gate=gate or "",
        missing=clean(missing_words(gate, reason, missing)),
        claim=claim,
    )


CLAIMS = ("social_leads", "feedback", "sales_lead")
SCREEN_VERDICTS = ("none", "watchlist", "insufficient")
VERDICTS = (*CLAIMS, "watchlist", "none", "insufficient")
UNTESTED_GATES = frozenset({"insufficient", "descriptive", "blocked"})


def screen_verdict(gate: str | None, verdict: str | None) -> str:
    """The verdict on a pair: its gate goes before what the screen computed.

    Raises ChartError for a verdict that the screen alone cannot give.
    """
    if gate in UNTESTED_GATES or verdict is None:
        return "insufficient"
    if verdict not in SCREEN_VERDICTS:
        raise ChartError(
            f"mart_lag_correlation holds the verdict {verdict!r}; the screen alone gives only "
            f"{', '.join(SCREEN_VERDICTS)}.",
            "The file was published by another version: build again with social-signals run.",
        )
    return verdict


def missing_words(gate: str | None, reason: str | None, what_is_missing: str | None) -> str:
    """Why a pair is not screened, in words for people rather than names of columns."""
    if gate and gate not in UNTESTED_GATES:
        return "no correlation could be computed: a series hardly changes"
    words = reason or what_is_missing or ""
    for key, (name, _, _) in _WORDS.items():
        words = re.sub(rf"\b{key}\b", name, words)
    return words


def count_pairs(published: Published) -> tuple[int, int, int]:
    """How many (product, signal, outcome) pairs are claimed, on the watchlist, and tested."""
    claims = read_claims(published)
    if claims:
        found = Counter(claim.verdict for claim in claims.values())
        claimed = sum(found[verdict] for verdict in CLAIMS)
        return claimed, found["watchlist"], claimed + found["watchlist"] + found["none"]
    listed, tested = published.rows(
        f"""
        select count(distinct (product_id, signal, metric))
                filter (where screen_verdict = 'watchlist'),
            count(distinct (product_id, signal, metric))
                filter (where screen_verdict in ('none', 'watchlist'))
        from {published.table("mart_lag_correlation")}
        """
    )[0]
    return 0, int(listed), int(tested)


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def month_word(month: int) -> str:
    """`Jan` to `Dec`, whatever the machine's language."""
    return _MONTHS[month - 1]


def day_words(day: date) -> str:
    """`4 Jul 2026`, whatever the machine's language."""
    return f"{day.day} {month_word(day.month)} {day.year}"
