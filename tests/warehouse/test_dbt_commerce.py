"""Sales of several shops and of exports in one warehouse: edits, refunds, SKUs, currencies."""

from __future__ import annotations

import csv
import json
import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from extract.datasets import DatasetMapping, dry_run, load_mapping
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
ONLINE_RETAIL_DAYS = "2010-12-0*"  # * is all of them


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


# Exports -----------------------------------------------------------------------------------------


def landed(
    project: TinyProject, mapping: Path | DatasetMapping, folder: Path | None = None
) -> None:
    """Land what a mapping makes of its files, set-based as the loader does."""
    beside = mapping.parent if isinstance(mapping, Path) else Path()
    found = dry_run(mapping, folder or beside, limit=1_000_000)
    assert not found.reasons
    project.land("datasets", "sales", [])
    table = pa.table(
        {
            "record_id": [
                f"{record['dataset']}|{record['line_id']}" for record in found.first_records
            ],
            "payload": [json.dumps(record) for record in found.first_records],
        }
    )
    with duckdb.connect(str(project.database)) as connection:
        connection.register("given", table)
        connection.execute(
            "insert into raw.datasets_sales select record_id, payload,"
            " timestamptz '2026-12-01 00:00:00+00', true, 'file', row_number() over (), 'run-1',"
            " (select max(load_id) from raw.load_log), timestamptz '2026-12-01 00:00:00+00'"
            " from given"
        )


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("exports") / "target",
        products=PRODUCTS,
        terms=[("mug", "MUG-OLIVE", "sku"), ("lamp", "desk lamp", "sku")],
        settings={"business_timezone": "America/Los_Angeles", "exchange_rates": "EUR:1.10"},
    )
    for name in ("shopify_export/orders", "amazon_seller/orders", "sheet/sales"):
        landed(project, repository / "examples" / f"{name}.yml")
    project.build("--indirect-selection", "cautious", "--select", *SELECTED)
    return project


def test_the_shopify_export_adds_up_to_the_cent(exports: TinyProject) -> None:
    """Order by order: gross, discounts, returns and taxes of the invented export."""
    found = {
        row[0]: row[1:]
        for row in exports.query(
            "select order_id, gross_sales, discounts, returns, taxes, shipping, exclusion_reason"
            " from marts.fct_orders where source = 'datasets/shopify_export'"
        )
    }
    cents = Decimal("0.01")
    # 6.13 of tax on 70.00 of goods and 5.00 of shipping: 5.72 on the goods.
    assert found["#1001"] == (80, 10, 0, 572 * cents, 5, None)
    # Of 7.00 of discounts 2.00 were for goods; 4.00 went back for nobody knows which line.
    assert found["#1002"] == (20, 2, 4, 158 * cents, 0, None)
    assert found["#1003"] == (20, 0, 20, 140 * cents, 5, None)
    assert found["#1004"] == (0, 0, 0, 0, 0, "cancelled_order")
    (refunded,) = exports.query(
        "select sum(returns_original) from marts.fct_refund_lines"
        " where source = 'datasets/shopify_export'"
    )
    assert refunded == (Decimal("26.75") + 4,)
    lines = exports.query(
        "select sum(quantity), sum(discounts) from marts.fct_order_lines where order_id = '#1001'"
    )
    assert lines == [(4, 10)]


def test_the_amazon_report_excludes_what_is_no_sale(exports: TinyProject) -> None:
    lines = exports.query(
        "select quantity, gross_sales, discounts, taxes, exclusion_reason"
        " from marts.fct_order_lines where source = 'datasets/amazon_orders' order by sold_at, sku"
    )
    assert lines == [
        (1, Decimal(20), 0, Decimal("1.75"), None),
        (2, Decimal(40), 4, Decimal("3.50"), None),
        (0, None, 0, 0, "cancelled_order"),
        (1, None, 0, 0, "pending_order"),
        # 23.80 EUR hold 3.80 of tax: 20.00, at 1.10.
        (1, Decimal(22), 0, Decimal("4.18"), None),
    ]


def test_a_day_of_the_sheet_is_that_day_in_every_zone(exports: TinyProject) -> None:
    days = sold(exports, "lamp")
    assert {day: row[0] for day, row in days.items()} == {
        date(2026, 3, 1): 4,
        date(2026, 3, 2): 3,
        date(2026, 3, 3): -1,
    }
    assert exports.query(
        "select exclusion_reason, count(*) from marts.fct_order_lines"
        " where source = 'datasets/sheet' group by all order by all"
    ) == [("nothing_sold", 1), (None, 4)]


# The real data set -------------------------------------------------------------------------------


@pytest.mark.shared
def test_online_retail_equals_an_independent_sum(
    tmp_path: Path, repository: Path, shared: Path
) -> None:
    """Day by day, to the cent, against sums in Python over the files of a week."""
    folder = shared / "data/online_retail"
    days = sorted(folder.glob(f"data/retail-data/by-day/{ONLINE_RETAIL_DAYS}.csv"))
    expected: dict[date, list[Decimal]] = {}
    for file in days:
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.DictReader(opened):
                code, price = row["StockCode"].strip().upper(), Decimal(row["UnitPrice"])
                quantity = Decimal(row["Quantity"])
                if not re.fullmatch(r"[0-9]{5}[A-Z]*|DCGS.*", code) or price <= 0:
                    continue
                is_return = row["InvoiceNo"].upper().startswith("C")
                if not is_return and quantity <= 0:
                    continue
                day = date.fromisoformat(row["InvoiceDate"][:10])
                sums = expected.setdefault(day, [Decimal(0)] * 3)
                money = abs(quantity * price).quantize(Decimal("0.01"), ROUND_HALF_UP)
                sums[0] += quantity
                sums[2 if is_return else 1] += money
    mapping = load_mapping(repository / "examples/online_retail/sales.yml").model_copy(
        update={"files": (f"data/retail-data/by-day/{ONLINE_RETAIL_DAYS}.csv",)}
    )
    project = tiny_project(
        tmp_path / "target",
        products=PRODUCTS,
        terms=[("mug", "85123A", "sku")],
        settings={"business_timezone": "Europe/London", "currency": "GBP"},
    )
    landed(project, mapping, folder)
    project.build("--indirect-selection", "cautious", "--select", *SELECTED)
    found = project.query(
        "select date_day, sum(units), sum(gross_sales), sum(returns), sum(net_sales)"
        " from marts.fct_daily_sales group by date_day order by date_day"
    )
    assert len(found) == len(expected) > 0
    for day, units, gross, returns, net in found:
        assert [units, gross, returns] == expected[day], day
        assert net == gross - returns
    assert project.query("select count(*) from marts.fct_daily_sales where is_mapped")[0][0] > 0
