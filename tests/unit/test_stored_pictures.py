"""Every chart looks as it is stored; what a reader would see breaks the comparison."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

import charts
from charts.picture import Picture
from charts.style import MOOD, SALES
from tests import pictures
from tests.fake_published import make_published

WORLDS = sorted(pictures.WORLDS)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Picture]:
    found = {}
    for world, (products, days) in pictures.WORLDS.items():
        file = make_published(
            tmp_path_factory.mktemp(world) / "published.duckdb", products, days=days
        )
        for picture in pictures.draw(charts.load(), file):
            found[world, picture.name] = picture
    return found


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_looks_as_it_is_stored(
    drawn: dict[tuple[str, str], Picture], name: str, world: str
) -> None:
    found = pictures.compare(drawn[world, name], world)

    assert not found.message, found.message
    assert found.is_same, (
        f"{name} of the world {world!r} is {found.difference:.1f} from what is stored, "
        f"{pictures.LIMIT} are allowed. If it is meant, look at it and store it: "
        f"{pictures.RENEW} {name}"
    )


@pytest.mark.parametrize("world", WORLDS)
def test_stored_pictures_are_small_and_none_is_left_over(world: str) -> None:
    stored = list((pictures.REFERENCE / world).glob("*"))

    assert {file.stem for file in stored} <= set(charts.CHARTS)
    assert {file.suffix for file in stored} == {".png"}
    assert max(file.stat().st_size for file in stored) < pictures.MOST_BYTES


def test_a_chart_without_a_stored_picture_names_the_command(
    drawn: dict[tuple[str, str], Picture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "REFERENCE", tmp_path)

    found = pictures.compare(drawn["empty", "lags"], "empty")

    assert not found.is_same
    assert found.message == "empty/lags.png is not stored yet: python -m tests.pictures lags"


# What the comparison sees -----------------------------------------------------------------------


def series(figure: Figure) -> list[Line2D]:
    """Lines of data: no axis, no single point."""
    found = [line for axes in figure.axes for line in axes.lines]
    return [line for line in found if np.size(line.get_xdata()) > 1 and line.get_linewidth() > 1]


@pytest.fixture
def growth(drawn: dict[tuple[str, str], Picture]) -> Picture:
    return drawn["nine", "growth"]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_shift_of_two_pixels_is_seen(name: str, axis: int) -> None:
    stored = pictures.stored(name, "nine")

    assert pictures.difference(np.roll(stored, 2, axis=axis), stored) > 2 * pictures.LIMIT


def test_one_interval_of_fifty_that_is_missing_is_seen(growth: Picture) -> None:
    whole = pictures.small(growth)
    lines = series(growth.sheet.figure)
    assert len(lines) > 50
    for line in lines[:6]:
        line.set_visible(False)
        less = pictures.small(growth)
        line.set_visible(True)

        assert pictures.difference(less, whole) > pictures.LIMIT


def test_a_changed_colour_is_seen(drawn: dict[tuple[str, str], Picture]) -> None:
    picture = drawn["nine", "trends"]
    line = next(
        line for axes in picture.sheet.figure.axes for line in axes.lines
        if line.get_color() == SALES and np.size(line.get_xdata()) > 20
    )  # fmt: skip
    line.set_color(MOOD)
    found = pictures.compare(picture, "nine")
    line.set_color(SALES)

    assert found.difference > pictures.LIMIT


def test_a_changed_word_is_seen(growth: Picture) -> None:
    text = next(t for t in growth.sheet.figure.findobj(Text) if t.get_text() == "Chatty")
    text.set_text("Clunky")
    found = pictures.compare(growth, "nine")
    text.set_text("Chatty")

    assert found.difference > pictures.LIMIT


def test_a_picture_of_another_size_is_another(growth: Picture) -> None:
    whole = pictures.small(growth)

    assert pictures.difference(whole[:-1], whole) == np.inf


def grain(image: pictures.Pixels) -> pictures.Pixels:
    random = np.random.default_rng(0)
    return np.clip(image + random.normal(0, 4, image.shape), 0, 255)


def tenth_of_a_pixel(image: pictures.Pixels) -> pictures.Pixels:
    return 0.9 * image + 0.1 * np.roll(image, 1, axis=1)


@pytest.mark.parametrize("noise", [grain, tenth_of_a_pixel])
@pytest.mark.parametrize("name", charts.CHARTS)
def test_the_noise_of_another_rasteriser_is_not_seen(
    name: str, noise: Callable[[pictures.Pixels], pictures.Pixels]
) -> None:
    stored = pictures.stored(name, "nine")

    assert pictures.difference(noise(stored), stored) < pictures.LIMIT


def test_the_command_stands_in_the_docs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "pictures.md").read_text(encoding="utf-8")

    assert pictures.RENEW in re.findall(r"`([^`]+)`", text)
