"""The money and the changes of simulated orders add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract import simulated
from extract.base import Context, Product, Record
from extract.simulated import Settings
from extract.simulated.shop import decimal_text

CATALOGUE = tuple(
    Product(
        f"product-{number}",
        f"Product {number}",
        "Brand",
        "AI checkout",
        {
            "keyword": (f"product{number}",),
            "sku": tuple(f"P{number}-{k}" for k in range(number % 3 + 1)),
        },
    )
    for number in range(6)
)


def pull(folder: Path, **changes: Any) -> list[Record]:
    context = Context(
        run_id="run",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=CATALOGUE,
        root=folder,
        truth_path=folder / "truth.json",
        business_timezone="Europe/Berlin",
    )
    settings = Settings(**{"days": 60, "posts_per_product_day": 0, **changes})
    return [
        record
        for page in simulated.pull(settings, {}, context)
        for record in page.records
        if record.stream == "shopify/orders"
    ]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return pull(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def latest(records: list[Record]) -> list[dict[str, Any]]:
    return list({record.record_id: record.payload for record in records}.values())


def shop_money(bag: dict[str, Any]) -> Decimal:
    assert isinstance(bag["shopMoney"]["amount"], str)
    return Decimal(bag["shopMoney"]["amount"])


def lines_of(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from order["lineItems"]["nodes"]


def discounts_of(line: dict[str, Any]) -> Decimal:
    return sum(
        (shop_money(one["allocatedAmountSet"]) for one in line["discountAllocations"]), Decimal(0)
    )


def taxes_of(line: dict[str, Any]) -> Decimal:
    return sum((shop_money(one["priceSet"]) for one in line["taxLines"]), Decimal(0))


def test_lines_minus_discounts_plus_taxes_are_the_order(latest: list[dict[str, Any]]) -> None:
    assert len(latest) > 5000
    for order in latest:
        for line in lines_of(order):
            unit = shop_money(line["originalUnitPriceSet"])
            assert shop_money(line["originalTotalSet"]) == unit * line["quantity"]
            assert Decimal(0) <= discounts_of(line) <= unit * line["quantity"]
        gross = sum(shop_money(line["originalTotalSet"]) for line in lines_of(order))
        discounts = sum(discounts_of(line) for line in lines_of(order))
        taxes = sum(taxes_of(line) for line in lines_of(order))
        assert shop_money(order["totalDiscountsSet"]) == discounts
        assert shop_money(order["subtotalPriceSet"]) == gross - discounts
        assert shop_money(order["totalTaxSet"]) == taxes
        assert shop_money(order["totalPriceSet"]) == gross - discounts + taxes


def test_discounted_totals_leave_out_discounts_by_code(latest: list[dict[str, Any]]) -> None:
    for order in latest:
        for line in lines_of(order):
            by_promotion = sum(
                shop_money(one["allocatedAmountSet"])
                for one in line["discountAllocations"]
                if one["discountApplication"]["allocationMethod"] == "EACH"
            )
            expected = shop_money(line["originalTotalSet"]) - by_promotion
            assert shop_money(line["discountedTotalSet"]) == expected


def test_refunds_are_never_more_than_was_paid_or_ordered(latest: list[dict[str, Any]]) -> None:
    refunded_orders = 0
    for order in latest:
        returned: Counter[str] = Counter()
        total = Decimal(0)
        for refund in order["refunds"]:
            nodes = refund["refundLineItems"]["nodes"]
            money = sum(
                shop_money(node["subtotalSet"]) + shop_money(node["totalTaxSet"]) for node in nodes
            )
            if nodes:
                assert shop_money(refund["totalRefundedSet"]) == money
            total += shop_money(refund["totalRefundedSet"])
            for node in nodes:
                returned[node["lineItem"]["id"]] += node["quantity"]
        refunded_orders += total > 0
        assert shop_money(order["totalRefundedSet"]) == total
        assert total <= shop_money(order["totalPriceSet"]) + Decimal("5.00")
        if order["cancelledAt"] is None:
            assert shop_money(order["currentTotalPriceSet"]) == max(
                Decimal(0), shop_money(order["totalPriceSet"]) - total
            )
            for line in lines_of(order):
                assert line["currentQuantity"] == line["quantity"] - returned[line["id"]] >= 0
        else:
            assert all(line["currentQuantity"] == 0 for line in lines_of(order))
    assert 0.02 < refunded_orders / len(latest) < 0.09


def test_a_full_refund_gives_back_exactly_what_was_paid(latest: list[dict[str, Any]]) -> None:
    full = [order for order in latest if order["displayFinancialStatus"] == "REFUNDED"]
    assert len(full) > 20
    for order in full:
        assert shop_money(order["totalRefundedSet"]) >= shop_money(order["totalPriceSet"])
        assert shop_money(order["currentTotalPriceSet"]) == 0


def test_changes_arrive_later_with_a_later_updated_at(records: list[Record]) -> None:
    versions: dict[str, list[Record]] = {}
    for record in records:
        versions.setdefault(record.record_id, []).append(record)
    changed = [found for found in versions.values() if len(found) > 1]
    assert len(changed) > 100
    for found in changed:
        stamps = [record.payload["updatedAt"] for record in found]
        assert stamps == sorted(set(stamps))
        assert len({record.fetched_at for record in found}) == len(found)
        assert len({record.payload["createdAt"] for record in found}) == 1
    for record in records:
        assert datetime.fromisoformat(record.payload["updatedAt"]) <= record.fetched_at


def test_kinds_of_orders(latest: list[dict[str, Any]]) -> None:
    count = len(latest)
    lines = Counter(len(order["lineItems"]["nodes"]) for order in latest)
    assert set(lines) == {1, 2, 3}
    statuses = Counter(order["displayFinancialStatus"] for order in latest)
    assert {"PAID", "PARTIALLY_REFUNDED", "REFUNDED", "VOIDED"} <= set(statuses)
    assert 0.005 < sum(order["cancelledAt"] is not None for order in latest) / count < 0.03
    assert 5 < sum(order["test"] for order in latest) < 40
    assert any(line["quantity"] > 3 for order in latest for line in lines_of(order))
    assert any(len({line["sku"][:2] for line in lines_of(order)}) > 1 for order in latest)
    assert any(order["customer"] is None for order in latest)
    foreign = {order["presentmentCurrencyCode"] for order in latest} - {"USD"}
    assert foreign
    for order in latest:
        bag = order["totalPriceSet"]
        assert bag["shopMoney"]["currencyCode"] == "USD" == order["currencyCode"]
        assert bag["presentmentMoney"]["currencyCode"] == order["presentmentCurrencyCode"]


def test_ids_are_unique(latest: list[dict[str, Any]]) -> None:
    line_ids = [line["id"] for order in latest for line in lines_of(order)]
    refund_ids = [refund["id"] for order in latest for refund in order["refunds"]]
    names = [order["name"] for order in latest]
    for ids in (line_ids, refund_ids, names):
        assert len(ids) == len(set(ids))


def test_orders_lie_on_business_days(tmp_path: Path) -> None:
    records = pull(tmp_path, days=3, start_date=date(2026, 3, 28))  # clocks change on the 29th
    first = min(record.payload["createdAt"] for record in records)
    last = max(record.payload["createdAt"] for record in records)
    assert first >= "2026-03-27T23:00:00Z"
    assert last < "2026-03-30T22:00:00Z"


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "USD", "0.00"),
        (5, "USD", "0.05"),
        (123456, "EUR", "1234.56"),
        (1990, "JPY", "1990"),
        (1990, "KWD", "19.900"),
    ],
)
def test_decimal_text(minor: int, currency: str, text: str) -> None:
    assert decimal_text(minor, currency) == text


def test_a_shop_in_yen_has_no_decimals(tmp_path: Path) -> None:
    records = pull(tmp_path, days=3, currency="JPY", geo="JP")
    amounts = {record.payload["totalPriceSet"]["shopMoney"]["amount"] for record in records}
    assert amounts
    assert all(amount.isdigit() for amount in amounts)
