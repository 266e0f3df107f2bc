"""The posts side of the dbt project: tiny real builds, asserted by SQL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.warehouse.dbt_builds import (
    PROJECT,
    TinyProject,
    dataset_post,
    reddit_submission,
    review,
    tiny_project,
    x_post,
)

PRODUCTS = [
    {"product_id": name, "product_name": name.title(), "brand": "", "category": category}
    for name, category in {
        "apple": "phones",
        "claude": "ai",
        "claude-code": "ai",
        "oreal": "beauty",
        "att": "phones",
        "sony": "phones",
        "beijing": "places",
        "001": "numbers",
    }.items()
]
TERMS = [
    ("apple", "Apple", "keyword"),
    ("apple", "AAPL", "cashtag"),
    ("apple", "apple pie", "exclusion"),
    ("apple", "SKU-APPLE", "sku"),
    ("claude", "claude", "keyword"),
    ("claude", "claudeai", "handle"),
    ("claude", "SKU-CLAUDE", "sku"),
    ("claude-code", "Claude Code", "keyword"),
    ("claude-code", "claudecode", "hashtag"),
    ("oreal", "L'Oréal", "keyword"),
    ("att", "AT&T", "keyword"),
    ("sony", "ソニー", "keyword"),
    ("beijing", "北京", "keyword"),
    ("001", "#thefirst", "hashtag"),
    ("001", "!?", "keyword"),
]
MATCHES = {
    "Apple's new phone": {"apple": 1},
    "‘Apple’ and “apple”": {"apple": 2},
    "pineapple, apples, apple_pie": {},
    "apple pie": {},
    "#ApplePie #apple": {"apple": 1},
    "an Apple a day beats apple-pie": {"apple": 1},
    "$AAPL up, aapl down, $aaplx": {"apple": 1},
    "Claude Code": {"claude-code": 1},
    "#ClaudeCode by #claude": {"claude-code": 1, "claude": 1},
    "@ClaudeAI hello, claudeai": {"claude": 1},
    "hello@claude.example https://claude.example/claude": {},
    "L’Oréal": {"oreal": 1},
    "L'Ore\u0301al": {"oreal": 1},
    "AT&amp;T and at&t": {"att": 2},
    "ソニーが好き": {"sony": 1},
    "我爱北京烤鸭": {"beijing": 1},
    "#TheFirst thefirst": {"001": 1},
    "CLAUDE!!!claude...Claude": {"claude": 3},
    "claude\u200b\u00a0\tclaude": {"claude": 2},
    "": {},
}
HOSTILE = [
    "claude " * 20_000,
    "'; drop table raw.x_posts; -- claude",
    "{{ claude }} {% if %} \\' \" \\",
    "claude \x00 nul",
    "\u202eclaude\u202c \u200d\u200d e\u0301" + "\u0301" * 500,
    "claude 👩‍👩‍👧‍👦🏳️‍🌈 ﷽",
    "\n\r\t ",
    "@a @b https://t.co/x",
]
POSTS_SIDE = (
    "--select",
    "+fct_posts",
    "+fct_reviews",
    "+bridge_post_products",
    "dim_platforms",
    "+dim_products",
    "--indirect-selection",
    "cautious",
)
NO_TESTS = ("--exclude-resource-type", "test")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, checkpoint: Path) -> TinyProject:
    """One build of everything that one build can show."""
    project = tiny_project(
        tmp_path_factory.mktemp("posts") / "target",
        products=PRODUCTS,
        terms=TERMS,
        settings={"business_timezone": "Asia/Tokyo", "cutoff_at": "2026-02-01T00:00:00Z"},
        checkpoint=checkpoint,
    )
    texts = list(MATCHES) + HOSTILE
    project.land(
        "x",
        "posts",
        [
            x_post(str(1000 + number), text, author_id=f"a{number}")
            for number, text in enumerate(texts)
        ],
    )
    project.land("x", "posts", _special_posts())
    project.land(
        "x",
        "users",
        [
            {
                "id": "bot",
                "username": "newcomer",
                "created_at": "2026-01-01T00:00:00Z",
                "public_metrics": {"followers_count": 5, "post_count": 90},
            }
        ],
    )
    project.land(
        "reddit",
        "submissions",
        [
            reddit_submission("aa", "Claude?", selftext="It is great &amp; smooth."),
            reddit_submission(
                "bb", "Claude", selftext="[removed]", removed_by_category="moderator"
            ),
            reddit_submission("cc", "Claude", author="[deleted]", author_fullname=None),
            {"kind": "t3", "data": {"name": "t3_dd"}},
        ],
    )
    project.land(
        "datasets",
        "posts",
        [
            dataset_post("77", "love it", product_key="SKU-APPLE"),
            dataset_post("77", "love it", product_key="SKU-CLAUDE"),
            dataset_post("78", "Claude", platform="Twitter", created_at=None, like_count=None),
            dataset_post("79", "RT @x: claude", platform=None),
        ],
    )
    project.land("storefront", "reviews", [review("r1", "hate it"), review("r2", "", rating=9)])
    project.land(
        "datasets",
        "reviews",
        [
            {"dataset": "steam", "review_id": "1", "product_key": "?", "is_recommended": True},
            {"dataset": "s", "review_id": "2", "rating": 8, "rating_scale": 10, "body": "love it"},
        ],
    )
    printed = project.dbt("--warn-error", "build", *POSTS_SIDE)
    assert "WARN=0" in printed
    return project


def _special_posts() -> list[dict[str, Any]]:
    old = {
        "id": "501",
        "text": "claude short…",
        "note_tweet": {"text": "claude in the old words, love"},
        "author_id": "o",
        "created_at": "2026-01-05T16:00:00.000Z",
        "lang": "in",
        "edit_history_tweet_ids": ["500", "501"],
        "referenced_tweets": [{"type": "quoted", "id": "3"}],
        "public_metrics": {"retweet_count": 9, "like_count": 0},
    }
    long = "I would buy claude again tomorrow without a doubt"
    return [
        x_post("500", "claude first version", edit_history_post_ids=["500"]),
        old,
        x_post("510", "RT @b: claude", referenced_posts=[{"type": "reposted", "id": "1"}]),
        x_post("511", "claude", author_id="w", withheld={"country_codes": ["DE"]}),
        x_post("512", "claude", author_id="late", created_at="2026-03-01T00:00:00Z"),
        x_post("520", long, author_id="c1", created_at="2026-01-05T01:00:00Z"),
        x_post("521", long, author_id="c2", created_at="2026-01-05T02:00:00Z"),
        x_post("522", long + " ", author_id="c3", created_at="2026-01-05T03:00:00Z"),
        x_post("530", "claude GIVEAWAY https://t.co/1", author_id="s1"),
        x_post("531", "claude " + " ".join(f"#t{n}" for n in range(9)), author_id="s2"),
        x_post("532", "claude " + " ".join(f"@u{n}" for n in range(9)), author_id="s3"),
        x_post(
            "533",
            " ".join(f"@u{n}" for n in range(9)) + " claude thanks",
            author_id="s4",
            referenced_posts=[{"type": "replied_to", "id": "1"}],
        ),
        x_post("534", "claude $A $B $C $D $E $F", author_id="s5"),
        x_post("535", "Apple, Claude, Claude Code, L'Oréal and AT&amp;T", author_id="s6"),
        *(
            x_post(
                str(600 + n),
                f"claude fact number {n}: " + "xyzab"[n % 5] * (n + 3),
                author_id="bot",
                created_at=f"2026-01-05T{n % 24:02}:00:00Z",
            )
            for n in range(16)
        ),
        *(
            x_post(str(700 + n), f"Claude is up {n} % today https://t.co/{n}", author_id="tmpl")
            for n in range(6)
        ),
        {"id": "800"},
        {"id": "801", "text": 5, "public_metrics": [], "created_at": {}, "author_id": None},
    ]


def _flags(project: TinyProject, post_key: str) -> dict[str, Any]:
    return project.one("select * from marts.fct_posts where post_key = ?", [post_key])


@pytest.mark.parametrize(("number", "text"), list(enumerate(MATCHES)))
def test_terms_match_word_by_word(built: TinyProject, number: int, text: str) -> None:
    found = built.query(
        "select product_id, match_count from marts.bridge_post_products where post_key = ?",
        [f"x:{1000 + number}"],
    )
    assert dict(found) == MATCHES[text]


def test_a_post_of_many_matches_is_counted_not_multiplied(built: TinyProject) -> None:
    found = built.query(
        "select product_id, match_count from marts.bridge_post_products where post_key = ?",
        [f"x:{1000 + len(MATCHES)}"],
    )
    assert found == [("claude", 20_000)]


def test_every_record_is_one_fact_however_strange(built: TinyProject) -> None:
    strange = len(MATCHES) + len(HOSTILE)
    counts = dict(built.query("select platform, count(*) from marts.fct_posts group by platform"))
    specials = len(_special_posts()) - 1  # two versions of one post
    assert counts == {"x": strange + specials + 2, "reddit": 4, "tweets": 1}
    empty = _flags(built, "x:800")
    assert (empty["text"], empty["posted_at"], empty["engagement_count"]) == (None, None, None)
    assert (empty["sentiment_status"], empty["is_relevant"]) == ("empty", False)


def test_an_edit_is_one_post_with_the_older_field_names_read(built: TinyProject) -> None:
    post = _flags(built, "x:501")
    assert post["text"] == "claude in the old words, love"
    assert (post["is_edited"], post["repost_count"], post["like_count"]) == (True, 9, 0)
    assert post["reply_count"] is None
    assert post["engagement_count"] == 9
    assert post["language"] == "id"
    assert built.query("select 1 from marts.fct_posts where post_key = 'x:500'") == []
    assert built.query("select count(*) from staging.stg_x__posts where post_id = '500'") == [(1,)]


def test_days_are_the_shop_s_days(built: TinyProject) -> None:
    post = _flags(built, "x:501")  # 16:00 UTC is past midnight in Tokyo
    assert str(post["posted_date"]) == "2026-01-06"


@pytest.mark.parametrize(
    ("post_key", "reason"),
    [
        ("x:510", "repost"),
        ("x:511", "withheld"),
        ("x:512", "after_cutoff"),
        ("x:520", None),
        ("x:521", "duplicate"),
        ("x:522", "duplicate"),
        ("x:530", "spam"),
        ("x:531", "spam"),
        ("x:532", "spam"),
        ("x:533", None),
        ("x:534", "spam"),
        ("x:535", "spam"),
        ("x:800", "no_product"),
        ("reddit:t3_bb", "withheld"),
        ("reddit:t3_cc", None),
        ("tweets:79", "repost"),
        ("x:78", None),
    ],
)
def test_what_does_not_count_says_why(
    built: TinyProject, post_key: str, reason: str | None
) -> None:
    post = _flags(built, post_key)
    assert post["irrelevance_reason"] == reason
    assert post["is_relevant"] is (reason is None)


def test_each_spam_rule_gives_its_own_reason(built: TinyProject) -> None:
    reasons = built.query(
        "select post_id, spam_reason from marts.fct_posts where is_spam order by post_id"
    )
    assert dict(reasons) == {
        "530": "link_and_giveaway",
        "531": "many_hashtags",
        "532": "many_mentions",
        "534": "many_cashtags",
        "535": "many_products",
    }


def test_bots_are_suspected_by_what_they_do(built: TinyProject) -> None:
    reasons = built.query(
        "select author_id, bot_reason, count(*) from marts.fct_posts where is_suspected_bot"
        " group by all order by author_id"
    )
    assert reasons == [
        ("bot", "new_account_posts_per_day", 16),
        ("tmpl", "repeats_itself", 6),
    ]


def test_a_hidden_text_is_not_published(built: TinyProject) -> None:
    assert _flags(built, "x:511")["text"] is None
    assert _flags(built, "x:520")["text"] is not None


def test_a_post_collected_for_two_products_counts_for_both(built: TinyProject) -> None:
    found = built.query(
        "select product_id, term_kind from marts.bridge_post_products"
        " where post_key = 'x:77' order by all"
    )
    assert found == [("apple", "sku"), ("claude", "sku")]


def test_scores_come_from_the_words(built: TinyProject) -> None:
    labels = dict(
        built.query("select review_id, sentiment_label from marts.fct_reviews where body <> ''")
    )
    assert labels == {"r1": "negative", "2": "positive"}
    assert _flags(built, "x:77")["sentiment_label"] == "positive"
    links_only = _flags(built, f"x:{1000 + len(MATCHES) + len(HOSTILE) - 1}")
    assert (links_only["sentiment_status"], links_only["p_positive"]) == ("empty", None)
    parts = list((built.database.parent / "scores").rglob("*.parquet"))
    assert parts, "scores lie in the store beside the database"


def test_stars_stay_within_their_scale(built: TinyProject) -> None:
    stars = dict(built.query("select review_id, stars from marts.fct_reviews"))
    assert stars == {"r1": 4.0, "r2": None, "1": None, "2": 4.0}
    products = dict(built.query("select review_id, product_id from marts.fct_reviews"))
    assert products == {"r1": "apple", "r2": "apple", "1": None, "2": None}


def test_ids_stay_text(built: TinyProject) -> None:
    assert built.query("select product_id from marts.dim_products where product_id = '001'")


def test_the_catalogue_is_only_read(built: TinyProject) -> None:
    head = (built.folder / "catalogue" / "terms.csv").read_text("utf-8").splitlines()[0]
    assert head == "product_id,term,kind"


def test_nothing_temporary_is_left(built: TinyProject) -> None:
    left = built.query("select table_name from duckdb_tables() where table_name like '%__dbt_%'")
    assert left == []


def test_every_model_and_column_is_described(built: TinyProject) -> None:
    manifest = json.loads((built.folder / "target" / "manifest.json").read_text("utf-8"))
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert models
    for node in models:
        assert node["description"].startswith("One row per"), node["name"]
        described = {name for name, column in node["columns"].items() if column["description"]}
        rows = built.query(
            "select column_name from duckdb_columns() where schema_name = ? and table_name = ?",
            [node["schema"], node["name"]],
        )
        missing = {name for (name,) in rows} - described
        assert not missing, f"{node['name']}: {sorted(missing)}"


def test_unit_tests_of_the_models_pass(built: TinyProject) -> None:
    printed = built.dbt(
        "test",
        "--select",
        "test_type:unit,path:models/staging/x",
        "test_type:unit,path:models/intermediate/posts",
    )
    assert "PASS=0" not in printed


def test_incremental_equals_full_refresh(tmp_path: Path, checkpoint: Path) -> None:
    """Three batches with late, edited, repeated and deleted records, then all at once."""
    project = tiny_project(tmp_path / "target", checkpoint=checkpoint)
    _land_first_batch(project)
    project.build(*NO_TESTS)
    _land_second_batch(project)
    project.build(*NO_TESTS)
    _land_third_batch(project)
    project.build(*NO_TESTS)

    assert _flags(project, "x:12")["text"] == "claude third version"
    assert _flags(project, "x:20")["like_count"] == 3, "A, B, A: the last fetch says A again"
    gone = "select post_key from marts.fct_posts where post_id in ('30', 't3_gone')"
    assert project.query(gone) == []
    left = "select record_id from staging.stg_x__posts where record_id = '30'"
    assert project.query(left) == []

    incremental = _contents(project)
    project.build("--full-refresh", *NO_TESTS)
    refreshed = _contents(project)
    assert incremental.keys() == refreshed.keys()
    for table, rows in incremental.items():
        assert rows == refreshed[table], table

    project.dbt("run", "--select", "fct_posts", "fct_reviews", "--vars", "publish_texts: 'false'")
    texts = "select count(text), count(*) > 0 from marts.fct_posts"
    assert project.query(texts) == [(0, True)]
    assert project.query("select count(body) from marts.fct_reviews") == [(0,)]


def _contents(project: TinyProject) -> dict[str, list[str]]:
    return {
        table: [row for (row,) in project.query(f"select t::varchar from {table} as t order by 1")]
        for table in project.tables("seeds", "staging", "intermediate", "marts")
    }


def _land_first_batch(project: TinyProject) -> None:
    project.land("x", "posts", [x_post("10", "claude first version"), x_post("20", "apple")])
    project.land("x", "posts", [x_post("30", "claude, to be forgotten", author_id="9")])
    project.land("x", "users", [{"id": "7", "public_metrics": {"followers_count": 5}}])
    project.land("reddit", "submissions", [reddit_submission("gone", "Claude")])
    project.land("storefront", "reviews", [review("r1", "love it")])


def _land_second_batch(project: TinyProject) -> None:
    later = "2026-01-06T10:00:00Z"
    busy = {"like_count": 50, "repost_count": 0}
    project.land(
        "x",
        "posts",
        [
            x_post("20", "apple", public_metrics=busy),
            x_post("12", "claude third version", edit_history_post_ids=["10", "11", "12"]),
            x_post("40", "a late claude", created_at="2026-01-02T09:00:00Z"),
        ],
        fetched_at=later,
        run_id="run-2",
    )
    project.land(
        "reddit",
        "submissions",
        [reddit_submission("gone", "Claude", selftext="edited", edited=1767690000.0)],
        fetched_at=later,
        run_id="run-2",
    )
    project.land(
        "storefront", "reviews", [review("r1", "hate it")], fetched_at=later, run_id="run-2"
    )


def _land_third_batch(project: TinyProject) -> None:
    later = "2026-01-07T10:00:00Z"
    project.land(
        "x",
        "posts",
        [
            x_post("20", "apple"),
            x_post("11", "claude second version", edit_history_post_ids=["10", "11"]),
            x_post("41", "a late claude", author_id="8", created_at="2026-01-01T09:00:00Z"),
        ],
        fetched_at=later,
        run_id="run-3",
    )
    project.land("datasets", "posts", [dataset_post("1", "apple pie")], fetched_at=later)
    project.forget("x", "posts", "30")
    project.forget("reddit", "submissions", "t3_gone")


def test_an_empty_target_builds(tmp_path: Path, checkpoint: Path) -> None:
    project = tiny_project(tmp_path / "target", products=(), terms=(), checkpoint=checkpoint)
    project.dbt("build", *POSTS_SIDE, "--exclude-resource-type", "unit_test")
    assert project.query("select count(*) from marts.fct_posts") == [(0,)]


def test_a_second_catalogue_cannot_be_overwritten() -> None:
    """dbt writes a seed's SQL to target/run/<its path>: with an absolute path, over the seed."""
    macro = (PROJECT / "macros" / "noop_statement.sql").read_text("utf-8")
    assert "write(" not in macro.split("-#}", 1)[1]
