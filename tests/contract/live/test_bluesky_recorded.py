"""Recorded events and published schemas of Bluesky, read from outside the project."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from extract.base import Product
from tests.contract.live import suite
from tests.contract.live.platforms import BlueskySearch, Jetstream
from tests.contract.live.server import Reply, Request, json_reply, text_frame

pytestmark = pytest.mark.shared
_KINDS = {"string": str, "integer": int, "array": list, "object": dict}


def recorded_lines(shared: Path) -> list[str]:
    files = ("golden_v1.jsonl", "expected_v1.jsonl")
    texts = [(shared / "fixtures/jetstream" / name).read_text("utf-8") for name in files]
    return [line for text in texts for line in text.splitlines()]


def test_recorded_events_pass_the_door_as_received(shared: Path) -> None:
    """Words taken from the recorded posts are the catalogue: their posts land, nothing else."""
    lines = recorded_lines(shared)
    events = [json.loads(line) for line in lines]
    posts = [
        event
        for event in events
        if event.get("commit", {}).get("collection") == "app.bsky.feed.post"
        and event["commit"]["operation"] == "create"
    ]
    by_word: dict[str, dict[str, Any]] = {}
    for event in posts:
        without_links = re.sub(r"(?:https?://|www\.)\S+", " ", event["commit"]["record"]["text"])
        for word in re.findall(r"(?<![#@\w])[A-Za-z]{5,}(?!\w)", without_links)[:1]:
            by_word[word] = event
    assert len(by_word) >= 5, "the recording holds too little"
    catalogue = (Product("p", "P", "P", "c", {"keyword": tuple(by_word)}),)

    class Recorded(Jetstream):
        def answer(self, request: Request) -> Reply:
            return Reply(101, b"".join(map(text_frame, lines)))

    platform = Recorded()
    newest = max(event["time_us"] for event in events) / 1_000_000
    platform.time.wall = datetime.fromtimestamp(newest, UTC) - timedelta(seconds=1)
    with suite.on(platform):
        context = {"catalogue": catalogue}
        result = suite.pull(platform, context=context, first_hours=24 * 60)
        assert result.error is None, result.error
        assert not result.rejects
        assert suite.pull(platform, result.cursor, context=context).landed == []
    landed = {record_id: json.loads(text) for _, record_id, text in result.landed}
    for event in by_word.values():
        uri = f"at://{event['did']}/app.bsky.feed.post/{event['commit']['rkey']}"
        assert landed[uri] == event
    words = "|".join(by_word)
    for event in landed.values():
        assert re.search(rf"(?i){words}", event["commit"]["record"]["text"])


def lexicon(shared: Path, name: str) -> dict[str, Any]:
    path = shared / "specs/bluesky_lexicons" / f"{name}.json"
    return dict(json.loads(path.read_text("utf-8"))["defs"])


def test_queries_are_valid_by_the_lexicon(shared: Path) -> None:
    parameters = lexicon(shared, "searchPosts")["main"]["parameters"]
    known = parameters["properties"]
    platform = BlueskySearch()
    window = {"since": platform.time.wall - timedelta(hours=9), "until": platform.time.wall}
    with suite.on(platform) as server:
        suite.pull(platform)
        suite.pull(platform, context=window)
        asked = [request.query for request in server.requests if "q" in request.query]
    assert any("cursor" in query for query in asked)
    assert any("until" in query for query in asked)
    for query in asked:
        assert set(parameters["required"]) <= set(query) <= set(known)
        assert query["sort"] in known["sort"]["knownValues"]
        limit = known["limit"]
        assert limit["minimum"] <= int(query["limit"]) <= limit["maximum"]
        for name in ("since", "until"):
            if name in query:
                assert datetime.fromisoformat(query[name].replace("Z", "+00:00"))


def test_the_stand_in_answers_as_the_lexicon_says(shared: Path) -> None:
    """Else the contract suite would prove something about another platform."""
    view = lexicon(shared, "defs")["postView"]
    record = lexicon(shared, "post")["main"]["record"]
    for post in BlueskySearch().posts():
        valid(post, view)
        valid(post["record"], record)
    for event in Jetstream().events():
        if "record" in event.get("commit", {}):
            valid(event["commit"]["record"], record)


def valid(found: dict[str, Any], schema: dict[str, Any]) -> None:
    assert set(schema["required"]) <= set(found)
    for name, value in found.items():
        if name != "$type":
            kind = _KINDS.get(schema["properties"][name]["type"])
            assert kind is None or isinstance(value, kind), name


def test_a_published_post_view_lands_as_received(shared: Path) -> None:
    name = "marshalx_thread_view_post_with_embed_media.json"
    post = json.loads((shared / "fixtures/bluesky" / name).read_text("utf-8"))["thread"]["post"]
    platform = BlueskySearch()
    with suite.on(platform) as server:
        answer = platform.answer

        def respond(request: Request) -> Reply:
            if "q" in request.query:
                return json_reply({"posts": [post]})
            return answer(request)

        server.respond = respond
        result = suite.pull(platform, search_first_days=5_000)
    assert result.error is None, result.error
    assert [json.loads(text) for _, _, text in result.landed] == [post]
