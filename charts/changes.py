"""How much each product changed from month to month, read from the growth mart of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from charts.reading import Catalogue, Published, Subject, month_word, number_or_none
from charts.style import short_number

GROWTH = "mart_growth_metrics"
SALES = "sales"
NEEDED = (
    "product_id", "metric", "month_start_date", "value_kind", "day_level", "observed_days_count",
    "expected_days_count", "is_partial_month", "change", "change_low", "change_high", "q_value",
    "is_change_clear", "change_reason", "year_change", "year_change_low", "year_change_high",
    "is_year_change_clear",
)  # fmt: skip
# Beside the sales, in the order in which a reader asks: metric and what it is called.
OTHERS = {
    "reviews_count": "reviews",
    "rating_mean": "rating",
    "search_interest": "searches",
    "posts_count": "mentions",
    "positive_ratio": "positive share",
}
MOST_MONTHS = 12
_REASONS = {
    "not_observed": "not observed",
    "first_month": "first month",
    "no_year": "no year yet",
    "gap": "no month before",
    "no_records": "no records",
    "zero_base": "none before",
    "below_zero": "below zero",
    "too_few_days": "too few days",
    "daily_means_only": "days unknown",
    "too_few_records": "too few",
}


@dataclass(frozen=True, slots=True)
class Change:
    """One product's measure in the compared month against the month before, and a year before.

    A change is a ratio (.2 is +20 %) of the level of an observed day; of a rating it is stars, of
    a share it is a difference. Ends of intervals are None where the mart gives a reason instead.
    """

    metric: str
    kind: str
    level: float | None
    observed_days: int
    expected_days: int
    is_partial: bool
    change: float | None
    low: float | None
    high: float | None
    q_value: float | None
    is_clear: bool
    reason: str
    year_change: float | None
    year_low: float | None
    year_high: float | None
    is_year_clear: bool

    @property
    def has_interval(self) -> bool:
        """Whether the change since the month before is stated with an interval."""
        return None not in (self.change, self.low, self.high)

    @property
    def has_year(self) -> bool:
        """Whether the change since a year before is stated with an interval."""
        return None not in (self.year_change, self.year_low, self.year_high)

    @property
    def is_up(self) -> bool:
        """More than chance, and upwards."""
        return self.is_clear and self.has_interval and (self.change or 0) > 0

    @property
    def is_down(self) -> bool:
        """More than chance, and downwards."""
        return self.is_clear and self.has_interval and (self.change or 0) < 0


@dataclass(frozen=True, slots=True)
class Level:
    """A month of the measure that stands for sales: the mean of an observed day."""

    month: date
    level: float | None
    is_partial: bool


@dataclass(frozen=True, slots=True)
class Growth:
    """The compared month of every product; a change is found by product and column.

    Columns are SALES, whatever metric that is of a product, and the metrics of OTHERS. `newest` is
    the newest month of the mart, which may be too short to be compared.
    """

    month: date
    newest: date
    newest_days: tuple[int, int]
    changes: Mapping[tuple[str, str], Change]
    columns: tuple[str, ...]
    has_year: bool = False
    levels: Mapping[str, tuple[Level, ...]] = field(default_factory=dict)

    def of(self, product_id: str, column: str) -> Change | None:
        """A product's change in one column; None where the mart has no such row."""
        return self.changes.get((product_id, column))

    def in_column(self, column: str) -> list[Change]:
        """The changes of one column that have an interval."""
        return [c for (_, name), c in self.changes.items() if name == column and c.has_interval]


def month_words(month: date) -> str:
    """`Jun 2026`."""
    return f"{month_word(month.month)} {month.year}"


def reason_words(reason: str) -> str:
    """Why there is no interval, in a few words."""
    return _REASONS.get(reason, reason.replace("_", " "))


def is_known(published: Published) -> bool:
    """Whether the file holds the growth mart as this version writes it."""
    return published.has(GROWTH, *NEEDED)


def read_growth(published: Published, subjects: Sequence[Subject]) -> Growth | None:
    """The newest month that can be compared; None where none can.

    The file must hold the mart: see `is_known`.
    """
    table = published.table(GROWTH)
    outcomes = {s.product_id: s.outcome for s in subjects if s.outcome and s.outcome not in OTHERS}
    wanted = sorted({*outcomes.values(), *OTHERS})
    ids = [subject.product_id for subject in subjects]
    found = published.rows(
        f"""
        select max(month_start_date) filter (where change_low is not null and metric in
                (select unnest(?)))::date,
            max(month_start_date) filter (where change_low is not null)::date,
            max(month_start_date)::date
        from {table}
        where product_id in (select unnest(?)) and metric in (select unnest(?))
        """,
        [sorted(set(outcomes.values())), ids, wanted],
    )
    of_sales, of_any, newest = found[0]
    month = of_sales or of_any
    if month is None:
        return None
    changes: dict[tuple[str, str], Change] = {}
    for row in published.rows(
        f"""
        select product_id, metric, value_kind, day_level, observed_days_count,
            expected_days_count, is_partial_month, change, change_low, change_high, q_value,
            is_change_clear, change_reason, year_change, year_change_low, year_change_high,
            is_year_change_clear
        from {table}
        where month_start_date = ? and metric in (select unnest(?)) and product_id is not null
        order by product_id, metric
        """,
        [month, wanted],
    ):
        product_id, metric = row[0], row[1]
        column = metric if metric in OTHERS else SALES
        if column == SALES and outcomes.get(product_id) != metric:
            continue
        changes[product_id, column] = _change(row[1:])
    days = published.rows(
        f"select max(observed_days_count), max(expected_days_count) from {table} "
        "where month_start_date = ? and metric in (select unnest(?))",
        [newest, wanted],
    )[0]
    seen = {column for (_, column), change in changes.items() if _is_shown(change)}
    return Growth(
        month=month,
        newest=newest,
        newest_days=(int(days[0] or 0), int(days[1] or 0)),
        changes=changes,
        columns=tuple(column for column in (SALES, *OTHERS) if column in seen),
        has_year=any(change.has_year for change in changes.values()),
    )


def _is_shown(change: Change) -> bool:
    return change.has_interval or change.level is not None


def _change(row: Sequence[Any]) -> Change:
    return Change(
        metric=row[0],
        kind=row[1],
        level=number_or_none(row[2]),
        observed_days=int(row[3] or 0),
        expected_days=int(row[4] or 0),
        is_partial=row[5] is True,
        change=number_or_none(row[6]),
        low=number_or_none(row[7]),
        high=number_or_none(row[8]),
        q_value=number_or_none(row[9]),
        is_clear=row[10] is True,
        reason=row[11] or "",
        year_change=number_or_none(row[12]),
        year_low=number_or_none(row[13]),
        year_high=number_or_none(row[14]),
        is_year_clear=row[15] is True,
    )


def read_levels(
    published: Published, subjects: Iterable[Subject], until: date
) -> dict[str, tuple[Level, ...]]:
    """Up to a year of months of the measure that stands for each product's sales."""
    outcomes = {s.product_id: s.outcome for s in subjects if s.outcome}
    months: dict[str, list[Level]] = {}
    for product_id, metric, month, level, is_partial in published.rows(
        f"""
        select product_id, metric, month_start_date::date, day_level, is_partial_month
        from {published.table(GROWTH)}
        where product_id in (select unnest(?)) and metric in (select unnest(?))
            and month_start_date <= ? and month_start_date > ?::date - interval 12 month
        order by product_id, month_start_date
        """,
        [list(outcomes), sorted(set(outcomes.values())), until, until],
    ):
        if outcomes[product_id] == metric:
            found = Level(month, number_or_none(level), is_partial is True)
            months.setdefault(product_id, []).append(found)
    return {product_id: tuple(levels) for product_id, levels in months.items()}


# Words ------------------------------------------------------------------------------------------


def column_words(column: str, catalogue: Catalogue, subjects: Sequence[Subject]) -> str:
    """What a column is called: `units`, `sales` where products have different ones, `reviews`."""
    if column != SALES:
        return OTHERS[column]
    outcomes = {s.outcome for s in subjects if s.outcome and s.outcome not in OTHERS}
    if len(outcomes) == 1:
        return catalogue.measure(next(iter(outcomes))).words
    return "sales"


def amount(change: float, kind: str) -> str:
    """A change as the kind is told: `+18 %`, `−0.3 stars`, `+5 points`."""
    if kind == "rating":
        return f"{_signed(change, 1)} stars"
    return f"{_signed(100 * change, _digits(100 * change))} {'points' if kind == 'share' else '%'}"


def short_amount(change: float, kind: str) -> str:
    """The same without its unit where that stands above the column."""
    if kind == "rating":
        return _signed(change, 1)
    text = _signed(100 * change, _digits(100 * change))
    return text if kind == "share" else f"{text} %"


def interval_words(low: float, high: float, kind: str) -> str:
    """`+3 to +31 %`."""
    if kind == "rating":
        return f"{_signed(low, 1)} to {_signed(high, 1)} stars"
    unit = "points" if kind == "share" else "%"
    digits = max(_digits(100 * low), _digits(100 * high))
    return f"{_signed(100 * low, digits)} to {_signed(100 * high, digits)} {unit}"


def _digits(value: float) -> int:
    return 1 if 0 < abs(value) < 0.95 else 0


def _signed(value: float, digits: int) -> str:
    if abs(value) >= 10_000:
        text = short_number(value)
        return text if value < 0 else f"+{text}"
    text = f"{value:+,.{digits}f}"
    if not text.strip("+-0.,"):
        text = text[1:]
    return text.replace("-", "\N{MINUS SIGN}")
