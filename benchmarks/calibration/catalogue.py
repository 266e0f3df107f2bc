"""Every cell of the bench, in the order in which they are run."""

from __future__ import annotations

from pathlib import Path

from benchmarks.calibration.cards import card_cells
from benchmarks.calibration.cells import Cell, cells
from benchmarks.calibration.looks import look_cells
from benchmarks.calibration.others import other_cells
from benchmarks.calibration.placebo import real_cells

LEFT_OUT = "The placebo on real series was left out: SOCIAL_SIGNALS_SHARED names no folder."


def all_cells(shared: str) -> tuple[list[Cell], str]:
    """The cells, and a line about those that had to be left out (empty if none)."""
    listed = cells() + card_cells() + other_cells() + look_cells()
    if not shared or not (Path(shared) / "data").is_dir():
        return listed, LEFT_OUT
    return listed + real_cells(shared), ""
