"""WooCommerce in the warehouse: orders, refunds, products and reviews of two shops, and the bodies
that its documentation publishes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract._woocommerce_pages import ORDERS, PRODUCTS, REFUNDS, REVIEWS, Kind, trimmed
from tests.warehouse.dbt_builds import TinyProject, tiny_project

CAUTIOUS = ("--indirect-selection", "cautious", "--select")
MODELS = [
    f"stg_woocommerce__{name}"
    for name in ("orders", "order_lines", "refund_lines", "products", "reviews")
]


def line(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "name": "Claude mug",
        "product_id": 11,
        "variation_id": 0,
        "quantity": 3,
        "subtotal": "10.00",
        "total": "8.00",
        "total_tax": "1.52",
        "sku": "SKU-CLAUDE",
    } | changes


def order(number: int, *, shop: str = "berlin", **changes: Any) -> dict[str, Any]:
    return {
        "id": number,
        "number": str(number),
        "status": "processing",
        "currency": "eur",
        "prices_include_tax": True,
        "date_created_gmt": "2026-01-04T23:30:00",
        "date_modified_gmt": "2026-01-05T09:00:00",
        "date_paid_gmt": None,
        "total": "13.52",
        "total_tax": "1.52",
        "discount_total": "2.00",
        "shipping_total": "4.00",
        "fee_lines": [],
        "line_items": [line(70)],
        "refunds": [],
        "_shop": shop,
    } | changes


def refunded(number: int, refunds: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    summary = [{"id": r["id"], "total": f"-{r['amount']}"} for r in refunds]
    return order(number, refunds=summary, _refunds=refunds, **changes)


REFUND_OF_A_LINE = {
    "id": 900,
    "date_created_gmt": "2026-01-06T08:00:00",
    "amount": "5.00",
    "line_items": [
        line(
            901,
            quantity=-1,
            total="-2.67",
            total_tax="-0.51",
            meta_data=[{"key": "_refunded_item_id", "value": "70"}],
        )
    ],
    "shipping_lines": [{"id": 902, "total": "-1.00", "total_tax": "0.00"}],
}
REFUND_OF_AN_AMOUNT = {
    "id": 910,
    "date_created_gmt": "2026-01-07T08:00:00",
    "amount": "2.00",
    "line_items": [],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(tmp_path_factory.mktemp("woocommerce"))
    kinds = (
        "on-hold",
        "pending",
        "failed",
        "cancelled",
        "refunded",
        "trash",
        "completed",
        "packed",
    )
    orders = [order(100 + n, status=status) for n, status in enumerate(kinds)]
    orders += [
        order(120, status="packed", date_paid_gmt="2026-01-05T08:00:00"),
        order(121, status=None, total="much", line_items="none", refunds=7, fee_lines={}),
        order(122, fee_lines=[{"total": "-1.00"}, {"total": "3.50"}]),
        order(123, line_items=[line(71, product_id=0, variation_id=0, sku="", quantity=0.5)]),
        refunded(130, [REFUND_OF_A_LINE, REFUND_OF_AN_AMOUNT]),
        {**refunded(131, [REFUND_OF_AN_AMOUNT]), "_refunds": None},
        order(140),
        order(140, shop="paris", line_items=[line(70, variation_id=12)]),
    ]
    project.land("woocommerce", "orders", orders, is_simulated=False)
    products = [
        {"id": 11, "name": "Mug", "type": "simple", "sku": "SKU-CLAUDE", "price": "10.00"},
        {"id": 12, "name": "Shirt", "type": "variable", "sku": "", "price": "5"},
        {"id": 121, "parent_id": 12, "sku": "SKU-CLAUDE", "attributes": [{"option": "red"}]},
        {"id": 122, "parent_id": 12, "sku": "SKU-9", "attributes": [{"option": "blue"}]},
        {"id": 13, "name": "Old", "sku": "SKU-APPLE", "status": "trash"},
        {"id": 14, "name": "Set", "type": "variable", "sku": "", "price": "5"},
        {"id": 141, "parent_id": 14, "sku": "SKU-CLAUDE"},
        {"id": 142, "parent_id": 14, "sku": "SKU-APPLE"},
    ]
    rows = [{"status": "publish", "_shop": "berlin", "parent_id": 0, **p} for p in products]
    project.land("woocommerce", "products", rows, is_simulated=False)
    reviews = [(1, 11, 5), (2, 12, 4), (3, 14, 0), (4, 99, 3)]
    project.land(
        "woocommerce",
        "reviews",
        [
            {
                "id": number,
                "product_id": product,
                "status": "approved",
                "reviewer": "Ann",
                "review": "<p>Good <b>mug</b></p>",
                "rating": stars,
                "verified": True,
                "date_created_gmt": "2026-01-05T09:00:00",
                "_shop": "berlin",
            }
            for number, product, stars in reviews
        ],
        is_simulated=False,
    )
    project.build("--indirect-selection", "cautious", "--select", *MODELS, "+int_reviews__unioned")
    return project


def sales_flags(project: TinyProject) -> dict[str, list[bool]]:
    rows = project.query(
        "select order_id, is_paid, is_cancelled, is_deleted from staging.stg_woocommerce__orders"
    )
    return {order_id: flags for order_id, *flags in rows}


def test_what_counts_as_a_sale(project: TinyProject) -> None:
    flags = sales_flags(project)
    sales = {
        key.removeprefix("berlin|10"): paid and not cancelled and not deleted
        for key, (paid, cancelled, deleted) in flags.items()
        if key.startswith("berlin|10")
    }
    names = (
        "on-hold",
        "pending",
        "failed",
        "cancelled",
        "refunded",
        "trash",
        "completed",
        "packed",
    )
    by_status = {names[int(key)]: is_sale for key, is_sale in sales.items()}
    assert {name for name, is_sale in by_status.items() if is_sale} == {"refunded", "completed"}
    assert flags["berlin|120"] == [True, False, False]
    assert flags["berlin|121"] == [False, False, False]


def test_two_shops_with_the_same_numbers_stay_apart(project: TinyProject) -> None:
    rows = project.query(
        "select order_line_id, shop_name, platform_product_id, platform_variant_id"
        " from staging.stg_woocommerce__order_lines join"
        " staging.stg_woocommerce__orders using (order_snapshot_key)"
        " where order_name = '140' order by all"
    )
    assert rows == [
        ("berlin|70", "berlin", "berlin|11", None),
        ("paris|70", "paris", "paris|11", "paris|12"),
    ]


def test_money_of_orders_and_lines(project: TinyProject) -> None:
    one = project.one("select * from staging.stg_woocommerce__orders where order_id = 'berlin|122'")
    assert (one["currency"], one["total_price"], one["total_shipping"], one["total_fees"]) == (
        "EUR",
        Decimal("13.52"),
        Decimal("4"),
        Decimal("2.5"),
    )
    assert one["processed_at"] == datetime(2026, 1, 4, 23, 30, tzinfo=UTC)
    assert (one["is_tax_included"], one["has_prices_with_tax"]) == (False, True)
    mug = project.one(
        "select * from staging.stg_woocommerce__order_lines where order_id = 'berlin|122'"
    )
    assert (mug["gross_amount"], mug["discount_amount"], mug["tax_amount"]) == (
        Decimal("10"),
        Decimal("2"),
        Decimal("1.52"),
    )
    assert mug["original_unit_price"] == Decimal("3.3333")
    custom = project.one(
        "select * from staging.stg_woocommerce__order_lines where order_id = 'berlin|123'"
    )
    assert (custom["is_custom_line"], custom["sku"], custom["quantity"]) == (
        True,
        None,
        Decimal("0.5"),
    )


def test_a_damaged_order_is_a_row_without_amounts(project: TinyProject) -> None:
    one = project.one("select * from staging.stg_woocommerce__orders where order_id = 'berlin|121'")
    assert (one["total_price"], one["total_refunded"], one["financial_status"]) == (None,) * 3


def test_the_parts_of_a_refund_add_up_to_it(project: TinyProject) -> None:
    rows = project.query(
        "select refund_line_id, refund_kind, order_line_id, quantity, refunded_amount,"
        " refunded_tax_amount, refunded_at from staging.stg_woocommerce__refund_lines"
        " where order_id = 'berlin|130' order by all"
    )
    found = {row[0].removeprefix("berlin|"): row[1:] for row in rows}
    assert {key: value[0] for key, value in found.items()} == {
        "900#line1": "line",
        "900#shipping1": "shipping",
        "900#adjustment0": "adjustment",
        "910#adjustment0": "adjustment",
    }
    assert found["900#line1"][1:5] == ("berlin|70", Decimal(1), Decimal("2.67"), Decimal("0.51"))
    assert found["900#adjustment0"][3] == Decimal("0.82")
    assert sum(row[4] + (row[5] or 0) for row in rows) == Decimal("7.00")
    assert found["910#adjustment0"][5] == datetime(2026, 1, 7, 8, tzinfo=UTC)


def test_a_refund_without_details_counts_by_its_summary(project: TinyProject) -> None:
    one = project.one(
        "select * from staging.stg_woocommerce__refund_lines where order_id = 'berlin|131'"
    )
    assert (one["refund_kind"], one["refunded_amount"]) == ("adjustment", Decimal("2"))
    assert one["refunded_at"] == datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_variations_belong_to_their_product(project: TinyProject) -> None:
    rows = project.query(
        "select platform_product_id, platform_variant_id, product_title, variant_title, is_deleted"
        " from staging.stg_woocommerce__products where record_id in"
        " ('berlin|12', 'berlin|121', 'berlin|13') order by record_id"
    )
    assert rows == [
        ("berlin|12", None, "Shirt", None, False),
        ("berlin|12", "berlin|121", None, "red", False),
        ("berlin|13", None, "Old", None, True),
    ]


def test_reviews_are_known_by_the_sku_of_their_product(project: TinyProject) -> None:
    rows = project.query(
        "select review_id, product_key, product_id, stars, text from"
        " intermediate.int_reviews__unioned where platform = 'woocommerce' order by review_id"
    )
    assert rows == [
        ("berlin|1", "SKU-CLAUDE", "claude", 5.0, "Good mug"),
        ("berlin|2", "SKU-CLAUDE", "claude", 4.0, "Good mug"),
        ("berlin|3", "berlin|14", None, None, "Good mug"),
        ("berlin|4", "berlin|99", None, 3.0, "Good mug"),
    ]


def test_increments_end_where_a_refresh_does(project: TinyProject) -> None:
    """An edited order is a new version; what was fetched twice is one row."""
    edited = order(140, total="99.00", date_modified_gmt="2026-01-08T09:00:00")
    project.land("woocommerce", "orders", [order(122), edited], is_simulated=False)
    again = refunded(130, [REFUND_OF_A_LINE, REFUND_OF_AN_AMOUNT])
    project.land("woocommerce", "orders", [again], is_simulated=False)
    project.build(*CAUTIOUS, *MODELS)
    before = {model: contents(project, model) for model in MODELS}
    project.build(*CAUTIOUS, *MODELS, "--full-refresh")
    assert {model: contents(project, model) for model in MODELS} == before
    versions = project.query(
        "select count(*) from staging.stg_woocommerce__orders where order_id = 'berlin|140'"
    )
    assert versions == [(2,)]


def contents(project: TinyProject, model: str) -> list[Any]:
    return project.query(
        f"select * exclude (_loaded_at, _load_id, _line_no) from staging.{model} order by all"
        if "reviews" not in model
        else f"select * exclude (_loaded_at, _load_id) from staging.{model} order by all"
    )


@pytest.mark.shared
def test_published_bodies_pass_staging(shared: Path, tmp_path: Path) -> None:
    def published(name: str, kind: Kind) -> dict[str, Any]:
        body = json.loads((shared / "fixtures" / "woocommerce" / name).read_text(encoding="utf-8"))
        return {**trimmed(body, kind), "_shop": "docs"}

    project = tiny_project(tmp_path)
    body = published("orders_0.json", ORDERS)
    refunds = json.loads(
        (shared / "fixtures" / "woocommerce" / "order-refunds_2.json").read_text(encoding="utf-8")
    )
    body["refunds"] = [{"id": r["id"], "total": f"-{r['amount']}"} for r in refunds]
    body["_refunds"] = [trimmed(refund, REFUNDS) for refund in refunds]
    assert "billing" not in body
    assert "order_key" not in body
    project.land("woocommerce", "orders", [body], is_simulated=False)
    project.land("woocommerce", "products", [published("products_0.json", PRODUCTS)])
    project.land("woocommerce", "reviews", [published("product-reviews_0.json", REVIEWS)])
    project.build(*CAUTIOUS, *MODELS)
    one = project.one("select * from staging.stg_woocommerce__orders")
    assert (one["order_id"], one["total_price"], one["is_paid"]) == (
        "docs|727",
        Decimal("29.35"),
        True,
    )
    assert one["created_at"] == datetime(2017, 3, 22, 19, 28, 2, tzinfo=UTC)
    lines = project.query(
        "select order_line_id, sku, platform_variant_id, gross_amount, discount_amount, tax_amount"
        " from staging.stg_woocommerce__order_lines order by line_number"
    )
    assert lines == [
        ("docs|315", None, None, Decimal("6"), Decimal(0), Decimal("0.45")),
        ("docs|316", "Bar3", "docs|23", Decimal("12"), Decimal(0), Decimal("0.90")),
    ]
    parts = project.query(
        "select refund_id, refund_kind, order_line_id, refunded_amount"
        " from staging.stg_woocommerce__refund_lines order by all"
    )
    assert parts == [
        ("docs|724", "line", "docs|311", Decimal("9")),
        ("docs|726", "adjustment", None, Decimal("10")),
    ]
    (review,) = project.query("select stars, body from staging.stg_woocommerce__reviews")
    assert review == (5.0, "Nice album!")
