"""The marks of a forest plot: intervals first, a small point in them, arrows where they go on."""

from __future__ import annotations

from matplotlib.axes import Axes

from charts.style import INK, MUTED, NULL_BAND, PAPER

INTERVAL = "interval"
"""The label of an interval's artist."""
BAND = "band"


def interval(axes: Axes, low: float, high: float, y: float, colour: str) -> None:
    """A bar from edge to edge; the axis may end before it."""
    axes.plot(
        [low, high], [y, y], color=colour, linewidth=4.5, solid_capstyle="butt", zorder=3,
        label=INTERVAL,
    )  # fmt: skip
    _arrows(axes, low, high, y, colour)


def thin(axes: Axes, low: float, high: float, y: float, colour: str) -> None:
    """A line from the least of several intervals to the most."""
    axes.plot([low, high], [y, y], color=colour, linewidth=0.9, zorder=2.8)
    _arrows(axes, low, high, y, colour)


def point(axes: Axes, estimate: float, y: float) -> None:
    """The estimate, smaller than its interval."""
    left, right = axes.get_xlim()
    if left <= estimate <= right:
        axes.plot(
            [estimate], [y], "o", markersize=3.6, markerfacecolor=PAPER, markeredgecolor=INK,
            markeredgewidth=0.8, zorder=4,
        )  # fmt: skip


def band(axes: Axes, reach: float, y: float) -> None:
    """Both sides of zero up to the smallest size that would have been found."""
    axes.fill_betweenx(
        [y - 0.3, y + 0.3], -reach, reach, color=NULL_BAND, linewidth=0, zorder=1, label=BAND
    )
    _arrows(axes, -reach, reach, y, MUTED)


def diamond(
    axes: Axes, low: float, centre: float, high: float, y: float, colour: str, *, is_filled: bool
) -> None:
    """An effect of several products together; empty where it is no finding."""
    axes.fill(
        [low, centre, high, centre], [y, y - 0.3, y, y + 0.3],
        facecolor=colour if is_filled else PAPER, edgecolor=colour, linewidth=1.1, zorder=3,
    )  # fmt: skip
    _arrows(axes, low, high, y, colour)


def _arrows(axes: Axes, low: float, high: float, y: float, colour: str) -> None:
    left, right = axes.get_xlim()
    for is_beyond, at, marker in ((low < left, left, "<"), (high > right, right, ">")):
        if is_beyond:
            axes.plot(
                [at], [y], marker, markersize=6, color=colour, markeredgewidth=0, zorder=4,
                clip_on=False,
            )  # fmt: skip
