"""What do we know about a product? One page each: verdict, days, lags, effect, growth, themes.

python -m charts.product --target demo --product medlar
python -m charts.product --target demo --all
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from charts import changes, lags, themes, trends
from charts.changes import Growth, interval_words, month_words, reason_words, short_amount
from charts.complaints import opinions
from charts.paging import Pages, page_name, write_pages
from charts.panels import MOST_PANELS, show_files, source_words, window_words
from charts.picture import Picture, Table
from charts.reading import (
    CLAIMS,
    MOOD,
    Catalogue,
    DailySeries,
    LagCurve,
    Overview,
    Published,
    Subject,
    finite,
    measure,
    number_or_none,
    published_file,
    read_daily,
    read_lags,
)
from charts.style import (
    FAINT,
    INK,
    MARGIN,
    MOOD_INK,
    MUTED,
    NULL_BAND,
    OUTSIDE,
    PANEL,
    PROMOTION,
    SALES_INK,
    SALES_LIGHT,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    STOCK_OUT,
    Heading,
    Key,
    Sheet,
    clean,
    fit,
    line_height,
    new_sheet,
    plural,
    wrap,
)
from charts.style import MOOD as ORANGE
from charts.style import SALES as BLUE
from charts.themes import Theme
from udfs.errors import SocialSignalsError

QUESTION = "What do we know about a product?"
WIDTH = 11.0
MOST_EFFECTS = 5
MOST_THEMES = 6
_BATCH = 50
_GAP = 0.36
_BETWEEN = 0.3
_ROW = 0.26
_HEAD = line_height(SIZE_TITLE) + line_height(SIZE_NOTE) + 0.1
_LINES = 12


@dataclass(frozen=True, slots=True)
class Card:
    """What the primary card of a product says."""

    verdict: str
    headline: str
    detail: str
    recommendation: str
    caveat: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What +1 SD of a signal goes with; a finding only where `is_finding`."""

    signal: str
    verdict: str
    lag_days: int
    uplift: float
    low: float
    high: float
    is_allowed: bool
    reason: str

    @property
    def is_finding(self) -> bool:
        """Whether the verdict and the data bear a percentage."""
        return self.is_allowed and self.verdict in {"social_leads", "feedback"}


@dataclass(frozen=True, slots=True)
class Page:
    """Everything about one product that the marts tell; None or empty where they do not."""

    subject: Subject
    card: Card | None
    missing: str
    series: DailySeries | None
    curve: LagCurve | None
    effects: tuple[Effect, ...] | None
    growth: Growth | None
    has_growth: bool
    themes: tuple[Theme, ...] | None


def few(published: Published, catalogue: Catalogue) -> Sequence[Subject]:
    """The products that the charts show: claims first, then the watchlist, then most sales."""
    curves = lags.ordered(read_lags(published, catalogue.subjects))
    return [curve.subject for curve in curves[:MOST_PANELS]]


def pictures(
    published: Published, overview: Overview, catalogue: Catalogue, subjects: Sequence[Subject]
) -> Iterator[Picture]:
    """The pages of some products, one after the other; raises ChartError with the remedy."""
    has_growth = changes.is_known(published)
    growth = changes.read_growth(published, catalogue.subjects) if has_growth else None
    has_themes = themes.is_known(published)
    for start in range(0, len(subjects), _BATCH):
        batch = subjects[start : start + _BATCH]
        ids = [subject.product_id for subject in batch]
        cards, missing = _cards(published, batch), _missing(published, batch)
        series = {one.subject.product_id: one for one in read_daily(published, batch)}
        curves = {curve.subject.product_id: curve for curve in read_lags(published, batch)}
        effects = _effects(published, batch)
        found = themes.read_themes(published, ids) if has_themes else None
        for subject in batch:
            key = subject.product_id
            page = Page(
                subject=subject,
                card=cards.get(key),
                missing=missing.get(key, ""),
                series=series.get(key),
                curve=curves.get(key),
                effects=None if effects is None else tuple(effects.get(key, ())),
                growth=growth,
                has_growth=has_growth,
                themes=None if found is None else tuple(found.get(key, ())),
            )
            sheet = draw(overview, catalogue, page)
            yield Picture(page_name(key), sheet, table(catalogue, page))


# Reading ----------------------------------------------------------------------------------------


def _pairs(batch: Sequence[Subject]) -> dict[str, str | None]:
    return {subject.product_id: subject.outcome for subject in batch}


def _cards(published: Published, batch: Sequence[Subject]) -> dict[str, Card]:
    """The card of mood and the outcome of each product, else its first card."""
    cards: dict[str, Card] = {}
    pairs = _pairs(batch)
    rows = published.rows(
        f"""
        select product_id, signal, metric, verdict, headline, detail, recommendation, caveat
        from {published.table("mart_insights")} where product_id in (select unnest(?))
        order by product_id, insight_id
        """,
        [list(pairs)],
    )
    rows.sort(key=lambda row: not (row[1] == MOOD and row[2] == pairs[row[0]]))
    for row in rows:
        cards.setdefault(row[0], Card(*(clean(text or "") for text in row[3:8])))
    return cards


def _missing(published: Published, batch: Sequence[Subject]) -> dict[str, str]:
    """What data each product's mood and outcome still lack, in the mart's words."""
    pairs = _pairs(batch)
    missing: dict[str, str] = {}
    rows = published.rows(
        f"""
        select product_id, metric, days_observed, days_needed, what_is_missing, reason
        from {published.table("mart_sufficiency")}
        where signal = ? and product_id in (select unnest(?)) order by product_id, metric
        """,
        [MOOD, list(pairs)],
    )
    rows.sort(key=lambda row: row[1] != pairs[row[0]])
    for product_id, metric, observed, needed, words, reason in rows:
        text = clean(words or "") or clean(reason or "")
        if observed is not None and needed is not None:
            text += f" ({observed:,} of {needed:,} days with both mood and {measure(metric).words})"
        missing.setdefault(product_id, text.strip())
    return missing


_EFFECT = (
    "product_id", "signal", "metric", "verdict", "lag_days", "uplift_ratio", "uplift_low_ratio",
    "uplift_high_ratio", "is_percentage_allowed", "percentage_reason",
)  # fmt: skip


def _effects(published: Published, batch: Sequence[Subject]) -> dict[str, list[Effect]] | None:
    """The effects on each product's outcome, mood first; None where the file holds none."""
    if not published.has("mart_effect", *_EFFECT):
        return None
    pairs = _pairs(batch)
    found: dict[str, list[Effect]] = {}
    for row in published.rows(
        f"""
        select {", ".join(_EFFECT)} from {published.table("mart_effect")}
        where product_id in (select unnest(?)) order by product_id, signal != ?, signal
        """,
        [list(pairs), MOOD],
    ):
        sizes = [number_or_none(value) for value in row[5:8]]
        if row[2] != pairs[row[0]] or None in sizes:
            continue
        uplift, low, high = (finite(value) for value in sizes)
        found.setdefault(row[0], []).append(
            Effect(row[1], row[3], int(row[4]), uplift, low, high, row[8] is True,
                   clean(row[9] or ""))
        )  # fmt: skip
    return found


# Words ------------------------------------------------------------------------------------------


def headline(page: Page) -> str:
    """The card's sentence; without a card, that nothing is claimed."""
    if page.card is not None and page.card.headline:
        return page.card.headline
    return f"{page.subject.name}: nothing can be said yet"


def _texts(page: Page) -> tuple[tuple[str, str], ...]:
    """Titles and words of the four columns."""
    card = page.card or Card("", "", "No verdict: the marts hold no card of it.", "", "")
    return (
        ("What was found", card.detail),
        ("What to do next", card.recommendation or "Nothing follows from these data yet."),
        ("How it could be wrong", card.caveat or "Nothing is claimed."),
        ("What is missing", page.missing or "Not known: no pair of mood and sales was looked at."),
    )


def table(catalogue: Catalogue, page: Page) -> Table:
    """The page in figures: verdict, growth, effects, themes."""
    rows: list[tuple[str, str, str]] = []
    if page.curve is not None:
        verdict, detail = lags.verdict_words(page.curve)
        rows.append(("verdict", verdict, detail))
    for column, words in _growth_rows(catalogue, page):
        rows.append((f"change of {column}", *words))
    for effect in page.effects or ():
        rows.append((f"+1 SD of {measure(effect.signal).words}", *_effect_words(effect)))
    for theme in (page.themes or ())[:MOST_THEMES]:
        counts = f"{theme.complaints:,} complain, {theme.praise:,} praise"
        rows.append((f"theme {theme.words}", counts, f"of {plural(theme.texts, 'text')}"))
    return Table(("what", "finding", "what it rests on"), tuple(rows))


def _effect_words(effect: Effect) -> tuple[str, str]:
    interval = interval_words(effect.low, effect.high, "total")
    lag = f"{plural(effect.lag_days, 'day')} later"
    if effect.is_finding:
        return f"{interval}, {lag}", "a finding"
    if effect.verdict in CLAIMS and effect.reason:
        return f"no size may be stated, {lag}", effect.reason
    return f"{interval}, {lag}", "no finding: the verdict does not claim it"


def _growth_rows(catalogue: Catalogue, page: Page) -> list[tuple[str, tuple[str, str]]]:
    rows = []
    for column in page.growth.columns if page.growth is not None else ():
        assert page.growth is not None
        change = page.growth.of(page.subject.product_id, column)
        if change is None:
            continue
        name = changes.column_words(column, catalogue, [page.subject])
        if change.change is None or change.low is None or change.high is None:
            rows.append((name, (reason_words(change.reason), "no interval")))
            continue
        interval = interval_words(change.low, change.high, change.kind)
        clear = "more than chance" if change.is_clear else "not more than chance"
        part = ", part month" if change.is_partial else ""
        rows.append((name, (f"{short_amount(change.change, change.kind)} ({interval})",
                            f"{clear}{part}")))  # fmt: skip
    return rows


def _heading(overview: Overview, page: Page) -> Heading:
    curve, subject = page.curve, page.subject
    n_days = None if curve is None else curve.n_days
    if curve is not None and curve.claim is not None and curve.claim.n_days:
        n_days = curve.claim.n_days
    days = plural(n_days, "day") if n_days else "no day"
    facts = (
        f"n = {plural(subject.posts_count, 'post')}, {days} with both mood and sales. "
        f"Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    how = (
        "Days: bars and dots a day, lines 7-day means. Lags: correlation of mood with the outcome "
        "so many days later; grey is what chance alone gives. Effect and growth: 95 % intervals; "
        "an effect is a finding only where the verdict claims it, a change only where it is more "
        "than chance (q at most 0.05, all products counted). Nothing here is a cause."
    )
    source = (
        "Source: mart_insights, mart_sufficiency, fct_daily_signals, mart_lag_correlation, "
        f"mart_effect, mart_growth_metrics, mart_review_themes; {source_words(overview)}."
    )
    return Heading(
        question=f"What do we know about {subject.name}?",
        headline=headline(page),
        caption=(facts, how, source),
        keys=_keys(page),
        is_simulated=overview.is_simulated,
    )


def _keys(page: Page) -> tuple[Key, ...]:
    keys = [
        Key("bars", SALES_LIGHT, "sales, praise, growth", SALES_INK),
        Key("line", ORANGE, "mood, complaints, decline", MOOD_INK),
        Key("shade", NULL_BAND, "null band: what chance alone gives"),
        Key("dot", MUTED, "no finding", MUTED),
    ]
    if page.series is not None and page.series.is_promo.any():
        keys.append(Key("shade", PROMOTION, "promotion"))
    if page.series is not None and page.series.is_stock_out.any():
        keys.append(Key("hatch", STOCK_OUT, "out of stock"))
    return tuple(keys)


# The page ---------------------------------------------------------------------------------------


def draw(overview: Overview, catalogue: Catalogue, page: Page) -> Sheet:
    """Words, then days and lags, then effect, growth and themes."""
    inner = WIDTH - 2 * MARGIN
    unit = (inner - 3 * _GAP) / 5
    widths = (2 * unit, unit, unit, unit)
    columns = [
        (title, wrap(text, width, SIZE_NOTE, most=_LINES))
        for (title, text), width in zip(_texts(page), widths, strict=True)
    ]
    parts = trends.Parts(has_sales=True, has_mood=True)
    of_words = (
        line_height(SIZE_TITLE)
        + 0.04
        + line_height(SIZE_NOTE) * max(len(lines) for _, lines in columns)
    )
    of_plots = max(parts.height, lags.PANEL_HEIGHT)
    rows = max(len(page.effects or ()[:MOST_EFFECTS]), 6, len((page.themes or ())[:MOST_THEMES]))
    body = of_words + of_plots + _HEAD + rows * _ROW + 2 * _BETWEEN
    sheet = new_sheet(_heading(overview, page), width=WIDTH, body=body)
    left = MARGIN
    for (title, lines), width in zip(columns, widths, strict=True):
        sheet.text(title, left, sheet.top, SIZE_TITLE, bold=True)
        for number, line in enumerate(lines):
            top = sheet.top + line_height(SIZE_TITLE) + 0.04 + number * line_height(SIZE_NOTE)
            sheet.text(line, left, top, SIZE_NOTE)
        left += width + _GAP
    top = sheet.top + of_words + _BETWEEN
    half = (inner - _GAP) / 2
    if page.series is not None:
        limits = trends.mood_limits([page.series])
        trends.panel(
            sheet, page.series, catalogue, (MARGIN, top, half), parts, limits, title="Day by day"
        )
    else:
        _empty(sheet, "Day by day", "no day of it was observed", (MARGIN, top, half), of_plots)
    if page.curve is not None:
        limit = lags.scale([page.curve])
        place = (MARGIN + half + _GAP, top, half)
        lags.panel(sheet, page.curve, place, limit, title="At which lag")
    top += of_plots + _BETWEEN
    third = (inner - 2 * _GAP) / 3
    height = rows * _ROW
    _draw_effects(sheet, page, (MARGIN, top, third), height)
    _draw_growth(sheet, catalogue, page, (MARGIN + third + _GAP, top, third), height)
    _draw_themes(sheet, page, (MARGIN + 2 * (third + _GAP), top, third), height)
    return sheet


def _title(sheet: Sheet, title: str, note: str, place: tuple[float, float, float]) -> float:
    left, top, width = place
    sheet.text(fit(title, width, SIZE_TITLE, bold=True), left, top, SIZE_TITLE, bold=True)
    below = top + line_height(SIZE_TITLE)
    sheet.text(fit(note, width, SIZE_NOTE), left, below, SIZE_NOTE, colour=MUTED)
    return top + _HEAD


def _empty(
    sheet: Sheet, title: str, words: str, place: tuple[float, float, float], height: float
) -> None:
    left, _, width = place
    top = _title(sheet, title, "", place)
    sheet.block(left, top, width, height, fill=PANEL)
    for number, line in enumerate(wrap(words, width - 0.3, SIZE_NOTE, most=3)):
        sheet.text(
            line, left + width / 2, top + height / 2 + (number - 1) * line_height(SIZE_NOTE),
            SIZE_NOTE, colour=MUTED, ha="center",
        )  # fmt: skip


_OLDER = "not in this file: build and publish again with social-signals run"


@dataclass(frozen=True, slots=True)
class _Line:
    """One row of intervals: its name, its numbers, what it says, and its colour."""

    name: str
    ends: tuple[float, float, float] | None
    words: str
    colour: str
    limit: float


def _draw_effects(
    sheet: Sheet, page: Page, place: tuple[float, float, float], height: float
) -> None:
    title = "How large is the effect?"
    effects = (page.effects or ())[:MOST_EFFECTS]
    if not effects:
        words = _OLDER if page.effects is None else "nothing was tested: no size is stated"
        _empty(sheet, title, words, place, height)
        return
    outcome = measure(page.subject.outcome).words if page.subject.outcome else "the outcome"
    note = f"change of {outcome} per +1 SD, 95 % interval"
    limit = _limit([end for effect in effects for end in (effect.low, effect.high)])
    lines = []
    for effect in effects:
        is_sizeless = effect.verdict in CLAIMS and not effect.is_allowed
        words = interval_words(effect.low, effect.high, "total")
        ends = (effect.low, effect.uplift, effect.high)
        colour = (BLUE if effect.uplift > 0 else OUTSIDE) if effect.is_finding else MUTED
        lines.append(
            _Line(
                measure(effect.signal).words,
                None if is_sizeless else ends,
                "size not stated" if is_sizeless else words,
                colour,
                limit,
            )
        )
    top = _title(sheet, title, note, place)
    _lines(sheet, lines, (place[0], top, place[2]))


def _draw_growth(
    sheet: Sheet,
    catalogue: Catalogue,
    page: Page,
    place: tuple[float, float, float],
    height: float,
) -> None:
    title = "What grows?"
    growth = page.growth
    lines = []
    for column in growth.columns if growth is not None else ():
        assert growth is not None
        change = growth.of(page.subject.product_id, column)
        if change is None:
            continue
        name = changes.column_words(column, catalogue, [page.subject])
        if change.change is None or change.low is None or change.high is None:
            lines.append(_Line(name, None, reason_words(change.reason), MUTED, 1.0))
            continue
        colour = BLUE if change.is_up else OUTSIDE if change.is_down else MUTED
        ends = (change.low, change.change, change.high)
        words = interval_words(change.low, change.high, change.kind)
        lines.append(_Line(name, ends, words, colour, _limit([change.low, change.high])))
    if growth is None or not lines:
        words = "no two months of it can be compared yet" if page.has_growth else _OLDER
        _empty(sheet, title, words, place, height)
        return
    is_clear = any(line.colour != MUTED for line in lines)
    note = f"{month_words(growth.month)} against the month before, each on its own scale"
    if not is_clear:
        note = f"{month_words(growth.month)}: none more than chance, each on its own scale"
    top = _title(sheet, title, note, place)
    _lines(sheet, lines, (place[0], top, place[2]))


def _draw_themes(
    sheet: Sheet, page: Page, place: tuple[float, float, float], height: float
) -> None:
    title = "What do buyers complain about?"
    found = (page.themes or ())[:MOST_THEMES]
    if not found:
        words = _OLDER if page.themes is None else "no review or post speaks of a known theme"
        _empty(sheet, title, words, place, height)
        return
    note = f"complaints and praise, of {plural(found[0].product_texts, 'text')}"
    rising = [theme for theme in page.themes or () if theme.is_clear and (theme.change or 0) > 0]
    if rising:
        note = f"rising: {', '.join(theme.words for theme in rising[:2])}; {note}"
    top = _title(sheet, title, note, place)
    limit = max(max(theme.complaint_share, theme.praise_share) for theme in found)
    opinions(sheet, found, (place[0], top, place[2]), limit)


def _lines(sheet: Sheet, lines: Sequence[_Line], place: tuple[float, float, float]) -> None:
    """Rows of name, interval around one line of no change, and its ends in words."""
    left, top, width = place
    names, numbers = width * 0.28, width * 0.34
    axes = sheet.axes(left + names, top, width - names - numbers, len(lines) * _ROW)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(-1.0, 1.0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
    for number, line in enumerate(lines):
        middle = top + (number + 0.5) * _ROW
        ink = {BLUE: SALES_INK, OUTSIDE: OUTSIDE}.get(line.colour, MUTED)
        sheet.text(
            fit(line.name, names - 0.08, SIZE_NOTE), left, middle, SIZE_NOTE,
            colour=INK, va="center_baseline",
        )  # fmt: skip
        sheet.text(
            fit(line.words, numbers - 0.08, SIZE_TICK), left + width - numbers + 0.08, middle,
            SIZE_TICK, colour=ink, bold=False, va="center_baseline",
        )  # fmt: skip
        if line.ends is None:
            axes.plot([-1, 1], [number, number], ":", color=FAINT, linewidth=0.8, zorder=1)
            continue
        low, at, high = (end / line.limit for end in line.ends)
        axes.plot([low, high], [number, number], "-", color=line.colour, linewidth=1.5, zorder=2)
        axes.plot([at], [number], "o", color=line.colour, markersize=4.4, markeredgewidth=0)


def _limit(ends: Sequence[float]) -> float:
    return max([abs(end) for end in ends], default=1.0) * 1.05 or 1.0


# Scripts ----------------------------------------------------------------------------------------


PAGES = Pages("product", QUESTION, pictures, few)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m charts.product", description=QUESTION)
    parser.add_argument("--target", default="demo", help="target whose published file is read")
    parser.add_argument("--file", type=Path, help="another published file, instead of --target")
    parser.add_argument("--output", type=Path, help="folder for the pages (default: beside it)")
    parser.add_argument(
        "--product", action="append", default=[], metavar="ID",
        help="a product's id; may be repeated (default: the dozen that other charts show)",
    )  # fmt: skip
    parser.add_argument("--all", action="store_true", help="a page for every product")
    parser.add_argument("--show", action="store_true", help="open the pages on the screen")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    file = options.file or published_file(options.target)
    chosen = "all" if options.all else options.product or "few"
    try:
        written = write_pages(
            PAGES, file, options.output or file.parent / "charts", products=chosen
        )
    except SocialSignalsError as error:
        sys.stderr.write(f"{error.message}\n{error.remedy}\n")
        return error.exit_code
    for page in written:
        sys.stdout.write(f"{page}\n")
    if options.show:
        show_files([page for page in written if page.suffix == ".png"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
