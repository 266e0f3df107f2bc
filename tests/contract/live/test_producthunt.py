"""What is particular to Product Hunt: counts of every day, slugs, queries that its schema takes."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from extract import producthunt
from extract._outcomes import FixError, RetryError
from extract.base import Product
from tests.contract.live import suite
from tests.contract.live.platforms import ProductHunt
from tests.contract.live.server import Reply, Request, json_reply


def payloads(result: suite.Result) -> list[Any]:
    return [json.loads(text) for _, _, text in result.landed]


@pytest.mark.shared
@pytest.mark.parametrize("query", [producthunt.LISTING, producthunt.LAUNCH, producthunt.COUNT])
def test_queries_are_valid_and_use_nothing_deprecated(shared: Path, query: str) -> None:
    from graphql import NoDeprecatedCustomRule, build_schema, parse, specified_rules, validate

    schema = build_schema((shared / "specs" / "producthunt_schema.graphql").read_text("utf-8"))
    rules = [*specified_rules, NoDeprecatedCustomRule]
    assert validate(schema, parse(query), rules) == []
    assert validate(schema, parse(query.replace("id slug", "id slog")), rules) or "id" not in query


@pytest.mark.parametrize("query", [producthunt.LISTING, producthunt.LAUNCH])
def test_nobody_is_asked_for(query: str) -> None:
    words = set(query.replace("(", " ").replace("{", " ").split())
    assert not words & {"makers", "user", "userId", "votes", "comments", "collections"}


def test_counts_land_every_day_for_as_long_as_they_are_counted_again() -> None:
    platform = ProductHunt()
    with suite.on(platform):
        cursor: Any = {}
        landed = []
        for _ in range(3):
            result = suite.pull(platform, cursor, refresh_days=2, overlap_hours=0)
            cursor = result.cursor
            landed.append(len(result.landed))
            platform.time.pass_time(86_400)
        result = suite.pull(platform, {}, first_days=1)
        assert {p["_counted_on"] for p in payloads(result)} == {"2026-11-23"}
    # The second day is within two days of all launches, the third of none; the named ones go on.
    assert landed == [13, 13, 2]


def test_a_vote_of_the_same_day_lands_within_the_overlap() -> None:
    platform = ProductHunt()
    with suite.on(platform):
        first = suite.pull(platform)
        platform.edit()
        again = suite.pull(platform, first.cursor)
    assert [p["id"] for p in payloads(again)] == ["506"]


def test_a_walk_that_is_stopped_over_midnight_counts_both_days() -> None:
    platform = ProductHunt()
    with suite.on(platform):
        before = suite.pull(platform, stop_after=1)
        platform.time.pass_time(86_400)
        after = suite.pull(platform, before.cursor)
        assert after.error is None
    days = {(p["id"], p["_counted_on"]) for p in payloads(before + after)}
    assert {("500", "2026-11-20"), ("500", "2026-11-21"), ("510", "2026-11-21")} <= days


def test_a_slug_that_is_no_launch_is_named_and_the_others_land() -> None:
    platform = ProductHunt()
    terms = {"launch": ("acme-classic", "acme-gone")}
    with suite.on(platform):
        result = suite.pull(
            platform, topics=(), context={"catalogue": (Product("a", "A", "A", "t", terms),)}
        )
    assert isinstance(result.error, FixError)
    assert "acme-gone" in result.error.message
    assert [p["slug"] for p in payloads(result)] == ["acme-classic"]


def test_nothing_to_read_is_said_before_anybody_is_asked() -> None:
    platform = ProductHunt(quirk="empty")
    with suite.on(platform) as server:
        result = suite.pull(platform, topics=())
        assert server.requests == []
    assert "sources.producthunt.topics" in str(result.error)


def test_an_answer_to_another_question_is_not_taken() -> None:
    platform = ProductHunt()
    with suite.on(platform) as server:
        other = json_reply({"data": {"posts": platform._page(platform.listed("games"), PAGE)}})
        suite.with_fault(platform, server, lambda r, n: other, 0, suite.MANY)
        result = suite.pull(platform)
    assert isinstance(result.error, RetryError)
    assert result.landed == []


PAGE = {"after": None, "first": 4, "topic": "games"}


def test_spent_complexity_is_waited_for_by_the_seconds_told() -> None:
    platform = ProductHunt()
    with suite.on(platform) as server:
        spent = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": "420"}
        errors = [{"error": "rate_limit_reached", "details": {"limit": 6250, "reset_in": 420}}]
        refused = json_reply({"errors": errors}, 429, **spent)
        suite.with_fault(platform, server, lambda r, n: refused, 1, 1)
        result = suite.pull(platform)
        expected, _ = suite.undisturbed(ProductHunt)
    suite.same(result, expected)
    assert 420 <= sum(s for s in platform.time.slept if s > 60) < 460


def test_a_bad_token_is_named(tmp_path: Path) -> None:
    platform = ProductHunt()
    with suite.on(platform):
        assert producthunt.probe(platform.settings(), platform.context(tmp_path)).is_authorised
        platform.environment[producthunt.TOKEN] = "another-token"
        result = suite.pull(platform)
        assert isinstance(result.error, FixError)
        assert producthunt.TOKEN in str(result.error)
        assert producthunt.probe(platform.settings(), platform.context()).is_authorised is False


def test_a_plan_counts_the_launches_of_a_topic() -> None:
    platform = ProductHunt()
    with suite.on(platform):
        tools, games, named = producthunt.plan(platform.settings(), {}, platform.context())
        assert (tools.units, tools.requests) == ({"launches": 11}, 3)
        assert (games.requests, named.requests) == (1, 2)
        platform.time.pass_time(timedelta(days=40).total_seconds())
        tools, *_ = producthunt.plan(platform.settings(), {}, platform.context())
        assert tools.units == {"launches": 0}


def test_what_is_no_list_is_asked_for_again() -> None:
    platform = ProductHunt()
    with suite.on(platform) as server:
        usual = platform.answer

        def respond(request: Request) -> Reply:
            is_second = len(server.requests) == 2
            return json_reply({"data": {"posts": {"edges": 5}}}) if is_second else usual(request)

        server.respond = respond
        result = suite.pull(platform)
        expected, _ = suite.undisturbed(ProductHunt)
    suite.same(result, expected)
