"""The summary that a run ends with: each product's result, and planted beside found where known.

A table on a terminal, plain aligned lines elsewhere. Names and texts from outside are shown without
control characters and are never read as markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from charts.reading import VERDICTS, measure, missing_words
from charts.style import plural, short_number
from pipeline.insights_schema import CLAIMS, MINUS, Insights, ProductInsights, Strongest
from pipeline.tables import Column, clean, say, show_table
from udfs.lead_lag.cards import percent, q_words

MOST_ROWS = 20
_NAME_WIDTH = 28
_NOTE_WIDTH = 72
_LOOKS = {
    "waiting": "waits for stronger evidence",
    "confirmed": "confirmed",
    "weakening": "claimed before, weakening",
    "changed": "changed from an earlier claim",
    "withdrawn": "an earlier claim is withdrawn",
}


@dataclass(frozen=True, slots=True)
class Planted:
    """What the simulation planted into a product. `lag_days` is above 0 where mood comes first."""

    words: str
    lag_days: int | None


def summarise(
    insights: Insights,
    *,
    truth: Path | None = None,
    console: Console | None = None,
    most_rows: int = MOST_ROWS,
) -> None:
    """Show the result of a run on `console` (standard output when None).

    `truth` names the truth file of a simulated target: where it exists, what was planted stands
    beside what was found. A truth file that cannot be read is named in one line.
    """
    console = console or Console(highlight=False)
    products = _ordered(insights.products)
    shown = products[:most_rows]
    stamp = "SIMULATED DATA " if insights.is_simulated else ""
    window = insights.window
    days = f"{window.first_day} to {window.last_day}" if window.days else "no day"
    say(console, "")
    say(console, f"{stamp}{clean(insights.target)}: {plural(len(products), 'product')}, {days}")
    if not products:
        say(console, "The catalogue and the sources gave no product: nothing to show.")
        return
    outcomes = {product.outcome for product in products if product.outcome}
    outcome = measure(next(iter(outcomes))).words if len(outcomes) == 1 else "outcome"
    columns = (
        Column("product", most=_NAME_WIDTH),
        Column("days", "right"),
        Column("posts", "right"),
        Column(outcome, "right"),
        Column("verdict"),
        Column("lag", "right"),
        Column(f"{outcome} per +1 SD", most=_NAME_WIDTH),
        Column("q", "right"),
        Column("strongest lag, or what is missing", most=_NOTE_WIDTH, is_note=True),
    )
    show_table(console, columns, [_row(product) for product in shown], [p.verdict for p in shown])
    if len(products) > len(shown):
        left = len(products) - len(shown)
        say(
            console,
            f"{left:,} more in insights.json (shown: claims first, then the watchlist, then the "
            f"most {outcome}).",
        )
    say(console, totals(insights))
    if insights.is_simulated and truth is not None and truth.is_file():
        _compare(console, shown, products, truth)


def _ordered(products: Sequence[ProductInsights]) -> list[ProductInsights]:
    order = {verdict: place for place, verdict in enumerate(VERDICTS)}
    return sorted(
        products, key=lambda p: (order[p.verdict], -(p.outcome_total or 0.0), p.product_id)
    )


def _row(product: ProductInsights) -> list[str]:
    total = product.outcome_total
    low, high = product.uplift_low_ratio, product.uplift_high_ratio
    interval = ""
    if low is not None and high is not None:
        interval = f"{percent(low).removesuffix(' %')} to {percent(high)}"
    elif product.verdict in {"social_leads", "feedback"}:
        interval = "direction only"
    lag = product.lag_days
    q_value = product.q_value if product.verdict != "sales_lead" else product.reverse_q_value
    return [
        product.product_name,
        f"{product.days_observed:,}",
        f"{product.posts_count:,}",
        MINUS if total is None else short_number(total),
        {"none": "no reliable link"}.get(product.verdict, product.verdict),
        "" if lag is None else f"{lag:+d}".replace("-", MINUS),
        interval.replace("-", MINUS),
        q_words(q_value).removeprefix("q ").removeprefix("= "),
        _note(product),
    ]


def _note(product: ProductInsights) -> str:
    pair = product.main_pair()
    if product.verdict == "insufficient":
        note = missing_words(pair.gate, pair.reason, pair.what_is_missing) if pair else ""
        return note or "no day with both mood and an outcome"
    status = _LOOKS.get(product.look_status or "", "")
    if product.verdict == "none" and not status:
        effect = pair.effect if pair else None
        if effect is not None and effect.minimum_detectable_effect_ratio is not None:
            smallest = percent(effect.minimum_detectable_effect_ratio)
            return f"{smallest} or more would have been detected"
    place = _where(pair.strongest if pair else None)
    return f"{status}; {place}" if status else place


def _where(strongest: Strongest | None) -> str:
    if strongest is None:
        return "no correlation"
    lag, r = strongest.lag_days, f"{strongest.correlation:+.2f}"
    days = f"{lag:+d} day" + ("" if abs(lag) == 1 else "s") if lag else "same day"
    side = "outside" if strongest.is_outside_null_band else "inside"
    return f"{days}, r {r}, {side} null band".replace("-", MINUS)


def totals(insights: Insights) -> str:
    """The verdicts of a target in one line."""
    counts = insights.verdicts.products
    parts = [
        f"{counts['social_leads']:,} where mood precedes sales",
        f"{counts['sales_lead']:,} the other way round",
        f"{counts['feedback']:,} both",
        f"{counts['watchlist']:,} on the watchlist (nothing is claimed yet)",
        f"{counts['none']:,} without a reliable link",
        f"{counts['insufficient']:,} with too little data",
    ]
    pairs = insights.verdicts.pairs
    claimed = sum(pairs[verdict] for verdict in CLAIMS)
    tested = claimed + pairs["none"] + pairs["watchlist"]
    return (
        f"Mood against sales: {'; '.join(parts)}. All signals: {claimed:,} of "
        f"{plural(tested, 'tested pair')} claimed, {pairs['watchlist']:,} on the watchlist."
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
    """What was found of what was planted, in words, and its class for the count.

    `right`, `missed` (nothing claimed of a link), `wrong` (a claim of what is not there) or `open`
    (not tested).
    """
    lag, verdict = product.lag_days, product.verdict
    if verdict == "insufficient":
        return "not tested", "open"
    is_claim = verdict in CLAIMS
    listed = "on the watchlist, nothing claimed" if verdict == "watchlist" else "no link claimed"
    if planted.lag_days is None:
        return ("a false claim", "wrong") if is_claim else (f"{listed}, as planted", "right")
    if not is_claim:
        return f"missed: {listed}", "missed"
    if verdict == "feedback":
        return "claimed in both directions", "wrong"
    if lag is None or (lag > 0) != (planted.lag_days > 0):
        return "claimed in the wrong direction", "wrong"
    if abs(lag - planted.lag_days) > 1:
        days = plural(abs(lag), "day")
        return f"claimed, but at {days}", "missed"
    return "found at the planted lag", "right"


def _compare(
    console: Console,
    shown: Sequence[ProductInsights],
    products: Sequence[ProductInsights],
    truth: Path,
) -> None:
    try:
        planted = read_truth(truth)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        say(console, f"{truth} cannot be compared with: {error}. Extract again to renew it.")
        return
    rows = [
        [product.product_name, planted[product.product_id].words,
         judge(product, planted[product.product_id])[0]]
        for product in shown
        if product.product_id in planted
    ]  # fmt: skip
    if not rows:
        return
    say(console, "")
    say(console, "Planted in the simulation, and what was found of it:")
    columns = (
        Column("product", most=_NAME_WIDTH),
        Column("planted", most=_NOTE_WIDTH, is_note=True),
        Column("found", most=_NOTE_WIDTH, is_note=True),
    )
    show_table(console, columns, rows, [""] * len(rows))
    known = [product for product in products if product.product_id in planted]
    links = Counter(
        judge(p, planted[p.product_id])[1] for p in known if planted[p.product_id].lag_days
    )
    nothing = Counter(
        judge(p, planted[p.product_id])[1] for p in known if not planted[p.product_id].lag_days
    )
    say(
        console,
        f"{plural(links.total(), 'planted link')}: {links['right']} found with direction and lag "
        f"within a day, {links['missed']} missed, {links['wrong']} claimed wrongly. "
        f"{plural(nothing.total(), 'product')} without a link: {nothing['wrong']} claimed wrongly.",
    )
