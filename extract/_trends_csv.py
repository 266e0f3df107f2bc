"""The CSV files that the Google Trends site writes, read by their structure.

The site writes its words in the reader's language, so no word decides what a file is: a series is
rows that begin with a date, below a row of names. Names end with the region in brackets after a
colon; where the file has them, lines before say the category.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise

from extract._trends_dates import Moment, read_moments
from udfs.errors import SocialSignalsError

FILE_BYTES = 16 * 1024 * 1024
_SHOWN = 2_000
_DELIMITERS = ",;\t"
_RANGE = re.compile(r"^(?P<first>.*\d\D?)\s*(?:\s-\s|[–—~])\s*(?P<last>\d.*)$")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
_GROUPED = re.compile(r"\d{1,3}(?:[., '’]\d{3})+")
_BELOW_ONE = re.compile(r"<\s*1")
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


class ExportError(SocialSignalsError):
    """A file is no interest over time; the message says what it is instead."""


@dataclass(frozen=True, slots=True)
class Column:
    """One series of a file: its name as written, the term and the region in it (None if it names
    no region)."""

    name: str
    term: str
    region: str | None


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as written, "<1" included; `at` is the time of day of an hour or a minute."""

    column: Column
    day: date
    at: str | None
    value: str
    is_partial: bool


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line or cell that cannot be used."""

    line: int
    text: str
    reason: str


@dataclass(slots=True)
class Export:
    """What one file says. `digest` tells contents apart whatever the encoding, line ends and
    delimiter; `last_moment_end` is when the last point's period is over, in the file's own time."""

    columns: list[Column]
    resolution: str
    cells: list[Cell]
    first_day: date
    last_day: date
    last_moment_end: datetime
    preamble: list[str]
    digest: str
    has_partial_column: bool
    bad_lines: list[BadLine] = field(default_factory=list)


def decode(content: bytes) -> str:
    """The text of a file: UTF-8 or UTF-16, with or without a mark, else Windows' western letters.

    Raises:
        ExportError: it is no text.
    """
    if content.startswith((b"PK\x03\x04", b"\x1f\x8b", b"%PDF", b"\xd0\xcf\x11\xe0")):
        raise ExportError(
            "the file is an archive, a workbook or a document.",
            "Download the CSV from the site again, or unpack it.",
        )
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        start = content[:2_000]
        encodings = ["utf-8-sig", "cp1252"]
        if start[1::2].count(0) > len(start) // 4:
            encodings = ["utf-16-le"]
        elif start[0::2].count(0) > len(start) // 4:
            encodings = ["utf-16-be"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeError:
            continue
        if "\x00" not in text:
            return text.lstrip("\ufeff")
    raise ExportError("the file is no text.", "Download the CSV from the site again.")


def parse_export(content: bytes, *, date_order: str | None = None) -> Export:
    """Read a file of interest over time.

    `date_order` is `mdy` or `dmy` for dates such as 1/2/2026, where the file itself leaves it open.

    Raises:
        ExportError: the file is something else, or its dates cannot be told.
    """
    if len(content) > FILE_BYTES:
        raise ExportError(
            f"the file has more than {FILE_BYTES:,} bytes, which no download of the site has.",
            "Take it out of the folder.",
        )
    text = decode(content)
    delimiter, rows = _rows(text)
    if not rows:
        raise ExportError("the file is empty.", "Download it again.")
    first = next((i for i, (_, row) in enumerate(rows) if _begins_a_series(row)), None)
    if first is None:
        raise _not_a_series(rows)
    header_at = next((i for i in range(first - 1, -1, -1) if len(rows[i][1]) >= 2), None)
    if header_at is None:
        raise ExportError(
            "no row of names stands above the first date, so its terms are not known.",
            "Download the file again with its first lines.",
        )
    names = rows[header_at][1]
    preamble = [" ".join(row).strip() for _, row in rows[:header_at] if any(row)]
    return _series(rows[first:], names, preamble, delimiter, date_order)


def _rows(text: str) -> tuple[str, list[tuple[int, list[str]]]]:
    """The delimiter and the rows that hold something, with their line numbers."""
    best: tuple[int, str, list[tuple[int, list[str]]]] = (-1, ",", [])
    for delimiter in _DELIMITERS:
        found: list[tuple[int, list[str]]] = []
        try:
            reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
            for row in reader:
                if any(cell.strip() for cell in row):
                    found.append((reader.line_num, [_clean(cell) for cell in row]))
        except csv.Error:
            continue
        score = sum(_begins_a_series(row) for _, row in found)
        if score > best[0]:
            best = (score, delimiter, found)
    return best[1], best[2]


def _clean(cell: str) -> str:
    """A cell without marks that nobody sees and with plain spaces."""
    kept = "".join(c for c in cell if unicodedata.category(c) != "Cf")
    return " ".join(kept.split())


def _begins_a_series(row: Sequence[str]) -> bool:
    return len(row) >= 2 and bool(read_moments([_first_of_range(row[0])], order="mdy")[0])


def _first_of_range(text: str) -> str:
    """Old exports write a week as `2016-01-03 - 2016-01-09`."""
    match = _RANGE.match(text)
    return match["first"].strip() if match and len(match["first"].strip()) >= 6 else text


def _not_a_series(rows: Sequence[tuple[int, list[str]]]) -> ExportError:
    """What a file without dates is, by its structure."""
    single = [row for _, row in rows if len([cell for cell in row if cell]) == 1]
    pairs = [row for _, row in rows if len(row) >= 2]
    header = pairs[0] if pairs else []
    related = ExportError(
        "the file lists related queries or topics, which are no series.",
        "Download 'Interest over time' instead; take this file out of the folder.",
    )
    if any(row[0] in ("TOP", "RISING") for row in single):
        return related
    if any("(" in name or "（" in name for name in header[1:]):
        return ExportError(
            "the file is a map of interest by region over one period, which is no series.",
            "Download 'Interest over time' for each region instead; take this file out of the "
            "folder.",
        )
    if len(single) > 1 and any(re.fullmatch(r"\+?[\d.,\s]+%", row[-1]) for row in pairs):
        return related
    return ExportError(
        "no row begins with a date, so it is no interest over time.",
        "Download 'Interest over time' from the site; take this file out of the folder.",
    )


def _series(
    rows: Sequence[tuple[int, list[str]]],
    names: Sequence[str],
    preamble: list[str],
    delimiter: str,
    date_order: str | None,
) -> Export:
    bad: list[BadLine] = []
    partial_at = next((i for i, name in enumerate(names) if i and _is_partial_name(name)), None)
    columns: dict[int, Column] = {}
    for index, name in enumerate(names):
        if name in {column.name for column in columns.values()}:
            bad.append(BadLine(1, name[:_SHOWN], f"the name {name!r} comes twice"))
        elif index and index != partial_at and name:
            columns[index] = _column(name)
    if not columns:
        raise ExportError("no column has a name.", "Download the file again.")
    usable = _usable(rows, names, delimiter, date_order, bad)
    if not usable:
        raise ExportError(
            f"no line can be used; the first: {bad[0].reason}.",
            "Where days and months look alike, set sources.google_trends.date_order.",
        )
    resolution = _resolution([moment for _, _, moment in usable], rows[0][1][0], names[0])
    cells = []
    for line, row, moment in usable:
        is_partial = _is_true(row[partial_at]) if partial_at is not None else False
        if is_partial is None:
            shown = delimiter.join(row)[:_SHOWN]
            told = f"{names[partial_at or 0]}: {row[partial_at or 0]!r} is neither true nor false"
            bad.append(BadLine(line, shown, told))
            continue
        for index, column in columns.items():
            value, problem = read_value(row[index])
            if problem:
                bad.append(BadLine(line, row[index][:_SHOWN], f"{column.name}: {problem}"))
            elif value:
                at = f"{moment.start:%H:%M:%S}" if resolution in ("hour", "minute") else None
                cells.append(Cell(column, moment.start.date(), at, value, is_partial))
    starts = [moment.start for _, _, moment in usable]
    last_end = _end(starts, resolution)
    return Export(
        columns=list(columns.values()),
        resolution=resolution,
        cells=cells,
        first_day=starts[0].date(),
        last_day=(last_end - timedelta(seconds=1)).date(),
        last_moment_end=last_end,
        preamble=preamble,
        digest=_digest(resolution, preamble, cells),
        has_partial_column=partial_at is not None,
        bad_lines=sorted(bad, key=lambda item: item.line),
    )


def _usable(
    rows: Sequence[tuple[int, list[str]]],
    names: Sequence[str],
    delimiter: str,
    date_order: str | None,
    bad: list[BadLine],
) -> list[tuple[int, list[str], Moment]]:
    """The lines that have a date and as many fields as names, in order of time, each date once;
    the others go to `bad`."""
    moments = read_moments([_first_of_range(row[0]) for _, row in rows], order=date_order)
    usable: list[tuple[int, list[str], Moment]] = []
    known: dict[Moment, list[str]] = {}
    for (line, row), moment in zip(rows, moments, strict=True):
        while len(row) > len(names) and not row[-1]:
            row.pop()
        shown = delimiter.join(row)[:_SHOWN]
        if moment is None:
            bad.append(BadLine(line, shown, f"{names[0] or 'date'}: {row[0]!r} is no date"))
        elif len(row) != len(names):
            bad.append(BadLine(line, shown, f"{len(row)} fields instead of {len(names)}"))
        elif moment in known:
            if known[moment] != row:
                bad.append(BadLine(line, shown, f"{row[0]} comes twice with other values"))
        else:
            known[moment] = row
            usable.append((line, row, moment))
    return sorted(usable, key=lambda item: item[2].start)


def _is_partial_name(name: str) -> bool:
    return name.casefold().replace(" ", "").replace("_", "") == "ispartial"


def _is_true(text: str) -> bool | None:
    word = text.casefold()
    return True if word in _TRUE else False if word in _FALSE else None


def _column(name: str) -> Column:
    term, region = split_name(name)
    return Column(name, term, region)


def split_name(name: str) -> tuple[str, str | None]:
    """`term: (Region)` in any language as term and region; the term may hold colons and brackets.

    >>> split_name("C++ (language): basics: (United States)")
    ('C++ (language): basics', 'United States')
    """
    text = name.strip()
    if text.endswith((")", "）")):
        depth = 0
        for position in range(len(text) - 1, -1, -1):
            depth += (text[position] in ")）") - (text[position] in "(（")
            if depth == 0:
                before = text[:position].rstrip()
                if before.endswith((":", "：")) and before[:-1].strip():
                    return before[:-1].strip(), text[position + 1 : -1].strip()
                break
    return text, None


def read_value(text: str) -> tuple[str, str]:
    """A cell as "<1", a number, or nothing; and what is wrong with it."""
    plain = unicodedata.normalize("NFKC", html.unescape(text)).strip()
    if not plain:
        return "", ""
    if _BELOW_ONE.fullmatch(plain):
        return "<1", ""
    if _GROUPED.fullmatch(plain):
        return "", f"{plain!r} is more than 100"
    if not _NUMBER.fullmatch(plain):
        return "", f"{text[:80]!r} is no number from 0 to 100 and not '<1'"
    number = float(plain.replace(",", "."))
    if number > 100:
        return "", f"{plain!r} is more than 100"
    return (str(int(number)) if number == int(number) else repr(number)), ""


_DAY_STEPS = {1: "day", 7: "week", **dict.fromkeys(range(28, 32), "month")}
_YEAR_DAYS = (365, 366)
# Only for a file of a single point, whose length nothing else tells.
_FIRST_WORDS = {
    "day": ("day", "tag", "jour", "día", "giorno", "dia", "dag", "dzień", "日", "天", "일"),
    "week": ("week", "woche", "semaine", "semana", "settimana", "vecka", "tydzień", "週", "周"),
    "month": ("month", "monat", "mois", "mes", "mese", "mês", "maand", "miesiąc", "月", "월"),
}  # fmt: skip


def _resolution(moments: Sequence[Moment], first_text: str, first_name: str) -> str:
    """How long a point is, by the commonest step between points."""
    if all(moment.precision == "month" for moment in moments):
        return "month"
    starts = [moment.start for moment in moments]
    if len(starts) == 1:
        if _RANGE.match(first_text):
            return "week"
        word = first_name.casefold()
        for resolution, words in _FIRST_WORDS.items():
            if word in words and moments[0].precision == "day":
                return resolution
        raise ExportError(
            "the file holds one point, and nothing says how long it is.",
            "Download a longer range.",
        )
    steps = Counter(after - before for before, after in pairwise(starts))
    months = sum(n for step, n in steps.items() if 28 <= step.days <= 31)
    step = min(steps, key=lambda item: (-steps[item], item))
    if months > steps[step]:
        step = timedelta(days=30)
    if step < timedelta(hours=1):
        return "minute"
    if step < timedelta(days=1):
        return "hour"
    if step.days in _YEAR_DAYS:
        return "year"
    known = _DAY_STEPS.get(step.days)
    if known is None or step % timedelta(days=1):
        raise ExportError(
            f"its points are {step} apart, which no download of the site has.",
            "Download it again, without changes by other programs.",
        )
    return known


def _end(starts: Sequence[datetime], resolution: str) -> datetime:
    last = starts[-1]
    if resolution == "month":
        return _next_month(last)
    if resolution == "year":
        return last.replace(year=last.year + 1)
    if resolution in ("day", "week"):
        return last + timedelta(days=7 if resolution == "week" else 1)
    steps = [after - before for before, after in pairwise(starts)]
    return last + min(steps)


def _next_month(moment: datetime) -> datetime:
    return (moment.replace(day=1) + timedelta(days=32)).replace(day=1)


def _digest(resolution: str, preamble: Sequence[str], cells: Sequence[Cell]) -> str:
    """Of what the file says. Whether a point is partial is left out: that may be found out from
    the file's date, and the same answer must stay the same draw."""
    content = [
        resolution,
        list(preamble),
        sorted((c.column.name, c.day.isoformat(), c.at or "", c.value) for c in cells),
    ]
    text = json.dumps(content, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def category_of(preamble: Sequence[str]) -> str:
    """What the lines above the names say of the category, without its heading; empty for all."""
    for line in preamble:
        heading, colon, rest = line.replace("：", ":").partition(":")
        if colon and heading.strip() and rest.strip():
            words = rest.strip().strip(",;\t ")
            return "" if words.casefold() in ALL_CATEGORIES else words
    return ""


ALL_CATEGORIES = frozenset(
    {
        "all categories", "alle kategorien", "toutes catégories", "toutes les catégories",
        "todas las categorías", "todas as categorias", "tutte le categorie", "alle categorieën",
        "alla kategorier", "alle kategorier", "kaikki luokat", "wszystkie kategorie",
        "všechny kategorie", "tüm kategoriler", "все категории", "усі категорії",
        "すべてのカテゴリ", "全てのカテゴリ", "所有类别", "所有類別", "모든 카테고리",
        "semua kategori", "tất cả danh mục", "सभी श्रेणियां", "جميع الفئات", "כל הקטגוריות",
    }
)  # fmt: skip
