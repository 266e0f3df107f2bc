"""Every chart of two thousand products, of sixty, two and one: readable, and soon done."""

from __future__ import annotations

import time

import pytest

import charts
from charts.picture import MOST_ROWS, Picture
from tests.fake_crowd import make_crowd
from tests.pictures import draw
from tests.unit.test_charts import collisions, shown_texts

COUNTS = (1, 2, 60, 2000)
# Inches: what still goes on one page of a report and one screen.
HIGHEST = 18.0
# A chart of 2,000 products takes 1 to 3 s of a free core; the limit is for a busy machine.
SECONDS = 12.0


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, str], tuple[Picture, float]]:
    """Each chart of each world, and the time of the process that it took."""
    found = {}
    for count in COUNTS:
        file = make_crowd(tmp_path_factory.mktemp(str(count)) / "published.duckdb", count, days=100)
        for name in charts.CHARTS:
            start = time.process_time()
            (picture,) = draw(charts.load([name]), file)
            found[count, name] = picture, time.process_time() - start
    return found


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_stays_readable(
    drawn: dict[tuple[int, str], tuple[Picture, float]], name: str, count: int
) -> None:
    sheet = drawn[count, name][0].sheet
    texts = shown_texts(sheet)
    width, height = sheet.figure.bbox.width, sheet.figure.bbox.height

    assert sheet.height <= HIGHEST
    assert collisions(texts) == []
    assert [t for t, b in texts if b[0] < 0 or b[1] < 0 or b[2] > width or b[3] > height] == []


@pytest.mark.parametrize("name", charts.CHARTS)
def test_thousands_are_counted_and_not_all_drawn(
    drawn: dict[tuple[int, str], tuple[Picture, float]], name: str
) -> None:
    picture = drawn[2000, name][0]
    of_few = drawn[60, name][0]

    assert picture.table is not None
    assert len(picture.table.rows) <= MOST_ROWS
    # Drawn texts: labels of ticks exist only once a picture was drawn, by whichever test was first.
    assert len(shown_texts(picture.sheet)) <= 1.25 * len(shown_texts(of_few.sheet)) + 10


@pytest.mark.parametrize("name", charts.CHARTS)
def test_thousands_take_seconds(
    drawn: dict[tuple[int, str], tuple[Picture, float]], name: str
) -> None:
    assert drawn[2000, name][1] < SECONDS
