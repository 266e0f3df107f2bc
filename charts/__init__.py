"""One question a script: pictures made from the published file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


def make_all(
    published: Path, output_dir: Path, *, show: bool = False, cutoff: datetime | None = None
) -> list[Path]:
    """Write every picture of a published file as PNG and SVG into a folder; return the files.

    With `show` they are opened on the screen too. `cutoff`, the newest instant that counts, stands
    in the captions. Raises charts.style.ChartError, whose message
    names the file and whose remedy says what to do.
    """
    # The drawing library takes half a second to import: only who draws waits for it.
    from charts import lags, trends
    from charts.panels import show_files

    written = [
        *trends.make(published, output_dir, cutoff=cutoff),
        *lags.make(published, output_dir, cutoff=cutoff),
    ]
    if show:
        show_files([file for file in written if file.suffix == ".png"])
    return written
