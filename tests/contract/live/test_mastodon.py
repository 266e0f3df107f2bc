"""What is Mastodon's own: who is left alone, what is gone, several servers, tags, recorded
bodies."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from extract import mastodon
from extract._outcomes import FixError, RetryError
from extract.base import Product
from tests.contract.live import suite
from tests.contract.live.platforms import Mastodon
from tests.contract.live.platforms.base import ago
from tests.contract.live.platforms.mastodon import snowflake
from tests.contract.live.server import START, Reply, Request, json_reply


def landed(result: suite.Result, stream: str = "mastodon/statuses") -> dict[str, Any]:
    return {key: json.loads(text) for name, key, text in result.landed if name == stream}


def numbers(result: suite.Result) -> set[int]:
    return {status["favourites_count"] for status in landed(result).values()}


@pytest.mark.parametrize(
    "change",
    [
        {"visibility": "private"},
        {"visibility": "direct"},
        {"visibility": "unlisted"},
        {"account": {"acct": "u", "noindex": True}},
        {"account": {"acct": "u", "note": "<p>please <a>#<span>NoBot</span></a></p>"}},
        {"account": {"acct": "u", "fields": [{"name": "bots", "value": "#noarchive"}]}},
        {"reblog": {"visibility": "unlisted", "content": "x"}},
    ],
)
def test_what_is_not_public_or_asks_to_be_left_alone_does_not_land(change: Any) -> None:
    platform = Mastodon(changes={2: change})
    with suite.on(platform):
        result = suite.pull(platform)
    assert result.error is None
    assert numbers(result) == set(range(11)) - {2}
    assert not result.rejects


def test_an_account_that_is_merely_not_discoverable_lands() -> None:
    account = {"acct": "u", "discoverable": False, "indexable": False, "note": "#nobottles"}
    platform = Mastodon(changes={2: {"account": account}})
    with suite.on(platform):
        assert numbers(suite.pull(platform)) == set(range(11))


def test_the_author_is_named_with_the_server() -> None:
    platform = Mastodon(changes={2: {"account": {"acct": "Ann@Else.example"}}})
    with suite.on(platform):
        found = {s["favourites_count"]: s for s in landed(suite.pull(platform)).values()}
    assert found[1]["_author"] == "u1@hoot.example"
    assert found[2]["_author"] == "ann@else.example"


def test_a_deleted_status_is_told_once() -> None:
    platform = Mastodon()
    with suite.on(platform):
        first = suite.pull(platform, refresh_after_hours=24)
        platform.gone = (3,)
        platform.time.pass_time(26 * 3600)
        second = suite.pull(platform, first.cursor, refresh_after_hours=24)
        third = suite.pull(platform, second.cursor, refresh_after_hours=24)
    assert second.error is None
    gone = landed(second, "mastodon/deletions")
    record_id = f"hoot.example|{snowflake(ago(minutes=9), 96)}"
    assert gone[record_id]["reason"] == "gone"
    assert len(gone) == 1
    assert third.landed == []
    deletion = mastodon.DELETIONS["deletions"](gone[record_id])
    assert deletion is not None
    assert deletion.record_id == record_id
    assert record_id in landed(first)
    assert deletion.deleted_at > START + timedelta(hours=26)
    assert mastodon.DELETIONS["deletions"]({"id": 5}) is None


def test_an_author_who_asks_later_is_left_alone_from_then_on() -> None:
    platform = Mastodon()
    with suite.on(platform):
        first = suite.pull(platform, refresh_after_hours=24)
        platform.changes[3] = {"account": {"acct": "u3", "note": "#nobot"}}
        platform.time.pass_time(26 * 3600)
        second = suite.pull(platform, first.cursor, refresh_after_hours=24)
    (gone,) = landed(second, "mastodon/deletions").values()
    assert gone["reason"] == "not_public"


@pytest.mark.parametrize("body", [b"<html>gone fishing", b'{"message": "no route"}', b"[]", b""])
def test_an_address_that_leads_nowhere_deletes_nothing(body: bytes) -> None:
    platform = Mastodon()
    with suite.on(platform) as server:

        def lost(request: Request) -> Reply:
            is_single = "/statuses/" in request.path
            return Reply(404, body) if is_single else platform.answer(request)

        server.respond = lost
        result = suite.pull(platform)
    assert isinstance(result.error, FixError)
    assert not landed(result, "mastodon/deletions")
    assert len(landed(result)) == 11


def test_a_status_is_read_again_once_and_brings_its_counts() -> None:
    platform = Mastodon()
    with suite.on(platform) as server:
        first = suite.pull(platform, refresh_after_hours=24)
        platform.changes[5] = {"favourites_count": 77}
        platform.time.pass_time(26 * 3600)
        second = suite.pull(platform, first.cursor, refresh_after_hours=24, refresh_statuses=6)
        third = suite.pull(platform, second.cursor, refresh_after_hours=24)
        sent = len(server.requests)
        suite.pull(platform, third.cursor, refresh_after_hours=24)
        assert not [r for r in server.requests[sent:] if "/statuses/" in r.path]
    assert [s["favourites_count"] for s in landed(second).values()] == [77]
    singles = [r.path for r in server.requests if "/statuses/" in r.path]
    assert len(singles) == len(set(singles)) == 11


def test_counts_of_the_account_alone_land_nothing() -> None:
    platform = Mastodon()
    with suite.on(platform):
        first = suite.pull(platform)
        platform.changes[4] = {"account": {"acct": "u4", "statuses_count": 900}}
        assert suite.pull(platform, first.cursor).landed == []


@pytest.mark.parametrize("has_links", [True, False])
def test_pages_are_found_without_their_links(has_links: bool) -> None:
    expected, _ = suite.undisturbed(Mastodon)
    platform = Mastodon(has_links=has_links)
    with suite.on(platform):
        suite.same(suite.pull(platform), expected)


def test_a_backfill_begins_where_ids_say_it_is() -> None:
    platform = Mastodon(size=2)
    with suite.on(platform) as server:
        window = {"since": ago(minutes=250), "until": ago(minutes=50)}
        result = suite.pull(platform, context=window)
        assert numbers(result) == {6, 7, 8}
        assert len(server.requests) <= 4


def test_a_server_that_is_down_or_asks_for_a_login_stops_no_other() -> None:
    platform = Mastodon()
    down: dict[str, Reply] = {}

    def respond(request: Request) -> Reply:
        name, _, path = request.path.removeprefix("/").partition("/")
        if name in down:
            return down[name]
        return Mastodon(home=name).answer(
            Request(request.method, f"/{path}", request.query, request.headers, request.body)
        )

    for name in ("A_EXAMPLE", "B_EXAMPLE"):
        platform.environment[f"SOCIAL_SIGNALS_MASTODON_{name}_TOKEN"] = "very-secret-token"
    with suite.on(platform) as server:
        server.respond = respond
        settings = {
            "instances": ["a.example", "B.example", "a.example"],
            "base_url": platform.url + "/{instance}",
        }
        both = suite.pull(platform, **settings)
        assert both.error is None
        assert len(landed(both)) == 22
        for reply, outcome in (
            (json_reply({"error": "This method requires an authenticated user"}, 401), FixError),
            (json_reply({"error": "This method requires an authenticated user"}, 422), FixError),
            (Reply(503), RetryError),
        ):
            down["a.example"] = reply
            partly = suite.pull(platform, **settings)
            assert isinstance(partly.error, outcome)
            assert "a.example" in str(partly.error)
            assert {key.partition("|")[0] for key in landed(partly)} == {"b.example"}


def test_a_login_that_is_missing_is_named() -> None:
    platform = Mastodon()
    with suite.on(platform) as server:
        server.respond = lambda request: json_reply({"error": "login"}, 401)
        probe = mastodon.probe(platform.settings(), platform.context())
    assert probe.is_authorised is False
    assert "SOCIAL_SIGNALS_MASTODON_HOOT_EXAMPLE_TOKEN" in probe.message


def test_tags_come_from_the_catalogue() -> None:
    terms = {
        "keyword": ("Acme", "two words", "acme-1", "2024", "größe"),
        "hashtag": ("#AcmeLife",),
        "handle": ("acme",),
    }
    context = Mastodon().context(catalogue=(Product("a", "A", "", "c", terms),))
    settings = mastodon.Settings()
    assert mastodon._tags(settings, context) == ["acmelife", "acme", "größe"]
    with pytest.raises(FixError, match="no hashtag"):
        mastodon._tags(mastodon.Settings(tags=("a b",)), context)
    with pytest.raises(FixError, match="no hashtag to read"):
        mastodon._tags(settings, Mastodon().context(catalogue=()))
    with pytest.raises(ValueError, match="not encrypted"):
        mastodon.Settings(base_url="http://{instance}")


def test_a_plan_asks_how_often_a_tag_was_used() -> None:
    platform = Mastodon()
    with suite.on(platform) as server:
        (planned,) = mastodon.plan(platform.settings(), {}, platform.context())
        assert len(server.requests) == 1
        assert (planned.units, planned.requests) == ({"statuses": 11}, 4)
        cursor = suite.pull(platform, refresh_after_hours=24).cursor
        parts = mastodon.plan(platform.settings(), cursor, platform.context())
        assert [part.requests for part in parts] == [4, 11]
        probe = mastodon.probe(platform.settings(), platform.context())
    assert (probe.is_configured, probe.is_reachable, probe.is_authorised) == (True,) * 3


def recorded(shared: Path, name: str) -> Any:
    return json.loads((shared / "fixtures" / "mastodon" / name).read_text(encoding="utf-8"))


@pytest.mark.shared
def test_a_recorded_chain_of_pages_lands_as_received(shared: Path) -> None:
    """Five pages of a tag's timeline with their own links and limits."""
    records = [recorded(shared, f"c__pagination_iterator_{n}.json") for n in (30, 31, 32, 33)]
    pages = [r for r in records if "/timelines/tag/" in r["request"]["url"]]
    assert len(pages) >= 3
    by_url = {
        page["request"]["url"].partition("max_id=")[2].partition("&")[0]: page for page in pages
    }
    platform = Mastodon()
    newest = pages[0]["response"]["json"][0]["created_at"]
    platform.time.wall = mastodon._instant(newest) or platform.time.wall
    served: list[str] = []
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            page = by_url.get(request.query.get("max_id", ""))
            if page is None:
                return json_reply([])
            served.append(request.query.get("max_id", ""))
            headers = page["response"]["headers"]
            kept = {k: v for k, v in headers.items() if k == "link" or "ratelimit" in k}
            return json_reply(page["response"]["json"], **kept)

        server.respond = respond
        result = suite.pull(platform, refresh_statuses=0)
    assert result.error is None, result.error
    assert len(served) == len(by_url)
    expected = {s["id"]: s for page in by_url.values() for s in page["response"]["json"]}
    found = landed(result)
    assert {key.partition("|")[2] for key in found} == set(expected)
    for key, status in found.items():
        own = {name: value for name, value in status.items() if not name.startswith("_")}
        assert own == expected[key.partition("|")[2]]


@pytest.mark.shared
def test_a_recorded_missing_status_is_gone(shared: Path) -> None:
    missing = recorded(shared, "c__status_missing_0.json")["response"]
    edited = recorded(shared, "c__status_edit_3.json")["response"]["json"]
    platform = Mastodon()
    platform.time.wall = mastodon._instant(edited["created_at"]) or platform.time.wall
    with suite.on(platform) as server:

        def respond(request: Request) -> Reply:
            if "/statuses/" in request.path:
                return json_reply(missing["json"], missing["status"]["code"])
            return json_reply([] if "max_id" in request.query else [edited])

        server.respond = respond
        result = suite.pull(platform)
    assert result.error is None, result.error
    assert landed(result)[f"hoot.example|{edited['id']}"]["edited_at"]
    assert set(landed(result, "mastodon/deletions")) == {f"hoot.example|{edited['id']}"}
