"""Shopify: queries against its schemas, points, pages within pages, bulk, logins, shops."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from graphql import build_client_schema, parse, validate
from graphql.validation import NoDeprecatedCustomRule

from extract import _shopify_bulk, _shopify_queries, shopify
from extract._outcomes import FixError, WaitError
from extract.base import ExtractError
from tests.contract.live import suite
from tests.contract.live.platforms import Shopify, ShopifyBulk
from tests.contract.live.platforms.base import ago
from tests.contract.live.platforms.shopify import line, order, product, refund
from tests.contract.live.server import Reply, Request, json_reply, serving
from tests.contract.live.shopify_wire import Node

CLIENT = {
    "SOCIAL_SIGNALS_SHOPIFY_CLIENT_ID": "an-id-of-ours",
    "SOCIAL_SIGNALS_SHOPIFY_CLIENT_SECRET": "shpss_very_secret",
}


def orders_of(result: suite.Result) -> dict[str, Any]:
    return {
        record_id: json.loads(payload)
        for stream, record_id, payload in result.landed
        if stream == "shopify/orders"
    }


def many_orders(count: int, *, a_second: int = 1) -> list[Node]:
    """Orders of which so many share each second."""
    return [
        order(n, ago(hours=9), ago(seconds=n // a_second), [line(10 * n, "A-1-0")])
        for n in range(count)
    ]


@pytest.mark.shared
@pytest.mark.parametrize("version", ["2026-07", "2026-10"])
def test_every_query_is_valid_and_free_of_deprecated_fields(shared: Path, version: str) -> None:
    path = shared / "specs" / f"shopify_admin_{version}_introspection.json.gz"
    content = json.loads(gzip.decompress(path.read_bytes()))
    schema = build_client_schema(content.get("data", content), assume_valid=True)
    for text in _shopify_queries.ALL:
        document = parse(text)
        assert validate(schema, document) == []
        assert validate(schema, document, [NoDeprecatedCustomRule]) == []


def test_nothing_of_customers_is_asked_for() -> None:
    for text in _shopify_queries.ALL:
        for word in ("customer", "email", "phone", "address", "note", "tags", "customAttributes"):
            assert word.lower() not in text.lower().replace("notes", "")


@pytest.mark.parametrize("status", [200, 429])
@pytest.mark.parametrize("make", [Shopify, ShopifyBulk])
def test_no_request_leaves_while_the_bucket_is_short(make: type[Shopify], status: int) -> None:
    """The stand-in refuses whatever its bucket cannot pay; nothing is refused, and nothing waits
    longer than the points take."""
    platform = make()
    wire = platform.wire
    wire.maximum, wire.restore_per_s, wire.throttled_status = 1_000.0, 50.0, status
    wire.orders = lambda: many_orders(400)  # type: ignore[method-assign]
    with suite.on(platform):
        result = suite.pull(platform, page_size=25)
        assert result.error is None, result.error
        assert len(orders_of(result)) == 400
    assert wire.refused == 0
    assert wire.dearest_asked > 500
    slept = sum(platform.time.slept)
    if make is Shopify:
        assert 50 < slept < 400 * 40 / 50


@pytest.mark.parametrize("status", [200, 429])
def test_a_bucket_that_another_app_empties_is_waited_for(status: int) -> None:
    platform = Shopify()
    wire = platform.wire
    wire.throttled_status = status
    expected, _ = suite.undisturbed(Shopify)
    with suite.on(platform) as server:

        def empty(reply: Reply, _number: int) -> Reply:
            wire.available = 0.0
            return reply

        suite.with_fault(platform, server, empty, 0, 1)
        result = suite.pull(platform)
        suite.same(result, expected)
    assert wire.refused == 1
    assert 6.0 <= sum(platform.time.slept) <= 20.0


def test_pages_shrink_to_what_a_query_may_cost() -> None:
    platform = Shopify()
    platform.wire.dearest = 150.0
    expected, _ = suite.undisturbed(Shopify)
    with suite.on(platform):
        result = suite.pull(platform)
        assert result.error is None, result.error
        suite.same(result, expected)
    assert platform.wire.dearest_asked > 150.0


@pytest.mark.parametrize("make", [Shopify, ShopifyBulk])
def test_lines_refunds_and_variants_are_read_to_their_ends(make: type[Shopify]) -> None:
    """More than two pages of each: 250 lines, refunded in one refund, and 180 variants."""
    platform = make()
    lines = [line(number, f"A-{number}") for number in range(1, 251)]
    long = order(77, ago(hours=1), ago(minutes=30), lines)
    long["refunds"] = [refund(7, ago(minutes=30), lines), refund(8, ago(minutes=30), lines[:1])]
    platform.wire.orders = lambda: [*many_orders(3), long]  # type: ignore[method-assign]
    platform.wire.products = lambda: [product(1, ago(days=3), 180)]  # type: ignore[method-assign]
    with suite.on(platform):
        result = suite.pull(platform)
        assert result.error is None, result.error
    found = orders_of(result)[long["id"]]
    assert [one["id"] for one in found["lineItems"]["nodes"]] == [one["id"] for one in lines]
    whole, single = found["refunds"]
    given = [one["lineItem"]["id"] for one in whole["refundLineItems"]["nodes"]]
    assert given == [one["id"] for one in lines]
    assert len(single["refundLineItems"]["nodes"]) == 1
    assert whole["refundShippingLines"]["nodes"][0]["subtotalAmountSet"]
    assert found["_shop"] == "127.0.0.1"
    (sold,) = [json.loads(text) for stream, _, text in result.landed if "products" in stream]
    assert len({one["id"] for one in sold["variants"]["nodes"]}) == 180


@pytest.mark.parametrize("make", [Shopify, ShopifyBulk])
def test_no_query_reaches_the_limit_of_objects(
    make: type[Shopify], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of 30 objects, 200 orders of which 12 share each second all land."""
    monkeypatch.setattr(shopify, "_DEEPEST", 30)
    platform = make()
    platform.wire.deepest = 30
    platform.wire.orders = lambda: many_orders(200, a_second=12)  # type: ignore[method-assign]
    with suite.on(platform):
        result = suite.pull(platform)
        assert result.error is None, result.error
        assert len(orders_of(result)) == 200
        assert max(result.counts.values()) == 1
    assert platform.wire.deepest_read <= 30


def test_a_second_with_more_orders_than_a_query_shows_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shopify, "_DEEPEST", 30)
    platform = Shopify()
    platform.wire.orders = lambda: many_orders(60, a_second=60)  # type: ignore[method-assign]
    with suite.on(platform):
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)
    assert "bulk" in result.error.remedy


def test_an_order_that_moves_while_pages_are_read_pushes_no_other_past_us() -> None:
    """Even where the platform's cursors are numbers of records."""
    platform = Shopify()
    world = many_orders(40)
    platform.wire.orders = lambda: list(world)  # type: ignore[method-assign]
    with suite.on(platform) as server:

        def edit(reply: Reply, number: int) -> Reply:
            one = world[-1 - number]
            moved = f"{platform.time.now() + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}"
            world[-1 - number] = {**one, "updatedAt": moved, "name": "edited"}
            return reply

        suite.with_fault(platform, server, edit, 0, 12)
        result = suite.pull(platform)
        suite.healed(platform, server)
        again = suite.pull(platform, result.cursor)
    total = result + again
    assert {record_id for _, record_id, _ in total.landed if "Order" in record_id} == {
        one["id"] for one in world
    }
    names = orders_of(total)
    assert sum(one["name"] == "edited" for one in names.values()) == 12


def test_the_bulk_road_brings_what_the_paged_road_brings() -> None:
    paged, _ = suite.undisturbed(Shopify)
    bulk, _ = suite.undisturbed(ShopifyBulk)
    suite.same(bulk, paged)


@pytest.mark.parametrize("count", [5, 6])
def test_bulk_begins_above_its_number_of_orders(count: int) -> None:
    platform = Shopify(bulk="auto")
    platform.wire.orders = lambda: many_orders(count)  # type: ignore[method-assign]
    with suite.on(platform):
        result = suite.pull(platform, bulk_above=5)
        assert len(orders_of(result)) == count
    assert len(platform.wire.operations) == (1 if count == 6 else 0)


def test_a_run_that_is_stopped_finds_its_operation_again() -> None:
    """Before its id was saved, while it runs, and between the pages of its result."""
    expected, _ = suite.undisturbed(ShopifyBulk)
    platform = ShopifyBulk()
    platform.wire.polls = 10**9
    with suite.on(platform):
        lost = suite.pull(platform, stop_after=0)
        assert lost.cursor == {}
        pages = platform.source.pull(platform.settings(), {}, platform.context())
        next(pages)  # The operation runs, and the process dies before its cursor is saved.
        pages.close()
        platform.time.pass_time(60)
        waiting = suite.pull(platform, {}, bulk_wait_s=20)
        assert isinstance(waiting.error, WaitError)
        assert "bulk_wait_s" in waiting.error.remedy
        still = suite.pull(platform, waiting.cursor, bulk_wait_s=20)
        assert isinstance(still.error, WaitError)
        platform.wire.polls = 1
        done = suite.pull(platform, still.cursor)
        assert done.error is None
        suite.same(waiting + still + done, expected)
    assert len(platform.wire.operations) == 1


def test_a_stop_within_a_result_goes_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shopify_bulk, "_ORDERS_A_PAGE", 3)
    expected, _ = suite.undisturbed(ShopifyBulk)
    platform = ShopifyBulk()
    with suite.on(platform):
        total = suite.Result()
        for _ in range(10):
            total += suite.pull(platform, total.cursor, stop_after=1)
        suite.same(total, expected)
    assert len(platform.wire.operations) == 1


def test_what_changes_while_an_operation_runs_is_read_after_it() -> None:
    """The newest order of the result must not hide an older change that it does not hold."""
    platform = ShopifyBulk()
    world = many_orders(20)
    platform.wire.orders = lambda: list(world)  # type: ignore[method-assign]
    with suite.on(platform) as server:
        answer = platform.answer

        def respond(request: Request) -> Reply:
            reply = answer(request)
            if request.path.startswith("/bulk/"):
                lines = [json.loads(text) for text in reply.body.splitlines()]
                late = platform.time.now() + timedelta(hours=2)
                for one in lines:
                    if one["id"] == world[0]["id"]:
                        one["updatedAt"] = f"{late:%Y-%m-%dT%H:%M:%SZ}"
                changed = platform.time.now() + timedelta(hours=1)
                world[7] = {
                    **world[7],
                    "name": "changed while it ran",
                    "updatedAt": f"{changed:%Y-%m-%dT%H:%M:%SZ}",
                }
                platform.time.pass_time(3 * 3600)
                reply = reply.but(body="".join(json.dumps(one) + "\n" for one in lines).encode())
            return reply

        server.respond = respond
        found = suite.pull(platform)
    assert found.error is None
    assert any("changed while it ran" in payload for _, _, payload in found.landed)


FAILURES: dict[str, dict[str, Any]] = {
    "failed": {"bulk_end": ("FAILED", "INTERNAL_SERVER_ERROR")},
    "timeout": {"bulk_end": ("FAILED", "TIMEOUT")},
    "canceled": {"bulk_end": ("CANCELED", None)},
    "expired": {"bulk_end": ("EXPIRED", None)},
}


@pytest.mark.parametrize("kind", list(FAILURES))
def test_a_failed_operation_is_no_loss(kind: str) -> None:
    expected, _ = suite.undisturbed(Shopify)
    platform = ShopifyBulk()
    for name, value in FAILURES[kind].items():
        setattr(platform.wire, name, value)
    with suite.on(platform):
        result = suite.pull(platform)
        assert result.error is None
        suite.same(result, expected)
        assert any("page by page" in note for note in result.notes)
        assert suite.pull(platform, result.cursor).landed == []


def _torn(body: bytes) -> bytes:
    return body[: len(body) // 2]


def _orphaned(body: bytes) -> bytes:
    lines = body.splitlines(keepends=True)
    return b"".join([lines[1], *lines[1:]])


def _garbled(body: bytes) -> bytes:
    lines = body.splitlines(keepends=True)
    return b"".join([*lines[:3], b"{oops\n", *lines[4:]])


@pytest.mark.parametrize("damage", [_torn, _orphaned, _garbled, lambda body: b""])
@pytest.mark.parametrize("times", [1, 100])
def test_a_damaged_result_is_no_loss(damage: Any, times: int) -> None:
    """Once: it is fetched again. Always: the orders are read page by page."""
    expected, _ = suite.undisturbed(Shopify)
    platform = ShopifyBulk()
    with suite.on(platform) as server:
        answer, left = platform.answer, [times]

        def respond(request: Request) -> Reply:
            reply = answer(request)
            if request.path.startswith("/bulk/") and left[0]:
                left[0] -= 1
                return reply.but(body=damage(reply.body))
            return reply

        server.respond = respond
        result = suite.pull(platform)
        assert result.error is None
        suite.same(result, expected)
        assert any("page by page" in note for note in result.notes) is (times > 1)


def test_a_result_that_has_expired_is_no_loss() -> None:
    expected, _ = suite.undisturbed(Shopify)
    platform = ShopifyBulk()
    platform.wire.polls = 10
    with suite.on(platform):
        begun = suite.pull(platform, bulk_wait_s=0)
        assert isinstance(begun.error, WaitError)
        platform.wire.files = {"1.jsonl": b""}
        platform.wire.polls = 1
        platform.wire._polled("gid://shopify/BulkOperation/1")
        platform.wire.files.clear()
        result = suite.pull(platform, begun.cursor)
        assert result.error is None
        suite.same(begun + result, expected)


def test_a_result_on_another_host_gets_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extract._addresses.is_public", lambda _address: True)
    expected, _ = suite.undisturbed(Shopify)
    platform = ShopifyBulk()
    with ExitStack() as stack:
        stack.enter_context(suite.on(platform))
        asked: list[Request] = []

        def store(request: Request) -> Reply:
            asked.append(request)
            return platform.wire.answer(request)

        host = stack.enter_context(serving(store, platform.time))
        answer = platform.wire.answer

        def at_home(request: Request) -> Reply:
            platform.wire.url = host.url
            return answer(request)

        platform.answer = at_home  # type: ignore[method-assign]
        server = stack.enter_context(suite.on(platform))
        result = suite.pull(platform)
        assert server.requests
    suite.same(result, expected)
    assert len(asked) == 1
    assert not any("secret" in value for value in asked[0].headers.values())


def test_a_result_at_an_unencrypted_address_of_an_encrypted_shop_is_refused() -> None:
    shop: Any = type("Shop", (), {"url": "https://a.example"})
    with pytest.raises(_shopify_bulk._DamagedError, match="unencrypted"):
        _shopify_bulk._fetch(shop, "http://b.example/x", {}, Path("x"), Path("y"))


def test_a_token_of_a_day_is_renewed_before_it_ends() -> None:
    platform = Shopify(environment=dict(CLIENT | {"SOCIAL_SIGNALS_SHOPIFY_TOKEN": ""}))
    platform.wire.token = ""
    platform.wire.client = ("an-id-of-ours", "shpss_very_secret")
    platform.wire.token_lasts_s = 400.0
    expected, _ = suite.undisturbed(Shopify)
    with suite.on(platform) as server:
        result = suite.pull(platform, pace_s=60.0)
        assert result.error is None, result.error
        suite.same(result, expected)
        grants = [r for r in server.requests if r.path == "/admin/oauth/access_token"]
    assert len(grants) == len(platform.wire.tokens) > 1
    assert b"shpss_very_secret" in grants[0].body
    assert "shpat_granted" not in json.dumps(result.cursor)


def test_the_same_token_given_again_still_opens() -> None:
    platform = Shopify(environment=dict(CLIENT | {"SOCIAL_SIGNALS_SHOPIFY_TOKEN": ""}))
    platform.wire.token = "shpat_the_same_all_day"
    with suite.on(platform) as server:
        answer = platform.answer

        def respond(request: Request) -> Reply:
            if request.path.endswith("access_token"):
                return json_reply({"access_token": platform.wire.token, "expires_in": 61})
            return answer(request)

        server.respond = respond
        result = suite.pull(platform, pace_s=45.0)
    assert result.error is None
    assert len(orders_of(result)) == 11


def test_refused_credentials_of_a_client_are_named() -> None:
    platform = Shopify(environment=dict(CLIENT | {"SOCIAL_SIGNALS_SHOPIFY_TOKEN": ""}))
    with suite.on(platform):
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)
    assert "SOCIAL_SIGNALS_SHOPIFY_CLIENT_SECRET" in str(result.error)


@pytest.mark.parametrize("missing", list(CLIENT))
def test_half_of_a_client_is_named(missing: str) -> None:
    environment = {name: value for name, value in CLIENT.items() if name != missing}
    platform = Shopify(environment=environment | {"SOCIAL_SIGNALS_SHOPIFY_TOKEN": ""})
    with suite.on(platform) as server:
        result = suite.pull(platform)
        assert server.requests == []
    assert missing in str(result.error)


@pytest.fixture
def two_shops() -> Iterator[tuple[Shopify, Shopify, Any]]:
    """Two shops that sell the same SKUs and count alike, and the settings that read both."""
    one = Shopify()
    token = {"SOCIAL_SIGNALS_SHOPIFY_TOKEN": "shpat_other_shop"}
    other = Shopify(time=one.time, environment=token)
    with suite.on(one), suite.on(other):
        shops = {
            "one.example": {"base_url": one.url, "variables": "SOCIAL_SIGNALS_SHOPIFY"},
            "other-eu.example": {"base_url": other.url},
        }
        settings = shopify.Settings(shops=shops, page_size=4, bulk="never", first_days=30)
        one.environment = {
            **one.environment,
            "SOCIAL_SIGNALS_SHOPIFY_OTHER_EU_TOKEN": "shpat_other_shop",
        }
        yield one, other, settings


def landed(
    platform: Shopify, settings: Any, cursor: Any
) -> tuple[list[Any], Any, Exception | None]:
    found: list[Any] = []
    try:
        for page in platform.source.pull(settings, cursor, platform.context()):
            found += page.records
            cursor = json.loads(json.dumps(page.cursor))
    except ExtractError as error:
        return found, cursor, error
    return found, cursor, None


def test_two_shops_that_count_alike_both_land_once(two_shops: tuple[Shopify, Shopify, Any]) -> None:
    one, _, settings = two_shops
    first, cursor, error = landed(one, settings, {})
    assert error is None
    keys = [(record.payload["_shop"], record.record_id) for record in first]
    assert len(keys) == len(set(keys)) == 32
    assert landed(one, settings, cursor)[0] == []


def test_one_shop_that_is_closed_leaves_the_other(two_shops: tuple[Shopify, Shopify, Any]) -> None:
    one, other, settings = two_shops
    one.wire.token = "changed_since"
    found, cursor, error = landed(one, settings, {})
    assert isinstance(error, FixError)
    assert "one.example" in str(error)
    assert {record.payload["_shop"] for record in found} == {"other-eu.example"}
    one.wire.token = "shpat_very_secret"
    rest, _, error = landed(one, settings, cursor)
    assert error is None
    assert {record.payload["_shop"] for record in rest} == {"one.example"}
    assert other.wire.queries


def test_two_shops_share_no_bucket(two_shops: tuple[Shopify, Shopify, Any]) -> None:
    one, other, settings = two_shops
    other.wire.maximum, other.wire.restore_per_s = 700.0, 10.0
    _, _, error = landed(one, settings, {})
    assert error is None
    assert (one.wire.refused, other.wire.refused) == (0, 0)


def test_a_field_that_is_denied_is_a_note_and_orders_land() -> None:
    platform = Shopify()
    platform.wire.denied = frozenset({"variant"})
    with suite.on(platform):
        result = suite.pull(platform)
    assert result.error is None
    assert len(result.ids) == 16
    (note,) = [note for note in result.notes if "ACCESS_DENIED" in note]
    assert "variant" in note


def test_denied_products_leave_the_orders_and_name_the_scope() -> None:
    platform = Shopify()
    platform.wire.denied = frozenset({"products"})
    with suite.on(platform):
        result = suite.pull(platform)
        assert len(orders_of(result)) == 11
        assert isinstance(result.error, FixError)
        assert "access" in str(result.error)
        assert suite.pull(platform, products=False).error is None


@pytest.mark.parametrize(
    ("scopes", "is_noted"), [(("read_orders",), True), (("read_orders", "read_all_orders"), False)]
)
def test_orders_that_shopify_does_not_show_are_told(
    scopes: tuple[str, ...], is_noted: bool
) -> None:
    platform = Shopify()
    platform.wire.scopes = scopes
    with suite.on(platform):
        result = suite.pull(platform, first_days=365)
    assert any("read_all_orders" in note for note in result.notes) is is_noted


def test_doctor_names_missing_scopes() -> None:
    platform = Shopify()
    platform.wire.scopes = ("write_orders",)
    with suite.on(platform):
        probe = platform.source.probe(platform.settings(first_days=90), platform.context())
        assert probe.is_reachable
        assert probe.is_authorised is False
        assert "read_products" in probe.message
        assert "read_all_orders" in probe.message
        assert "read_orders" not in probe.message.replace("read_all_orders", "")
        platform.wire.scopes = ("read_orders", "read_products")
        assert platform.source.probe(platform.settings(), platform.context()).is_authorised
        platform.wire.token = "changed"
        probe = platform.source.probe(platform.settings(), platform.context())
        assert probe.is_authorised is False


def test_a_plan_counts_orders_and_predicts_points(tmp_path: Path) -> None:
    platform = Shopify()
    platform.wire.orders = lambda: many_orders(100)  # type: ignore[method-assign]
    with suite.on(platform) as server:
        settings = platform.settings(page_size=25)
        (planned,) = platform.source.plan(settings, {}, platform.context(tmp_path))
        assert "100 orders" in planned.what
        assert len(server.requests) == 1
        suite.pull(platform, page_size=25)
        assert len(server.requests) - 1 <= planned.requests + 3
        settings = platform.settings(bulk="auto", bulk_above=10)
        (planned,) = platform.source.plan(settings, {}, platform.context(tmp_path))
        assert "in bulk" in planned.what


def test_points_are_kept_in_the_ledger_and_limited(tmp_path: Path) -> None:
    from extract._budget import read_uses

    platform = Shopify()
    with suite.on(platform):
        result = suite.pull(platform, folder=tmp_path)
        assert result.error is None
        (use,) = read_uses(tmp_path)
        assert 0 < use.units["points"] < 1_500
        settings = platform.settings(budget={"units": {"points": use.units["points"] + 5}})
        pages = platform.source.pull(settings, {}, platform.context(tmp_path))
        with pytest.raises(ExtractError, match="points"):
            list(pages)


def test_a_refund_that_is_mixed_up_with_another_is_asked_for_again() -> None:
    platform = Shopify()
    world = [
        {
            **order(n, ago(hours=1), ago(minutes=n), [line(10 * n, "A")]),
            "refunds": [refund(n, ago(minutes=n), [line(10 * n, "A")])],
        }
        for n in range(1, 8)
    ]
    platform.wire.orders = lambda: world  # type: ignore[method-assign]
    with suite.on(platform) as server:

        def other(reply: Reply, _number: int) -> Reply:
            if "nodes" not in reply.json["data"]:
                return reply
            content = json.loads(reply.body)
            nodes = content["data"]["nodes"]
            nodes.reverse()
            return reply.but(body=json.dumps(content).encode())

        suite.with_fault(platform, server, other, 0, 2)
        found = orders_of(suite.pull(platform))
    for one in world:
        (given,) = found[one["id"]]["refunds"]
        assert given["id"] == one["refunds"][0]["id"]
        assert given["refundLineItems"]["nodes"][0]["lineItem"]["id"] == one["lineItems"][0]["id"]


def test_a_shop_must_be_named_once() -> None:
    context = replace(Shopify().context(), environment={})
    with pytest.raises(FixError, match="no shop"):
        list(shopify.pull(shopify.Settings(), {}, context))
    settings = shopify.Settings(base_url="https://a.example", shops={"a.example": {}})
    with pytest.raises(FixError, match="named twice"):
        list(shopify.pull(settings, {}, context))
