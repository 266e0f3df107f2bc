"""The founders' marts of the small published file: growth by month, themes of reviews and posts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tests.fake_published import Planted

GROWTH = """
create table marts.mart_growth_metrics (
    growth_key varchar, product_id varchar, metric varchar, month_start_date date,
    metric_family varchar, value_kind varchar, month_value double, day_level double,
    observed_days_count bigint, expected_days_count bigint, is_partial_month boolean,
    records_count bigint, change double, change_low double, change_high double, p_value double,
    q_value double, is_change_clear boolean, change_reason varchar, year_change double,
    year_change_low double, year_change_high double, year_p_value double, year_q_value double,
    is_year_change_clear boolean, year_change_reason varchar, is_simulated boolean
)
"""
THEMES = """
create table marts.mart_review_themes (
    product_theme_key varchar, product_id varchar, theme_kind varchar, theme varchar,
    texts_count bigint, reviews_count bigint, posts_count bigint, authors_count bigint,
    product_texts_count bigint, effective_texts double, share_ratio double, share_low_ratio double,
    share_high_ratio double, praise_count bigint, complaint_count bigint, mixed_count bigint,
    neutral_count bigint, net_sentiment double, net_sentiment_low double, net_sentiment_high double,
    recent_texts_count bigint, recent_product_texts_count bigint, recent_share_ratio double,
    previous_texts_count bigint, previous_product_texts_count bigint, previous_share_ratio double,
    share_change double, share_change_low double, share_change_high double, p_value double,
    q_value double, is_change_clear boolean, change_reason varchar, top_terms varchar[],
    is_simulated boolean
)
"""
FOUNDERS = (GROWTH, THEMES)

# What is planted: the sales of these products change by so much in the newest month compared.
GROWING = {"chatty": 0.34, "numbers": -0.22}
_METRICS = (
    # metric, family, value_kind, half the width of its interval
    ("reviews_count", "reviews", "total", 0.45),
    ("rating_mean", "reviews", "rating", 0.3),
    ("search_interest", "search", "mean", 0.12),
    ("posts_count", "social", "total", 0.16),
    ("positive_ratio", "social", "share", 0.05),
)
_SALES_WIDTH = 0.12
_LEXICON = (
    # theme, texts a product, share that complains, share that praises
    ("price", 120, 0.5, 0.3),
    ("faults", 90, 0.8, 0.1),
    ("setup", 70, 0.45, 0.2),
    ("support", 64, 0.43, 0.22),
    ("design", 50, 0.1, 0.85),
    ("battery", 33, 0.88, 0.06),
    ("controller_input", 20, 0.3, 0.5),
    ("account", 9, 0.4, 0.1),
)
# Product and theme that are spoken of clearly more in the last 28 days.
RISING = ("checkout", "faults")


def founders_rows(
    product: Planted, number: int, days: int, first: date, *, is_simulated: bool
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Rows of one product: of mart_growth_metrics and of mart_review_themes."""
    random = np.random.default_rng([number, 9])
    months = _months(first, first + timedelta(days=days - 1))
    growth: list[tuple[Any, ...]] = []
    sales = product.metric or "units"
    family, kind = ("data_set", "mean") if product.metric else ("sales", "total")
    metrics = ((sales, family, kind, _SALES_WIDTH), *_METRICS)
    for metric, family, kind, width in metrics:
        level = {"rating": 4.1, "share": 0.4}.get(kind, product.level)
        for place, (month, observed, expected) in enumerate(months):
            is_newest = place == len(months) - 1
            change = float(random.normal(0, width / 3))
            if metric == sales and is_newest:
                change = GROWING.get(product.product_id, change)
            has_interval = place > 0 and observed >= 14
            is_clear = has_interval and abs(change) > width
            reason = (
                None if has_interval
                else "first_month" if place == 0
                else "too_few_days"
            )  # fmt: skip
            low, high = (change - width, change + width) if has_interval else (None, None)
            q = (0.003 if is_clear else 0.62) if has_interval else None
            growth.append(
                (f"{product.product_id}|{metric}|{month}", product.product_id, metric, str(month),
                 family, kind, level * observed, level, observed, expected, observed < expected,
                 100, change if place else None, low, high, q, q, is_clear, reason, None, None,
                 None, None, None, False, "no_year", is_simulated)
            )  # fmt: skip
            level *= 1 + (change if kind in {"total", "mean"} else 0)
    return growth, _themes(product, random, days, is_simulated=is_simulated)


def _months(first: date, last: date) -> Sequence[tuple[date, int, int]]:
    """First day, days in the window and days of each month."""
    found = []
    month = first.replace(day=1)
    while month <= last:
        following = (month + timedelta(days=32)).replace(day=1)
        observed = (min(last, following - timedelta(days=1)) - max(first, month)).days + 1
        found.append((month, observed, (following - month).days))
        month = following
    return found


def _themes(
    product: Planted, random: np.random.Generator, days: int, *, is_simulated: bool
) -> list[tuple[Any, ...]]:
    rows: list[tuple[Any, ...]] = []
    product_texts = 40 * product.posts
    found = ("found", f"{product.product_id[:9]} crash", 18, 0.9, 0.05)
    for kind, theme, usual, complaining, praising in (*(("lexicon", *t) for t in _LEXICON), found):
        texts = 1 + int(random.poisson(usual * min(days / 180, 1) * product.posts / 25))
        complaints = int(texts * complaining)
        praise = int(texts * praising)
        share, half = texts / product_texts, 1.96 * math.sqrt(texts) / product_texts
        change = float(random.normal(0, 0.006))
        if (product.product_id, theme) == RISING:
            change = 0.041
        is_clear = abs(change) > 0.03
        is_thin = texts < 15
        net = (praise - complaints) / texts
        recent, before = texts // 4, texts // 5
        around = 0.9 / math.sqrt(texts)
        rows.append(
            (f"{product.product_id}|{kind}|{theme}", product.product_id, kind, theme, texts,
             texts // 4, texts - texts // 4, texts, product_texts, product_texts * 0.6, share,
             max(share - half, 0.0), share + half, praise, complaints, 0,
             texts - praise - complaints, net, max(net - around, -1.0), min(net + around, 1.0),
             recent, 200, recent / 200, before, 200, before / 200, change,
             None if is_thin else change - 0.024, None if is_thin else change + 0.024,
             None if is_thin else 0.001 if is_clear else 0.5,
             None if is_thin else 0.02 if is_clear else 0.8, is_clear and not is_thin,
             "too_few_texts" if is_thin else None, [theme, "word"], is_simulated)
        )  # fmt: skip
    return rows
