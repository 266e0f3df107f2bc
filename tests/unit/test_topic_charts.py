"""Topics, voices and shares of voice: what is said, what is drawn, and that it fits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch

import charts
from charts import share_of_voice, style, topics, voices
from charts.picture import Picture
from charts.reading import open_published, read_catalogue, read_overview
from charts.reading_shares import CategoryVoices, Standing, wilson
from charts.reading_topics import Event, Topic, read_topics
from charts.reading_voices import Author, ViralPost, Voices
from tests import fake_topics
from tests.fake_published import NASTY, NINE, insert_rows, make_published
from tests.unit.test_charts import collisions, said, shown_texts, words

FIRST = date(2026, 5, 26)
NAMES = ("topics", "voices", "share_of_voice")
HOSTILE = (
    "\u202e#gnihtemos",
    "#" + "w" * 10_000,
    "#😀😀😀",
    "#小米手机",
    "<script>alert(1)</script>",
    "$\\frac{1}{2}$",
    "",
    "\x1b[31m\n#red",
)


def picture(file: Path, name: str) -> Picture:
    with open_published(file) as published, style.house_style():
        (chart,) = charts.load([name])
        return chart.picture(published, read_overview(published), read_catalogue(published))


def change(file: Path, *statements: str) -> Path:
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


def insert(file: Path, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    with duckdb.connect(str(file)) as connection:
        insert_rows(connection, table, rows)


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("nine") / "published.duckdb", NINE)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worst names everywhere, and many of everything."""
    file = make_published(tmp_path_factory.mktemp("hostile") / "published.duckdb", NASTY)
    insert(
        file,
        "mart_trending_topics",
        [
            fake_topics.topic_day(
                "hashtag" if number % 2 else "bigram", topic, FIRST + timedelta(days=70 + number),
                1_000_000 + number, expected=3.0, q_value=1e-9 * (number + 1), is_burst=True,
                week=(1_200_000, 0.0, 0.001) if number % 2 == 0 else None,
            )
            for number, topic in enumerate(HOSTILE)
        ],
    )  # fmt: skip
    authors = [fake_topics.author(number % 14, is_simulated=True) for number in range(30)]
    insert(
        file,
        "mart_author_influence",
        [
            (f"{HOSTILE[number % 8]}{number}", "x" * 60, *row[2:6], 3e9, 1e9, 9e9, *row[9:])
            for number, row in enumerate(authors)
        ],
    )
    insert(
        file,
        "mart_viral_posts",
        [
            (f"{HOSTILE[number % 8]}:{number}", "\u202emastodon", None, FIRST, "unknown",
             10**10 + number, 0.0, 1e10 + number + 1, 60, True, number % 5 == 0, True)
            for number in range(40)
        ],
    )  # fmt: skip
    insert(
        file,
        "mart_share_of_voice",
        fake_topics.shares(
            {name: [f"{number}-{each}" for each in range(6)] for number, name in enumerate(HOSTILE)}
            | {f"category {number}": [f"c{number}-a", f"c{number}-b"] for number in range(30)},
            40,
            FIRST,
        ),
    )
    return file


# What every one of them must do -----------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_nothing_runs_into_another_or_off_the_sheet(hostile: Path, name: str) -> None:
    sheet = picture(hostile, name).sheet
    texts = shown_texts(sheet)
    width, height = sheet.figure.bbox.width, sheet.figure.bbox.height

    assert len(texts) > 60
    assert collisions(texts) == []
    assert [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height] == []
    assert not any(sign in text for text, _ in texts for sign in "\u202e\x1b")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("days", [1, 40])
def test_small_files_fit_too(tmp_path: Path, name: str, days: int) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=days, is_simulated=False)
    sheet = picture(file, name).sheet

    assert collisions(shown_texts(sheet)) == []
    assert "simulated" not in said(sheet).lower()


@pytest.mark.parametrize(
    ("name", "table", "column"),
    [
        ("topics", "mart_trending_topics", "q_value"),
        ("voices", "mart_author_influence", "typical_engagement_low"),
        ("voices", "mart_viral_posts", "engagement_ratio"),
        ("share_of_voice", "mart_share_of_voice", "share_low_ratio"),
    ],
)
@pytest.mark.parametrize("is_table", [True, False])
def test_a_file_without_the_mart_says_so(
    tmp_path: Path, name: str, table: str, column: str, is_table: bool
) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=10)
    what = f"drop table marts.{table}" if is_table else (
        f"alter table marts.{table} drop column {column}"
    )  # fmt: skip
    found = picture(change(file, what), name)

    assert found.heading.headline == "This file cannot answer that yet"
    lack = f"the table {table}" if is_table else f"the column {column} of {table}"
    assert lack in said(found.sheet)
    assert "social-signals run" in said(found.sheet)


@pytest.mark.parametrize("name", NAMES)
def test_nulls_are_not_drawn_as_numbers(tmp_path: Path, name: str) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:3], days=60),
        "update marts.mart_trending_topics set expected_authors_count = null, q_value = null, "
        "expected_low_authors_count = null, expected_high_authors_count = null, is_burst = false",
        "update marts.mart_author_influence set typical_engagement = null, "
        "typical_engagement_low = null, typical_engagement_high = null",
        "delete from marts.mart_viral_posts",
        "update marts.mart_share_of_voice set share_ratio = null, share_low_ratio = null, "
        "share_high_ratio = null, category_effective_mentions = null "
        f"where week_start_date = date '{fake_topics.monday(FIRST) + timedelta(days=14)}'",
    )
    sheet = picture(file, name).sheet

    assert "nan" not in said(sheet).lower()
    expected = {
        "topics": "Too early to say what is unusual",
        "voices": "Too few authors with several posts",
        "share_of_voice": "Chatty is spoken of most",
    }
    assert expected[name] in sheet.heading.headline
    if name == "share_of_voice":
        shares = next(p for p in step_patches(sheet) if p.get_data().baseline is None)
        assert np.isnan(shares.get_data().values).tolist() == [False, False, True] + [False] * 6


def step_patches(sheet: style.Sheet) -> list[StepPatch]:
    return [p for axes in sheet.figure.axes for p in axes.patches if isinstance(p, StepPatch)]


# Topics -----------------------------------------------------------------------------------------


def topic(
    name: str = "#launch", *events: Event, kind: str = "hashtag", tested: int = 9, new: bool = False
) -> Topic:
    return Topic(kind, name, 40, 30, 20, tested, 0, FIRST, FIRST, events, new)


def burst(day: int, q_value: float | None = 0.01, authors: int = 20) -> Event:
    return Event(FIRST + timedelta(days=day), False, authors, 4.0, q_value)


def week(day: int, q_value: float = 0.02) -> Event:
    return Event(FIRST + timedelta(days=day), True, 9, 0.4, q_value)


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        ([topic()], "Nothing stood out: no topic drew far more people than its past lets expect"),
        ([topic(tested=0)],
         "Too early to say what is unusual: each topic's past of 28 observed days comes first"),
        ([topic("#launch", burst(40))],
         "1 topic drew far more people than usual: #launch on 5 Jul 2026"),
        ([topic("leap", week(41), kind="word", tested=0)],
         "1 topic emerged: leap in the week of 6 Jul 2026"),
        ([topic("#a", burst(40), week(41)), topic("#b", burst(50)), topic("c", week(48))],
         "2 topics drew far more people than usual and 1 emerged, most clearly #a on 5 Jul 2026"),
    ],
)  # fmt: skip
def test_the_headline_says_what_stood_out(found: list[Topic], headline: str) -> None:
    assert topics.headline(found) == headline


def test_the_strongest_evidence_goes_first(nine: Path) -> None:
    change_q = topic("#a", burst(40, 0.03), burst(60, 0.001, 12))
    assert change_q.best is not None
    assert change_q.best.q_value == 0.001
    assert topic("#a", burst(40, None), burst(60, 0.04)).best == burst(60, 0.04)
    with open_published(nine) as published:
        found = read_topics(published, FIRST)
    assert [each.topic for each in found] == [
        "#launch", "leapfrog", "chatty", "pixelmind pro", "one-tap checkout",
    ]  # fmt: skip
    assert [bool(each.events) for each in found] == [True, True, False, False, False]


def test_what_came_back_is_told_from_what_is_new(nine: Path) -> None:
    detail = [
        topics.event_words(each)[1].rpartition(", ")[2]
        for each in (
            topic("#a", burst(40), burst(41), burst(60)),
            topic("#a", burst(40), week(41)),
            topic("#a", burst(40), new=True),
        )
    ]
    assert detail == ["2 times in the window", "known before", "new"]
    with open_published(nine) as published:
        found = {each.topic: each.is_new for each in read_topics(published, FIRST)}
    assert found["leapfrog"] is True, "hardly anybody had said the word before"
    assert found["#launch"] is False, "it was used from the first day on"


def test_a_tag_whose_first_day_is_late_is_new_with_its_first_burst(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=100)
    rows = [
        fake_topics.topic_day("hashtag", tag, FIRST + timedelta(days=day), 30,
                              q_value=0.001, expected=1.0, is_burst=True)
        for tag, day in (("#fresh", 60), ("#early", 10))
    ]  # fmt: skip
    insert(file, "mart_trending_topics", rows)
    with open_published(file) as published:
        found = {each.topic: each.is_new for each in read_topics(published, FIRST)}
    assert found["#fresh"] is True
    assert found["#early"] is False, "nobody knows what was before the window"


def test_bars_stand_where_the_mart_says(nine: Path) -> None:
    sheet = picture(nine, "topics").sheet
    patches = step_patches(sheet)
    band, calm, event = patches[:3]
    events = event.get_data().values

    assert np.flatnonzero(np.isfinite(events)).tolist() == [90]
    assert events[90] == 31
    values = calm.get_data().values
    assert (values[3], values[4]) == (3, 0), "a day without a post is a day with nobody"
    assert np.isnan(values[90])
    assert band.get_data().values[30] == 5
    assert band.get_data().baseline[30] == 1
    assert np.isnan(band.get_data().values[[0, 27, 31]]).all(), "nothing is expected yet"
    # The word's week: the days around it are not known rather than 0.
    (word,) = (p.get_data().values for p in patches[3:5] if 14 in p.get_data().values)
    start = (fake_topics.monday(FIRST + timedelta(days=104)) - FIRST).days
    assert np.flatnonzero(word == 14).tolist() == list(range(start, start + 7))
    assert np.isfinite(word).sum() == 7
    calm_panels = [p for p in patches if to_hex(p.get_facecolor()) == style.VOICE]
    assert len(calm_panels) == 4, "of the word nothing else is known, not that nobody said it"
    assert {"31", "14"} <= set(words(sheet))


def test_a_burst_of_years_ago_is_still_seen_and_a_tags_week_has_no_number_of_a_day(
    tmp_path: Path,
) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=1500)
    insert(
        file,
        "mart_trending_topics",
        [
            fake_topics.topic_day(
                "hashtag", "#early", FIRST + timedelta(days=700 + day), 3, week=(17, 0.01, 1e-9)
            )
            for day in range(3)
        ],
    )
    sheet = picture(file, "topics").sheet
    bars = [p for p in step_patches(sheet) if to_hex(p.get_facecolor()) == style.OUTSIDE]
    shown = words(sheet)

    assert len(bars) == 3
    assert min(bar.get_linewidth() for bar in bars) > 1
    assert {to_hex(bar.get_edgecolor()) for bar in bars} == {style.OUTSIDE}
    assert any(word.endswith(": 17 people, under 0.1 expected") for word in shown)
    assert "31" in shown
    assert not {"3", "17"} & {
        text.get_text() for axes in sheet.figure.axes for text in axes.texts
    }, "17 people in the week are no 3 people of a day"


def test_days_that_nobody_observed_are_hatched_not_empty(tmp_path: Path) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:1], days=60),
        "update marts.fct_daily_signals set is_observed_social = false "
        "where date_day between '2026-06-10' and '2026-06-12'",
        "delete from marts.mart_trending_topics where date_day between '2026-06-10' "
        "and '2026-06-12'",
    )
    sheet = picture(file, "topics").sheet

    assert "not observed" in words(sheet)
    for patch in step_patches(sheet)[1:2]:
        assert np.isnan(patch.get_data().values[15:18]).all()


def test_a_file_of_an_older_version_shows_the_expectation_without_its_range(
    tmp_path: Path,
) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:1], days=60),
        "alter table marts.mart_trending_topics drop column expected_low_authors_count",
    )
    shown = words(picture(file, "topics").sheet)

    assert "what its past lets expect" in shown
    assert "what its past lets expect on 95 % of days" not in shown


def test_thousands_of_topics_are_counted_and_the_strongest_shown(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=100)
    change(
        file,
        """
        insert into marts.mart_trending_topics
        select 'hashtag', '#t' || n, date '2026-07-20', date '2026-07-20', 9, 8, 0, 1.5, 0, 4,
            1e-5 * (1 + n), n < 1500, null, null, null, false, true
        from range(3000) as topics(n)
        """,
    )
    found = picture(file, "topics")

    assert "1,501 topics drew far more people than usual" in said(found.sheet)
    assert "Shown: 12 of 3,002 topics" in said(found.sheet)
    shown = [word for word in words(found.sheet) if word.startswith("#t")]
    assert shown == [f"#t{number}" for number in range(12)]
    assert found.table is not None
    assert len(found.table.rows) == 200
    assert found.table.left_out == "2,802 more are in the published file."


def test_the_table_keeps_other_scripts_and_drops_signs_that_turn_it_around(hostile: Path) -> None:
    table = picture(hostile, "topics").table
    assert table is not None
    names = [row[0] for row in table.rows]

    assert "#小米手机" in names
    assert "#gnihtemos" in names
    assert "(no name)" in names
    assert max(len(name) for name in names) <= 120
    assert "(hashtag in signs not drawn here)" in words(picture(hostile, "topics").sheet)


# Voices -----------------------------------------------------------------------------------------


def heard(low: float, high: float, **changes: Any) -> Author:
    values: dict[str, Any] = {
        "name": "17", "platform": "X", "tier": "", "posts": 3, "typical": (low + high) / 2,
        "low": low, "high": high, "tier_typical": 6.5, "is_bot": False,
    }  # fmt: skip
    return Author(**(values | changes))


def far(ratio: float) -> ViralPost:
    return ViralPost(None, None, "X", FIRST, (), 99, 4.0, ratio, 60, False, False)


@pytest.mark.parametrize(
    ("found", "headline"),
    [
        (Voices(), "Nobody to tell of yet: no post of a known author"),
        (Voices(authors_count=5, posts_count=9),
         "Nobody can be compared: no platform tells what posts got"),
        (Voices(authors_count=5, posts_count=9, measured_count=9),
         ("Too few authors with several posts to say whose are heard; no post of a person went "
         "viral")),
        (Voices((heard(4.26, 12.3),), authors_count=40, measured_count=90),
         ("A post of the most heard author usually gets 4.3 to 12 reactions; no post of a person "
         "went viral")),
        (Voices((heard(120, 900),), measured_count=90, viral=(far(20.4),), viral_count=1),
         ("A post of the most heard author usually gets 120 to 900 reactions; 1 post got far more "
         "than its like, 20 times as much")),
        (Voices((heard(120, 900),), measured_count=90, viral=(far(1182.0),), viral_count=156),
         ("A post of the most heard author usually gets 120 to 900 reactions; 156 posts got far "
         "more than their like, up to 1,182 times as much")),
    ],
)  # fmt: skip
def test_the_headline_says_who_is_heard(found: Voices, headline: str) -> None:
    assert voices.headline(found) == headline


def test_authors_are_ordered_by_what_is_sure_and_bots_stand_apart(tmp_path: Path) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:1], is_simulated=False),
        # A lucky author: a high estimate that could be anything.
        "update marts.mart_author_influence set typical_engagement = 5000, "
        "typical_engagement_low = 9, typical_engagement_high = 90000 where author_id = '1000003'",
        "update marts.mart_author_influence set typical_engagement_low = 9999, "
        "typical_engagement = 9999, typical_engagement_high = 9999 where is_suspected_bot",
        "update marts.mart_author_influence set author_id = 'ann_lee' where author_id = '1000001'",
    )
    found = picture(file, "voices")
    shown = words(found.sheet)
    named = [word for word in shown if word.endswith((" on X", " on Reddit"))]

    assert found.heading.headline.startswith(
        "A post of the most heard author usually gets 308 to 520 reactions"
    )
    assert named[:3] == ["1000000 on X", "an author, not named, on X", "t2_000002 on Reddit"]
    assert "ann_lee" not in said(found.sheet)
    assert named.index("1000003 on X") == 6
    assert shown.index("suspected bots, apart") > shown.index("1000003 on X")
    assert found.table is not None
    assert "ann_lee" not in str(found.table.rows)
    assert [row[0] for row in found.table.rows[13:16]] == ["author", *["suspected bot"] * 2]


def test_points_and_intervals_stand_where_the_marts_say(nine: Path) -> None:
    sheet = picture(nine, "voices").sheet
    people, posts = (axes for axes in sheet.figure.axes if axes.get_xlabel())
    interval, usual, point = people.lines[:3]

    assert interval.get_xdata() == pytest.approx([400 / 1.3, 400 * 1.3])
    assert list(usual.get_xdata()) == [6.5]
    assert list(point.get_xdata()) == [400]
    stem, dot = posts.lines[:2]
    assert list(stem.get_xdata()) == [1, 8641]
    assert list(dot.get_xdata()) == [8641]
    assert posts.get_xscale() == "log"
    assert posts.get_xlim()[0] == 1, "a stem begins where nothing is more than usual"
    assert people.get_xlim()[0] == 0
    for axes in (people, posts):
        low, high = axes.get_xlim()
        ends = [float(x) for line in axes.lines for x in line.get_xdata()]
        assert low <= min(ends)
        assert max(ends) <= high
    assert {"8,641 times", "8,640, not 0"} <= set(words(sheet))


def test_one_platform_without_estimates_still_shows_what_went_far(tmp_path: Path) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:1]),
        "update marts.mart_author_influence set typical_engagement = null",
    )
    sheet = picture(file, "voices").sheet

    assert sheet.heading.headline.startswith("Too few authors with several posts")
    assert "no platform has ten authors, some of them with several posts, yet" in said(sheet)
    assert collisions(shown_texts(sheet)) == []
    assert "about Chatty" in words(sheet)


# Shares of voice --------------------------------------------------------------------------------


def category(*standings: Standing | None) -> list[CategoryVoices]:
    weeks = np.array(["2026-06-01"], dtype="M8[D]")
    return [
        CategoryVoices("c", 3, 9, 0, weeks, np.array([False]), (), None, standing, 4, 5)
        for standing in standings
    ]


def ahead(is_clear: bool) -> Standing:
    return Standing(FIRST, "Chatty", 0.5, 0.4, 0.6, "Medlar", is_clear)


@pytest.mark.parametrize(
    ("standings", "headline"),
    [
        ([None], "No week is full yet: too early to say who has the voice"),
        ([ahead(True)],
         "Chatty is spoken of most: 40 to 60 % of the mentions in the week of 26 May 2026"),
        ([ahead(False)],
         "No product is clearly ahead: Chatty and Medlar cannot be told apart"),
        ([ahead(False)] * 3,
         "In none of 3 categories is a product clearly ahead in the last full week"),
        ([ahead(True)] * 3,
         "In each of 3 categories one product is clearly ahead in the last full week"),
        ([ahead(True), ahead(False), ahead(False), None],
         ("One product is clearly ahead in 1 of 3 categories in the last full week; in 2 the first "
         "two cannot be told apart")),
    ],
)  # fmt: skip
def test_the_headline_says_who_is_clearly_ahead(
    standings: list[Standing | None], headline: str
) -> None:
    said_ = share_of_voice.headline(category(*standings))
    assert said_.replace("\N{NO-BREAK SPACE}", " ") == headline


def test_shares_and_bands_stand_where_the_mart_says(nine: Path) -> None:
    found = picture(nine, "share_of_voice")
    band, line = step_patches(found.sheet)[:2]
    with open_published(nine) as published:
        rows = published.rows(
            "select share_ratio, share_low_ratio, share_high_ratio, is_partial_week "
            "from marts.mart_share_of_voice where product_id = 'chatty' order by week_start_date"
        )

    assert line.get_data().values.tolist() == [row[0] for row in rows]
    assert band.get_data().baseline.tolist() == [row[1] for row in rows]
    assert band.get_data().values.tolist() == [row[2] for row in rows]
    assert [row[3] for row in rows] == [True, *[False] * 24, True]
    # The last full week stands beside the strip, not the one that is still running.
    assert f"{100 * rows[-2][0]:.0f} %" in words(found.sheet)
    assert "a day of the week was not observed" in words(found.sheet)
    limits = {axes.get_ylim() for axes in found.sheet.figure.axes if axes.patches}
    assert limits == {(0, 0.5)}, "the strips of a category share one scale"
    assert found.table is not None
    assert found.table.rows[0][1] == "Chatty"


def test_many_products_are_shown_as_few_and_all_others(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=21)
    many = {"wide": [f"p{number:04d}" for number in range(400)]}
    insert(file, "mart_share_of_voice", fake_topics.shares(many, 21, FIRST))
    found = picture(file, "share_of_voice")

    assert "392 other products" in words(found.sheet)
    assert "all other products together" in words(found.sheet)
    patches = step_patches(found.sheet)
    total = np.sum([p.get_data().values for p in patches[1::2]], axis=0)
    assert total == pytest.approx(np.ones(4))
    with open_published(file) as published:
        effective = published.rows(
            "select any_value(category_effective_mentions) from marts.mart_share_of_voice "
            "where category = 'wide' group by week_start_date order by week_start_date"
        )
    for share, low, high, (trials,) in zip(
        patches[-1].get_data().values, patches[-2].get_data().baseline,
        patches[-2].get_data().values, effective, strict=True,
    ):  # fmt: skip
        assert (low, high) == pytest.approx(fake_topics.wilson(share, trials))


def test_one_product_more_than_are_shown_is_shown(nine: Path) -> None:
    shown = said(picture(nine, "share_of_voice").sheet)
    assert "FraudShield" in shown
    assert "other products" not in shown


def test_wilson_has_no_interval_without_a_mention() -> None:
    low, high = wilson(np.array([0.5, np.nan, 1.0]), np.array([np.nan, 9.0, 4.0]))
    assert np.isnan(low[:2]).all()
    assert np.isnan(high[:2]).all()
    assert (low[2], high[2]) == pytest.approx(fake_topics.wilson(1.0, 4.0))


def test_clearly_ahead_is_more_than_first(tmp_path: Path) -> None:
    """The first has a few mentions more than the second; then twice as many."""
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=28)
    change(
        file,
        "update marts.mart_share_of_voice set share_ratio = if(product_id = 'chatty', .52, .48), "
        "share_low_ratio = if(product_id = 'chatty', .44, .40), "
        "share_high_ratio = if(product_id = 'chatty', .60, .56)",
    )
    assert picture(file, "share_of_voice").heading.headline == (
        "No product is clearly ahead: Chatty and PixelMind Pro cannot be told apart"
    )
    change(
        file,
        "update marts.mart_share_of_voice set share_low_ratio = .561 where product_id = 'chatty'",
    )
    assert "Chatty is spoken of most" in picture(file, "share_of_voice").heading.headline


def test_categories_are_panels_and_single_products_are_counted(hostile: Path) -> None:
    found = picture(hostile, "share_of_voice")

    assert "Left out here: 31 of 39 categories with fewer mentions" in said(found.sheet)
    assert found.table is not None
    assert found.table.left_out == "31 more categories in the published file."
    headline = found.heading.headline
    assert re.fullmatch(
        r"In (none|each) of 8 .*|One product is clearly ahead in \d of 8 .*", headline
    )


def test_a_product_alone_has_no_share(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=20)
    found = picture(file, "share_of_voice")

    assert found.heading.headline == (
        "Each product is alone in its category: there is no share to tell"
    )
    assert "products.csv" in said(found.sheet)
