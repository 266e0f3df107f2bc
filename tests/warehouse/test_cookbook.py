"""Every query of the cookbook: on rows that are known, on a file without any, and in dbt."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from pipeline.paths import DBT_PROJECT
from tests.docs import cookbook
from tests.warehouse.dbt_builds import tiny_project
from tests.warehouse.published_marts import make_marts

ASKED = {question.title: question for question in cookbook.questions()}
ROWS = """
insert into marts.fct_posts by name
select * from (values
    ('x:1', 'x', 'a', 'so bad', 5, -.9, 'scored', 'en', true, null, false),
    ('x:2', 'x', 'b', 'so good', 9, .5, 'low_confidence', 'en', true, null, true),
    ('x:3', 'x', 'b', 'muy bien', 9, null, 'unsupported_language', 'es', true, null, false),
    ('x:4', 'x', 'b', 'again', 9, .1, 'scored', 'en', false, 'repost', false),
    ('r:1', 'rss', 'c', 'all', null, .1, 'scored', null, true, null, false)
) as posts (
    post_key, platform, author_id, text, engagement_count, sentiment_score, sentiment_status,
    language, is_relevant, irrelevance_reason, is_suspected_bot
);
update marts.fct_posts set url = 'https://x.com/' || post_key, posted_date = (
    select date_day from marts.fct_daily_signals
    where product_id = 'medlar' and sentiment_mean is not null
    order by sentiment_mean, date_day limit 1
);
insert into marts.bridge_post_products by name
select post_key, 'medlar' as product_id from marts.fct_posts;
update marts.dim_products set category = 'fruit';
insert into marts.mart_share_of_voice by name
select 'fruit' as category, 'medlar' as product_id, date '2026-03-02' as week_start_date,
    10 as mentions_count, false as is_partial_week;

delete from marts.mart_insight_ledger;
insert into marts.mart_insight_ledger by name
select *, 'sentiment_mean' as signal, 'units' as metric from (values
    ('old', 'young', date '2026-03-01', 'none', 'none'),
    ('a', 'medlar', '2026-03-01', 'waiting', 'watchlist'),
    ('b', 'quince', '2026-03-01', 'claimed', 'social_leads'),
    ('c', 'young', '2026-03-02', 'waiting', 'watchlist'),
    ('a', 'medlar', '2026-03-02', 'claimed', 'social_leads'),
    ('b', 'quince', '2026-03-02', 'claimed', 'social_leads')
) as looks (insight_id, product_id, look_date, status, card_verdict);

insert into marts.mart_pooled_effect by name
select *, 'sentiment_mean' as signal, 'units' as metric from (values
    ('fruit', 3, 100, .01, .2, .1, .3, true, false),
    ('all', 3, 100, .2, .1, -.1, .3, false, false)
) as pooled (
    category, products_count, n_days, q_value, uplift_ratio, uplift_low_ratio, uplift_high_ratio,
    is_percentage_allowed, is_refused
);
insert into marts.mart_skill by name
select 'medlar' as product_id, 'sentiment_mean' as signal, 'units' as metric,
    1 as horizon_days, .8 as mase_without, .7 as mase_with, .125 as improvement_ratio;
insert into marts.mart_link_stability by name
select *, 'medlar' as product_id, 'sentiment_mean' as signal, 'units' as metric,
    'method' as check_kind, .5 as stability_ratio
from (values ('log scale', true), ('no bots', false), ('one day', null))
    as checks (check_name, is_agreeing);
insert into marts.mart_placebo_audit by name
select 'sentiment_mean' as signal, 'units' as metric, 56 as tests_count, .036 as
    share_below_05_ratio, .01 as low, .121 as high, true as is_as_expected;

insert into marts.mart_brand_sentiment by name
select 'medlar' as product_id, 'x' as platform,
    date '2026-03-02' + 7 * n::integer as week_start_date,
    n = 9 as is_partial_week, .1 as net_sentiment, -.1 as net_sentiment_low,
    .3 as net_sentiment_high, .4 as net_sentiment_corrected, false as is_change_clear
from range(10) as weeks (n);
insert into marts.mart_review_themes by name
select * from (values
    ('medlar', 'lexicon', 'price', 7, ['r:9'], .1, .2, .3, false),
    ('medlar', 'lexicon', 'size', 9, ['r:8'], .01, .02, .03, true),
    ('quince', 'lexicon', 'size', 90, [], null, null, null, false)
) as themes (
    product_id, theme_kind, theme, complaint_count, complaint_review_keys, share_change_low,
    share_change, share_change_high, is_change_clear
);
insert into marts.mart_trending_topics by name
select * from (values
    ('hashtag', '#a', date '2026-03-02', 22, 4.2, true, false, ['x:1', 'gone']),
    ('word', 'b', '2026-03-03', 6, null, false, true, ['gone']),
    ('word', 'usual', '2026-03-03', 6, null, false, false, [])
) as topics (
    topic_kind, topic, date_day, authors_count, expected_authors_count, is_burst, is_emerging,
    example_post_keys
);
insert into marts.mart_author_influence by name
select * from (values
    ('x', 'lucky', 1.0, 90.0, false), ('x', 'sure', 20.0, 30.0, false),
    ('x', 'bot', 99.0, 99.0, true), ('x', 'unknown', null, null, false)
) as authors (
    platform, author_id, typical_engagement_low, typical_engagement, is_suspected_bot
);
insert into marts.mart_search_interest by name
select 'medlar' as term, 'US' as geo, '' as category, '' as property, 'day' as resolution,
    segment, date '2026-03-02' + n::integer as period_start_date, 10.0 * n as search_interest,
    2.0 as search_interest_se, true as is_tracked
from range(10) as days (n), (values (1), (2)) as segments (segment);

insert into marts.mart_growth_metrics by name
select * from (values
    ('medlar', 'units', date '2026-04-01', 'total', false, 9.0, .1, .05, .15, true),
    ('medlar', 'units', '2026-05-01', 'total', true, 1.0, -.9, null, null, false),
    ('quince', 'units', '2026-03-01', 'total', false, 7.0, .2, -.1, .5, false),
    ('quince', 'positive_ratio', '2026-03-01', 'share', false, .3, .2, -.1, .5, false)
) as months (
    product_id, metric, month_start_date, value_kind, is_partial_month, month_value, change,
    change_low, change_high, is_change_clear
);
insert into marts.mart_anomalies by name
select * from (values
    ('medlar', 'units', date '2026-03-02', true, null),
    ('medlar', 'units', '2026-03-03', true, 'stock_out'),
    ('medlar', 'units', '2026-03-04', false, null)
) as days (product_id, metric, date_day, is_anomaly, known_reason);
insert into marts.mart_event_uplift by name
select * from (values
    ('medlar', 'promotion', 'calendar', 'units', false, null, '3 of 5 events needed'),
    ('medlar', 'high_mood', 'sentiment_mean', 'units', true, .1, null)
) as events (product_id, event_kind, signal, metric, is_tested, uplift_ratio, reason);

insert into marts.dim_dates by name
select date '2026-03-02' + n::integer as date_day from range(180) as days (n);
insert into marts.fct_order_lines by name
select 'o:' || n as order_key, 'medlar' as product_id, 1 as quantity, true as is_counted,
    date '2026-03-02' as sold_date
from range(10) as orders (n)
union all by name
-- The same order twice, one that is too young to tell, one that is no sale, one unmapped.
select * from (values
    ('o:1', 'medlar', 1, true, date '2026-03-02'), ('o:20', 'medlar', 1, true, '2026-08-20'),
    ('o:21', 'medlar', 1, false, '2026-03-02'), ('o:22', null, 1, true, '2026-03-02')
) as others (order_key, product_id, quantity, is_counted, sold_date);
insert into marts.fct_refund_lines by name
select * from (values
    ('o:1', 'medlar', 1, true), ('o:1', 'medlar', 1, true), ('o:2', 'medlar', 0, true),
    ('o:3', 'medlar', 1, false), ('o:4', 'quince', 1, true), ('o:20', 'medlar', 1, true)
) as refunds (order_key, product_id, quantity, is_counted);
insert into marts.mart_unmapped_sales by name
select * from (values ('a', 5.0), ('b', -9.0)) as items (item_key, net_sales);

insert into marts.ops_sources by name
select * from (values
    ('x', 'posts', 8, 8, 2), ('rss', 'entries', 1, 1, 0), ('off', 'posts', 0, 0, 0),
    ('bad', 'posts', 0, 0, 3)
) as streams (source, stream, record_count, loaded_row_count, reject_count);
insert into marts.ops_freshness by name
select *, source as source_stream_key from (values
    ('x', 'fresh', 3.0, false), ('rss', 'stale', 90.0, true), ('hn', 'quiet', 95.0, true),
    ('bluesky', 'off', null, false), ('reddit', 'never', null, true)
) as streams (source, freshness_state, age_hours, is_warning);
insert into marts.ops_volumes by name
select
    source, 'posts' as stream, date '2026-03-02' + n::integer as fetched_date, n as row_count,
    case when source = 'x' then if(n = 18, 'low', 'usual') end as volume_state
from range(20) as days (n), (values ('x'), ('new')) as sources (source);
insert into marts.ops_schema_drift by name
select * from (values
    ('a', 'text', 'vanished', true), ('b', 'place', 'new', false), ('c', 'id', 'steady', false),
    ('d', 'rare', null, false)
) as fields (field_key, field_path, drift, is_warning);
insert into marts.ops_test_results by name
select
    run_id || n as result_key, run_id, 'test' as node_kind, 'node ' || n as node_name,
    if(n = 0, 'warn', 'pass') as result_status, n::double as duration_seconds, finished_at
from range(30) as nodes (n), (values
    ('old', timestamptz '2026-03-01 10:00:00+00'), ('new', '2026-03-02 10:00:00+00')
) as runs (run_id, finished_at);
insert into marts.ops_quality by name
select * from (values ('a', 0, 5, false), ('b', 2, 5, false), ('c', 1, 5, true))
    as checks (check_name, flagged_count, total_count, is_warning);
insert into marts.ops_budget by name
select * from (values
    ('x', date '2026-02-01', 'posts', 9.0, 10.0, .9), ('x', '2026-03-01', 'usd', 1.0, null, null),
    ('x', '2026-03-01', 'posts', 2.0, 10.0, .2)
) as months (source, month_date, unit, used_amount, limit_amount, used_ratio);
"""


def client(file: Path) -> duckdb.DuckDBPyConnection:
    """As an analyst's: read-only, and nothing fetched or loaded beside."""
    return duckdb.connect(
        str(file),
        read_only=True,
        config={
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "enable_external_access": "false",
        },
    )


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return make_marts(tmp_path_factory.mktemp("rows"), ROWS)


@pytest.fixture(scope="module")
def ask(published):
    with client(published) as connection:
        yield lambda title: connection.execute(ASKED[title].sql).fetchall()


def test_the_page_has_its_questions_and_nothing_else_in_sql():
    assert len(ASKED) >= 35
    assert len(ASKED) == cookbook.PAGE.read_text(encoding="utf-8").count("```sql")
    assert len({question.name for question in ASKED.values()}) == len(ASKED)
    assert [title for title, question in ASKED.items() if not question.prose] == []


@pytest.mark.parametrize("title", ASKED)
def test_every_query_finds_something_in_an_order_that_is_said(ask, title):
    assert ask(title)
    # A macro that picks the first orders them itself.
    assert re.search(r"(?m)^order by\b|\btop_posts\(", ASKED[title].sql)


def test_no_query_fails_on_a_file_without_rows(tmp_path):
    with client(make_marts(tmp_path, with_series=False)) as connection:
        for title, question in ASKED.items():
            rows = connection.execute(question.sql).fetchall()
            assert not rows or not question.is_analysis, title


def columns(rows: list[tuple], *places: int) -> list[tuple]:
    return [tuple(row[place] for place in places) for row in rows]


def test_what_changed_names_new_changed_and_missing_cards(ask):
    assert columns(ask("What changed since the last look?"), 0, 3, 4, 5) == [
        ("medlar", date(2026, 3, 1), "watchlist", "social_leads"),
        ("young", None, None, "watchlist"),
        ("young", date(2026, 3, 1), "none", None),
    ]


def test_a_percentage_is_told_only_where_it_may_be(ask):
    assert columns(ask("Do all products together show what one alone cannot?"), 0, 5, 6) == [
        ("all", None, None),
        ("fruit", 10.0, 30.0),
    ]
    assert columns(ask("How large could a link be that was not found?"), 0, 1, 3, 4, 5) == [
        ("medlar", "social_leads", 12.0, 31.0, 14.0),
        ("quince", "none", 12.0, 31.0, 14.0),
    ]


def test_checks_that_could_not_be_made_come_last(ask):
    answers = columns(ask("Would another defensible choice say the same?"), 3, 4)
    assert answers == [("no bots", False), ("log scale", True), ("one day", None)]


def test_growth_takes_the_last_whole_month_and_no_shares(ask):
    assert columns(ask("What grew last month?"), 0, 1, 2, 4, 6) == [
        ("units", "quince", date(2026, 3, 1), -10.0, 50.0),
        ("units", "medlar", date(2026, 4, 1), 5.0, 15.0),
    ]


def test_returns_leave_out_young_orders_and_count_an_order_once(ask):
    ((product, orders, returned, low, ratio, high),) = ask("How many buyers give something back?")
    assert (product, orders, returned, ratio) == ("medlar", 10, 1, 10.0)
    # Wilson's interval for 1 of 10.
    assert (low, high) == (1.8, 40.4)


def test_brand_weeks_are_whole_and_the_last_eight(ask):
    weeks = [row[1] for row in ask("How do people on each platform see the brand?")]
    assert (weeks[0], weeks[-1], len(weeks)) == (date(2026, 3, 9), date(2026, 4, 27), 8)


def test_themes_rise_by_what_is_clear_first(ask):
    assert columns(ask("Which themes are rising?"), 1, 8) == [("size", True), ("price", False)]
    assert columns(ask("What do buyers complain about?"), 1, 9) == [
        ("size", "r:8"),
        ("price", "r:9"),
    ]


def test_topics_come_with_an_example_where_there_is_one(ask):
    assert columns(ask("What did people suddenly talk about?"), 2, 9) == [
        ("b", None),
        ("#a", "https://x.com/x:1"),
    ]


def test_one_lucky_post_does_not_win(ask):
    assert columns(ask("Whose posts are usually answered?"), 1) == [("sure",), ("lucky",)]


def test_search_weeks_stay_in_their_segment(ask):
    rows = columns(ask("How do people search for it?"), 2, 3, 4, 5, 6)
    assert rows == [
        (1, date(2026, 3, 2), 7, 30.0, 2.0),
        (1, date(2026, 3, 9), 3, 80.0, 2.0),
        (2, date(2026, 3, 2), 7, 30.0, 2.0),
        (2, date(2026, 3, 9), 3, 80.0, 2.0),
    ]


def test_only_unexplained_days_are_asked_about(ask):
    assert columns(ask("Which unusual days has nobody explained?"), 0) == [(date(2026, 3, 2),)]


def test_what_was_not_tested_keeps_its_reason(ask):
    assert columns(ask("What did events bring?"), 1, 5, 8) == [
        ("high_mood", 10.0, None),
        ("promotion", None, "3 of 5 events needed"),
    ]


def test_posts_that_do_not_count_and_that_were_not_read(ask):
    assert ask("Which posts do not count, and why?") == [
        ("rss", "counts", 1, 100.0, 0),
        ("x", "counts", 3, 75.0, 1),
        ("x", "repost", 1, 25.0, 0),
    ]
    assert ask("How much of what was said could the model read?") == [
        ("en", 2, 2, 1, 100.0),
        ("es", 1, 0, 0, 0.0),
        (None, 1, 1, 0, 100.0),
    ]


def test_streams_that_are_late_low_or_changed_come_first(ask):
    assert columns(ask("Is every source fresh?"), 1, 3) == [
        ("hn", "quiet"),
        ("rss", "stale"),
        ("reddit", "never"),
        ("x", "fresh"),
    ]
    volumes = columns(ask("Did a source bring less or more than usual?"), 0, 2, 8)
    assert volumes[0] == ("x", date(2026, 3, 20), "low")
    assert len(volumes) == 14
    assert {source for source, *_ in volumes} == {"x"}, "what was not judged has no state"
    assert columns(ask("Did a source change its shape?"), 3) == [("text",), ("place",)]


def test_of_a_build_what_did_not_pass_comes_first_and_then_the_slowest(ask):
    nodes = columns(ask("What takes the time of a build, and what did not pass?"), 1, 2)
    assert nodes[:2] == [("node 0", "warn"), ("node 29", "pass")]
    assert (len(nodes), nodes[-1][0]) == (21, "node 10")


def test_rejects_checks_and_budgets(ask):
    assert ask("How many lines were refused?") == [
        ("bad", "posts", 0, 3, 100.0),
        ("x", "posts", 8, 2, 20.0),
        ("rss", "entries", 1, 0, 0.0),
    ]
    assert columns(ask("What did the checks of the data find?"), 1) == [("c",), ("b",)]
    assert columns(ask("What did the live sources cost this month?"), 1, 3, 5) == [
        ("posts", Decimal(2), 20.0),
        ("usd", Decimal(1), None),
    ]
    assert columns(ask("Which sales belong to no product?"), 6) == [(Decimal(-9),), (Decimal(5),)]


# --- the same SQL in dbt -----------------------------------------------------------------------


def test_the_analyses_are_those_of_the_page():
    found = {file.name: file.read_text(encoding="utf-8") for file in cookbook.ANALYSES.iterdir()}
    assert found == cookbook.files(list(ASKED.values())), "run python -m tests.docs.cookbook"
    assert len(found) > 20


def test_a_question_that_needs_the_published_file_is_no_analysis():
    page = """### Is it?\nProse.\n\n```sql\n{}\n```\n"""
    for sql, is_analysis in (
        ("select a from marts.mart_a", True),
        ("select a from marts.mart_a where b in (select 1)", True),
        ("select a from daily_signal('medlar', 'units')", False),
        ("select a from marts.b inner join lag_scan(1) on true", False),
        ("select clean_text(a) from marts.b", False),
        ("select a from duckdb_columns() where b = 'marts.x'", False),
        ("select name from start_here", False),
    ):
        (asked,) = cookbook.questions(page.format(sql))
        assert asked.is_analysis is is_analysis, sql
    assert (asked.name, asked.prose) == ("is_it", "Prose.")


@pytest.mark.slow
def test_dbt_compiles_the_analyses_to_the_page_and_they_run(tmp_path, published):
    project = tiny_project(tmp_path)
    printed = project.dbt("compile", "--select", "resource_type:analysis")
    folder = tmp_path / "target" / "compiled" / "social_signals" / "analyses"
    compiled = {file.stem: file.read_text(encoding="utf-8") for file in folder.glob("*.sql")}
    asked = {question.name: question for question in ASKED.values() if question.is_analysis}
    assert set(compiled) == set(asked), printed[-2000:]
    assert {file.stem for file in (DBT_PROJECT / "analyses").glob("*.sql")} == set(asked)
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published}' as work (read_only)")
        for name, sql in compiled.items():
            plain = sql.strip().replace('"work"."marts".', "marts.").replace('"', "")
            assert plain == cookbook.without_end(asked[name].sql).replace('"', ""), name
            # As `dbt show` asks.
            assert connection.execute(f"{sql}\nlimit 5").fetchall(), name
