"""What surrounds a product's link: how it grows, what people praise and complain about, and where.

Texts, authors and addresses pass `charts.quoting`, the one place that says what readers may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from charts import quoting
from charts.reading import Published, day_words, number_or_none
from charts.report.words import EXCERPT_LENGTH, plain

MOST_POSTS = 3
MOST_THEMES = 4
_GROWTH = (
    # column, change, what it is, whether its change is in points of a share
    ("units", "units", "Units", False),
    ("net_sales", "net_sales", "Net sales", False),
    ("orders_count", "orders", "Orders", False),
    ("reviews_count", "reviews", "Reviews", False),
    ("search_interest", "search_interest", "Search interest", False),
    ("posts_count", "posts", "Posts", False),
    ("positive_ratio", "positive", "Positive posts", True),
)


@dataclass(frozen=True, slots=True)
class Post:
    """A post that many people reacted to, as far as it may be shown."""

    platform: str
    day: str
    engagement: int
    label: str
    author: str
    post_id: str
    link: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Theme:
    """What people write about, how often, and how."""

    name: str
    texts: int
    praise: int
    complaints: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Growth:
    """One measure of the last whole month against the month before it."""

    name: str
    value: float
    change: float | None
    interval: tuple[float, float] | None
    is_clear: bool
    reason: str
    is_share: bool = False


@dataclass(slots=True)
class Around:
    """All of it for one product; empty where the file holds nothing."""

    posts: list[Post] = field(default_factory=list)
    themes: list[Theme] = field(default_factory=list)
    month: date | None = None
    growth: list[Growth] = field(default_factory=list)


def read_around(file: Published, products: Sequence[str]) -> dict[str, Around]:
    """What surrounds each of these products."""
    found = {product_id: Around() for product_id in products}
    if found:
        _add_growth(file, found)
        _add_themes(file, found)
        _add_posts(file, found)
    return found


def _add_growth(file: Published, found: dict[str, Around]) -> None:
    suffixes = ("change", "change_low", "change_high")
    there = [
        each
        for each in _GROWTH
        if file.has("mart_growth", each[0], *(f"{each[1]}_{suffix}" for suffix in suffixes))
    ]
    needed = ("product_id", "month_start_date", "is_partial_month")
    if not there or not file.has("mart_growth", *needed):
        return
    columns: list[str] = []
    for column, stem, _, _ in there:
        columns += [f"{column}::double", *(f"{stem}_{suffix}::double" for suffix in suffixes)]
        for name in (f"is_{stem}_change_clear", f"{stem}_change_reason"):
            columns.append(name if file.has("mart_growth", name) else "null")
    rows = file.rows(
        f"select product_id, month_start_date, {', '.join(columns)} "
        f"from {file.table('mart_growth')} "
        "where product_id in (select unnest(?)) and not is_partial_month "
        "qualify row_number() over (partition by product_id order by month_start_date desc) = 1",
        [list(found)],
    )
    for product_id, month, *values in rows:
        around = found[product_id]
        around.month = month
        for place, (_, _, name, is_share) in enumerate(there):
            *numbers, is_clear, reason = values[6 * place : 6 * place + 6]
            value, change, low, high = (number_or_none(each) for each in numbers)
            if value is None:
                continue
            interval = (low, high) if low is not None and high is not None else None
            around.growth.append(
                Growth(name, value, change, interval, is_clear is True, plain(reason), is_share)
            )


def _add_themes(file: Published, found: dict[str, Around]) -> None:
    columns = ("product_id", "theme", "texts_count", "praise_count", "complaint_count",
               "share_low_ratio", "share_high_ratio")  # fmt: skip
    if not file.has("mart_review_themes", *columns):
        return
    for product_id, theme, texts, praise, complaints, least, most in file.rows(
        f"select {', '.join(columns)} from {file.table('mart_review_themes')} "
        "where product_id in (select unnest(?)) and texts_count > 0 "
        "qualify row_number() over (partition by product_id "
        "order by praise_count + complaint_count desc, texts_count desc, theme) <= ? "
        "order by product_id, texts_count desc, theme",
        [list(found), MOST_THEMES],
    ):
        low, high = number_or_none(least), number_or_none(most)
        found[product_id].themes.append(
            Theme(
                name=plain(theme, 60),
                texts=texts,
                praise=praise or 0,
                complaints=complaints or 0,
                interval=(low, high) if low is not None and high is not None else None,
            )
        )


def _add_posts(file: Published, found: dict[str, Around]) -> None:
    needed = ("post_key", "post_id", "platform", "author_id", "url", "engagement_count",
              "posted_date", "is_simulated")  # fmt: skip
    if not file.has("fct_posts", *needed) or not file.has(
        "bridge_post_products", "post_key", "product_id"
    ):
        return
    # A file that was published without texts has no such column.
    text = "posts.text" if file.has("fct_posts", "text") else "null"
    label = "posts.sentiment_label" if file.has("fct_posts", "sentiment_label") else "null"
    left_out = ("is_withheld", "is_spam", "is_duplicate", "is_suspected_bot", "is_repost")
    flags = [
        f"not coalesce(posts.{flag}, false)" for flag in left_out if file.has("fct_posts", flag)
    ]
    if file.has("fct_posts", "is_relevant"):
        flags.append("posts.is_relevant is not false")
    rows = file.rows(
        f"""
        with best as (
            select bridge.product_id, posts.post_key, posts.engagement_count
            from {file.table("fct_posts")} as posts
            join {file.table("bridge_post_products")} as bridge using (post_key)
            where bridge.product_id in (select unnest(?)) and posts.engagement_count > 0
                and {" and ".join(flags or ["true"])}
            qualify row_number() over (
                partition by bridge.product_id
                order by posts.engagement_count desc, posts.post_key
            ) <= ?
        )
        select best.product_id, posts.platform, posts.post_id, posts.author_id, posts.url,
            posts.engagement_count, posts.posted_date, coalesce(posts.is_simulated, false),
            {label}, {text}
        from best join {file.table("fct_posts")} as posts using (post_key)
        order by best.product_id, best.engagement_count desc, posts.post_key
        """,
        [list(found), MOST_POSTS],
    )
    for product_id, *values in rows:
        found[product_id].posts.append(_post(*values))


def _post(
    platform: str | None,
    post_id: str | None,
    author: str | None,
    url: str | None,
    engagement: int,
    day: date | None,
    is_simulated: bool,
    label: str | None,
    text: str | None,
) -> Post:
    quote = quoting.quoted(text, platform, is_simulated=is_simulated)
    return Post(
        platform=plain(platform, 30),
        day=day_words(day) if day else "",
        engagement=engagement,
        label=plain(label, 20),
        author=quoting.author_words(author, platform, is_simulated=is_simulated) or "",
        post_id=quoting.post_words(post_id, platform) or "",
        link=quoting.link(url, platform, post_id=post_id, is_simulated=is_simulated) or "",
        excerpt=plain(quote, EXCERPT_LENGTH),
    )
