"""What mart_trending_topics says of each topic: how much, when far more than usual, and how sure.

A row of the mart is a topic and a day on which somebody used it: a day without a row is a day
without a post for tags and terms of the catalogue, and unknown for words, which the mart shows
only in the weeks in which they emerged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from charts.reading import Days, Flags, Numbers, Published, finite, number_or_none

TABLE = "mart_trending_topics"
COLUMNS = (
    "topic_kind", "topic", "date_day", "week_start_date", "posts_count", "authors_count",
    "suspected_bot_posts_count", "expected_authors_count", "q_value", "is_burst",
    "week_authors_count", "week_expected_authors_count", "emerging_q_value", "is_emerging",
)  # fmt: skip
BAND = ("expected_low_authors_count", "expected_high_authors_count")
"""Columns that files of older versions are without."""
WORD_KINDS = frozenset({"word", "bigram"})
# Days between two events of a topic that are told apart; less than that, people still speak of it.
_APART_DAYS = 14
_LEARNING_DAYS = 28
_NEW_WEEK_AUTHORS = 1.0


@dataclass(frozen=True, slots=True)
class Event:
    """A burst day, or a week in which a topic emerged, with people counted and expected."""

    day: date
    is_week: bool
    authors: int
    expected: float | None
    q_value: float | None

    @property
    def ratio(self) -> float | None:
        """Observed over expected; None where nothing was expected."""
        return self.authors / self.expected if self.expected else None


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the whole window; events in the order of their days."""

    kind: str
    topic: str
    posts: int
    author_days: int
    days: int
    tested_days: int
    bot_posts: int
    first_day: date
    last_day: date
    events: tuple[Event, ...]
    is_new: bool
    """Whether nobody had used it before its first event."""

    @property
    def best(self) -> Event | None:
        """The event with the strongest evidence."""
        return min(self.events, key=_strength, default=None)

    @property
    def episodes(self) -> int:
        """How many times it stood out, days close to each other counted once."""
        count, end = 0, None
        for event in self.events:
            if end is None or (event.day - end).days > _APART_DAYS:
                count += 1
            last = event.day + timedelta(days=6 if event.is_week else 0)
            end = last if end is None else max(end, last)
        return count


@dataclass(frozen=True, slots=True)
class TopicDays:
    """A topic on a dense calendar: people of each day (of each week, for words), NaN if unknown."""

    topic: Topic
    days: Days
    authors: Numbers
    expected: Numbers
    low: Numbers
    high: Numbers
    is_event: Flags
    is_observed: Flags


def _strength(event: Event) -> tuple[Any, ...]:
    return (
        event.q_value is None,
        event.q_value if event.q_value is not None else 1.0,
        -(event.ratio or 0.0),
        event.day,
    )


def read_topics(published: Published, window_start: date | None) -> list[Topic]:
    """Every topic: those that stood out first, by evidence, then those most people spoke of."""
    table = published.table(TABLE)
    events: dict[tuple[str, str], list[Event]] = {}
    expected_weeks: dict[tuple[str, str], float] = {}
    for row in published.rows(
        f"""
        select topic_kind, topic, false, date_day::date, authors_count, expected_authors_count,
            q_value
        from {table} where is_burst
        union all
        select topic_kind, topic, true, week_start_date::date, any_value(week_authors_count),
            any_value(week_expected_authors_count), any_value(emerging_q_value)
        from {table} where is_emerging group by topic_kind, topic, week_start_date
        order by all
        """
    ):
        key = (row[0], row[1])
        event = Event(row[3], row[2], row[4] or 0, number_or_none(row[5]), number_or_none(row[6]))
        events.setdefault(key, []).append(event)
        if event.is_week:
            expected_weeks.setdefault(key, finite(row[5]))
    topics = []
    for row in published.rows(
        f"""
        select topic_kind, topic, sum(posts_count)::bigint, sum(authors_count)::bigint,
            count(*) filter (where posts_count > 0), count(q_value),
            sum(suspected_bot_posts_count)::bigint, min(date_day)::date, max(date_day)::date
        from {table} group by topic_kind, topic order by topic_kind, topic
        """
    ):
        found = tuple(sorted(events.get((row[0], row[1]), ()), key=lambda e: (e.day, e.is_week)))
        expected = expected_weeks.get((row[0], row[1]))
        topics.append(
            Topic(
                kind=row[0],
                topic=row[1],
                posts=row[2],
                author_days=row[3],
                days=row[4],
                tested_days=row[5],
                bot_posts=row[6],
                first_day=row[7],
                last_day=row[8],
                events=found,
                is_new=_is_new(row[0], row[7], found, window_start, expected),
            )
        )
    return sorted(topics, key=_order)


def _is_new(
    kind: str,
    first_day: date,
    events: Sequence[Event],
    window_start: date | None,
    expected_week: float | None,
) -> bool:
    """Whether a topic's first event is its beginning, as far as the window can tell."""
    if not events:
        return False
    if kind in WORD_KINDS:
        return expected_week is not None and expected_week < _NEW_WEEK_AUTHORS
    first = events[0].day + timedelta(days=6 if events[0].is_week else 0)
    has_past = window_start is not None and (first_day - window_start).days >= _LEARNING_DAYS
    return has_past and (first - first_day).days <= _APART_DAYS


def _order(topic: Topic) -> tuple[Any, ...]:
    best = topic.best
    return (
        best is None,
        _strength(best) if best is not None else (),
        -topic.author_days,
        topic.kind,
        topic.topic,
    )


def read_topic_days(
    published: Published, topics: Sequence[Topic], first: date, last: date
) -> list[TopicDays]:
    """The days of some topics from `first` to `last`."""
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1, dtype="M8[D]")
    length = len(days)
    observed = _observed(published, first, length)
    band = ", ".join(BAND) if published.has(TABLE, *BAND) else "null, null"
    rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in published.rows(
        f"""
        select topic_kind, topic, datediff('day', ?::date, date_day::date), authors_count,
            expected_authors_count, {band}, is_burst,
            datediff('day', ?::date, week_start_date::date), week_authors_count,
            week_expected_authors_count, is_emerging
        from {published.table(TABLE)}
        where (topic_kind, topic) in (select unnest(?), unnest(?)) order by all
        """,
        [first, first, [topic.kind for topic in topics], [topic.topic for topic in topics]],
    ):
        rows.setdefault((row[0], row[1]), []).append(row[2:])
    return [
        _topic_days(topic, days, observed, rows.get((topic.kind, topic.topic), ()))
        for topic in topics
    ]


def _topic_days(
    topic: Topic, days: Days, observed: Flags, rows: Sequence[tuple[Any, ...]]
) -> TopicDays:
    length = len(days)
    is_word = topic.kind in WORD_KINDS
    authors = np.where(observed & (not is_word), 0.0, np.nan)
    expected, low, high = (np.full(length, np.nan) for _ in range(3))
    is_event = np.zeros(length, dtype=bool)
    for day, count, usual, lowest, highest, burst, week, of_week, usual_week, emerging in rows:
        if is_word:
            span = slice(max(week, 0), max(week + 7, 0))
            authors[span], expected[span] = finite(of_week), finite(usual_week)
            is_event[span] = emerging is True
        elif 0 <= day < length:
            authors[day], expected[day] = finite(count), finite(usual)
            low[day], high[day] = finite(lowest), finite(highest)
            is_event[day] = burst is True or emerging is True
    return TopicDays(topic, days, authors, expected, low, high, is_event, observed)


def _observed(published: Published, first: date, length: int) -> Flags:
    """Days on which the posts of some product are all known."""
    flags = np.zeros(length, dtype=bool)
    for (day,) in published.rows(
        f"""
        select distinct datediff('day', ?::date, date_day::date)
        from {published.table("fct_daily_signals")} where is_observed_social
        """,
        [first],
    ):
        if 0 <= day < length:
            flags[day] = True
    return flags
