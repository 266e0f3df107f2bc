"""The benchmark of a shop's orders, small: every total equals the generator's, and a wrong one
shows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from benchmarks import shop_orders
from benchmarks._shop_world import MEASURES, World, totals


def test_generated_orders_reach_the_marts_to_the_cent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for variable in (*shop_orders.VARIABLES, "SOCIAL_SIGNALS_DATA"):
        monkeypatch.setenv(variable, "")
    wrong = shop_orders.measure(300, 5, "always", tmp_path, left_out=("unit_test", "test"))
    said = capsys.readouterr().out
    assert wrong == 0, said
    assert "requests refused for want of points: 0" in said
    assert said.count("product days equal") == 4


def test_the_world_holds_every_kind_of_order() -> None:
    world = World(5, 300)
    before = totals(world.orders)
    assert world.edit() >= 10
    orders = world.orders
    assert any(order.is_test for order in orders)
    assert any(order.cancelled for order in orders)
    assert any(order.is_inclusive for order in orders)
    assert any(order.is_edited and line.removed for order in orders for line in order.lines)
    assert any(len(order.lines) > 100 for order in orders)
    refunds = [refund for order in orders for refund in order.refunds]
    assert any(refund.lines for refund in refunds)
    assert any(refund.shipping for refund in refunds)
    assert any(refund.is_unnamed and refund.adjustment for refund in refunds)
    after = totals(orders)
    assert after != before
    assert any(product is None for product, _ in after)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_cent_too_many_is_a_difference(tmp_path: Path, measure: str) -> None:
    day = date(2026, 11, 1)
    row = dict.fromkeys(MEASURES, Decimal(7))
    database = tmp_path / "work.duckdb"
    shown = row | {"net_sales": row["gross_sales"] - row["discounts"] - row["returns"]}
    shown |= {"units": row["gross_units"] - row["returned_units"]}
    shown |= {
        "net_sales_by_order_date": row["gross_sales"]
        - row["discounts"]
        - shown.pop("returns_by_order_date")
    }
    with duckdb.connect(str(database)) as connection:
        columns = ", ".join(f"cast({value} as decimal(18, 3)) as {k}" for k, value in shown.items())
        connection.execute(
            f"create table sales as select 'mug' as product_id, ? as date_day, {columns}", [day]
        )
    expected = {("mug", day): row}
    assert shop_orders.differences(database, expected, "sales") == ([], 1)
    expected = {("mug", day): row | {measure: row[measure] + Decimal("0.01")}}
    wrong, same = shop_orders.differences(database, expected, "sales")
    assert same == 0
    assert len(wrong) == 1
    assert measure in wrong[0]
