"""Posts of live sources in the warehouse: one tiny real build, asserted by SQL."""

from __future__ import annotations

from typing import Any

import pytest

from tests.warehouse.dbt_builds import TinyProject, reddit_submission, tiny_project

AT = 1767603600  # 2026-01-05 09:00 UTC


def hit(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "objectID": str(number),
        "_tags": ["comment", f"author_u{number}"],
        "author": f"u{number}",
        "created_at_i": AT,
        "comment_text": "<p>Claude is <i>good</i> &amp; fast",
        "points": None,
        "story_id": 1,
    } | changes


def item(number: int, **changes: Any) -> dict[str, Any]:
    return {"id": number, "type": "comment", "by": f"u{number}", "time": AT, "text": "x"} | changes


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"blog|{number}",
        "feed": {"name": "blog", "title": "A blog", "language": "EN-us"},
        "entry": {
            "id": str(number),
            "title": "Claude &lt;3",
            "link": f"https://a.example/{number}",
            "author": "Ann",
            "summary": "short",
            "content": "<h1>Long</h1><script>alert('x')</script>words<br/>here",
            "published_at": "2026-01-05T09:00:00Z",
            "updated_at": None,
        }
        | changes,
    }


def feed_entry(name: str) -> dict[str, Any]:
    content = (
        '<!-- SC_OFF --><div class="md"><p>Claude works</p></div><!-- SC_ON --> &#32; submitted by'
        ' &#32; <a href="https://www.reddit.com/user/z"> /u/z </a> <br/> <span><a href="#">[link]'
        "</a></span>"
    )
    details = {"title": "Claude?", "author": "/u/z", "content": content}
    details |= {"published_at": "2026-01-05T09:00:00Z", "link": "https://www.reddit.com/r/a/1/"}
    return {"id": name, "feed": {"listing": "r/a"}, "entry": details}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(tmp_path_factory.mktemp("live"))
    land_all(project)
    project.build(
        "--indirect-selection",
        "cautious",
        "--select",
        "+fct_posts",
        "+dim_platforms",
        "every_raw_post_is_one_fact",
    )
    return project


def land_all(project: TinyProject) -> None:
    story = hit(1, _tags=["story"], title="Claude", points=5, num_comments=2, comment_text=None)
    project.land("hackernews", "hits", [story, hit(2), hit(3), hit(4, author=7, points="many")])
    later = "2026-01-06T10:00:00Z"
    project.land(
        "hackernews",
        "items",
        [
            item(1, type="story", score=9, descendants=4, title="Claude", text=None),
            item(3, deleted=True, by=None, text=None),
        ],
        fetched_at=later,
    )
    project.land("rss", "entries", [entry(1), entry(2, link="javascript:x", author=None)])
    project.land("rss", "entries", [entry(1, content="Changed and longer words")], fetched_at=later)
    project.land("reddit", "submissions", [reddit_submission("aa", "Claude")])
    comment = {"name": "t1_cc", "author": "c", "body": "Claude", "created_utc": AT, "score": -2}
    removed = comment | {"name": "t1_dd", "body": "[removed]"}
    project.land(
        "reddit",
        "comments",
        [{"kind": "t1", "data": comment}, {"kind": "t1", "data": removed}],
    )
    project.land(
        "reddit", "feed_entries", [feed_entry(name) for name in ("t3_aa", "t1_cc", "t3_bb")]
    )
    project.land("rss", "entries", [{"id": "blog|3", "feed": None, "entry": "text"}])


def posts(project: TinyProject, columns: str, where: str) -> list[tuple[Any, ...]]:
    return project.query(f"select {columns} from marts.fct_posts where {where} order by post_key")


def test_every_post_of_a_live_source_is_one_row(project: TinyProject) -> None:
    counts = dict(project.query("select platform, count(*) from marts.fct_posts group by platform"))
    assert counts == {"hackernews": 4, "reddit": 4, "rss": 3}


def test_the_items_own_page_brings_later_scores_and_deletions(project: TinyProject) -> None:
    assert posts(project, "like_count, reply_count", "post_key = 'hackernews:1'") == [(9, 4)]
    assert posts(project, "text, withheld_reason", "post_key = 'hackernews:3'") == [
        (None, "deleted")
    ]


def test_markup_goes_and_words_stay(project: TinyProject) -> None:
    rows = project.query(
        "select text from intermediate.int_posts__unioned where post_key in"
        " ('hackernews:2', 'rss:blog|2') order by post_key"
    )
    assert [row[0] for row in rows] == [
        "Claude is good &amp; fast",
        "Claude &lt;3\n\nLong\nwords\nhere",
    ]


def test_a_feed_entry_keeps_its_newest_words_and_says_so(project: TinyProject) -> None:
    rows = posts(project, "is_edited, author_id, url", "platform = 'rss' and post_id <> 'blog|3'")
    assert rows == [
        (True, "blog|Ann", "https://a.example/1"),
        (False, "blog", None),
    ]


def test_platforms_are_named(project: TinyProject) -> None:
    assert project.query("select platform, kind from marts.dim_platforms order by 1") == [
        ("hackernews", "forum"),
        ("reddit", "forum"),
        ("rss", "news"),
    ]


def test_comments_and_public_feeds_of_reddit(project: TinyProject) -> None:
    rows = posts(project, "post_id, text, like_count, withheld_reason", "platform = 'reddit'")
    assert rows == [
        ("t1_cc", "Claude", -2, None),
        ("t1_dd", None, -2, "removed"),
        ("t3_aa", "Claude", 10, None),
        ("t3_bb", "Claude?\n\nClaude works", None, None),
    ]
