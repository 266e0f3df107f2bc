"""What mart_author_influence and mart_viral_posts say: who is heard, and which posts went far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from charts import quoting
from charts.reading import Published, number_or_none
from charts.style import clean, name_of

AUTHORS = "mart_author_influence"
AUTHOR_COLUMNS = (
    "author_id", "platform", "follower_tier", "posts_count", "engagement_posts_count",
    "tier_typical_engagement", "typical_engagement", "typical_engagement_low",
    "typical_engagement_high", "is_suspected_bot", "is_simulated",
)  # fmt: skip
VIRAL = "mart_viral_posts"
VIRAL_COLUMNS = (
    "post_key", "platform", "author_id", "posted_date", "follower_tier", "engagement_count",
    "usual_engagement_count", "engagement_ratio", "compared_posts_count", "is_still_counting",
    "is_suspected_bot", "is_simulated",
)  # fmt: skip
TIERS = {
    "under_100": "under 100 followers",
    "100_to_1k": "100 to 1k followers",
    "1k_to_10k": "1k to 10k followers",
    "10k_to_100k": "10k to 100k followers",
    "100k_to_1m": "100k to 1M followers",
    "over_1m": "over 1M followers",
}


@dataclass(frozen=True, slots=True)
class Author:
    """What a post of one author usually gets, with its 95 % interval and what is usual."""

    name: str | None
    """None where terms let nothing of the author be shown."""
    platform: str
    tier: str
    posts: int
    typical: float
    low: float
    high: float
    tier_typical: float | None
    is_bot: bool


@dataclass(frozen=True, slots=True)
class ViralPost:
    """A post with far more reactions than its like."""

    post: str | None
    author: str | None
    platform: str
    posted: date
    products: tuple[str, ...]
    reactions: int
    usual: float
    ratio: float
    compared_posts: int
    is_counting: bool
    is_bot: bool


@dataclass(frozen=True, slots=True)
class Voices:
    """The authors and posts that a picture can show, people first, and how many there are."""

    authors: tuple[Author, ...] = ()
    bot_authors: tuple[Author, ...] = ()
    authors_count: int = 0
    compared_count: int = 0
    """Authors of whom it can be said what a post usually gets."""
    bots_count: int = 0
    posts_count: int = 0
    measured_count: int = 0
    """Posts whose reactions are known."""
    viral: tuple[ViralPost, ...] = ()
    viral_bots: tuple[ViralPost, ...] = ()
    viral_count: int = 0
    viral_bots_count: int = 0


def read_voices(published: Published, *, most: int) -> Voices:
    """The `most` authors of the highest lower bound and the `most` posts furthest above usual."""
    platforms = _platforms(published)
    counted = published.rows(
        f"""
        select count(*) filter (where not is_suspected_bot),
            count(typical_engagement) filter (where not is_suspected_bot),
            count(*) filter (where is_suspected_bot), coalesce(sum(posts_count), 0)::bigint,
            coalesce(sum(engagement_posts_count), 0)::bigint
        from {published.table(AUTHORS)}
        """
    )[0]
    viral_counted = published.rows(
        f"""
        select count(*) filter (where not is_suspected_bot),
            count(*) filter (where is_suspected_bot)
        from {published.table(VIRAL)}
        """
    )[0]
    return Voices(
        authors=tuple(_authors(published, platforms, is_bot=False, most=most)),
        bot_authors=tuple(_authors(published, platforms, is_bot=True, most=most)),
        authors_count=int(counted[0]),
        compared_count=int(counted[1]),
        bots_count=int(counted[2]),
        posts_count=int(counted[3]),
        measured_count=int(counted[4]),
        viral=tuple(_viral(published, platforms, is_bot=False, most=most)),
        viral_bots=tuple(_viral(published, platforms, is_bot=True, most=most)),
        viral_count=int(viral_counted[0]),
        viral_bots_count=int(viral_counted[1]),
    )


def _platforms(published: Published) -> dict[str, str]:
    if not published.has("dim_platforms", "platform", "platform_name"):
        return {}
    return dict(
        published.rows(f"select platform, platform_name from {published.table('dim_platforms')}")
    )


def _authors(
    published: Published, platforms: dict[str, str], *, is_bot: bool, most: int
) -> list[Author]:
    found = []
    for row in published.rows(
        f"""
        select author_id, platform, follower_tier, posts_count, typical_engagement,
            typical_engagement_low, typical_engagement_high, tier_typical_engagement,
            is_simulated
        from {published.table(AUTHORS)}
        where is_suspected_bot = ? and isfinite(typical_engagement)
            and isfinite(typical_engagement_low) and isfinite(typical_engagement_high)
        order by typical_engagement_low desc, typical_engagement desc, platform, author_id
        limit ?
        """,
        [is_bot, most],
    ):
        found.append(
            Author(
                name=quoting.author_words(row[0], row[1], is_simulated=row[8] is True),
                platform=_platform_words(row[1], platforms),
                tier=TIERS.get(row[2], ""),
                posts=row[3],
                typical=float(row[4]),
                low=float(row[5]),
                high=float(row[6]),
                tier_typical=number_or_none(row[7]),
                is_bot=is_bot,
            )
        )
    return found


def _viral(
    published: Published, platforms: dict[str, str], *, is_bot: bool, most: int
) -> list[ViralPost]:
    rows = published.rows(
        f"""
        select post_key, author_id, platform, posted_date::date, engagement_count,
            usual_engagement_count, engagement_ratio, compared_posts_count, is_still_counting,
            is_simulated
        from {published.table(VIRAL)}
        where is_suspected_bot = ? and isfinite(engagement_ratio) and engagement_ratio > 0
        order by engagement_ratio desc, post_key limit ?
        """,
        [is_bot, most],
    )
    products = _products(published, [row[0] for row in rows])
    return [
        ViralPost(
            post=quoting.post_words(row[0].partition(":")[2], row[2]),
            author=quoting.author_words(row[1], row[2], is_simulated=row[9] is True),
            platform=_platform_words(row[2], platforms),
            posted=row[3],
            products=products.get(row[0], ()),
            reactions=row[4],
            usual=float(row[5]),
            ratio=float(row[6]),
            compared_posts=row[7],
            is_counting=row[8] is True,
            is_bot=is_bot,
        )
        for row in rows
    ]


def _platform_words(platform: str, platforms: dict[str, str]) -> str:
    return clean(platforms.get(platform) or platform) or "(no name)"


def _products(published: Published, keys: list[str]) -> dict[str, tuple[str, ...]]:
    """Names of the products that each post mentions."""
    if not published.has("bridge_post_products", "post_key", "product_id"):
        return {}
    named = published.has("dim_products", "product_id", "product_name")
    join = (
        f"left join {published.table('dim_products')} as named using (product_id)" if named else ""
    )
    name = "any_value(named.product_name)" if named else "null"
    found: dict[str, list[str]] = {}
    for key, product_id, product_name in published.rows(
        f"""
        select post_key, product_id, {name}
        from {published.table("bridge_post_products")} {join}
        where post_key in (select unnest(?)) group by post_key, product_id order by all
        """,
        [keys],
    ):
        found.setdefault(key, []).append(name_of(product_name, product_id))
    return {key: tuple(names) for key, names in found.items()}
