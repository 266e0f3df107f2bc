"""Feeds are hostile: what is refused or defused, and that it says so."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from extract import rss
from extract._feeds import Feed, parse_feed
from extract._outcomes import Answer, FixError, RetryError
from tests.contract.live import suite
from tests.contract.live.platforms import Feeds
from tests.contract.live.server import START, Reply


def rss_text(items: str, *, head: str = '<?xml version="1.0"?>') -> str:
    return f'{head}<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'


def item(
    guid: str, title: str = "A title", link: str = "https://a.example/1", more: str = ""
) -> str:
    return f"<item><guid>{guid}</guid><title>{title}</title><link>{link}</link>{more}</item>"


def parse(body: bytes | str, content_type: str = "application/xml") -> Feed:
    data = body.encode() if isinstance(body, str) else body
    return parse_feed(
        Answer(200, {"content-type": content_type}, data, "https://a.example/f", START)
    )


def titles(feed: Feed) -> list[str]:
    return [entry["title"] for entry in feed.entries]


def test_an_entity_bomb_is_refused_and_said() -> None:
    lines = ['<!ENTITY a "lollollollol">']
    lines += [
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefghi", "bcdefghij", strict=True)
    ]
    doctype = f"<?xml version='1.0'?><!DOCTYPE rss [{''.join(lines)}]>"
    started = time.monotonic()
    feed = parse(rss_text(item("1", "bomb &j;") + item("2"), head=doctype))
    assert time.monotonic() - started < 2
    assert sum(len(str(entry)) for entry in feed.entries) < 5_000
    assert any("entities" in note for note in feed.notes)
    assert "A title" in titles(feed)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_external_entities_are_not_fetched(encoding: str) -> None:
    head = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE rss [<!ENTITY x SYSTEM '
        '"file:///etc/passwd"><!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]>'
    )
    feed = parse(rss_text(item("1", "secret &x;"), head=head).encode(encoding))
    assert "root:" not in str(feed.entries)
    assert any("entities" in note for note in feed.notes)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (rss_text(item("1", "Caf\u00e9")).encode("latin-1"), "text/xml; charset=iso-8859-1"),
        (rss_text(item("1", "Caf\u00e9")).encode("utf-16"), "text/xml"),
        (rss_text(item("1", "Caf\u00e9"), head="").encode("cp1252"), "text/xml; charset=utf-8"),
        (rss_text(item("1", "Caf\u00e9")).encode(), "text/xml; charset=nonsense"),
        (rss_text(item("1", "Caf\u00e9")).encode(), "text/xml; charset=idna"),
        (
            rss_text(
                item("1", "Caf\u00e9"), head='<?xml version="1.0" encoding="utf-16"?>'
            ).encode(),
            "text/xml",
        ),
        (b"\xef\xbb\xbf" + rss_text(item("1", "Caf\u00e9")).encode(), "text/xml; charset=latin-1"),
    ],
)
def test_wrong_encodings_are_read(body: bytes, content_type: str) -> None:
    assert titles(parse(body, content_type)) == ["Caf\u00e9"]


def test_bytes_of_no_encoding_are_read_and_said() -> None:
    feed = parse(rss_text(item("1", "a\u0001b")).encode().replace(b"A title", b"\xff\xfe"))
    assert titles(feed) == ["a\N{REPLACEMENT CHARACTER}b"]
    assert feed.notes == ["control characters were replaced"]


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x"])
def test_links_that_are_not_http_are_taken_out_and_said(link: str) -> None:
    feed = parse(rss_text(item("1", link=link)))
    assert feed.entries[0]["link"] is None
    (refused,) = feed.entries[0]["refused_links"]
    assert refused.partition(":")[0] == link.partition(":")[0]
    assert any("taken out" in note for note in feed.notes)


def test_a_broken_feed_gives_what_can_be_read_and_the_reason() -> None:
    body = rss_text(item("1") + item("2", "un<closed") + item("3"))
    feed = parse(body)
    assert len(feed.entries) == 3
    assert feed.problem.startswith("malformed")


def test_a_feed_that_is_cut_off_gives_its_whole_entries() -> None:
    body = rss_text(item("1") + item("2") + item("3"))
    feed = parse(body[: body.index("<guid>3") + 25])
    assert [entry["id"] for entry in feed.entries] == ["1", "2"]
    assert "cut off" in feed.problem


@pytest.mark.parametrize("body", ["", "<html><body>Sign in</body></html>", "{}", "\0\0\0"])
def test_what_is_no_feed_is_an_error(body: str) -> None:
    with pytest.raises(RetryError, match="instead of a feed"):
        parse(body)


def test_a_hundred_megabytes_are_refused_plain_and_compressed() -> None:
    zeros = gzip.compress(b" " * 100_000_000, 6)
    for reply in (
        Reply(manner="endless"),
        Reply(200, b"", {"content-length": "100000000"}),
        Reply(200, zeros, {"content-encoding": "gzip"}),
    ):
        if "content-length" in reply.headers:
            continue
        platform = Feeds()
        with suite.on(platform) as server:
            suite.with_fault(platform, server, lambda r, n, reply=reply: reply, 0, suite.MANY)
            result = suite.pull(platform)
            assert isinstance(result.error, FixError)
            assert "8,388,608 bytes" in result.error.message


def test_a_broken_feed_is_fetched_again_although_its_tag_is_the_same() -> None:
    platform = Feeds()
    expected, _ = suite.undisturbed(Feeds)
    with suite.on(platform) as server:

        def cut(reply: Reply, _number: int) -> Reply:
            return reply.but(body=reply.body[: len(reply.body) * 2 // 3])

        suite.with_fault(platform, server, cut, 0, 1)
        first = suite.pull(platform)
        assert first.error is None
        assert [reject.origin for reject in first.rejects] == ["one"]
        suite.healed(platform, server)
        second = suite.pull(platform, first.cursor)
        suite.same(first + second, expected)
        assert "if-none-match" not in server.requests[3].headers
        assert "if-none-match" in server.requests[4].headers


def test_a_feed_that_fails_does_not_stop_the_others() -> None:
    platform = Feeds()
    with suite.on(platform) as server:
        suite.with_fault(platform, server, lambda r, n: Reply(404), 0, 1)
        result = suite.pull(platform)
        assert isinstance(result.error, FixError)
        assert "1 of 3 parts failed" in result.error.message
        assert {record_id.partition("|")[0] for _, record_id, _ in result.landed} == {
            "two",
            "three",
        }


def test_not_modified_lands_nothing_and_a_feed_is_not_asked_too_often() -> None:
    platform = Feeds()
    with suite.on(platform) as server:
        first = suite.pull(platform, interval_minutes=30)
        again = suite.pull(platform, first.cursor, interval_minutes=30)
        assert len(server.requests) == 3
        platform.time.pass_time(1_801)
        later = suite.pull(platform, again.cursor, interval_minutes=30)
        assert len(server.requests) == 6
        assert later.landed == []


def test_a_feed_that_moved_says_so() -> None:
    platform = Feeds()
    with suite.on(platform) as server:
        moved = Reply(301, headers={"location": "/two.xml"})
        suite.with_fault(platform, server, lambda r, n: moved, 0, 1)
        result = suite.pull(platform)
        assert any("moved" in note for note in result.notes)


def test_base_url_carries_the_feeds_own_address() -> None:
    settings: Any = rss.Settings(
        base_url="http://127.0.0.1:9", feeds={"a": {"url": "https://shop.example/f.xml"}}
    )
    assert rss.address(settings, settings.feeds["a"].url) == (
        "http://127.0.0.1:9/https://shop.example/f.xml"
    )


def test_a_feed_that_stays_malformed_is_not_fetched_and_rejected_for_ever() -> None:
    platform = Feeds()
    with suite.on(platform) as server:
        answer = platform.answer

        def broken(request: Any) -> Reply:
            reply = answer(request)
            return reply.but(body=reply.body.replace(b"<title>acme 1", b"<title>acme &nope; <x> 1"))

        server.respond = broken
        first = suite.pull(platform)
        again = suite.pull(platform, first.cursor)
        assert len(first.rejects) == 2
        assert again.rejects == []
        assert "if-none-match" in server.requests[-3].headers
