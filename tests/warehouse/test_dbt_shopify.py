"""Staging of a Shopify shop: parts of a refund, shops side by side, versions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.warehouse.dbt_builds import TinyProject, tiny_project

PLACED, REFUNDED = "2026-01-05T09:00:00Z", "2026-01-06T09:00:00Z"


def bag(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "EUR"}}


def order(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"gid://shopify/Order/{number}",
        "name": f"#{number}",
        "createdAt": PLACED,
        "processedAt": PLACED,
        "updatedAt": PLACED,
        "test": False,
        "taxesIncluded": False,
        "totalPriceSet": bag("30.00"),
        "totalShippingPriceSet": bag("4.90"),
        "lineItems": {
            "nodes": [
                {
                    "id": f"gid://shopify/LineItem/{number}",
                    "sku": "A-1",
                    "name": "A",
                    "quantity": 2,
                    "currentQuantity": 2,
                    "originalUnitPriceSet": bag("12.55"),
                    "product": {"id": "gid://shopify/Product/1"},
                    "variant": {"id": "gid://shopify/ProductVariant/2"},
                },
                {"id": f"gid://shopify/LineItem/{number}9", "name": "Engraving", "quantity": 1},
            ]
        },
        "refunds": [],
    } | changes


def product(price: str, *skus: str) -> dict[str, Any]:
    return {
        "id": "gid://shopify/Product/1",
        "title": "A",
        "status": "ACTIVE",
        "updatedAt": PLACED,
        "priceRangeV2": {"minVariantPrice": {"currencyCode": "EUR"}},
        "variants": {
            "nodes": [
                {
                    "id": f"gid://shopify/ProductVariant/{place}",
                    "sku": sku,
                    "title": "Default Title",
                    "price": price,
                }
                for place, sku in enumerate(skus)
            ]
        },
        "_shop": "one.example",
    }


PARTS = {
    "id": "gid://shopify/Refund/1",
    "createdAt": REFUNDED,
    "totalRefundedSet": bag("20.00"),
    "refundLineItems": {
        "nodes": [
            {
                "quantity": 1,
                "restockType": "RETURN",
                "subtotalSet": bag("12.55"),
                "totalTaxSet": bag("1.00"),
                "lineItem": {"id": "gid://shopify/LineItem/1", "sku": "A-1"},
            }
        ]
    },
    "refundShippingLines": {
        "nodes": [{"subtotalAmountSet": bag("4.90"), "taxAmountSet": bag("0.40")}]
    },
    "orderAdjustments": {
        "nodes": [
            {
                "reason": "REFUND_DISCREPANCY",
                "amountSet": bag("-2.00"),
                "taxAmountSet": bag("-0.10"),
            }
        ]
    },
    "duties": [{"amountSet": bag("3.00")}],
}
GOODWILL = {"id": "gid://shopify/Refund/2", "createdAt": REFUNDED, "totalRefundedSet": bag("5.00")}
RESTOCK = {"id": "gid://shopify/Refund/3", "createdAt": REFUNDED, "totalRefundedSet": bag("0.00")}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(tmp_path_factory.mktemp("shopify") / "target")
    project.land(
        "shopify",
        "orders",
        [
            order(1, refunds=[PARTS, GOODWILL, RESTOCK]),
            order(2, taxesIncluded=True, refunds=[PARTS]),
            order(3, _shop="one.example"),
            order(3, _shop="two.example"),
        ],
        is_simulated=False,
    )
    project.land(
        "shopify",
        "products",
        [product("10.00", "A-1", "A-2"), product("12.00", "A-1"), product("1.00")],
        is_simulated=False,
    )
    project.build("--select", "path:models/staging/shopify", "--exclude", "path:tests/sales")
    return project


def test_no_money_that_was_given_back_vanishes(project: TinyProject) -> None:
    found = project.query(
        "select refund_kind, adjustment_reason, quantity, refunded_amount, refunded_tax_amount"
        " from staging.stg_shopify__refund_lines where order_id like '%/1' order by refund_line_id"
    )
    assert found == [
        ("line", None, 1, Decimal("12.55"), Decimal("1.00")),
        ("adjustment", "REFUND_DISCREPANCY", None, Decimal("2.00"), Decimal("0.10")),
        ("adjustment", "DUTY", None, Decimal("0.00"), Decimal("3.00")),
        ("shipping", None, None, Decimal("4.90"), Decimal("0.40")),
        ("adjustment", "NO_PART_NAMED", None, Decimal("5.00"), None),
    ]


def test_amounts_hold_the_tax_where_prices_do(project: TinyProject) -> None:
    found = project.query(
        "select sum(refunded_amount - refunded_tax_amount), sum(refunded_tax_amount)"
        " from staging.stg_shopify__refund_lines where order_id like '%/2'"
    )
    # 12.55 - 1.00, 4.90 - 0.40 as sent; the adjustment and the duty hold none.
    assert found == [(Decimal("18.05"), Decimal("4.50"))]


def test_two_shops_may_count_alike(project: TinyProject) -> None:
    found = project.query(
        "select shop_name, order_id, total_shipping, is_deleted"
        " from staging.stg_shopify__orders where shop_name is not null order by shop_name"
    )
    gid = "gid://shopify/Order/3"
    assert found == [
        ("one.example", f"one.example|{gid}", Decimal("4.90"), False),
        ("two.example", f"two.example|{gid}", Decimal("4.90"), False),
    ]
    lines = project.query(
        "select order_line_id, is_custom_line, platform_product_id, platform_variant_id"
        " from staging.stg_shopify__order_lines where order_id like 'one%' order by line_number"
    )
    assert lines == [
        (
            "one.example|gid://shopify/LineItem/3",
            False,
            "gid://shopify/Product/1",
            "gid://shopify/ProductVariant/2",
        ),
        ("one.example|gid://shopify/LineItem/39", True, None, None),
    ]


def test_every_variant_of_a_version_is_a_row(project: TinyProject) -> None:
    found = project.query(
        "select shop_name, sku, variant_title, price, currency, status"
        " from staging.stg_shopify__products order by price nulls last, sku"
    )
    assert found == [
        ("one.example", "A-1", None, Decimal("10.00"), "EUR", "active"),
        ("one.example", "A-2", None, Decimal("10.00"), "EUR", "active"),
        ("one.example", "A-1", None, Decimal("12.00"), "EUR", "active"),
        # Nothing is sold in it.
        ("one.example", None, None, None, "EUR", "active"),
    ]
