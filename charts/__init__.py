"""One question a script: pictures made from the published file.

`CHARTS` lists the scripts in the order in which a reader asks. `python -m charts.<name>` makes one,
`social-signals charts` all of them, and the report shows each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from udfs.errors import SocialSignalsError

if TYPE_CHECKING:
    from charts.picture import Chart

CHARTS = (
    "trends",
    "lags",
    "effects",
    "topics",
    "voices",
    "share_of_voice",
    "growth",
    "complaints",
    "skill",
    "sufficiency",
    "placebo",
)


def load(names: Sequence[str] = CHARTS) -> list[Chart]:
    """The charts of these names. Raises SocialSignalsError for one that does not exist."""
    unknown = [name for name in names if name not in CHARTS]
    if unknown:
        raise SocialSignalsError(
            f"There is no chart {unknown[0]!r}.", f"There are {', '.join(CHARTS)}."
        )
    # The drawing library takes half a second to import: only who draws waits for it.
    charts: list[Chart] = [import_module(f"charts.{name}").CHART for name in names]
    return charts


def make_all(
    published: Path,
    output_dir: Path,
    *,
    names: Sequence[str] = CHARTS,
    show: bool = False,
    cutoff: datetime | None = None,
) -> list[Path]:
    """Write every picture of a published file as PNG and SVG into a folder; return the files.

    With `show` they are opened on the screen too. `cutoff`, the newest instant that counts, stands
    in the captions. Raises charts.style.ChartError, whose message names the file and whose remedy
    says what to do.
    """
    charts = load(names)
    from charts.panels import show_files
    from charts.picture import write

    written = write(charts, published, output_dir, cutoff=cutoff)
    if show:
        show_files([file for file in written if file.suffix == ".png"])
    return written
