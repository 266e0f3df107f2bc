"""Sizes of effects in words: intervals, verdicts, and why no size is stated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median

from charts.lags import q_words
from charts.links import Effect, Pooled
from charts.reading import CLAIMS, measure
from charts.style import plural

SHARED = "a link on average"
LEADS = frozenset({"social_leads", "feedback"})
"""Verdicts in which the signal comes first."""
# So many intervals have ends that say something; of more, the ends are those of the oddest.
_MOST_UNITED = 5
_TRUE_MINUS = str.maketrans("-", "\N{MINUS SIGN}")


def percent(ratio: float, *, signed: bool = True) -> str:
    """`+9`, `−2.9`: two digits, as on the card."""
    value = 100 * ratio
    digits = 1 if abs(value) < 9.95 else 0
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    text = text.removesuffix(".0")
    return "0" if float(text.replace(",", "")) == 0 else text.translate(_TRUE_MINUS)


def interval_words(low: float | None, high: float | None) -> str:
    """`+8.8 to +32 %`; empty where there is none."""
    if low is None or high is None:
        return ""
    return f"{percent(low)} to {percent(high)} %"


def result_words(effect: Effect) -> str:
    """What a row says at its right."""
    days = later(effect.lag_days)
    if effect.verdict == "sales_lead":
        return f"{measure(effect.metric).noun} first{days and ', ' + days}"
    if effect.verdict in CLAIMS:
        words = interval_words(effect.low, effect.high) if effect.has_size else "direction only"
        return f"{words}{days and ', ' + days}"
    if effect.verdict == "watchlist":
        return "watchlist"
    if effect.verdict == "none":
        return "no reliable link"
    return "not tested"


def later(lag: int | None) -> str:
    """`3 days later`; empty for no lag."""
    return f"{plural(abs(lag), 'day')} later" if lag else ""


def note_words(effect: Effect, signal: str) -> str:
    """What stands in place of an interval; empty where one is drawn."""
    who, what = measure(signal).noun, measure(effect.metric).noun
    why = f": {effect.why}" if effect.why else ""
    if effect.verdict == "sales_lead":
        return f"{precede(what)} {who}: no size is stated for this direction"
    if effect.verdict in CLAIMS:
        return "" if effect.has_size else f"no size{why or ' may be stated'}"
    if effect.verdict == "watchlist":
        return "nothing is claimed yet, so no size is stated"
    if effect.verdict == "none":
        return "" if effect.detectable is not None else "the smallest visible effect is not known"
    return effect.why or "not enough data"


def headline(effects: Sequence[Effect], signal: str, noun: str) -> str:
    """What was found over all products, in one sentence."""
    total = len(effects)
    who = measure(signal).noun
    sized = [effect for effect in effects if effect.has_size]
    verdicts = Counter(effect.verdict for effect in effects)
    directions = sum(verdicts[verdict] for verdict in LEADS) - len(sized)
    if total == 0 or verdicts["insufficient"] == total:
        return "Not enough data to measure any effect"
    of = f"of {total:,} products" if total > 1 else ""
    parts = []
    if sized:
        low = min(effect.low for effect in sized if effect.low is not None)
        high = max(effect.high for effect in sized if effect.high is not None)
        span = interval_words(low, high)
        if total == 1:
            return f"+1 SD of {who} preceded {span} {noun}"
        if len(sized) > _MOST_UNITED:
            return (
                f"A size can be stated for {len(sized):,} {of}; in the middle one +1 SD of {who} "
                f"preceded {interval_words(*middle(sized))} {noun}"
            )
        where = f"in {len(sized):,} {of}"
        parts.append(f"+1 SD of {who} preceded {span} {noun} {where}")
        if directions:
            parts.append(f"direction only in {directions:,}")
    elif directions:
        if total == 1:
            return f"{_capital(precede(who))} {noun}, but the data bear no size"
        parts.append(f"{_capital(precede(who))} {noun} in {directions:,} {of}, size unknown")
    elif verdicts["sales_lead"]:
        where = f" in {verdicts['sales_lead']:,} {of}" if of else ""
        parts.append(f"{_capital(precede(noun))} {who}{where}: no size is stated")
    elif verdicts["watchlist"]:
        where = f": {verdicts['watchlist']:,} {of} on the watchlist" if of else " yet"
        parts.append(f"No effect is claimed{where}")
    if verdicts["none"]:
        parts.append(_none_words(effects, verdicts["none"], of, is_first=not parts))
    if verdicts["insufficient"] and not sized:
        parts.append(f"{verdicts['insufficient']:,} not testable")
    return "; ".join([parts[0], ", ".join(parts[1:])]) if len(parts) > 1 else parts[0]


def precede(noun: str) -> str:
    """`mood precedes`, `sales precede`."""
    return f"{noun} {'precede' if noun.endswith('s') else 'precedes'}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def middle(group: Sequence[Effect]) -> tuple[float, float]:
    """The middle lower edge and the middle upper edge of intervals."""
    lows = [effect.low for effect in group if effect.low is not None]
    highs = [effect.high for effect in group if effect.high is not None]
    return median(lows), median(highs)


def _none_words(effects: Sequence[Effect], count: int, of: str, *, is_first: bool) -> str:
    visible = sorted(e.detectable for e in effects if e.detectable is not None)
    if not is_first:
        return f"no reliable link in {count:,}"
    words = f"No reliable effect in {count:,} {of}".rstrip() if of else "No reliable effect"
    if not visible:
        return words
    low, high = percent(visible[0], signed=False), percent(visible[-1], signed=False)
    span = f"{low} %" if low == high else f"{low} to {high} %"
    return f"{words}; {span} or more would have been seen"


def pooled_words(pooled: Pooled) -> str:
    """What a pooled row says."""
    if not pooled.is_tested:
        return "not tested"
    if pooled.q_value is None or pooled.q_value > 0.05:
        return "no reliable link"
    return SHARED if pooled.has_size else "direction only"


def pooled_note(pooled: Pooled) -> str:
    """Why a pooled row has no interval; empty where it has one."""
    if pooled.has_size:
        return ""
    if not pooled.is_tested:
        return pooled.why or "not tested"
    return "no size: the signal is too noisy, about 15 posts a day needed"


def number_cell(value: int | None) -> str:
    """`1,234`; empty where it is not known."""
    return "" if value is None else f"{value:,}"


def q_cell(value: float | None) -> str:
    """`0.04`, `< 0.001`; empty where it is not known."""
    return "" if value is None else q_words(value).partition("\N{NO-BREAK SPACE}")[2].lstrip("= ")


def share_cell(value: float | None) -> str:
    """`91 %`; empty where it is not known."""
    return "" if value is None else f"{100 * value:.0f} %"
