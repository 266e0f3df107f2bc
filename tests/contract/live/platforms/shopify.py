"""One shop of Shopify: eleven orders and five products, page by page and in bulk."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from extract import shopify
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import START, Reply, Request
from tests.contract.live.shopify_wire import Node, ShopWire

MINUTES = (5, 7, 9, 9, 9, 30, 60, 90, 200, 300, 400)
MANY_LINES, REFUNDED = 6, 8
"""The order with more lines than a first answer holds, and the one with a refund."""


def text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def bag(amount: str, currency: str = "EUR") -> Node:
    money = {"amount": amount, "currencyCode": currency}
    return {"shopMoney": money, "presentmentMoney": money}


def line(number: int, sku: str | None, *, quantity: int = 1, price: str = "10.00") -> Node:
    return {
        "__typename": "LineItem",
        "id": f"gid://shopify/LineItem/{number}",
        "sku": sku,
        "name": sku or "Engraving",
        "title": sku or "Engraving",
        "variantTitle": None,
        "vendor": None,
        "quantity": quantity,
        "currentQuantity": quantity,
        "isGiftCard": False,
        "taxable": True,
        "originalUnitPriceSet": bag(price),
        "discountedUnitPriceSet": bag(price),
        "discountAllocations": [],
        "taxLines": [{"title": "VAT", "rate": 0.19, "priceSet": bag("1.60")}],
        "product": {"id": "gid://shopify/Product/1"} if sku else None,
        "variant": {"id": "gid://shopify/ProductVariant/1"} if sku else None,
    }


def refund(number: int, at: datetime, lines: list[Node]) -> Node:
    return {
        "__typename": "Refund",
        "id": f"gid://shopify/Refund/{number}",
        "createdAt": text(at),
        "processedAt": text(at),
        "updatedAt": text(at),
        "totalRefundedSet": bag("10.00"),
        "refundLineItems": [
            {
                "id": f"gid://shopify/RefundLineItem/{number}{place}",
                "quantity": 1,
                "restockType": "RETURN",
                "restocked": True,
                "priceSet": bag("10.00"),
                "subtotalSet": bag("10.00"),
                "totalTaxSet": bag("1.60"),
                "lineItem": {"id": one["id"], "sku": one["sku"]},
            }
            for place, one in enumerate(lines)
        ],
        "refundShippingLines": [
            {
                "id": f"gid://shopify/RefundShippingLine/{number}",
                "subtotalAmountSet": bag("4.90"),
                "taxAmountSet": bag("0.00"),
            }
        ],
        "orderAdjustments": [],
        "duties": [],
    }


def order(number: int, created: datetime, updated: datetime, lines: list[Node]) -> Node:
    return {
        "__typename": "Order",
        "_number": number,
        "id": f"gid://shopify/Order/{9_000 - number}",
        "name": f"#{number}",
        "createdAt": text(created),
        "processedAt": text(created),
        "updatedAt": text(updated),
        "closedAt": None,
        "cancelledAt": None,
        "cancelReason": None,
        "test": False,
        "edited": False,
        "confirmed": True,
        "taxesIncluded": False,
        "currencyCode": "EUR",
        "presentmentCurrencyCode": "EUR",
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "FULFILLED",
        "returnStatus": "NO_RETURN",
        "sourceName": "web",
        "totalPriceSet": bag("10.00"),
        "subtotalPriceSet": bag("10.00"),
        "totalDiscountsSet": bag("0.00"),
        "totalTaxSet": bag("1.60"),
        "totalShippingPriceSet": bag("4.90"),
        "totalRefundedSet": bag("0.00"),
        "currentTotalPriceSet": bag("10.00"),
        "lineItems": lines,
        "refunds": [],
    }


def product(number: int, updated: datetime, variants: int = 1) -> Node:
    return {
        "__typename": "Product",
        "id": f"gid://shopify/Product/{number}",
        "title": f"Acme {number}",
        "handle": f"acme-{number}",
        "status": "ACTIVE",
        "vendor": "Acme",
        "productType": "tools",
        "createdAt": text(updated),
        "updatedAt": text(updated),
        "publishedAt": text(updated),
        "priceRangeV2": {"minVariantPrice": {"currencyCode": "EUR"}},
        "variants": [
            {
                "id": f"gid://shopify/ProductVariant/{100 * number + place}",
                "sku": f"A-{number}-{place}",
                "title": "Default Title",
                "price": "10.00",
                "position": place + 1,
                "updatedAt": text(updated),
            }
            for place in range(variants)
        ],
    }


@dataclass
class Shopify(Platform):
    """The shop page by page, three orders of one second among them."""

    landed = 16
    source: Any = shopify
    environment: dict[str, str] = field(
        default_factory=lambda: {"SOCIAL_SIGNALS_SHOPIFY_TOKEN": "shpat_very_secret"}
    )
    size: int = 4
    bulk: str = "never"
    edited_at: list[datetime] = field(default_factory=list)
    wire: ShopWire = field(init=False)
    circles: int = 0

    def __post_init__(self) -> None:
        self.wire = ShopWire(
            self.orders,
            self.products,
            self.time,
            token=self.environment["SOCIAL_SIGNALS_SHOPIFY_TOKEN"],
            pages=self.pages,
            twist=self.twist,
            polls=1,
        )

    def orders(self) -> list[Node]:
        if self.quirk == "empty":
            return []
        found = []
        for number, minutes in enumerate(MINUTES):
            lines = [line(100 * number + 1, "A-1-0", quantity=2), line(100 * number + 2, None)]
            if number == MANY_LINES:
                lines = [line(100 * number + place, f"A-1-{place}") for place in range(1, 26)]
            one = order(number, ago(minutes=minutes), ago(minutes=minutes), lines)
            if number == REFUNDED:
                one["refunds"] = [refund(7, ago(minutes=minutes), lines)]
            if number == 6 and self.edited_at:
                one |= {"name": f"#6 (edited) {self.edits}", "updatedAt": text(self.edited_at[-1])}
            if number == 0 and self.quirk == "future":
                one["updatedAt"] = text(START + timedelta(days=365 * 50))
            found.append(one)
        return found[self.hidden :]

    def products(self) -> list[Node]:
        if self.quirk == "empty":
            return []
        return [product(number, ago(days=400, minutes=10 * number)) for number in range(1, 6)]

    def edit(self) -> None:
        super().edit()
        self.edited_at.append(self.time.now())

    def twist(self, node: Node) -> Node:
        number = node.pop("_number", None)
        if self.quirk == "unknown_fields":
            node["brandNew"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del node["id"]
        if self.quirk == "missing_fields" and number == 4:
            del node["name"]
        if self.quirk == "wrong_types" and number == 3:
            node["updatedAt"] = "yesterday"
        if self.quirk == "wrong_types" and number == 4:
            node |= {"name": 7, "refunds": "many", "test": "perhaps"}
        return node

    def pages(
        self, nodes: list[Node], size: int, after: str | None
    ) -> tuple[list[Node], str | None] | None:
        """The pages of a quirk, whose cursors are numbers; None where there is none."""
        if self.quirk not in ("duplicated", "reordered", "endless"):
            return None
        pages = [nodes[start : start + size] for start in range(0, len(nodes), size)] or [[]]
        if self.quirk == "reordered":
            pages = [page[::-1] for page in [pages[0], *pages[:0:-1]]]
        if self.quirk == "duplicated":
            pages = [[*page, *page[:2]] for page in pages for _ in range(2)]
        if self.quirk == "endless":
            self.circles += 1
            return pages[0], f"p{self.circles}"
        number = int((after or "p0").removeprefix("p"))
        page = pages[number] if number < len(pages) else []
        return page, f"p{number + 1}" if number + 1 < len(pages) else None

    def settings(self, **changes: Any) -> Any:
        base = {
            "base_url": self.url,
            "page_size": self.size,
            "bulk": self.bulk,
            "first_days": 30,
        }
        return shopify.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        self.wire.url = self.url
        return self.wire.answer(request)


@dataclass
class ShopifyBulk(Shopify):
    """The same shop, whose orders come in bulk."""

    bulk: str = "always"
