"""Statuses of Mastodon in the warehouse: words, servers, edits, boosts, deletions, bots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.dbt_builds import TinyProject, tiny_project

LATER = "2026-01-06T10:00:00Z"


def status(number: int, content: str = "Claude is good", **changes: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "_instance": "hoot.example",
        "_author": f"u{number}@hoot.example",
        "uri": f"https://hoot.example/users/u/statuses/{number}",
        "url": f"https://hoot.example/@u/{number}",
        "created_at": "2026-01-05T09:00:00.000Z",
        "edited_at": None,
        "visibility": "public",
        "spoiler_text": "",
        "content": f"<p>{content}</p>",
        "language": "en",
        "favourites_count": 2,
        "reblogs_count": 1,
        "replies_count": 0,
        "in_reply_to_id": None,
        "reblog": None,
        "emojis": [],
        "account": {"acct": "u", "display_name": "U", "bot": False, "followers_count": 5},
    } | changes


RICH = (
    'Hi <span class="h-card"><a href="https://a.example/@ann" class="u-url mention">@<span>ann'
    '</span></a></span><br />see <a href="https://www.b.example/long"><span class="invisible">'
    'https://www.</span><span class="ellipsis">b.example/lo</span><span class="invisible">ng'
    '</span></a></p><p><a href="#" rel="tag">#<span>Claude</span></a> :blob_cat: 12:30:45 &amp; '
    "1 &lt; 2<script>alert('x')</script><img src=x onerror=alert(1)>"
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(tmp_path_factory.mktemp("mastodon"))
    emojis = [{"shortcode": "blob_cat"}, {"shortcode": ".*"}]
    other = {"_instance": "other.example", "favourites_count": 1}
    original = {"uri": "https://far.example/1", "content": "<p>Claude far</p>", "language": "de"}
    first = [
        status(1, RICH, emojis=emojis, spoiler_text="careful"),
        status(2),
        status(2) | other | {"id": "902"},
        status(3),
        status(4),
        status(5, reblog=original, content=""),
        status(6, account={"acct": "u", "bot": True}, in_reply_to_id="3", url="javascript:x"),
        status(7),
        status(7) | other | {"id": "907"},
        status(8, uri=None, account="none", reblog="x", favourites_count="many")
        | {"content": None},
    ]
    project.land("mastodon", "statuses", first)
    edited = {"edited_at": "2026-01-06T08:00:00Z", "content": "<p>Claude is better</p>"}
    again = [status(3) | edited, status(7) | other | {"id": "907", "favourites_count": 9}]
    project.land("mastodon", "statuses", again, fetched_at="2026-01-06T12:00:00Z")
    # An old copy of the edited status, met later on a server that has not heard of the edit.
    project.land(
        "mastodon",
        "statuses",
        [status(3) | other | {"id": "903"}],
        fetched_at="2026-01-07T12:00:00Z",
    )
    gone = [
        {"id": number, "_instance": "hoot.example", "reason": "gone", "seen_at": LATER}
        for number in ("4", "7")
    ]
    project.land("mastodon", "deletions", gone, fetched_at=LATER)
    project.build(
        "--indirect-selection",
        "cautious",
        "--select",
        "+fct_posts",
        "every_raw_post_is_one_fact",
    )
    return project


def posts(project: TinyProject, columns: str, number: int) -> list[tuple[Any, ...]]:
    return project.query(
        f"select {columns} from marts.fct_posts where post_id = ?",
        [f"https://hoot.example/users/u/statuses/{number}"],
    )


def test_markup_goes_and_words_stay(project: TinyProject) -> None:
    ((text,),) = posts(project, "text", 1)
    assert " ".join(text.split()) == (
        "careful Hi @ann see https://www.b.example/long #Claude 12:30:45 &amp; 1 &lt; 2"
    )
    assert text.startswith("careful\n\nHi @ann\nsee https")


def test_a_status_on_two_servers_is_one_post_with_the_counts_of_its_own(
    project: TinyProject,
) -> None:
    assert posts(project, "like_count, author_id, platform", 2) == [
        (2, "u2@hoot.example", "mastodon")
    ]


def test_an_edit_is_not_undone_by_a_server_that_has_not_heard_of_it(project: TinyProject) -> None:
    assert posts(project, "text, is_edited", 3) == [("Claude is better", True)]


def test_what_is_gone_is_no_post_unless_another_server_showed_it_later(
    project: TinyProject,
) -> None:
    assert posts(project, "text", 4) == []
    assert posts(project, "like_count", 7) == [(2,)]


def test_a_boost_says_whose_words_it_passes_on(project: TinyProject) -> None:
    assert posts(project, "is_repost, text, language", 5) == [(True, "Claude far", "de")]


def test_a_bot_that_says_so_is_flagged(project: TinyProject) -> None:
    assert posts(project, "bot_reason, url", 6) == [("declared", None)]
    assert posts(project, "is_suspected_bot", 2) == [(False,)]


def test_a_damaged_status_is_a_post_without_words(project: TinyProject) -> None:
    row = project.one("select * from marts.fct_posts where post_id = 'hoot.example|8'")
    assert (row["text"], row["like_count"], row["is_repost"]) == (None, None, False)


@pytest.mark.shared
def test_recorded_statuses_pass_staging(shared: Path, tmp_path: Path) -> None:
    folder = shared / "fixtures" / "mastodon"
    found: dict[str, Any] = {}
    for file in sorted(folder.glob("*_tl_*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))["response"].get("json")
        if isinstance(content, list):
            found |= {s["id"]: s for s in content if isinstance(s, dict) and "content" in s}
    assert len(found) >= 5
    project = tiny_project(tmp_path)
    rows = [{**s, "_instance": "localhost:3000", "_author": "a@b"} for s in found.values()]
    project.land("mastodon", "statuses", rows, is_simulated=False)
    project.build("--indirect-selection", "cautious", "--select", "stg_mastodon__statuses")
    rows_out = project.query(
        "select record_id, post_id, body, is_at_home, posted_at from staging.stg_mastodon__statuses"
    )
    assert {row[0].partition("|")[2] for row in rows_out} == set(found)
    for record_id, post_id, body, is_at_home, posted_at in rows_out:
        source = found[record_id.partition("|")[2]]
        assert post_id == source["uri"]
        assert posted_at is not None
        assert is_at_home or "localhost" not in source["uri"]
        assert body is None or "<" not in body
        assert (body is None) == (not source["content"] and not (source["reblog"] or {}))
