"""The summary that a run ends with: each product's result, and planted beside found where known.

A table on a terminal, plain aligned lines elsewhere. Names and texts from outside are shown without
control characters and are never read as markup.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from charts.reading import measure, missing_words
from charts.style import plural, short_number
from pipeline.insights_schema import MINUS, Insights, ProductInsights, Strongest

MOST_ROWS = 20
_NAME_WIDTH = 28
_NOTE_WIDTH = 72
_STYLES = {"watchlist": "yellow", "insufficient": "dim", "none": ""}


@dataclass(frozen=True, slots=True)
class Planted:
    """What the simulation planted into a product. `lag_days` is above 0 where mood comes first."""

    words: str
    lag_days: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a summary table."""

    title: str
    align: Literal["left", "right"] = "left"
    most: int = 16
    """Cells: names beyond are cut, notes beyond are wrapped on a terminal and cut in plain text."""
    is_note: bool = False


def summarise(
    insights: Insights,
    *,
    truth: Path | None = None,
    console: Console | None = None,
    most_rows: int = MOST_ROWS,
) -> None:
    """Show the result of a run on `console` (standard output when None).

    `truth` names the truth file of a simulated target: where it exists, what was planted stands
    beside what the screen found. A truth file that cannot be read is named in one line.
    """
    console = console or Console(highlight=False)
    products = _ordered(insights.products)
    shown = products[:most_rows]
    stamp = "SIMULATED DATA " if insights.is_simulated else ""
    window = insights.window
    days = f"{window.first_day} to {window.last_day}" if window.days else "no day"
    _say(console, "")
    _say(console, f"{stamp}{clean(insights.target)}: {plural(len(products), 'product')}, {days}")
    if not products:
        _say(console, "The catalogue and the sources gave no product: nothing to show.")
        return
    outcomes = {product.outcome for product in products if product.outcome}
    outcome = measure(next(iter(outcomes))).words if len(outcomes) == 1 else "outcome"
    columns = (
        Column("product", most=_NAME_WIDTH),
        Column("days", "right"),
        Column("posts", "right"),
        Column(outcome, "right"),
        Column("verdict"),
        Column("strongest lag, or what is missing", most=_NOTE_WIDTH, is_note=True),
    )
    _table(console, columns, [_row(product) for product in shown], [p.verdict for p in shown])
    if len(products) > len(shown):
        left = len(products) - len(shown)
        _say(
            console,
            f"{left:,} more in insights.json (shown: watchlist first, then the most {outcome}).",
        )
    _say(console, _totals(insights))
    if insights.is_simulated and truth is not None and truth.is_file():
        _compare(console, shown, products, truth)


def clean(text: str) -> str:
    """Text from outside as one line without control, format and unassigned characters."""
    kept = (
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", text)
        if character.isspace() or unicodedata.category(character)[0] != "C"
    )
    return " ".join("".join(kept).split())


def _ordered(products: Sequence[ProductInsights]) -> list[ProductInsights]:
    order = {"watchlist": 0, "none": 1, "insufficient": 2}
    return sorted(
        products, key=lambda p: (order[p.verdict], -(p.outcome_total or 0.0), p.product_id)
    )


def _row(product: ProductInsights) -> list[str]:
    pair = product.main_pair()
    strongest = pair.strongest if pair else None
    if product.verdict == "insufficient":
        note = missing_words(pair.gate, pair.reason, pair.what_is_missing) if pair else ""
        note = note or "no day with both mood and an outcome"
    else:
        note = _where(strongest)
    total = product.outcome_total
    return [
        product.product_name,
        f"{product.days_observed:,}",
        f"{product.posts_count:,}",
        MINUS if total is None else short_number(total),
        {"none": "no reliable link"}.get(product.verdict, product.verdict),
        note,
    ]


def _where(strongest: Strongest | None) -> str:
    if strongest is None:
        return "no correlation"
    lag, r = strongest.lag_days, f"{strongest.correlation:+.2f}"
    days = f"{lag:+d} day" + ("" if abs(lag) == 1 else "s") if lag else "same day"
    side = "outside" if strongest.is_outside_null_band else "inside"
    return f"{days}, r {r}, {side} null band".replace("-", MINUS)


def _totals(insights: Insights) -> str:
    counts = insights.screen.products
    parts = [
        f"{counts['watchlist']:,} on the watchlist (nothing is claimed yet)",
        f"{counts['none']:,} without a reliable link",
        f"{counts['insufficient']:,} with too little data",
    ]
    pairs = insights.screen.pairs
    tested = pairs["none"] + pairs["watchlist"]
    return (
        f"Mood against sales: {'; '.join(parts)}. "
        f"All signals: {pairs['watchlist']:,} of {plural(tested, 'tested pair')} on the watchlist."
    )


# Planted and found ------------------------------------------------------------------------------


def read_truth(file: Path) -> dict[str, Planted]:
    """What was planted, by product. Raises ValueError when the file has another shape."""
    content = json.loads(file.read_text(encoding="utf-8"))
    entries = content.get("products") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError("it holds no list of products")  # noqa: TRY004 - a wrong file, no wrong type
    return {str(entry["product_id"]): _planted(entry) for entry in entries}


def _planted(entry: dict[str, Any]) -> Planted:
    direction, lag = entry.get("direction"), entry.get("lag_days")
    if entry.get("is_sold") is False:
        return Planted("not sold, so no link", None)
    if direction == "social_leads" and isinstance(lag, int):
        uplift = entry.get("uplift_ratio")
        size = f", {uplift:+.0%} per SD of mood" if isinstance(uplift, float) else ""
        spread = "about " if len(entry.get("weights") or {}) > 1 else ""
        return Planted(f"mood first by {spread}{plural(lag, 'day')}{size}", lag)
    if direction == "sales_lead" and isinstance(lag, int):
        return Planted(f"sales first by {plural(lag, 'day')}", -lag)
    confounder = {
        "promotion": "; promotions move both",
        "seasonality": "; weekdays and trend are shared",
    }.get(str(entry.get("confounder")), "")
    if entry.get("kind") == "intermittent":
        confounder = "; few sales"
    return Planted(f"no link{confounder}", None)


def judge(product: ProductInsights, planted: Planted) -> tuple[str, str]:
    """What the screen saw of what was planted, in words, and its class for the count."""
    pair = product.main_pair()
    strongest = pair.strongest if pair else None
    if product.verdict == "insufficient" or strongest is None:
        return "not screened", "open"
    is_listed, is_outside = product.verdict == "watchlist", strongest.is_outside_null_band
    if planted.lag_days is None:
        if is_listed:
            return "a false alarm", "wrong"
        where = "outside the band, but not listed:" if is_outside else "nothing outside the band,"
        return f"{where} as planted", "right"
    listed = "on the watchlist" if is_listed else "not listed"
    if not is_listed and not is_outside:
        return "missed: inside the band", "missed"
    if abs(strongest.lag_days - planted.lag_days) <= 1:
        return f"strongest at the planted lag, {listed}", "right" if is_listed else "missed"
    return f"strongest at another lag, {listed}", "missed"


def _compare(
    console: Console,
    shown: Sequence[ProductInsights],
    products: Sequence[ProductInsights],
    truth: Path,
) -> None:
    try:
        planted = read_truth(truth)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        _say(console, f"{truth} cannot be compared with: {error}. Extract again to renew it.")
        return
    rows = [
        [product.product_name, planted[product.product_id].words,
         judge(product, planted[product.product_id])[0]]
        for product in shown
        if product.product_id in planted
    ]  # fmt: skip
    if not rows:
        return
    _say(console, "")
    _say(console, "Planted in the simulation, and what the screen saw of it:")
    columns = (
        Column("product", most=_NAME_WIDTH),
        Column("planted", most=_NOTE_WIDTH, is_note=True),
        Column("found", most=_NOTE_WIDTH, is_note=True),
    )
    _table(console, columns, rows, [""] * len(rows))
    known = [product for product in products if product.product_id in planted]
    links = Counter(
        judge(p, planted[p.product_id])[1] for p in known if planted[p.product_id].lag_days
    )
    nothing = Counter(
        judge(p, planted[p.product_id])[1] for p in known if not planted[p.product_id].lag_days
    )
    _say(
        console,
        f"{plural(links.total(), 'planted link')}: {links['right']} listed with the strongest "
        f"correlation within a day of the planted lag. {nothing.total()} without a link: "
        f"{nothing['wrong']} listed wrongly. The screen itself claims no lead: it says where to "
        "look and what to wait for.",
    )


# Output -----------------------------------------------------------------------------------------


def _say(console: Console, text: str) -> None:
    console.print(Text(_writable(console, text)), soft_wrap=not console.is_terminal)


def _writable(console: Console, text: str) -> str:
    """What the output's encoding can hold; a pipe may be narrower than Unicode."""
    return text.encode(console.encoding, "replace").decode(console.encoding)


def _table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    verdicts: Sequence[str],
) -> None:
    cells = [[_writable(console, clean(cell)) for cell in row] for row in rows]
    if not console.is_terminal:
        _plain(console, columns, cells)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            Text(column.title),
            justify=column.align,
            no_wrap=not column.is_note,
            overflow="fold" if column.is_note else "ellipsis",
            max_width=column.most,
        )
    for row, verdict in zip(cells, verdicts, strict=True):
        table.add_row(*(Text(cell) for cell in row), style=_STYLES.get(verdict, ""))
    console.print(table, soft_wrap=False)


def _plain(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    lines = [[column.title for column in columns], *rows]
    widths = [
        min(max(cell_len(line[index]) for line in lines), column.most)
        for index, column in enumerate(columns)
    ]
    for line in lines:
        padded = []
        for cell, width, column in zip(line, widths, columns, strict=True):
            is_long = cell_len(cell) > width
            text = set_cell_size(cell, width - 1).rstrip() + "…" if is_long else cell
            space = " " * (width - cell_len(text))
            padded.append(space + text if column.align == "right" else text + space)
        _say(console, "  ".join(padded).rstrip())
