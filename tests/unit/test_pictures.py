"""What every chart promises: a picture, its words, its table, and an SVG for a page."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

import charts
from charts.inline import STYLE, VARIABLES
from charts.picture import Picture
from charts.reading import open_published, read_catalogue, read_overview
from charts.style import house_style
from tests.fake_published import NASTY, NINE, make_published
from udfs.errors import SocialSignalsError


def pictures(file: Path, names: tuple[str, ...] = charts.CHARTS) -> list[Picture]:
    with open_published(file) as published, house_style():
        overview, catalogue = read_overview(published), read_catalogue(published)
        return [chart.picture(published, overview, catalogue) for chart in charts.load(names)]


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    file = make_published(tmp_path_factory.mktemp("nine") / "published.duckdb", NINE)
    return {picture.name: picture for picture in pictures(file)}


@pytest.fixture(scope="module")
def inline(nine: dict[str, Picture]) -> dict[str, str]:
    with house_style():
        return {name: picture.inline() for name, picture in nine.items()}


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_script_is_named_as_its_module_and_asks_one_question(name: str) -> None:
    (chart,) = charts.load([name])

    assert chart.name == name
    assert chart.question.endswith("?")


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_picture_has_words_and_a_table_of_its_figures(
    nine: dict[str, Picture], name: str
) -> None:
    picture = nine[name]

    assert picture.heading.headline
    assert "Source" in " ".join(picture.heading.caption)
    assert picture.table is not None
    assert picture.table.rows
    assert {len(row) for row in picture.table.rows} == {len(picture.table.titles)}
    assert picture.table.numbers <= set(range(len(picture.table.titles)))


@pytest.mark.parametrize("name", charts.CHARTS)
def test_an_empty_file_has_a_picture_that_says_so(tmp_path: Path, name: str) -> None:
    (picture,) = pictures(make_published(tmp_path / "published.duckdb", (), days=5), (name,))

    assert picture.heading.headline
    with house_style():
        assert picture.inline()


@pytest.mark.parametrize("name", charts.CHARTS)
def test_the_page_gives_the_colours(inline: dict[str, str], name: str) -> None:
    assert set(re.findall(r"#[0-9a-f]{6}\b", inline[name])) == set(), (
        "a colour that is not in charts.inline.VARIABLES cannot follow a dark page"
    )
    used = set(re.findall(r"var\(--chart-([a-z-]+)\)", inline[name]))
    assert used
    assert used <= set(VARIABLES)


@pytest.mark.parametrize("name", charts.CHARTS)
def test_the_page_states_the_words_and_the_picture_keeps_the_rest(
    nine: dict[str, Picture], inline: dict[str, str], name: str
) -> None:
    root = ElementTree.fromstring(inline[name])
    drawn = ["".join(text.itertext()) for text in root.iter("text")]

    assert drawn, "text stays text"
    assert nine[name].heading.question not in drawn
    assert "SIMULATED DATA" not in drawn
    assert {key.text for key in nine[name].heading.keys} <= set(drawn)


def test_several_pictures_stand_in_one_page(inline: dict[str, str]) -> None:
    ids = [found for svg in inline.values() for found in re.findall(r'\bid="([^"]+)"', svg)]
    referred = {
        found for svg in inline.values() for found in re.findall(r'(?:url\(|href=")#([^")]+)', svg)
    }

    assert len(ids) == len(set(ids))
    assert referred == set(ids)
    assert not any(word in svg for svg in inline.values() for word in ("<style", "xlink", "ns0"))


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NASTY)
    with house_style():
        for picture in pictures(file):
            root = ElementTree.fromstring(picture.inline())
            assert {element.tag for element in root.iter()} <= {
                "svg", "defs", "g", "path", "text", "tspan", "use", "clipPath", "rect", "pattern",
            }  # fmt: skip


def test_the_style_names_the_element() -> None:
    assert "svg.chart text" in STYLE


def test_an_unknown_chart_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SocialSignalsError, match="There is no chart 'lag'") as caught:
        charts.make_all(tmp_path / "published.duckdb", tmp_path, names=["lag"])

    assert "lags" in caught.value.remedy
