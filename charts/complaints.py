"""What do buyers complain about? Complaints and praise by theme, and what is spoken of more now.

python -m charts.complaints --target demo
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from charts.absent import saying
from charts.panels import source_words, window_words
from charts.picture import MOST_ROWS, Chart, Picture, Table, left_out, script
from charts.reading import Catalogue, Overview, Published
from charts.style import (
    FAINT,
    MARGIN,
    MOOD,
    MOOD_INK,
    MUTED,
    OUTSIDE,
    PANEL,
    SALES,
    SALES_INK,
    SIZE_NOTE,
    SIZE_TICK,
    SIZE_TITLE,
    Heading,
    Key,
    Sheet,
    fit,
    line_height,
    new_sheet,
    plural,
    text_width,
)
from charts.themes import (
    Theme,
    is_known,
    points_words,
    read_changing,
    read_pooled,
    read_themes,
    read_worst,
    share_words,
)

QUESTION = "What do buyers complain about?"
FEW = 3
MOST_THEMES = 12
MOST_CHANGES = 6
WIDTH = 11.0
_ROW = 0.25
_HEAD = line_height(SIZE_TITLE) + line_height(SIZE_NOTE) + 0.1
_AXIS = 0.3
_GAP = 0.3
_NAMES = 1.45


@dataclass(frozen=True, slots=True)
class Block:
    """Themes that stand together: those of one product, or of all."""

    title: str
    themes: tuple[Theme, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What is drawn: blocks of themes, the worst product of each, and what changed lately."""

    blocks: tuple[Block, ...]
    pooled: tuple[Theme, ...]
    worst: Mapping[str, Theme]
    changing: tuple[Theme, ...]
    clear: int
    looked: int
    names: Mapping[str, str]
    themes_left_out: int = 0


def picture(published: Published, overview: Overview, catalogue: Catalogue) -> Picture:
    """The themes of all products, or of each where they are few; raises ChartError."""
    if not is_known(published):
        lines = (
            (
                "This file holds no themes of reviews and posts (mart_review_themes): an older "
                "version published it."
            ),
            "Build and publish again: social-signals run.",
        )
        return saying("complaints", QUESTION, overview, "Complaints are not in this file", lines)
    pooled = tuple(read_pooled(published))
    found = _findings(published, catalogue, pooled)
    if not any(block.themes for block in found.blocks):
        return saying(
            "complaints",
            QUESTION,
            overview,
            "No review or post speaks of a known theme yet",
            (
                (
                    "Themes are met in reviews and posts about a product that the sentiment model "
                    "can read; there is none in this window."
                ),
                "That is no sign of happy buyers: nothing was heard.",
            ),
        )
    return Picture("complaints", draw(overview, catalogue, found), table(found))


def _findings(published: Published, catalogue: Catalogue, pooled: tuple[Theme, ...]) -> Findings:
    changing, clear, looked = read_changing(published, MOST_CHANGES)
    names = {subject.product_id: subject.name for subject in catalogue.subjects}
    worst: dict[str, Theme] = {}
    hidden = 0
    if len(catalogue.subjects) <= FEW:
        by_product = read_themes(published, [s.product_id for s in catalogue.subjects])
        blocks = tuple(
            Block(subject.name, tuple(by_product[subject.product_id][:MOST_THEMES]))
            for subject in catalogue.subjects
            if subject.product_id in by_product
        )
        hidden = sum(max(len(themes) - MOST_THEMES, 0) for themes in by_product.values())
    else:
        blocks = (Block(f"All {len(catalogue.subjects):,} products", pooled[:MOST_THEMES]),)
        worst = read_worst(published)
        hidden = max(len(pooled) - MOST_THEMES, 0)
    return Findings(blocks, pooled, worst, tuple(changing), clear, looked, names, hidden)


# Words ------------------------------------------------------------------------------------------


def headline(found: Findings) -> str:
    """The theme with most complaints, and whether any theme is spoken of more than before."""
    complained = [theme for theme in found.pooled if theme.complaints]
    if not complained:
        first = "No complaint about any known theme"
    else:
        most = complained[0]
        first = (
            f"Most complaints are about {most.words}, in {share_words(most.complaint_share)} of "
            f"{plural(most.product_texts, 'review')} and posts"
        )
    rising = [theme for theme in found.changing if theme.is_clear and (theme.change or 0) > 0]
    if not found.looked:
        return f"{first}; too few texts to say what is rising"
    if not found.clear:
        return f"{first}; no theme rose or fell clearly in 28 days"
    if found.clear == 1:
        (theme,) = (theme for theme in found.changing if theme.is_clear)
        name = found.names.get(theme.product_id or "", theme.product_id or "")
        word = "more" if rising else "fewer"
        return f"{first}; {word} texts than before speak of {theme.words} at {name}"
    return f"{first}; {found.clear:,} themes of products rose or fell clearly in 28 days"


def _heading(overview: Overview, catalogue: Catalogue, found: Findings) -> Heading:
    texts = (
        found.pooled[0].product_texts
        if found.pooled
        else sum(
            max((theme.product_texts for theme in block.themes), default=0)
            for block in found.blocks
        )
    )
    facts = (
        f"n = {plural(texts, 'review')} and posts about "
        f"{plural(len(catalogue.subjects), 'product')} that the sentiment model can "
        f"read, {found.looked:,} themes of products compared. "
        f"Window: {window_words(overview)}. Cut-off: {overview.cutoff}."
    )
    how = (
        "Bars: texts whose sentences on the theme are negative (left) or positive (right), as a "
        "share of all texts; a text may speak of several themes. The model reads too much as "
        "negative and misses sarcasm: compare themes, do not read a bar alone. Below: the share "
        "of texts that speak of a theme, the last 28 days less the 28 before, with its 95 % "
        "interval; clear where q is at most 0.05, all products and themes counted. "
    )
    if found.worst:
        how += "Worst: where complaints most surely outnumber praise, of 20 texts or more."
    else:
        how += "Words in quotes are found in the complaints about that product alone."
    caption = [facts, how, f"Source: mart_review_themes; {source_words(overview)}."]
    if found.themes_left_out:
        hidden = plural(found.themes_left_out, "theme")
        note = f"{hidden} with fewer complaints left out here, all are in the published file."
        caption.insert(0, note)
    keys = [
        Key("shade", MOOD, "complaints", MOOD_INK),
        Key("shade", SALES, "praise", SALES_INK),
    ]
    if found.changing:
        if found.clear:
            keys.append(Key("dot", OUTSIDE, "spoken of more or less by more than chance", MOOD_INK))
        if any(not theme.is_clear for theme in found.changing):
            keys.append(Key("dot", MUTED, "no change that is more than chance", MUTED))
    return Heading(
        question=QUESTION,
        headline=headline(found),
        caption=tuple(caption),
        keys=tuple(keys),
        is_simulated=overview.is_simulated,
    )


def table(found: Findings) -> Table:
    """The themes of each block with their counts, then the changes of the last 28 days."""
    rows: list[tuple[str, ...]] = []
    for block in found.blocks:
        for theme in block.themes:
            rows.append((block.title, theme.words, *_cells(theme)))
    listed = {(found.names.get(t.product_id or "", ""), t.words) for b in found.blocks
              for t in b.themes if t.product_id}  # fmt: skip
    for theme in found.changing:
        name = found.names.get(theme.product_id or "", theme.product_id or "")
        if (name, theme.words) not in listed:
            rows.append((name, theme.words, *_cells(theme)))
    titles = (
        "product", "theme", "texts", "complaints", "praise", "mixed", "neutral",
        "complaints of all texts", "change in 28 days, points", "q",
    )  # fmt: skip
    total = len(rows) + found.themes_left_out
    return Table(
        titles, tuple(rows[:MOST_ROWS]), frozenset(range(2, 10)), left_out(total, len(rows))
    )


def _cells(theme: Theme) -> tuple[str, ...]:
    change, q_value = "", ""
    if theme.has_interval:
        change = change_words(theme)
        q_value = "" if theme.q_value is None else f"{theme.q_value:.2g}"
    elif theme.product_id is None:
        change = f"up in {theme.rising:,}, down in {theme.falling:,} products"
    else:
        change = "too few texts"
    counts = (theme.texts, theme.complaints, theme.praise, theme.mixed, theme.neutral)
    return (
        *(f"{count:,}" for count in counts),
        share_words(theme.complaint_share),
        change,
        q_value,
    )


def change_words(theme: Theme) -> str:
    """`+4.1 (+1.7 to +6.5)`."""
    assert theme.change is not None
    assert theme.low is not None
    assert theme.high is not None
    ends = f"{points_words(theme.low)} to {points_words(theme.high)}"
    return f"{points_words(theme.change)} ({ends})"


# The picture ------------------------------------------------------------------------------------


def draw(overview: Overview, catalogue: Catalogue, found: Findings) -> Sheet:
    """Blocks of themes side by side, the changes of the last 28 days below."""
    most = max(len(block.themes) for block in found.blocks)
    upper = _HEAD + most * _ROW
    lower = _HEAD + max(len(found.changing), 1) * _ROW + _AXIS
    sheet = new_sheet(_heading(overview, catalogue, found), width=WIDTH, body=upper + _GAP + lower)
    count = len(found.blocks)
    width = (WIDTH - 2 * MARGIN - (count - 1) * _GAP) / count
    limit = _limit(found.blocks)
    for number, block in enumerate(found.blocks):
        left = MARGIN + number * (width + _GAP)
        _block(sheet, found, block, (left, sheet.top, width), limit)
    changes(sheet, found, (MARGIN, sheet.top + upper + _GAP, WIDTH - 2 * MARGIN))
    return sheet


def _limit(blocks: Sequence[Block]) -> float:
    return max(
        (max(t.complaint_share, t.praise_share) for block in blocks for t in block.themes),
        default=0.0,
    )


def _block(
    sheet: Sheet, found: Findings, block: Block, place: tuple[float, float, float], limit: float
) -> None:
    left, top, width = place
    is_pooled = bool(found.worst) or (bool(block.themes) and block.themes[0].product_id is None)
    texts = max((theme.product_texts for theme in block.themes), default=0)
    sheet.text(fit(block.title, width, SIZE_TITLE, bold=True), left, top, SIZE_TITLE, bold=True)
    below = top + line_height(SIZE_TITLE)
    note = f"complaints and praise, of {plural(texts, 'text')}"
    sheet.text(fit(note, width, SIZE_NOTE), left, below, SIZE_NOTE, colour=MUTED)
    bars = width * 0.58 if is_pooled else width
    if is_pooled:
        sheet.text("worst product", left + bars + _GAP, below, SIZE_NOTE, colour=MUTED)
    opinions(sheet, block.themes, (left, top + _HEAD, bars), limit)
    for number, theme in enumerate(block.themes if is_pooled else ()):
        worst = found.worst.get(theme.name)
        words = "in no product do complaints outnumber praise"
        if worst is not None:
            name = found.names.get(worst.product_id or "", worst.product_id or "")
            numbers = f", {worst.complaints:,} of {worst.texts:,} texts complain"
            room = width - bars - _GAP - text_width(numbers, SIZE_NOTE)
            words = fit(name, room, SIZE_NOTE) + numbers
        sheet.text(
            fit(words, width - bars - _GAP, SIZE_NOTE), left + bars + _GAP,
            top + _HEAD + (number + 0.5) * _ROW, SIZE_NOTE, va="center_baseline",
            colour=MUTED if worst is None else MOOD_INK,
        )  # fmt: skip


def _label(count: int, share: float) -> str:
    return f"{count:,} · {share_words(share)}" if count else "0"


def opinions(
    sheet: Sheet, themes: Sequence[Theme], place: tuple[float, float, float], limit: float
) -> None:
    """Names of themes, and bars to the left (complaints) and the right (praise) of one line."""
    left, top, width = place
    names = min(_NAMES, width * 0.34)
    for number, theme in enumerate(themes):
        sheet.text(
            fit(theme.words, names - 0.1, SIZE_NOTE), left, top + (number + 0.5) * _ROW,
            SIZE_NOTE, va="center_baseline",
        )  # fmt: skip
    axes = sheet.axes(left + names, top, width - names, len(themes) * _ROW)
    axes.set_ylim(len(themes) - 0.5, -0.5)
    axes.set_yticks([])
    longest = max(
        (
            _label(count, share)
            for theme in themes
            for count, share in (
                (theme.complaints, theme.complaint_share),
                (theme.praise, theme.praise_share),
            )
        ),
        key=len,
        default="",
    )
    label = text_width(longest, SIZE_TICK) + 0.12
    # Room for the label beyond the longest bar on both sides.
    reach = max(limit, 1e-9) / max(1 - 2 * label / (width - names), 0.2)
    axes.set_xlim(-reach, reach)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=3)
    for number, theme in enumerate(themes):
        for share, count, sign, colour, ink in (
            (theme.complaint_share, theme.complaints, -1, MOOD, MOOD_INK),
            (theme.praise_share, theme.praise, 1, SALES, SALES_INK),
        ):
            axes.barh(number, sign * share, height=0.66, color=colour, linewidth=0, zorder=2)
            axes.annotate(
                _label(count, share), (sign * share, number),
                xytext=(3 * sign, 0), textcoords="offset points", fontsize=SIZE_TICK, color=ink,
                ha="left" if sign > 0 else "right", va="center",
            )  # fmt: skip


def changes(sheet: Sheet, found: Findings, place: tuple[float, float, float]) -> None:
    """What is spoken of more or less in the last 28 days: one interval a product and theme."""
    left, top, width = place
    title = "What changed in the last 28 days"
    if found.looked and not found.clear:
        note = (
            f"no change is more than chance in {plural(found.looked, 'theme')} of products; "
            "those nearest to one are shown"
        )
    elif found.looked:
        note = f"{found.clear:,} of {plural(found.looked, 'theme')} of products changed clearly"
    else:
        note = "too few texts in either 28 days to compare any theme: nothing is said to rise"
    sheet.text(title, left, top, SIZE_TITLE, bold=True)
    below = top + line_height(SIZE_TITLE)
    sheet.text(fit(note, width - 2.8, SIZE_NOTE), left, below, SIZE_NOTE, colour=MUTED)
    if not found.changing:
        sheet.block(left, top + _HEAD, width, _ROW, fill=PANEL)
        return
    names = min(3.4, width * 0.34)
    numbers = 2.6
    sheet.text(
        "change, points of 100", left + width - numbers + 0.15, below, SIZE_NOTE,
        colour=MUTED,
    )  # fmt: skip
    for number, theme in enumerate(found.changing):
        middle = top + _HEAD + (number + 0.5) * _ROW
        name = found.names.get(theme.product_id or "", theme.product_id or "")
        room = names - 0.15 - text_width(f"{theme.words}, ", SIZE_NOTE)
        words = f"{theme.words}, {fit(name, room, SIZE_NOTE)}"
        ink = MOOD_INK if theme.is_clear else MUTED
        sheet.text(
            fit(words, names - 0.1, SIZE_NOTE), left, middle, SIZE_NOTE, va="center_baseline"
        )
        q_value = "" if theme.q_value is None else f", q = {theme.q_value:.2g}"
        sheet.text(
            fit(f"{change_words(theme)}{q_value}", numbers - 0.15, SIZE_NOTE),
            left + width - numbers + 0.15, middle, SIZE_NOTE, colour=ink, va="center_baseline",
        )  # fmt: skip
    axes = sheet.axes(
        left + names, top + _HEAD, width - names - numbers, len(found.changing) * _ROW
    )
    _intervals(axes, found.changing)


def _intervals(axes: Axes, themes: Sequence[Theme]) -> None:
    axes.set_ylim(len(themes) - 0.5, -0.5)
    axes.set_yticks([])
    ends = [abs(end) for theme in themes for end in (theme.low, theme.high) if end is not None]
    limit = next((step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if step >= max(ends)), 1.0)
    axes.set_xlim(-limit, limit)
    ticks = [-limit, -limit / 2, 0.0, limit / 2, limit]
    axes.set_xticks(ticks, [points_words(tick) if tick else "0" for tick in ticks])
    axes.axvline(0, color=MUTED, linewidth=0.7, zorder=1)
    axes.grid(visible=True, axis="x", color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    for number, theme in enumerate(themes):
        if theme.change is None or theme.low is None or theme.high is None:
            continue
        colour = OUTSIDE if theme.is_clear else MUTED
        axes.plot([theme.low, theme.high], [number, number], "-", color=colour, linewidth=1.5)
        axes.plot([theme.change], [number], "o", color=colour, markersize=4.4, markeredgewidth=0)


CHART = Chart("complaints", QUESTION, picture)

if __name__ == "__main__":
    sys.exit(script(CHART))
