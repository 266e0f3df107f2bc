"""What reviews and posts praise and complain about, read from the themes of a published file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from charts.reading import Published, number_or_none
from charts.style import clean

THEMES = "mart_review_themes"
NEEDED = (
    "product_id", "theme_kind", "theme", "texts_count", "reviews_count", "posts_count",
    "product_texts_count", "praise_count", "complaint_count", "mixed_count", "neutral_count",
    "net_sentiment_low", "net_sentiment_high", "recent_texts_count", "previous_texts_count",
    "share_change", "share_change_low", "share_change_high", "p_value", "q_value",
    "is_change_clear",
)  # fmt: skip
# Texts that a product must have on a theme before it can be named as the worst on it.
FEWEST_TEXTS = 20


@dataclass(frozen=True, slots=True)
class Theme:
    """One theme of one product, or of all products together where `product_id` is None.

    The change is that of the share of texts that speak of it, the last 28 days against the 28
    before; None with a reason. A pooled theme has none: `rising` and `falling` count products.
    """

    product_id: str | None
    kind: str
    name: str
    texts: int
    product_texts: int
    praise: int
    complaints: int
    mixed: int
    neutral: int
    net_low: float | None = None
    net_high: float | None = None
    recent_texts: int = 0
    previous_texts: int = 0
    change: float | None = None
    low: float | None = None
    high: float | None = None
    q_value: float | None = None
    is_clear: bool = False
    rising: int = 0
    falling: int = 0

    @property
    def complaint_share(self) -> float:
        """Complaints over all texts of the product or products."""
        return self.complaints / self.product_texts if self.product_texts else 0.0

    @property
    def praise_share(self) -> float:
        """Praise over all texts of the product or products."""
        return self.praise / self.product_texts if self.product_texts else 0.0

    @property
    def has_interval(self) -> bool:
        """Whether the change is stated with an interval."""
        return None not in (self.change, self.low, self.high)

    @property
    def words(self) -> str:
        """The theme's name for a picture; a found one, a word of the texts, is quoted."""
        name = clean(self.name.replace("_", " ")) or "(no name)"
        return (
            f"\N{LEFT DOUBLE QUOTATION MARK}{name}\N{RIGHT DOUBLE QUOTATION MARK}"
            if (self.kind == "found")
            else name
        )


def is_known(published: Published) -> bool:
    """Whether the file holds the themes as this version writes them."""
    return published.has(THEMES, *NEEDED)


_COLUMNS = """product_id, theme_kind, theme, texts_count, product_texts_count, praise_count,
    complaint_count, mixed_count, neutral_count, net_sentiment_low, net_sentiment_high,
    recent_texts_count, previous_texts_count, share_change, share_change_low, share_change_high,
    q_value, is_change_clear"""


def read_themes(published: Published, product_ids: Sequence[str]) -> dict[str, list[Theme]]:
    """The themes of some products, most complaints first."""
    found: dict[str, list[Theme]] = {}
    for row in published.rows(
        f"""
        select {_COLUMNS} from {published.table(THEMES)}
        where product_id in (select unnest(?)) and theme is not null
        order by product_id, complaint_count desc, texts_count desc, theme_kind, theme
        """,
        [list(product_ids)],
    ):
        found.setdefault(row[0], []).append(_theme(row))
    return found


def read_pooled(published: Published) -> list[Theme]:
    """The themes that are the same for every product, summed; most complaints first."""
    table = published.table(THEMES)
    (all_texts,) = published.rows(
        f"select coalesce(sum(n), 0)::bigint from (select max(product_texts_count) as n "
        f"from {table} group by product_id)"
    )[0]
    return [
        Theme(
            None,
            row[0],
            row[1],
            row[2],
            int(all_texts),
            row[3],
            row[4],
            row[5],
            row[6],
            rising=row[7],
            falling=row[8],
        )
        for row in published.rows(
            f"""
            select theme_kind, theme, sum(texts_count)::bigint, sum(praise_count)::bigint,
                sum(complaint_count)::bigint, sum(mixed_count)::bigint,
                sum(neutral_count)::bigint,
                count(*) filter (where is_change_clear and share_change > 0),
                count(*) filter (where is_change_clear and share_change < 0)
            from {table} where theme_kind = 'lexicon' and theme is not null
            group by theme_kind, theme order by sum(complaint_count) desc, sum(texts_count) desc,
                theme
            """
        )
    ]


def read_worst(published: Published) -> dict[str, Theme]:
    """By theme the product whose mood about it is most surely below that of the others.

    That with the lowest upper end of the interval, so that a few texts cannot make a product the
    worst; only where complaints outnumber praise, of at least FEWEST_TEXTS texts.
    """
    return {
        row[2]: _theme(row)
        for row in published.rows(
            f"""
            select {_COLUMNS} from {published.table(THEMES)}
            where theme_kind = 'lexicon' and texts_count >= ? and product_id is not null
                and complaint_count > praise_count and isfinite(net_sentiment_high)
            qualify row_number() over (
                partition by theme order by net_sentiment_high, complaint_count desc, product_id
            ) = 1
            """,
            [FEWEST_TEXTS],
        )
    }


def read_changing(published: Published, most: int) -> tuple[list[Theme], int, int]:
    """The changes surest to be more than chance, how many are clear, and how many were looked at.

    Themes of the lexicon only; by q, then by the size of the change.
    """
    table = published.table(THEMES)
    rows = published.rows(
        f"""
        select {_COLUMNS} from {table}
        where theme_kind = 'lexicon' and share_change_low is not null and product_id is not null
            and theme is not null
        order by not is_change_clear, q_value, p_value, abs(share_change) desc, product_id, theme
        limit ?
        """,
        [most],
    )
    clear, looked = published.rows(
        f"select count(*) filter (where is_change_clear), count(*) from {table} "
        "where theme_kind = 'lexicon' and share_change_low is not null"
    )[0]
    return [_theme(row) for row in rows], int(clear), int(looked)


def _theme(row: Sequence[Any]) -> Theme:
    return Theme(
        product_id=row[0],
        kind=row[1],
        name=row[2],
        texts=int(row[3]),
        product_texts=int(row[4]),
        praise=int(row[5]),
        complaints=int(row[6]),
        mixed=int(row[7]),
        neutral=int(row[8]),
        net_low=number_or_none(row[9]),
        net_high=number_or_none(row[10]),
        recent_texts=int(row[11]),
        previous_texts=int(row[12]),
        change=number_or_none(row[13]),
        low=number_or_none(row[14]),
        high=number_or_none(row[15]),
        q_value=number_or_none(row[16]),
        is_clear=row[17] is True,
    )


def share_words(share: float) -> str:
    """`12 %`, `0.4 %`, `< 0.1 %`."""
    percent = 100 * share
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:.0f} %"


def points_words(change: float) -> str:
    """`+3.1`, in points of 100."""
    if not math.isfinite(change):
        return ""
    return f"{100 * change:+.1f}".replace("-", "\N{MINUS SIGN}")
