"""The colours of the report, light and dark: the house's, and their form on a dark page.

A chart's colours are the variables of `charts.inline`; a new one gets its dark form by itself.
"""

from __future__ import annotations

import colorsys

from charts.inline import VARIABLES

# Chosen by eye and contrast; every other colour is turned by `darkened`.
_DARK = {
    "ink": "#e9ebee",
    "muted": "#a9b0ba",
    "faint": "#3a4048",
    "paper": "#15181c",
    "panel": "#1d2126",
    "sales": "#56b4e9",
    "sales-light": "#1f4a66",
    "sales-ink": "#7cc4ef",
    "mood": "#ef8a4a",
    "mood-light": "#5a3420",
    "mood-ink": "#f3a069",
    "voice": "#35b5a6",
    "voice-light": "#1f504b",
    "voice-ink": "#74d0c5",
    "outside": "#f08a5d",
    "null-band": "#2b3138",
    "event": "#b794e6",
    "promotion": "#4d4520",
    "stock-out": "#6f7782",
    "unobserved": "#565e68",
    "stamp": "#f0807c",
}


def darkened(colour: str) -> str:
    """The same hue on a dark page: light grounds become dark ones, dark lines light ones."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    turned = 0.14 + 0.78 * (1 - lightness)
    again = colorsys.hls_to_rgb(hue, turned, saturation * 0.85)
    return "#" + "".join(f"{round(255 * part):02x}" for part in again)


def variables(*, is_dark: bool) -> str:
    """The chart's variables as declarations of a style sheet."""
    return " ".join(
        f"--chart-{name}: {(_DARK.get(name) or darkened(colour)) if is_dark else colour};"
        for name, colour in VARIABLES.items()
    )
