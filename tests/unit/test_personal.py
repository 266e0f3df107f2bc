"""Who stands where in payloads: every stream is declared, and what is declared is found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from extract.personal import (
    FORGOTTEN,
    NOBODY,
    RECORD_ID,
    SHAPES,
    Targets,
    is_dropped,
    names_of,
    qualified,
    redact,
)
from extract.registry import declared_streams
from pipeline.privacy import guard
from warehouse.tombstones import Tombstones


def outcome(scope: tuple[str, str], record_id: str, payload: dict[str, Any], targets: Targets):
    """`None` for a record that goes, else what is left of its payload."""
    shape = SHAPES[scope]
    names = names_of(shape, record_id, payload)
    if is_dropped(names, targets):
        return None
    redact(shape, names, payload, targets)
    return payload


def test_every_declared_stream_says_whom_it_names() -> None:
    assert set(declared_streams()) - set(SHAPES) == set()


@pytest.mark.parametrize("scope", [scope for scope in SHAPES if SHAPES[scope] is not NOBODY])
def test_a_stream_about_people_can_be_searched(scope: tuple[str, str]) -> None:
    shape = SHAPES[scope]
    assert shape.qualifier or shape.platform
    assert shape.posts or shape.authors or shape.orders or shape.customers
    assert bool(shape.customers) == bool(shape.personal), "a customer leaves something behind"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("gid://shopify/Order/123?x=1", "123"),
        ("gid://shopify/Order/123", "123"),
        ("@Someone", "someone"),
        ("/u/name", "name"),
        (" 17 ", "17"),
    ],
)
def test_ids_are_compared_without_what_only_says_how_they_are_written(
    written: str, expected: str
) -> None:
    assert qualified("Shopify", written) == f"shopify:{expected}"
    assert qualified("Twitter", "1") == "x:1"


def test_a_post_goes_with_its_edits_and_its_reposts() -> None:
    posts = Targets(posts={"x:2"})
    assert outcome(("x", "posts"), "2", {"id": "2"}, posts) is None
    assert outcome(("x", "posts"), "3", {"edit_history_tweet_ids": ["1", "2", "3"]}, posts) is None
    assert outcome(("x", "posts"), "12", {"id": "12"}, posts) == {"id": "12"}
    crosspost = {"data": {"crosspost_parent": "t3_a", "title": "same words"}}
    found = outcome(("reddit", "submissions"), "t3_b", crosspost, Targets(posts={"reddit:t3_a"}))
    assert found is None
    repost = {"dataset": "d", "platform": "twitter", "post_id": "9", "reposted_post_id": "2"}
    assert outcome(("datasets", "posts"), "d|9", repost, posts) is None


def test_copies_and_references_leave_the_records_of_others() -> None:
    comment = {
        "data": {"link_id": "t3_a", "link_title": "words", "parent_id": "t3_a", "body": "mine"}
    }
    found = outcome(("reddit", "comments"), "t1_c", comment, Targets(posts={"reddit:t3_a"}))
    assert found == {
        "data": {
            "link_id": FORGOTTEN, "link_title": None, "parent_id": FORGOTTEN, "body": "mine"
        }
    }  # fmt: skip
    reply = {"text": "no", "referenced_tweets": [{"type": "replied_to", "id": "2"}, {"id": "4"}]}
    found = outcome(("x", "posts"), "5", reply, Targets(posts={"x:2"}))
    assert found["referenced_tweets"] == [{"type": "replied_to", "id": FORGOTTEN}, {"id": "4"}]
    holder = {"crosspost_parent_list": [{"name": "t3_x", "selftext": "a"}, {"name": "t3_y"}]}
    found = outcome(
        ("reddit", "submissions"), "t3_z", {"data": holder}, Targets(posts={"reddit:t3_x"})
    )
    assert found == {"data": {"crosspost_parent_list": [None, {"name": "t3_y"}]}}


def test_an_id_may_follow_other_words() -> None:
    hit = {"story_id": 17, "story_title": "words", "_tags": ["comment", "author_b", "story_17"]}
    found = outcome(("hackernews", "hits"), "18", hit, Targets(posts={"hackernews:17"}))
    assert "17" not in json.dumps(found)
    assert found["_tags"] == ["comment", "author_b", FORGOTTEN]
    assert found["story_title"] is None


def test_nobody_is_no_author() -> None:
    """All deleted accounts share a name: one of them is not all of them."""
    payload = {"data": {"author": "[deleted]", "author_fullname": None, "title": "x"}}
    names = names_of(SHAPES["reddit", "submissions"], "t3_a", payload)
    assert names.authors == ()


def test_a_customer_leaves_an_anonymous_sale() -> None:
    order = {
        "name": "#1001",
        "email": "Ann@Example.com",
        "customer": {"id": "gid://shopify/Customer/5", "firstName": "Ann"},
        "shippingAddress": {"city": "Leeds"},
        "totalPriceSet": {"shopMoney": {"amount": "1.10", "currencyCode": "USD"}},
        "lineItems": {"nodes": [{"sku": "A", "quantity": 2, "customAttributes": ["For Ann"]}]},
    }
    for customer in ("shopify:5", "shopify:ann@example.com"):
        found = outcome(
            ("shopify", "orders"),
            "o1",
            json.loads(json.dumps(order)),
            Targets(customers={customer}),
        )
        assert "Ann" not in json.dumps(found)
        assert "Leeds" not in json.dumps(found)
        assert found["totalPriceSet"] == order["totalPriceSet"]
        assert found["lineItems"]["nodes"][0]["quantity"] == 2
    copy = json.loads(json.dumps(order))
    other = outcome(("shopify", "orders"), "o1", copy, Targets(customers={"shopify:6"}))
    assert other == order


def test_the_guard_keeps_out_by_hash_what_the_targets_name() -> None:
    tombstones = Tombstones("salt")
    told = {"reason": "asked", "created_at": "2026-01-05T10:00:00+00:00"}
    tombstones.add("post", "", ["x:2"], **told)
    tombstones.add("author", "", ["x:7"], **told)
    tombstones.add("customer", "", ["shopify:5"], **told)
    assert guard(tombstones, "x", "posts", "8", {"author_id": "7"}) is None
    assert guard(tombstones, "x", "posts", "8", '{"edit_history_tweet_ids":["2","8"]}') is None
    other = {"author_id": "8", "text": "hello"}
    assert guard(tombstones, "x", "posts", "9", other) is other
    order = {"customer": {"id": 5}, "total": "1.00"}
    assert guard(tombstones, "shopify", "orders", "o", order) == {"customer": None, "total": "1.00"}
    assert order["customer"] == {"id": 5}, "what the source handed over is its own"
    assert guard(tombstones, "x", "posts", "9", "not JSON") == "not JSON"
    assert RECORD_ID not in json.dumps([list(request.keys) for request in tombstones.requests])
