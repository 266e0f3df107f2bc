"""One question a script: pictures made from the published file.

`CHARTS` lists the scripts in the order in which a reader asks. `python -m charts.<name>` makes one,
`social-signals charts` all of them, and the report shows each. `charts.product` makes a page a
product.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from udfs.errors import SocialSignalsError

if TYPE_CHECKING:
    from charts.paging import Choice
    from charts.picture import Chart

CHARTS = (
    "trends",
    "lags",
    "effects",
    "events",
    "topics",
    "voices",
    "share_of_voice",
    "mood",
    "growth",
    "complaints",
    "skill",
    "sufficiency",
    "placebo",
)

# The script that makes a page a product; no chart of the list, because the report has own pages.
PAGES = "product"


def load(names: Sequence[str] | None = None) -> list[Chart]:
    """The charts of these names, or all. Raises SocialSignalsError for one that does not exist."""
    names = CHARTS if names is None else names
    unknown = [name for name in names if name not in CHARTS]
    if unknown:
        raise SocialSignalsError(
            f"There is no chart {unknown[0]!r}.", f"There are {', '.join((*CHARTS, PAGES))}."
        )
    # The drawing library takes half a second to import: only who draws waits for it.
    charts: list[Chart] = [import_module(f"charts.{name}").CHART for name in names]
    return charts


def make_all(
    published: Path,
    output_dir: Path,
    *,
    names: Sequence[str] = (),
    products: Choice | None = None,
    show: bool = False,
    cutoff: datetime | None = None,
) -> list[Path]:
    """Write pictures of a published file as PNG and SVG into a folder; return the files.

    Without `names` and `products` every chart and the pages of a dozen products are made. Named
    charts, and the pages of `products` ("few", "all" or their ids), are made alone; the name
    PAGES stands for the pages. With `show` they are opened on the screen too, pages only where
    they were asked for. `cutoff`, the newest instant that counts, stands in the captions. Raises
    charts.style.ChartError, whose message names the file and whose remedy says what to do.
    """
    is_asked = bool(names) or products is not None
    charts = load([name for name in names if name != PAGES]) if is_asked else load()
    from charts.panels import show_files
    from charts.picture import write

    written = write(charts, published, output_dir, cutoff=cutoff) if charts else []
    shown = list(written)
    if products is not None or PAGES in names or not is_asked:
        from charts.paging import write_pages
        from charts.product import PAGES as PRODUCT

        made = write_pages(
            PRODUCT, published, output_dir, products=products or "few", cutoff=cutoff
        )
        written += made
        shown += made if is_asked else []
    if show:
        show_files([file for file in shown if file.suffix == ".png"])
    return written
