"""How each product is spoken of: what is said, what is drawn, and that it fits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pytest

from charts import mood
from charts.mood import Place
from tests.fake_published import NASTY, NINE, insert_rows, make_published
from tests.fake_topics import moods
from tests.unit.test_charts import collisions, said, shown_texts, words
from tests.unit.test_topic_charts import change, picture

FIRST = date(2026, 5, 26)


def place(low: float, high: float, *, change: float | None = None, name: str = "Chatty") -> Place:
    middle = (low + high) / 2
    return Place(name, "X", 40, (middle, low, high), None, change)


LIKED, DISLIKED, UNSURE = place(0.1, 0.4), place(-0.4, -0.1), place(-0.1, 0.4)


@pytest.mark.parametrize(
    ("places", "headline"),
    [
        ([], "No mood to tell yet: no post has been scored"),
        ([LIKED], "Of Chatty there is clearly more praise than criticism"),
        ([DISLIKED], "Of Chatty there is clearly more criticism than praise"),
        ([UNSURE], "Of Chatty it cannot be told whether praise or criticism prevails"),
        (
            [UNSURE] * 4,
            "In none of 4 pairs of product and platform does praise or criticism clearly prevail",
        ),
        (
            [LIKED, LIKED, DISLIKED, UNSURE],
            (
                "Clearly more praise than criticism in 2, more criticism in 1 of 4 pairs of "
                "product and platform; in 1 it cannot be told"
            ),
        ),
        (
            [DISLIKED] * 2,
            "Clearly more criticism than praise in 2 of 2 pairs of product and platform",
        ),
    ],
)
def test_the_headline_says_where_one_side_surely_prevails(
    places: Sequence[Place], headline: str
) -> None:
    assert mood.headline(places) == headline


def test_the_correction_goes_before_the_label() -> None:
    labelled = (0.3, 0.1, 0.5)
    assert mood.sides([Place("p", "X", 9, labelled, None, None)]) == [1]
    assert mood.sides([Place("p", "X", 9, labelled, (0.2, -0.1, 0.5), None)]) == [0]


def test_one_interval_beside_0_is_clear_alone_and_not_among_many() -> None:
    lucky = place(0.01, 0.4)
    assert mood.sides([lucky]) == [1]
    assert mood.sides([place(-0.01, 0.4)]) == [0]
    assert mood.sides([lucky, *[UNSURE] * 39]) == [0] * 40
    assert mood.sides([lucky, DISLIKED]) == [1, -1]
    assert mood.sides([place(0.0, 0.0)]) == [0]


def test_chance_alone_makes_hardly_any_place_clear() -> None:
    random = np.random.default_rng(3)
    nothing = [place(middle - 0.2, middle + 0.2) for middle in random.normal(0, 0.2 / 1.96, 2000)]
    assert sum(each.best[1] > 0 or each.best[2] < 0 for each in nothing) > 60
    assert sum(map(abs, mood.sides(nothing))) == 0


def test_what_is_drawn_is_what_the_mart_says(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:3], days=60)
    found = picture(file, "mood")
    (axes,) = (axes for axes in found.sheet.figure.axes if axes.get_xlabel())
    interval, point, labelled, tick = axes.lines[1:5]

    # The last full week begins on 13 July; the one after it lacks days.
    assert "in the last full week from 13 Jul 2026" in said(found.sheet)
    assert list(interval.get_xdata()) == pytest.approx([0.4824 - 0.195, 0.4824 + 0.195], abs=0.01)
    assert list(point.get_xdata()) == pytest.approx([0.4824], abs=0.01)
    assert list(labelled.get_xdata()) == pytest.approx([0.25, 0.55], abs=0.01)
    assert list(tick.get_xdata()) == pytest.approx([0.4], abs=0.01)
    assert axes.get_xlim()[0] == -axes.get_xlim()[1], "praise and criticism are given equal room"
    for line in axes.lines[1:]:
        assert max(abs(x) for x in line.get_xdata()) <= axes.get_xlim()[1]
    assert any(word.startswith("up by 0.31, ") for word in words(found.sheet))
    assert found.table is not None
    assert [row[0] for row in found.table.rows[:3]] == [
        "Chatty",
        "PixelMind Pro",
        "One-Tap Checkout",
    ]
    assert [row[7] for row in found.table.rows] == ["", "up by 0.31", "", "", "", ""]


def test_a_model_without_known_mistakes_is_said_to_be_uncorrected(tmp_path: Path) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:2], days=30),
        "update marts.mart_brand_sentiment set net_sentiment_corrected = null",
    )
    sheet = picture(file, "mood").sheet

    assert "its mistakes are not known and not corrected" in said(sheet)
    assert "net mood" in words(sheet)
    assert "nan" not in said(sheet).lower().split()


def test_a_week_without_a_label_is_no_mood_of_0(tmp_path: Path) -> None:
    file = change(
        make_published(tmp_path / "published.duckdb", NINE[:2], days=30),
        "update marts.mart_brand_sentiment set net_sentiment = null, net_sentiment_low = null, "
        "net_sentiment_high = null where platform = 'reddit'",
    )
    assert "Reddit" not in said(picture(file, "mood").sheet)
    change(file, "update marts.mart_brand_sentiment set net_sentiment = null")
    empty = picture(file, "mood")
    assert empty.heading.headline == "No mood to tell yet: no post has been scored"


def test_without_a_full_week_the_last_one_is_named_as_such(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=3)
    sheet = picture(file, "mood").sheet

    assert "not all of whose days were observed" in said(sheet)
    assert collisions(shown_texts(sheet)) == []


@pytest.mark.parametrize("is_table", [True, False])
def test_a_file_without_the_mart_says_so(tmp_path: Path, is_table: bool) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=10)
    what = "table marts.mart_brand_sentiment"
    change(file, f"drop {what}" if is_table else f"alter {what} drop column net_change")

    assert picture(file, "mood").heading.headline == "This file cannot answer that yet"


def test_thousands_of_products_and_the_worst_names_fit(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NASTY, days=30)
    with duckdb.connect(str(file)) as connection:
        many = moods([f"\u202e{number}" + "w" * 500 for number in range(1000)], 7, FIRST)
        insert_rows(connection, "mart_brand_sentiment", many)
        connection.execute(
            "update marts.mart_brand_sentiment set net_sentiment_corrected_low = -1, "
            "net_sentiment_corrected_high = 1, platform = repeat('x', 300) || platform, "
            "is_change_clear = true, week_start_date = '2026-06-08', is_partial_week = false"
        )
    found = picture(file, "mood")
    texts = shown_texts(found.sheet)
    width, height = found.sheet.figure.bbox.width, found.sheet.figure.bbox.height

    assert collisions(texts) == []
    assert [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height] == []
    assert "Shown: 20 of " in said(found.sheet)
    assert not any("\u202e" in text for text, _ in texts)
    assert found.table is not None
    assert len(found.table.rows) == 200
