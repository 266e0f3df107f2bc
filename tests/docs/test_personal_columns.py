"""Columns that name or quote people are tagged `pii` wherever the project documents them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from extract.personal import NOBODY, SHAPES

MODELS = Path(__file__).resolve().parents[2] / "dbt_project" / "models"
PERSONAL = re.compile(
    r"(?:^|_)(?:author|user|customer|reviewer|maker|buyer|person)(?:_id|_key|_name|s)?$"
    r"|(?:^|_)(?:username|display_name|login|handle|email|phone|address|did)$"
)
WORDS = re.compile(r"^(?:text|body|example_texts?|quotes?|examples?|description_of_user)$")
COUNTED = re.compile(r"_(?:count|ratio|posts|days|rank)$|^(?:is|has)_")
NOT_PEOPLE = {
    # Counts of authors, not authors.
    ("fct_daily_signals", "authors"),
    ("int_daily__signals", "authors"),
}


def columns() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(table, column, definition) of every documented column of models and sources."""
    for file in sorted(MODELS.rglob("*.yml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        for model in content.get("models", []):
            for column in model.get("columns", []):
                yield model["name"], column["name"], column
        for source in content.get("sources", []):
            for table in source["tables"]:
                for column in table.get("columns", []):
                    yield f"{source['name']}.{table['name']}", column["name"], column


def is_tagged(column: dict[str, Any]) -> bool:
    config = column.get("config") or {}
    return "pii" in config.get("tags", []) and (config.get("meta") or {}).get("pii") is True


def is_personal(table: str, name: str) -> bool:
    if COUNTED.search(name) or (table, name) in NOT_PEOPLE:
        return False
    return bool(PERSONAL.search(name) or WORDS.match(name))


def test_every_personal_column_is_tagged() -> None:
    found = [(table, name, column) for table, name, column in columns() if is_personal(table, name)]
    assert len(found) > 40, "the search finds what is there"
    assert [(table, name) for table, name, column in found if not is_tagged(column)] == []


@pytest.mark.parametrize("scope", [scope for scope in SHAPES if SHAPES[scope] is not NOBODY])
def test_payloads_of_streams_about_people_are_tagged(scope: tuple[str, str]) -> None:
    name = ".".join(scope)
    payloads = [column for table, column_name, column in columns() if table == name
                and column_name == "payload"]  # fmt: skip
    assert [is_tagged(column) for column in payloads] == [True]
