"""Themes, mood by platform and growth of one tiny shop, asserted by SQL on a real build."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.warehouse.dbt_builds import TinyProject, dataset_post, review, tiny_project

FIRST_DAY = date(2026, 1, 12)  # a Monday in the middle of a month
DAYS = 73  # to 25 March, whose noon is the cut-off
PRODUCTS = [
    {"product_id": "apple", "product_name": "Apple", "brand": "A", "category": "tools"},
    {"product_id": "claude", "product_name": "Checkout Claude", "brand": "C", "category": "tools"},
]
TERMS = [
    ("apple", "apple", "keyword"),
    ("apple", "SKU-APPLE", "sku"),
    ("claude", "checkout claude", "keyword"),
    ("claude", "SKU-CLAUDE", "sku"),
]
ALREADY_TESTED = (
    "staging",
    "intermediate/posts",
    "intermediate/sales",
    "marts/social",
    "marts/commerce",
)


def at(number: int, hour: int = 9) -> str:
    day = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, hour, tzinfo=UTC)
    return (day + timedelta(days=number)).isoformat()


def posts() -> list[dict[str, Any]]:
    """A steady audience on two platforms, a loud account, and one that posts without end."""
    made: list[dict[str, Any]] = []

    def post(number: int, author: str, text: str, platform: str = "x", **changes: Any) -> None:
        made.append(
            dataset_post(
                f"p{len(made)}",
                text,
                platform=platform,
                author_id=author,
                created_at=at(number, len(made) % 24 if number < DAYS - 1 else 9),
                **changes,
            )
        )

    for number in range(DAYS):
        mood = "love" if number % 3 else "hate"
        post(number, f"a{number % 20}", f"I {mood} the app of apple on day {number}")
        post(number, f"b{number % 15}", f"the apple is a phone, day {number}", "reddit")
        post(number, f"c{number % 19}", f"Checkout Claude is great, day {number}")
    for each in range(12):
        post(22, "loud", f"apple is terrible and awful number {each}")
    # A word that only complaints know: the lexicon has no sprocket.
    for each in range(30):
        post(30 + each % 20, f"s{each}", f"I hate the sprocket of apple {each}")
        post(30 + each % 20, f"t{each}", f"I love how apple feels {each}")
    # Endless words, markup, signs alone and another language.
    post(40, "w1", "apple " + "x" * 10_000 + " is broken")
    post(40, "w2", "apple <b onclick='price'>is</b> [h1]nice[/h1] " + "[url=price]ok[/url]")
    post(40, "w3", "apple ((((*+?[[ \\d+ the battery is terrible")
    post(41, "w4", "der apple ist viel zu teuer und der Akku ist ganz schlecht", language="de")
    return made


def reviews() -> list[dict[str, Any]]:
    made = [
        review(
            f"r{number}",
            "Great battery, but the screen is broken",
            author_name=f"Buyer {number}",
            rating=4,
            created_at=at(number % DAYS),
            updated_at=at(number % DAYS),
        )
        for number in range(0, DAYS - 1, 3)
    ]
    made.append(
        review("mixed", "I love the price. I hate the price", author_name="M", created_at=at(60))
    )
    made.append(review("cheap", "The price is good", author_name="C", created_at=at(60)))
    made.append(
        review("support", "their customer service is awful", author_name="S", created_at=at(61))
    )
    return made


def units() -> list[dict[str, Any]]:
    """Ten a day in January, twice as many from February on; no word from the 9th to the 13th."""
    made = []
    for number in range(DAYS - 1):
        day = FIRST_DAY + timedelta(days=number)
        if day.month == 2 and 9 <= day.day <= 13:
            continue
        value = (10 if day.month == 1 else 20) + (number % 3 - 1)
        made.append(
            {
                "dataset": "till",
                "product_key": "SKU-APPLE",
                "metric": "units",
                "date": day.isoformat(),
                "value": str(value),
            }
        )
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("founders") / "target",
        products=PRODUCTS,
        terms=TERMS,
        settings={"cutoff_at": at(DAYS - 1, 12), "publish_texts": "false"},
        checkpoint=make_tiny_checkpoint(tmp_path_factory.mktemp("model")),
    )
    fetched_at = at(DAYS)
    project.land("datasets", "posts", posts(), fetched_at=fetched_at)
    project.land("storefront", "reviews", reviews(), fetched_at=fetched_at)
    project.land("datasets", "metrics", units(), fetched_at=fetched_at)
    project.build(
        "--select",
        "+path:models/marts/founders",
        "+fct_daily_signals",
        "path:tests/founders",
        "--indirect-selection",
        "cautious",
        "--exclude",
        *(f"resource_type:test,path:models/{path}" for path in ALREADY_TESTED),
    )
    return project


def theme(project: TinyProject, name: str, kind: str = "lexicon") -> dict[str, Any]:
    return project.one(
        "select * from marts.mart_review_themes"
        " where product_id = 'apple' and theme = ? and theme_kind = ?",
        [name, kind],
    )


def test_each_clause_has_its_own_opinion(shop: TinyProject) -> None:
    counts = ("texts_count", "praise_count", "complaint_count", "mixed_count", "neutral_count")
    buyers = len(reviews()) - 3
    battery, screen = theme(shop, "battery"), theme(shop, "display_camera")
    # One post, of strange signs, complains of the battery.
    assert [battery[name] for name in counts] == [buyers + 1, buyers, 1, 0, 0]
    assert [screen[name] for name in counts] == [buyers, 0, buyers, 0, 0]
    price = theme(shop, "price")
    assert [price[name] for name in counts] == [2, 1, 0, 1, 0]
    assert price["praise_review_keys"] == ["storefront:cheap"]
    assert price["reviews_count"] == 2
    assert price["top_terms"] == ["price"]
    assert (battery["posts_count"], battery["complaint_review_keys"]) == (1, [])


def test_the_longest_term_and_the_catalogue_s_names_go_first(shop: TinyProject) -> None:
    support = theme(shop, "support")
    assert (support["texts_count"], support["top_terms"]) == (1, ["customer service"])
    assert support["complaint_review_keys"] == ["storefront:support"]
    others = {
        name
        for (name,) in shop.query(
            "select theme from marts.mart_review_themes where product_id = 'claude'"
        )
    }
    assert not others & {"payment", "staff_and_place"}


def test_a_word_of_complaints_is_found(shop: TinyProject) -> None:
    found = shop.query(
        "select theme, complaint_count, praise_count, authors_count"
        " from marts.mart_review_themes where theme_kind = 'found' and complaint_count > 0"
    )
    assert ("sprocket", 30, 0, 30) in found


def test_what_nobody_reads_and_strange_texts_are_no_theme(shop: TinyProject) -> None:
    texts = shop.one(
        "select min(product_texts_count) as texts, count(distinct product_texts_count) as n"
        " from marts.mart_review_themes where product_id = 'apple'"
    )
    readable = shop.one(
        "select count(*) as n from intermediate.int_themes__records where product_id = 'apple'"
    )
    assert (texts["texts"], texts["n"]) == (readable["n"], 1)
    assert shop.query(
        "select count(*) from intermediate.int_themes__records where record_key = 'x:p' || ?",
        [len(posts()) - 1],
    ) == [(0,)]
    longest = shop.one(
        "select max(length(word)) as n from"
        " (select unnest(words) as word from intermediate.int_themes__sentences)"
    )
    assert longest["n"] <= 40
    markup = shop.query(
        "select sentence from intermediate.int_themes__sentences"
        " where sentence like '%onclick%' or sentence like '%[url%'"
    )
    assert markup == []
    assert theme(shop, "faults")["complaint_post_keys"] != []


def test_shares_are_of_all_readable_texts(shop: TinyProject) -> None:
    for row in shop.query(
        "select share_ratio, share_low_ratio, share_high_ratio, effective_texts,"
        " product_texts_count from marts.mart_review_themes"
    ):
        share, low, high, effective, count = row
        assert 0 <= low <= share <= high <= 1
        assert effective < count  # people who write again are not new people


def month(project: TinyProject, first: str, product: str = "apple") -> dict[str, Any]:
    return project.one(
        "select * from marts.mart_growth where product_id = ? and month_start_date = ?",
        [product, date.fromisoformat(first)],
    )


def test_months_that_are_not_whole_are_marked_and_compared_by_the_day(shop: TinyProject) -> None:
    january, february = month(shop, "2026-01-01"), month(shop, "2026-02-01")
    march = month(shop, "2026-03-01")
    assert (january["social_observed_days_count"], january["social_expected_days_count"]) == (
        20,
        31,
    )
    assert (february["social_observed_days_count"], february["is_partial_month"]) == (28, True)
    assert (february["sales_observed_days_count"], february["sales_expected_days_count"]) == (
        23,
        28,
    )
    # The day of the cut-off is not over, and the days after it have not come.
    assert (march["social_observed_days_count"], march["social_expected_days_count"]) == (24, 31)
    assert january["units_change_reason"] == "first_month"
    assert february["units"] == sum(
        float(row["value"]) for row in units() if row["date"].startswith("2026-02")
    )
    assert february["units_change"] == pytest.approx(1.0, abs=0.02)
    assert 0.6 < february["units_change_low"] < 1 < february["units_change_high"] < 1.5
    assert february["is_units_change_clear"] is True
    assert march["units_change"] == pytest.approx(0.0, abs=0.02)
    assert march["is_units_change_clear"] is False


def test_what_is_not_sold_or_not_said_has_no_change(shop: TinyProject) -> None:
    claude = month(shop, "2026-02-01", "claude")
    assert (claude["units"], claude["units_change"], claude["units_change_reason"]) == (
        None,
        None,
        None,
    )
    assert claude["positive_ratio"] == 1.0
    assert claude["positive_change"] == 0.0
    assert claude["positive_change_low"] < 0 < claude["positive_change_high"]
    assert claude["positive_year_change"] is None
    rows = shop.query(
        "select distinct year_change_reason from marts.mart_growth_metrics"
        " where observed_days_count > 0"
    )
    assert rows == [("no_year",)]


def test_a_loud_account_widens_the_interval(shop: TinyProject) -> None:
    """Posts of one author are one opinion: the share is of few people's worth of posts."""
    for row in shop.query(
        "select records_count, effective_records from intermediate.int_growth__months"
        " where metric = 'positive_ratio' and product_id = 'apple'"
    ):
        assert 0 < row[1] < row[0]


def mood(project: TinyProject, platform: str, number: int) -> dict[str, Any]:
    return project.one(
        "select * from marts.mart_brand_sentiment where product_id = 'apple' and platform = ?"
        " and week_start_date = ?",
        [platform, FIRST_DAY + timedelta(days=number)],
    )


def test_a_platform_has_its_own_mood(shop: TinyProject) -> None:
    first, loud = mood(shop, "x", 0), mood(shop, "x", 21)
    # Days 0, 3 and 6 are hated, four are loved.
    assert (first["posts_count"], first["negative_count"], first["positive_count"]) == (7, 3, 4)
    assert first["effective_posts"] == 7
    assert loud["negative_count"] - 12 in (2, 3)
    assert loud["effective_posts"] < 4 < loud["scored_posts_count"]
    assert mood(shop, "reddit", 0)["neutral_ratio"] == 1.0
    # One of the posts of day 41 is in a language that the model does not read.
    assert mood(shop, "x", 35)["unscored_posts_count"] == 1
    # The toy model does not say how often it errs.
    assert first["net_sentiment_corrected"] is None


def test_a_week_that_is_cut_off_is_marked(shop: TinyProject) -> None:
    last = mood(shop, "x", 70)
    assert (last["is_partial_week"], last["observed_days_count"], last["posts_count"]) == (
        True,
        2,
        2,
    )
    assert (first := mood(shop, "x", 0))["is_partial_week"] is False
    assert first["change_reason"] == "first_week"
    assert mood(shop, "x", 7)["change_reason"] is None


def test_changes_have_newcombe_s_interval(shop: TinyProject) -> None:
    """Against statsmodels, on shares that are whole numbers of independent posts."""
    rows = shop.query(
        "select a.month_value, a.effective_records, b.month_value, b.effective_records,"
        " c.change_low, c.change_high, c.p_value"
        " from intermediate.int_growth__months as a"
        " inner join intermediate.int_growth__months as b"
        " on a.product_id = b.product_id and a.metric = b.metric"
        " and b.month_start_date = a.month_start_date - interval 1 month"
        " inner join intermediate.int_growth__changes as c"
        " on a.product_id = c.product_id and a.metric = c.metric"
        " and a.month_start_date = c.month_start_date and c.comparison = 'month'"
        " where a.metric = 'positive_ratio' and c.change_low is not null"
    )
    assert rows
    for share, trials, base, base_trials, low, high, p in rows:
        expected = confint_proportions_2indep(
            share * trials, trials, base * base_trials, base_trials, method="newcomb"
        )
        assert (low, high) == pytest.approx(expected, abs=1e-6)
        assert (p < 0.05) == (low > 0 or high < 0)


def test_no_text_is_published(shop: TinyProject) -> None:
    names = {
        name
        for (name,) in shop.query(
            "select column_name from duckdb_columns() where schema_name = 'marts'"
            " and table_name in ('mart_review_themes', 'mart_growth', 'mart_growth_metrics',"
            " 'mart_brand_sentiment')"
        )
    }
    assert names
    assert not names & {"text", "sentence", "words", "author_key", "author_id"}
