"""Posts of Bluesky in the warehouse: two roads to one post, and what takes a post away again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.warehouse.dbt_builds import TinyProject, tiny_project

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
ANN, BEN, CAT, DAN = (f"did:plc:{name}" for name in ("ann", "ben", "cat", "dan"))


def event(
    did: str, rkey: str, minute: float, text: str | None = None, **changes: Any
) -> dict[str, Any]:
    """A commit of the stream, `minute` minutes after 9 o'clock; without a text a delete."""
    at = AT + timedelta(minutes=minute)
    commit: dict[str, Any] = {
        "rev": revision(minute),
        "operation": "create" if text is not None else "delete",
        "collection": "app.bsky.feed.post",
        "rkey": rkey,
    }
    if text is not None:
        claimed = changes.pop("claimed", f"{at:%Y-%m-%dT%H:%M:%S}.000Z")
        record = {"text": text, "createdAt": claimed, **changes.pop("record", {})}
        commit |= {"record": record, "cid": f"bafy{rkey}{minute}"}
    time_us = int(at.timestamp() * 1_000_000)
    return {"did": did, "time_us": time_us, "kind": "commit", "commit": commit | changes}


def revision(minute: float) -> str:
    """Thirteen characters that sort by time."""
    return "3" + "".join("abcdefghij"[int(digit)] for digit in f"{int(minute * 10):012d}")


def account(did: str, minute: float, *, status: str | None) -> dict[str, Any]:
    time_us = int((AT + timedelta(minutes=minute)).timestamp() * 1_000_000)
    said = {"did": did, "active": status is None}
    said |= {"status": status} if status else {}
    return {"did": did, "time_us": time_us, "kind": "account", "account": said}


def found(did: str, rkey: str, minute: float, text: str, **changes: Any) -> dict[str, Any]:
    """A post as search shows it."""
    at = f"{AT + timedelta(minutes=minute):%Y-%m-%dT%H:%M:%S}.000Z"
    return {
        "uri": f"at://{did}/app.bsky.feed.post/{rkey}",
        "cid": f"bafy{rkey}{minute}",
        "author": {"did": did, "handle": f"{did[-3:]}.test"},
        "record": {"text": text, "createdAt": at},
        "indexedAt": at,
        "likeCount": 3,
        "replyCount": 0,
    } | changes


def land(project: TinyProject, stream: str, payloads: list[dict[str, Any]], fetched: str) -> None:
    project.land("bluesky", stream, payloads, fetched_at=fetched, is_simulated=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(tmp_path_factory.mktemp("bluesky"), settings={"is_simulated": "false"})
    tags: list[Any] = [{"features": [{"tag": "ClaudeAI"}, {"uri": "https://a.example/x"}]}, 7]
    rich = {
        "langs": ["EN-us"],
        "facets": tags,
        "tags": ["Tuesday", "claude"],
        "reply": {"parent": {"uri": "at://p"}, "root": {"uri": "at://r"}},
        "embed": {
            "$type": "app.bsky.embed.recordWithMedia",
            "record": {"record": {"uri": "at://q"}},
        },
    }
    hour = "2026-01-05T10:00:00Z"
    posts = [
        event(ANN, "plain", 0, "Claude is quick"),
        event(ANN, "rich", 1, "I like #Claude", record=rich),
        event(ANN, "deleted", 2, "Claude is slow"),
        event(ANN, "again", 3, "Claude was here"),
        event(ANN, "again", 5, "Claude is here again"),
        event(ANN, "edited", 6, "Claude is good"),
        event(ANN, "edited", 8, "Claude is better", operation="update"),
        event(ANN, "future", 9, "Claude tomorrow", claimed="2031-01-01T00:00:00Z"),
        event(ANN, "backdated", 10, "Claude of old", claimed="2001-01-01T00:00:00Z"),
        event(ANN, "timeless", 11, "Claude some day", claimed="yesterday"),
        event(ANN, "strange", 12, "Claude?", record={"langs": 7, "facets": "none", "tags": {}}),
        event(ANN, "late", 13, "Claude is late"),
        event(BEN, "away", 0, "Claude on a break"),
        event(CAT, "gone", 0, "Claude and out"),
        event(CAT, "reborn", 30, "Claude and in"),
        event(DAN, "back", 0, "Claude is back"),
    ]
    land(project, "posts", posts, hour)
    land(
        project,
        "posts",
        [
            found(ANN, "plain", 0, "Claude is quick"),
            found(ANN, "searched", 2, "Claude was searched"),
            found(ANN, "taken", 2, "Claude was taken back"),
        ],
        "2026-01-05T11:00:00Z",
    )
    land(
        project,
        "posts",
        [found(ANN, "plain", 0, "Claude is quick", likeCount=9)],
        "2026-01-06T00:00:00Z",
    )
    deletions = [
        event(ANN, "deleted", 4),
        event(ANN, "again", 4),
        event(ANN, "taken", 20),
        event(ANN, "never", 4),
    ]
    land(project, "deletions", deletions, hour)
    accounts = [
        account(BEN, 10, status="deactivated"),
        account(CAT, 10, status="deleted"),
        account(CAT, 20, status=None),
        account(DAN, 10, status="takendown"),
        account(DAN, 11, status=None),
        account("did:plc:unknown", 11, status="suspended"),
    ]
    land(project, "accounts", accounts, hour)
    project.build(
        "--indirect-selection",
        "cautious",
        "--select",
        "+fct_posts",
        "+dim_platforms",
        "every_raw_post_is_one_fact",
        "no_deleted_post_is_a_fact",
    )
    return project


def rkeys(project: TinyProject, table: str) -> set[str]:
    rows = project.query(f"select post_id from {table} where platform = 'bluesky'")
    return {post_id.rpartition("/")[2] for (post_id,) in rows}


STANDING = {
    *("plain", "rich", "again", "edited", "future", "backdated", "timeless", "strange", "late"),
    *("searched", "reborn", "back"),
}


def test_what_was_taken_back_is_in_no_mart(project: TinyProject) -> None:
    assert rkeys(project, "marts.fct_posts") == STANDING
    (row,) = project.query("select platform_name, kind from marts.dim_platforms")
    assert row == ("Bluesky", "social")


def post(project: TinyProject, rkey: str) -> dict[str, Any]:
    return project.one(
        "select * from intermediate.int_posts__from_bluesky where ends_with(post_id, ?)",
        [f"/{rkey}"],
    )


def test_both_roads_meet_and_the_latest_counts_are_shown(project: TinyProject) -> None:
    row = post(project, "plain")
    assert (row["like_count"], row["reply_count"], row["quote_count"]) == (9, 0, None)
    assert (row["author_id"], row["author_name"]) == (ANN, "ann.test")
    assert (row["is_edited"], row["posted_at"]) == (False, AT)
    assert row["first_fetched_at"] < row["last_fetched_at"]
    assert row["url"] == f"https://bsky.app/profile/{ANN}/post/plain"


def test_hashtags_links_replies_and_quotes_are_unpacked(project: TinyProject) -> None:
    row = project.one("select * from staging.stg_bluesky__posts where ends_with(post_id, '/rich')")
    assert row["text"] == "I like #Claude\n\n#Tuesday #ClaudeAI"
    assert sorted(row["hashtags"]) == ["claude", "claudeai", "tuesday"]
    assert row["links"] == ["https://a.example/x"]
    assert (row["platform_language"], row["replied_to_post_id"]) == ("en-us", "at://p")
    assert row["quoted_post_id"] == "at://q"
    assert post(project, "rich")["is_reply"]


def test_a_new_version_and_a_new_post_under_an_old_name_are_told_apart(
    project: TinyProject,
) -> None:
    row = post(project, "edited")
    assert (row["text"], row["is_edited"]) == ("Claude is better", True)
    assert row["posted_at"] == AT + timedelta(minutes=6)
    row = post(project, "again")
    assert (row["text"], row["is_edited"]) == ("Claude is here again", False)
    assert row["posted_at"] == AT + timedelta(minutes=5)


def test_a_claimed_time_that_cannot_be_is_replaced(project: TinyProject) -> None:
    rows = project.query(
        "select split_part(post_id, '/', 5), is_time_doubtful, posted_at = seen_at"
        " from staging.stg_bluesky__posts where is_time_doubtful or ends_with(post_id, '/late')"
        " order by 1"
    )
    doubtful = [(rkey, True, True) for rkey in ("backdated", "future")]
    assert rows == [*doubtful, ("late", False, True), ("timeless", True, True)]


def test_a_later_deletion_and_account_take_effect_in_the_next_build(project: TinyProject) -> None:
    land(project, "deletions", [event(ANN, "late", 40)], "2026-01-07T10:00:00Z")
    land(project, "accounts", [account(DAN, 40, status="suspended")], "2026-01-07T10:00:00Z")
    # What comes twice, from a host with another clock, stays away.
    replay = event(ANN, "late", 13, "Claude is late")
    replay["time_us"] += 3_600_000_000
    land(project, "posts", [replay], "2026-01-07T10:00:00Z")
    project.dbt(
        "run",
        "--select",
        "stg_bluesky__posts+1",
        "stg_bluesky__deletions",
        "stg_bluesky__accounts",
        "int_posts__from_bluesky",
    )
    left = rkeys(project, "intermediate.int_posts__from_bluesky")
    assert left == STANDING - {"late", "back"}
