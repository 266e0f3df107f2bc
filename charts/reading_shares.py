"""What mart_share_of_voice says: each product's share of the mentions of its category by week."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from charts.reading import Days, Flags, Numbers, Published, day_words, finite
from charts.style import name_of

TABLE = "mart_share_of_voice"
COLUMNS = (
    "category", "product_id", "week_start_date", "is_partial_week", "mentions_count",
    "suspected_bot_mentions_count", "category_mentions_count", "category_effective_mentions",
    "share_ratio", "share_low_ratio", "share_high_ratio",
)  # fmt: skip
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Voice:
    """A product's share by week (or that of several together), NaN where nothing is known."""

    name: str
    products: int
    mentions: int
    share: Numbers
    low: Numbers
    high: Numbers


@dataclass(frozen=True, slots=True)
class Standing:
    """Who has the largest share in the last full week of a category."""

    week: date
    first: str
    share: float
    low: float
    high: float
    second: str
    is_clear: bool
    """Whether the intervals of the first two do not touch."""


@dataclass(frozen=True, slots=True)
class CategoryVoices:
    """A category: its products with the most mentions, all others as one, by week."""

    name: str
    products: int
    mentions: int
    bot_mentions: int
    weeks: Days
    is_partial: Flags
    voices: tuple[Voice, ...]
    others: Voice | None
    standing: Standing | None
    weeks_first: int
    """Full weeks in which the first of the standing had the most mentions, alone."""
    full_weeks: int


@dataclass(frozen=True, slots=True)
class CategoryTotal:
    """What a category comes to in the window."""

    category: str
    products: int
    mentions: int
    bot_mentions: int


def read_categories(published: Published) -> list[CategoryTotal]:
    """Every category, those with the most mentions first."""
    return [
        CategoryTotal(row[0], int(row[1]), int(row[2]), int(row[3]))
        for row in published.rows(
            f"""
            select category, count(distinct product_id), sum(mentions_count)::bigint,
                sum(suspected_bot_mentions_count)::bigint
            from {published.table(TABLE)} group by category
            order by sum(mentions_count) desc, category
            """
        )
    ]


def read_voices_of(
    published: Published,
    totals: Sequence[CategoryTotal],
    names: Mapping[str, str],
    *,
    most: int,
) -> list[CategoryVoices]:
    """The weeks of some categories, each with its `most` products of the most mentions.

    A single product that would be left is shown too.
    """
    table = published.table(TABLE)
    wanted = [total.category for total in totals]
    largest: dict[str, list[tuple[str, int]]] = {}
    for category, product_id, mentions in published.rows(
        f"""
        select category, product_id, sum(mentions_count)::bigint as mentions
        from {table} where category in (select unnest(?)) group by category, product_id
        qualify row_number() over (
            partition by category order by sum(mentions_count) desc, product_id
        ) <= ? + (count(*) over (partition by category) = ? + 1)::integer
        order by category, mentions desc, product_id
        """,
        [wanted, most, most],
    ):
        largest.setdefault(category, []).append((product_id, int(mentions)))
    rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in published.rows(
        f"""
        select category, product_id, week_start_date::date, share_ratio, share_low_ratio,
            share_high_ratio
        from {table} where product_id in (select unnest(?)) order by all
        """,
        [[product_id for found in largest.values() for product_id, _ in found]],
    ):
        rows.setdefault((row[0], row[1]), []).append(row[2:])
    weeks: dict[str, list[tuple[Any, ...]]] = {}
    for row in published.rows(
        f"""
        select category, week_start_date::date, bool_or(is_partial_week),
            any_value(category_effective_mentions)
        from {table} where category in (select unnest(?)) group by all order by all
        """,
        [wanted],
    ):
        weeks.setdefault(row[0], []).append(row[1:])
    return [
        _category(published, total, weeks[total.category], largest[total.category], rows, names)
        for total in totals
    ]


def _category(
    published: Published,
    total: CategoryTotal,
    known: Sequence[tuple[Any, ...]],
    largest: Sequence[tuple[str, int]],
    rows: dict[tuple[str, str], list[tuple[Any, ...]]],
    names: Mapping[str, str],
) -> CategoryVoices:
    first, last = known[0][0], known[-1][0]
    weeks = np.arange(
        np.datetime64(first, "D"), np.datetime64(last, "D") + 1, np.timedelta64(7, "D")
    )
    length = len(weeks)
    is_partial = np.ones(length, dtype=bool)
    effective = np.full(length, np.nan)
    for week, partial, mentions in known:
        place = (week - first).days // 7
        is_partial[place] = partial is not False
        effective[place] = finite(mentions)
    voices = []
    for product_id, mentions in largest:
        share, low, high = (np.full(length, np.nan) for _ in range(3))
        for week, *values in rows[total.category, product_id]:
            place = (week - first).days // 7
            share[place], low[place], high[place] = (finite(value) for value in values)
        name = names.get(product_id) or name_of(None, product_id)
        voices.append(Voice(name, 1, mentions, share, low, high))
    standing, weeks_first, full_weeks = _standing(published, total.category, names)
    return CategoryVoices(
        name=total.category,
        products=total.products,
        mentions=total.mentions,
        bot_mentions=total.bot_mentions,
        weeks=weeks,
        is_partial=is_partial,
        voices=tuple(voices),
        others=_others(total, voices, effective),
        standing=standing,
        weeks_first=weeks_first,
        full_weeks=full_weeks,
    )


def _others(total: CategoryTotal, voices: Sequence[Voice], effective: Numbers) -> Voice | None:
    """All products that are not shown, together, with the interval of the mart."""
    count = total.products - len(voices)
    if count <= 0:
        return None
    shown = np.nansum([voice.share for voice in voices], axis=0)
    share = np.where(np.isfinite(effective), np.clip(1 - shown, 0, 1), np.nan)
    low, high = wilson(share, effective)
    mentions = total.mentions - sum(voice.mentions for voice in voices)
    return Voice(f"{count:,} other products", count, mentions, share, low, high)


def wilson(share: Numbers, effective: Numbers) -> tuple[Numbers, Numbers]:
    """Wilson's 95 % interval (1927) of a share of so many independent mentions."""
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = _Z**2 / effective
        middle = (share + weight / 2) / (1 + weight)
        half = _Z * np.sqrt(share * (1 - share) / effective + weight / (4 * effective))
        half = half / (1 + weight)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _standing(
    published: Published, category: str, names: Mapping[str, str]
) -> tuple[Standing | None, int, int]:
    """The first two of the last full week, in how many full weeks the first led, and of how many.

    A week counts as full if no product of the category lacks a day.
    """
    rows = published.rows(
        f"""
        with full_weeks as (
            select week_start_date from {published.table(TABLE)} where category = ?
            group by week_start_date
            having not bool_or(is_partial_week) and max(category_mentions_count) > 0
        ),
        ranked as (
            select product_id, week_start_date::date as week, share_ratio, share_low_ratio,
                share_high_ratio,
                row_number() over (
                    partition by week_start_date order by share_ratio desc, product_id
                ) as place,
            from {published.table(TABLE)}
            where category = ? and week_start_date in (select week_start_date from full_weeks)
                and share_ratio is not null
        )
        select * from ranked where place <= 2 order by week desc, place
        """,
        [category, category],
    )
    by_week: dict[date, list[tuple[Any, ...]]] = {}
    for row in rows:
        by_week.setdefault(row[1], []).append(row)
    if not by_week:
        return None, 0, 0
    last = next(iter(by_week.values()))
    if len(last) < 2:
        return None, 0, len(by_week)
    first, second = last
    standing = Standing(
        week=first[1],
        first=names.get(first[0]) or name_of(None, first[0]),
        share=finite(first[2]),
        low=finite(first[3]),
        high=finite(first[4]),
        second=names.get(second[0]) or name_of(None, second[0]),
        is_clear=finite(first[3]) > finite(second[4]),
    )
    led = sum(
        pair[0][0] == first[0] and len(pair) > 1 and pair[0][2] > pair[1][2]
        for pair in by_week.values()
    )
    return standing, led, len(by_week)


def last_known(voice: Voice, weeks: Days, is_partial: Flags) -> tuple[str, float, float, float]:
    """The last full week with a share (else the last), and its share and interval; NaN if none."""
    known = np.isfinite(voice.share)
    full = known & ~is_partial
    places = np.flatnonzero(full if full.any() else known)
    if len(places) == 0:
        return "", math.nan, math.nan, math.nan
    at = places[-1]
    day: date = weeks[at].astype(object)
    return day_words(day), float(voice.share[at]), float(voice.low[at]), float(voice.high[at])
