"""The catalogue of tracked products: CSV files, checked before anything is built on them.

`products.csv` and `terms.csv` are needed; `events.csv`, the calendar that its user edits, is not.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from datetime import date
from pathlib import Path

from extract.base import Product
from pipeline.settings import SettingsError

PRODUCT_COLUMNS = ("product_id", "product_name", "brand", "category", "url")
TERM_COLUMNS = ("product_id", "term", "kind")
EVENT_COLUMNS = (
    "event_id",
    "event_kind",
    "event_name",
    "product_id",
    "starts_date",
    "ends_date",
)
KINDS = ("keyword", "hashtag", "cashtag", "handle", "exclusion", "sku", "repository", "launch")
OWNED_KINDS = {"sku": "Sales of a SKU", "repository": "A repository", "launch": "A launch"}
"""What can count for one product only."""
EVENT_KINDS = (
    "promotion",
    "holiday",
    "closed",
    "stock_out",
    "price_change",
    "outage",
    "campaign",
    "launch",
    "release",
)
EVENT_SYNONYMS = {"promo": "promotion"}
WORD_CHARACTER = re.compile(r"\w")
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
SLUG = re.compile(r"[\w-]+", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2199, 12, 31)
_SHOWN_PROBLEMS = 20


def read_catalogue(folder: Path) -> tuple[Product, ...]:
    """Read `products.csv` and `terms.csv` of a folder, and check `events.csv` if it is there.

    Raises SettingsError naming file, line and field for the first thing that is wrong, also for a
    catalogue without products; of events for every line that is wrong.
    """
    products = _products(folder / "products.csv")
    terms = _terms(folder / "terms.csv", set(products))
    check_events(folder / "events.csv", set(products))
    return tuple(
        Product(
            product_id=product_id,
            product_name=row["product_name"],
            brand=row["brand"],
            category=row["category"],
            terms={kind: tuple(values) for kind, values in terms[product_id].items()},
        )
        for product_id, row in products.items()
    )


def _products(file: Path) -> dict[str, dict[str, str]]:
    products: dict[str, dict[str, str]] = {}
    for line, row in _rows(file, PRODUCT_COLUMNS):
        product_id = row["product_id"]
        for column in ("product_id", "product_name", "category"):
            if not row[column]:
                raise SettingsError(f"{file}, line {line}: {column} is empty.", "Fill it in.")
        if product_id in products:
            raise SettingsError(
                f"{file}, line {line}: product_id {product_id!r} stands there twice.",
                "Give every product an id of its own.",
            )
        products[product_id] = row
    if not products:
        raise SettingsError(
            f"{file} lists no products: nothing would be tracked.",
            "Add at least one line: product_id,product_name,brand,category,url.",
        )
    return products


def _terms(file: Path, products: set[str]) -> dict[str, dict[str, list[str]]]:
    terms: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    owners: dict[tuple[str, str], str] = {}
    for line, row in _rows(file, TERM_COLUMNS):
        product_id, term, kind = row["product_id"], row["term"], row["kind"]
        if product_id not in products:
            raise SettingsError(
                f"{file}, line {line}: product_id {product_id!r} is not in products.csv.",
                "Correct the id or add the product.",
            )
        if kind not in KINDS:
            raise SettingsError(
                f"{file}, line {line}: kind {kind!r} is not one of {', '.join(KINDS)}.",
                "Use one of these.",
            )
        if kind not in OWNED_KINDS and not WORD_CHARACTER.search(term):
            raise SettingsError(
                f"{file}, line {line}: term {term!r} holds no letter or digit.",
                "Terms are words: give at least one.",
            )
        if kind in OWNED_KINDS:
            _check_owned(file, line, row, owners)
        terms[product_id][kind].append(term)
    return terms


def _check_owned(
    file: Path, line: int, row: dict[str, str], owners: dict[tuple[str, str], str]
) -> None:
    """A term that names one thing of one product: a SKU, a repository, a launch."""
    product_id, term, kind = row["product_id"], row["term"], row["kind"]
    if not term:
        raise SettingsError(f"{file}, line {line}: term is empty.", "Fill it in.")
    if kind == "repository" and not REPOSITORY.fullmatch(term):
        raise SettingsError(
            f"{file}, line {line}: term {term!r} is no repository.", "Write owner/name."
        )
    if kind == "launch" and not SLUG.fullmatch(term):
        raise SettingsError(
            f"{file}, line {line}: term {term!r} is no launch at Product Hunt.",
            "Write the last part of its address: producthunt.com/posts/<this>.",
        )
    # Compared without regard to case; of a SKU `*:` stands for every shop.
    known = term.lower().removeprefix("*:") if kind == "sku" else term.lower()
    owner = owners.setdefault((kind, known), product_id)
    if owner != product_id:
        name = "SKU" if kind == "sku" else kind
        raise SettingsError(
            f"{file}, line {line}: {name} {term!r} belongs to {owner!r} already.",
            f"{OWNED_KINDS[kind]} can count for one product only.",
        )


def check_events(file: Path, products: set[str]) -> None:
    """Check the calendar that its user edits; a file that is absent is an empty one.

    Raises SettingsError with every line that cannot be used, its field and what to write there.
    """
    if not file.is_file():
        return
    problems: list[str] = []
    seen: dict[str, int] = {}
    for line, row in _rows(file, EVENT_COLUMNS):
        event_id = row["event_id"]
        for column, what in _event_problems(row, products):
            problems.append(f"line {line}: {column} {row[column]!r} {what}")
        if event_id in seen:
            problems.append(
                f"line {line}: event_id {event_id!r} stands in line {seen[event_id]} already: give "
                "every event an id of its own."
            )
        elif event_id:
            seen[event_id] = line
    if problems:
        shown = problems[:_SHOWN_PROBLEMS]
        more = len(problems) - len(shown)
        shown += [f"… and {more:,} more"] if more > 0 else []
        listed = "\n".join(f"  {problem}" for problem in shown)
        raise SettingsError(
            f"{file} cannot be used:\n{listed}", "Correct these lines, or delete them."
        )


def _event_problems(row: dict[str, str], products: set[str]) -> list[tuple[str, str]]:
    """Columns of an event that cannot be used, and why with the remedy."""
    found = []
    if not row["event_id"]:
        found.append(("event_id", "is empty: give every event an id."))
    kind = row["event_kind"].lower()
    if EVENT_SYNONYMS.get(kind, kind) not in EVENT_KINDS:
        found.append(("event_kind", f"is not one of {', '.join(EVENT_KINDS)}: use one of these."))
    if not row["event_name"]:
        found.append(("event_name", "is empty: say what happens, for the charts."))
    if row["product_id"] and row["product_id"] not in products:
        found.append(
            ("product_id", "is not in products.csv: correct it, or leave it empty for the shop.")
        )
    first, last = _day(row["starts_date"]), _day(row["ends_date"])
    if first is None:
        found.append(("starts_date", "is no day: write 2026-11-27."))
    if row["ends_date"] and last is None:
        found.append(("ends_date", "is no day: write 2026-11-30, or leave it empty for one day."))
    elif first is not None and last is not None and last < first:
        found.append(("ends_date", f"is before starts_date {first}: swap them."))
    return found


def _day(text: str) -> date | None:
    """A day of the years 1970 to 2199."""
    if not _DAY.fullmatch(text):
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if _FIRST_DAY <= day <= _LAST_DAY else None


def _rows(file: Path, columns: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            header = reader.fieldnames or []
            missing = [column for column in columns if column not in header]
            if missing:
                raise SettingsError(
                    f"{file}: column {missing[0]!r} is missing.",
                    f"The first line must be: {','.join(columns)}",
                )
            rows = []
            for row in reader:
                if row.get(None):
                    raise SettingsError(
                        f"{file}, line {reader.line_num}: there are more values than columns.",
                        "Put a value that holds a comma into double quotes.",
                    )
                kept = {column: (row[column] or "").strip() for column in columns}
                rows.append((reader.line_num, kept))
            return rows
    except FileNotFoundError as error:
        raise SettingsError(
            f"{file} does not exist.", f"Create it with the columns {','.join(columns)}."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8.", "Save it as UTF-8.") from error
    except csv.Error as error:
        raise SettingsError(f"{file} is not readable as CSV: {error}.", "Mend it.") from error
