"""The pages of the report: templates with what they show, and nothing that leaves the page.

Templates escape everything. Markup that is not escaped is our own: the figures of `svg`, charts of
the registry, and what other templates rendered.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from charts import inline
from charts.panels import source_words, window_words
from charts.picture import Picture, Table
from charts.reading import CLAIMS, MOOD, VERDICTS, DailySeries, day_words, measure, moment_words
from charts.report import svg
from charts.report.around import Around
from charts.report.colours import variables
from charts.report.evidence import Pooled
from charts.report.reading import Product, Report
from charts.report.words import (
    VerdictWords,
    headline,
    month_words,
    number,
    percent,
    plain,
    q_words,
    share,
    signed_days,
    span,
    verdict_words,
)
from charts.style import plural

FOLDER = Path(__file__).parent
MOST_CARDS = 24
MOST_IN_CELL = 200
PACK = 25
_DARK = """
  --ground: #101215; --paper: #171a1e; --ink: #e9ebee; --soft: #aab1bb; --line: #30353c;
  --faint: #22262c; --link: #86c5f4; --focus: #86c5f4; --stamp: #ff9d96; --stamp-ground: #3a1c1c;
  --lead: #74d5ad; --lead-ground: #12382b; --back: #f1b673; --back-ground: #3c2a12;
  --both: #c9aef2; --both-ground: #32264a; --watch: #e6d067; --watch-ground: #393212;
  --none: #b9c0c9; --none-ground: #2a2f36; --few: #b9c0c9; --few-ground: transparent;
  color-scheme: dark;
"""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the report and where it is found."""

    anchor: str
    title: str
    body: Markup


@dataclass(frozen=True, slots=True)
class Tile:
    """How many products have a verdict."""

    verdict: VerdictWords
    count: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of the table: its words and the value to sort by."""

    words: str
    value: float | None


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates: everything is escaped, and what is not given is an error."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["number"] = number
    return made


def render(name: str, **values: object) -> Markup:
    """A template with its values, as markup."""
    # What a template with escaping switched on renders is safe to stand in another.
    return Markup(environment().get_template(name).render(**values))  # noqa: S704


# The page as a whole ----------------------------------------------------------------------------


def whole(
    report: Report,
    pages: Sequence[Page],
    products: Sequence[Markup],
    *,
    target: str,
    are_live: bool,
    footer: str,
) -> str:
    """The file: style and scripts within, and a policy that lets nothing be fetched."""
    style = _style()
    first, script = (_own(name) for name in ("first.js", "report.js"))
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(first)} {_hash(script)}",
            f"style-src-elem {_hash(style)}",
            # Charts carry style attributes; with nothing to fetch they can do no harm.
            "style-src-attr 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types pages",
        ]
    )
    return str(
        render(
            "report.html.j2",
            policy=policy,
            title=f"Social Signals: {target}",
            target=target,
            style=style,
            first_script=first,
            script=script,
            report=report,
            pages=pages,
            sections=products if are_live else [],
            packs=[] if are_live else packed(products),
            pack_size=PACK,
            footer=footer,
        )
    )


def packed(products: Sequence[Markup]) -> list[str]:
    """Pages of products for a file of many: compressed by the dozen, opened on demand.

    Nothing can break out of the letters and digits that are left of a page.
    """
    groups = [products[start : start + PACK] for start in range(0, len(products), PACK)]
    return [
        base64.b64encode(zlib.compress("".join(group).encode(), 9)).decode() for group in groups
    ]


def _own(name: str) -> Markup:
    # A file of this package.
    return Markup((FOLDER / name).read_text(encoding="utf-8"))  # noqa: S704


def _style() -> Markup:
    dark = _DARK + variables(is_dark=True)
    text = str(_own("style.css")).replace("@DARK@", dark)
    light = f":root {{ {variables(is_dark=False)} }}\n"
    return Markup(light + text + inline.STYLE)  # noqa: S704


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# Pages ------------------------------------------------------------------------------------------


def tiles(report: Report) -> list[Tile]:
    """Every verdict with its count, claims first."""
    outcome = report.catalogue.outcome
    what = report.catalogue.measure(outcome) if outcome else None
    return [
        Tile(verdict_words(verdict, measure(MOOD), what), report.counts[verdict])
        for verdict in VERDICTS
    ]


@dataclass(frozen=True, slots=True)
class Group:
    """Cards that belong together."""

    title: str
    sub: str
    products: Sequence[Product]
    left_out: str = ""

    @staticmethod
    def number(value: float) -> str:
        """A count with its thousands set apart."""
        return number(value)


def overview_page(report: Report, *, has_charts: bool) -> Page:
    """The first page: what was found, in a sentence, in counts and in cards."""
    outcome = report.catalogue.outcome
    noun = report.catalogue.measure(outcome).noun if outcome else "the outcome"
    sources = source_words(report.overview)
    window = window_words(report.overview)
    facts = f"{window[:1].upper()}{window[1:]}. {sources[:1].upper()}{sources[1:]}."
    body = render(
        "overview.html.j2",
        report=report,
        headline=headline(report.counts, noun),
        facts=facts.replace("..", "."),
        tiles=tiles(report),
        groups=_groups(report),
        has_charts=has_charts,
    )
    return Page("overview", "Overview", body)


def _groups(report: Report) -> list[Group]:
    kinds = (
        ("Claims", "They passed the test for a first claim. Read how they could be wrong.", CLAIMS),
        ("Watchlist", "Striking, and not enough for a claim. Nothing is claimed.", ("watchlist",)),
        (
            "No reliable link",
            "Tested, with nothing found. That is a result too: do not plan on mood here.",
            ("none",),
        ),
        (
            "Too little data",
            "Not tested yet. Each card says what is missing.",
            ("insufficient",),
        ),
    )
    is_small = len(report.products) <= MOST_CARDS
    groups = []
    for title, sub, verdicts in kinds:
        own = [product for product in report.products if product.verdict in verdicts]
        if not own or not (is_small or title == "Claims"):
            continue
        shown = own[:MOST_CARDS]
        more = len(own) - len(shown)
        left_out = f"{plural(more, 'more claim')} are in the table." if more else ""
        groups.append(Group(title, sub, shown, left_out))
    return groups


def products_page(report: Report) -> Page:
    """The table of all products."""
    outcomes = {product.outcome.words for product in report.products if product.outcome}
    words = next(iter(outcomes)) if len(outcomes) == 1 else "outcome"
    titles = (
        "Product",
        "Verdict",
        "Finding",
        "Lag, days",
        "q",
        "Days",
        "Posts",
        words.capitalize(),
    )
    place = {verdict: index for index, verdict in enumerate(VERDICTS)}
    rows = [
        {
            "anchor": product.anchor if product.has_page else "",
            "name": product.name,
            "category": product.category,
            "verdict": product.main.verdict,
            "place": place[product.verdict],
            "finding": _row_words(product),
            "cells": _cells(product),
        }
        for product in report.products
    ]
    paged = sum(product.has_page for product in report.products)
    sub = "Mood against what was sold. Titles of columns sort."
    if paged < len(report.products):
        sub += (
            f" The first {paged:,} have a page of their own (claims first, then the watchlist, "
            "then the largest); for the others ask the published file."
        )
    body = render(
        "products.html.j2",
        report=report,
        sub=sub,
        tiles=tiles(report),
        columns=[{"title": title, "is_number": index > 2} for index, title in enumerate(titles)],
        rows=rows,
    )
    return Page("products", "Products", body)


def _row_words(product: Product) -> str:
    said = product.main.finding
    if product.verdict == "none":
        return said.size or said.title
    if product.verdict == "insufficient":
        return said.size
    return f"{said.title}: {said.size}" if product.verdict == "watchlist" else said.size


def _cells(product: Product) -> list[Cell]:
    card = product.main
    q_value = card.q_value
    words = q_words(q_value).removeprefix("q ").removeprefix("= ")
    days = product.evidence.days_observed
    days = card.n_days if days is None else days
    return [
        Cell(signed_days(card.lag_days) or "–", card.lag_days),
        Cell(words or "–", q_value),
        Cell("–" if days is None else f"{days:,}", days),
        Cell(f"{product.posts_count:,}", product.posts_count),
        Cell(number(product.total), product.total),
    ]


def charts_page(pictures: Sequence[Picture]) -> Page:
    """Every chart of the registry with its words and its table."""
    charts = [
        {
            "name": picture.name,
            "question": picture.heading.question,
            "headline": plain(picture.heading.headline, 400),
            "caption": [plain(line, 2000) for line in picture.heading.caption],
            "is_simulated": picture.heading.is_simulated,
            # Our own drawing: colours and texts were set by matplotlib, text stays text.
            "svg": Markup(picture.inline()),  # noqa: S704
            "table": picture.table and _short(picture.table),
        }
        for picture in pictures
    ]
    return Page("charts", "Charts", render("charts.html.j2", charts=charts))


def _short(table: Table) -> Table:
    """The table with cells that can be read: what is longer stands in the published file."""
    rows = tuple(tuple(plain(cell, MOST_IN_CELL) for cell in row) for row in table.rows)
    return replace(table, rows=rows)


def method_page(
    report: Report,
    *,
    placebo: str,
    places: Sequence[tuple[str, str, str]],
    facts: Mapping[str, str],
) -> Page:
    """What the words mean, what keeps them honest, and where to look further."""
    body = render(
        "method.html.j2",
        tiles=tiles(report),
        placebo=placebo,
        places=places,
        facts=list(facts.items()),
    )
    return Page("method", "How to read this", body)


def report_facts(report: Report, *, target: str) -> dict[str, str]:
    """What the report was made from."""
    overview = report.overview
    facts = {
        "Target": target,
        "Window": window_words(overview),
        "Cut-off": overview.cutoff,
        "Posts": f"{overview.posts_count:,}",
        "Products": f"{len(report.products):,}",
        "Pairs of signal and outcome": _pair_count(report),
        "Data": "simulated" if overview.is_simulated else "as received",
    }
    if report.run_id:
        facts["Run"] = report.run_id
    if report.run_started:
        facts["Run began"] = moment_words(report.run_started)
    if report.model_revision:
        facts["Sentiment model"] = report.model_revision
    return facts


def _pair_count(report: Report) -> str:
    claimed = sum(report.pairs[verdict] for verdict in CLAIMS)
    tested = claimed + report.pairs["watchlist"] + report.pairs["none"]
    return f"{tested:,} tested, {claimed:,} claimed, {report.pairs['watchlist']:,} on the watchlist"


# One product ------------------------------------------------------------------------------------


def product_section(
    product: Product,
    series: DailySeries,
    around: Around,
    pooled: Sequence[Pooled],
) -> Markup:
    """The page of one product."""
    words = product.outcome.words if product.outcome else "outcome"
    card = product.main
    trend = svg.trend(series, words, product.name)
    return render(
        "product.html.j2",
        p=product,
        a=around,
        interval=svg.interval(
            card.interval, estimate=card.uplift, smallest=product.evidence.smallest
        )
        if card.interval
        else None,
        trend=trend,
        trend_words=_trend_words(series, words) if trend else "",
        lags=svg.lag_curve(product.curve, words, product.name),
        lag_words=svg.lag_words(product.curve, words),
        figures=_figures(product),
        skills=_skills(product),
        skill_words=_skill_words(product),
        pooled=_pooled(pooled),
        others=_others(product),
        pair_words=_pair_words(product),
        month=month_words(around.month) if around.month else "",
        growth=_growth(around),
        themes=_themes(around),
    )


def _trend_words(series: DailySeries, words: str) -> str:
    step = -(-len(series.days) // 220)
    thin = "days" if step == 1 else f"means of {step} days"
    text = f"Thin: {thin}; thick: means of seven days. Mood is weighed by posts."
    if series.is_promo.any():
        text += " Yellow: promotions."
    if series.is_stock_out.any():
        text += " Grey: out of stock."
    return f"{text} Gaps are days without data; {words} from 0 up unless it is a level."


def _figures(product: Product) -> list[tuple[str, str]]:
    found, card = product.evidence, product.main
    unit = product.outcome.words if product.outcome else "outcome"
    rows = [
        ("Days with both", _of(found.days_observed, found.days_needed)),
        ("Posts a day", number(found.posts_per_day) if found.posts_per_day is not None else ""),
        (
            f"{unit.capitalize()} a day",
            number(found.units_per_day) if found.units_per_day is not None else "",
        ),
        ("Days without data", share(found.missing_share)),
        ("Mood first", q_words(found.q_value)),
        (f"{unit.capitalize()} first", q_words(found.reverse_q_value)),
        ("Lag", f"{signed_days(card.lag_days)} days" if card.lag_days is not None else ""),
        ("Spread over", plural(found.width_days, "day") if found.width_days else ""),
        ("95 % interval per +1 SD", span(*card.interval) if card.interval else ""),
        ("Estimate", percent(card.uplift) if card.interval else ""),
        ("Why no size is stated", found.why_no_size if not card.interval else ""),
        ("Smallest link that would be found", percent(found.smallest)),
        ("1 SD of mood", number(found.signal_sd) if found.signal_sd is not None else ""),
        ("Reliability of mood", share(found.reliability)),
        ("Claim since", day_words(card.first_claimed) if card.first_claimed else ""),
        ("Status", f"{card.look_status}: {card.look_reason}" if card.look_reason else ""),
    ]
    if product.verdict == "insufficient":
        rows = [row for row in rows if row[0] not in {"Lag", "Spread over"}]
    elif product.verdict == "none":
        rows = [row for row in rows if row[0] != "Spread over"]
    return [(name, value) for name, value in rows if value]


def _of(observed: int | None, needed: int | None) -> str:
    if observed is None:
        return ""
    if needed and observed < needed:
        return f"{observed:,}; every test needs {needed:,}"
    return f"{observed:,}"


def _skills(product: Product) -> Table | None:
    tested = [skill for skill in product.evidence.skills if skill.is_tested]
    if not tested:
        return None
    return Table(
        ("Days ahead", "Error with mood", "q", "Verdict"),
        tuple(
            (
                str(skill.horizon_days),
                f"{percent(-skill.improvement)}" if skill.improvement is not None else "–",
                q_words(skill.q_value) or "–",
                "better" if skill.is_predictive else "not reliably better",
            )
            for skill in tested
        ),
        frozenset({0, 1, 2}),
    )


def _skill_words(product: Product) -> str:
    tested = [skill for skill in product.evidence.skills if skill.is_tested]
    better = [skill for skill in tested if skill.is_predictive]
    if better:
        days = ", ".join(str(skill.horizon_days) for skill in better)
        return f"Forecasts on unseen days are better with mood (days ahead: {days})"
    return "Forecasts on unseen days are not reliably better with mood"


def _pooled(found: Sequence[Pooled]) -> Table | None:
    if not found:
        return None
    return Table(
        ("Products", "Number", "95 % interval per +1 SD", "Lag, days", "q"),
        tuple(
            (
                "all" if one.category == "all" else one.category,
                f"{one.products_count:,}",
                span(*one.interval) if one.interval else one.reason or "not stated",
                signed_days(one.lag_days) or "–",
                q_words(one.q_value) or "–",
            )
            for one in found
        ),
        frozenset({1, 3, 4}),
    )


def _others(product: Product) -> Table | None:
    if not product.others:
        return None
    return Table(
        ("Signal and outcome", "Verdict", "Finding"),
        tuple(
            (
                ", ".join(each.words for each in (card.signal, card.metric) if each),
                card.verdict.badge,
                card.finding.sentence(),
            )
            for card in product.others[:12]
        ),
    )


def _pair_words(product: Product) -> str:
    pairs = product.pairs
    claimed = sum(pairs[verdict] for verdict in CLAIMS)
    tested = claimed + pairs["watchlist"] + pairs["none"]
    return (
        f"Other signals and outcomes: of {plural(tested, 'tested pair')} {claimed} claimed, "
        f"{pairs['watchlist']} on the watchlist"
    )


def _growth(around: Around) -> Table | None:
    if not around.growth:
        return None

    def change(value: float | None, *, is_share: bool) -> str:
        if value is None:
            return "–"
        return f"{percent(value).removesuffix(' %')} points" if is_share else percent(value)

    rows = []
    for one in around.growth:
        interval = "–"
        if one.interval:
            low, high = one.interval
            interval = span(low, high).removesuffix("\N{NO-BREAK SPACE}%") + (
                " points" if one.is_share else " %"
            )
        rows.append(
            (
                one.name,
                share(one.value) if one.is_share else number(one.value),
                interval,
                change(one.change, is_share=one.is_share),
                "clear" if one.is_clear else one.reason or "may be chance",
            )
        )
    return Table(
        ("Measure", "Value", "Change, interval", "Estimate", "Is it clear"),
        tuple(rows),
        frozenset({1, 2, 3}),
    )


def _themes(around: Around) -> Table | None:
    if not around.themes:
        return None
    return Table(
        ("Theme", "Texts", "Share of texts, 95 % interval", "Praise", "Complaints"),
        tuple(
            (
                theme.name,
                f"{theme.texts:,}",
                f"{100 * theme.interval[0]:.1f} to {100 * theme.interval[1]:.1f} %"
                if theme.interval
                else "–",
                f"{theme.praise:,}",
                f"{theme.complaints:,}",
            )
            for theme in around.themes
        ),
        frozenset({1, 2, 3, 4}),
    )
