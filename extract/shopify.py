"""Shopify: orders with their lines and refunds, and products with their variants, Admin GraphQL.

Orders are read by the instant of their last change, oldest first, so an order that is edited,
refunded or cancelled lands again as a new version. A first pull or a backfill of many orders is a
bulk operation instead (`extract._shopify_bulk`), with the same records as its result. Each shop's
bucket of points is kept here as the platform tells it: no request leaves while it is short.

Customers are not asked for at all: no name, address, e-mail or id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from extract import _shopify_queries as queries
from extract._by_time import Found, Place, walk_by_time
from extract._graphql import Bucket
from extract._live import (
    BudgetSettings,
    LiveSettings,
    OwnUrl,
    Planned,
    Probe,
    latest_second,
    open_http,
    seconds,
)
from extract._outcomes import FixError
from extract._shopify_bulk import BULK, pull_in_bulk
from extract._shopify_login import login_of
from extract._shopify_shop import (
    LINES,
    NAME,
    ORDERS,
    PRODUCTS,
    REFUNDS_A_QUERY,
    VARIANTS,
    Shop,
    listed,
    second_of,
    usable,
)
from extract._state import Progress, Seen, Walk, one_after_the_other, window_key
from extract.base import Context, Cursor, ExtractError, Json, Page

STREAMS: tuple[tuple[str, str], ...] = (("shopify", "orders"), ("shopify", "products"))
IS_SIMULATED = False
TOKEN = "SOCIAL_SIGNALS_SHOPIFY_TOKEN"  # noqa: S105 - the name of a variable
CLIENT_ID = "SOCIAL_SIGNALS_SHOPIFY_CLIENT_ID"
CLIENT_SECRET = "SOCIAL_SIGNALS_SHOPIFY_CLIENT_SECRET"  # noqa: S105 - the name of a variable
CREDENTIALS: tuple[str, ...] = (TOKEN, CLIENT_ID, CLIENT_SECRET)
_VARIABLES = "SOCIAL_SIGNALS_SHOPIFY"
_Place: TypeAlias = tuple[str, str, tuple[str, str, str]]
"""A shop's name, its address, and the variables of its token, client id and client secret."""

SHOWN_DAYS = 60
"""Older orders are shown to apps with the scope read_all_orders alone."""
_DEEPEST = 25_000
"""Objects that a query can be paged through."""
_PRODUCTS_A_PAGE = 10
_DAY = 86_400
_PRODUCTS_BEGIN = 1_000_000_000
"""Before Shopify; the search takes no year before 1970."""


class ShopSettings(BaseModel):
    """`[sources.shopify.shops."<domain>"]`: one of several shops. `base_url` is https:// and the
    domain by default; `variables` is how the names of its environment variables begin, before
    _TOKEN, _CLIENT_ID and _CLIENT_SECRET, by default that of a single shop and the first part of
    the domain: SOCIAL_SIGNALS_SHOPIFY_ACME_EU for acme-eu.myshopify.com."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: OwnUrl | None = None
    variables: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*)?$")] = ""


class Settings(LiveSettings):
    """`[sources.shopify]`. One shop has its `base_url` (https://<shop>.myshopify.com), several have
    tables of their own in `shops`.

    `first_days` is how far back the first pull goes, `overlap_minutes` how far each pull reads
    again, for orders that Shopify's search learned of late. `bulk` says when orders are read by a
    bulk operation: never, always, or (auto) in a first pull or backfill of more than `bulk_above`
    orders; `bulk_wait_s` is how long a run waits for one.
    """

    base_url: OwnUrl | None = None
    shops: dict[str, ShopSettings] = Field(default_factory=dict)
    api_version: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}|unstable)$")] = "2026-07"
    first_days: Annotated[int, Field(ge=1, le=10_000)] = SHOWN_DAYS
    overlap_minutes: Annotated[int, Field(ge=0, le=10_080)] = 10
    products: bool = True
    page_size: Annotated[int, Field(ge=1, le=250)] = 25
    bulk: Literal["auto", "never", "always"] = "auto"
    bulk_above: Annotated[int, Field(ge=0)] = 2_000
    bulk_wait_s: Annotated[float, Field(ge=0, le=86_400)] = 3_600.0
    budget: BudgetSettings = BudgetSettings(requests=100_000)
    max_pages: Annotated[int, Field(ge=1)] = 100_000


@dataclass(frozen=True, slots=True)
class _Listing:
    """One of the two listings of a shop."""

    name: str
    stream: str
    query: str
    lines: int
    page_size: int
    complete: Callable[[Sequence[Json]], None]


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield orders and products that are new or changed since the cursor, shop by shop."""
    progress = Progress.of(cursor, source=NAME)
    places = _places(settings)
    orders = [f"{name} orders" for name, _, _ in places]
    products = [f"{name} products" for name, _, _ in places]
    backfills = [window_key(key, context.since, context.until) for key in orders]
    progress.keep_only([*orders, *products, *backfills])
    known = progress.extra.get("seen", {})
    progress.extra["seen"] = {name: known[name] for name, *_ in places if name in known}
    with ExitStack() as stack:
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
            (place[0], partial(_pull_shop, stack, settings, context, progress, place))
            for place in places
        ]
        yield from _shop_by_shop(parts)


def _shop_by_shop(parts: Sequence[tuple[str, Callable[[], Iterator[Page]]]]) -> Iterator[Page]:
    """One shop whose credentials are refused does not stop the others."""
    failed: list[tuple[str, FixError]] = []
    for name, pages in parts:
        try:
            yield from pages()
        except FixError as error:
            if len(parts) == 1:
                raise
            failed.append((name, error))
    if failed:
        told = "; ".join(f"{name}: {error.message}" for name, error in failed)
        raise FixError(
            f"{NAME}: {len(failed)} of {len(parts)} shops failed, the others are complete. {told}",
            failed[0][1].remedy,
        )


def _places(settings: Settings) -> list[_Place]:
    """Every shop.

    Raises:
        FixError: there is none, or one is named twice.
    """
    places: list[_Place] = []
    if settings.base_url is not None:
        name = urlsplit(settings.base_url).hostname or settings.base_url
        places.append((name, settings.base_url, (TOKEN, CLIENT_ID, CLIENT_SECRET)))
    for name, shop in settings.shops.items():
        first = re.sub(r"[^A-Z0-9]+", "_", name.partition(".")[0].upper())
        begin = shop.variables or f"{_VARIABLES}_{first}"
        variables = (f"{begin}_TOKEN", f"{begin}_CLIENT_ID", f"{begin}_CLIENT_SECRET")
        places.append((name, str(shop.base_url or f"https://{name}"), variables))
    if not places:
        raise FixError(
            f"{NAME}: no shop is named.",
            "Set sources.shopify.base_url to https://<shop>.myshopify.com.",
        )
    names = [name for name, *_ in places]
    for name in names:
        if names.count(name) > 1:
            raise FixError(
                f"{NAME}: the shop {name} is named twice.",
                "Keep either sources.shopify.base_url or its table in sources.shopify.shops.",
            )
    return places


def _connect(stack: ExitStack, settings: Settings, context: Context, place: _Place) -> Shop:
    name, url, names = place
    login = login_of(context, names, source=f"{NAME} {name}")
    http = stack.enter_context(
        open_http(
            settings,
            context,
            source=NAME,
            allowed=[url],
            secrets=login.secrets,
            credentials=login.variables,
        )
    )
    login.connect(http, url)
    return Shop(name, settings, context, url, http, login, Bucket(context.clock))


def _pull_shop(
    stack: ExitStack,
    settings: Settings,
    context: Context,
    progress: Progress,
    place: _Place,
) -> Iterator[Page]:
    shop = _connect(stack, settings, context, place)
    shop.seen = Seen(progress.extra.get("seen", {}).get(shop.name))
    parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
        (f"{shop.name} orders", partial(_orders, shop, progress))
    ]
    if settings.products and context.since is None and context.until is None:
        parts.append((f"{shop.name} products", partial(_products, shop, progress)))
    yield from one_after_the_other(parts, source=NAME)


def _orders(shop: Shop, progress: Progress) -> Iterator[Page]:
    settings, context = shop.settings, shop.context
    usual = f"{shop.name} orders"
    key = window_key(usual, context.since, context.until)
    is_backfill = key != usual
    walk = progress.walk(key)
    # A window is of the orders placed in it; the usual pull is of those changed since.
    field_name = "created_at" if is_backfill else "updated_at"
    floor = _floor(settings, context, walk)
    if walk.resume is None and (is_backfill or walk.done is None):
        _note_reach(shop, floor)
    if _is_bulk(shop, walk, field_name, floor, context.until, is_backfill=is_backfill):
        window = _window(field_name, floor, context.until)
        is_read = yield from pull_in_bulk(shop, progress, key, window=window, forget=is_backfill)
        if is_read and is_backfill:
            return
        # What was changed while the operation ran; everything, where it failed.
        floor = _floor(settings, context, walk)
    listing = _Listing(
        "orders", ORDERS, queries.ORDERS, LINES, settings.page_size, shop.complete_orders
    )
    yield from _walk(shop, progress, listing, key, field_name, floor, forget=is_backfill)


def _products(shop: Shop, progress: Progress) -> Iterator[Page]:
    key = f"{shop.name} products"
    walk = progress.walk(key)
    # A first pull reads every product, however old: orders of today sell them.
    done = walk.done
    floor = _PRODUCTS_BEGIN if done is None else _with_overlap(shop.settings, done)
    size = min(shop.settings.page_size, _PRODUCTS_A_PAGE)
    listing = _Listing(
        "products", PRODUCTS, queries.PRODUCTS, VARIANTS, size, shop.complete_products
    )
    yield from _walk(shop, progress, listing, key, "updated_at", floor, forget=False)


def _floor(settings: Settings, context: Context, walk: Walk) -> int:
    """The first second that a walk asks for."""
    if context.since is not None or context.until is not None:
        return max(0, seconds(context.since) or _PRODUCTS_BEGIN)
    if walk.done is None:
        return int(context.clock.now().timestamp()) - settings.first_days * _DAY
    return _with_overlap(settings, walk.done)


def _with_overlap(settings: Settings, done: int) -> int:
    return max(0, done - settings.overlap_minutes * 60)


def _note_reach(shop: Shop, floor: int) -> None:
    """Say what Shopify does not show of orders that are older than it shows to everybody."""
    shown_from = int(shop.context.clock.now().timestamp()) - SHOWN_DAYS * _DAY
    if floor >= shown_from:
        return
    granted = shop.scopes()
    if granted is not None and "read_all_orders" in granted:
        return
    shop.say(
        f"{NAME} {shop.name}: Shopify shows orders of the last {SHOWN_DAYS} days alone, to apps "
        "without the scope read_all_orders; older ones are not in this pull."
    )


def _window(field_name: str, floor: int, until: datetime | None) -> str:
    """The filter of Shopify's search: nothing but instants goes into it."""
    filtered = f"{field_name}:>='{_instant(floor)}'"
    return f"{filtered} AND {field_name}:<'{_instant(seconds(until) or 0)}'" if until else filtered


def _instant(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _is_bulk(
    shop: Shop,
    walk: Walk,
    field_name: str,
    floor: int,
    until: datetime | None,
    *,
    is_backfill: bool,
) -> bool:
    """Whether this walk goes the way of a bulk operation; a begun walk keeps to its way."""
    settings = shop.settings
    if walk.resume is not None:
        return BULK in walk.resume
    if settings.bulk == "never" or not (is_backfill or walk.done is None):
        return False
    if settings.bulk == "always":
        return True
    return (shop.count(_window(field_name, floor, until)) or 0) > settings.bulk_above


def _walk(
    shop: Shop,
    progress: Progress,
    listing: _Listing,
    key: str,
    field_name: str,
    floor: int,
    *,
    forget: bool,
) -> Iterator[Page]:
    """The pages of one listing, by the instant of `field_name`."""
    walk = progress.walk(key)
    for found in walk_by_time(
        walk,
        partial(_fetch, shop, listing, field_name),
        start=floor,
        latest=latest_second(shop.context),
        max_pages=shop.settings.max_pages,
        deepest=_DEEPEST - listing.page_size,
        what=f"{NAME} {key}",
    ):
        if forget and walk.resume is None:
            del progress.walks[key]
        yield shop.page(progress, found.records, found.rejects, found.notes)


def _fetch(shop: Shop, listing: _Listing, field_name: str, place: Place) -> Found:
    variables = {
        "after": place.after,
        "query": _window(field_name, place.position, shop.context.until),
        "sortKey": field_name.upper(),
        "lines": listing.lines,
    }
    page, info = shop.connection(
        listing.query, listing.name, variables, what=listing.name, size=listing.page_size
    )
    nodes, rejects = usable(listed(page.get("nodes")), listing.stream, shop.name)
    listing.complete(nodes)
    stamp = "createdAt" if field_name == "created_at" else "updatedAt"
    end = info.get("endCursor")
    return Found(
        [shop.record(listing.stream, node) for node in nodes],
        [(node["id"], second_of(node.get(stamp))) for node in nodes],
        end if isinstance(end, str) else None,
        info.get("hasNextPage") is True,
        rejects,
    )


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One counting request a shop; points are what the pages of so many orders ask for."""
    progress = Progress.of(cursor, source=NAME)
    planned = []
    with ExitStack() as stack:
        for place in _places(settings):
            shop = _connect(stack, settings, context, place)
            usual = f"{shop.name} orders"
            key = window_key(usual, context.since, context.until)
            walk = progress.walk(key)
            floor = _floor(settings, context, walk)
            field_name = "updated_at" if key == usual else "created_at"
            orders = shop.count(_window(field_name, floor, context.until)) or 0
            is_first = key != usual or walk.done is None
            planned.append(
                _planned(shop, orders, is_bulk=is_first and _wants_bulk(settings, orders))
            )
    return planned


def _wants_bulk(settings: Settings, orders: int) -> bool:
    return settings.bulk == "always" or (settings.bulk == "auto" and orders > settings.bulk_above)


def _planned(shop: Shop, orders: int, *, is_bulk: bool) -> Planned:
    size = shop.settings.page_size
    # One order in ten has a refund, about.
    refunds = -(-orders // (10 * REFUNDS_A_QUERY))
    pages = 0 if is_bulk else orders // size + 1
    requests = pages + refunds + (10 if is_bulk else 0) + (1 if shop.settings.products else 0)
    points = pages * (2 + size * (3 + 3 * LINES)) + refunds * 500 + 10
    rate = shop.bucket.restore_per_s or 100.0
    what = f"{shop.name}: {orders:,} orders" + (" in bulk" if is_bulk else "")
    minutes = max(points / rate, requests * max(shop.settings.pace_s, 0.3)) / 60
    basis = "at most; counted by Shopify, refunds and products estimated"
    return Planned(what, requests, {"points": points}, minutes=minutes, basis=basis)


def probe(settings: Settings, context: Context) -> Probe:
    """Ask each shop which scopes the app has."""
    try:
        places = _places(settings)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    said: list[str] = []
    with ExitStack() as stack:
        for place in places:
            try:
                shop = _connect(stack, settings, context, place)
            except FixError as error:
                missing = (place[2][0],)
                return Probe(is_configured=False, missing=missing, message=str(error))
            try:
                said += _missing_scopes(shop)
            except FixError as error:
                return Probe(
                    is_configured=True,
                    is_reachable=error.status != 0,
                    is_authorised=False if error.status in (401, 403) else None,
                    message=str(error),
                )
            except ExtractError as error:
                return Probe(is_configured=True, is_reachable=False, message=str(error))
    return Probe(
        is_configured=True, is_reachable=True, is_authorised=not said, message=" ".join(said)
    )


def _missing_scopes(shop: Shop) -> list[str]:
    granted = shop.scopes()
    if granted is None:
        return []
    wanted = {"read_orders": "orders"}
    if shop.settings.products:
        wanted["read_products"] = "products (or set sources.shopify.products = false)"
    if shop.settings.first_days > SHOWN_DAYS:
        wanted["read_all_orders"] = f"orders older than {SHOWN_DAYS} days"
    # A write scope holds its read scope.
    return [
        f"{shop.name}: the app lacks the scope {scope}, for {what}."
        for scope, what in wanted.items()
        if scope not in granted and scope.replace("read_", "write_") not in granted
    ]
