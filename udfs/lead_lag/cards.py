"""The words of every verdict: the only place where a link between two series is worded.

A link "precedes" or "is associated with", "after accounting for weekday, trend and promotions";
no card says what made what happen. A percentage stands behind its interval, with lag, n, q and the
SD it is per, and never on a card that claims nothing. Every card says how it could be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

CLAIM_LEVEL = 0.05
DAYS_TO_TEST = 90
LEAST_SOLD_RATIO = 0.5
DAYS_FOR_ALL_TESTS = 180
_FEWEST_MORE_DAYS = 30
_LONGEST_LAG = 14
ACCOUNTED = "after accounting for weekday, trend and promotions"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What is known of one product, signal and metric; whatever may be unknown may be None.

    `signal_words`, `metric_words`: nouns such as "mood" and "units". `gate` as in `panel.Gate`,
    `verdict` as in `panel.Verdict`. `lag_days` (1-14, the signal first), `width_days` (3: spread
    over neighbouring days), `reverse_lag_days` (1-14, the metric first). `uplift` and its interval
    are fractions per +1 SD; they are stated only where `percentage_reason` is empty. `signal_sd` is
    that SD in units of the signal. `look_status` as in mart_insight_ledger, None for a single look.
    `is_rise`: whether a rise of the signal precedes a rise of the metric; without it the sign of
    `uplift` tells, where known. `days_observed`, `n_days`: days with both series. `days_needed`:
    what the next gate takes. `products_tested`: size of the family that q corrects over.
    `days_sold_ratio`: share of the days with any sale; below a half nothing is said of how small a
    link would have been seen.
    """

    product_name: str
    signal_words: str
    metric_words: str
    verdict: str
    gate: str | None = None
    reason: str | None = None
    what_is_missing: str | None = None
    days_observed: int | None = None
    days_needed: int | None = None
    lag_days: int | None = None
    width_days: int | None = None
    uplift: float | None = None
    uplift_low: float | None = None
    uplift_high: float | None = None
    p: float | None = None
    q: float | None = None
    reverse_q: float | None = None
    reverse_lag_days: int | None = None
    n_days: int | None = None
    signal_sd: float | None = None
    reliability: float | None = None
    minimum_detectable_effect: float | None = None
    percentage_reason: str | None = None
    is_predictive: bool | None = None
    stability_ratio: float | None = None
    look_status: str | None = None
    look_reason: str | None = None
    products_tested: int | None = None
    is_simulated: bool = False
    is_rise: bool | None = None
    days_sold_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """One insight in words; no field is empty."""

    headline: str
    detail: str
    recommendation: str
    caveat: str


def write_card(facts: CardFacts) -> Card:
    """Word what is known of one product. Raises ValueError for a verdict that does not exist."""
    if facts.verdict not in _WRITERS:
        raise ValueError(f"no verdict is called {facts.verdict!r}")
    headline, detail, recommendation, caveat = _WRITERS[facts.verdict](facts)
    mark = " (simulated)" if facts.is_simulated else ""
    name = _one_line(facts.product_name) or "Product without a name"
    return Card(
        headline=f"{name}{mark}: {_headline_of_look(facts)}{headline}",
        detail=_sentences(_look(facts), *detail),
        recommendation=_sentences(*recommendation),
        caveat=_sentences(*caveat),
    )


@dataclass(frozen=True, slots=True)
class PooledFacts:
    """What all products of a category show together; whatever may be unknown may be None.

    `category`: its name, "all" for every product. `n_days`: days behind it. The uplift and its
    interval are fractions per +1 SD of each product's own signal.
    """

    category: str
    signal_words: str
    metric_words: str
    n_products: int
    n_days: int
    is_claim: bool
    reason: str
    lag_days: int | None = None
    width_days: int | None = None
    uplift: float | None = None
    uplift_low: float | None = None
    uplift_high: float | None = None
    q: float | None = None
    is_rise: bool | None = None


def write_pooled(pooled: PooledFacts) -> str:
    """One sentence on a category; it says nothing of any single product."""
    name = _one_line(pooled.category)
    who = "All products" if name == "all" else name or "Category without a name"
    who = f"{who}, pooled over {_count(pooled.n_products, 'product')}"
    facts = CardFacts(
        product_name="",
        signal_words=pooled.signal_words,
        metric_words=pooled.metric_words,
        verdict="social_leads",
        lag_days=pooled.lag_days,
        width_days=pooled.width_days,
        uplift=pooled.uplift,
        uplift_low=pooled.uplift_low,
        uplift_high=pooled.uplift_high,
        is_rise=pooled.is_rise,
    )
    figures = [_q(pooled.q), _days(pooled.n_days)]
    signal, metric = pooled.signal_words, pooled.metric_words
    reason = _one_line(pooled.reason).rstrip(".")
    if pooled.is_claim and _interval(facts):
        estimate = f"estimate {percent(pooled.uplift)}"
        if is_overstated(facts):
            estimate += ", probably overstated"
        return (
            f"{who}: +1 SD of {signal} preceded {_interval(facts)} {metric} {_later(facts)}"
            f"{_brackets(estimate, *figures)}."
        )
    if pooled.is_claim:
        return f"{who}: {_rise(facts)} {_later(facts)}{_brackets('direction only', *figures)}."
    if pooled.q is None:
        return f"{who}: not testable{': ' + reason if reason else ''}. No relationship claimed."
    return f"{who}: no reliable link found between {signal} and {metric}{_brackets(*figures)}."


# Verdicts ---------------------------------------------------------------------------------------

_Parts = tuple[str, list[str], list[str], list[str]]
_UNTRACKED = (
    "Could be wrong if a campaign or press event that is not tracked moved both: it would look "
    "the same, and more data does not help against it."
)


def _social_leads(facts: CardFacts) -> _Parts:
    signal, metric, later = facts.signal_words, facts.metric_words, _later(facts)
    facts_in_brackets = _join([_q(facts.q), _days(facts.n_days)])
    interval = _interval(facts)
    if interval:
        estimate = f"estimate {percent(facts.uplift)}"
        if is_overstated(facts):
            estimate += ", probably overstated"
        headline = (
            f"+1 SD of {signal} preceded {interval} {metric} {later} "
            f"({_join([estimate, facts_in_brackets])})"
        )
    else:
        headline = (
            f"{_rise(facts)} {later} ({_join(['direction only', facts_in_brackets])}), {ACCOUNTED}"
        )
    detail = [
        f"Changes in {signal} precede changes in {metric}, {ACCOUNTED}",
        _interval_meaning(facts) if interval else _no_percentage(facts),
        _spread(facts),
        _corrected(facts),
        _reverse_absent(facts),
        _skill(facts),
        _stability(facts),
    ]
    holdout = (
        "Before acting on it, run timed ads in some periods, hold out others and compare "
        f"{metric} (a holdout test)"
    )
    return headline + ".", detail, [holdout, _stock_check(facts)], [_UNTRACKED]


def _sales_lead(facts: CardFacts) -> _Parts:
    signal, metric = facts.signal_words, facts.metric_words
    headline = (
        f"changes in {metric} precede changes in {signal}{_reverse_later(facts)}, not the other "
        f"way round{_brackets(_q(facts.reverse_q), _days(facts.n_days))}."
    )
    detail = [
        f"Changes in {metric} precede changes in {signal}, {ACCOUNTED}",
        f"The other direction shows nothing reliable ({_q(facts.q)})" if _q(facts.q) else "",
        "No percentage is stated for this direction",
        _family(facts),
        _stability(facts),
    ]
    recommendation = [
        f"Do not plan stock on buzz here: {metric} moved first",
        f"Look at {signal} as an echo of sales, for instance for service and reviews",
    ]
    caveat = [
        _UNTRACKED,
        "A stock-out that people complain about looks like this too",
    ]
    return headline, detail, recommendation, caveat


def _feedback(facts: CardFacts) -> _Parts:
    signal, metric = facts.signal_words, facts.metric_words
    headline = (
        f"{signal} and {metric} precede each other: {signal} first{_by(facts.lag_days)} "
        f"({_q(facts.q) or 'q unknown'}), {metric} first{_by(facts.reverse_lag_days)} "
        f"({_q(facts.reverse_q) or 'q unknown'})"
    )
    if facts.n_days is not None:
        headline += f", {_days(facts.n_days)}"
    interval = _interval(facts)
    overstated = ", probably overstated" if is_overstated(facts) else ""
    detail = [
        f"Each precedes the other, {ACCOUNTED}",
        f"Towards {metric}, +1 SD of {signal} preceded {interval} {metric} {_later(facts)} "
        f"(estimate {percent(facts.uplift)}{overstated})"
        if interval
        else _no_percentage(facts),
        _interval_meaning(facts) if interval else "",
        _spread(facts),
        _family(facts),
        _skill(facts),
        _stability(facts),
    ]
    recommendation = [
        "Do not plan stock on buzz alone: part of it follows sales",
        "A holdout test of timed ads tells the two directions apart",
    ]
    caveat = [
        _UNTRACKED,
        "A stock-out that people complain about looks like this too",
    ]
    return headline + ".", detail, recommendation, caveat


def _watchlist(facts: CardFacts) -> _Parts:
    signal, metric = facts.signal_words, facts.metric_words
    is_waiting = facts.look_status == "waiting"
    state = {
        "waiting": "seen, and waiting for stronger evidence",
        "weakening": "claimed before and weakening",
    }.get(facts.look_status or "", "not a finding yet")
    headline = (
        f"watchlist, {state}: changes in {signal} are associated with changes in {metric}"
        f"{' ' + _later(facts) if facts.lag_days else ''}"
        f"{_brackets(_q(facts.q), _days(facts.n_days))}."
    )
    detail = [
        f"Striking enough to look again, {ACCOUNTED}; nothing is claimed and no size is stated",
        _spread(facts),
        "" if is_waiting else _unconfirmed(facts),
        _family(facts),
        _reverse_words(facts),
        _stability(facts),
    ]
    more = _count(_more_days(facts), "more day")
    recommendation = [f"Collect {more} before acting on it; note campaigns and press meanwhile"]
    caveat = [
        _UNTRACKED,
        "Entries of a watchlist are often chance",
    ]
    return headline, detail, recommendation, caveat


def _none(facts: CardFacts) -> _Parts:
    signal, metric = facts.signal_words, facts.metric_words
    smallest = facts.minimum_detectable_effect
    detectable = ""
    if _is_lumpy(facts):
        detectable = "; hardly testable at this volume"
        smallest = None
    elif _known(smallest) and smallest is not None and smallest > 0:
        detectable = f"; {percent(smallest)} {metric} or more would have been detected"
    else:
        smallest = None
    headline = (
        f"no reliable link found between {signal} and {metric}{detectable}"
        f"{_brackets(_q(facts.q), _days(facts.n_days))}."
    )
    found_if = "How small a link these days could have shown is not known"
    if _is_lumpy(facts):
        found_if = f"{_capital(metric)} came on less than half of the days: most links stay unseen"
    if smallest is not None:
        found_if = (
            f"A link of {percent(smallest)} {metric} per +1 SD of {signal} would have been found "
            "four times out of five; a weaker one is not ruled out"
        )
    detail = [
        f"Neither direction shows a reliable link within {_LONGEST_LAG} days, {ACCOUNTED}",
        found_if,
        _unconfirmed(facts),
        _sd(facts),
        _family(facts),
        _reverse_words(facts),
    ]
    recommendation = [f"Do not plan stock or spending on {signal} for this product"]
    if facts.n_days is not None and facts.n_days < DAYS_FOR_ALL_TESTS:
        recommendation.append(
            f"With {_count(DAYS_FOR_ALL_TESTS - facts.n_days, 'more day')} a weaker link could "
            "be seen"
        )
    caveat = (
        "Could be wrong if the link is weaker than these days can show, comes and goes, is spread "
        f"thinly over many days or takes longer than {_LONGEST_LAG} days"
    )
    return headline, detail, recommendation, [caveat]


def _insufficient(facts: CardFacts) -> _Parts:
    signal, metric = facts.signal_words, facts.metric_words
    reason = _one_line(facts.reason)
    missing = _one_line(facts.what_is_missing)
    observed, needed = facts.days_observed, facts.days_needed or DAYS_TO_TEST
    is_short = observed is not None and observed < DAYS_TO_TEST
    if is_short and facts.gate in {"insufficient", "descriptive", None}:
        headline = f"{observed} of {min(needed, DAYS_TO_TEST)} days. No relationship claimed."
    elif facts.gate == "descriptive":
        headline = f"{signal} and {metric} are not testable at this volume."
    elif reason:
        headline = f"{signal} and {metric} are not testable: {reason.rstrip('.')}."
    else:
        headline = f"{signal} and {metric} could not be tested. No relationship claimed."
    detail = [
        _capital(reason),
        f"{_count(observed, 'observed day')} with both {signal} and {metric}"
        if observed is not None
        else "",
        "Nothing is said about a link: too little data is no evidence either way",
    ]
    if missing:
        advice = f"To collect: {missing}"
    elif is_short and observed is not None:
        advice = (
            f"To collect: {_count(DAYS_TO_TEST - observed, 'more day')} with both {signal} and "
            f"{metric}"
        )
    elif facts.gate == "descriptive":
        advice = "Look at it by week, or pooled over a category"
    else:
        advice = f"Check the source of {signal} and {metric} first"
    caveat = (
        "Could be wrong if days, posts or sales were left out by the source: what is missing here "
        "says nothing about a link"
    )
    return headline, detail, [advice], [caveat]


_WRITERS: dict[str, Callable[[CardFacts], _Parts]] = {
    "social_leads": _social_leads,
    "sales_lead": _sales_lead,
    "feedback": _feedback,
    "watchlist": _watchlist,
    "none": _none,
    "insufficient": _insufficient,
}


# Looks ------------------------------------------------------------------------------------------

_LOOKS = {
    "waiting": "Waiting: a first claim takes stronger evidence than a single look, because every "
    "rebuild is another look",
    "claimed": "Claimed: the evidence passed the stricter level of a first claim",
    "confirmed": "Confirmed: it still holds after at least 28 further days",
    "weakening": "Weakening: claimed before, and the newer days support it less",
    "changed": "Changed: an earlier claim said something else",
    "withdrawn": "Withdrawn: an earlier claim no longer holds",
}
_MARKED_LOOKS = {
    "weakening": "weakening; ",
    "changed": "changed from an earlier claim; ",
    "withdrawn": "an earlier claim is withdrawn; ",
}


def _headline_of_look(facts: CardFacts) -> str:
    if facts.verdict == "watchlist" and facts.look_status == "weakening":
        return ""  # said there already
    return _MARKED_LOOKS.get(facts.look_status or "", "")


def _look(facts: CardFacts) -> str:
    words = _LOOKS.get(facts.look_status or "", "")
    reason = _one_line(facts.look_reason).rstrip(".")
    if words and reason:
        return f"{words} ({reason})"
    return words


# Parts of sentences -----------------------------------------------------------------------------


def percent(value: float | None) -> str:
    """`+20 %`, `-3.5 %`, `0 %`: a fraction as a signed percentage of two or three digits."""
    return f"{_signed(value)} %"


def q_words(value: float | None) -> str:
    """`q = .01`; `q < .001`, never 0; empty where it is not known."""
    return _q(value)


def is_overstated(facts: CardFacts) -> bool:
    """Whether the interval is wider than the estimate: the winner's curse is then likely."""
    if not _interval(facts):
        return False
    assert facts.uplift is not None
    assert facts.uplift_low is not None
    assert facts.uplift_high is not None
    return facts.uplift_high - facts.uplift_low > abs(facts.uplift)


def _interval(facts: CardFacts) -> str:
    """`+9 to +32 %`, empty where no percentage may be stated."""
    known = _known(facts.uplift) and _known(facts.uplift_low) and _known(facts.uplift_high)
    if not known or (facts.percentage_reason or "").strip():
        return ""
    return f"{_signed(facts.uplift_low)} to {percent(facts.uplift_high)}"


def _interval_meaning(facts: CardFacts) -> str:
    words = "The 95 % interval allows for the choice of the lag"
    if is_overstated(facts):
        words += "; it is wider than the estimate, which is therefore probably overstated"
    return f"{words}. {_sd(facts)}" if _sd(facts) else words


def _is_lumpy(facts: CardFacts) -> bool:
    """Whether so few days have a sale that a test hardly sees anything."""
    if facts.days_sold_ratio is not None and _known(facts.days_sold_ratio):
        return facts.days_sold_ratio < LEAST_SOLD_RATIO
    return (facts.percentage_reason or "").startswith("sold on ")


def _sd(facts: CardFacts) -> str:
    if facts.signal_sd is None or not _known(facts.signal_sd):
        return ""
    words = (
        f"1 SD of {facts.signal_words} is {_plain(facts.signal_sd)}, without sampling noise, "
        "weekday and trend"
    )
    if facts.reliability is not None and _known(facts.reliability):
        words += f" (reliability {_fraction(facts.reliability)})"
    return words


def _stock_check(facts: CardFacts) -> str:
    if not facts.lag_days:
        return ""
    days = _count(facts.lag_days, "day")
    return f"Check stock {_about(facts)}{days} after an unusual day of {facts.signal_words}"


def _unconfirmed(facts: CardFacts) -> str:
    """Why a small q is not yet a claim."""
    if facts.q is None or not _known(facts.q) or facts.q > CLAIM_LEVEL:
        return ""
    if facts.reverse_q is not None and _known(facts.reverse_q) and facts.reverse_q <= CLAIM_LEVEL:
        return (
            f"Both directions are striking ({_q(facts.q)} and {_q(facts.reverse_q)}), and the lags "
            "do not tell which comes first"
        )
    return (
        f"The test alone is striking ({_q(facts.q)}), but the lag that it points to is not where "
        "the correlation peaks"
    )


def _no_percentage(facts: CardFacts) -> str:
    reason = _one_line(facts.percentage_reason).rstrip(".")
    return f"No percentage is stated: {reason}" if reason else "No percentage is stated"


def _rise(facts: CardFacts) -> str:
    is_rise = facts.is_rise
    if is_rise is None and facts.uplift is not None and _known(facts.uplift):
        is_rise = facts.uplift > 0
    signal, metric = facts.signal_words, facts.metric_words
    if is_rise is None:
        return f"changes in {signal} precede changes in {metric}"
    return f"a rise of {signal} precedes a {'rise' if is_rise else 'fall'} of {metric}"


def _is_spread(facts: CardFacts) -> bool:
    return facts.width_days is not None and facts.width_days > 1


def _about(facts: CardFacts) -> str:
    return "about " if _is_spread(facts) else ""


def _later(facts: CardFacts) -> str:
    if not facts.lag_days:
        return "later"
    return f"{_about(facts)}{_count(facts.lag_days, 'day')} later"


def _reverse_later(facts: CardFacts) -> str:
    return f" {_count(facts.reverse_lag_days, 'day')} later" if facts.reverse_lag_days else ""


def _by(lag_days: int | None) -> str:
    return f" by {_count(lag_days, 'day')}" if lag_days else ""


def _spread(facts: CardFacts) -> str:
    if not _is_spread(facts) or not facts.lag_days:
        return ""
    return f"Strongest about day {facts.lag_days}, spread over neighbouring days"


def _family(facts: CardFacts) -> str:
    tested = facts.products_tested
    if tested is None or tested < 1 or (not _q(facts.q) and not _q(facts.reverse_q)):
        return ""
    return f"{_count(tested, 'product')} {'was' if tested == 1 else 'were'} tested; q allows for it"


def _corrected(facts: CardFacts) -> str:
    words = _join([_p(facts.p), _q(facts.q), _days(facts.n_days)])
    family = _family(facts)
    if not words:
        return family
    return f"{_capital(words)}; {family}" if family else _capital(words)


def _reverse_absent(facts: CardFacts) -> str:
    reverse = _q(facts.reverse_q)
    if not reverse:
        return ""
    return (
        f"The other direction, {facts.metric_words} before {facts.signal_words}, shows nothing "
        f"reliable ({reverse})"
    )


def _reverse_words(facts: CardFacts) -> str:
    reverse = _q(facts.reverse_q)
    if not reverse:
        return ""
    return f"The other direction, {facts.metric_words} before {facts.signal_words}: {reverse}"


def _skill(facts: CardFacts) -> str:
    if facts.is_predictive is None:
        return ""
    if facts.is_predictive:
        return (
            f"Predictive: with {facts.signal_words} known, forecasts of {facts.metric_words} on "
            "unseen days were better than without"
        )
    return (
        f"Knowing {facts.signal_words} was not shown to better forecasts of {facts.metric_words} "
        "on unseen days"
    )


def _stability(facts: CardFacts) -> str:
    if facts.stability_ratio is None or not _known(facts.stability_ratio):
        return ""
    share = _fraction(min(max(facts.stability_ratio, 0.0), 1.0))
    return f"Of other defensible choices (window, scale, filter and the like) {share} agree"


def _more_days(facts: CardFacts) -> int:
    known = facts.n_days if facts.n_days is not None else facts.days_observed
    return max(_FEWEST_MORE_DAYS, DAYS_FOR_ALL_TESTS - (known or 0))


def _q(value: float | None) -> str:
    return _probability("q", value)


def _p(value: float | None) -> str:
    return _probability("p", value)


def _probability(name: str, value: float | None) -> str:
    if value is None or not _known(value):
        return ""
    if value < 0.001:
        return f"{name} < .001"
    return f"{name} = {_fraction(value)}"


def _fraction(value: float) -> str:
    """`.01`, `.004`, `1`: two digits after the point, one significant digit at least."""
    if value >= 0.995:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    text = f"{value:.2f}" if value >= 0.0095 else f"{value:.3f}"
    return text.removeprefix("0") if float(text) else "0"


def _days(count: int | None) -> str:
    return "" if count is None else _count(count, "day")


def _count(count: int | None, noun: str) -> str:
    number = count or 0
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _brackets(*parts: str) -> str:
    words = _join(list(parts))
    return f" ({words})" if words else ""


def _join(parts: list[str]) -> str:
    return ", ".join(part for part in parts if part)


def _sentences(*parts: str) -> str:
    kept = (_capital(part.strip()) for part in parts if part and part.strip())
    return " ".join(part if part.endswith(".") else f"{part}." for part in kept)


def _capital(text: str) -> str:
    # "p = .01" keeps its letter: P is something else.
    if text[:4] in {"p = ", "p < ", "q = ", "q < "}:
        return text
    return text[:1].upper() + text[1:]


def _one_line(text: str | None) -> str:
    kept = (character if character.isprintable() else " " for character in text or "")
    return " ".join("".join(kept).split())


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _signed(value: float | None) -> str:
    """`+20`, `+9.1`, `-0.04`, `0`: 100 times a fraction."""
    assert value is not None
    number = 100.0 * value
    if abs(number) < 0.005:
        return "0"
    if abs(number) >= 9.95:
        return f"{number:+,.0f}"
    text = f"{number:+.1f}" if abs(number) >= 0.95 else f"{number:+.2g}"
    return text.removesuffix(".0")


def _plain(value: float) -> str:
    """A number of two significant digits without an exponent where that is readable."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size and size < 0.0001:
        return f"{value:.1e}"
    return f"{float(f'{value:.2g}'):.6f}".rstrip("0").rstrip(".")
