"""What is Reddit's own: keys or feeds, anchors that are deleted, listings that end too early."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from extract import reddit
from extract._outcomes import FixError
from tests.contract.live import suite
from tests.contract.live.platforms import Reddit, RedditFeeds
from tests.contract.live.server import Reply, Request, json_reply


def test_keys_land_submissions_and_comments_as_children_of_a_listing() -> None:
    platform = Reddit()
    with suite.on(platform):
        result = suite.pull(platform)
    streams = [stream for stream, _, _ in result.landed]
    assert (streams.count("reddit/submissions"), streams.count("reddit/comments")) == (11, 5)
    assert all('"kind": "t' in payload for _, _, payload in result.landed)


def test_without_keys_public_feeds_land_as_entries() -> None:
    platform = RedditFeeds()
    with suite.on(platform) as server:
        result = suite.pull(platform)
        assert all("authorization" not in request.headers for request in server.requests)
    assert {stream for stream, _, _ in result.landed} == {"reddit/feed_entries"}
    assert ("reddit/feed_entries", "t3_a0") in result.ids


def test_feeds_are_paced_to_a_minute_unless_set() -> None:
    platform = RedditFeeds()
    with suite.on(platform):
        suite.pull(platform, feed_pace_s=60.0)
    assert sum(platform.time.slept) == pytest.approx(60.0)


def test_a_search_goes_over_everything() -> None:
    platform = Reddit()
    with suite.on(platform) as server:
        suite.pull(platform, subreddits=(), queries=["acme tools"])
        assert server.requests[1].path == "/search"
        assert server.requests[1].query["q"] == "acme tools"
        assert server.requests[1].query["sort"] == "new"


def test_an_anchor_that_was_deleted_begins_the_walk_anew() -> None:
    expected, _ = suite.undisturbed(Reddit)
    platform = Reddit()
    with suite.on(platform) as server:
        before = suite.pull(platform, stop_after=1)
        empty = json_reply({"kind": "Listing", "data": {"children": [], "after": None}})
        suite.with_fault(platform, server, lambda r, n: empty, 1, 1)
        after = suite.pull(platform, before.cursor)
    assert after.error is None
    suite.same(before + after, expected)


class Long(Reddit):
    """A listing of a thousand items that moves on between two pulls."""

    shift = 0

    def answer(self, request: Request) -> Reply:
        if request.path == "/api/v1/access_token":
            return super().answer(request)
        after = request.query.get("after")
        start = int(after.partition("_")[2]) + 1 if after else 0
        now = int(self.time.wall.timestamp())
        children = [
            {
                "kind": "t3",
                "data": {"name": f"t3_{self.shift - n}x{n}", "created_utc": now - 60.0 * n},
            }
            for n in range(start, min(start + 100, 1_000))
        ]
        following = f"t3_{start + 99}" if start + 100 < 1_000 else None
        data: dict[str, Any] = {"children": children, "after": following}
        return json_reply({"kind": "Listing", "data": data})


def test_a_listing_that_ends_too_early_names_the_gap() -> None:
    platform = Long()
    with suite.on(platform):
        first = suite.pull(platform, comments=False)
        assert first.notes == []
        assert len(first.ids) == 1_000
        platform.time.wall += timedelta(days=3)
        platform.shift = 5_000
        second = suite.pull(platform, first.cursor, comments=False)
    assert len(second.notes) == 1
    assert "is lost" in second.notes[0]
    assert "Pull more often" in second.notes[0]


def test_one_key_without_the_other_is_named() -> None:
    platform = Reddit()
    del platform.environment[reddit.CLIENT_SECRET]
    with suite.on(platform):
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)
    assert reddit.CLIENT_SECRET in result.error.message


def test_credentials_that_are_refused_as_oauth_does() -> None:
    platform = Reddit()
    with suite.on(platform) as server:
        refused = json_reply({"error": "invalid_grant"})
        suite.with_fault(platform, server, lambda r, n: refused, 0, 1)
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)
    assert reddit.CLIENT_ID in result.error.remedy


def test_the_libraries_own_waiting_never_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """praw would sleep by the clock of the wall for a limit that it sees."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("it slept for real"))
    platform = Reddit()
    with suite.on(platform) as server:

        def exhausted(reply: Reply, _number: int) -> Reply:
            headers = {"x-ratelimit-remaining": "0.0", "x-ratelimit-used": "100"}
            return reply.but(headers={**reply.headers, **headers, "x-ratelimit-reset": "77"})

        suite.with_fault(platform, server, exhausted, 0, 1)
        assert suite.pull(platform).error is None
    assert any(slept >= 76 for slept in platform.time.slept)


def test_a_private_subreddit_does_not_stop_the_others() -> None:
    platform = Reddit()
    with suite.on(platform) as server:
        suite.with_fault(platform, server, lambda r, n: json_reply({}, 403), 1, 1)
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)
    assert "r/acme" in result.error.message
    assert {stream for stream, _, _ in result.landed} == {"reddit/comments"}


@pytest.mark.parametrize("make", [Reddit, RedditFeeds])
def test_a_probe_reads_one_page(make: Any) -> None:
    platform = make()
    with suite.on(platform) as server:
        probe = reddit.probe(platform.settings(), platform.context())
        assert len(server.requests) <= 2
    assert (probe.is_configured, probe.is_reachable, probe.is_authorised) == (True, True, True)
    assert ("public feeds" in probe.message) == (make is RedditFeeds)


def test_a_plan_asks_nothing() -> None:
    platform = Reddit()
    with suite.on(platform) as server:
        planned = reddit.plan(platform.settings(), {}, platform.context())
        assert server.requests == []
    assert [part.requests for part in planned] == [10, 10]
