"""Topics, anomalies, share of voice, influence and viral posts of one tiny shop with known news."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.warehouse.dbt_builds import TinyProject, dataset_post, tiny_project
from udfs import dbt_topics
from udfs.lead_lag import bursts, influence, terms

FIRST_DAY = date(2026, 1, 5)  # a Monday
DAYS = 70
CUT_DAY = 69  # the cut-off falls inside it
LAUNCH, LOUD, BOT, ODD = 50, 45, 46, 30  # days of the news
MARTS = (
    "mart_trending_topics",
    "mart_anomalies",
    "mart_share_of_voice",
    "mart_author_influence",
    "mart_viral_posts",
)
ALREADY_TESTED = (
    "staging",
    "intermediate/posts",
    "intermediate/sales",
    "marts/social",
    "marts/commerce",
)
PRODUCTS = [
    {"product_id": "apple", "product_name": "Apple", "brand": "A", "category": "tools"},
    {"product_id": "claude", "product_name": "Claude", "brand": "C", "category": "tools"},
    {"product_id": "silent", "product_name": "Silent", "brand": "S", "category": "tools"},
]
TERMS = [
    ("apple", "apple", "keyword"),
    ("apple", "SKU-APPLE", "sku"),
    ("claude", "claude", "keyword"),
    ("silent", "silent", "keyword"),
]
WORDS = [f"{a}{b}" for a in ("bo", "du", "fe", "gi", "ka", "lo", "mu", "ne") for b in ("rt", "lm")]


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def posts() -> list[dict[str, Any]]:
    """A steady audience of two hundred, and the news."""
    generator = np.random.default_rng(54)
    made: list[dict[str, Any]] = []

    def post(number: int, author: str, text: str, **changes: Any) -> None:
        at = datetime(2026, 1, 5, 0, 30, tzinfo=UTC) + timedelta(
            days=number, minutes=20 * (len(made) % 70)
        )
        made.append(
            dataset_post(
                f"{number}-{len(made)}",
                text,
                author_id=author,
                created_at=at.isoformat(),
                **({"like_count": int(generator.integers(0, 6))} | changes),
            )
        )

    def filler(count: int) -> str:
        return " ".join(generator.choice(WORDS, count, replace=False))

    for number in range(DAYS):
        for each in range(int(generator.poisson(8)) + 1):
            author = f"a{generator.integers(0, 200)}"
            product = "apple" if each % 4 == 0 else "claude"
            tag = "#steady" if each % 2 else "$STDY costs $500"
            post(number, author, f"the {product} {filler(3)} and {tag}")
        if number == LAUNCH:
            for each in range(18):
                post(number, f"fan{each}", f"claude {filler(2)} #Launch of quantum leap")
                post(number, f"copy{each}", "RT @fan0: claude #Launch of quantum leap")
        if number in (LAUNCH + 1, LAUNCH + 2):
            post(number, f"late{number}", f"Quantum leap of claude, {filler(3)}")
        if number == LOUD:
            for _ in range(30):
                post(number, "loud", f"claude {filler(6)} #loudtag loudword")
        if number == BOT:
            for each in range(60):
                post(number, "bot", f"claude {filler(5)} {each} #bottag #steady botword")
    post(20, "lucky", "claude went far", like_count=4000)
    post(CUT_DAY, "a1", "claude at night #steady", like_count=1)
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("topics") / "target",
        products=PRODUCTS,
        terms=TERMS,
        settings={"cutoff_at": f"{day(CUT_DAY)}T12:00:00Z", "publish_texts": "false"},
        checkpoint=make_tiny_checkpoint(tmp_path_factory.mktemp("model")),
    )
    project.land("datasets", "posts", posts(), fetched_at=f"{day(DAYS)}T10:00:00Z")
    generator = np.random.default_rng(52)
    units = generator.poisson(40, DAYS)
    units[ODD] = 160
    project.land(
        "datasets",
        "metrics",
        [
            {
                "dataset": "till",
                "product_key": "SKU-APPLE",
                "metric": "units",
                "date": day(number).isoformat(),
                "value": str(units[number]),
            }
            for number in range(DAYS)
        ],
        fetched_at=f"{day(DAYS)}T10:00:00Z",
    )
    project.build(
        "--select",
        "+path:models/marts/topics",
        "+fct_daily_signals",
        "+dim_dates",
        "path:tests/topics",
        "--indirect-selection",
        "cautious",
        "--exclude",
        *(f"resource_type:test,path:models/{path}" for path in ALREADY_TESTED),
    )
    return project


def topic(project: TinyProject, name: str, number: int) -> dict[str, Any]:
    return project.one(
        "select * from marts.mart_trending_topics where topic = ? and date_day = ?",
        [name, day(number)],
    )


def test_people_make_a_burst(shop: TinyProject) -> None:
    found = shop.query(
        "select topic, date_day from marts.mart_trending_topics where is_burst order by all"
    )
    assert ("#launch", day(LAUNCH)) in found
    assert {name for name, _ in found} <= {"#launch", "claude"}
    launch = topic(shop, "#launch", LAUNCH)
    assert (launch["topic_kind"], launch["authors_count"], launch["posts_count"]) == (
        "hashtag",
        18,
        18,
    )
    assert launch["expected_authors_count"] < 0.5
    assert launch["expected_low_authors_count"] == 0
    assert launch["expected_high_authors_count"] < 5 < launch["authors_count"]
    assert launch["q_value"] < 1e-6
    assert launch["is_emerging"] is True


def test_one_loud_account_and_a_bot_make_none(shop: TinyProject) -> None:
    counted = shop.query(
        "select topic, posts_count, authors_count, suspected_bot_posts_count"
        " from intermediate.int_topics__daily_counts where topic in ('#loudtag', '#bottag')"
        " order by topic"
    )
    assert counted == [("#bottag", 0, 0, 60), ("#loudtag", 30, 1, 0)]
    shown = shop.query(
        "select distinct topic from marts.mart_trending_topics"
        " where topic in ('#loudtag', '#bottag', 'loudword', 'botword')"
    )
    assert shown == []
    steady = topic(shop, "#steady", BOT)
    assert steady["suspected_bot_posts_count"] == 60
    assert steady["posts_count"] < 20
    assert steady["is_burst"] is False


def test_words_are_shown_while_they_emerge(shop: TinyProject) -> None:
    found = shop.query(
        "select topic_kind, topic, date_day, posts_count from marts.mart_trending_topics"
        " where topic_kind in ('word', 'bigram') order by all"
    )
    assert {row[1] for row in found} == {"quantum", "leap", "quantum leap"}
    days = [row[2:] for row in found if row[1] == "quantum leap"]
    assert days == [(day(LAUNCH), 18), (day(LAUNCH + 1), 1), (day(LAUNCH + 2), 1)]
    word = topic(shop, "quantum", LAUNCH)
    assert word["week_authors_count"] == 20
    assert word["emerging_z"] > 2
    assert word["p_value"] is None


def test_prices_links_and_function_words_are_no_topics(shop: TinyProject) -> None:
    topics = {
        row[0] for row in shop.query("select topic from intermediate.int_topics__daily_counts")
    }
    assert topics >= {"$stdy", "#steady", "claude", "apple"}
    assert not topics & {"$500", "the", "and", "of", "@fan0"}
    terms_seen = {
        row[0] for row in shop.query("select topic from intermediate.int_topics__weekly_terms")
    }
    assert not any(" of" in term or "the " in term for term in terms_seen)


def test_examples_are_the_posts_that_people_liked_most(shop: TinyProject) -> None:
    launch = topic(shop, "#launch", LAUNCH)
    best = shop.query(
        "select post_key from marts.fct_posts where author_id like 'fan%'"
        " order by engagement_count desc, post_key desc limit 3"
    )
    assert launch["example_post_keys"] == [key for (key,) in best]


def test_a_day_that_is_not_over_is_no_topic_day(shop: TinyProject) -> None:
    last = shop.one("select max(date_day) as last_day from marts.mart_trending_topics")["last_day"]
    assert last == day(CUT_DAY - 1)
    week = shop.query(
        "select distinct is_partial_week, observed_days_count from marts.mart_share_of_voice"
        " where week_start_date = ?",
        [day(63)],
    )
    assert week == [(True, 6)]


def test_the_odd_day_is_the_anomaly(shop: TinyProject) -> None:
    found = shop.query(
        "select date_day, direction, known_reason, observed_value from marts.mart_anomalies"
        " where product_id = 'apple' and metric = 'units' and is_anomaly"
    )
    assert found == [(day(ODD), "above", None, 160.0)]
    expected = shop.one(
        "select expected_value from marts.mart_anomalies where product_id = 'apple'"
        " and metric = 'units' and date_day = ?",
        [day(ODD)],
    )["expected_value"]
    assert 25 < expected < 60
    assert shop.query("select 1 from marts.mart_anomalies where metric = 'net_sales'") == []


def test_shares_have_wilson_s_interval(shop: TinyProject) -> None:
    rows = shop.query(
        "select share_ratio, category_effective_mentions, share_low_ratio, share_high_ratio"
        " from marts.mart_share_of_voice"
    )
    assert len(rows) == 30
    for share, trials, low, high in rows:
        expected = proportion_confint(share * trials, trials, method="wilson")
        assert (low, high) == pytest.approx(expected, abs=1e-9)
    loud = shop.one(
        "select * from marts.mart_share_of_voice where product_id = 'claude'"
        " and week_start_date = ?",
        [day(42)],
    )
    assert loud["suspected_bot_mentions_count"] == 60
    # Thirty posts of one account are worth little: the interval is that of fewer people.
    assert loud["category_effective_mentions"] < 0.25 * loud["category_mentions_count"]
    silent = shop.query(
        "select distinct share_ratio from marts.mart_share_of_voice where product_id = 'silent'"
    )
    assert silent == [(0.0,)]


def test_one_lucky_post_is_viral_but_no_influence(shop: TinyProject) -> None:
    viral = shop.query("select author_id, engagement_count from marts.mart_viral_posts")
    assert viral == [("lucky", 4000)]
    lucky = shop.one("select * from marts.mart_author_influence where author_id = 'lucky'")
    assert lucky["engagement_mean"] == 4000
    assert lucky["typical_engagement"] < 100
    bot = shop.one("select * from marts.mart_author_influence where author_id = 'bot'")
    assert (bot["is_suspected_bot"], bot["suspected_bot_posts_ratio"]) == (True, 1.0)
    assert bot["posts_count"] == 60


def test_no_text_and_no_strange_number_is_published(shop: TinyProject) -> None:
    for mart in MARTS:
        described = shop.query(
            "select column_name, data_type from duckdb_columns()"
            " where schema_name = 'marts' and table_name = ?",
            [mart],
        )
        names = {name for name, _ in described}
        assert names
        assert not names & {"text", "words", "content_words", "author_name", "body"}
        numbers = [name for name, kind in described if kind == "DOUBLE"]
        bad = " or ".join(f"not isfinite({name})" for name in numbers)
        assert shop.query(f"select count(*) from marts.{mart} where {bad}") == [(0,)], mart
        assert shop.query(f"select count(*) > 0 from marts.{mart}") == [(True,)], mart


def test_what_sql_and_python_count_by_is_the_same(repository: Path) -> None:
    macros = (repository / "dbt_project" / "macros" / "topics.sql").read_text(encoding="utf-8")

    def returned(name: str) -> int:
        return int(macros.split(f"macro {name}()")[1].split("return(")[1].split(")")[0])

    assert returned("topic_authors_min") == bursts.MIN_AUTHORS == terms.MIN_AUTHORS
    assert returned("tier_authors_min") == influence.MIN_TIER_AUTHORS


def test_tables_without_a_row_are_no_error() -> None:
    with duckdb.connect() as connection:

        def nothing(columns: str) -> duckdb.DuckDBPyRelation:
            connection.execute(f"create or replace table nothing_{len(columns)} ({columns})")
            return connection.table(f"nothing_{len(columns)}")

        days = nothing("date_day date, side varchar, is_observed boolean")
        counts = nothing("topic_kind varchar, topic varchar, date_day date, authors_count bigint")
        weekly = nothing(
            "topic_kind varchar, topic varchar, week_start_date date, authors_count bigint,"
            " authors_before_count bigint, week_authors_count bigint,"
            " week_authors_before_count bigint, is_known boolean, family_count bigint"
        )
        authors = nothing(
            "platform varchar, author_id varchar, engagement_posts_count bigint, log_mean double,"
            " log_square_sum double, suspected_bot_posts_count bigint, compared_tier varchar,"
            " follower_tier varchar"
        )
        series = nothing(
            "product_id varchar, series varchar, date_day date, scaled_value double,"
            " is_promo boolean, is_holiday boolean, is_stock_out boolean"
        )
        tables = (
            dbt_topics.topic_bursts(connection, counts=counts, source_days=days),
            dbt_topics.emerging_terms(connection, weekly),
            dbt_topics.author_influence(connection, authors),
            dbt_topics.daily_anomalies(connection, series),
        )
    for table in tables:
        assert table.num_rows == 0
        assert "null" not in {str(kind) for kind in table.schema.types}


def test_a_share_s_scale_is_turned_back(shop: TinyProject) -> None:
    """What was expected of a count is a count: the square root is undone, below 0 as well."""
    rows = shop.query(
        "select scaled_value, value_scale, observed_value from intermediate.int_daily__series"
        " where series = 'posts_count' and observed_value is not null limit 50"
    )
    for scaled, scale, observed in rows:
        assert scale in ("sqrt", "log")
        back = math.expm1(scaled) if scale == "log" else scaled**2 - 0.375
        assert back == pytest.approx(observed, abs=1e-6)
