"""A WooCommerce shop: orders with refunds, products with variations, reviews, and a trash."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from extract import woocommerce
from tests.contract.live.platforms.base import Platform, ago, budget
from tests.contract.live.server import START, Reply, Request, json_reply

KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"
PERSONAL = {
    "billing": {"first_name": "Ada", "email": "ada@example.com"},
    "customer_ip_address": "203.0.113.7",
    "customer_note": "ring twice",
    "meta_data": [{"id": 1, "key": "_vat_id", "value": "DE123"}],
}
_MINUTES = [5, 7, 9, 9, 9, 30, 60, 400]


def stamp(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}"


@dataclass
class WooCommerce(Platform):
    """Eight orders, three of one second and one of them refunded, three products of which one has
    two variations, five reviews, and an order and a product in the trash; four a page.
    `ignores` are parameters that the shop does not know, `refuses` what it does not sort by."""

    landed = 8 + 1 + 3 + 2 + 1 + 5
    source: Any = woocommerce
    environment: dict[str, str] = field(
        default_factory=lambda: {
            "SOCIAL_SIGNALS_WOOCOMMERCE_API_KEY": KEY,
            "SOCIAL_SIGNALS_WOOCOMMERCE_API_SECRET": SECRET,
        }
    )
    size: int = 4
    ignores: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    counts_pages: bool = True
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    """What is another way about an order, by its id."""

    def orders(self) -> list[dict[str, Any]]:
        found = [self._order(number, minute) for number, minute in enumerate(_MINUTES)]
        trashed = {**self._order(50, 90), "status": "trash"}
        return [*found[self.hidden :], trashed]

    def _order(self, number: int, minute: int) -> dict[str, Any]:
        changed = ago(minutes=minute)
        label = f"10{number:02d}"
        if number == 6 and self.edits:
            changed = START + timedelta(seconds=self.edits)
            label += " (edited)"
        order: dict[str, Any] = {
            "id": 900 - number,
            "number": label,
            "status": "processing",
            "currency": "EUR",
            "prices_include_tax": True,
            "date_created_gmt": stamp(ago(minutes=minute)),
            "date_modified_gmt": stamp(changed),
            "date_paid_gmt": stamp(ago(minutes=minute)),
            "total": "23.80",
            "total_tax": "3.80",
            "line_items": [
                {
                    "id": 7000 + number,
                    "name": "Acme anvil",
                    "product_id": 11,
                    "variation_id": 0,
                    "quantity": 2,
                    "subtotal": "20.00",
                    "subtotal_tax": "3.80",
                    "total": "20.00",
                    "total_tax": "3.80",
                    "sku": "ACME-1",
                    "meta_data": [{"id": 3, "key": "engraving", "value": "for Ada"}],
                }
            ],
            "refunds": [{"id": 990, "reason": "Ada was unhappy", "total": "-11.90"}]
            if number == 5
            else [],
            **PERSONAL,
        }
        self._twist(order, number)
        return order | self.changes.get(900 - number, {})

    def _twist(self, order: dict[str, Any], number: int) -> None:
        if self.quirk == "unknown_fields":
            order["brand_new"] = {"deeply": [{"nested": number}]}
        if self.quirk == "missing_fields" and number == 3:
            del order["id"]
        if self.quirk == "missing_fields" and number == 4:
            del order["date_modified_gmt"]
        if self.quirk == "wrong_types" and number == 3:
            order["id"] = {"value": order["id"]}
        if self.quirk == "wrong_types" and number == 4:
            order |= {"total": ["many"], "line_items": "none", "refunds": 5}
        if self.quirk == "future" and number == 0:
            order["date_modified_gmt"] = stamp(START + timedelta(days=365 * 50))

    def refunds(self, order_id: int) -> list[dict[str, Any]]:
        line = {
            "id": 8001,
            "product_id": 11,
            "quantity": -1,
            "total": "-10.00",
            "total_tax": "-1.90",
            "sku": "ACME-1",
            "meta_data": [
                {"id": 4, "key": "_refunded_item_id", "value": "7005"},
                {"id": 5, "key": "engraving", "value": "for Ada"},
            ],
        }
        refund = {
            "id": 990,
            "date_created_gmt": stamp(ago(minutes=20)),
            "amount": "11.90",
            "reason": "Ada was unhappy",
            "line_items": [line],
        }
        return [refund] if order_id == 895 else []

    def products(self) -> list[dict[str, Any]]:
        def product(number: int, **changes: Any) -> dict[str, Any]:
            return {
                "id": number,
                "name": f"Acme {number}",
                "type": "simple",
                "status": "publish",
                "sku": f"ACME-{number - 10}",
                "price": "11.90",
                "variations": [],
                "date_created_gmt": stamp(ago(days=90)),
                "date_modified_gmt": stamp(ago(days=20, minutes=number)),
                "description": "<p>heavy</p>",
                **changes,
            }

        variable = product(12, type="variable", sku="", variations=[121, 122])
        return [product(11), variable, product(13), product(14, status="trash")]

    def variations(self, product_id: int) -> list[dict[str, Any]]:
        if product_id != 12:
            return []
        return [
            {
                "id": number,
                "sku": f"ACME-2-{number}",
                "price": "5.00",
                "status": "publish",
                "attributes": [{"id": 1, "name": "Colour", "option": "red"}],
                "date_modified_gmt": stamp(ago(days=20)),
            }
            for number in (121, 122)
        ]

    def reviews(self) -> list[dict[str, Any]]:
        return [
            {
                "id": 300 + number,
                "product_id": 11,
                "status": "approved",
                "reviewer": f"buyer{number}",
                "reviewer_email": "ada@example.com",
                "review": "<p>sturdy acme</p>",
                "rating": 1 + number,
                "verified": True,
                "date_created_gmt": stamp(ago(minutes=10 + 50 * number)),
            }
            for number in range(5)
        ]

    def settings(self, **changes: Any) -> Any:
        base = {"base_url": self.url, "shop_name": "acme", "page_size": self.size}
        return woocommerce.Settings(**budget(base, changes))

    def answer(self, request: Request) -> Reply:
        expected = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        assert request.headers["authorization"] == f"Basic {expected}"
        assert not any(name.startswith("consumer_") for name in request.query)
        path = request.path.removeprefix("/wp-json/wc/v3")
        query = {k: v for k, v in request.query.items() if k not in self.ignores}
        if query.get("orderby") in self.refuses:
            body = {"code": "rest_invalid_param", "message": "Invalid parameter(s): orderby"}
            return json_reply(body, 400)
        routes: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "/orders": self.orders,
            "/products": self.products,
            "/products/reviews": self.reviews,
        }
        if path in routes:
            items = [item for item in routes[path]() if _matches(item, query)]
        else:
            _, kind, number, details = path.split("/")
            of = {"refunds": self.refunds, "variations": self.variations}[details]
            assert kind in ("orders", "products")
            items = of(int(number))
        return self._page(items, query, is_orders=path == "/orders")

    def _page(
        self, items: list[dict[str, Any]], query: dict[str, str], *, is_orders: bool
    ) -> Reply:
        if self.quirk == "empty":
            items = []
        field_name = "date_modified_gmt" if query.get("orderby") == "modified" else "id"
        items.sort(key=lambda item: (_sortable(item.get(field_name)), _sortable(item.get("id"))))
        size, number = int(query.get("per_page", 10)), int(query.get("page", 1))
        shown = items[(number - 1) * size : number * size]
        pages = -(-len(items) // size)
        if self.quirk == "reordered":
            shown = shown[::-1]
        if self.quirk == "duplicated":
            shown = [*shown, *shown[:2]]
        if self.quirk == "endless" and is_orders and items:
            shown, pages = [self._order(0, 5)] * size, 999
        if "_fields" in query:
            asked = {*query["_fields"].split(","), "brand_new"}
            shown = [{k: v for k, v in item.items() if k in asked} for item in shown]
        told = {"X-WP-Total": str(len(items)), "X-WP-TotalPages": str(pages)}
        return json_reply(shown, **(told if self.counts_pages else {}))


def _sortable(value: Any) -> str:
    if isinstance(value, dict):
        value = value["value"]
    if value is None:
        value = stamp(ago(minutes=9))
    return f"{value:012d}" if isinstance(value, int) else str(value)


def _matches(item: dict[str, Any], query: dict[str, str]) -> bool:
    """Bounds are exclusive; without a status everything but the trash is meant."""
    wanted = query.get("status", "any")
    is_trash = item.get("status") == "trash"
    if is_trash != (wanted == "trash"):
        return False
    for name, column, sign in (
        ("modified_after", "date_modified_gmt", 1),
        ("modified_before", "date_modified_gmt", -1),
        ("after", "date_created_gmt", 1),
        ("before", "date_created_gmt", -1),
    ):
        if name not in query:
            continue
        assert "Z" not in query[name]
        if column == "date_modified_gmt" or "rating" not in item:
            assert query["dates_are_gmt"] == "true"
        bound = datetime.fromisoformat(query[name]).replace(tzinfo=UTC)
        text = item.get(column) or stamp(ago(minutes=9))
        value = datetime.fromisoformat(text).replace(tzinfo=UTC)
        if (value - bound).total_seconds() * sign <= 0:
            return False
    return True
