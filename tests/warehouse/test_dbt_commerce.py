"""Sales of several shops and of exports in one warehouse: edits, refunds, SKUs, currencies."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.dbt_builds import TinyProject, tiny_project
from tests.warehouse.test_dbt_sales import FIRST_DAY, at, order

SELECTED = (
    "products",
    "terms",
    "dim_products",
    "stg_shopify__orders",
    "stg_shopify__order_lines",
    "stg_shopify__refund_lines",
    "stg_woocommerce__orders",
    "stg_woocommerce__order_lines",
    "stg_woocommerce__refund_lines",
    "stg_datasets__sales",
    "int_orders__current",
    "int_products__sales_keys",
    "int_products__sold_items",
    "int_orders__data_set_lines",
    "int_orders__exchange_rates",
    "int_orders__unioned_lines",
    "int_orders__unioned_refunds",
    "int_orders__lines",
    "int_orders__refund_lines",
    "int_sales__daily",
    "fct_orders",
    "fct_order_lines",
    "fct_refund_lines",
    "fct_daily_sales",
    "mart_unmapped_sales",
)
PRODUCTS = [
    {"product_id": name, "product_name": name, "brand": name, "category": "things"}
    for name in ("mug", "lamp", "vase", "pen")
]
TERMS = [
    ("mug", "MUG-1", "sku"),
    ("lamp", "a.example:LAMP-1", "sku"),
    ("vase", "*:VASE-1", "sku"),
    ("pen", "product:77", "sku"),
]
NOON = at(FIRST_DAY, 12)


def shopify(order_id: str, shop: str, lines: list[dict[str, Any]], **changes: Any) -> Any:
    """A node of one of two shops; a line may say what stayed of it."""
    node = order(order_id, NOON, lines, **changes)
    node["_shop"] = shop
    for line, item in zip(lines, node["lineItems"]["nodes"], strict=True):
        item["currentQuantity"] = line.get("current", item["quantity"])
        item["product"] = {"id": line["product"]} if "product" in line else None
        item["variant"] = None
        item["taxLines"] = []
    return node


def woocommerce(number: str, shop: str, sku: str, **changes: Any) -> Any:
    return {
        "id": number,
        "_shop": shop,
        "number": number,
        "status": "processing",
        "currency": "USD",
        "total": "20.00",
        "discount_total": "0.00",
        "shipping_total": "5.00",
        "date_created_gmt": "2026-01-05T12:00:00",
        "date_modified_gmt": "2026-01-05T12:00:00",
        "date_paid_gmt": "2026-01-05T12:00:00",
        "line_items": [
            {
                "id": f"9{number}",
                "name": sku,
                "product_id": "5",
                "variation_id": "0",
                "quantity": "3",
                "subtotal": "20.00",
                "total": "20.00",
                "total_tax": "0.00",
                "sku": sku,
            }
        ],
        "refunds": [],
    } | changes


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("shops") / "target",
        products=PRODUCTS,
        terms=TERMS,
        settings={"business_timezone": "America/New_York"},
    )
    big = {"at": at(FIRST_DAY, 15), "quantity": 9, "amount": "500.00"}
    project.land(
        "shopify",
        "orders",
        [
            # Three were ordered; one was edited away and one given back.
            shopify(
                "o1",
                "a.example",
                [{"sku": "LAMP-1", "quantity": 3, "current": 1, "price": "10.00"}],
                refunds=[{"at": at(FIRST_DAY, 15), "quantity": 1, "amount": "10.00"}],
            ),
            # The same SKU in another shop is another article.
            shopify("o1", "b.example", [{"sku": "LAMP-1", "price": "900.00"}]),
            shopify("o2", "a.example", [{"sku": "MUG-1", "price": "4.00"}]),
            shopify("o3", "a.example", [{"sku": "VASE-1", "price": "7.00"}]),
            # A product that was deleted sells by its SKU, one without a SKU by its number.
            shopify(
                "o4",
                "a.example",
                [
                    {"sku": None, "price": "2.00", "product": "gid://shopify/Product/77"},
                    {"sku": "GONE-1", "price": "3.00"},
                ],
            ),
            shopify("o5", "b.example", [{"sku": "VASE-1", "price": "7.00"}], refunds=[big]),
        ],
    )
    project.land(
        "woocommerce",
        "orders",
        [
            woocommerce("1", "w.example", "MUG-1"),
            woocommerce("2", "w.example", "OTHER", status="pending", date_paid_gmt=None),
            woocommerce("3", "w.example", "OTHER", status="on-hold", date_paid_gmt=None),
        ],
    )
    project.land(
        "datasets",
        "sales",
        [
            {
                "dataset": "sheet",
                "line_id": "1",
                "product_key": "lamp",
                "quantity": 4,
                "amount": "40",
                "sold_on": "2026-01-05",
            },
            {
                "dataset": "sheet",
                "line_id": "2",
                "product_key": "lamp",
                "quantity": -1,
                "amount": "-10",
                "sold_on": "2026-01-06",
            },
        ],
    )
    project.build("--indirect-selection", "cautious", "--select", *SELECTED)
    return project


def sold(project: TinyProject, product: str | None) -> dict[date, tuple[Any, ...]]:
    rows = project.query(
        "select date_day, units, gross_sales, returns, net_sales, orders_count,"
        " average_order_value from marts.fct_daily_sales"
        " where product_id is not distinct from ?",
        [product],
    )
    return {row[0]: row[1:] for row in rows}


def test_an_edit_changes_the_day_and_is_not_taken_off_twice(shops: TinyProject) -> None:
    """Shop a sold two of three lamps and took one back; the sheet sold four and took one."""
    days = sold(shops, "lamp")
    lines = shops.one(
        "select ordered_quantity, removed_quantity, quantity, gross_sales"
        " from marts.fct_order_lines where order_id = 'a.example|o1'"
    )
    assert list(lines.values()) == [3, 1, 2, Decimal("20.00")]
    assert days[FIRST_DAY][:4] == (2 - 1 + 4, Decimal(60), Decimal(10), Decimal(50))
    assert days[date(2026, 1, 6)][:4] == (-1, 0, Decimal(10), Decimal(-10))
    # The sheet has no order numbers: orders of the day are unknown, not one.
    assert days[FIRST_DAY][4:] == (None, None)


def test_a_sku_of_two_shops_counts_where_the_catalogue_says(shops: TinyProject) -> None:
    unmapped = {
        (row[0], row[1]): row[2:]
        for row in shops.query(
            "select shop_name, sku, unmapped_reason, suggested_term, gross_sales"
            " from marts.mart_unmapped_sales"
        )
    }
    assert unmapped["b.example", "LAMP-1"] == ("not_in_catalogue", "LAMP-1", Decimal(900))
    for shop, gross in (("a.example", 4), ("w.example", 20)):
        assert unmapped[shop, "MUG-1"] == (
            "sku_of_several_shops",
            f"{shop}:MUG-1",
            Decimal(gross),
        )
    assert unmapped["a.example", "GONE-1"][0] == "not_in_catalogue"
    assert sold(shops, "mug") == {}
    assert sold(shops, "vase")[FIRST_DAY][4:] == (2, Decimal(7))
    assert sold(shops, "pen")[FIRST_DAY][0] == 1


def test_a_refund_larger_than_its_order_stands_apart(shops: TinyProject) -> None:
    refund = shops.one("select * from marts.fct_refund_lines where order_id = 'b.example|o5'")
    assert (refund["quantity"], refund["quantity_beyond_order"]) == (1, 8)
    assert (refund["returns"], refund["returns_beyond_order"]) == (Decimal(7), Decimal(493))
    assert refund["is_beyond_order"]
    assert refund["is_counted"]
    whole = shops.one("select * from marts.fct_orders where order_key = 'shopify|b.example|o5'")
    assert (whole["net_sales"], whole["returns_beyond_order"]) == (0, Decimal(493))


def test_orders_of_two_platforms_have_one_shape(shops: TinyProject) -> None:
    found = shops.query(
        "select order_key, gross_sales, shipping, exclusion_reason from marts.fct_orders"
        " where source = 'woocommerce' order by order_key"
    )
    assert found == [
        ("woocommerce|w.example|1", Decimal(20), Decimal(5), None),
        ("woocommerce|w.example|2", Decimal(0), Decimal(5), "pending_order"),
        ("woocommerce|w.example|3", Decimal(20), Decimal(5), None),
    ]


def test_a_source_that_names_no_currency_is_flagged(shops: TinyProject) -> None:
    assert shops.query(
        "select source, bool_or(is_currency_assumed) from marts.fct_order_lines"
        " group by source order by source"
    ) == [("datasets/sheet", True), ("shopify", False), ("woocommerce", False)]


def test_a_later_edit_moves_the_day_of_the_order(tmp_path: Path) -> None:
    """The same order fetched again after an edit replaces what the day had."""
    project = tiny_project(tmp_path / "target", products=PRODUCTS, terms=TERMS)
    line = {"sku": "MUG-1", "quantity": 5, "price": "4.00"}
    later = at(FIRST_DAY, 18).isoformat()
    project.land("shopify", "orders", [shopify("o1", "a.example", [line])])
    project.land(
        "shopify",
        "orders",
        [shopify("o1", "a.example", [line | {"current": 2}], updatedAt=later)],
    )
    project.build("--indirect-selection", "cautious", "--select", *SELECTED)
    assert sold(project, "mug") == {
        FIRST_DAY: (2, Decimal(8), Decimal(0), Decimal(8), 1, Decimal(8))
    }
