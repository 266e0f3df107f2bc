"""Help for the tests of data sets: a mapping from keyword arguments and a pull to its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from extract import datasets
from extract.base import Context, Page, Record, Reject
from extract.datasets import DatasetMapping

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)

POSTS: dict[str, Any] = {
    "dataset": "tiny",
    "kind": "posts",
    "source": "invented",
    "licence": "CC0",
    "files": "*.csv",
    "columns": {"post_id": "id", "platform": {"constant": "x"}, "text": "text"},
}
SALES: dict[str, Any] = {
    "dataset": "tiny",
    "kind": "sales",
    "source": "invented",
    "licence": "CC0",
    "files": "*.csv",
    "product": {"column": "sku"},
    "columns": {"sold_at": "day", "quantity": "n"},
}


def with_columns(
    base: Mapping[str, Any], columns: Mapping[str, Any], **keys: Any
) -> dict[str, Any]:
    """A mapping's content with columns added and keys set."""
    return {**base, **keys, "columns": {**base["columns"], **columns}}


def write_mapping(folder: Path, content: Mapping[str, Any], name: str = "m.yml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(dict(content), allow_unicode=True), encoding="utf-8")
    return path


def context(root: Path) -> Context:
    return Context(
        run_id="run-1",
        now=lambda: NOW,
        catalogue=(),
        root=root,
        truth_path=root / "truth.json",
    )


def pull_pages(
    folder: Path, contents: Iterable[Mapping[str, Any]], cursor: Mapping[str, Any] | None = None
) -> list[Page]:
    """Write the mappings beside the data and pull to the end."""
    names = []
    for number, content in enumerate(contents):
        DatasetMapping.model_validate(dict(content))
        names.append(Path(write_mapping(folder, content, f"m{number}.yml").name))
    settings = datasets.Settings(folder=folder, mappings=tuple(names))
    return list(datasets.pull(settings, cursor or {}, context(folder)))


def pull_all(
    folder: Path, content: Mapping[str, Any], cursor: Mapping[str, Any] | None = None
) -> tuple[list[Record], list[Reject]]:
    """All records and rejects of one mapping."""
    pages = pull_pages(folder, [content], cursor)
    return (
        [record for page in pages for record in page.records],
        [reject for page in pages for reject in page.rejects],
    )


def payloads(folder: Path, content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The payloads of a pull that rejects nothing."""
    records, rejects = pull_all(folder, content)
    assert rejects == []
    return [dict(record.payload) for record in records]
