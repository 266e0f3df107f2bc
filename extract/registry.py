"""The sources this project knows, by name. A new source is a module and a line here."""

from __future__ import annotations

from typing import cast

from extract import (
    bluesky,
    datasets,
    github,
    google_trends,
    hackernews,
    mastodon,
    producthunt,
    reddit,
    rss,
    shopify,
    simulated,
    woocommerce,
    x,
)
from extract.base import Source

SOURCES: dict[str, Source] = {
    module.NAME: cast("Source", module)
    for module in (
        simulated,
        datasets,
        x,
        reddit,
        rss,
        hackernews,
        mastodon,
        google_trends,
        woocommerce,
        github,
        shopify,
        bluesky,
        producthunt,
    )
}


def declared_streams() -> tuple[tuple[str, str], ...]:
    """Every (source, stream) that has a raw table, whether or not its source is enabled."""
    return tuple(sorted({stream for source in SOURCES.values() for stream in source.STREAMS}))
