"""Orders of the simulated shop as GraphQL nodes of the Shopify Admin API, version 2026-07.

Money is counted in minor units (cents) and written as decimal strings. An order lands on the day
it was placed, and again, whole and with a later `updatedAt`, on each day something happened to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from extract.base import Json, Record
from extract.simulated.audience import time_of_day
from extract.simulated.calendar import Clock, iso_seconds
from extract.simulated.draws import Dice, cumulate, dice
from extract.simulated.world import World

ORDERS = "shopify/orders"
LATEST_CHANGE_DAYS = 28
"""No order changes later than this many days after it was placed."""

_FIRST_ORDER = 5_600_000_000_000
_NUMBERS_A_DAY = 1_000_000
_NO_DECIMALS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"})
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_QUANTITIES = (1, 2, 3, 4, 5, 6, 8, 10)
_QUANTITY_SUMS = cumulate((0.78, 0.13, 0.04, 0.02, 0.015, 0.008, 0.004, 0.003))
_LINES_PER_ORDER = (1, 2, 3)
_LINES_SUMS = cumulate((0.58, 0.28, 0.14))
_TAX_RATES = (0.0, 0.0, 0.0625, 0.0725, 0.08875)
_COUNTRIES = ("CA", "GB", "DE", "FR", "AU", "NL", "JP", "BR")
_FOREIGN_MONEY = (("EUR", 0.92), ("GBP", 0.79), ("CAD", 1.36))
_CANCEL_REASONS = ("CUSTOMER", "CUSTOMER", "INVENTORY", "FRAUD", "DECLINED", "OTHER")
_VARIANTS = ("Solo", "Team", "Business", "Enterprise", "Plus", "Max")
_PRICE_BLOCK_DAYS = 120


@dataclass(frozen=True, slots=True)
class Article:
    """One SKU and what it costs, in minor units, before any price change."""

    sku: str
    title: str
    variant: str
    vendor: str
    number: int
    base_price: int


@dataclass(slots=True)
class Line:
    """One line item; amounts are minor units for the whole line."""

    article: Article
    quantity: int
    unit_price: int
    promotion_discount: int = 0
    promotion_ratio: float = 0.0
    code_discount: int = 0
    tax: int = 0

    @property
    def net(self) -> int:
        """What is paid for the line without tax."""
        return self.unit_price * self.quantity - self.promotion_discount - self.code_discount


@dataclass(frozen=True, slots=True)
class Refund:
    """Money and goods that went back: per line its index, quantity, amount and tax."""

    number: int
    at: datetime
    note: str | None
    lines: tuple[tuple[int, int, int, int], ...]
    restock: str
    total: int


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an order later: a refund, a cancellation, or both at once."""

    day: int
    at: datetime
    refund: Refund | None = None
    cancel_reason: str | None = None


@dataclass(slots=True)
class Order:
    """One order with everything that will ever happen to it."""

    number: int
    day: int
    at: datetime
    lines: list[Line]
    is_test: bool
    country: str
    tax_rate: float
    customer: int | None
    code: str | None
    presentment: tuple[str, float] | None
    is_paid: bool = True
    changes: list[Change] = field(default_factory=list)


class Shop:
    """The articles of all products, and each day's orders."""

    def __init__(
        self, *, seed: int, currency: str, geo: str, clock: Clock, worlds: Sequence[World]
    ) -> None:
        self._seed = seed
        self._currency = currency
        self._home = geo or "US"
        self._clock = clock
        self._worlds = [world for world in worlds if world.skus]
        self._articles = {world.product_id: _articles(seed, world) for world in self._worlds}

    def day_orders(self, day: int) -> list[Order]:
        """The orders placed on the day, with their later changes."""
        lines: list[Line] = []
        for world in self._worlds:
            if world.units[day]:
                lines += self._lines(world, day, dice(self._seed, "lines", world.product_id, day))
        luck = dice(self._seed, "orders", "", day)
        _shuffle(luck, lines)
        orders = []
        while lines:
            count = min(luck.pick_weighted(_LINES_PER_ORDER, _LINES_SUMS), len(lines))
            orders.append(self._order(day, lines[-count:], luck, is_test=False))
            del lines[-count:]
        if self._worlds and luck.chance(0.25):
            world = luck.pick(self._worlds)
            article = luck.pick(self._articles[world.product_id])
            line = Line(article, 1 + luck.below(2), self.price(article, day))
            orders.append(self._order(day, [line], luck, is_test=True))
        orders.sort(key=lambda order: order.at)
        for sequence, order in enumerate(orders):
            order.number = day * _NUMBERS_A_DAY + sequence
            self._plan_changes(order, luck)
        return orders

    def price(self, article: Article, day: int) -> int:
        """The list price on a day; it changes now and then, and never because of sales."""
        price = article.base_price
        for block in range(1, day // _PRICE_BLOCK_DAYS + 1):
            luck = dice(self._seed, "price", article.sku, block)
            if luck.chance(0.5):
                price = max(100, int(price * (0.93 + 0.17 * luck.uniform()) / 100) * 100 + 90)
        return price

    def _lines(self, world: World, day: int, luck: Dice) -> list[Line]:
        """The product's units of the day as lines of orders."""
        articles = self._articles[world.product_id]
        sums = cumulate([1 / (1 + 1.3 * index) for index in range(len(articles))])
        prices = {article.sku: self.price(article, day) for article in articles}
        promotion = world.promotion_on(day)
        ratio = promotion.strength if promotion else 0.0
        lines, left = [], world.units[day]
        while left:
            quantity = min(luck.pick_weighted(_QUANTITIES, _QUANTITY_SUMS), left)
            article = luck.pick_weighted(articles, sums)
            line = Line(article, quantity, prices[article.sku])
            line.promotion_ratio = ratio
            line.promotion_discount = _rounded(line.unit_price * quantity * ratio)
            lines.append(line)
            left -= quantity
        return lines

    def _order(self, day: int, lines: list[Line], luck: Dice, *, is_test: bool) -> Order:
        is_domestic = luck.chance(0.85)
        rate = luck.pick(_TAX_RATES) if is_domestic else 0.0
        code = luck.pick(("WELCOME10", "FRIENDS10", "NEWS10")) if luck.chance(0.05) else None
        if code:
            _share_out(lines, _rounded(0.10 * sum(line.net for line in lines)))
        for line in lines:
            line.tax = _rounded(line.net * rate)
        foreign = not is_domestic and luck.chance(0.4)
        return Order(
            number=0,
            day=day,
            at=self._clock.at(day, time_of_day(luck, "shop")),
            lines=lines,
            is_test=is_test,
            country=self._home if is_domestic else luck.pick(_COUNTRIES),
            tax_rate=rate,
            customer=int(30_000 * luck.uniform() ** 1.5) if luck.chance(0.96) else None,
            code=code,
            presentment=luck.pick(_FOREIGN_MONEY) if foreign else None,
        )

    def _plan_changes(self, order: Order, luck: Dice) -> None:
        roll = luck.uniform()
        if order.is_test:
            return
        if roll < 0.015:
            self._plan_cancellation(order, luck)
        elif roll < 0.055:
            self._plan_refunds(order, luck)

    def _plan_cancellation(self, order: Order, luck: Dice) -> None:
        day = order.day + luck.below(4)
        at = order.at + timedelta(minutes=5 + luck.below(300))
        if day > order.day or at >= self._clock.start(order.day + 1):
            day = max(day, order.day + 1)
            at = self._clock.at(day, time_of_day(luck, "shop"))
        order.is_paid = luck.chance(0.8)
        refund = None
        if order.is_paid:
            lines = tuple(
                (index, line.quantity, line.net, line.tax) for index, line in enumerate(order.lines)
            )
            total = sum(net + tax for _, _, net, tax in lines)
            refund = Refund(order.number * 10, at, None, lines, "CANCEL", total)
        order.changes.append(Change(day, at, refund, luck.pick(_CANCEL_REASONS)))

    def _plan_refunds(self, order: Order, luck: Dice) -> None:
        left = [line.quantity for line in order.lines]
        day = order.day
        for sequence in range(1 + luck.chance(0.12)):
            wait = 1 + int(-6 * math.log(1 - luck.uniform()))
            day = min(day + wait, order.day + LATEST_CHANGE_DAYS - 1 + sequence)
            at = self._clock.at(day, time_of_day(luck, "shop"))
            number = order.number * 10 + sequence
            if luck.chance(0.06):  # money back as a gesture, no goods
                total = min(500, order.lines[0].net // 4)
                if total:
                    note = "Goodwill"
                    refund = Refund(number, at, note, (), "NO_RESTOCK", total)
                    order.changes.append(Change(day, at, refund))
                continue
            lines = _returned(order, left, luck)
            if lines:
                total = sum(net + tax for _, _, net, tax in lines)
                restock = luck.pick(("RETURN", "RETURN", "NO_RESTOCK"))
                refund = Refund(number, at, None, lines, restock, total)
                order.changes.append(Change(day, at, refund))

    def node(self, order: Order, change_count: int) -> Json:
        """The order after the first `change_count` of its changes, as the API sends it."""
        bag = Bag(self._currency, order.presentment)
        changes = order.changes[:change_count]
        refunds = [change.refund for change in changes if change.refund]
        cancelled = next((change for change in changes if change.cancel_reason), None)
        returned = [0] * len(order.lines)
        for refund in refunds:
            for index, quantity, _, _ in refund.lines:
                returned[index] += quantity
        if cancelled:
            returned = [line.quantity for line in order.lines]
        subtotal = sum(line.net for line in order.lines)
        tax = sum(line.tax for line in order.lines)
        total = subtotal + tax
        refunded = sum(refund.total for refund in refunds)
        is_void = cancelled is not None and not order.is_paid
        order_id = _FIRST_ORDER + order.number
        updated_at = changes[-1].at if changes else order.at
        return {
            "id": f"gid://shopify/Order/{order_id}",
            "legacyResourceId": str(order_id),
            "name": f"#{1001 + order.number}",
            "createdAt": iso_seconds(order.at),
            "processedAt": iso_seconds(order.at),
            "updatedAt": iso_seconds(updated_at + timedelta(seconds=2)),
            "cancelledAt": iso_seconds(cancelled.at) if cancelled else None,
            "cancelReason": cancelled.cancel_reason if cancelled else None,
            "test": order.is_test,
            "taxesIncluded": False,
            "sourceName": "web",
            "displayFinancialStatus": _status(order, total, refunded, is_void=is_void),
            "displayFulfillmentStatus": "UNFULFILLED" if cancelled else "FULFILLED",
            "currencyCode": self._currency,
            "presentmentCurrencyCode": bag.presentment_currency,
            "discountCodes": [order.code] if order.code else [],
            "customer": (
                None
                if order.customer is None
                else {"id": f"gid://shopify/Customer/{7_100_000_000_000 + order.customer}"}
            ),
            "shippingAddress": {"countryCodeV2": order.country},
            "subtotalPriceSet": bag(subtotal),
            "totalDiscountsSet": bag(
                sum(line.promotion_discount + line.code_discount for line in order.lines)
            ),
            "totalTaxSet": bag(tax),
            "totalShippingPriceSet": bag(0),
            "totalPriceSet": bag(total),
            "currentTotalPriceSet": bag(0 if is_void else max(0, total - refunded)),
            "totalRefundedSet": bag(refunded),
            "lineItems": {
                "nodes": [
                    _line_node(order, index, line.quantity - returned[index], bag)
                    for index, line in enumerate(order.lines)
                ],
                "pageInfo": {"hasNextPage": False, "endCursor": None},
            },
            "refunds": [_refund_node(order, refund, bag) for refund in refunds],
        }


class Bag:
    """Callable that makes one MoneyBag from an amount in minor units of the shop's currency."""

    __slots__ = ("_currency", "_presentment", "presentment_currency")

    def __init__(self, currency: str, presentment: tuple[str, float] | None) -> None:
        self._currency = currency
        is_foreign = presentment is not None and presentment[0] != currency
        self._presentment = presentment if is_foreign else None
        self.presentment_currency = presentment[0] if presentment else currency

    def __call__(self, minor: int) -> Json:
        shop = {"amount": decimal_text(minor, self._currency), "currencyCode": self._currency}
        if self._presentment is None:
            return {"shopMoney": shop, "presentmentMoney": shop}
        currency, rate = self._presentment
        amount = decimal_text(_rounded(minor * rate), currency)
        return {
            "shopMoney": shop,
            "presentmentMoney": {"amount": amount, "currencyCode": currency},
        }


def decimal_text(minor: int, currency: str) -> str:
    """Minor units as a decimal string with the digits that the currency has."""
    if currency in _NO_DECIMALS:
        return str(minor)
    if currency in _THREE_DECIMALS:
        return f"{minor // 100}.{minor % 100:02d}0"
    return f"{minor // 100}.{minor % 100:02d}"


def day_versions(orders: Sequence[Order], order_day: int) -> Mapping[int, list[tuple[Order, int]]]:
    """Day -> (order, number of changes it has by the end of that day), for each landing."""
    versions: dict[int, list[tuple[Order, int]]] = {}
    for order in orders:
        days = {order_day, *(change.day for change in order.changes)}
        for day in sorted(days):
            done = sum(change.day <= day for change in order.changes)
            versions.setdefault(day, []).append((order, done))
    return versions


def order_record(shop: Shop, order: Order, change_count: int, fetched_at: datetime) -> Record:
    node = shop.node(order, change_count)
    return Record(ORDERS, node["id"], node, fetched_at)


def _articles(seed: int, world: World) -> tuple[Article, ...]:
    luck = dice(seed, "articles", world.product_id)
    base = (9, 12, 15, 19, 24, 29, 35, 39, 49, 59, 79)[luck.below(11)]
    ending = luck.pick((0, 90, 99, 50))
    articles = []
    for index, sku in enumerate(world.skus):
        factor = (1.0, 2.4, 4.8, 9.0)[min(index, 3)] * (1 + 0.15 * max(0, index - 3))
        variant = _VARIANTS[index % len(_VARIANTS)] if len(world.skus) > 1 else ""
        articles.append(
            Article(
                sku=sku,
                title=world.product.product_name,
                variant=variant,
                vendor=world.product.brand,
                number=8_000_000_000_000 + luck.below(10**9) * 10 + index % 10,
                base_price=int(base * factor) * 100 + ending,
            )
        )
    return tuple(articles)


def _rounded(amount: float) -> int:
    return math.floor(amount + 0.5)


def _shuffle(luck: Dice, lines: list[Line]) -> None:
    for index in range(len(lines) - 1, 0, -1):
        other = luck.below(index + 1)
        lines[index], lines[other] = lines[other], lines[index]


def _share_out(lines: Sequence[Line], amount: int) -> None:
    """Split an order's discount over its lines by value, to the cent (largest remainder)."""
    total = sum(line.net for line in lines)
    if total <= 0:
        return
    exact = [line.net * amount / total for line in lines]
    shares = [int(part) for part in exact]
    by_rest = sorted(range(len(lines)), key=lambda index: (shares[index] - exact[index], index))
    for index in by_rest[: amount - sum(shares)]:
        shares[index] += 1
    for line, share in zip(lines, shares, strict=True):
        line.code_discount = share


def _returned(order: Order, left: list[int], luck: Dice) -> tuple[tuple[int, int, int, int], ...]:
    """Lines that go back: all that is left, or a part; amounts add up over several refunds."""
    everything = luck.chance(0.55)
    chosen = luck.below(len(order.lines))
    found = []
    for index, line in enumerate(order.lines):
        if not left[index] or (not everything and index != chosen):
            continue
        quantity = left[index] if everything else 1 + luck.below(left[index])
        before = line.quantity - left[index]
        after = before + quantity
        net = line.net * after // line.quantity - line.net * before // line.quantity
        tax = line.tax * after // line.quantity - line.tax * before // line.quantity
        left[index] -= quantity
        found.append((index, quantity, net, tax))
    return tuple(found)


def _status(order: Order, total: int, refunded: int, *, is_void: bool) -> str:
    if is_void:
        return "VOIDED"
    if not order.is_paid:
        return "AUTHORIZED"
    if refunded >= total > 0:
        return "REFUNDED"
    return "PARTIALLY_REFUNDED" if refunded else "PAID"


def _line_id(order: Order, index: int) -> str:
    return f"gid://shopify/LineItem/{14_000_000_000_000 + order.number * 10 + index}"


def _line_node(order: Order, index: int, current_quantity: int, bag: Bag) -> Json:
    line, article = order.lines[index], order.lines[index].article
    full = line.unit_price * line.quantity
    after_promotion = full - line.promotion_discount
    allocations = []
    if line.promotion_discount:
        ratio = line.promotion_ratio
        allocations.append(
            _allocation(bag(line.promotion_discount), 0, "EACH", "ENTITLED", 100 * ratio)
        )
    if line.code_discount:
        has_promotion = any(other.promotion_discount for other in order.lines)
        allocations.append(
            _allocation(bag(line.code_discount), int(has_promotion), "ACROSS", "ALL", 10.0)
        )
    taxes = []
    if order.tax_rate:
        taxes.append(
            {
                "title": "Sales tax",
                "rate": order.tax_rate,
                "ratePercentage": round(100 * order.tax_rate, 4),
                "priceSet": bag(line.tax),
            }
        )
    return {
        "id": _line_id(order, index),
        "title": article.title,
        "variantTitle": article.variant or None,
        "name": f"{article.title} - {article.variant}" if article.variant else article.title,
        "vendor": article.vendor,
        "sku": article.sku,
        "quantity": line.quantity,
        "currentQuantity": current_quantity,
        "requiresShipping": False,
        "isGiftCard": False,
        "product": {"id": f"gid://shopify/Product/{article.number // 10}"},
        "variant": {"id": f"gid://shopify/ProductVariant/{article.number}"},
        "originalUnitPriceSet": bag(line.unit_price),
        "discountedUnitPriceSet": bag(_rounded(after_promotion / line.quantity)),
        "originalTotalSet": bag(full),
        "discountedTotalSet": bag(after_promotion),
        "discountAllocations": allocations,
        "taxLines": taxes,
    }


def _allocation(amount: Json, index: int, method: str, selection: str, percentage: float) -> Json:
    return {
        "allocatedAmountSet": amount,
        "discountApplication": {
            "index": index,
            "allocationMethod": method,
            "targetSelection": selection,
            "targetType": "LINE_ITEM",
            "value": {"percentage": round(percentage, 2)},
        },
    }


def _refund_node(order: Order, refund: Refund, bag: Bag) -> Json:
    refund_id = 900_000_000_000 + refund.number
    nodes = [
        {
            "id": f"gid://shopify/RefundLineItem/{500_000_000_000 + refund.number * 10 + index}",
            "quantity": quantity,
            "restockType": refund.restock,
            "restocked": refund.restock != "NO_RESTOCK",
            "priceSet": bag(_rounded(net / quantity)),
            "subtotalSet": bag(net),
            "totalTaxSet": bag(tax),
            "lineItem": {"id": _line_id(order, index), "sku": order.lines[index].article.sku},
        }
        for index, quantity, net, tax in refund.lines
    ]
    return {
        "id": f"gid://shopify/Refund/{refund_id}",
        "legacyResourceId": str(refund_id),
        "createdAt": iso_seconds(refund.at),
        "processedAt": iso_seconds(refund.at),
        "updatedAt": iso_seconds(refund.at),
        "note": refund.note,
        "totalRefundedSet": bag(refund.total),
        "refundLineItems": {
            "nodes": nodes,
            "pageInfo": {"hasNextPage": False, "endCursor": None},
        },
    }
