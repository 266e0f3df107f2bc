"""What the report says in words: verdicts, figures and findings, for people who found companies.

Everything here is plain text; the templates escape it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from charts.reading import Measure, day_words
from charts.style import plural

MINUS = "\N{MINUS SIGN}"
_MAX_MARKS = 2
NAME_LENGTH = 90
EXCERPT_LENGTH = 220


def plain(text: str | None, most: int = 2000) -> str:
    """Text from outside as one line of at most `most` characters, in any script.

    Control, format and direction characters go, towers of marks are cut to two. It is not escaped.
    """
    if text and len(text) <= most and text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", (text or "")[: 4 * most]):
        category = unicodedata.category(character)
        if category[0] == "Z" or character in "\t\n\r\v\f":
            kept.append(" ")
        elif category[0] == "C":
            continue
        elif category in {"Mn", "Me"}:
            marks += 1
            if marks <= _MAX_MARKS:
                kept.append(character)
            continue
        else:
            kept.append(character)
        marks = 0
    words = " ".join("".join(kept).split())
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"


# Verdicts ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """One verdict: its short name, a sign beside it so that no colour is needed, its meaning."""

    key: str
    badge: str
    sign: str
    meaning: str


_SIGNS = {
    "social_leads": "→",
    "sales_lead": "←",
    "feedback": "↔",
    "watchlist": "?",
    "none": "–",
    "insufficient": "…",
}
_MEANINGS = {
    "social_leads": "Changes in the signal come before changes in the outcome, more reliably than "
    "chance explains. Nothing says that they make them happen.",
    "sales_lead": "The other way round: the outcome moves first, the talk follows.",
    "feedback": "Each comes before the other.",
    "watchlist": "Striking enough to look at again, or waiting for stronger evidence. Nothing is "
    "claimed.",
    "none": "No reliable link was found. A link weaker than these days can show is not ruled out.",
    "insufficient": "Not tested: there are too few days, posts or sales. What is missing is said.",
}


def verdict_words(verdict: str, signal: Measure, outcome: Measure | None) -> VerdictWords:
    """How a verdict on a signal and an outcome is shown."""
    second = (outcome.noun if outcome else "") or "outcome"
    badge = {
        "social_leads": f"{_upper(signal.noun)} first",
        "sales_lead": f"{_upper(second)} first",
        "feedback": "Both ways",
        "watchlist": "Watchlist",
        "none": "No reliable link",
        "insufficient": "Too little data",
    }[verdict]
    return VerdictWords(verdict, badge, _SIGNS[verdict], _MEANINGS[verdict])


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict in three lines: what, how much, how sure. The last two may be empty."""

    title: str
    size: str = ""
    evidence: str = ""

    def sentence(self) -> str:
        """All of it in one line."""
        rest = ", ".join(part for part in (self.size, self.evidence) if part)
        return f"{self.title}: {rest}" if rest else self.title


def finding(
    verdict: str,
    signal: Measure,
    outcome: Measure | None,
    *,
    lag_days: int | None = None,
    interval: tuple[float, float] | None = None,
    q_value: float | None = None,
    n_days: int | None = None,
    smallest: float | None = None,
    missing: str = "",
) -> Finding:
    """What may be said of one signal and outcome; the interval goes before any point.

    `interval` is the fraction of the outcome per +1 SD of the signal, `smallest` the smallest
    fraction that would have been found.
    """
    what = outcome.words if outcome else "an outcome"
    days = plural(abs(lag_days), "day") if lag_days is not None else ""
    sure = ", ".join(part for part in (q_words(q_value), n_words(n_days)) if part)
    if verdict == "insufficient":
        return Finding("Too little data to say", plain(missing) or "see what is missing", "")
    if verdict == "none":
        size = f"{percent(smallest)} or more would have been found" if smallest else ""
        return Finding(f"No reliable link between {signal.words} and {what}", size, sure)
    if verdict == "watchlist":
        where = f", {days} apart" if days and lag_days else ""
        title = f"{_upper(signal.words)} and {what} may be linked{where}"
        return Finding(title, "nothing is claimed yet", sure)
    by = f" by {days}" if days and lag_days else ""
    title = {
        "social_leads": f"{_upper(signal.words)} precedes {what}{by}",
        "sales_lead": f"{_upper(what)} precede {signal.words}{by}"
        if what.endswith("s")
        else f"{_upper(what)} precedes {signal.words}{by}",
        "feedback": f"{_upper(signal.words)} and {what} precede each other",
    }[verdict]
    if interval is not None and verdict != "sales_lead":
        size = f"{span(*interval)} {what} per +1 SD of {signal.words}"
    else:
        size = "direction only, no size may be stated"
    return Finding(title, size, sure)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def headline(counts: dict[str, int], noun: str) -> str:
    """The verdicts of all products in one or two sentences, the last without its full stop."""
    total = sum(counts.values())
    if not total:
        return "There is no product to speak of yet"
    of = f" of {plural(total, 'product')}"
    claims: list[str] = []
    for verdict, words in (
        ("social_leads", f"mood precedes {noun} in"),
        ("sales_lead", f"{noun} {'come' if noun.endswith('s') else 'comes'} first in"),
        ("feedback", "each precedes the other in"),
    ):
        if counts.get(verdict):
            claims.append(f"{words} {counts[verdict]:,}{'' if claims else of}")
    rest = []
    for verdict, one, several in (
        ("watchlist", "is on the watchlist", "are on the watchlist"),
        ("none", "shows no reliable link", "show no reliable link"),
        ("insufficient", "has too little data", "have too little data"),
    ):
        count = counts.get(verdict, 0)
        if count:
            rest.append(f"{count:,} {one if count == 1 else several}")
    if not claims:
        start = f"Nothing is claimed{of.replace(' of ', ' about ')}"
        return f"{start}: {', '.join(rest)}"
    start = _upper("; ".join(claims))
    return f"{start}. {', '.join(rest)}" if rest else start


# Figures ----------------------------------------------------------------------------------------


def percent(value: float | None) -> str:
    """`+20 %`, `−3.5 %`: a fraction as a signed percentage."""
    return "" if value is None else f"{_signed(value)}\N{NO-BREAK SPACE}%"


def span(low: float, high: float) -> str:
    """`+9 to +32 %`: an interval of fractions."""
    return f"{_signed(low)} to {_signed(high)}\N{NO-BREAK SPACE}%"


def _signed(fraction: float) -> str:
    value = 100 * fraction
    if abs(value) >= 999.5:
        text = f"{value:+,.0f}"
    elif abs(value) >= 9.95:
        text = f"{value:+.0f}"
    else:
        text = f"{value:+.1f}"
    if not text.strip("+-0."):
        text = "0"
    return text.replace("-", MINUS)


def share(value: float | None) -> str:
    """`46 %`: a fraction of a whole."""
    return "" if value is None else f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def q_words(value: float | None) -> str:
    """`q = 0.03`, `q < 0.001`; empty where it is not known."""
    if value is None:
        return ""
    if value < 0.001:
        return "q < 0.001"
    return f"q = {value:.3f}" if value < 0.01 else f"q = {value:.2f}"


def n_words(days: int | None) -> str:
    """`n = 179 days`."""
    return f"n = {plural(days, 'day')}" if days else ""


def signed_days(lag: int | None) -> str:
    """`+3`, `−2`, `0`."""
    if lag is None:
        return ""
    return f"{lag:+d}".replace("-", MINUS) if lag else "0"


def number(value: float | None) -> str:
    """A figure for a table: thousands separated, at most two decimals."""
    if value is None:
        return "–"
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{value:,.2f}".replace("-", MINUS)


def month_words(day: date) -> str:
    """`June 2026` as `Jun 2026`, whatever the machine's language."""
    return day_words(day).split(" ", 1)[1]


_SIMULATED = re.compile(r"^(?P<name>.*?) \(simulated\): ")


def without_name(text: str, name: str) -> str:
    """A card's headline without the product's name in front: the page has it above."""
    found = _SIMULATED.match(text)
    if found and found["name"] == name:
        text = text[found.end() :]
    elif name and text.startswith(f"{name}: "):
        text = text[len(name) + 2 :]
    return _upper(text)
