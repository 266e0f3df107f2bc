"""What grows, and what do buyers complain about: words, order, values, layout."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pytest
from matplotlib.axes import Axes

import charts
from charts import changes
from charts.picture import Picture
from tests.fake_published import NASTY, NINE, Planted, make_published
from tests.pictures import draw
from tests.unit.test_charts import collisions, said, shown_texts, words

BOTH = ("growth", "complaints")


@cache
def base(products: tuple[Planted, ...], days: int) -> bytes:
    """A file that tests change copies of: to write it takes a second, to copy it nothing."""
    with TemporaryDirectory() as folder:
        return make_published(Path(folder) / "base.duckdb", products, days=days).read_bytes()


def made(
    folder: Path, name: str, products: tuple[Planted, ...] = NINE, *edits: str, days: int = 180
) -> Picture:
    folder.mkdir(exist_ok=True)
    file = folder / "published.duckdb"
    file.write_bytes(base(products, days))
    with duckdb.connect(str(file)) as connection:
        for edit in edits:
            connection.execute(edit)
    return draw(charts.load([name]), file)[0]


def headline(picture: Picture) -> str:
    return picture.heading.headline


# Both -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("name", BOTH)
def test_nothing_overlaps_or_runs_off(tmp_path: Path, name: str, count: int) -> None:
    products = NASTY[1 : count + 1] if count < 9 else NASTY
    sheet = made(tmp_path, name, products).sheet
    texts = shown_texts(sheet)

    width, height = sheet.figure.bbox.width, sheet.figure.bbox.height
    assert collisions(texts) == []
    assert [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height] == []


@pytest.mark.parametrize("name", BOTH)
def test_an_older_file_says_what_it_lacks(tmp_path: Path, name: str) -> None:
    table = {"growth": "mart_growth_metrics", "complaints": "mart_review_themes"}[name]
    gone = made(tmp_path / "gone", name, NINE[:2], f"drop table marts.{table}")
    older = made(
        tmp_path / "old", name, NINE[:2], f"alter table marts.{table} drop is_change_clear"
    )

    for picture in (gone, older):
        assert "not in this file" in headline(picture)
        assert "social-signals run" in said(picture.sheet)


@pytest.mark.parametrize("name", BOTH)
def test_real_data_bear_no_stamp(tmp_path: Path, name: str) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], is_simulated=False)
    (picture,) = draw(charts.load([name]), file)

    assert "simulated" not in said(picture.sheet).lower()
    assert "Window: 26 May 2026 to 21 Nov 2026" in said(picture.sheet)


# Growth -----------------------------------------------------------------------------------------


def columns(picture: Picture) -> dict[str, Axes]:
    """The axes of each measure, by its title."""
    titles = ["units", "reviews", "rating", "searches", "mentions", "positive share"]
    return dict(zip(titles, picture.sheet.figure.axes[-len(titles) :], strict=True))


def test_clear_changes_of_sales_go_first_and_stand_in_the_headline(tmp_path: Path) -> None:
    picture = made(tmp_path, "growth")
    assert picture.table is not None
    order = list(dict.fromkeys(row[0] for row in picture.table.rows))

    assert headline(picture) == (
        "Units grew in 1 and fell in 1 of 9 products in Nov 2026, by more than chance"
    )
    assert order[:2] == ["Chatty", "Number Cruncher"]
    assert "↑1 ↓1 of 9" in words(picture.sheet)
    assert {"+34 %", "−22 %"} <= set(words(picture.sheet))


def test_intervals_lie_where_the_mart_says(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "growth", NINE[:1],
        "update marts.mart_growth_metrics set change = 0.11, change_low = 0.04, change_high = 0.2 "
        "where metric = 'posts_count' and month_start_date = '2026-11-01'",
    )  # fmt: skip
    axes = columns(picture)["mentions"]
    lines = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]

    assert any(np.allclose(x, [0.04, 0.2]) for x in lines if x.size == 2)
    assert any(np.allclose(x, [0.11]) for x in lines if x.size == 1)
    assert axes.get_xlim() == (-0.2, 0.2)


def test_nothing_clear_is_said_plainly(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "growth", NINE, "update marts.mart_growth_metrics set is_change_clear = false"
    )

    assert headline(picture) == (
        "No change of units in Nov 2026 is more than chance in any of 9 products"
    )
    assert "none clear of 9" in words(picture.sheet)
    assert not {"+34 %", "−22 %"} & set(words(picture.sheet))
    assert picture.table is not None
    assert {row[7] for row in picture.table.rows} == {"no"}


def test_one_product_is_named_with_its_interval(tmp_path: Path) -> None:
    assert headline(made(tmp_path / "a", "growth", NINE[:1])) == (
        "Chatty: units grew by more than chance in Nov 2026, +22 to +46 %"
    )
    assert headline(made(tmp_path / "b", "growth", NINE[1:2])) == (
        "PixelMind Pro: no change of units in Nov 2026 that is more than chance"
    )


def test_another_measure_that_changed_is_named_beside_the_sales(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "growth", NINE[4:8],
        "update marts.mart_growth_metrics set is_change_clear = true "
        "where metric = 'search_interest' and product_id = 'cart' and change_low is not null",
    )  # fmt: skip

    assert headline(picture).endswith(
        "in any of 4 products; clear changes beside it: 1 in searches"
    )
    assert picture.table is not None
    assert picture.table.rows[0][0] == "CartWhisper"


def test_a_month_too_short_to_compare_is_named_and_the_one_before_is_used(tmp_path: Path) -> None:
    picture = made(tmp_path, "growth", NINE[:2], days=166)

    assert "Oct 2026" in headline(picture)
    assert "Nov 2026 is a part month (7 of 30 days) and is too short" in said(picture.sheet)
    assert "hollow: part month, only observed days count" in words(picture.sheet)


def test_one_month_is_no_comparison(tmp_path: Path) -> None:
    picture = made(tmp_path, "growth", NINE[:2], days=12)

    assert headline(picture) == "Not enough months to compare yet"
    assert "Nothing is said to grow" in said(picture.sheet)


def test_a_missing_interval_gives_its_reason_and_no_mark(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "growth", NINE[:1],
        "update marts.mart_growth_metrics set change = 0.5, change_low = null, change_high = null, "
        "q_value = null, change_reason = 'zero_base' where metric = 'reviews_count'",
    )  # fmt: skip

    assert "none before" in words(picture.sheet)
    assert len(columns(picture)["reviews"].lines) == 1, "the line at 0 alone"
    assert picture.table is not None
    (row,) = (row for row in picture.table.rows if row[1] == "reviews")
    assert row[4:8] == ("+50 %", "none before", "", "not known")


def test_an_interval_beyond_the_scale_ends_in_an_arrow(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "growth", NINE,
        "update marts.mart_growth_metrics set change = 3, change_low = -0.9, change_high = 90 "
        "where metric = 'posts_count' and product_id = 'dash' and change_low is not null",
    )  # fmt: skip
    axes = columns(picture)["mentions"]
    _, high = axes.get_xlim()

    assert high < 1
    ends = [np.asarray(line.get_xdata(), dtype=float) for line in axes.lines]
    assert max(x.max() for x in ends) <= high
    assert {line.get_marker() for line in axes.lines} >= {"<", ">"}


def test_a_year_is_drawn_where_there_is_one(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "growth", NINE[:2],
        "update marts.mart_growth_metrics set year_change = 0.3, year_change_low = 0.1, "
        "year_change_high = 0.52, is_year_change_clear = true where product_id = 'chatty'",
    )  # fmt: skip

    assert "square below: since a year before" in words(picture.sheet)
    assert picture.table is not None
    assert picture.table.rows[0][8] == "+30 % (+10 to +52 %)"
    squares = [line for line in columns(picture)["units"].lines if line.get_marker() == "s"]
    assert len(squares) == 1


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (0.184, "total", "+18 %"),
        (-0.004, "mean", "−0.4 %"),
        (0.0, "total", "0 %"),
        (-0.31, "rating", "−0.3 stars"),
        (0.052, "share", "+5 points"),
        (12345.0, "total", "+1.2M %"),
    ],
)
def test_sizes_in_words(change: float, kind: str, text: str) -> None:
    assert changes.amount(change, kind) == text


# Complaints -------------------------------------------------------------------------------------


def bars(picture: Picture, number: int = 0) -> list[tuple[float, float]]:
    """Left ends and widths of the bars of one block."""
    found = [axes for axes in picture.sheet.figure.axes if len(axes.patches) > 3]
    return [(bar.get_x(), bar.get_width()) for bar in found[number].patches]  # type: ignore[attr-defined]


def test_the_theme_with_most_complaints_and_the_rising_one_are_named(tmp_path: Path) -> None:
    picture = made(tmp_path, "complaints")

    assert headline(picture) == (
        "Most complaints are about faults, in 7.6 % of 10,000 reviews and posts; "
        "more texts than before speak of faults at One-Tap Checkout"
    )
    assert "1 of 63 themes of products changed clearly" in words(picture.sheet)
    assert "+4.1 (+1.7 to +6.5), q = 0.02" in words(picture.sheet)


def test_bars_lie_where_the_mart_says(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "complaints", NINE[:1],
        "update marts.mart_review_themes set complaint_count = 310, praise_count = 62, "
        "product_texts_count = 1240 where theme = 'setup'",
    )  # fmt: skip

    assert bars(picture)[0] == pytest.approx((0.0, -0.25))
    assert bars(picture)[1] == pytest.approx((0.0, 0.05))
    assert {"310 · 25 %", "62 · 5.0 %"} <= set(words(picture.sheet))


def test_the_worst_product_is_the_surest_and_not_that_of_few_texts(tmp_path: Path) -> None:
    few = (
        "update marts.mart_review_themes set texts_count = 19, complaint_count = 19, "
        "praise_count = 0, net_sentiment_high = -0.99 where product_id = 'dash' "
        "and theme = 'price'"
    )
    sure = (
        "update marts.mart_review_themes set texts_count = 40, complaint_count = 30, "
        "praise_count = 2, net_sentiment_high = -0.5 where product_id = 'fraud' "
        "and theme = 'price'"
    )
    picture = made(tmp_path, "complaints", NINE, few, sure)

    assert "FraudShield, 30 of 40 texts complain" in words(picture.sheet)
    assert "in no product do complaints outnumber praise" in words(picture.sheet)


def test_few_products_stand_side_by_side_with_their_own_words(tmp_path: Path) -> None:
    picture = made(tmp_path, "complaints", NINE[:2])

    assert {"Chatty", "PixelMind Pro", "“chatty crash”", "“pixelmind crash”"} <= set(
        words(picture.sheet)
    )
    assert "no theme rose or fell clearly in 28 days" in headline(picture)


def test_too_few_texts_say_nothing_of_rising(tmp_path: Path) -> None:
    picture = made(
        tmp_path, "complaints", NINE[:2],
        "update marts.mart_review_themes set share_change_low = null, share_change_high = null, "
        "is_change_clear = false",
    )  # fmt: skip

    assert headline(picture).endswith("; too few texts to say what is rising")
    assert "nothing is said to rise" in said(picture.sheet)


def test_no_text_is_no_sign_of_happy_buyers(tmp_path: Path) -> None:
    picture = made(tmp_path, "complaints", NINE[:2], "delete from marts.mart_review_themes")

    assert "No review or post speaks of a known theme yet" in headline(picture)
    assert "no sign of happy buyers" in said(picture.sheet)
