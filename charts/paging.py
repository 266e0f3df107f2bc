"""A script that makes several pictures, one a product: file names, the choice, what is stale."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from charts.picture import Picture
from charts.reading import (
    Catalogue,
    Overview,
    Published,
    Subject,
    open_published,
    read_catalogue,
    read_overview,
)
from charts.style import ChartError, clean, fit, house_style

FOLDER = "products"
Choice: TypeAlias = Literal["few", "all"] | Sequence[str]
_KINDS = frozenset({".png", ".svg"})
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_HASHED = re.compile(r".*-[0-9a-f]{12}")
# Names that Windows keeps for devices.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)


@dataclass(frozen=True, slots=True)
class Pages:
    """One question asked of each product, and the function that draws the pages of some."""

    name: str
    question: str
    pictures: Callable[[Published, Overview, Catalogue, Sequence[Subject]], Iterator[Picture]]
    few: Callable[[Published, Catalogue], Sequence[Subject]]


def page_name(product_id: str) -> str:
    """A file name of its own for every product, the same each time, whatever the id holds.

    Plain ids stand for themselves. Of any other the readable part is kept and a hash of the whole
    id follows: two ids never share a name, not even on disks that ignore case.
    """
    if (
        _PLAIN.fullmatch(product_id)
        and not _HASHED.fullmatch(product_id)
        and product_id not in _DEVICES
    ):
        return product_id
    readable = re.sub(r"[^a-z0-9]+", "-", product_id.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(product_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{readable or 'product'}-{digest}"


def write_pages(
    pages: Pages,
    published: Path,
    output: Path,
    *,
    products: Choice = "few",
    cutoff: datetime | None = None,
) -> list[Path]:
    """Write the pages of some products below `output`; return the files.

    "few" are those that the charts of many products show, "all" is every product; pages of others
    are removed, because they would tell of an older file. Named products get theirs beside those
    that are there, and only pages of products that are gone are removed.
    """
    folder = output / FOLDER
    written: list[Path] = []
    with open_published(published) as file, house_style():
        overview, catalogue = read_overview(file, cutoff=cutoff), read_catalogue(file)
        subjects = _chosen(pages, file, catalogue, products)
        for picture in pages.pictures(file, overview, catalogue, subjects):
            written += picture.save(folder)
    kept = {path.name for path in written}
    if products not in ("few", "all"):
        kept |= {
            f"{page_name(subject.product_id)}{kind}"
            for subject in catalogue.subjects
            for kind in _KINDS
        }
    _remove_others(folder, kept)
    return written


def _chosen(
    pages: Pages, published: Published, catalogue: Catalogue, products: Choice
) -> Sequence[Subject]:
    if products == "all":
        return catalogue.subjects
    if products == "few":
        return pages.few(published, catalogue)
    known = {subject.product_id: subject for subject in catalogue.subjects}
    for product_id in products:
        if product_id not in known:
            near = difflib.get_close_matches(product_id, known, n=3, cutoff=0.4)
            listed = near or [subject.product_id for subject in catalogue.subjects[:5]]
            names = ", ".join(fit(clean(each), 2.5, 8) for each in listed)
            raise ChartError(
                f"{published.file} has no product {fit(clean(product_id), 3, 8)!r}.",
                f"It has {names}, for example: dim_products lists them all."
                if listed
                else "It has no product at all: fill the catalogue and run again.",
            )
    return [known[product_id] for product_id in dict.fromkeys(products)]


def _remove_others(folder: Path, kept: set[str]) -> None:
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if file.suffix in _KINDS and file.name not in kept and file.is_file():
            try:
                file.unlink()
            except OSError as error:
                raise ChartError(
                    f"{file} tells of an older file and cannot be removed: "
                    f"{error.strerror or error}.",
                    "Remove it, or make its folder writable.",
                ) from error
