"""Stored pictures of every chart: small ones, compared within a tolerance.

python -m tests.pictures            draw all stored pictures anew
python -m tests.pictures growth     only those of some charts

Look at what changed before committing it: the stored picture is what a reader is promised.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from numpy.typing import NDArray
from PIL import Image

import charts
from charts.picture import Chart, Picture
from charts.reading import open_published, read_catalogue, read_overview
from charts.style import house_style
from tests.fake_published import NINE, Planted, make_published

REFERENCE = Path(__file__).parent / "unit" / "reference"
RENEW = "python -m tests.pictures"
DPI = 48
MOST_BYTES = 60_000
# The greatest difference of a tile of so many pixels, 0 to 255: fewer colours and the noise of
# another rasteriser stay below it, a shift by two pixels or one missing line does not.
TILE = 6
LIMIT = 6.5

# World: its products and days.
WORLDS: dict[str, tuple[tuple[Planted, ...], int]] = {"nine": (NINE, 180), "empty": ((), 5)}

Pixels = NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """How far a picture is from the stored one."""

    difference: float = 0.0
    message: str = ""

    @property
    def is_same(self) -> bool:
        """Whether a reader would not see the difference."""
        return not self.message and self.difference < LIMIT


def draw(charts_: Sequence[Chart], file: Path) -> list[Picture]:
    """The pictures of a published file, as the report and the command draw them."""
    with open_published(file) as published, house_style():
        overview, catalogue = read_overview(published), read_catalogue(published)
        return [chart.picture(published, overview, catalogue) for chart in charts_]


def store(picture: Picture, file: Path) -> None:
    """Write the small picture with few colours."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(small(picture).astype(np.uint8))
    image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        file, optimize=True
    )


def small(picture: Picture) -> Pixels:
    """The picture as it is compared: height, width and colour, 0 to 255."""
    with house_style():
        canvas = FigureCanvasAgg(picture.sheet.figure)
        picture.sheet.figure.set_dpi(DPI)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba(), dtype=np.float64)[:, :, :3]


def stored(name: str, world: str) -> Pixels:
    """The stored picture of a chart."""
    with Image.open(REFERENCE / world / f"{name}.png") as image:
        return np.asarray(image.convert("RGB"), dtype=np.float64)


def difference(one: Pixels, other: Pixels) -> float:
    """Greatest mean difference of a tile, 0 to 255; infinite where sizes differ.

    Each pixel is first averaged with its neighbours: what moves by a part of a pixel stays below.
    """
    if one.shape != other.shape:
        return math.inf
    apart = np.abs(_blurred(one) - _blurred(other)).mean(axis=2)
    height, width = (size // TILE * TILE for size in apart.shape)
    tiles = apart[:height, :width].reshape(height // TILE, TILE, width // TILE, TILE)
    return float(tiles.mean(axis=(1, 3)).max())


def _blurred(image: Pixels) -> Pixels:
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.asarray(windows.mean(axis=(3, 4)))


def compare(picture: Picture, world: str) -> Comparison:
    """A picture against the stored one of its name and world."""
    if not (REFERENCE / world / f"{picture.name}.png").is_file():
        message = f"{world}/{picture.name}.png is not stored yet: {RENEW} {picture.name}"
        return Comparison(message=message)
    return Comparison(difference(small(picture), stored(picture.name, world)))


def main(names: Sequence[str]) -> int:
    """Draw the stored pictures anew; those of charts that are gone are removed."""
    chosen = charts.load(names or charts.CHARTS)
    for world, (products, days) in WORLDS.items():
        with tempfile.TemporaryDirectory() as folder:
            file = make_published(Path(folder) / "published.duckdb", products, days=days)
            for picture in draw(chosen, file):
                store(picture, REFERENCE / world / f"{picture.name}.png")
        for file in (REFERENCE / world).glob("*.png"):
            if file.stem not in charts.CHARTS:
                file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
