"""The pictures: what they show, what they leave out, and that nothing runs over the edge."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import StepPatch
from matplotlib.text import Text

import charts
from charts import lags, panels, reading, style, trends
from charts.picture import script
from charts.reading import LagCurve, Subject, open_published
from charts.style import ChartError
from tests.fake_published import NASTY, NINE, Planted, make_published


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("nasty") / "published.duckdb", NASTY)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("three") / "published.duckdb", NINE[:3])


def trends_sheet(file: Path) -> style.Sheet:
    with open_published(file) as published:
        overview = reading.read_overview(published)
        catalogue = reading.read_catalogue(published)
        series = reading.read_daily(published, catalogue.subjects[: panels.MOST_PANELS])
    with style.house_style():
        return trends.draw(overview, catalogue, series)


def lags_sheet(file: Path) -> style.Sheet:
    with open_published(file) as published:
        overview = reading.read_overview(published)
        catalogue = reading.read_catalogue(published)
        curves = tuple(reading.read_lags(published, catalogue.subjects))
        screen = lags.Screen(curves, *reading.count_pairs(published))
    with style.house_style():
        return lags.draw(overview, catalogue, screen)


SHEETS = {"trends": trends_sheet, "lags": lags_sheet}


def words(sheet: style.Sheet) -> list[str]:
    return [text.get_text() for text in sheet.figure.findobj(Text) if text.get_text().strip()]


def said(sheet: style.Sheet) -> str:
    return " ".join(words(sheet)).replace("\n", " ")


def shown_texts(sheet: style.Sheet) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Every text that is really drawn (ticks beyond the axis are not) and its box in pixels."""
    drawn: dict[int, Text] = {}
    draw = Text.draw

    def record(text: Text, renderer: RendererBase) -> None:
        drawn[id(text)] = text
        draw(text, renderer)

    with style.house_style(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        canvas = FigureCanvasAgg(sheet.figure)
        canvas.draw()
        renderer = canvas.get_renderer()
        return [
            (text.get_text(), text.get_window_extent(renderer).extents)
            for text in drawn.values()
            if text.get_text().strip()
        ]


def collisions(texts: Sequence[tuple[str, tuple[float, float, float, float]]]) -> list[str]:
    slack = 1.0
    found = []
    for index, (one, a) in enumerate(texts):
        for other, b in texts[index + 1 :]:
            across = min(a[2], b[2]) - max(a[0], b[0]) > slack
            along = min(a[3], b[3]) - max(a[1], b[1]) > slack
            if across and along:
                found.append(f"{one!r} and {other!r}")
    return found


# Layout -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SHEETS)
def test_no_text_runs_into_another_or_over_the_edge(nasty: Path, kind: str) -> None:
    sheet = SHEETS[kind](nasty)
    texts = shown_texts(sheet)
    width, height = sheet.figure.bbox.width, sheet.figure.bbox.height

    assert len(texts) > 80
    assert collisions(texts) == []
    beyond = [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height]
    assert beyond == []


def test_the_collision_check_can_fail(nasty: Path) -> None:
    sheet = trends_sheet(nasty)
    sheet.text("in the way of the headline", style.MARGIN, 0.55, 15)

    assert collisions(shown_texts(sheet)) != []


@pytest.mark.parametrize("kind", SHEETS)
def test_one_day_of_one_product_is_drawn_without_collision(tmp_path: Path, kind: str) -> None:
    file = make_published(tmp_path / "published.duckdb", NASTY[-1:], days=1)
    sheet = SHEETS[kind](file)

    assert collisions(shown_texts(sheet)) == []
    assert "Young & New" in said(sheet) or "Not enough data" in said(sheet)


# What is shown ----------------------------------------------------------------------------------


def test_names_from_outside_are_drawn_literally(nasty: Path) -> None:
    shown = words(trends_sheet(nasty))

    assert "Pro$duct $\\frac{1}{2}$ <b>_x^2" in shown
    assert "line break[31m" in shown
    assert "chinese" in shown, "a name without glyphs is replaced by the product's id"
    assert "empty" in shown
    assert any(word.startswith("WWW") and word.endswith("…") for word in shown)
    assert not any("\x1b" in word or "\u202e" in word for word in shown)


@pytest.mark.parametrize("kind", SHEETS)
def test_the_stamp_stands_on_simulated_data_only(three: Path, tmp_path: Path, kind: str) -> None:
    real = make_published(tmp_path / "published.duckdb", NINE[:1], days=40, is_simulated=False)

    assert "SIMULATED DATA" in words(SHEETS[kind](three))
    assert "simulated records" in said(SHEETS[kind](three))
    assert "simulated" not in said(SHEETS[kind](real)).lower()


def test_the_caption_states_n_window_source_and_cutoff(three: Path, tmp_path: Path) -> None:
    sheet = said(trends_sheet(three))

    assert "n = 3 products" in sheet
    assert "26 May 2026 to 21 Nov 2026 (180 days)" in sheet
    assert "posts from reddit, x" in sheet
    assert "Cut-off: 21 Nov 2026" in sheet
    with open_published(three) as published:
        at = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
        assert reading.read_overview(published, cutoff=at).cutoff == "22 Nov 2026 06:30 UTC"


def test_axes_name_their_units_and_the_direction(three: Path) -> None:
    assert {"units a day", "mood, −1 to +1"} <= set(words(trends_sheet(three)))
    shown = words(lags_sheet(three))
    assert {"← sales first", "mood first →", "lag, days"} <= set(shown)
    assert "correlation r of mood and units" in shown


def test_the_lag_picture_gives_verdict_and_strongest_lag(three: Path) -> None:
    shown = words(lags_sheet(three))

    plain = [word.replace("\N{NO-BREAK SPACE}", " ") for word in shown]
    assert "changes in mood precede units by 3 days" in shown
    assert "+12 to +31 % per +1 SD, q = 0.004, n = 180 days" in plain
    assert "changes in units precede mood by 2 days" in shown
    assert "q = 0.004, n = 180 days" in plain
    assert "watchlist: nothing is claimed yet" in shown
    assert any(word.startswith("+3 days, r = +0.") for word in shown)
    assert any(word.startswith("strongest at +1 day, inside the band, q = 0.12") for word in plain)
    assert "Mood precedes sales in 1, sales before mood in 1 of 3 products" in said(
        lags_sheet(three)
    )


def test_more_products_than_panels_are_counted_and_the_rule_is_stated(tmp_path: Path) -> None:
    many = [Planted(f"p{i:02d}", f"Product {i}", 10 + i) for i in range(15)]
    many[0] = Planted("p00", "The listed one", 2, 20, 4, 0.9, "watchlist")
    file = make_published(tmp_path / "published.duckdb", many, days=70)

    of_trends, of_lags = trends_sheet(file), lags_sheet(file)

    note = "12 of 15 products, those with the most units in the window; 3 left out"
    assert note in said(of_trends)
    assert "Product 14" in words(of_trends)
    assert "Product 1" not in words(of_trends)
    assert "claims first, then the watchlist, then" in said(of_lags)
    assert "The listed one" in words(of_lags)
    assert len(of_lags.figure.axes) < 12 + 8


# Gaps -------------------------------------------------------------------------------------------


def test_a_day_without_observation_is_a_gap_and_a_day_without_sale_is_zero(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=60)
    with duckdb.connect(str(file)) as connection:
        for day, change in {
            "2026-06-10": "units = 0",
            "2026-06-20": "units = null, is_open = false",
            # A file that breaks the promise and holds a 0 where nothing was observed.
            "2026-06-21": "units = 0, is_observed_sales = false",
            "2026-06-22": "units = 3, is_partial_day = true",
            "2026-06-25": "sentiment_mean = 0, is_observed_social = false",
        }.items():
            connection.execute(
                f"update marts.fct_daily_signals set {change} where date_day = '{day}'"
            )

    with open_published(file) as published:
        (one,) = reading.read_daily(published, reading.read_catalogue(published).subjects)
    at = {str(day): index for index, day in enumerate(one.days)}
    sales, mood = trends_sheet(file).figure.axes[-2:]
    bars = next(patch for patch in sales.patches if isinstance(patch, StepPatch))
    line = max(mood.lines, key=lambda line: len(line.get_xdata())).get_ydata()

    assert one.outcome[at["2026-06-10"]] == 0
    assert bars.get_data().values[at["2026-06-10"]] == 0
    for day in ("2026-06-20", "2026-06-21", "2026-06-22"):
        assert math.isnan(one.outcome[at[day]]), day
        assert math.isnan(bars.get_data().values[at[day]]), day
    assert math.isnan(one.mood[at["2026-06-25"]])
    assert math.isnan(line[at["2026-06-25"]]), "the mean is not drawn across a day off"
    assert math.isfinite(line[at["2026-06-24"]])
    assert "closed or not observed" in words(trends_sheet(file))


def test_days_that_the_file_does_not_hold_are_gaps(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=30)
    with duckdb.connect(str(file)) as connection:
        connection.execute("delete from marts.fct_daily_signals where date_day = '2026-06-05'")

    with open_published(file) as published:
        (one,) = reading.read_daily(published, reading.read_catalogue(published).subjects)

    assert len(one.days) == 30
    assert math.isnan(one.outcome[10])
    assert math.isnan(one.mood[10])
    assert np.isfinite(one.outcome).sum() == 29


# Numbers ----------------------------------------------------------------------------------------


def test_the_mood_mean_weighs_days_by_posts_and_carries_their_error() -> None:
    mood = np.array([0.1, 0.5, np.nan, -0.2])
    error = np.array([0.05, 0.1, np.nan, np.nan])
    posts = np.array([100.0, 25.0, 0.0, 1.0])

    mean, spread = trends.mood_mean(mood, error, posts)

    # All four days lie in each window of seven. A single post errs by .5 on the other days.
    expected = (100 * 0.1 + 25 * 0.5 - 0.2) / 126
    expected_error = math.sqrt((100 * 0.05) ** 2 + (25 * 0.1) ** 2 + 0.5**2) / 126
    assert mean == pytest.approx([expected] * 4)
    assert spread == pytest.approx([expected_error] * 4)


def test_a_mean_needs_three_days() -> None:
    mood = np.array([0.1, 0.2, *[np.nan] * 8])

    mean, spread = trends.mood_mean(mood, np.full(10, np.nan), np.ones(10))

    assert np.isnan(mean).all()
    assert np.isnan(spread).all()


def test_quantities_begin_at_zero_and_levels_need_not() -> None:
    prices = np.array([100.0, 104.0, np.nan, 110.0])

    assert trends.quantity_limits(prices)[0] == 0
    assert trends.is_level_metric("adj_close", prices)
    assert trends.level_limits(prices)[0] > 90
    for outcome in ("units", "net_sales", "orders_count", "volume", None):
        assert not trends.is_level_metric(outcome, prices), outcome
    assert trends.quantity_limits(np.array([-5.0, 20.0]))[0] < -5


def test_one_extreme_day_does_not_flatten_the_rest() -> None:
    sales = np.r_[np.full(300, 50.0), 80_995.0]

    low, high = trends.quantity_limits(sales)

    assert low == 0
    assert 50 < high < 100


def test_an_extreme_day_is_marked_with_its_value(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=150)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.fct_daily_signals set units = 80995 where date_day = '2026-10-20'"
        )

    assert "81k" in words(trends_sheet(file))


@pytest.mark.parametrize("count", [1, 2, 12, 59, 180, 400, 4000, 40_000])
@pytest.mark.parametrize("width", [2.2, 3.0, 7.0])
def test_dates_on_the_axis_fit_their_room(count: int, width: float) -> None:
    first = np.datetime64("2025-11-17")
    days = np.arange(first, first + np.timedelta64(count, "D"))

    positions, labels = panels.date_ticks(days, width)

    assert positions
    assert positions == sorted(set(positions))
    widest = max(style.text_width(label.split("\n")[0], style.SIZE_TICK) for label in labels)
    gaps = np.diff(positions) / count * width
    assert (gaps > widest).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.3149, "0.315"), (3.2, "3.2"), (74.25, "74.2"), (1234, "1,234"),
     (80_995, "81k"), (999_990, "1M"), (3.24e6, "3.2M"), (-1.5e9, "−1.5B"), (250_000, "250k")],
)  # fmt: skip
def test_short_numbers(value: float, text: str) -> None:
    assert style.short_number(value) == text


def test_text_is_cut_to_its_width() -> None:
    cut = style.fit("a rather long name of a product", 1.0, 9)

    assert cut.endswith("…")
    assert style.text_width(cut, 9) <= 1.0
    assert style.fit("short", 1.0, 9) == "short"
    lines = style.wrap("one two three four five six seven", 0.6, 9, most=2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert all(style.text_width(line, 9) <= 0.6 for line in lines)


# Which outcome ----------------------------------------------------------------------------------


def test_without_units_the_data_sets_quantity_stands_for_sales(tmp_path: Path) -> None:
    stocks = [Planted(f"s{i}", f"${i}", 30, 5, metric="volume") for i in range(2)]
    file = make_published(tmp_path / "published.duckdb", stocks, days=60, closed_weekdays=(6, 7))
    with duckdb.connect(str(file)) as connection:
        connection.execute("alter table marts.mart_insights drop column is_primary")
        connection.execute(
            "insert into marts.fct_daily_metrics select product_id, date_day, 'adj_close', 7, "
            "'USD', 'datasets', true from marts.fct_daily_metrics"
        )

    with open_published(file) as published:
        catalogue = reading.read_catalogue(published)
        series = reading.read_daily(published, catalogue.subjects)

    assert catalogue.outcome == "volume"
    assert {subject.outcome for subject in catalogue.subjects} == {"volume"}
    assert np.isnan(series[0].outcome).sum() == 16  # eight weekends
    assert "volume a day" in words(trends_sheet(file))
    assert "← volume first" in words(lags_sheet(file))


def test_the_outcome_of_the_primary_card_goes_first(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=60)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.mart_insights set metric = 'net_sales' where product_id = 'chatty'"
        )
        connection.execute(
            "insert into marts.fct_daily_metrics values "
            "('chatty', '2026-06-01', 'net_sales', 5, 'EUR', 'sales', true)"
        )

    with open_published(file) as published:
        catalogue = reading.read_catalogue(published)

    assert {s.product_id: s.outcome for s in catalogue.subjects} == {
        "chatty": "net_sales",
        "pixelmind": "units",
    }
    assert catalogue.measure("net_sales").title == "net sales a day, EUR"


# Thin data --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SHEETS)
def test_an_empty_file_gives_a_message(tmp_path: Path, kind: str) -> None:
    file = make_published(tmp_path / "published.duckdb", ())

    shown = said(SHEETS[kind](file))

    assert {"trends": "Nothing to draw yet", "lags": "Not enough data"}[kind] in shown


def test_null_columns_give_panels_that_say_so(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=40)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.fct_daily_signals set units = null, net_sales = null, "
            "orders_count = null where product_id = 'chatty'"
        )
        connection.execute(
            "update marts.fct_daily_signals set sentiment_mean = null, sentiment_se = null, "
            "posts_count = null where product_id = 'pixelmind'"
        )
        connection.execute("update marts.mart_lag_correlation set correlation = null")

    shown = words(trends_sheet(file))

    assert "no day with sales was observed in this window" in shown
    assert "no post with a mood in this window" in shown
    assert "Not enough data for any lag yet" in words(lags_sheet(file))


def test_a_target_without_posts_has_no_empty_mood_panels(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=40)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.fct_daily_signals set sentiment_mean = null, posts_count = null, "
            "is_observed_social = false"
        )

    sheet = trends_sheet(file)

    assert "Units, day by day, for 2 products: no posts to set beside them" in said(sheet)
    assert "mood, −1 to +1" not in words(sheet)
    assert sum(axes.get_ylabel() == "" and bool(axes.patches) for axes in sheet.figure.axes) == 2


def test_numbers_that_are_not_finite_are_missing(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=40)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.fct_daily_signals set sentiment_mean = 'nan', sentiment_se = 'inf' "
            "where date_day < '2026-06-05'"
        )
        connection.execute(
            "update marts.mart_lag_correlation set correlation = 'nan', null_high = 'inf' "
            "where lag_days < 0"
        )

    assert collisions(shown_texts(trends_sheet(file))) == []
    assert "+3 days" in said(lags_sheet(file))


# Verdicts ---------------------------------------------------------------------------------------


def curve(**changes: object) -> LagCurve:
    lag = np.arange(-14.0, 15.0)
    correlation = np.zeros(29)
    correlation[17] = 0.4
    values: dict[str, object] = {
        "subject": Subject("p", "P", "units", True, 1.0, 1),
        "signal": "sentiment_mean",
        "metric": "units",
        "lags": lag,
        "correlation": correlation,
        "null_low": np.full(29, -0.2),
        "null_high": np.full(29, 0.2),
        "peak": 17,
        "verdict": "none",
        "n_days": 100,
        "n_eff": 80.0,
        "q_value": 0.5,
        "gate": "full",
        "missing": "",
    }
    return LagCurve(**{**values, **changes})  # type: ignore[arg-type]


def test_verdicts_in_words() -> None:
    assert lags.verdict_words(curve(verdict="insufficient", missing="74 of 90 days")) == (
        "insufficient",
        "74 of 90 days",
    )
    assert lags.verdict_words(curve(null_high=np.full(29, 0.9)))[0] == "no reliable link"
    assert "all products" in lags.verdict_words(curve())[0]
    verdict, detail = lags.verdict_words(curve(verdict="watchlist", q_value=0.04))
    assert verdict == "watchlist: nothing is claimed yet"
    assert detail.replace("\N{NO-BREAK SPACE}", " ") == (
        "strongest at +3 days, outside the band, q = 0.04"
    )


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"none": 9}, "No reliable link found between mood and sales in any of 9 products"),
        ({"none": 1}, "No reliable link found between mood and sales"),
        ({"watchlist": 1}, "Mood and sales are on the watchlist: nothing is claimed yet"),
        ({"watchlist": 2, "none": 6, "insufficient": 1},
         "2 of 9 products are on the watchlist; 6 show no reliable link, 1 lacks data"),
        ({"insufficient": 4}, "Not enough data to screen any product"),
        ({"social_leads": 2, "sales_lead": 1, "watchlist": 1},
         "Mood precedes sales in 2, sales before mood in 1 of 4 products; 1 on the watchlist"),
        ({"social_leads": 2, "none": 5},
         "Mood precedes sales in 2 of 7 products; no reliable link in 5"),
        ({"feedback": 1, "insufficient": 1}, "Each before the other in 1 of 2 products"),
        ({"social_leads": 1}, "Changes in mood precede changes in sales"),
        ({"sales_lead": 1}, "Changes in sales precede changes in mood"),
        ({"feedback": 1}, "Mood and sales precede each other"),
    ],
)  # fmt: skip
def test_headlines_claim_no_more_than_the_verdicts(counts: dict[str, int], text: str) -> None:
    assert lags.headline(lags.Counter(counts), "sales") == text


def test_the_gate_goes_before_the_verdict_and_other_verdicts_are_refused() -> None:
    assert reading.screen_verdict("descriptive", "watchlist") == "insufficient"
    assert reading.screen_verdict("full", "watchlist") == "watchlist"
    assert reading.screen_verdict("full", None) == "insufficient"
    with pytest.raises(ChartError, match="social_leads"):
        reading.screen_verdict("full", "social_leads")


# Files ------------------------------------------------------------------------------------------


def test_make_all_writes_the_same_bytes_again(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=95)

    first = charts.make_all(file, tmp_path / "one")
    second = charts.make_all(file, tmp_path / "two")

    assert [str(path.relative_to(tmp_path / "one")) for path in first] == [
        f"{name}.{kind}" for name in (*charts.CHARTS, "products/chatty") for kind in ("png", "svg")
    ]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name
    files = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert sorted(files) == sorted(first), "nothing half written is left"


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ChartError, match="no published file") as caught:
        charts.make_all(tmp_path / "published.duckdb", tmp_path)
    assert "social-signals run" in caught.value.remedy


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "published.duckdb"
    file.write_text("not a database, but long enough to look at " * 400)

    with pytest.raises(ChartError, match="not a database") as caught:
        charts.make_all(file, tmp_path)
    assert caught.value.remedy


def test_a_file_that_is_being_written_is_named_as_such(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=5)
    with (
        duckdb.connect(str(file)),
        pytest.raises(ChartError, match="in use by a program that writes") as caught,
    ):
        charts.make_all(file, tmp_path)
    assert "Close that program" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("drop table marts.fct_daily_signals", "marts.fct_daily_signals"),
        ("alter table marts.mart_lag_correlation drop column null_low", "column null_low"),
        ("drop table marts.mart_sufficiency", "marts.mart_sufficiency"),
    ],
)
def test_an_older_file_says_what_it_lacks(tmp_path: Path, change: str, missing: str) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=5)
    with duckdb.connect(str(file)) as connection:
        connection.execute(change)

    with pytest.raises(ChartError, match=missing) as caught:
        charts.make_all(file, tmp_path, names=["lags"])
    assert "social-signals run" in caught.value.remedy


def test_a_folder_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", (), days=5)
    (tmp_path / "charts").write_text("a file where the folder should be")

    with pytest.raises(ChartError, match="cannot be written") as caught:
        charts.make_all(file, tmp_path / "charts")
    assert caught.value.remedy


def test_only_the_fixed_columns_are_needed(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=20)
    with duckdb.connect(str(file)) as connection:
        for table in ("dim_products", "fct_posts", "fct_daily_metrics"):
            connection.execute(f"drop table marts.{table}")
        connection.execute("alter table marts.mart_insights drop column is_primary")

    assert "chatty" in words(trends_sheet(file))


# Scripts ----------------------------------------------------------------------------------------


def test_the_scripts_take_a_file_and_end_with_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_published(tmp_path / "published.duckdb", (), days=5)

    assert script(trends.CHART, ["--file", str(file), "--output", str(tmp_path / "out")]) == 0
    assert "trends.png" in capsys.readouterr().out
    assert script(lags.CHART, ["--file", str(tmp_path / "no.duckdb")]) == 1
    assert "social-signals run" in capsys.readouterr().err


def test_a_target_is_looked_for_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(reading.DATA_VARIABLE, str(tmp_path))

    assert reading.published_file("demo") == tmp_path / "demo" / "published.duckdb"


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="these always have a screen")
def test_without_a_screen_showing_only_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)

    with caplog.at_level(logging.WARNING):
        panels.show_files([tmp_path / "trends.png"])

    assert "trends.png" in caplog.text


def test_events_of_a_product_and_of_the_shop_are_marked_with_their_kind(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2])
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            create table marts.bridge_date_events as
            select starts_date + i::integer as date_day, event_kind, product_id, starts_date
            from (values ('launch', 'chatty', date '2026-06-20'),
                ('outage', null, date '2026-08-01'), ('outage', null, date '2026-08-02'),
                ('promotion', null, date '2026-09-01'),
                ('release', 'another', date '2026-06-10')) as e(event_kind, product_id, starts_date)
            cross join range(2) as days(i)
            """
        )
    sheet = trends_sheet(file)
    shown = [text for text in words(sheet) if text in ("launch", "outage", "release")]
    # A launch of one product; of two outages in a row one is named to the left, one to the right,
    # where the launch has left room for it.
    assert sorted(shown) == ["launch", *["outage"] * 3]
    assert "launch, outage" in words(sheet)
    with reading.open_published(file) as published:
        subjects = reading.read_catalogue(published).subjects
        chatty, other = reading.read_daily(published, subjects)
    assert chatty.events == ((25, "launch"), (67, "outage"), (68, "outage"))
    assert other.events == ((67, "outage"), (68, "outage"))
