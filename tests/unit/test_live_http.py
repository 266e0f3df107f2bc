"""The transport: addresses, resets, redaction, what goes along on a redirect."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path

import httpcore
import pytest

from extract._addresses import PublicBackend, is_public, origin_of, public_addresses
from extract._budget import Ledger, Limits
from extract._http import Http
from extract._outcomes import FixError, RetryError, reset_seconds
from extract._patience import Patience
from tests.contract.live.server import FakeClock, LocalServer, Reply, json_reply, serving

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433"])
def test_other_spellings_of_this_machine_are_refused(host: str) -> None:
    with pytest.raises((FixError, httpcore.ConnectError)):
        public_addresses(host, 80)


def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(0, 0, 0, "", ("8.8.8.8", 80)), (0, 0, 0, "", ("10.0.0.1", 80))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: found)
    with pytest.raises(FixError, match=r"10\.0\.0\.1 is not public"):
        PublicBackend([]).connect_tcp("rebound.example", 80)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "javascript:x", "//host", "http://", "ftp://a", "http://a:b/"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(FixError):
        origin_of(url)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 60)}, 60),
        ({"x-ratelimit-reset": "77"}, 77),
        ({"x-ratelimit-reset": "77.5"}, 77.5),
        ({"x-ratelimit-reset": "2026-11-20T12:01:00Z"}, 60),
        ({"x-ratelimit-reset": "2026-11-20T12:01:00.000+00:00"}, 60),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=60), usegmt=True)}, 60),
        ({"retry-after": "5", "x-ratelimit-reset": "77"}, 77),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": "-5"}, None),
        ({"x-ratelimit-reset": "nan"}, None),
        ({}, None),
        (
            {
                "x-rate-limit-reset": str(int(NOW.timestamp()) + 3660),
                "date": format_datetime(NOW + timedelta(hours=1), usegmt=True),
            },
            60,
        ),
    ],
)
def test_resets_in_three_formats(headers: dict[str, str], expected: float | None) -> None:
    assert reset_seconds(headers, NOW) == expected


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def server(time: FakeClock) -> Iterator[LocalServer]:
    with serving(lambda request: json_reply({"path": request.path}), time) as found:
        yield found


def http(server: LocalServer, time: FakeClock, *more: str, **changes: object) -> Http:
    return Http(
        source="x",
        allowed=[server.url, *more],
        clock=time.clock(),
        **changes,  # type: ignore[arg-type]
    )


def test_keys_do_not_go_along_to_another_origin(server: LocalServer, time: FakeClock) -> None:
    with serving(lambda request: json_reply({}), time) as other:
        server.respond = lambda request: Reply(302, headers={"location": f"{other.url}/there"})
        with http(server, time, other.url) as client:
            client.get(f"{server.url}/here", headers={"Authorization": "Bearer abc"})
        assert "authorization" in server.requests[0].headers
        assert "authorization" not in other.requests[0].headers


def test_a_redirect_from_https_to_http_is_refused(
    server: LocalServer, time: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http(server, time) as client:
        monkeypatch.setattr(
            client, "_exchange", lambda *_a: (302, {"location": "http://a.example/"}, b"")
        )
        with pytest.raises(FixError, match="unencrypted"):
            client.get("https://a.example/")


def test_a_server_says_when_it_may_be_asked_again(server: LocalServer, time: FakeClock) -> None:
    replies = iter([Reply(503, headers={"retry-after": "40"}), json_reply({})])
    server.respond = lambda request: next(replies)
    with http(server, time) as client:
        client.get(server.url)
    assert time.slept == [40.0]


def test_retries_grow_and_end(server: LocalServer, time: FakeClock) -> None:
    server.respond = lambda request: Reply(500)
    with http(server, time) as client, pytest.raises(RetryError, match="after 5 attempts"):
        client.get(server.url)
    assert time.slept == [0.75, 1.5, 3.0, 6.0]


def test_the_last_request_of_a_window_makes_the_next_one_wait(
    server: LocalServer, time: FakeClock
) -> None:
    headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "90"}
    server.respond = lambda request: json_reply({}, **headers)
    with http(server, time) as client:
        client.get(server.url)
        client.get(server.url)
    assert time.slept == [90.0]


def test_a_stall_ends_by_the_read_timeout(server: LocalServer, time: FakeClock) -> None:
    import threading

    released = threading.Event()

    def stall(_request: object) -> Reply:
        released.wait(5)
        return Reply(200)

    server.respond = stall
    patience = Patience(read_s=0.05, attempts=1)
    try:
        with (
            http(server, time, patience=patience) as client,
            pytest.raises(RetryError, match="ReadTimeout"),
        ):
            client.get(server.url)
    finally:
        released.set()


def test_secrets_are_taken_out_of_bodies(server: LocalServer, time: FakeClock) -> None:
    server.respond = lambda request: json_reply({"echo": "Bearer very-secret"})
    with http(server, time, secrets=["very-secret"]) as client:
        assert client.get(server.url).content == {"echo": "Bearer ***"}


def test_a_platform_that_was_not_reached_bills_nothing(tmp_path: Path, time: FakeClock) -> None:
    with serving(lambda request: json_reply({}), time) as gone:
        url = gone.url
    book = Ledger(
        tmp_path,
        source="x",
        limits=Limits(99, Decimal(1)),
        prices_usd={"posts": Decimal("0.005")},
        clock=time.clock(),
    )
    with (
        Http(source="x", allowed=[url], clock=time.clock(), ledger=book) as client,
        pytest.raises(RetryError, match="no answer"),
    ):
        client.get(url, units={"posts": 100})
    use = book.use()
    assert (use.requests, use.units, use.money_usd) == (5, {"posts": 0}, 0)


def test_an_answer_that_never_came_counts_in_full(
    server: LocalServer, tmp_path: Path, time: FakeClock
) -> None:
    server.respond = lambda request: Reply(manner="reset")
    book = Ledger(tmp_path, source="x", limits=Limits(99), prices_usd={}, clock=time.clock())
    with http(server, time, ledger=book) as client, pytest.raises(RetryError):
        client.get(server.url, units={"posts": 100})
    assert book.use().units == {"posts": 500}
