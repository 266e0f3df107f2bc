"""Bluesky's stream on bad days, over a real socket: what the suite of all sources cannot ask."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Close, Opcode

from benchmarks import jetstream as bench
from extract import bluesky
from extract._outcomes import FixError, RetryError
from extract.base import Deletion
from tests.contract.live import suite
from tests.contract.live.platforms import BlueskySearch, Jetstream
from tests.contract.live.platforms.bluesky import account, commit
from tests.contract.live.server import START, Reply, Request, frame_of, json_reply, text_frame
from tests.warehouse.dbt_builds import TinyProject, tiny_project

DID = "did:plc:alice2345"


class Told(Jetstream):
    """Tells given frames to every connection, then stays open."""

    body: bytes = b""

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/xrpc/"):
            return json_reply({"error": "AuthMissing"}, 403)
        newest = commit("did:plc:dave2345", "3last", self.time.now(), "good night")
        return Reply(101, self.body + text_frame(newest))


def told(*frames: bytes) -> Told:
    platform = Told()
    platform.body = b"".join(frames)
    return platform


def pulled(platform: Jetstream, **changes: Any) -> suite.Result:
    with suite.on(platform):
        return suite.pull(platform, **changes)


def at(minutes: float) -> Any:
    return START - timedelta(minutes=minutes)


def test_hostile_messages_are_rejected_by_name_and_stop_nothing() -> None:
    good = commit(DID, "3good", at(5), "acme")
    wrong: dict[str, Any] = {
        "the message is no JSON": "{torn",
        "the message is no object": [1],
        "time_us is no positive whole number": {**good, "time_us": True},
        "did is none": {**good, "did": "did:plc:a b"},
        "commit is no object": {**good, "commit": "x"},
        "commit.rkey is none": commit(DID, "a/b", at(4), "acme"),
        "commit.operation is 'explode'": commit(DID, "3e", at(4), "acme", operation="explode"),
        "commit.record has no text": commit(DID, "3t", at(4)),
        "account.active is neither true nor false": account(DID, at(4), active=1),  # type: ignore[arg-type]
    }
    deep = "[" * 100_000 + "]" * 100_000
    frames = [text_frame(content) for content in wrong.values()]
    frames += [text_frame(deep), frame_of(Opcode.BINARY, b"\x00\xff"), text_frame(good)]
    frames += [text_frame({**good, "kind": "sync"}), frame_of(Opcode.TEXT, b'"\xff\xfe"')]
    platform = told(*frames)
    result = pulled(platform)
    assert result.error is None, result.error
    assert [record_id for _, record_id, _ in result.landed] == [
        f"at://{DID}/app.bsky.feed.post/3good"
    ]
    reasons = {reject.reason for reject in result.rejects}
    assert reasons == {*wrong, "the message is binary"}
    assert any("'sync'" in note for note in result.notes)
    assert all(len(reject.text) <= 20_000 for reject in result.rejects)


def test_fragments_pings_and_odd_characters_are_understood() -> None:
    event = commit(DID, "3a", at(5), "acme \ud83d and 東京")
    text = json.dumps(event).encode()
    frames = [
        frame_of(Opcode.PING, b"there?"),
        frame_of(Opcode.TEXT, text[:20], fin=False),
        frame_of(Opcode.PING, b"still?"),
        frame_of(Opcode.CONT, text[20:40], fin=False),
        frame_of(Opcode.CONT, text[40:]),
    ]
    result = pulled(told(*frames))
    assert result.error is None
    assert [json.loads(payload) for _, _, payload in result.landed] == [event]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1013])
def test_every_way_of_closing_is_followed_by_another_connection(code: int) -> None:
    platform = Jetstream()
    with suite.on(platform) as server:
        ends = frame_of(Opcode.CLOSE, Close(code, "go \x1b[31m away").serialize())
        answer = platform.answer
        server.respond = lambda request: (
            Reply(101, ends) if len(server.requests) in (2, 3) else answer(request)
        )
        result = suite.pull(platform)
        assert result.error is None, result.error
        expected, requests = suite.undisturbed(Jetstream)
        suite.same(result, expected)
        assert len(server.requests) == requests + 2
        server.respond = lambda request: Reply(101, ends)
        ended = suite.pull(platform, result.cursor)
    assert isinstance(ended.error, RetryError)
    assert str(code) in ended.error.message
    assert "\x1b" not in ended.error.message


def test_another_host_is_asked_when_one_fails() -> None:
    expected, _ = suite.undisturbed(Jetstream)
    for status in (404, 503):
        broken, sound = Jetstream(), Jetstream()
        with suite.on(broken) as first, suite.on(sound):
            first.respond = lambda request, status=status: Reply(status)
            urls = ["ws" + place.url.removeprefix("http") for place in (broken, sound)]
            suite.same(suite.pull(sound, jetstream_urls=urls), expected)
            assert len(first.requests) == 1


def test_a_cursor_that_is_too_old_is_said() -> None:
    platform = Jetstream()
    with suite.on(platform):
        first = suite.pull(platform)
        platform.time.wall += timedelta(days=3)
        later = suite.pull(platform, first.cursor)
    assert later.error is None
    assert any("are lost" in note and "2026-11-20 12:00" in note for note in later.notes)


def test_a_stream_without_end_ends_at_the_limit_of_pages() -> None:
    many = [text_frame(commit(DID, f"3{n}", at(500 - n / 100), "acme")) for n in range(300)]
    result = pulled(told(*many), page_size=10, max_pages=5)
    assert result.error is None
    assert any("5 pages read" in note for note in result.notes)


def test_listening_goes_on_for_as_long_as_was_asked() -> None:
    platform = Jetstream()
    with suite.on(platform) as server:
        answer = platform.answer

        def respond(request: Request) -> Reply:
            platform.time.pass_time(20.0)
            return answer(request)

        server.respond = respond
        duration = {"duration": timedelta(minutes=2)}
        result = suite.pull(platform, context=duration)
        assert result.error is None, result.error
        assert len(server.requests) >= 5, "it ended before its time"
        assert len(server.requests) <= 8, "it did not end"
        suite.same(result, suite.undisturbed(Jetstream)[0])


def test_deletions_follow_what_was_kept_also_when_its_memory_is_lost(tmp_path: Path) -> None:
    platform = Jetstream()
    landed: list[str] = []
    with suite.on(platform):
        first = suite.pull(platform, stop_after=1)
        landed += [record_id for stream, record_id, _ in first.landed if stream.endswith("posts")]
        memory = Path(platform.folder.name) / "bluesky" / "kept.bits"
        memory.write_bytes(memory.read_bytes()[:5_000])
        context = {"landed": lambda _source, stream: iter(landed if stream == "posts" else [])}
        rest = suite.pull(platform, first.cursor, context=context)
        suite.same(first + rest, suite.undisturbed(Jetstream)[0])
        # Nobody knows what was kept: every deletion is.
        memory.unlink()
        blind = suite.pull(platform, first.cursor)
    assert any(record_id.endswith("/3unknown") for _, record_id, _ in blind.landed)


def test_what_is_deleted_for_good_is_told_to_those_who_forget() -> None:
    told = {name: bluesky.DELETIONS[name] for name in ("deletions", "accounts")}
    uri = f"at://{DID}/app.bsky.feed.post/3a"
    assert told["deletions"](commit(DID, "3a", START, operation="delete")) == Deletion(
        uri, DID, START
    )
    assert told["accounts"](account(DID, START, active=False, status="deleted")) == Deletion(
        None, DID, START
    )
    assert told["accounts"](account(DID, START, active=False, status="suspended")) is None
    assert told["accounts"](account(DID, START, active=True)) is None
    assert told["deletions"]({"commit": {"operation": "delete"}, "time_us": 10**30}) is None


def test_a_window_of_the_past_needs_a_login() -> None:
    platform = Jetstream()
    result = pulled(platform, context={"since": at(60)})
    assert isinstance(result.error, FixError)
    assert bluesky.HANDLE in str(result.error)
    assert "403" in str(result.error)


def test_plan_and_probe_tell_what_a_pull_takes() -> None:
    platform = Jetstream()
    with suite.on(platform) as server:
        (planned,) = bluesky.plan(platform.settings(first_hours=1), {}, platform.context())
        assert (planned.requests, planned.units) == (1, {"events": 180_000})
        assert server.requests == []
        found = bluesky.probe(platform.settings(), platform.context())
        assert (found.is_reachable, found.is_authorised) == (True, True)
        assert bluesky.HANDLE in found.message
        server.respond = lambda request: Reply(503)
        assert bluesky.probe(platform.settings(), platform.context()).is_reachable is False
    searching = BlueskySearch()
    with suite.on(searching):
        planned, _ = bluesky.plan(searching.settings(), {}, searching.context())
        assert (planned.requests, planned.units) == (3, {"posts": 11})


def test_a_token_that_ends_is_renewed() -> None:
    expected, _ = suite.undisturbed(BlueskySearch)
    platform = BlueskySearch()
    with suite.on(platform) as server:
        answer = platform.answer

        def respond(request: Request) -> Reply:
            if request.path.endswith("refreshSession"):
                assert request.headers["authorization"] == "Bearer renewal-token"
                given = {"accessJwt": "head.new.tail", "refreshJwt": "another"}
                return json_reply(given)
            if len(server.requests) == 3:
                return json_reply({"error": "ExpiredToken", "message": "Token has expired"}, 400)
            return answer(request)

        server.respond = respond
        suite.same(suite.pull(platform), expected)
        paths = [request.path.rpartition(".")[2] for request in server.requests]
        assert paths.count("createSession") == 1
        assert paths.count("refreshSession") == 1


def test_thousands_of_events_over_many_connections_end_in_the_right_posts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The benchmark in small: none lost, none twice, what was deleted gone from the models."""
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    end_us = int(START.timestamp() * 1e6)
    world = bench.make_world(4_000, seed=7, end_us=end_us)
    with bench.serving(world, 350) as server:
        measured = bench.pull(bench.write_target(tmp_path / "target", server.url))
        assert server.connections > 10
    assert not measured.error
    assert measured.requests == server.connections
    assert measured.landed == world.expected
    commits = tmp_path / "data" / "stream" / "landing" / "_commits" / "bluesky"
    assert len(list(commits.iterdir())) < 5
    project = built(tmp_path / "tiny", measured)
    rows = project.query("select post_id from intermediate.int_posts__from_bluesky")
    assert {post_id for (post_id,) in rows} == world.standing
    assert len(world.standing) > 100


def built(folder: Path, measured: bench.Measured) -> TinyProject:
    folder.mkdir()
    project = tiny_project(folder)
    for stream in ("posts", "deletions", "accounts"):
        payloads = [json.loads(text) for name, _, text in measured.landed if name == stream]
        project.land("bluesky", stream, payloads, fetched_at="2026-11-20T13:00:00Z")
    project.dbt("run", "--select", "+int_posts__from_bluesky")
    return project
