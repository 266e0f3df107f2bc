"""Recorded bodies of the real platforms through the extractors, read from outside the project."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extract import reddit, x
from extract._outcomes import FixError, RetryError, WaitError, parse_json
from tests.contract.live import suite
from tests.contract.live.platforms import GitHub, HackerNews, Reddit, X
from tests.contract.live.server import Reply, Request, json_reply

pytestmark = pytest.mark.shared


def recorded(shared: Path, name: str) -> Any:
    return json.loads((shared / "fixtures" / name).read_text(encoding="utf-8"))


def reply_of(record: Any) -> Reply:
    response = record["response"]
    kept = {k: v for k, v in response["headers"].items() if "rate" in k or k == "content-type"}
    return json_reply(response["json"], response["status"]["code"]).but(
        headers={"content-type": "application/json", **kept}
    )


def landed(result: suite.Result, stream: str) -> dict[str, Any]:
    return {key: json.loads(text) for name, key, text in result.landed if name == stream}


def test_x_recent_search_lands_as_received(shared: Path) -> None:
    record = recorded(shared, "x_v2/client_search_recent_tweets.json")
    body = record["response"]["json"]
    body["meta"].pop("next_token", None)
    platform = X()
    platform.time.wall = datetime(2022, 10, 8, tzinfo=UTC)
    with suite.on(platform) as server:
        server.respond = lambda request: reply_of(record)
        result = suite.pull(platform)
        assert result.error is None
        assert pull_again_is_empty(platform, result)
    assert landed(result, "x/posts") == {post["id"]: post for post in body["data"]}
    assert "since_id" in server.requests[-1].query


def pull_again_is_empty(platform: Any, result: suite.Result) -> bool:
    return suite.pull(platform, result.cursor).landed == []


def test_x_body_with_every_field_lands_and_its_endless_token_is_named(shared: Path) -> None:
    (record,) = recorded(shared, "x_playground/tweets_search_recent.json")
    body = record["response"]
    platform = X()
    with suite.on(platform) as server:
        server.respond = lambda request: json_reply(body)
        result = suite.pull(platform)
        assert len(server.requests) == 4
    assert isinstance(result.error, RetryError)
    assert "does not end" in result.error.message
    posts = [json.loads(text) for stream, _, text in result.landed if stream == "x/posts"]
    assert all(post in posts for post in [*body["data"], *body["includes"]["tweets"]])
    users = landed(result, "x/users")
    assert set(users) == {user["id"] for user in body["includes"]["users"]}
    partial = [reject for reject in result.rejects if reject.reason.startswith("partial error")]
    assert len(partial) == len({str(error) for error in body["errors"]})


def test_x_counts_make_a_plan(shared: Path) -> None:
    record = recorded(shared, "x_v2/client_get_recent_tweets_count.json")
    record["response"]["json"]["meta"].pop("next_token", None)
    platform = X()
    with suite.on(platform) as server:
        server.respond = lambda request: reply_of(record)
        (planned,) = x.plan(platform.settings(), {}, platform.context())
    total = record["response"]["json"]["meta"]["total_tweet_count"]
    assert planned.units["posts"] == 3 * total
    assert planned.requests == total // 100 + 1


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("TestSubredditListings.test_new_1.json", "reddit/submissions"),
        ("TestSubredditListings.test_comments_1.json", "reddit/comments"),
        ("TestSubreddit.test_search_1.json", "reddit/submissions"),
    ],
)
def test_reddit_listings_land_as_received(shared: Path, name: str, stream: str) -> None:
    record = recorded(shared, f"reddit/{name}")
    record["response"]["json"]["data"]["after"] = None
    children = record["response"]["json"]["data"]["children"]
    is_comments = stream.endswith("comments")
    result, _ = pull_reddit([record], is_comments=is_comments)
    assert result.error is None
    assert landed(result, stream) == {child["data"]["name"]: child for child in children}


def pull_reddit(records: list[Any], *, is_comments: bool) -> tuple[suite.Result, list[Request]]:
    """Serve recorded pages in their order as the listing of submissions or of comments."""
    platform = Reddit()
    waiting = list(records)
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            if request.path.endswith("access_token"):
                return platform.answer(request)
            if request.path.endswith("/comments") != is_comments:
                empty = {"kind": "Listing", "data": {"children": [], "after": None}}
                return json_reply(empty)
            return reply_of(waiting.pop(0))

        server.respond = respond
        return suite.pull(platform), server.requests


def test_reddit_a_chain_of_eleven_pages(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's listing, which mixes comments and submissions as ours do not."""
    monkeypatch.setattr(reddit, "_parse", lambda answer, kind: parse_json(answer))
    records = [
        recorded(shared, f"reddit/TestListingGenerator.test_exhaust_items_{number}.json")
        for number in range(1, 12)
    ]
    by_after = {}
    for record in records:
        url = record["request"]["url"]
        by_after[url.partition("after=")[2].partition("&")[0]] = record
    chain, after = [], ""
    while after is not None:
        chain.append(by_after[after])
        after = chain[-1]["response"]["json"]["data"]["after"]
    assert len(chain) == 11
    expected = {
        child["data"]["name"]: child
        for record in chain
        for child in record["response"]["json"]["data"]["children"]
    }
    result, requests = pull_reddit(chain, is_comments=True)
    assert result.error is None, result.error
    assert {**landed(result, "reddit/comments"), **landed(result, "reddit/submissions")} == expected
    afters = [r.query.get("after", "") for r in requests if r.path.endswith("/comments")]
    assert afters == [key or "" for key in dict.fromkeys(by_after_order(chain))]


def by_after_order(chain: list[Any]) -> list[str]:
    return ["", *(r["response"]["json"]["data"]["after"] for r in chain[:-1])]


@pytest.mark.parametrize(
    "name",
    [
        "TestInbox.test_message__unauthorized_1.json",
        "TestRedditorListings.test_hidden__other_user_1.json",
    ],
)
def test_reddit_refusals_are_something_to_fix(shared: Path, name: str) -> None:
    record = recorded(shared, f"reddit/{name}")
    platform = Reddit()
    with suite.on(platform) as server:
        suite.with_fault(platform, server, lambda r, n: reply_of(record), 1, suite.MANY)
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)


@pytest.mark.parametrize("item_id", ["8863", "121003", "126809", "160705", "192327", "2921983"])
def test_hackernews_items_land_as_received(shared: Path, item_id: str) -> None:
    record = recorded(shared, f"hackernews/item_{item_id}.json")
    hit = {"objectID": item_id, "created_at_i": 1_700_000_000, "_tags": ["story"]}
    platform = HackerNews()
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            if request.path.startswith("/v0/item/"):
                return json_reply(record["response"]["json"])
            return json_reply({"hits": [hit], "nbHits": 1})

        server.respond = respond
        result = suite.pull(platform, first_days=9_000)
    assert result.error is None, result.error
    assert landed(result, "hackernews/items") == {item_id: record["response"]["json"]}


def github_from(shared: Path, **names: str) -> tuple[suite.Result, list[Request]]:
    """Serve recorded answers by the last part of the path; what was not recorded is empty."""
    platform = GitHub()
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            kind = request.path.rpartition("/")[2]
            kind = kind if kind in ("releases", "stargazers", "issues", "repositories") else "repo"
            if kind not in names:
                return json_reply({"total_count": 0, "items": []} if kind == "issues" else [])
            record = recorded(shared, f"github/{names[kind]}.json")
            found = {
                k: v for k, v in record["response"]["headers"].items() if k in ("etag", "link")
            }
            return json_reply(record["response"]["json"], **found)

        server.respond = respond
        topics = ("python",) if "repositories" in names else ()
        repositories = () if topics else ("danvk/comparea",)
        result = suite.pull(platform, topics=topics, repositories=repositories, page_size=100)
        return result, server.requests


def test_github_stars_land_as_dates_without_the_people(shared: Path) -> None:
    result, _ = github_from(
        shared,
        repo="Repository.testGetStargazersWithDates_1",
        stargazers="Repository.testGetStargazersWithDates_2",
    )
    assert result.error is None, result.error
    items = recorded(shared, "github/Repository.testGetStargazersWithDates_2.json")
    items = items["response"]["json"]
    stars = [json.loads(text) for stream, _, text in result.landed if stream == "github/stars"]
    assert sorted(s["starred_at"] for s in stars if "count" in s) == sorted(
        item["starred_at"] for item in items
    )
    kept = json.dumps([result.landed, result.cursor])
    assert not any(f'"{item["user"]["login"]}"' in kept for item in items if item["user"])


@pytest.mark.parametrize("name", ["ReleaseAsset.setUp_2"])
def test_github_releases_land_as_received(shared: Path, name: str) -> None:
    repository = "Repository.testGetStargazersWithDates_1"
    result, _ = github_from(shared, repo=repository, releases=name)
    assert result.error is None, result.error
    items = recorded(shared, f"github/{name}.json")["response"]["json"]
    repository_id = str(recorded(shared, f"github/{repository}.json")["response"]["json"]["id"])
    assert landed(result, "github/releases") == {
        str(item["id"]): {**item, "_repository": repository_id} for item in items
    }


def test_github_found_repositories_land_as_received(shared: Path) -> None:
    result, requests = github_from(shared, repositories="Search.testSearchRepos_0")
    assert result.error is None, result.error
    items = recorded(shared, "github/Search.testSearchRepos_0.json")["response"]["json"]["items"]
    assert landed(result, "github/repositories") == {str(item["id"]): item for item in items}
    assert len(requests) == 1


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("SpecificExceptions.testRateLimitExceeded_1", WaitError),
        ("SpecificExceptions.testAuthenticatedRateLimitExceeded_1", WaitError),
        ("SpecificExceptions.testBadCredentials_0", FixError),
        ("SpecificExceptions.testBadUserAgent_0", FixError),
        ("SpecificExceptions.testUnknownObject_1", FixError),
        ("Retry.testRaisesRetryErrorAfterMaxRetries_0", RetryError),
    ],
)
def test_github_refusals_have_their_outcomes(
    shared: Path, name: str, outcome: type[Exception]
) -> None:
    response = recorded(shared, f"github/{name}.json")["response"]
    reply = json_reply(response["json"], response["status"]["code"]).but(
        headers={k: v for k, v in response["headers"].items() if k not in ("status", "date")}
    )
    platform = GitHub()
    with suite.on(platform) as server:
        suite.with_fault(platform, server, lambda r, n: reply, 0, suite.MANY)
        assert isinstance(suite.pull(platform).error, outcome)


def test_github_not_modified_is_taken_at_its_word(shared: Path) -> None:
    whole = recorded(shared, "github/ConditionalRequestUpdate.setUp_0.json")["response"]
    # Recorded before stars had a count of their own.
    whole["json"]["stargazers_count"] = whole["json"]["watchers_count"]
    same = recorded(shared, "github/ConditionalRequestUpdate.testDidNotUpdate_0.json")["response"]
    platform = GitHub()
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            if request.path != "/repos/akfish/pygithub":
                return platform.answer(request)
            if request.headers.get("if-none-match") == same["headers"]["etag"]:
                return Reply(304, headers={"etag": same["headers"]["etag"]})
            return json_reply(whole["json"], etag=whole["headers"]["etag"])

        server.respond = respond
        asked = {"repositories": ("akfish/PyGithub",), "topics": (), "stars": False}
        first = suite.pull(platform, releases=False, issues=False, **asked)
        second = suite.pull(platform, first.cursor, releases=False, issues=False, **asked)
    assert first.ids == {("github/repositories", str(whole["json"]["id"]))}
    assert (second.landed, second.error) == ([], None)
