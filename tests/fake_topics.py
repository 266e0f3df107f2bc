"""Topics, authors, viral posts and shares of voice for the fake published file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Protocol, TypeAlias

import numpy as np

Rows: TypeAlias = list[tuple[Any, ...]]


class Named(Protocol):
    """A product of the fake file."""

    @property
    def product_id(self) -> str: ...
    @property
    def name(self) -> str: ...


TOPICS = """
create table marts.mart_trending_topics (
    topic_kind varchar, topic varchar, date_day date, week_start_date date, posts_count bigint,
    authors_count bigint, suspected_bot_posts_count bigint, expected_authors_count double,
    expected_low_authors_count bigint, expected_high_authors_count bigint, q_value double,
    is_burst boolean, week_authors_count bigint, week_expected_authors_count double,
    emerging_q_value double, is_emerging boolean, is_simulated boolean
)
"""
AUTHORS = """
create table marts.mart_author_influence (
    author_id varchar, platform varchar, follower_tier varchar, posts_count bigint,
    engagement_posts_count bigint, tier_typical_engagement double, typical_engagement double,
    typical_engagement_low double, typical_engagement_high double, is_suspected_bot boolean,
    is_simulated boolean
)
"""
VIRAL = """
create table marts.mart_viral_posts (
    post_key varchar, platform varchar, author_id varchar, posted_date date, follower_tier varchar,
    engagement_count bigint, usual_engagement_count double, engagement_ratio double,
    compared_posts_count bigint, is_still_counting boolean, is_suspected_bot boolean,
    is_simulated boolean
)
"""
SHARES = """
create table marts.mart_share_of_voice (
    category varchar, product_id varchar, week_start_date date, is_partial_week boolean,
    mentions_count bigint, suspected_bot_mentions_count bigint, category_mentions_count bigint,
    category_effective_mentions double, share_ratio double, share_low_ratio double,
    share_high_ratio double
)
"""
MOOD = """
create table marts.mart_brand_sentiment (
    product_id varchar, platform varchar, week_start_date date, is_partial_week boolean,
    scored_posts_count bigint, net_sentiment double, net_sentiment_low double,
    net_sentiment_high double, net_sentiment_corrected double, net_sentiment_corrected_low double,
    net_sentiment_corrected_high double, net_change double, is_change_clear boolean
)
"""
PLATFORMS = "create table marts.dim_platforms (platform varchar, platform_name varchar)"
MENTIONS = "create table marts.bridge_post_products (post_key varchar, product_id varchar)"
STATEMENTS = (TOPICS, AUTHORS, VIRAL, SHARES, MOOD, PLATFORMS, MENTIONS)

TIERS = ("100_to_1k", "1k_to_10k", "unknown")
Z = 1.959963984540054


def fill(
    products: Sequence[Named], *, days: int, first: date, is_simulated: bool
) -> dict[str, Rows]:
    """Rows by table; none without a product. The same each time."""
    if not products:
        return {}
    random = np.random.default_rng(9)
    viral = [viral_post(number, first, days, is_simulated) for number in range(6)]
    return {
        "mart_trending_topics": _topics(products, days, first, is_simulated, random),
        "mart_author_influence": [author(number, is_simulated) for number in range(16)],
        "mart_viral_posts": viral,
        "bridge_post_products": [
            (row[0], products[(number + each) % len(products)].product_id)
            for number, row in enumerate(viral)
            for each in range(1 + number % 2)
        ],
        "mart_share_of_voice": shares({"category": [p.product_id for p in products]}, days, first),
        "mart_brand_sentiment": moods([p.product_id for p in products], days, first),
        "dim_platforms": [("x", "X"), ("reddit", "Reddit"), ("mastodon", "Mastodon")],
    }


# Topics -----------------------------------------------------------------------------------------


def monday(day: date) -> date:
    """The Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def topic_day(
    kind: str,
    topic: str,
    day: date,
    authors: int,
    *,
    expected: float | None = None,
    q_value: float | None = None,
    is_burst: bool = False,
    week: tuple[int, float, float] | None = None,
    bots: int = 0,
    is_simulated: bool = True,
) -> tuple[Any, ...]:
    """A row of the mart; `week` is the people, the expectation and q of a week of emergence."""
    low = None if expected is None else math.floor(expected * 0.4)
    high = None if expected is None else math.ceil(expected * 1.9)
    of_week, expected_week, week_q = week or (None, None, None)
    return (
        kind,
        topic,
        day,
        monday(day),
        authors + 1,
        authors,
        bots,
        expected,
        low,
        high,
        q_value,
        is_burst,
        of_week,
        expected_week,
        week_q,
        week is not None,
        is_simulated,
    )


def _topics(
    products: Sequence[Named],
    days: int,
    first: date,
    is_simulated: bool,
    random: np.random.Generator,
) -> Rows:
    """Up to three terms of the catalogue, a hashtag that bursts on day 90, a word that emerges."""
    rows: Rows = []
    for number, product in enumerate(products[:3]):
        level = 12.0 / (number + 1)
        for offset in range(days):
            count = int(random.poisson(level))
            is_tested = offset >= 28
            rows.append(
                topic_day(
                    "catalogue_term",
                    product.name.lower(),
                    first + timedelta(days=offset),
                    count,
                    expected=level if is_tested else None,
                    q_value=0.8 if is_tested else None,
                    bots=number,
                    is_simulated=is_simulated,
                )
            )
    for offset in range(0, days, 3):
        is_burst = offset == 90
        is_tested = offset >= 28
        rows.append(
            topic_day(
                "hashtag",
                "#launch",
                first + timedelta(days=offset),
                31 if is_burst else 3,
                expected=2.5 if is_tested else None,
                q_value=0.0004 if is_burst else 0.7 if is_tested else None,
                is_burst=is_burst,
                is_simulated=is_simulated,
            )
        )
    start = monday(first + timedelta(days=104))
    if days > 111:
        rows += [
            topic_day("word", "leapfrog", start + timedelta(days=each), 4,
                      week=(14, 0.2, 0.011), is_simulated=is_simulated)
            for each in (0, 2, 3)
        ]  # fmt: skip
    return rows


# Authors and posts ------------------------------------------------------------------------------


def author(number: int, is_simulated: bool) -> tuple[Any, ...]:
    """Fourteen people, the lower the number the more heard, and two suspected bots."""
    is_bot = number >= 14
    typical = 0.4 if is_bot else 400 / (number + 1) ** 1.5
    low, high = typical / (1.3 + 0.1 * number), typical * (1.3 + 0.1 * number)
    platform = "reddit" if number % 3 == 2 else "x"
    name = f"t2_{number:06d}" if platform == "reddit" else f"{1_000_000 + number}"
    return (
        name,
        platform,
        TIERS[number % 3],
        40 - 2 * number,
        40 - 2 * number,
        6.5,
        typical,
        low,
        high,
        is_bot,
        is_simulated,
    )


def viral_post(number: int, first: date, days: int, is_simulated: bool) -> tuple[Any, ...]:
    """Five posts of people, the lower the number the further, and one of a suspected bot."""
    reactions, usual = 40 * (6 - number) ** 3, float(3 * number)
    posted = first + timedelta(days=(17 * number) % days)
    return (
        f"x:{2_000_000_000 + number}",
        "x",
        f"{1_000_000 + number}",
        posted,
        TIERS[number % 2],
        reactions,
        usual,
        (1 + reactions) / (1 + usual),
        240,
        number == 1,
        number == 5,
        is_simulated,
    )


# Shares of voice --------------------------------------------------------------------------------


def shares(categories: dict[str, Sequence[str]], days: int, first: date) -> Rows:
    """Every category's first product has twice the mentions of the second, and so on."""
    rows: Rows = []
    start = monday(first)
    weeks = (monday(first + timedelta(days=days - 1)) - start).days // 7 + 1
    for category, product_ids in categories.items():
        for number in range(weeks):
            week = start + timedelta(days=7 * number)
            is_partial = week < first or week + timedelta(days=7) > first + timedelta(days=days)
            counts = [
                max(1, 60 // (place + 1)) + (number * (place + 3)) % 5
                for place in range(len(product_ids))
            ]
            total, effective = sum(counts), 0.8 * sum(counts)
            for product_id, count in zip(product_ids, counts, strict=True):
                share = count / total
                rows.append(
                    (
                        category,
                        product_id,
                        week,
                        is_partial,
                        count,
                        count % 3,
                        total,
                        effective,
                        share,
                        *wilson(share, effective),
                    )
                )
    return rows


def moods(product_ids: Sequence[str], days: int, first: date) -> Rows:
    """The first product is liked, the third is not, on X more surely than on Reddit.

    Of the second the mood rose clearly in every week.
    """
    rows: Rows = []
    start = monday(first)
    weeks = (monday(first + timedelta(days=days - 1)) - start).days // 7 + 1
    for number in range(weeks):
        week = start + timedelta(days=7 * number)
        is_partial = week < first or week + timedelta(days=7) > first + timedelta(days=days)
        for place, product_id in enumerate(product_ids):
            net = (0.4, 0.0, -0.35)[place % 3] + 0.002 * (number % 3)
            for platform, posts, half in (("x", 90 - place % 40, 0.15), ("reddit", 12, 0.5)):
                rows.append(
                    (product_id, platform, week, is_partial, posts, net, net - half, net + half,
                     1.2 * net, max(-1.0, 1.2 * net - 1.3 * half),
                     min(1.0, 1.2 * net + 1.3 * half), 0.31, place == 1 and platform == "x")
                )  # fmt: skip
    return rows


def wilson(share: float, trials: float) -> tuple[float, float]:
    """Wilson's 95 % interval, as the mart has it."""
    middle = share + Z * Z / 2 / trials
    half = Z * math.sqrt(share * (1 - share) / trials + Z * Z / 4 / trials**2)
    scale = 1 + Z * Z / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
