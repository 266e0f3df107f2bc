"""A page a product: what it says, its file, which are made, which are removed."""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import charts
from charts import product
from charts.paging import FOLDER, page_name, write_pages
from charts.picture import Picture
from charts.reading import open_published, read_catalogue, read_overview
from charts.style import ChartError, house_style
from tests.fake_crowd import make_crowd
from tests.fake_published import NASTY, NINE, Planted, make_published
from tests.unit.test_charts import collisions, said, shown_texts, words


def pages(file: Path) -> dict[str, Picture]:
    with open_published(file) as published, house_style():
        overview, catalogue = read_overview(published), read_catalogue(published)
        drawn = product.pictures(published, overview, catalogue, catalogue.subjects)
        return {
            subject.product_id: picture
            for subject, picture in zip(catalogue.subjects, drawn, strict=True)
        }


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    return pages(make_published(tmp_path_factory.mktemp("nine") / "published.duckdb", NINE))


# What a page says -------------------------------------------------------------------------------


def test_a_page_gives_the_card_and_what_is_missing(nine: dict[str, Picture]) -> None:
    picture = nine["chatty"]
    shown = said(picture.sheet)

    assert picture.heading.question == "What do we know about Chatty?"
    assert picture.heading.headline == "Screen of chatty"
    for text in ("Detail in words.", "Collect more days.", "An untracked campaign would look"):
        assert text in shown
    assert "74 of 90 days with both mood and sales" in said(nine["young"].sheet)
    assert "SIMULATED DATA" in words(picture.sheet)
    assert "Window: 26 May 2026 to 21 Nov 2026" in shown


def test_a_size_is_a_finding_only_where_the_verdict_claims_it(nine: dict[str, Picture]) -> None:
    def effect(product_id: str) -> tuple[str, ...]:
        table = nine[product_id].table
        assert table is not None
        return next(row for row in table.rows if row[0] == "+1 SD of mood")

    assert effect("chatty") == ("+1 SD of mood", "+12 to +31 %, 3 days later", "a finding")
    assert effect("numbers")[2] == "no finding: the verdict does not claim it"
    assert "nothing was tested: no size is stated" in said(nine["young"].sheet)


def test_a_claim_without_a_size_states_none(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1])
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.mart_effect set is_percentage_allowed = false, "
            "percentage_reason = 'too few posts a day'"
        )
    picture = pages(file)["chatty"]

    assert "size not stated" in words(picture.sheet)
    assert "+12 to +31 %" not in words(picture.sheet)
    assert picture.table is not None
    assert ("+1 SD of mood", "no size may be stated, 3 days later", "too few posts a day") in (
        picture.table.rows
    )


def test_intervals_are_drawn_to_their_row(nine: dict[str, Picture]) -> None:
    drawn = [
        np.asarray(line.get_xdata(), dtype=float)
        for axes in nine["chatty"].sheet.figure.axes
        for line in axes.lines
        if axes.get_xlim() == (-1.0, 1.0) and np.size(line.get_xdata()) == 2
    ]
    expected = np.array([0.12, 0.31]) / (0.31 * 1.05)

    assert any(np.allclose(x, expected) for x in drawn)


@pytest.mark.parametrize("edit", [
    "drop table marts.mart_growth_metrics",
    "drop table marts.mart_review_themes",
    "alter table marts.mart_effect drop percentage_reason",
])  # fmt: skip
def test_an_older_file_says_what_it_lacks(tmp_path: Path, edit: str) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1])
    with duckdb.connect(str(file)) as connection:
        connection.execute(edit)

    assert "not in this file: build and publish again" in said(pages(file)["chatty"].sheet)


def test_a_product_without_anything_has_a_page_that_says_so(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=40)
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "insert into marts.dim_products values ('silent', 'Silent', null, null, null)"
        )
    picture = pages(file)["silent"]

    assert picture.heading.headline == "Silent: nothing can be said yet"
    assert "No verdict: the marts hold no card of it." in said(picture.sheet)
    assert "no review or post speaks of a known theme" in said(picture.sheet)
    assert collisions(shown_texts(picture.sheet)) == []


def test_nothing_overlaps_or_runs_off(tmp_path: Path) -> None:
    long = "with words as long as a card may have them, and some, " * 16
    file = make_published(tmp_path / "published.duckdb", NASTY[:5])
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "update marts.mart_insights set headline = ?, detail = ?, caveat = ?",
            [long, long, "x" * 4000],
        )
    for picture in pages(file).values():
        texts = shown_texts(picture.sheet)
        width, height = picture.sheet.figure.bbox.width, picture.sheet.figure.bbox.height
        assert collisions(texts) == []
        assert [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height] == []


# Files ------------------------------------------------------------------------------------------


@given(st.text(), st.text())
def test_two_ids_never_share_a_file_on_any_disk(one: str, other: str) -> None:
    names = page_name(one), page_name(other)

    assert (names[0] == names[1]) == (one == other)
    for name in names:
        assert name == name.lower() == unicodedata.normalize("NFC", name)
        assert name.replace("-", "").replace("_", "").isalnum()
        assert len(name) <= 60
        assert name.isascii()


def test_hostile_ids_give_plain_names() -> None:
    assert page_name("medlar") == "medlar"
    for product_id in ("../../etc/passwd", "A", "a/b", "con", "", ".", "小米", "a" * 300, "\ud800"):
        assert page_name(product_id) != product_id
    assert page_name("A") != page_name("a")
    assert page_name("AB") != page_name("Ab"), "disks that ignore case"
    assert page_name(page_name("A")) != page_name("A")


def test_pages_are_made_and_those_of_products_that_are_gone_removed(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:3], days=40)
    folder = tmp_path / "charts" / FOLDER

    def held() -> set[str]:
        return {path.name for path in folder.iterdir()}

    written = write_pages(product.PAGES, file, tmp_path / "charts")
    assert held() == {f"{one.product_id}.{kind}" for one in NINE[:3] for kind in ("png", "svg")}
    assert {path.name for path in written} == held()

    (folder / "gone.png").write_text("an older page")
    (folder / "notes.txt").write_text("a reader's")
    with duckdb.connect(str(file)) as connection:
        for table in ("dim_products", "fct_daily_signals"):
            connection.execute(f"delete from marts.{table} where product_id = 'checkout'")
    write_pages(product.PAGES, file, tmp_path / "charts", products=["chatty"])
    assert held() == {"chatty.png", "chatty.svg", "pixelmind.png", "pixelmind.svg", "notes.txt"}


def test_a_product_that_does_not_exist_names_those_near(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:3], days=20)

    with pytest.raises(ChartError, match="has no product 'chaty'") as caught:
        write_pages(product.PAGES, file, tmp_path, products=["chaty"])

    assert "It has chatty, " in caught.value.remedy
    empty = make_published(tmp_path / "empty.duckdb", (), days=5)
    with pytest.raises(ChartError) as caught:
        write_pages(product.PAGES, empty, tmp_path, products=["x"])
    assert "no product at all" in caught.value.remedy


def test_without_a_choice_a_dozen_pages_are_made_claims_first(tmp_path: Path) -> None:
    many = [Planted(f"p{i:02d}", f"P {i}", 10 + i) for i in range(14)]
    many[0] = Planted("p00", "The claimed one", 1, 20, 4, 0.9, "social_leads")
    file = make_published(tmp_path / "published.duckdb", many, days=30)

    with open_published(file) as published:
        chosen = product.few(published, read_catalogue(published))

    assert len(chosen) == 12
    assert chosen[0].product_id == "p00"


def test_the_command_chooses_charts_and_pages(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=40)

    def made(**options: object) -> list[str]:
        found = charts.make_all(file, tmp_path / "out", **options)  # type: ignore[arg-type]
        return sorted({path.stem for path in found})

    assert made(names=["growth"]) == ["growth"]
    assert made(names=["product"]) == ["chatty"]
    assert made(names=["growth"], products="all") == ["chatty", "growth"]
    assert made() == sorted([*charts.CHARTS, "chatty"])


def test_the_script_takes_products_and_ends_with_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:2], days=40)
    common = ["--file", str(file), "--output", str(tmp_path / "out")]

    assert product.main([*common, "--product", "chatty"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(tmp_path / "out" / FOLDER / f"chatty.{kind}") for kind in ("png", "svg")
    ]
    assert product.main([*common, "--all"]) == 0
    assert "pixelmind.png" in capsys.readouterr().out
    assert product.main([*common, "--product", "nobody"]) == 1
    assert "has no product" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="these always have a screen")
def test_show_opens_pages_only_where_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=40)
    shown: list[str] = []
    monkeypatch.setattr(
        "charts.panels.show_files", lambda files: shown.extend(file.stem for file in files)
    )

    monkeypatch.setattr(charts, "CHARTS", ("growth", "complaints"))
    charts.make_all(file, tmp_path, show=True)
    assert shown == ["growth", "complaints"]
    shown.clear()
    charts.make_all(file, tmp_path, show=True, products=["chatty"])
    assert shown == ["chatty"]


# Thousands --------------------------------------------------------------------------------------


def test_a_crowd_holds_as_many_products_as_asked_for(tmp_path: Path) -> None:
    file = make_crowd(tmp_path / "published.duckdb", 23, days=20)

    with open_published(file) as published:
        catalogue = read_catalogue(published)

    assert len(catalogue.subjects) == 23
    assert len({subject.name for subject in catalogue.subjects}) == 23
