"""Questions to GraphQL platforms: what an answer means, and when the next request may leave."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from extract._budget import Ledger, Limits
from extract._graphql import Bucket, Cost, GraphAnswer, QueryError, ask
from extract._http import Http
from extract._outcomes import FixError, RetryError, WaitError
from extract._patience import Patience
from tests.contract.live.server import FakeClock, LocalServer, Reply, Request, json_reply, serving

QUERY = "query Orders($first: Int!) { orders(first: $first) { nodes { id } } }"
DATA = {"data": {"orders": {"nodes": [{"id": "gid://1"}]}}}


def cost(requested: float, available: float, *, actual: float | None = None) -> dict[str, Any]:
    status = {"maximumAvailable": 2000.0, "currentlyAvailable": available, "restoreRate": 100.0}
    told = {"requestedQueryCost": requested, "actualQueryCost": actual, "throttleStatus": status}
    return {"extensions": {"cost": told}}


def throttled(requested: float, available: float) -> dict[str, Any]:
    error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    return {"errors": [error], **cost(requested, available)}


def refused(code: str, **extra: Any) -> dict[str, Any]:
    return {"errors": [{"message": f"It says {code}", "extensions": {"code": code, **extra}}]}


@dataclass
class Asked:
    server: LocalServer
    time: FakeClock
    http: Http
    bucket: Bucket

    def __call__(self, **changes: Any) -> GraphAnswer:
        given: dict[str, Any] = {
            "query": QUERY,
            "variables": {"first": 5},
            "headers": {"x-shop-token": "a-secret-token"},
            "what": "orders",
            "bucket": self.bucket,
        }
        return ask(self.http, f"{self.server.url}/graphql.json", **(given | changes))


@contextmanager
def asking(
    respond: Callable[[Request], Reply],
    *,
    ledger: Ledger | None = None,
    wait_s: float = 1_200.0,
    time: FakeClock | None = None,
) -> Iterator[Asked]:
    time = time or FakeClock()
    with serving(respond, time) as server:
        http = Http(
            source="shop",
            allowed=[server.url],
            clock=time.clock(),
            ledger=ledger,
            patience=Patience(wait_s=wait_s),
            secrets=["a-secret-token"],
        )
        with http:
            yield Asked(server, time, http, Bucket(time.clock()))


def one_after_the_other(*replies: Reply) -> Callable[[Request], Reply]:
    left = list(replies)
    return lambda _request: left.pop(0)


def test_values_travel_as_variables() -> None:
    hostile = '"}) { secrets } } #'
    with asking(lambda _r: json_reply(DATA)) as asked:
        found = asked(variables={"first": 5, "query": hostile})
        (request,) = asked.server.requests
        body = json.loads(request.body)
    assert body == {"query": QUERY, "variables": {"first": 5, "query": hostile}}
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-shop-token"] == "a-secret-token"
    assert found.data == DATA["data"]
    assert found.notes == []


@pytest.mark.parametrize("status", [200, 429])
def test_a_throttled_query_waits_for_its_points(status: int) -> None:
    respond = one_after_the_other(
        json_reply(throttled(700, 200), status), json_reply(DATA | cost(700, 1300, actual=12))
    )
    with asking(respond) as asked:
        assert asked().data
        (waited,) = asked.time.slept
    # 500 points at 100 a second, and the margin of every reset.
    assert 5.0 <= waited <= 7.0


@pytest.mark.parametrize("status", [200, 429])
def test_an_endless_throttle_ends_in_a_bounded_wait(status: int) -> None:
    with asking(lambda _r: json_reply(throttled(700, 200), status), wait_s=60.0) as asked:
        with pytest.raises(WaitError, match="may wait") as caught:
            asked()
        assert "sources.shop.max_wait_s" in caught.value.remedy
        assert sum(asked.time.slept) <= 60.0


def test_a_throttle_that_tells_nothing_waits_in_growing_steps() -> None:
    bare = {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}
    respond = one_after_the_other(json_reply(bare), json_reply(bare), json_reply(DATA))
    with asking(respond) as asked:
        asked()
        first, second = asked.time.slept
    assert 30 <= first < second


def test_seconds_in_the_body_of_a_429() -> None:
    details = {"limit": 6250, "remaining": 0, "reset_in": 120}
    error = {"error": "rate_limit_reached", "error_description": "Sorry", "details": details}
    respond = one_after_the_other(
        json_reply({"data": None, "errors": [error]}, 429), json_reply(DATA)
    )
    with asking(respond) as asked:
        asked()
        assert 120 <= asked.time.slept[0] <= 122


def test_no_request_leaves_while_the_bucket_is_short() -> None:
    """The server counts its own bucket by the same clock and refuses when it is short."""
    time = FakeClock()
    state = {"available": 2000.0, "at": time.monotonic(), "refused": 0}

    def respond(request: Request) -> Reply:
        wanted = 13.0 * json.loads(request.body)["variables"]["first"]
        now = time.monotonic()
        full = state["available"] + (now - state["at"]) * 100.0
        state.update(available=min(2000.0, full), at=now)
        if state["available"] < wanted:
            state["refused"] += 1
            return json_reply(throttled(wanted, state["available"]))
        state["available"] -= wanted
        return json_reply(DATA | cost(wanted, state["available"], actual=wanted))

    with asking(respond, time=time) as asked:
        for number in range(30):
            first = 50 if number % 3 else 76
            asked(variables={"first": first}, key=str(first))
    assert state["refused"] == 0
    asked_for = 20 * 50 * 13 + 10 * 76 * 13
    # As long as needed: the sum, less the full bucket; more only for the first look at each cost.
    assert asked_for - 2000 - 1000 <= sum(time.slept) * 100 <= asked_for - 2000 + 1000


def test_waits_are_exact_to_the_millisecond() -> None:
    time = FakeClock()
    bucket = Bucket(time.clock())
    assert bucket.wait_s("q") == 0.0
    bucket.learn("q", Cost(requested=600, maximum=1000, available=99.95, restore_per_s=50))
    assert bucket.wait_s("q") == pytest.approx(10.002)
    time.pass_time(10.0)
    assert bucket.wait_s("q") == pytest.approx(0.002)
    time.pass_time(0.002)
    assert bucket.wait_s("q") == 0.0
    bucket.spend("q")
    assert bucket.wait_s("q") == pytest.approx(12.0, abs=0.003)
    # Nobody knows what another query asks for: the most that one may.
    assert bucket.wait_s("other") == pytest.approx(20.0, abs=0.003)
    bucket.learn("other", Cost(requested=5_000))
    assert bucket.wait_s("other") == pytest.approx(20.0, abs=0.003)


def test_a_bucket_that_fills_too_slowly_ends_the_run_before_the_request() -> None:
    with asking(lambda _r: json_reply(DATA | cost(1500, 0)), wait_s=10.0) as asked:
        asked()
        with pytest.raises(WaitError, match="bucket") as caught:
            asked()
        assert len(asked.server.requests) == 1
        assert "max_wait_s" in caught.value.remedy


def test_an_unanswered_request_counts_as_spent() -> None:
    respond = one_after_the_other(
        json_reply(DATA | cost(1900, 2000)), Reply(500), json_reply(DATA | cost(1900, 2000))
    )
    with asking(respond) as asked:
        asked()
        asked()
        assert sum(asked.time.slept) >= 18.0


@pytest.mark.parametrize(
    ("content", "outcome", "said"),
    [
        (refused("ACCESS_DENIED", requiredAccess="`read_orders` access scope."), QueryError, "403"),
        (refused("MAX_COST_EXCEEDED"), QueryError, "MAX_COST_EXCEEDED"),
        (refused("UNAUTHENTICATED"), QueryError, "401"),
        ({"errors": "[API] Invalid API key"}, QueryError, "Invalid API key"),
        ({"errors": [{"message": "Field 'x' doesn't exist"}]}, FixError, "doesn't exist"),
        ({"data": {"orders": None}, **refused("INTERNAL_SERVER_ERROR")}, RetryError, ""),
        ({"hello": 1}, RetryError, "neither"),
        ([], RetryError, "neither"),
        ({"data": []}, RetryError, "no object"),
        ({"data": None}, RetryError, "no data"),
    ],
)
def test_errors_are_outcomes(content: Any, outcome: type[Exception], said: str) -> None:
    with asking(lambda _r: json_reply(content)) as asked:
        with pytest.raises(outcome) as caught:
            asked()
        assert len(asked.server.requests) == (5 if outcome is RetryError else 1)
    error = caught.value
    if isinstance(error, QueryError) and said in ("401", "403"):
        assert error.status == int(said)
        assert error.is_credential is (said == "401")
    else:
        assert said in str(error)
    if said == "403":
        assert "read_orders" in str(error)


def test_what_is_denied_beside_data_is_a_note() -> None:
    denied = refused("ACCESS_DENIED", requiredAccess="`read_customers` access scope.")
    denied["errors"][0]["path"] = ["orders", "nodes", 0, "customer"]
    with asking(lambda _r: json_reply(DATA | denied)) as asked:
        found = asked()
    assert found.data == DATA["data"]
    (note,) = found.notes
    assert "orders.nodes.0.customer" in note
    assert "ACCESS_DENIED" in note


def test_a_null_field_without_an_error_is_an_answer() -> None:
    with asking(lambda _r: json_reply({"data": {"node": None}})) as asked:
        assert asked().data == {"node": None}


def test_text_of_an_error_is_one_plain_line() -> None:
    error = {"message": "bad\n\x1b[31m a-secret-token " + "x" * 5_000}
    with (
        asking(lambda _r: json_reply({"errors": [error]})) as asked,
        pytest.raises(FixError) as caught,
    ):
        asked()
    message = caught.value.message
    assert "\n" not in message
    assert "\x1b" not in message
    assert "a-secret-token" not in message
    assert len(message) < 1_000


def test_points_are_settled_with_what_was_charged(tmp_path: Path) -> None:
    ledger = Ledger(
        tmp_path,
        source="shop",
        limits=Limits(10, Decimal(0), {"points": 1_000}),
        prices_usd={},
        clock=FakeClock().clock(),
    )
    respond = one_after_the_other(
        json_reply(throttled(400, 100)), json_reply(DATA | cost(400, 1500, actual=31.2))
    )
    with asking(respond, ledger=ledger) as asked:
        asked(units={"points": 400})
    assert ledger.use().units == {"points": 32}
    assert ledger.use().requests == 2
