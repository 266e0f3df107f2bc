"""What is particular to GitHub: entity tags, moved and deleted repositories, nameless stars."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from extract import github
from extract._outcomes import FixError, WaitError
from extract.base import Product
from tests.contract.live import suite
from tests.contract.live.platforms import GitHub
from tests.contract.live.platforms.github import IDS
from tests.contract.live.server import LocalServer, Reply, Request, json_reply


def payloads(result: suite.Result, stream: str) -> list[Any]:
    return [json.loads(text) for name, _, text in result.landed if name == f"github/{stream}"]


def answering(platform: GitHub, server: LocalServer, path: str, reply: Reply) -> None:
    """One path answers otherwise."""
    usual = platform.answer
    server.respond = lambda request: reply if request.path == path else usual(request)


def test_a_second_pull_of_the_day_asks_under_entity_tags_alone() -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        first = suite.pull(platform)
        asked = len(server.requests)
        assert not any("if-none-match" in r.headers for r in server.requests)
        assert suite.pull(platform, first.cursor).landed == []
        later = server.requests[asked:]
        assert [r.path for r in later] == [
            f"/repos/{name}{part}"
            for name in IDS
            for part in ("", *["/releases"] * (2 if name == "acme/one" else 1), "/stargazers")
        ]
        assert all("if-none-match" in r.headers for r in later)


def test_a_count_that_stays_lands_once_every_day() -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        cursor, landed = {}, []
        for _ in range(3):
            result = suite.pull(platform, cursor)
            cursor = result.cursor
            landed.append(sorted(key for name, key, _ in result.landed if "repos" in name))
            platform.time.pass_time(86_400)
        assert landed[0][:2] == landed[1] == landed[2] == ["101", "102"]
        assert len(payloads(result, "issue_counts")) == 2
        covered = [p["covered_until"] for p in payloads(result, "stars") if "covered_until" in p]
        assert covered == ["2026-11-22T00:00:00Z"] * 2
        assert server.errors == []


def test_no_person_who_gave_a_star_is_kept() -> None:
    for quirk in ("", "missing_fields", "wrong_types"):
        platform = GitHub(quirk=quirk)
        with suite.on(platform):
            result = suite.pull(platform)
        kept = json.dumps([result.landed, result.cursor, [r.text for r in result.rejects]])
        assert "somebody" not in kept
        assert sum(star.get("count", 0) for star in payloads(result, "stars")) == 10 - bool(quirk)


def test_stars_given_later_land_and_those_before_do_not_come_again() -> None:
    platform = GitHub(hidden=2)
    with suite.on(platform):
        first = suite.pull(platform)
        platform.hidden = 0
        second = suite.pull(platform, first.cursor)
    assert [(p.get("starred_at"), p.get("count")) for p in payloads(second, "stars")] == [
        ("2026-11-20T11:55:00Z", 1),
        ("2026-11-20T11:53:00Z", 1),
    ]


def test_a_list_that_is_longer_than_its_count_is_read_from_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = GitHub().record("acme/one")
    monkeypatch.setattr(GitHub, "record", lambda self, name: {**whole, "stargazers_count": 1})
    platform = GitHub()
    with suite.on(platform):
        result = suite.pull(platform, repositories=("acme/one",))
    assert sum(star.get("count", 0) for star in payloads(result, "stars")) == 7


def test_a_repository_without_releases_and_stars_is_complete() -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        usual = platform.answer

        def respond(request: Request) -> Reply:
            is_list = request.path.endswith(("/releases", "/stargazers"))
            return json_reply([]) if is_list else usual(request)

        server.respond = respond
        result = suite.pull(platform)
    assert result.error is None
    assert payloads(result, "releases") == []
    assert [set(p) for p in payloads(result, "stars")] == [{"covered_until", "_repository"}] * 2


def test_of_more_stars_than_github_lists_the_oldest_are_read_and_the_rest_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = GitHub().record("acme/two")
    monkeypatch.setattr(GitHub, "record", lambda self, name: {**whole, "stargazers_count": 52_000})
    platform = GitHub()
    with suite.on(platform) as server:
        usual = platform.answer

        def respond(request: Request) -> Reply:
            if not request.path.endswith("stargazers"):
                return usual(request)
            number = int(request.query["page"])
            assert number <= 400
            day = f"20{10 + number // 100}-01-{1 + number % 28:02d}"
            link = f'<https://x.example/?page={number - 1}>; rel="prev"'
            item = {"starred_at": f"{day}T00:00:{number % 60:02d}Z", "user": {"login": "somebody"}}
            return json_reply([item], **({"link": link} if number > 1 else {}))

        server.respond = respond
        result = suite.pull(platform, repositories=("acme/two",), page_size=100)
    assert server.requests[3].query["page"] == "400"
    assert any("lists the oldest 40,000" in note for note in result.notes)
    covered = [p["covered_until"] for p in payloads(result, "stars") if "covered_until" in p]
    assert covered == ["2014-01-09T00:00:40Z"]


def test_a_moved_repository_is_followed_and_named() -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        moved = Reply(301, headers={"location": "/repos/acme/one"})
        answering(platform, server, "/repos/acme/old", moved)
        usual = server.respond
        server.respond = lambda request: usual(
            request
            if not request.path.startswith("/repos/acme/old/")
            else Request(
                request.method,
                request.path.replace("old", "one"),
                request.query,
                request.headers,
                request.body,
            )
        )
        result = suite.pull(platform, repositories=("Acme/Old",), topics=())
    assert result.error is None
    assert any("acme/old is acme/one now" in note for note in result.notes)
    (record,) = payloads(result, "repositories")
    assert (record["full_name"], record["_tracked_as"]) == ("acme/one", "acme/old")


def test_a_deleted_repository_is_named_and_the_others_are_complete() -> None:
    platform = GitHub()
    with suite.on(platform):
        expected = suite.pull(platform)
        result = suite.pull(platform, repositories=("acme/gone", *IDS))
    assert isinstance(result.error, FixError)
    assert "acme/gone" in result.error.message
    suite.same(result, expected)


def test_another_repository_under_an_old_name_is_read_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = GitHub()
    with suite.on(platform):
        first = suite.pull(platform, topics=())
        monkeypatch.setitem(IDS, "acme/two", 777)
        second = suite.pull(platform, first.cursor, topics=())
    assert {key.partition("|")[0] for _, key, _ in second.landed} == {"777", "777002", "777001"}
    assert len(second.landed) == 1 + 1 + 2 + 4


LIMITS = {
    "primary": ({"x-ratelimit-remaining": "0"}, "API rate limit exceeded for 192.0.2.1."),
    "secondary": ({"retry-after": "300"}, "You have exceeded a secondary rate limit."),
    "words": ({}, "You have exceeded a secondary rate limit."),
}


@pytest.mark.parametrize("kind", list(LIMITS))
def test_a_forbidden_that_is_a_limit_is_waited_for(kind: str) -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        headers, message = LIMITS[kind]
        if kind == "primary":
            reset = platform.time.wall + timedelta(seconds=300)
            headers = {**headers, "x-ratelimit-reset": str(int(reset.timestamp()))}
        refused = json_reply({"message": message}, 403, **headers)
        suite.with_fault(platform, server, lambda r, n: refused, 1, 1)
        result = suite.pull(platform)
        expected, _ = suite.undisturbed(GitHub)
    assert result.error is None
    suite.same(result, expected)
    waited = sum(platform.time.slept)
    assert (60 <= waited < 120) if kind == "words" else (300 <= waited < 330)


def test_a_limit_that_lasts_ends_the_source_with_its_reset() -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        reset = str(int((platform.time.wall + timedelta(hours=1)).timestamp()))
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        refused = json_reply({"message": "API rate limit exceeded"}, 403, **headers)
        suite.with_fault(platform, server, lambda r, n: refused, 2, suite.MANY)
        result = suite.pull(platform)
    assert isinstance(result.error, WaitError)
    assert len(server.requests) == 3


def test_the_token_is_sent_to_the_platform_alone_and_kept_nowhere() -> None:
    platform = GitHub(environment={github.TOKEN: "ghp_secret0123456789"})
    with suite.on(platform) as server:
        result = suite.pull(platform)
        assert {r.headers["authorization"] for r in server.requests} == {
            "Bearer ghp_secret0123456789"
        }
        echo = json_reply({"message": "bad ghp_secret0123456789"}, 401)
        suite.with_fault(platform, server, lambda r, n: echo, 0, suite.MANY)
        refused = suite.pull(platform)
    assert "ghp_secret" not in json.dumps([result.landed, result.cursor]) + str(refused.error)
    assert github.TOKEN in str(refused.error)


def test_an_unasked_not_modified_is_no_answer() -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        suite.with_fault(platform, server, lambda r, n: Reply(304), 2, suite.MANY)
        result = suite.pull(platform)
    assert "is said to be unchanged" in str(result.error)


def test_terms_of_the_catalogue_name_repositories_and_nothing_else_is_asked() -> None:
    terms = {"repository": ("Acme/One", "acme/one"), "keyword": ("acme",)}
    context = {"catalogue": (Product("acme", "Acme", "Acme", "tools", terms),)}
    platform = GitHub()
    with suite.on(platform):
        result = suite.pull(platform, context=context, repositories=(), topics=())
        nothing = suite.pull(platform, repositories=(), topics=())
    assert {p["id"] for p in payloads(result, "repositories")} == {101}
    assert "terms of kind repository" in str(nothing.error)


@pytest.mark.parametrize("name", ["acme", "acme/one/two", "../etc", "/one", "acme/.."])
def test_what_is_no_repository_is_refused_by_the_settings(name: str) -> None:
    with pytest.raises(ValueError, match="write owner/name"):
        github.Settings(repositories=(name,))


def test_a_plan_counts_the_pages_of_stars() -> None:
    platform = GitHub()
    with suite.on(platform):
        one, two, topic = github.plan(platform.settings(), {}, platform.context())
        assert (one.requests, two.requests, topic.requests) == (6, 4, 1)
        result = suite.pull(platform)
        again, *_ = github.plan(platform.settings(), result.cursor, platform.context())
        assert again.requests == 1 + 1 + 2 + 1


def test_the_probe_says_what_a_token_would_change(tmp_path: Path) -> None:
    platform = GitHub()
    with suite.on(platform) as server:
        probe = github.probe(platform.settings(), platform.context(tmp_path))
        assert probe.is_authorised
        assert github.TOKEN in probe.message
        server.respond = lambda request: json_reply({"message": "Bad credentials"}, 401)
        assert github.probe(platform.settings(), platform.context()).is_authorised is False
