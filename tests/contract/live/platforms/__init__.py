"""Small stand-ins of the platforms, one module a source; a new one is a module and a line here."""

from __future__ import annotations

from tests.contract.live.platforms.base import CATALOGUE, Platform, budget
from tests.contract.live.platforms.bluesky import BlueskySearch, Jetstream
from tests.contract.live.platforms.feeds import Feeds
from tests.contract.live.platforms.github import GitHub
from tests.contract.live.platforms.google_trends import GoogleTrends
from tests.contract.live.platforms.hackernews import HackerNews
from tests.contract.live.platforms.mastodon import Mastodon
from tests.contract.live.platforms.producthunt import ProductHunt
from tests.contract.live.platforms.reddit import Reddit, RedditFeeds
from tests.contract.live.platforms.shopify import Shopify, ShopifyBulk
from tests.contract.live.platforms.woocommerce import WooCommerce
from tests.contract.live.platforms.x import X, XNewNames

__all__ = [
    "CATALOGUE",
    "PLATFORMS",
    "BlueskySearch",
    "Feeds",
    "GitHub",
    "GoogleTrends",
    "HackerNews",
    "Jetstream",
    "Mastodon",
    "Platform",
    "ProductHunt",
    "Reddit",
    "RedditFeeds",
    "Shopify",
    "ShopifyBulk",
    "WooCommerce",
    "X",
    "XNewNames",
    "budget",
]

PLATFORMS: dict[str, type[Platform]] = {
    "bluesky_jetstream": Jetstream,
    "bluesky_search": BlueskySearch,
    "google_trends": GoogleTrends,
    "github": GitHub,
    "hackernews": HackerNews,
    "producthunt": ProductHunt,
    "mastodon": Mastodon,
    "reddit": Reddit,
    "reddit_feeds": RedditFeeds,
    "rss": Feeds,
    "shopify": Shopify,
    "shopify_bulk": ShopifyBulk,
    "woocommerce": WooCommerce,
    "x": X,
    "x_new_names": XNewNames,
}
