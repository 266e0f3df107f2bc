"""What is X's own: partial errors, money, queries, tokens, gaps, both generations of names."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from extract import x
from extract._budget import read_uses
from extract._outcomes import FixError, StopError
from extract._queries import catalogue_terms, either
from extract.base import Product
from tests.contract.live import suite
from tests.contract.live.platforms import CATALOGUE, X, XNewNames
from tests.contract.live.server import START, Reply, json_reply


def test_posts_they_refer_to_and_authors_land() -> None:
    platform = X()
    with suite.on(platform):
        result = suite.pull(platform)
    assert ("x/posts", "17") in result.ids
    assert {record_id for stream, record_id in result.ids if stream == "x/users"} == {"0", "1", "2"}
    assert sum("note_tweet" in payload for _, _, payload in result.landed) == 1
    assert sum("withheld" in payload for _, _, payload in result.landed) == 1


def test_partial_errors_go_to_the_rejects_and_the_rest_lands() -> None:
    expected, _ = suite.undisturbed(X)
    platform = X()
    with suite.on(platform) as server:

        def partly(reply: Reply, _number: int) -> Reply:
            error = {"title": "Not Found Error", "resource_id": "17", "type": "about:blank"}
            return json_reply(reply.json | {"errors": [error, "text"]})

        suite.with_fault(platform, server, partly, 0, 1)
        result = suite.pull(platform)
    suite.same(result, expected)
    reasons = [reject.reason for reject in result.rejects]
    assert reasons == ["partial error: Not Found Error", "partial error: unknown"]


def test_without_money_nothing_is_asked_and_it_says_what_it_would_cost(tmp_path: Path) -> None:
    platform = X()
    prices = {"posts": "0.005", "users": "0.010"}
    with suite.on(platform) as server:
        result = suite.pull(platform, folder=tmp_path, prices_usd=prices)
        assert server.requests == []
    assert isinstance(result.error, StopError)
    assert "sources.x.budget.money_usd" in result.error.remedy
    assert "$0.45" in result.error.message


def test_money_is_spent_to_the_limit_and_not_beyond(tmp_path: Path) -> None:
    platform = X()
    prices = {"posts": "0.005", "users": "0.010"}
    with suite.on(platform):
        for limit in ("0.5", "1", "5"):
            folder = tmp_path / limit
            changes: dict[str, Any] = {"budget": {"requests": 9, "money_usd": limit}}
            suite.pull(platform, folder=folder, prices_usd=prices, **changes)
            (use,) = read_uses(folder)
            assert 0 < use.money_usd <= Decimal(limit)
            assert use.money_usd == use.units["posts"] * Decimal("0.005") + use.units[
                "users"
            ] * Decimal("0.010")


def test_what_is_billed_is_what_was_in_the_answers(tmp_path: Path) -> None:
    platform = X()
    with suite.on(platform):
        suite.pull(platform, folder=tmp_path)
    (use,) = read_uses(tmp_path)
    assert use.units == {"posts": 12, "users": 8}


def test_a_token_that_has_expired_begins_the_walk_anew() -> None:
    expected, _ = suite.undisturbed(X)
    platform = X()
    with suite.on(platform) as server:
        before = suite.pull(platform, stop_after=1)
        invalid = json_reply({"title": "Invalid Request", "detail": "next_token is invalid"}, 400)
        suite.with_fault(platform, server, lambda r, n: invalid, 0, 1)
        after = suite.pull(platform, before.cursor)
        assert after.error is None
        suite.same(before + after, expected)


def test_a_gap_of_more_than_seven_days_is_named() -> None:
    platform = X()
    with suite.on(platform) as server:
        first = suite.pull(platform)
        platform.time.wall += timedelta(days=9)
        second = suite.pull(platform, first.cursor)
        assert "since_id" not in server.requests[-1].query
    assert any("are lost" in note for note in second.notes)


def test_a_backfill_beyond_seven_days_says_so() -> None:
    platform = X()
    with suite.on(platform):
        result = suite.pull(platform, context={"since": START - timedelta(days=30)})
    assert isinstance(result.error, FixError)
    assert "7 days" in result.error.message


def test_a_query_longer_than_the_plan_takes_is_refused() -> None:
    platform = X()
    with suite.on(platform) as server:
        result = suite.pull(platform, queries=["a" * 600])
        assert server.requests == []
    assert isinstance(result.error, FixError)
    assert "query_length" in result.error.remedy


def test_terms_are_split_to_the_limit_and_none_is_left_out() -> None:
    terms = [f"term number {n}" for n in range(200)] + ["#tag", "$CASH", "@handle"]
    queries = either(terms, suffix="-is:retweet", limit=512, source="x")
    assert all(len(query) <= 512 for query in queries)
    for term in terms:
        quoted = term if term[0] in "#$@" else f'"{term}"'
        assert sum(quoted in query.split(" OR ") or quoted in query for query in queries) >= 1
    assert sum(query.count(" OR ") + 1 for query in queries) == len(terms)
    assert either([], suffix="", limit=512, source="x") == []
    with pytest.raises(FixError, match="characters"):
        either(["a" * 600], suffix="", limit=512, source="x")


def test_terms_of_the_catalogue_carry_their_signs() -> None:
    product = Product(
        "p",
        "P",
        "",
        "c",
        {
            "keyword": ("Acme", "acme", 'a "b"'),
            "hashtag": ("acme",),
            "cashtag": ("$ACM",),
            "handle": ("acme",),
            "exclusion": ("acme looney",),
            "sku": ("S-1",),
        },
    )
    assert catalogue_terms([product]) == ["Acme", "a b", "#acme", "$ACM", "@acme"]


def test_without_queries_the_catalogue_is_searched() -> None:
    platform = X()
    with suite.on(platform) as server:
        suite.pull(platform, queries=())
        assert server.requests[0].query["query"] == '("acme" OR #acmelife) -is:retweet'
    assert CATALOGUE[0].product_id == "acme"


def test_a_plan_counts_and_spends_no_posts(tmp_path: Path) -> None:
    platform = X()
    with suite.on(platform) as server:
        settings = platform.settings(prices_usd={"posts": "0.005", "users": "0.010"})
        (planned,) = x.plan(settings, {}, platform.context(tmp_path))
        assert [request.path for request in server.requests] == ["/2/tweets/counts/recent"]
    assert planned.requests == 1
    assert planned.units == {"posts": 33, "users": 33}
    assert planned.money_usd == Decimal("0.495")
    (use,) = read_uses(tmp_path)
    assert (use.requests, use.money_usd) == (1, 0)


@pytest.mark.parametrize("status", [401, 403])
def test_a_probe_says_that_a_token_is_refused(status: int) -> None:
    platform = X()
    with suite.on(platform) as server:
        suite.with_fault(platform, server, lambda r, n: json_reply({}, status), 0, 9)
        probe = x.probe(platform.settings(), platform.context())
    assert (probe.is_configured, probe.is_authorised) == (True, False)
    assert x.TOKEN in probe.message


def test_a_probe_names_the_variable_that_is_missing() -> None:
    platform = X(environment={})
    with suite.on(platform):
        assert x.probe(platform.settings(), platform.context()).missing == (x.TOKEN,)


@pytest.mark.parametrize("make", [X, XNewNames])
@pytest.mark.shared
def test_requests_are_what_the_published_schema_takes(make: Any, shared: Path) -> None:
    name = {
        "tweet": "x_api_v2_openapi_2.159_legacy_names.json",
        "post": "x_api_v2_openapi.json",
    }[make().names]
    specification = json.loads((shared / "specs" / name).read_text(encoding="utf-8"))
    platform = make()
    with suite.on(platform) as server:
        first = suite.pull(platform)
        suite.pull(platform, first.cursor)
        x.plan(platform.settings(), first.cursor, platform.context())
        requests = list(server.requests)
    assert len(requests) >= 5
    for request in requests:
        parameters = {
            p["name"]: p
            for p in (
                specification["components"]["parameters"][p["$ref"].rpartition("/")[2]]
                if "$ref" in p
                else p
                for p in specification["paths"][request.path]["get"]["parameters"]
            )
        }
        for key, text in request.query.items():
            assert key in parameters, key
            schema = parameters[key]["schema"]
            value: Any = text
            if schema.get("type") == "array":
                value = text.split(",")
            elif schema.get("type") == "integer":
                value = int(text)
            jsonschema.validate(value, schema | {"components": specification["components"]})


@pytest.mark.shared
def test_the_stand_in_answers_as_the_published_schema_says(shared: Path) -> None:
    """Else the suite would prove something about a platform that does not exist."""
    path = shared / "specs" / "x_api_v2_openapi.json"
    components = json.loads(path.read_text(encoding="utf-8"))["components"]
    schema = {"$ref": "#/components/schemas/SearchPostsRecentResponse", "components": components}
    platform = XNewNames()
    bodies: list[Any] = []
    with suite.on(platform) as server:

        def kept(reply: Reply, _number: int) -> Reply:
            bodies.append(reply.json)
            return reply

        suite.with_fault(platform, server, kept, 0, suite.MANY)
        suite.pull(platform)
    assert len(bodies) == 3
    for body in bodies:
        jsonschema.validate(body, schema)
