"""The catalogue of tracked products: two CSV files, checked before anything is built on them."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from pathlib import Path

from extract.base import Product
from pipeline.settings import SettingsError

PRODUCT_COLUMNS = ("product_id", "product_name", "brand", "category", "url")
TERM_COLUMNS = ("product_id", "term", "kind")
KINDS = ("keyword", "hashtag", "cashtag", "handle", "exclusion", "sku")
WORD_CHARACTER = re.compile(r"\w")


def read_catalogue(folder: Path) -> tuple[Product, ...]:
    """Read `products.csv` and `terms.csv` of a folder.

    Raises SettingsError naming file, line and field for the first thing that is wrong, also for a
    catalogue without products.
    """
    products = _products(folder / "products.csv")
    terms = _terms(folder / "terms.csv", set(products))
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
    sku_owner: dict[str, str] = {}
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
        if kind != "sku" and not WORD_CHARACTER.search(term):
            raise SettingsError(
                f"{file}, line {line}: term {term!r} holds no letter or digit.",
                "Terms are words: give at least one.",
            )
        if kind == "sku":
            if not term:
                raise SettingsError(f"{file}, line {line}: term is empty.", "Fill it in.")
            # SKUs are compared without regard to case; `*:` stands for every shop.
            owner = sku_owner.setdefault(term.lower().removeprefix("*:"), product_id)
            if owner != product_id:
                raise SettingsError(
                    f"{file}, line {line}: SKU {term!r} belongs to {owner!r} already.",
                    "Sales of a SKU can count for one product only.",
                )
        terms[product_id][kind].append(term)
    return terms


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
            return [
                (reader.line_num, {column: (row[column] or "").strip() for column in columns})
                for row in reader
            ]
    except FileNotFoundError as error:
        raise SettingsError(
            f"{file} does not exist.", f"Create it with the columns {','.join(columns)}."
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8.", "Save it as UTF-8.") from error
    except csv.Error as error:
        raise SettingsError(f"{file} is not readable as CSV: {error}.", "Mend it.") from error
