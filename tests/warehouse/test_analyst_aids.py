"""The published file explains itself: comments, macros, and the queries of the cookbook."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pytest

from pipeline import running
from pipeline.analyst_aids import DescriptionError, analyst_macros, table_descriptions
from pipeline.paths import DBT_PROJECT, PROJECT_ROOT, TargetPaths
from tests.warehouse.published_marts import FIRST, contracts, make_marts
from warehouse.errors import PublishError
from warehouse.publishing import Macro, TableDescription, is_published, publish

COOKBOOK = (PROJECT_ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
POSTS = """
    insert into marts.fct_posts by name
    select * from (values
        ('x:1', 'x', 'a', 'so <b>good</b> https://t.co/1', 5, .9, true, false),
        ('x:2', 'x', 'b', 'so bad', 9, -.9, true, false),
        ('x:3', 'x', 'b', 'a bot', 90, 0, true, true),
        ('x:4', 'x', 'b', 'a repost', 80, 0, false, false),
        ('r:1', 'rss', 'c', 'uncounted', null, .1, true, false),
        ('x:5', 'x', 'c', 'of another', 70, .1, true, false),
        ('x:0', 'x', 'd', 'as many', 5, .3, true, false)
    ) as posts (
        post_key, platform, author_id, text, engagement_count, sentiment_score, is_relevant,
        is_suspected_bot
    );
    update marts.fct_posts set posted_date = (
        select date_day from marts.fct_daily_signals
        where product_id = 'medlar' and sentiment_mean is not null
        order by sentiment_mean, date_day limit 1
    );
    insert into marts.bridge_post_products by name
    select post_key, if(post_key = 'x:5', 'quince', 'medlar') as product_id from marts.fct_posts;
    insert into marts.mart_share_of_voice by name
    select * from (values
        ('fruit', 'medlar', date '2026-03-02', 10, false),
        ('fruit', 'quince', '2026-03-02', 90, false),
        ('fruit', 'medlar', date '2026-03-09', 30, false),
        ('fruit', 'quince', '2026-03-09', 10, false),
        ('fruit', 'medlar', date '2026-03-30', 0, false),
        ('fruit', 'quince', '2026-03-30', 20, false),
        ('fruit', 'medlar', date '2026-04-06', 20, true),
        ('fruit', 'quince', '2026-04-06', 20, true),
        ('nuts', 'young', date '2026-04-06', 7, false)
    ) as weeks (category, product_id, week_start_date, mentions_count, is_partial_week);
    update marts.dim_products set category = if(product_id = 'young', 'nuts', 'fruit');
    insert into marts.fct_daily_metrics by name
    select 'medlar' as product_id, date '2026-03-02' as date_day, 'stars' as metric, 7.0 as value;
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    return make_marts(tmp_path_factory.mktemp("aids"), POSTS)


@pytest.fixture(scope="module")
def ask(published):
    """As an analyst's client: read-only, and nothing fetched or loaded beside."""
    configuration = {
        "autoload_known_extensions": "false",
        "autoinstall_known_extensions": "false",
        "enable_external_access": "false",
    }
    with duckdb.connect(str(published), read_only=True, config=configuration) as connection:
        yield lambda sql, *values: connection.execute(sql, values).fetchall()


def test_every_published_table_and_column_has_its_comment(ask):
    tables = dict(ask("select table_name, comment from duckdb_tables()"))
    models = {file.stem for file in (DBT_PROJECT / "models" / "marts").rglob("*.*")}
    assert set(tables) == {name for name in models if is_published(name)}
    assert [name for name, comment in tables.items() if not comment] == []
    columns = ask(
        "select table_name, column_name, comment from duckdb_columns() where not internal"
    )
    assert [row for row in columns if not row[2]] == []
    assert tables["dim_products"].startswith("One row per")
    assert ask(
        "select comment from duckdb_columns() "
        "where table_name = 'fct_daily_signals' and column_name = 'units'"
    ) == [("Units sold less units given back.",)]


def test_what_is_given_wins_and_what_is_not_given_stays(tmp_path):
    with duckdb.connect(str(tmp_path / "work.duckdb")) as connection:
        connection.execute(
            "create table dim_a (b int, c int); comment on table dim_a is 'old';"
            "comment on column dim_a.b is 'old b'; comment on column dim_a.c is 'old c'"
        )
    given = {"dim_a": TableDescription("it's new", {"b": "new b", "gone": "no such column"})}
    publish(tmp_path / "work.duckdb", tmp_path / "out.duckdb", descriptions=given)
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as connection:
        assert connection.execute("select comment from duckdb_tables()").fetchall() == [
            ("it's new",)
        ]
        assert connection.execute(
            "select column_name, comment from duckdb_columns() where table_name = 'dim_a' "
            "order by 1"
        ).fetchall() == [("b", "new b"), ("c", "old c")]


def test_the_file_says_where_to_begin(published, ask):
    rows = ask("select position, kind, name, row_count, holds from start_here")
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0][1:4] == ("result", "marts.mart_insights", 3)
    kinds = [kind for _, kind, *_ in rows]
    assert list(dict.fromkeys(kinds)) == ["result", "fact", "dimension", "operation", "macro"]
    assert {name for _, kind, name, *_ in rows if kind != "macro"} == {
        f"marts.{name}" for name in contracts()
    }
    assert ("macro", "top_posts(product, n)", None) in [row[1:4] for row in rows]
    assert [row for row in rows if not row[4]] == []
    assert ask("show tables") == [("start_here",)], "what one sees who opens the file"
    assert ask("select count(comment) from duckdb_views() where not internal") == [(1,)]
    # A file that is attached beside others answers for itself.
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published}' as shop (read_only)")
        assert (
            connection.execute(
                "select position, kind, name, row_count, holds from shop.start_here"
            ).fetchall()
            == rows
        )


def test_a_search_path_spares_the_prefixes_of_tables_and_macros(published):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published}' as shop (read_only)")
        connection.execute("set search_path = 'shop.marts,shop.main'")
        assert connection.execute("from top_posts('medlar', 1)").fetchall()
        shown = {name for (name,) in connection.execute("show tables").fetchall()}
        assert shown == {*contracts(), "start_here"}


def test_hostile_names_and_comments_stand_in_the_list_as_they_are(tmp_path):
    with duckdb.connect(str(tmp_path / "work.duckdb")) as connection:
        connection.execute('create schema "odd\' --"; create table "odd\' --".fct_a (b int)')
        connection.execute("comment on table \"odd' --\".fct_a is 'it''s; drop -- <b>'")
    publish(tmp_path / "work.duckdb", tmp_path / "out.duckdb")
    with duckdb.connect(str(tmp_path / "out.duckdb"), read_only=True) as connection:
        assert connection.execute("from start_here").fetchall() == [
            (1, "fact", "odd' --.fct_a", 0, "it's; drop -- <b>")
        ]


def test_a_run_publishes_with_both(monkeypatch, tmp_path):
    given = {}

    def take(*_paths, **options):
        given.update(options)
        return []

    monkeypatch.setattr(running, "publish", take)
    monkeypatch.setattr(running, "read_mark", lambda file: file.name)
    monkeypatch.setattr(running, "write_mark", lambda file, value: None)
    monkeypatch.setattr(running, "finish_removed", lambda settings, now: [])
    monkeypatch.setattr(running, "_note_emptiness", lambda run: None)
    monkeypatch.setattr(running, "note_before_publishing", lambda *_, **__: None)
    monkeypatch.setattr(running, "findings", lambda settings: [])
    run = SimpleNamespace(
        settings=SimpleNamespace(
            paths=TargetPaths(tmp_path, "demo"), publish=SimpleNamespace(texts=True), name="demo"
        ),
        now=lambda: None,
        run_id="run",
        work=None,
        notes=[],
    )
    running._publish(run, lambda said: None)
    assert given["descriptions"] == table_descriptions()
    assert given["macros"] == analyst_macros()


def test_a_macro_that_is_no_sql_leaves_the_old_file(tmp_path):
    with duckdb.connect(str(tmp_path / "work.duckdb")) as connection:
        connection.execute("create table dim_a (b int)")
    (tmp_path / "out.duckdb").write_bytes(b"old")
    with pytest.raises(PublishError, match="as it was"):
        publish(
            tmp_path / "work.duckdb",
            tmp_path / "out.duckdb",
            macros=[Macro("broken", ("a",), "selekt a", "")],
        )
    assert (tmp_path / "out.duckdb").read_bytes() == b"old"


def test_a_description_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "_bad.yml").write_text("models: [", encoding="utf-8")
    with pytest.raises(DescriptionError, match=r"_bad\.yml"):
        table_descriptions(tmp_path)


def test_every_macro_stands_in_the_file_and_in_the_cookbook(ask):
    found = ask("select function_name, parameters, comment from duckdb_functions() "
                "where schema_name = 'main' and not internal")  # fmt: skip
    assert {name for name, _, _ in found} == {
        file.stem for file in (DBT_PROJECT / "analyst_macros").glob("*.sql")
    }
    for name, parameters, comment in found:
        assert comment.startswith(f"{name}({', '.join(parameters)}): ")
        assert f"`{name}({', '.join(parameters)})`" in COOKBOOK


def test_daily_signal_gives_columns_and_metrics_by_day(ask):
    for signal in ("units", "sentiment_mean", "net_sales", "posts_count"):
        assert ask("from daily_signal(?, ?)", "quince", signal) == ask(
            f"select date_day, {signal}::double from marts.fct_daily_signals "
            "where product_id = 'quince' order by date_day"
        )
    stars = ask("from daily_signal(product_id := 'medlar', signal := 'stars')")
    assert len(stars) == 180
    assert [row for row in stars if row[1] is not None] == [(FIRST, 7.0)]
    assert ask("from daily_signal('nobody', 'units')") == []
    with pytest.raises(duckdb.Error, match="no signal or metric unit\\."):
        ask("from daily_signal('medlar', 'unit')")


@pytest.mark.parametrize(
    "signal",
    [
        column
        for column, kind in contracts()["fct_daily_signals"]
        if kind not in {"varchar", "date", "boolean"} and column not in
        {"scored_posts_count", "search_interest_se"}
    ],
)  # fmt: skip
def test_daily_signal_knows_every_number_of_the_table(ask, signal):
    assert len(ask("from daily_signal('medlar', ?)", signal)) == 180


def rests(series: dict[date, float]) -> dict[date, float]:
    """By least squares over seven weekdays and the day number, beside the macro's two steps."""
    days = sorted(series)
    x = np.array([[day.isoweekday() == n for n in range(1, 8)] + [day.toordinal()] for day in days])
    y = np.array([series[day] for day in days])
    x = x.astype(float)
    x[:, 7] -= x[:, 7].mean()
    return dict(zip(days, y - x @ np.linalg.lstsq(x, y, rcond=None)[0], strict=True))


@pytest.mark.parametrize("product", ["medlar", "quince", "young"])
def test_lag_scan_correlates_what_weekdays_and_trend_leave(ask, product):
    mood, units = (
        rests({day: value for day, value in ask("from daily_signal(?, ?)", product, name)
               if value is not None})
        for name in ("sentiment_mean", "units")
    )  # fmt: skip
    found = ask("from lag_scan(?, 'sentiment_mean', 'units', 3)", product)
    assert [lag for lag, _, _ in found] == [-3, -2, -1, 0, 1, 2, 3]
    for lag, correlation, n in found:
        pairs = [
            (rest, units[later])
            for day, rest in mood.items()
            if (later := day + timedelta(days=lag)) in units
        ]
        assert n == len(pairs)
        assert correlation == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1], abs=1e-9)


def test_lag_scan_finds_a_series_in_its_own_future_and_nothing_in_a_constant(ask):
    same = {lag: r for lag, r, _ in ask("from lag_scan('medlar', 'units', 'units', 5)")}
    assert same[0] == pytest.approx(1)
    assert same[2] == pytest.approx(same[-2])
    constant = ask("from lag_scan('medlar', 'share_of_voice_ratio', 'units', 2)")
    assert [(r, n > 100) for _, r, n in constant] == [(None, True)] * 5
    short = ask("from lag_scan('medlar', 'stars', 'units', 1)")
    assert short == [(-1, None, 0), (0, None, 1), (1, None, 1)]


def test_share_of_voice_counts_all_weeks_and_the_last_four(ask):
    # Whole weeks end on 30 March: the last four of them begin on 9 March.
    assert ask("from share_of_voice('fruit')") == [
        ("quince", 140, 0.7, 30, 0.5),
        ("medlar", 60, 0.3, 30, 0.5),
    ]
    assert ask("from share_of_voice('none')") == []


def test_top_posts_leave_out_what_does_not_count(ask):
    assert ask("select post_key, engagement_count, words from top_posts('medlar', 2)") == [
        ("x:2", 9, "so bad"),
        ("x:0", 5, "as many"),
    ]
    assert [row[0] for row in ask("from top_posts('medlar', 9)")] == ["x:2", "x:0", "x:1"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("see https://a.b/c?d=1, now", "see now"),
        ("www.shop.example is <b>good</b>", "is good"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("Tom &amp; Ann &lt;3 &quot;it&#39;s&quot;&nbsp;x", 'Tom & Ann <3 "it\'s" x'),
        ("&amp;lt;", "&lt;"),
        ("a\u202eb\u200bc\u00add\ufeff", "abcd"),
        ("  two\n\tlines \x00 ", "two lines"),
        ("👩\u200d💻 #tag @you", "👩\u200d💻 #tag @you"),
        ("", ""),
        (None, None),
    ],
)
def test_clean_text(ask, text, words):
    assert ask("select clean_text(?)", text) == [(words,)]


def test_an_attached_file_is_used_by_name(published):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{published}' as shop (read_only); use shop")
        assert connection.execute("select count(*) from top_posts('medlar', 2)").fetchall() == [
            (2,)
        ]
