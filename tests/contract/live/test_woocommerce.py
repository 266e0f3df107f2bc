"""What is WooCommerce's own: customers stay out, seconds with many orders, old shops, several
shops, details of refunds and variations, the trash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from extract import woocommerce
from extract._outcomes import FixError, RetryError, StopError
from tests.contract.live import suite
from tests.contract.live.platforms import WooCommerce
from tests.contract.live.platforms.base import ago
from tests.contract.live.platforms.woocommerce import SECRET, stamp
from tests.contract.live.server import START, Reply, Request, json_reply

ORDERS = "woocommerce/orders"


class Busy(WooCommerce):
    """A shop whose orders a program changed at one stroke: 11 of 16 share a second."""

    def orders(self) -> list[dict[str, Any]]:
        found = []
        for number in range(16):
            minute = 60 if 2 < number < 14 else 100 - number
            found.append(self._order(number, minute))
        return found


def landed(result: suite.Result, stream: str = ORDERS) -> dict[str, Any]:
    return {key: json.loads(text) for name, key, text in result.landed if name == stream}


def test_customers_do_not_land_even_from_a_shop_that_ignores_what_is_asked() -> None:
    platform = WooCommerce(ignores=("_fields",))
    with suite.on(platform) as server:
        result = suite.pull(platform)
        asked = {field for r in server.requests for field in r.query["_fields"].split(",")}
    assert result.error is None
    everything = json.dumps(result.landed)
    for word in ("Ada", "203.0.113", "ring twice", "DE123", "ada@", "engraving", "unhappy"):
        assert word not in everything, word
    assert not asked & {"billing", "shipping", "customer_ip_address", "meta_data", "customer_id"}
    whole, _ = suite.undisturbed(WooCommerce)
    suite.same(result, whole)


def test_a_bad_record_is_refused_without_its_customer() -> None:
    platform = WooCommerce(ignores=("_fields",), quirk="missing_fields")
    with suite.on(platform):
        result = suite.pull(platform)
    assert [reject.reason for reject in result.rejects] == ["it has no id"]
    assert "Ada" not in result.rejects[0].text


def test_refunds_join_their_order() -> None:
    result, _ = suite.undisturbed(WooCommerce)
    (refund,) = landed(result)["acme|895"]["_refunds"]
    assert refund["amount"] == "11.90"
    assert refund["line_items"][0]["meta_data"] == [{"key": "_refunded_item_id", "value": "7005"}]
    assert landed(result)["acme|895"]["refunds"] == [{"id": 990, "total": "-11.90"}]
    assert "_refunds" not in landed(result)["acme|900"]


def test_variations_name_their_product() -> None:
    result, _ = suite.undisturbed(WooCommerce)
    products = landed(result, "woocommerce/products")
    assert products["acme|121"]["parent_id"] == 12
    assert products["acme|14"]["status"] == "trash"


@pytest.mark.parametrize("size", [2, 3, 4, 7])
def test_a_second_with_more_orders_than_a_page_is_read_whole(size: int) -> None:
    platform = Busy(size=size)
    with suite.on(platform):
        result = suite.pull(platform)
        assert result.error is None, result.error
        assert len(landed(result)) == 16
        assert suite.pull(platform, result.cursor).landed == []


@pytest.mark.parametrize("at", range(2, 9))
def test_orders_that_leave_a_crowded_second_shift_none_out_of_sight(at: int) -> None:
    """The order with the lowest number is edited between two pages: all others move up."""
    platform = Busy(size=3)
    with suite.on(platform) as server:

        def edited(reply: Reply, _number: int) -> Reply:
            for number in (887, 888):
                platform.changes[number] = {"date_modified_gmt": stamp(START), "number": "edited"}
            return reply

        suite.with_fault(platform, server, edited, at, 1)
        result = suite.pull(platform)
        suite.healed(platform, server)
        again = suite.pull(platform, result.cursor)
    found = landed(result + again)
    assert len(found) == 16
    assert {found[f"acme|{number}"]["number"] for number in (887, 888)} == {"edited"}


@pytest.mark.parametrize("counts_pages", [True, False])
def test_a_shop_that_does_not_tell_its_pages(counts_pages: bool) -> None:
    expected, _ = suite.undisturbed(WooCommerce)
    platform = WooCommerce(counts_pages=counts_pages)
    with suite.on(platform):
        suite.same(suite.pull(platform), expected)
    platform = Busy(size=3, counts_pages=counts_pages)
    with suite.on(platform):
        assert len(landed(suite.pull(platform))) == 16


def test_an_old_shop_that_cannot_sort_by_change_is_read_by_number() -> None:
    expected, _ = suite.undisturbed(WooCommerce)
    old = {"refuses": ("modified",), "ignores": ("modified_after", "modified_before")}
    platform = WooCommerce(**old)
    with suite.on(platform) as server:
        result = suite.pull(platform)
        suite.same(result, expected)
        first = len(server.requests)
        # Passed already when it changes, while a younger one still comes.
        suite.with_fault(platform, server, lambda r, n: (platform.edit(), r)[1], 3, 1)
        again = suite.pull(platform, result.cursor)
        suite.healed(platform, server)
        last = suite.pull(platform, again.cursor)
        assert len(server.requests) > first
    edited = landed(again + last)
    assert edited["acme|894"]["number"] == "1006 (edited)"


def test_an_order_that_goes_to_the_trash_comes_again() -> None:
    platform = WooCommerce()
    with suite.on(platform):
        first = suite.pull(platform)
        platform.changes[900] = {"status": "trash", "date_modified_gmt": stamp(START)}
        second = suite.pull(platform, first.cursor)
    assert {key: order["status"] for key, order in landed(second).items()} == {"acme|900": "trash"}


def test_a_shop_that_keeps_the_refunds_of_an_order_to_itself_says_so() -> None:
    platform = WooCommerce()
    with suite.on(platform) as server:

        def without(request: Request) -> Reply:
            return json_reply([]) if "/refunds" in request.path else platform.answer(request)

        server.respond = without
        result = suite.pull(platform)
    assert result.error is None
    assert any("refunds of 895" in note for note in result.notes)
    assert "_refunds" not in landed(result)["acme|895"]
    assert len(landed(result)) == 9


def test_orders_read_before_their_budget_ended_are_kept(tmp_path: Path) -> None:
    """A page takes as many requests as it has refunded orders; a small budget still gets on."""

    class AllRefunded(WooCommerce):
        def orders(self) -> list[dict[str, Any]]:
            refund = {"id": 990, "total": "-11.90"}
            return [order | {"refunds": [refund]} for order in super().orders()]

        def refunds(self, order_id: int) -> list[dict[str, Any]]:
            return super().refunds(895)

    platform = AllRefunded(size=8)
    with suite.on(platform) as server:
        result = suite.pull(platform, folder=tmp_path, requests=4)
        assert isinstance(result.error, StopError)
        assert len(landed(result)) == 3
        assert len(server.requests) == 4
        after = suite.pull(platform, result.cursor)
        assert len(landed(result + after)) == 9
        assert max((result + after).counts.values()) == 1


def test_a_review_that_is_approved_late_is_found() -> None:
    class Moderated(WooCommerce):
        is_approved = False

        def reviews(self) -> list[dict[str, Any]]:
            late = {**super().reviews()[0], "id": 250}
            late["date_created_gmt"] = stamp(ago(days=20))
            return [*super().reviews(), *([late] if self.is_approved else [])]

    platform = Moderated()
    with suite.on(platform):
        first = suite.pull(platform)
        platform.is_approved = True
        second = suite.pull(platform, first.cursor)
    assert set(landed(second, "woocommerce/reviews")) == {"acme|250"}


def test_products_are_read_again_after_a_week() -> None:
    platform = WooCommerce()
    with suite.on(platform) as server:
        first = suite.pull(platform)
        suite.pull(platform, first.cursor)
        usual = [r for r in server.requests if r.path.endswith("/products")][-2]
        assert "modified_after" in usual.query
        platform.time.pass_time(8 * 86_400)
        suite.pull(platform, first.cursor)
        full = [r for r in server.requests if r.path.endswith("/products")][-2]
        assert "modified_after" not in full.query


def test_a_backfill_is_by_the_day_an_order_was_placed() -> None:
    platform = WooCommerce()
    platform.changes[893] = {"date_modified_gmt": stamp(START)}
    with suite.on(platform):
        window = {"since": ago(minutes=500), "until": ago(minutes=300)}
        result = suite.pull(platform, context=window)
    assert result.ids == {(ORDERS, "acme|893")}


def two_shops(first: WooCommerce, second: WooCommerce) -> dict[str, Any]:
    for platform in (first, second):
        for name in ("NORTH", "SOUTH"):
            prefix = f"SOCIAL_SIGNALS_WOOCOMMERCE_{name}"
            for end in ("API_KEY", "API_SECRET"):
                whole = platform.environment[f"SOCIAL_SIGNALS_WOOCOMMERCE_{end}"]
                platform.environment[f"{prefix}_{end}"] = whole
    shops = {"north": {"base_url": first.url}, "south": {"base_url": second.url}}
    return {"base_url": None, "shop_name": "", "shops": shops}


def test_two_shops_with_the_same_numbers_both_land_and_one_that_fails_stops_nobody() -> None:
    first, second = WooCommerce(), WooCommerce()
    with suite.on(first) as north, suite.on(second):
        settings = two_shops(first, second)
        result = suite.pull(first, **settings)
        assert result.error is None
        assert len(landed(result)) == 18
        for reply, outcome in (
            (json_reply({"message": "no"}, 401), FixError),
            (Reply(503), RetryError),
        ):
            north.respond = lambda request, reply=reply: reply
            partly = suite.pull(first, **settings)
            assert isinstance(partly.error, outcome)
            assert "north" in str(partly.error)
            assert set(landed(partly)) == {key for key in landed(result) if "south" in key}


def test_settings_that_cannot_work_are_named() -> None:
    platform = WooCommerce(url="http://127.0.0.1:1")
    assert isinstance(suite.pull(platform, base_url=None).error, FixError)
    twice = {"shops": {"acme": {"base_url": "https://a.example"}}}
    assert "same name" in str(suite.pull(platform, **twice).error)
    with pytest.raises(ValueError, match="not encrypted"):
        platform.settings(base_url="http://shop.example")


def test_a_shop_in_the_table_has_variables_of_its_own() -> None:
    platform = WooCommerce(url="http://127.0.0.1:1")
    shops = {"berlin": {"base_url": platform.url}}
    probe = woocommerce.probe(
        platform.settings(base_url=None, shops=shops), platform.context(environment={})
    )
    assert probe.missing == (
        "SOCIAL_SIGNALS_WOOCOMMERCE_BERLIN_API_KEY",
        "SOCIAL_SIGNALS_WOOCOMMERCE_BERLIN_API_SECRET",
    )
    shops = {"berlin": {"base_url": platform.url, "variables": "OTHER"}}
    probe = woocommerce.probe(
        platform.settings(base_url=None, shops=shops), platform.context(environment={})
    )
    assert probe.missing == ("OTHER_API_KEY", "OTHER_API_SECRET")


def test_a_plan_counts_and_a_probe_asks_once() -> None:
    platform = WooCommerce()
    with suite.on(platform) as server:
        planned = woocommerce.plan(platform.settings(), {}, platform.context())
        assert [part.units for part in planned] == [
            {"orders": 8},
            {"orders": 1},
            {"products": 3},
            {"products": 1},
            {"reviews": 5},
        ]
        assert len(server.requests) == 5
        probe = woocommerce.probe(platform.settings(), platform.context())
        assert (probe.is_configured, probe.is_reachable, probe.is_authorised) == (True,) * 3
        assert len(server.requests) == 6
        server.respond = lambda request: json_reply({"message": SECRET}, 401)
        refused = woocommerce.probe(platform.settings(), platform.context())
        assert refused.is_authorised is False
        assert SECRET not in refused.message
    platform.environment.clear()
    with suite.on(platform):
        assert woocommerce.probe(platform.settings(), platform.context()).missing == (
            woocommerce.CREDENTIALS
        )


@pytest.mark.shared
def test_published_bodies_land_without_their_customers(shared: Path) -> None:
    def body(name: str) -> Any:
        return json.loads((shared / "fixtures" / "woocommerce" / name).read_text(encoding="utf-8"))

    routes = {
        "/orders": "orders_2.json",
        "/products": "products_3.json",
        "/products/reviews": "product-reviews_2.json",
        "/orders/723/refunds": "order-refunds_2.json",
    }
    platform = WooCommerce()
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            path = request.path.removeprefix("/wp-json/wc/v3")
            if request.query.get("status") == "trash" or request.query.get("page") != "1":
                return json_reply([])
            if path.endswith("/variations"):
                product = int(path.split("/")[2])
                whole = next(p for p in body("products_3.json") if p["id"] == product)
                first = whole["variations"][0]
                return json_reply([{"id": first, "sku": "V-1", "price": "3.00"}])
            return json_reply(body(routes[path]))

        server.respond = respond
        result = suite.pull(platform)
    assert result.error is None, result.error
    orders = landed(result)
    assert set(orders) == {f"acme|{order['id']}" for order in body("orders_2.json")}
    assert orders["acme|723"]["_refunds"][0]["amount"] == "10.00"
    everything = json.dumps(result.landed)
    for order in body("orders_2.json"):
        assert orders[f"acme|{order['id']}"]["total"] == order["total"]
        assert order["billing"]["email"] not in everything
        assert order["order_key"] not in everything
    assert len(landed(result, "woocommerce/reviews")) == len(body("product-reviews_2.json"))
