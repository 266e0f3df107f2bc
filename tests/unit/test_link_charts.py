"""Effects, forecasts, placebos and sufficiency: drawn where the mart says, said as it allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex

import charts
from charts import forest, links, placebo, sizes, skill, style, sufficiency
from charts.links import Effect, Gate, Placebo, Pooled, Skill
from charts.picture import Picture
from charts.reading import MOOD, Subject, open_published, read_catalogue
from tests.fake_published import NASTY, NINE, Planted, make_published
from tests.unit.test_charts import collisions, said, shown_texts, words
from tests.unit.test_pictures import pictures

KINDS = ("effects", "events", "skill", "sufficiency", "placebo")
MANY = 150


def one(file: Path, name: str) -> Picture:
    (picture,) = pictures(file, (name,))
    return picture


def changed(folder: Path, products: Sequence[Planted], *statements: str, days: int = 3) -> Path:
    file = make_published(folder / "published.duckdb", products, days=days)
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


def intervals(picture: Picture) -> list[tuple[float, float]]:
    """Edges of every interval, from the top down."""
    lines = [
        line
        for axes in picture.sheet.figure.axes
        for line in axes.lines
        if line.get_label() == forest.INTERVAL
    ]
    lines.sort(key=lambda line: float(np.asarray(line.get_ydata())[0]))
    edges = [np.asarray(line.get_xdata(), dtype=float) for line in lines]
    return [(float(edge[0]), float(edge[1])) for edge in edges]


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("nine") / "published.duckdb", NINE, days=3)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    verdicts = ("social_leads", "none", "watchlist", "sales_lead", "insufficient")
    products = [
        Planted(
            f"p{index:03d}", f"Product {index}", 10 + index % 40, 20, None, 0.3, verdict,
            "insufficient" if verdict == "insufficient" else "full",
            f"{index % 80 + 2} of 90 days with both sentiment_mean and units"
            if verdict == "insufficient" else "",
        )
        for index in range(MANY)
        for verdict in [verdicts[index % 5]]
    ]  # fmt: skip
    return changed(
        tmp_path_factory.mktemp("many"),
        products,
        # The farther down the list, the wider: the last runs far off the axis.
        "update marts.mart_insights set uplift_low_ratio = .3 - substr(product_id, 2)::int / 1000, "
        "uplift_high_ratio = .35 + substr(product_id, 2)::int / 50 "
        "where uplift_low_ratio is not null",
    )


# Layout -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("world", ["nasty", "many", "one"])
def test_no_text_runs_into_another_or_over_the_edge(
    many: Path, tmp_path: Path, kind: str, world: str
) -> None:
    file = many
    if world != "many":
        products = NASTY if world == "nasty" else NINE[:1]
        file = make_published(tmp_path / "published.duckdb", products, days=3)
    sheet = one(file, kind).sheet
    texts = shown_texts(sheet)
    width, height = sheet.figure.bbox.width, sheet.figure.bbox.height

    assert collisions(texts) == []
    assert [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height] == []


@pytest.mark.parametrize("kind", KINDS)
def test_many_products_are_no_wall(many: Path, kind: str) -> None:
    picture = one(many, kind)

    assert picture.sheet.height < 16
    assert len([text for text in words(picture.sheet) if text.startswith("Product ")]) <= 25
    assert picture.table is not None
    # Audits are by signal and outcome, not by product.
    assert len(picture.table.rows) == {
        "placebo": 2,
        "skill": 200,
        "effects": MANY + 2,
        "events": 200,
    }.get(kind, MANY)
    assert bool(picture.table.left_out) == (kind in {"skill", "events"})


@pytest.mark.parametrize("kind", KINDS)
def test_captions_state_n_window_source_cutoff_and_method(nine: Path, kind: str) -> None:
    sheet = one(nine, kind).sheet

    caption = " ".join(sheet.heading.caption)
    for part in ("n = ", "Window: 26 May 2026 to 28 May 2026", "Cut-off: ", "Source: simulated"):
        assert part in caption
    assert "SIMULATED DATA" in words(sheet)


@pytest.mark.parametrize("kind", KINDS)
def test_real_data_carry_no_stamp(tmp_path: Path, kind: str) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=3, is_simulated=False)

    assert "simulated" not in said(one(file, kind).sheet).lower()


@pytest.mark.parametrize(
    ("kind", "table", "text"),
    [
        ("effects", "mart_effect", "This file holds no sizes of effects"),
        ("events", "mart_event_uplift", "This file holds no events"),
        ("skill", "mart_skill", "This file holds no forecasts"),
        ("placebo", "mart_placebo_audit", "This file holds no placebo audit"),
        ("sufficiency", "mart_sufficiency", "This file does not say what its data can bear"),
    ],
)
def test_an_older_file_gives_a_sheet_that_says_so(
    tmp_path: Path, kind: str, table: str, text: str
) -> None:
    picture = one(changed(tmp_path, NINE[:1], f"drop table marts.{table}"), kind)

    assert picture.heading.headline == text
    assert table in said(picture.sheet)
    assert "social-signals run" in said(picture.sheet)


@pytest.mark.parametrize("kind", ["effects", "skill", "placebo"])
def test_without_the_other_marts_what_there_is_is_shown(tmp_path: Path, kind: str) -> None:
    gone = {"mart_pooled_effect", "mart_sufficiency", "mart_lag_correlation"}
    file = changed(tmp_path, NINE, *(f"drop table marts.{table}" for table in gone))

    assert "Cut-off" in said(one(file, kind).sheet)
    assert one(file, kind).table.rows  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", KINDS)
def test_nulls_and_numbers_that_are_not_finite_stay_unknown(tmp_path: Path, kind: str) -> None:
    file = changed(
        tmp_path,
        NINE,
        "update marts.mart_effect set minimum_detectable_effect_ratio = null, uplift_ratio = 'nan'",
        "update marts.mart_pooled_effect set uplift_low_ratio = 'inf', q_value = null",
        "update marts.mart_event_uplift set uplift_low_ratio = 'nan' where product_id > 'd'",
        "update marts.mart_event_uplift set q_value = null, uplift_ratio = null, reason = null",
        "update marts.mart_skill set mase_with = 'nan', q_value = null where product_id > 'd'",
        "update marts.mart_placebo_audit set low = null, high = null, share_below_05_ratio = null, "
        "is_as_expected = null where signal = 'posts_count'",
        "update marts.mart_sufficiency set days_observed = null, missing_day_ratio = 'nan', "
        "what_is_missing = null, reason = null where product_id > 'd'",
    )
    picture = one(file, kind)

    assert collisions(shown_texts(picture.sheet)) == []
    assert "nan" not in said(picture.sheet).split()
    assert "None" not in " ".join(cell for row in picture.table.rows for cell in row)  # type: ignore[union-attr]


# Effects ----------------------------------------------------------------------------------------


def test_intervals_stand_where_the_mart_says_and_only_of_claims_with_a_size(nine: Path) -> None:
    picture = one(nine, "effects")
    (axes,) = (axes for axes in picture.sheet.figure.axes if axes.get_xlabel())
    bands = [
        collection.get_paths()[0].get_extents()
        for collection in axes.collections
        if isinstance(collection, PolyCollection) and collection.get_label() == forest.BAND
    ]

    # The one claim with a size; the sales lead, the watchlist and the young product have none.
    assert intervals(picture) == [(0.12, 0.31)]
    assert [(round(band.x0, 3), round(band.x1, 3)) for band in bands] == [(-0.14, 0.14)] * 5
    low, high = axes.get_xlim()
    assert low < -0.14
    assert high > 0.31


def test_pooled_effects_are_filled_only_where_they_are_found(nine: Path) -> None:
    (axes,) = (axes for axes in one(nine, "effects").sheet.figure.axes if axes.get_xlabel())
    diamonds = [patch for patch in axes.patches if to_hex(patch.get_edgecolor()) == style.SALES]

    assert [to_hex(diamond.get_facecolor()) for diamond in diamonds] == [style.PAPER, style.SALES]
    edges = [diamond.get_path().get_extents() for diamond in diamonds]
    assert [(round(e.x0, 3), round(e.x1, 3)) for e in edges] == [(-0.01, 0.07), (0.02, 0.08)]


def test_no_size_is_shown_where_none_may_be_stated(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE[:3],
        "update marts.mart_insights set uplift_low_ratio = null, uplift_high_ratio = null",
        "update marts.mart_effect set is_percentage_allowed = false, "
        "percentage_reason = 'reliability of the signal 0.44: 0.50 needed (about 15 posts a day)'",
        "update marts.mart_pooled_effect set is_percentage_allowed = false",
    )
    picture = one(file, "effects")

    assert intervals(picture) == []
    shown = words(picture.sheet)
    assert "no size: reliability of the signal 0.44: 0.50 needed" in shown
    assert "direction only, 3 days later" in shown
    assert "no size: the signal is too noisy, about 15 posts a day needed" in shown
    assert picture.heading.headline.startswith("Mood precedes sales in 1 of 3 products, size unkn")
    assert not any("%" in text and "to +" in text for text in shown)


def test_a_watched_pair_states_no_size_even_if_the_mart_measured_one(nine: Path) -> None:
    with open_published(nine) as published:
        effects = links.read_effects(published, read_catalogue(published), MOOD)

    watched = next(effect for effect in effects if effect.verdict == "watchlist")
    assert (watched.low, watched.high, watched.estimate, watched.detectable) == (None,) * 4


def test_a_claim_says_how_many_other_choices_agree(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE[:4],
        "insert into marts.mart_link_stability select product_id, 'sentiment_mean', 'units', "
        "'window', true, .909, true from marts.dim_products where product_id <> 'checkout'",
    )
    picture = one(file, "effects")

    # Not of the watchlist nor of a pair without a link, even if the mart held some.
    assert [row[7] for row in picture.table.rows] == ["91 %", *[""] * 5]  # type: ignore[union-attr]
    assert words(picture.sheet).count("91 %") == 1


def test_of_many_claims_the_surest_are_shown_and_the_others_counted(many: Path) -> None:
    picture = one(many, "effects")
    shown = intervals(picture)

    assert len(shown) == 25, "24 one by one, and the middle of the others"
    lows = [low for low, _ in shown[:24]]
    assert lows == sorted(lows, reverse=True)
    text = said(picture.sheet)
    assert "The other 126 together" in text
    assert "6 with a size" in text
    assert "30 no reliable link" in text
    assert "24 of 150 products, claims first" in text
    assert picture.heading.headline.startswith("A size can be stated for 30 of 150 products; in")


def test_an_interval_beyond_the_axis_ends_in_an_arrow(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE,
        "update marts.mart_insights set uplift_high_ratio = 90 where product_id = 'chatty'",
    )
    picture = one(file, "effects")
    (axes,) = (axes for axes in picture.sheet.figure.axes if axes.get_xlabel())

    assert axes.get_xlim()[1] < 1
    arrows = [line for line in axes.lines if line.get_marker() == ">"]
    assert [float(np.asarray(line.get_xdata())[0]) for line in arrows] == [axes.get_xlim()[1]]
    assert "+12 to +9,000 %, 3 days later" in words(picture.sheet)


SUBJECT = Subject("p", "P", "units", True, 1.0, 1)


def effect(verdict: str, low: float | None = None, high: float | None = None) -> Effect:
    detectable = 0.14 if verdict == "none" else None
    return Effect(
        SUBJECT, "units", verdict, 3, 1, None, low, high, detectable, 0.01, 100, "too few posts"
    )


@pytest.mark.parametrize(
    ("effects", "text"),
    [
        ([], "Not enough data to measure any effect"),
        ([effect("insufficient")] * 4, "Not enough data to measure any effect"),
        ([effect("social_leads", 0.09, 0.32)], "+1 SD of mood preceded +9 to +32 % sales"),
        ([effect("social_leads", 0.09, 0.32), effect("feedback", -0.2, -0.05), effect("none")],
         "+1 SD of mood preceded −20 to +32 % sales in 2 of 3 products; no reliable link in 1"),
        ([effect("social_leads", 0.029, 0.3), effect("social_leads"), effect("none")],
         ("+1 SD of mood preceded +2.9 to +30 % sales in 1 of 3 products; direction only in 1, "
         "no reliable link in 1")),
        ([effect("social_leads")], "Mood precedes sales, but the data bear no size"),
        ([effect("none")] * 3,
         "No reliable effect in 3 of 3 products; 14 % or more would have been seen"),
        ([effect("none")], "No reliable effect; 14 % or more would have been seen"),
        ([effect("watchlist"), effect("insufficient")],
         "No effect is claimed: 1 of 2 products on the watchlist; 1 not testable"),
        ([effect("watchlist")], "No effect is claimed yet"),
        ([effect("sales_lead"), effect("none")],
         "Sales precede mood in 1 of 2 products: no size is stated; no reliable link in 1"),
    ],
)  # fmt: skip
def test_headlines_about_sizes_claim_no_more_than_the_verdicts(
    effects: list[Effect], text: str
) -> None:
    assert sizes.headline(effects, "sentiment_mean", "sales") == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.088, "+8.8"), (0.3190, "+32"), (-0.029, "−2.9"), (0.0001, "0"), (12.5, "+1,250"),
     (0.0996, "+10"), (0.05, "+5")],
)  # fmt: skip
def test_percentages_have_the_digits_of_the_card(ratio: float, text: str) -> None:
    assert sizes.percent(ratio) == text


def test_a_pooled_effect_needs_its_own_q() -> None:
    found = Pooled("c", 3, 90, 2, 0.1, 0.05, 0.2, 0.05, True, True, "")

    assert sizes.pooled_words(found) == sizes.SHARED
    unsure = Pooled("c", 3, 90, 2, 0.1, 0.05, 0.2, 0.051, True, True, "")
    assert sizes.pooled_words(unsure) == "no reliable link"
    assert sizes.pooled_words(Pooled("c", 3, 90, 2, None, None, None, 0.01, True, False, "")) == (
        "direction only"
    )


# Events -----------------------------------------------------------------------------------------


def test_events_beyond_chance_stand_alone_and_the_others_together(nine: Path) -> None:
    picture = one(nine, "events")

    # Chatty after high mood; then the middle of seven others, and of eight after bursts of posts.
    assert intervals(picture) == [(0.08, 0.33), (-0.1, 0.12), (-0.2, 0.15)]
    shown = words(picture.sheet)
    assert "none found in 7" in shown
    assert "4 of 5 events needed" in shown
    assert picture.heading.headline == (
        "Sales differed after days of high mood by +8 to +33 % in 1 of 8 products; nothing beyond "
        "chance among 1 other kind"
    )
    assert [row[3] for row in picture.table.rows].count("more than chance") == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("update marts.mart_event_uplift set q_value = .051",
         ("Sales did not differ more than chance allows after or during any kind of event "
          "(16 tests)")),
        ("update marts.mart_event_uplift set is_tested = false", "No event could be tested yet"),
        ("delete from marts.mart_event_uplift", "No event could be tested yet"),
        ("update marts.mart_event_uplift set q_value = .05 where product_id < 'd'",
         ("Sales differed after days of high mood in 3 of 8 products, after bursts of posts in 3 "
          "of 8")),
    ],
)  # fmt: skip
def test_headlines_about_events(tmp_path: Path, change: str, text: str) -> None:
    assert one(changed(tmp_path, NINE, change), "events").heading.headline == text


# Forecasts --------------------------------------------------------------------------------------


def test_both_errors_stand_where_the_mart_says(nine: Path) -> None:
    picture = one(nine, "skill")
    (axes,) = (axes for axes in picture.sheet.figure.axes if axes.get_xlabel())
    pairs = [
        [round(float(x), 4) for x in np.asarray(line.get_xdata())]
        for line in axes.lines
        if line.get_linewidth() == pytest.approx(2.2)
    ]

    assert pairs == [[0.7, 0.658], *[[0.7, 0.7028]] * 7]
    shown = words(picture.sheet)
    assert "better: error 6 % smaller" in shown
    assert shown.count("no improvement: error 0.4 % larger") == 7
    assert "forecasts 7 days ahead need 180 days" in shown


def forecast(
    name: str, horizon: int, improvement: float, *, is_predictive: bool, is_tested: bool = True
) -> Skill:
    subject = Subject(name, name, "units", True, 1.0, 1)
    return Skill(
        subject, "units", horizon, 0.8 if is_tested else None, 0.7 if is_tested else None,
        improvement if is_tested else None, 0.02, 90, is_predictive, is_tested, "why",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("skills", "text"),
    [
        ([], "No forecast could be compared yet"),
        ([forecast("a", 1, 0.0, is_predictive=False, is_tested=False)],
         "No forecast could be compared yet"),
        ([forecast("a", 1, 0.01, is_predictive=False), forecast("b", 1, 0.2, is_predictive=False)],
         "Knowing the mood did not improve the sales forecast 1 day ahead (2 products tried)"),
        ([forecast("a", 1, 0.04, is_predictive=True), forecast("b", 1, 0.2, is_predictive=False)],
         ("Knowing the mood improved the sales forecast 1 day ahead in 1 of 2 products tried, "
         "errors 4 % smaller")),
        ([forecast("a", 1, 0.04, is_predictive=True), forecast("b", 1, 0.12, is_predictive=True),
          forecast("a", 7, -0.1, is_predictive=False)],
         ("Knowing the mood improved the sales forecast 1 day ahead in 2 of 2 products tried, "
         "errors 4 to 12 % smaller; not 7 days ahead (1 tried)")),
    ],
)  # fmt: skip
def test_headlines_about_forecasts(skills: list[Skill], text: str) -> None:
    assert skill.headline(skills, "sentiment_mean", "sales") == text


def test_a_forecast_that_was_not_compared_is_not_better(tmp_path: Path) -> None:
    file = changed(tmp_path, NINE[:1], "update marts.mart_skill set mase_with = null")

    assert one(file, "skill").heading.headline == "No forecast could be compared yet"


# Placebos ---------------------------------------------------------------------------------------


def test_placebo_intervals_stand_where_the_mart_says_too_many_first(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE,
        "update marts.mart_placebo_audit set share_below_05_ratio = .2, low = .08, high = .4, "
        "is_as_expected = false where signal = 'posts_count'",
    )
    picture = one(file, "placebo")

    assert intervals(picture) == [(0.08, 0.4), (0.01, 0.12)]
    assert picture.heading.headline == (
        "The test finds too many links where none can be in 1 of 2 checks; up to 20 % instead of "
        "5 %"
    )
    assert [row[2] for row in picture.table.rows] == ["too many found", "as expected"]  # type: ignore[union-attr]
    # All eight real pairs of the fake have p < .05; one of them is claimed, signal first.
    assert picture.table.rows[1][7:] == ("8", "8", "1")  # type: ignore[union-attr]


def audit(tests: int, share: float | None, is_as_expected: bool | None) -> Placebo:
    return Placebo("sentiment_mean", "units", tests, 0, share, 0.0, 0.2, is_as_expected, 8, 3, 1)


@pytest.mark.parametrize(
    ("placebos", "text"),
    [
        ([], "No placebo could be tested yet"),
        ([audit(0, None, None)], "No placebo could be tested yet"),
        ([audit(6, 0.0, None)], "Too few placebo tests to judge: 6 in all"),
        ([audit(100, 0.04, True), audit(300, 0.06, True), audit(6, 0.5, None)],
         ("Where no link can be, the test finds one in 5.5 % of 400 tries; 5 % is what chance "
         "allows")),
    ],
)  # fmt: skip
def test_headlines_about_placebos(placebos: list[Placebo], text: str) -> None:
    assert placebo.headline(placebos) == text


# Sufficiency ------------------------------------------------------------------------------------


def gate(kind: str, days: int | None = 100, missing: str = "", *, is_sized: bool = True) -> Gate:
    return Gate(SUBJECT, "units", kind, "why", missing, days, days, 90, 0.0, 20.0, is_sized)


@pytest.mark.parametrize(
    ("gates", "text"),
    [
        ([], "There is no product to test yet"),
        ([gate("full")], "The product has enough data to be tested, by every test"),
        ([gate("tested"), gate("full")],
         "All 2 products have enough data to be tested; 1 by every test"),
        ([gate("tested")] * 3,
         "All 3 products have enough data to be tested; some tests need more days"),
        ([gate("full"), gate("descriptive"), gate("blocked"), gate("insufficient", 5)],
         ("1 of 4 products has enough data to be tested; 1 can only be described, 1 blocked by "
         "gaps, 1 lacks data")),
        ([gate("insufficient", 20), gate("descriptive", 74)],
         "No product may be tested yet; the nearest needs 16 more days"),
        ([gate("descriptive", 179)], "The product may not be tested yet"),
        ([gate("insufficient", None)], "The product may not be tested yet"),
        ([gate("blocked", 150)] * 2, "No product may be tested yet; 2 blocked by gaps"),
        ([gate("insufficient", 0)] * 9,
         "Nothing can be tested yet: no day has both mood and sales"),
        ([gate("insufficient", 0), gate("insufficient", 1)],
         "No product may be tested yet; the nearest needs 89 more days"),
    ],
)  # fmt: skip
def test_headlines_about_data(gates: list[Gate], text: str) -> None:
    assert sufficiency.headline(gates, "sentiment_mean") == text


def test_products_that_lack_the_same_stand_together() -> None:
    gates = [
        gate("insufficient", 20, "70 more days with both mood and units", is_sized=False),
        gate("insufficient", 89, "1 more day with both mood and units", is_sized=False),
        gate("full", 200, ""),
        gate("descriptive", 179, "1 more day for every test; units: 1.7 a day of 3 needed"),
        gate("descriptive", 150, "30 more days for every test; units: 2.25 a day of 3 needed"),
    ]

    groups = sufficiency.grouped(gates)

    assert [(group.gate, group.count, group.sized) for group in groups] == [
        ("full", 1, 1), ("descriptive", 2, 2), ("insufficient", 2, 0),
    ]  # fmt: skip
    assert [group.words for group in groups] == [
        "why",
        "units: 1.7 to 2.25 a day of 3 needed; 1 to 30 more days for every test",
        "1 to 70 more days with both mood and units",
    ]
    assert groups[2].days == (20, 89)


def test_products_that_all_lack_the_same_are_one_row(tmp_path: Path) -> None:
    alike = [Planted(f"p{i}", f"Product {i}", gate="insufficient", verdict="insufficient",
                     missing="90 more days with both sentiment_mean and units")
             for i in range(13)]  # fmt: skip
    sheet = one(make_published(tmp_path / "published.duckdb", alike, days=3), "sufficiency").sheet

    assert "13 products" in words(sheet)
    assert "Product 1" not in words(sheet)
    assert "13 products in 1 group that lack the same" in said(sheet)


def test_outcomes_without_any_day_are_left_out(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE,
        *(
            "insert into marts.mart_sufficiency select product_id, signal, "
            f"'{metric}', 'insufficient', '', {days}, 90, 0, 1, 1, '', false, true "
            "from marts.mart_sufficiency where metric = 'units'"
            for metric, days in (("orders_count", 5), ("rating_mean", 0))
        ),
    )
    shown = words(one(file, "sufficiency").sheet)

    assert {"orders", "units"} <= set(shown)
    assert "9 too little" in shown
    assert "rating" not in shown


def test_bars_are_as_long_as_the_days_and_end_in_an_arrow_beyond(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE[:3],
        "alter table marts.mart_sufficiency add column days_open bigint",
        "update marts.mart_sufficiency set days_observed = 120, days_open = 130, gate = 'tested' "
        "where product_id = 'chatty'",
        "update marts.mart_sufficiency set days_observed = 1000, days_open = 1000 "
        "where product_id = 'pixelmind'",
        "update marts.mart_sufficiency set days_observed = null, days_open = null, gate = "
        "'insufficient' where product_id = 'checkout'",
    )
    picture = one(file, "sufficiency")
    axes = next(axes for axes in picture.sheet.figure.axes if axes.get_xlabel())
    widths = sorted(
        round(patch.get_width())
        for container in axes.containers
        for patch in container.patches  # type: ignore[attr-defined]
    )

    assert widths == [120, 130, 250, 250]
    assert {line.get_marker() for line in axes.lines} >= {">"}
    assert "1,000" in words(picture.sheet)
    assert [row[3] for row in picture.table.rows] == ["1,000", "120", ""]  # type: ignore[union-attr]


def test_gaps_are_counted_before_they_are_mended() -> None:
    gaps = "values for 22 missing days, or the setting closed_weekdays if the shop was closed"

    assert sufficiency.missing_words(gate("blocked", 175, gaps)) == "why"
    assert sufficiency.missing_words(gate("full", 180, "")) == "why"
    both = replace(gate("blocked"), reason="too few a day, and 22 of 175 open days are missing")
    assert sufficiency.missing_words(both) == "22 of 175 open days are missing; too few a day"


def test_reasons_name_signals_in_words(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        NINE[-1:],
        "update marts.mart_sufficiency set what_is_missing = "
        "'10 more days with both sentiment_mean and units'",
    )

    assert "10 more days with both mood and units" in words(one(file, "sufficiency").sheet)


def test_another_primary_signal_is_followed(tmp_path: Path) -> None:
    tables = ("insights", "lead_lag", "effect", "skill", "sufficiency", "pooled_effect")
    file = changed(
        tmp_path, NINE, *(f"update marts.mart_{t} set signal = 'posts_count'" for t in tables)
    )

    assert "+1 SD of posts preceded" in one(file, "effects").heading.headline
    assert "Knowing the posts improved" in one(file, "skill").heading.headline


def test_the_four_stand_in_the_order_in_which_a_reader_asks() -> None:
    places = [charts.CHARTS.index(kind) for kind in KINDS]

    assert places == sorted(places)
