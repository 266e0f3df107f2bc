"""The front door of the simulated source: settings and a cursor in, pages out."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from extract.base import Context, Cursor, ExtractError, Page, Product, Record
from extract.simulated import reddit, shop, storefront, truth, x
from extract.simulated.audience import Audience
from extract.simulated.calendar import Clock
from extract.simulated.grammar import Voice
from extract.simulated.settings import Settings
from extract.simulated.world import choose_products, make_worlds

if TYPE_CHECKING:
    from extract.simulated.shop import Order

NAME = "simulated"
STREAMS: tuple[tuple[str, str], ...] = (
    ("x", "posts"),
    ("x", "users"),
    ("reddit", "submissions"),
    ("shopify", "orders"),
    ("storefront", "reviews"),
    ("storefront", "calendar_events"),
    ("google_trends", "interest"),
)
IS_SIMULATED = True

_REVISION = 1
"""Raised when the same settings make other records than before."""

_PAGE_RECORDS = 5000
"""A page ends with the day that reaches this many records, however many days are allowed."""

_LATE_DAYS = 1
"""Posts, submissions and reviews come once more at most this many days later."""

logger = logging.getLogger(__name__)


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield the days that the cursor has not seen, a few a page, oldest first.

    The cursor is `{"next_day": int, "fingerprint": str}`. Records of a day hold what happened on
    it and what is fetched late from the days before; a run that stopped after any page and goes on
    from its cursor yields the records of an undisturbed one.

    Raises `ExtractError` for a catalogue or settings that cannot be simulated, and if the cursor
    is from other settings than these.
    """
    products = choose_products(settings, context.catalogue)
    clock = Clock(settings.start_date, context.business_timezone)
    fingerprint = _fingerprint(settings, products, context.business_timezone)
    next_day = _read_cursor(cursor, fingerprint)
    days = max(settings.days, next_day)
    simulation = _Simulation(settings, products, clock, days)
    described = truth.describe(
        settings=settings,
        worlds=simulation.worlds,
        clock=clock,
        days=days,
        timezone=context.business_timezone,
    )
    truth.write(context.truth_path, described)
    if next_day < settings.days:
        simulation.replay(next_day)
    records: list[Record] = []
    for day in range(next_day, settings.days):
        records += simulation.day(day)
        is_full = (day + 1) % settings.days_per_page == 0 or len(records) >= _PAGE_RECORDS
        if is_full or day + 1 == settings.days:
            context.progress("simulated days", day + 1)
            yield Page(records, {"next_day": day + 1, "fingerprint": fingerprint})
            records = []


class _Simulation:
    """Makes days in order and keeps what is fetched late."""

    def __init__(
        self, settings: Settings, products: Sequence[Product], clock: Clock, days: int
    ) -> None:
        self._settings = settings
        self._clock = clock
        self.worlds = make_worlds(settings, products, clock, days)
        for world in self.worlds:
            if not world.skus:
                logger.warning(
                    "Product %s has no term of kind sku in terms.csv: it is talked about but "
                    "not sold.",
                    world.product_id,
                )
        self._voices = [Voice(product) for product in products]
        self._names = [voice.plain[0] for voice in self._voices]
        self._terms = [voice.plain[0].strip("#@$").lower() for voice in self._voices]
        seed = settings.seed
        self._x_audience = Audience(seed, "x", first_id=1_200_000_000)
        self._reddit_audience = Audience(seed, "reddit", first_id=36**5 + 777, in_base36=True)
        self._shop = shop.Shop(
            seed=seed,
            currency=settings.currency,
            geo=settings.geo,
            clock=clock,
            worlds=self.worlds,
        )
        self._late: dict[int, list[Record]] = {}
        self._orders: dict[int, list[tuple[Order, int]]] = {}

    def replay(self, next_day: int) -> None:
        """Find what is still to come from the days before `next_day`."""
        for day in range(max(0, next_day - shop.LATEST_CHANGE_DAYS - 1), next_day):
            self._take_orders(day)
        for day in range(max(0, next_day - _LATE_DAYS), next_day):
            self._said(day)
        for pending in (self._late, self._orders):
            for day in [day for day in pending if day < next_day]:
                del pending[day]

    def day(self, day: int) -> list[Record]:
        """The records that are fetched at the end of the day."""
        fetched_at = self._clock.fetched_at(day)
        records = self._said(day)
        self._take_orders(day)
        records += [
            shop.order_record(self._shop, order, change_count, fetched_at)
            for order, change_count in self._orders.pop(day, ())
        ]
        records += storefront.event_records(day=day, clock=self._clock, worlds=self.worlds)
        records += storefront.interest_records(
            day=day,
            clock=self._clock,
            worlds=self.worlds,
            terms=self._terms,
            geo=self._settings.geo,
        )
        return records + self._late.pop(day, [])

    def _said(self, day: int) -> list[Record]:
        """Posts, users, submissions and reviews of the day; those fetched late are kept."""
        seed, clock = self._settings.seed, self._clock
        posts, late_posts = x.day_records(
            seed=seed,
            day=day,
            clock=clock,
            audience=self._x_audience,
            worlds=self.worlds,
            voices=self._voices,
            names=self._names,
        )
        submissions, late_submissions = reddit.day_records(
            seed=seed,
            day=day,
            clock=clock,
            audience=self._reddit_audience,
            worlds=self.worlds,
            voices=self._voices,
            names=self._names,
        )
        reviews, late_reviews = storefront.review_records(
            seed=seed,
            day=day,
            clock=clock,
            audience=self._reddit_audience,
            worlds=self.worlds,
            voices=self._voices,
        )
        late = late_posts + late_submissions + late_reviews
        self._late.setdefault(day + _LATE_DAYS, []).extend(late)
        return posts + submissions + reviews

    def _take_orders(self, day: int) -> None:
        versions = shop.day_versions(self._shop.day_orders(day), day)
        for landing_day, found in versions.items():
            self._orders.setdefault(landing_day, []).extend(found)


def _fingerprint(settings: Settings, products: Sequence[Product], timezone: str) -> str:
    """A hash of everything that the records depend on, the number of days apart."""
    chosen = settings.model_dump(mode="json", exclude={"days", "days_per_page", "enabled"})
    catalogue = [
        [
            product.product_id,
            product.product_name,
            product.brand,
            product.category,
            {kind: list(terms) for kind, terms in sorted(product.terms.items())},
        ]
        for product in products
    ]
    text = json.dumps([_REVISION, chosen, catalogue, timezone], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read_cursor(cursor: Cursor, fingerprint: str) -> int:
    """The day to go on with."""
    if not cursor:
        return 0
    next_day = cursor.get("next_day")
    if not isinstance(next_day, int) or next_day < 0:
        raise ExtractError(
            f"The cursor of the source simulated holds no usable next_day: {dict(cursor)!r}.",
            "Delete the target's data folder, or its state of this source, and run again.",
        )
    if cursor.get("fingerprint") != fingerprint:
        raise ExtractError(
            "The simulation's seed, start, scenarios, time zone or catalogue changed since this "
            "target's data was generated; only `days` may grow.",
            "Restore the settings, or use another target, or delete this target's data folder.",
        )
    return next_day
