"""Two shops with orders of every kind, their totals counted apart from any payload, and the wire.

Money is whole cents here. `totals` is what int_sales__daily must say, from the orders as they were
drawn; it knows nothing of nodes, staging or models. `ShopOfWorld` speaks Shopify's API over them.
"""

from __future__ import annotations

import bisect
import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from threading import Thread
from typing import Any, overload
from zoneinfo import ZoneInfo

from tests.contract.live.shopify_wire import Node, SharedTime, ShopWire

ZONE = ZoneInfo("America/New_York")
FIRST_PULL = datetime(2026, 11, 20, 12, tzinfo=UTC)
SECOND_PULL = FIRST_PULL + timedelta(days=2)
DAYS = 55
SHOPS = ("us.example", "eu.example")
CURRENCIES = ("USD", "EUR")
RATES = {"USD": Decimal(1), "EUR": Decimal("1.0837")}
PRODUCTS = ("kettle", "lamp", "mug", "rug", "tray", "vase")
SKUS = tuple(f"{p}-{kind}".upper() for p in PRODUCTS for kind in ("s", "l"))
UNMAPPED = ("POSTER", "STICKER")
ARTICLES: tuple[str | None, ...] = (*SKUS, *UNMAPPED, None)
"""What is sold: articles of the catalogue, others, and lines without a SKU."""
_CENT = Decimal("0.01")


@dataclass(slots=True)
class Line:
    number: int
    article: int
    price: int
    quantity: int
    discount: int
    tax: int
    is_gift_card: bool = False
    removed: int = 0

    @property
    def kept(self) -> int:
        return self.quantity - self.removed


@dataclass(slots=True)
class Refund:
    """`lines` are (place in the order, units, money with the tax of inclusive prices, tax)."""

    number: int
    at: datetime
    lines: list[tuple[int, int, int, int]]
    shipping: int = 0
    adjustment: int = 0
    is_unnamed: bool = False


@dataclass(slots=True)
class Order:
    number: int
    shop: int
    placed: datetime
    updated: datetime
    is_inclusive: bool
    is_test: bool
    shipping: int
    lines: list[Line]
    refunds: list[Refund] = field(default_factory=list)
    cancelled: datetime | None = None
    is_edited: bool = False

    def left(self, place: int) -> int:
        """Units of a line that are neither removed nor refunded."""
        gone = sum(q for refund in self.refunds for p, q, _, _ in refund.lines if p == place)
        return self.lines[place].kept - gone

    def net(self) -> int:
        """What was sold less what went back, without taxes and gift cards."""
        total = 0
        for line in self.lines:
            if not line.is_gift_card:
                paid = (line.price * line.quantity - line.discount) * line.kept // line.quantity
                total += paid - (line.tax * line.kept // line.quantity if self.is_inclusive else 0)
        return total - sum(self.returned(refund) for refund in self.refunds)

    def returned(self, refund: Refund) -> int:
        """What a refund gives back of that."""
        goods = sum(
            money - (tax if self.is_inclusive else 0)
            for place, _, money, tax in refund.lines
            if not self.lines[place].is_gift_card
        )
        return goods + refund.adjustment


@dataclass
class World:
    """Drawn orders of both shops; `edit` changes some and adds others."""

    seed: int
    count: int
    orders: list[Order] = field(default_factory=list)
    _refunds: int = 0
    _lines: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        first = FIRST_PULL - timedelta(days=DAYS)
        for number in range(self.count):
            # About two in three seconds hold one order, some several.
            second = self.dice.randrange(DAYS * 86_400 - 7_200)
            self.orders.append(self._order(number, first + timedelta(seconds=second), FIRST_PULL))

    def _order(self, number: int, placed: datetime, until: datetime) -> Order:
        dice = self.dice
        lines = [self._line() for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4)))]
        if number % 997 == 3:
            lines = [self._line() for _ in range(140)]
        order = Order(
            number,
            int(number % 4 == 0),
            placed,
            placed,
            dice.random() < 0.4,
            dice.random() < 0.01,
            dice.choice((0, 490, 990)),
            lines,
        )
        if order.is_inclusive:
            # The tax in a price is smaller than the price.
            for line in lines:
                line.tax = line.quantity * (line.tax // line.quantity // 2)
        if dice.random() < 0.03:
            self._cancel(order, self._later(order, until))
        elif dice.random() < 0.09:
            self._refund(order, self._later(order, until))
        return order

    def _later(self, order: Order, until: datetime) -> datetime:
        span = int((until - order.updated).total_seconds()) - 60
        return order.updated + timedelta(seconds=self.dice.randrange(1, max(2, span)))

    def _line(self) -> Line:
        dice = self.dice
        self._lines += 1
        quantity = dice.choice((1, 1, 1, 2, 3, 5))
        price = dice.randrange(0 if dice.random() < 0.01 else 199, 9_999)
        # Discounts and taxes of a unit, so that a part of a line has a part of them.
        discount = quantity * (dice.randrange(0, price // 2 + 1) if dice.random() < 0.3 else 0)
        tax = quantity * ((price - discount // quantity) * 19 // 119)
        article = dice.randrange(len(ARTICLES))
        return Line(self._lines, article, price, quantity, discount, tax, dice.random() < 0.005)

    def _cancel(self, order: Order, at: datetime) -> None:
        order.cancelled = order.updated = at
        lines = [self._part(order, place, order.left(place)) for place in range(len(order.lines))]
        self._refunds += 1
        order.refunds.append(Refund(self._refunds, at, [x for x in lines if x[1]], order.shipping))

    def _part(self, order: Order, place: int, units: int) -> tuple[int, int, int, int]:
        line = order.lines[place]
        money = (line.price * line.quantity - line.discount) // line.quantity * units
        return place, units, money, line.tax // line.quantity * units

    def _refund(self, order: Order, at: datetime) -> None:
        dice = self.dice
        self._refunds += 1
        refund = Refund(self._refunds, at, [])
        kind = dice.random()
        if kind < 0.75:
            for place in range(len(order.lines)):
                left = order.left(place)
                if left and dice.random() < 0.6:
                    refund.lines.append(self._part(order, place, dice.randrange(1, left + 1)))
            # Nobody gets back more than was paid.
            while order.returned(refund) > order.net():
                refund.lines.pop()
            if dice.random() < 0.3:
                refund.shipping = order.shipping
        order.refunds.append(refund)
        has_cards = any(line.is_gift_card for line in order.lines)
        spare = order.net() - 200 if not has_cards else 0
        if spare > 0 and (kind >= 0.75 or dice.random() < 0.1):
            refund.adjustment = dice.randrange(1, min(spare, 2_000) + 1)
            # Some refunds name no part at all.
            refund.is_unnamed = kind >= 0.9
        order.updated = max(order.updated, at)

    def edit(self) -> int:
        """What happens between the two pulls; returns how many orders are other or new."""
        dice = self.dice
        changed = dice.sample(self.orders, max(8, self.count // 30))
        for order in changed:
            at = FIRST_PULL + timedelta(seconds=dice.randrange(600, 2 * 86_400 - 600))
            what = dice.randrange(4)
            if order.cancelled is not None or what == 3:
                order.lines.append(self._line())
                if order.is_inclusive:
                    line = order.lines[-1]
                    line.tax = line.quantity * (line.tax // line.quantity // 2)
                order.is_edited, order.updated = True, at
            elif what == 0:
                self._refund(order, at)
            elif what == 1 and not order.refunds:
                self._cancel(order, at)
            else:
                place = dice.randrange(len(order.lines))
                left = order.left(place)
                if left and not any(refund.adjustment for refund in order.refunds):
                    order.lines[place].removed += dice.randrange(1, left + 1)
                order.is_edited, order.updated = True, at
        for number in range(self.count, self.count + max(4, self.count // 100)):
            placed = FIRST_PULL + timedelta(seconds=dice.randrange(600, 2 * 86_400 - 7_200))
            self.orders.append(self._order(number, placed, SECOND_PULL))
        return len(changed) + len(self.orders) - self.count

    def catalogue(self, folder: Path) -> None:
        """Products, and which SKUs are theirs; two shops sell the same."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = ["product_id,product_name,brand,category,url"]
        rows += [f"{p},{p.title()},Acme,home," for p in PRODUCTS]
        (folder / "products.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        rows = ["product_id,term,kind"]
        rows += [f"{sku.split('-')[0].lower()},*:{sku},sku" for sku in SKUS]
        (folder / "terms.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _reported(cents: int, shop: int) -> Decimal:
    amount = Decimal(cents) / 100 * RATES[CURRENCIES[shop]]
    return amount.quantize(_CENT, ROUND_HALF_UP)


def product_of(article: int) -> str | None:
    """The product of the catalogue that an article is; None if it is none."""
    return SKUS[article].split("-")[0].lower() if article < len(SKUS) else None


Key = tuple[str | None, date]
MEASURES = (
    "gross_units",
    "returned_units",
    "gross_sales",
    "discounts",
    "taxes",
    "returns",
    "returns_by_order_date",
    "orders_count",
)


def totals(orders: Iterable[Order]) -> dict[Key, dict[str, Decimal]]:
    """Every measure by product and business day, from the orders as drawn."""
    found: dict[Key, dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(MEASURES, Decimal(0)))
    for order in orders:
        if order.is_test or order.cancelled is not None:
            continue
        day = order.placed.astimezone(ZONE).date()
        sold_to = set()
        for line in order.lines:
            if line.is_gift_card or not line.kept:
                continue
            tax = line.tax // line.quantity * line.kept
            key = (product_of(line.article), day)
            sold_to.add(key)
            row = found[key]
            row["gross_units"] += line.kept
            gross = line.price * line.kept - (tax if order.is_inclusive else 0)
            row["gross_sales"] += _reported(gross, order.shop)
            row["discounts"] += _reported(line.discount // line.quantity * line.kept, order.shop)
            row["taxes"] += _reported(tax, order.shop)
        for key in sold_to:
            found[key]["orders_count"] += 1
        for refund in order.refunds:
            refunded = refund.at.astimezone(ZONE).date()
            parts: list[tuple[str | None, int, int]] = [
                (
                    product_of(order.lines[place].article),
                    units,
                    money - (tax if order.is_inclusive else 0),
                )
                for place, units, money, tax in refund.lines
                if not order.lines[place].is_gift_card
            ]
            if refund.adjustment:
                parts.append((None, 0, refund.adjustment))
            for product, units, money in parts:
                returns = _reported(money, order.shop)
                found[product, refunded]["returned_units"] += units
                found[product, refunded]["returns"] += returns
                found[product, day]["returns_by_order_date"] += returns
    return {key: row for key, row in found.items() if any(row.values())}


# The wire -----------------------------------------------------------------------------------------


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _bag(cents: int, shop: int) -> Node:
    money = {"amount": f"{cents // 100}.{cents % 100:02d}", "currencyCode": CURRENCIES[shop]}
    if cents < 0:
        money["amount"] = f"-{-cents // 100}.{-cents % 100:02d}"
    # What the customer saw: in another currency, and not to be summed up.
    shown = {"amount": str(abs(cents) * 2), "currencyCode": "JPY"}
    return {"shopMoney": money, "presentmentMoney": shown}


def node_of(order: Order) -> Node:
    """An order as the API has it."""
    shop = order.shop
    lines = [_line_node(order, place) for place in range(len(order.lines))]
    total = sum(line.price * line.quantity - line.discount for line in order.lines)
    refunded = sum(_refunded(order, refund) for refund in order.refunds)
    return {
        "__typename": "Order",
        "id": f"gid://shopify/Order/{order.number + 1}",
        "name": f"#{order.number + 1}",
        "createdAt": _text(order.placed),
        "processedAt": _text(order.placed),
        "updatedAt": _text(order.updated),
        "closedAt": None,
        "cancelledAt": _text(order.cancelled) if order.cancelled else None,
        "cancelReason": "CUSTOMER" if order.cancelled else None,
        "test": order.is_test,
        "edited": order.is_edited,
        "confirmed": True,
        "taxesIncluded": order.is_inclusive,
        "currencyCode": CURRENCIES[shop],
        "presentmentCurrencyCode": "JPY",
        "displayFinancialStatus": "PARTIALLY_REFUNDED" if order.refunds else "PAID",
        "displayFulfillmentStatus": "FULFILLED",
        "returnStatus": "RETURNED" if order.refunds else "NO_RETURN",
        "sourceName": "web",
        "totalPriceSet": _bag(total + order.shipping, shop),
        "subtotalPriceSet": _bag(total, shop),
        "totalDiscountsSet": _bag(sum(line.discount for line in order.lines), shop),
        "totalTaxSet": _bag(sum(line.tax for line in order.lines), shop),
        "totalShippingPriceSet": _bag(order.shipping, shop),
        "totalRefundedSet": _bag(refunded, shop),
        "currentTotalPriceSet": _bag(total + order.shipping - refunded, shop),
        "lineItems": lines,
        "refunds": [_refund_node(order, refund) for refund in order.refunds],
    }


def _line_node(order: Order, place: int) -> Node:
    line, shop = order.lines[place], order.shop
    sku = ARTICLES[line.article]
    halves = (line.discount // 2, line.discount - line.discount // 2) if line.discount else ()
    return {
        "__typename": "LineItem",
        "id": f"gid://shopify/LineItem/{line.number}",
        "sku": sku,
        "name": sku or "Engraving",
        "title": sku or "Engraving",
        "variantTitle": None,
        "vendor": "Acme",
        "quantity": line.quantity,
        "currentQuantity": order.left(place),
        "isGiftCard": line.is_gift_card,
        "taxable": True,
        "originalUnitPriceSet": _bag(line.price, shop),
        "discountedUnitPriceSet": _bag(line.price - line.discount // line.quantity, shop),
        "discountAllocations": [
            {
                "allocatedAmountSet": _bag(half, shop),
                "discountApplication": {
                    "index": index,
                    "allocationMethod": "ACROSS",
                    "targetSelection": "ALL",
                    "targetType": "LINE_ITEM",
                },
            }
            for index, half in enumerate(halves)
        ],
        "taxLines": [{"title": "VAT", "rate": 0.19, "priceSet": _bag(line.tax, shop)}],
        "product": {"id": f"gid://shopify/Product/{line.article + 1}"} if sku else None,
        "variant": {"id": f"gid://shopify/ProductVariant/{line.article + 1}"} if sku else None,
    }


def _refunded(order: Order, refund: Refund) -> int:
    taxes = 0 if order.is_inclusive else sum(tax for *_, tax in refund.lines)
    goods = sum(money for _, _, money, _ in refund.lines)
    return goods + taxes + refund.shipping + refund.adjustment


def _refund_node(order: Order, refund: Refund) -> Node:
    shop = order.shop
    adjustments = [
        {
            "id": f"gid://shopify/OrderAdjustment/{refund.number}",
            "reason": "REFUND_DISCREPANCY",
            "amountSet": _bag(-refund.adjustment, shop),
            "taxAmountSet": _bag(0, shop),
        }
    ]
    has_parts = bool(refund.lines or refund.shipping)
    is_named = refund.adjustment and (has_parts or not refund.is_unnamed)
    return {
        "__typename": "Refund",
        "id": f"gid://shopify/Refund/{refund.number}",
        "createdAt": _text(refund.at),
        "processedAt": _text(refund.at),
        "updatedAt": _text(refund.at),
        "totalRefundedSet": _bag(_refunded(order, refund), shop),
        "refundLineItems": [
            {
                "id": f"gid://shopify/RefundLineItem/{refund.number}{place:03d}",
                "quantity": units,
                "restockType": "RETURN",
                "restocked": True,
                "priceSet": _bag(order.lines[place].price, shop),
                "subtotalSet": _bag(money, shop),
                "totalTaxSet": _bag(tax, shop),
                "lineItem": {
                    "id": f"gid://shopify/LineItem/{order.lines[place].number}",
                    "sku": ARTICLES[order.lines[place].article],
                },
            }
            for place, units, money, tax in refund.lines
        ],
        "refundShippingLines": [
            {
                "id": f"gid://shopify/RefundShippingLine/{refund.number}",
                "subtotalAmountSet": _bag(refund.shipping, shop),
                "taxAmountSet": _bag(0, shop),
            }
        ]
        if refund.shipping
        else [],
        "orderAdjustments": adjustments if is_named else [],
        "duties": [],
    }


class Nodes(Sequence[Node]):
    """Orders whose nodes are made when they are looked at."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders

    def __len__(self) -> int:
        return len(self._orders)

    @overload
    def __getitem__(self, place: int) -> Node: ...

    @overload
    def __getitem__(self, place: slice) -> list[Node]: ...

    def __getitem__(self, place: int | slice) -> Node | list[Node]:
        if isinstance(place, slice):
            return [node_of(order) for order in self._orders[place]]
        return node_of(self._orders[place])

    def __iter__(self) -> Iterator[Node]:
        return map(node_of, self._orders)


class ShopOfWorld(ShopWire):
    """One shop of the world, found by index; results of bulk operations lie in a folder."""

    def __init__(self, world: World, shop: int, folder: Path, time: SharedTime, token: str) -> None:
        super().__init__(list, list, time, token=token)
        self.world, self.shop, self.folder = world, shop, folder
        self.index()

    def index(self) -> None:
        """Take over the world as it is now."""
        own = [order for order in self.world.orders if order.shop == self.shop]
        self._sorted = {
            name: sorted(own, key=lambda order: (getattr(order, name), order.number))
            for name in ("placed", "updated")
        }
        self._stamps = {
            name: [_text(getattr(order, name)) for order in orders]
            for name, orders in self._sorted.items()
        }
        self._refunds = {
            f"gid://shopify/Refund/{refund.number}": (order, refund)
            for order in own
            for refund in order.refunds
        }
        self._orders = {f"gid://shopify/Order/{order.number + 1}": order for order in own}

    def filtered(self, name: str, arguments: Node) -> Any:  # noqa: ANN401 - made when looked at
        if name == "products":
            return []
        terms = self.terms(arguments)
        field_name = "placed" if terms and terms[0][0] == "created_at" else "updated"
        stamps, first, last = self._stamps[field_name], 0, len(self._sorted[field_name])
        for _, sign, value in terms:
            place = bisect.bisect_left(stamps, value)
            first, last = (max(first, place), last) if sign == ">=" else (first, min(last, place))
        return Nodes(self._sorted[field_name][first:last])

    def _node(self, node_id: str) -> Node | None:
        if node_id in self._refunds:
            return _refund_node(*self._refunds[node_id])
        if node_id in self._orders:
            return node_of(self._orders[node_id])
        return super()._node(node_id)

    def keep(self, number: int, lines: Iterable[Node]) -> tuple[int, int, int]:
        """Begin to write the result, and answer at once, as Shopify does."""
        self._writing = Thread(target=self._write, args=(number, lines), daemon=True)
        self._writing.start()
        return 0, 0, 0

    def _write(self, number: int, lines: Iterable[Node]) -> None:
        count = roots = 0
        path = self.folder / f"{self.shop}-{number}.jsonl"
        with path.open("w", encoding="utf-8") as file:
            for line in lines:
                count += 1
                roots += "__parentId" not in line
                file.write(json.dumps(line) + "\n")
        self._written = {
            "objectCount": str(count),
            "rootObjectCount": str(roots),
            "fileSize": str(path.stat().st_size),
        }

    def _polled(self, operation_id: str) -> Node | None:
        # Nobody waits for the shared clock, so this waits for the work in real time.
        self._writing.join(20)
        operation = self.operations[-1]
        if self._writing.is_alive() or operation["id"] != operation_id:
            return operation
        operation |= self._written
        return super()._polled(operation_id)

    def publish(self, number: int, name: str, *, is_whole: bool) -> None:  # noqa: ARG002
        """It lies in the folder already."""
        assert is_whole
