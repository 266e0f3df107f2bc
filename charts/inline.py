"""A drawn figure as an SVG element for a page: the page's colours, real text, nothing spare."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from charts import style

VARIABLES: dict[str, str] = {
    "ink": style.INK,
    "muted": style.MUTED,
    "faint": style.FAINT,
    "paper": style.PAPER,
    "panel": style.PANEL,
    "sales": style.SALES,
    "sales-light": style.SALES_LIGHT,
    "sales-ink": style.SALES_INK,
    "mood": style.MOOD,
    "mood-light": style.MOOD_LIGHT,
    "mood-ink": style.MOOD_INK,
    "voice": style.VOICE,
    "voice-light": style.VOICE_LIGHT,
    "voice-ink": style.VOICE_INK,
    "outside": style.OUTSIDE,
    "null-band": style.NULL_BAND,
    "event": style.EVENT,
    "promotion": style.PROMOTION,
    "stock-out": style.STOCK_OUT,
    "unobserved": style.UNOBSERVED,
    "stamp": style.STAMP,
}
"""Colours of the house by the name of the CSS variable, `--chart-<name>`, that replaces them."""

STYLE = """\
svg.chart { display: block; width: 100%; height: auto; overflow: hidden; }
svg.chart * { stroke-linejoin: round; stroke-linecap: butt; }
svg.chart text { font-family: "DejaVu Sans", "Bitstream Vera Sans", Verdana, sans-serif; }
"""
"""What the page's style sheet must say of them; Verdana is as wide as what they are set in."""

_BY_COLOUR = {colour: name for name, colour in VARIABLES.items()}
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_REFERENCE = re.compile(r"#([\w.-]+)")
_FAMILY = re.compile(r"font-family:[^;]*;?\s*")
_XLINK = "{http://www.w3.org/1999/xlink}"


def themed(svg: str, *, name: str, width: float, rows: tuple[float, float]) -> str:
    """The figure between two heights (inches from the top), `width` inches wide.

    `name` goes before every id, so that several figures can stand in one page. The element is
    hidden from screen readers: the page gives its words and its table.
    """
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own figure, no text from outside as markup
    used = set(_references(root))
    _strip(root, name, used)
    top, bottom = (72 * row for row in rows)
    root.attrib.clear()
    root.set("class", "chart")
    root.set("viewBox", f"0 {top:.1f} {72 * width:.1f} {max(bottom - top, 1):.1f}")
    root.set("style", f"max-width:{96 * width:.0f}px")
    root.set("aria-hidden", "true")
    root.set("focusable", "false")
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _references(root: ElementTree.Element) -> Iterator[str]:
    for element in root.iter():
        for key, value in element.attrib.items():
            if key == f"{_XLINK}href" or "url(#" in value:
                yield from _REFERENCE.findall(value)


def _strip(element: ElementTree.Element, name: str, used: set[str]) -> None:
    """Drop namespaces, spare ids, metadata and the page's own words; theme what stays."""
    for child in list(element):
        tag = child.tag.rpartition("}")[2] if isinstance(child.tag, str) else ""
        if tag in {"metadata", "style", ""} or child.get("id", "").startswith(style.WORDS):
            element.remove(child)
        else:
            _strip(child, name, used)
    element.tag = element.tag.rpartition("}")[2]
    if element.text is not None and element.tag not in {"text", "tspan"}:
        element.text = None
    element.tail = None
    for key, value in list(element.attrib.items()):
        del element.attrib[key]
        if key == "id":
            if value in used:
                element.set("id", f"{name}-{value}")
        elif key == f"{_XLINK}href":
            element.set("href", f"#{name}-{value[1:]}")
        elif not key.startswith("{"):
            element.set(key, _themed_value(key, value, name))


def _themed_value(key: str, value: str, name: str) -> str:
    value = value.replace("url(#", f"url(#{name}-")
    if key in {"style", "fill", "stroke"}:
        value = _COLOUR.sub(lambda found: _variable(found[0]), value)
        value = _FAMILY.sub("", value)
    elif key in {"d", "transform", "x", "y", "width", "height", "points", "clip-path"}:
        value = " ".join(_NUMBER.sub(lambda found: _short(found[0]), value).split())
    return value


def _variable(colour: str) -> str:
    name = _BY_COLOUR.get(colour)
    return colour if name is None else f"var(--chart-{name})"


def _short(number: str) -> str:
    return f"{float(number):.2f}".rstrip("0").rstrip(".")
