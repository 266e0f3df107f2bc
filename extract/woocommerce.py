"""WooCommerce: orders with their refunds, products with their variations, and reviews of own shops.

`/wp-json/wc/v3/` with the shop's own key over https. Orders and products are followed by the
instant of their last change, reviews by id with a generous overlap, because a review that is
approved late keeps its date. What was moved to the trash is a listing of its own; what is deleted
for good afterwards is not told by the platform.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from extract._live import (
    BudgetSettings,
    LiveSettings,
    OwnUrl,
    Planned,
    Probe,
    credential,
    latest_second,
    open_http,
)
from extract._outcomes import FixError
from extract._state import (
    Progress,
    Walk,
    and_what_came_since,
    each_on_its_own,
    one_after_the_other,
    walk_listing,
    window_key,
)
from extract._woocommerce_pages import NAME, ORDERS, PRODUCTS, REVIEWS, Kind, Listing
from extract.base import Context, Cursor, ExtractError, Page

if TYPE_CHECKING:
    from extract._http import Http

__all__ = ["NAME", "STREAMS", "Settings", "plan", "probe", "pull"]

STREAMS: tuple[tuple[str, str], ...] = (
    ("woocommerce", "orders"),
    ("woocommerce", "products"),
    ("woocommerce", "reviews"),
)
IS_SIMULATED = False
_VARIABLES = "SOCIAL_SIGNALS_WOOCOMMERCE"
CREDENTIALS: tuple[str, ...] = (
    "SOCIAL_SIGNALS_WOOCOMMERCE_API_KEY",
    "SOCIAL_SIGNALS_WOOCOMMERCE_API_SECRET",
)
_TRASH = "trash"


class Shop(BaseModel):
    """`[sources.woocommerce.shops.<name>]`. `variables` is how the names of the two environment
    variables begin that hold the shop's key; without it `SOCIAL_SIGNALS_WOOCOMMERCE_<NAME>`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base_url: OwnUrl
    variables: Annotated[str, Field(pattern=r"^([A-Z][A-Z0-9_]*)?$")] = ""


class Settings(LiveSettings):
    """`[sources.woocommerce]`: `base_url` for one shop, or `shops` for several by name.

    `shop_name` tells one shop's records from another's (without it the host). `first_days` is how
    far back the first pull goes, by last change; `overlap_seconds` what each pull reads again;
    `review_overlap_days` the same for reviews, which are approved late; `full_products_days` after
    how long all products are read again, because a variation may change without its product.
    """

    base_url: OwnUrl | None = None
    shop_name: Annotated[str, Field(pattern=r"^[\w.:/-]*$")] = ""
    shops: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")], Shop] = Field(
        default_factory=dict
    )
    first_days: Annotated[int, Field(ge=1, le=20_000)] = 20_000
    overlap_seconds: Annotated[int, Field(ge=0, le=86_400)] = 600
    review_overlap_days: Annotated[int, Field(ge=0, le=3_650)] = 30
    full_products_days: Annotated[int, Field(ge=1, le=3_650)] = 7
    page_size: Annotated[int, Field(ge=2, le=100)] = 100
    budget: BudgetSettings = BudgetSettings(requests=200_000)
    pace_s: Annotated[float, Field(ge=0, le=3600)] = 0.25


@dataclass(frozen=True, slots=True)
class _Shop:
    """A shop to ask, and the names of the variables that hold its key."""

    name: str
    base_url: str
    key: str
    secret: str


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield what is new or changed since the cursor, shop by shop."""
    shops = _shops(settings)
    progress = Progress.of(cursor, source=NAME)
    names = [_key(shop, kind, status) for shop in shops for kind, status in _listings(context)]
    keys = [window_key(name, context.since, context.until) for name in names]
    usual = [_key(shop, kind, status) for shop in shops for kind, status in _ALL]
    progress.keep_only([*usual, *keys])
    parts: list[tuple[str, Callable[[], Iterator[Page]]]] = [
        (shop.name, partial(_pull_shop, settings, context, progress, shop)) for shop in shops
    ]
    yield from each_on_its_own(parts, source=NAME)


_ALL: tuple[tuple[Kind, str], ...] = (
    (ORDERS, "any"),
    (ORDERS, _TRASH),
    (PRODUCTS, "any"),
    (PRODUCTS, _TRASH),
    (REVIEWS, ""),
)


def _listings(context: Context) -> tuple[tuple[Kind, str], ...]:
    """What is read. A backfill is about what happened in a window: products are not of any."""
    if context.since is None and context.until is None:
        return _ALL
    return tuple((kind, status) for kind, status in _ALL if kind is not PRODUCTS)


def _shops(settings: Settings) -> list[_Shop]:
    shops = []
    if settings.base_url is not None:
        parts = urlsplit(settings.base_url)
        name = settings.shop_name or f"{parts.netloc}{parts.path}"
        shops.append(_Shop(name, settings.base_url, *CREDENTIALS))
    for name, shop in settings.shops.items():
        plain = "".join(letter if letter.isalnum() else "_" for letter in name).upper()
        prefix = shop.variables or f"{_VARIABLES}_{plain}"
        shops.append(_Shop(name, shop.base_url, f"{prefix}_API_KEY", f"{prefix}_API_SECRET"))
    if not shops:
        raise FixError(
            f"{NAME}: there is no shop to ask.",
            "Set sources.woocommerce.base_url, or a table [sources.woocommerce.shops.<name>].",
        )
    names = [shop.name for shop in shops]
    if len(set(names)) < len(names):
        raise FixError(
            f"{NAME}: two shops have the same name: their orders could not be told apart.",
            "Give each shop another name below sources.woocommerce.shops.",
        )
    return shops


def _key(shop: _Shop, kind: Kind, status: str) -> str:
    return f"{shop.name} {kind.name}{' in the trash' if status == _TRASH else ''}"


@contextmanager
def _open(settings: Settings, context: Context, shop: _Shop) -> Iterator[tuple[Http, str]]:
    """The transport of a shop and the header that authorises."""
    key = credential(context, shop.key, source=NAME)
    secret = credential(context, shop.secret, source=NAME)
    encoded = base64.b64encode(f"{key}:{secret}".encode()).decode()
    with open_http(
        settings,
        context,
        source=NAME,
        allowed=[shop.base_url],
        secrets=[key, secret, encoded],
        credentials=(shop.key, shop.secret),
    ) as http:
        yield http, f"Basic {encoded}"


def _listing(
    settings: Settings,
    context: Context,
    shop: _Shop,
    http: Http,
    authorization: str,
    kind: Kind,
    status: str,
) -> Listing:
    return Listing(
        http,
        shop.name,
        f"{shop.base_url}/wp-json/wc/v3",
        {"authorization": authorization},
        kind,
        settings.page_size,
        status,
        since=context.since,
        until=context.until,
    )


def _pull_shop(
    settings: Settings, context: Context, progress: Progress, shop: _Shop
) -> Iterator[Page]:
    with _open(settings, context, shop) as (http, authorization):
        parts: list[tuple[str, Callable[[], Iterator[Page]]]] = []
        for kind, status in _listings(context):
            listing = _listing(settings, context, shop, http, authorization, kind, status)
            name = _key(shop, kind, status)
            key = window_key(name, context.since, context.until)
            walk_once = partial(_walk, settings, context, progress, listing, key, name)
            pages = partial(and_what_came_since, progress, key, walk_once, is_backfill=key != name)
            parts.append((name, pages))
        yield from one_after_the_other(parts, source=NAME)


def _walk(
    settings: Settings,
    context: Context,
    progress: Progress,
    listing: Listing,
    key: str,
    name: str,
) -> Iterator[Page]:
    walk = progress.walk(key)
    listing.stopped = None
    started = int(context.clock.now().timestamp())
    # Fixed for the walk, also for the run that takes it up again after a stop.
    begun = walk.resume or {}
    is_full = listing.kind is PRODUCTS and _is_full_due(settings, progress, name, started)
    is_full = is_full and begun.get("floor") is None
    lowest = _floor(settings, context, walk, listing.kind, is_full=is_full)
    listing.floor = begun.get("floor", lowest)
    for batch in walk_listing(
        walk,
        progress.seen,
        listing.fetch,
        latest=latest_second(context),
        max_pages=settings.max_pages,
        what=f"{NAME} {name}",
    ):
        if batch.reached:
            _finished(progress, listing, key, name, started, is_full=is_full)
        yield progress.page(batch)


def _finished(
    progress: Progress, listing: Listing, key: str, name: str, started: int, *, is_full: bool
) -> None:
    walk = progress.walk(key)
    if key != name:
        del progress.walks[key]
        return
    if walk.done is None:
        # Nothing there yet: the next pull reads from the same second on.
        walk.done = listing.floor or 0
    if is_full:
        progress.extra["all_products"] = {**progress.extra.get("all_products", {}), name: started}


def _is_full_due(settings: Settings, progress: Progress, name: str, now: int) -> bool:
    read = progress.extra.get("all_products", {}).get(name)
    return not isinstance(read, int) or now - read >= settings.full_products_days * 86_400


def _floor(
    settings: Settings, context: Context, walk: Walk, kind: Kind, *, is_full: bool
) -> int | None:
    """The first second that a walk has to reach; None for all."""
    if context.since is not None or context.until is not None or is_full:
        return None
    if walk.done is None:
        return max(0, int(context.clock.now().timestamp()) - settings.first_days * 86_400)
    overlap = settings.review_overlap_days * 86_400 if kind is REVIEWS else settings.overlap_seconds
    return max(0, walk.done - overlap)


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """One counting request a listing; a refunded order or a product with variations takes one more
    than is told here."""
    progress = Progress.of(cursor, source=NAME)
    planned = []
    for shop in _shops(settings):
        with _open(settings, context, shop) as (http, authorization):
            for kind, status in _listings(context):
                listing = _listing(settings, context, shop, http, authorization, kind, status)
                name = _key(shop, kind, status)
                walk = progress.walk(window_key(name, context.since, context.until))
                now = int(context.clock.now().timestamp())
                is_full = kind is PRODUCTS and _is_full_due(settings, progress, name, now)
                listing.floor = _floor(settings, context, walk, kind, is_full=is_full)
                found = listing.count()
                requests = 1 if found is None else found // max(1, settings.page_size - 1) + 1
                planned.append(
                    Planned(
                        name,
                        requests,
                        {} if found is None else {kind.name: found},
                        minutes=requests * max(settings.pace_s, 0.5) / 60,
                        basis="not told by the shop"
                        if found is None
                        else "counted by the shop; refunds and variations take one more each",
                    )
                )
    return planned


def probe(settings: Settings, context: Context) -> Probe:
    """Ask every shop for one order."""
    try:
        shops = _shops(settings)
    except FixError as error:
        return Probe(is_configured=False, message=str(error))
    needed = [variable for shop in shops for variable in (shop.key, shop.secret)]
    missing = tuple(name for name in needed if not context.environment.get(name, "").strip())
    if missing:
        return Probe(
            is_configured=False, missing=missing, message=f"{' and '.join(missing)} not set."
        )
    for shop in shops:
        try:
            with _open(settings, context, shop) as (http, authorization):
                _listing(settings, context, shop, http, authorization, ORDERS, "any").count()
        except FixError as error:
            is_refused = error.status in (401, 403)
            return Probe(
                is_configured=True,
                is_reachable=error.status != 0,
                is_authorised=False if is_refused else None,
                message=f"{shop.name}: {error}",
            )
        except ExtractError as error:
            return Probe(is_configured=True, is_reachable=False, message=f"{shop.name}: {error}")
    return Probe(is_configured=True, is_reachable=True, is_authorised=True)
