"""What the published file tells of itself: descriptions of its tables, and macros for analysts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from pipeline.paths import DBT_PROJECT
from udfs.errors import SocialSignalsError
from warehouse.publishing import Macro, TableDescription


class DescriptionError(SocialSignalsError):
    """A file that describes tables or macros cannot be read."""


def table_descriptions(
    models: Path = DBT_PROJECT / "models" / "marts",
) -> dict[str, TableDescription]:
    """By model, what the files beside the models say of it and of its columns.

    These files are read and not dbt's manifest, which is gone after a `dbt clean`.
    """
    found = {}
    for file in sorted(models.rglob("*.yml")):
        for model in _read(file).get("models") or []:
            columns = model.get("columns") or []
            found[str(model["name"])] = TableDescription(
                _one_line(model.get("description")),
                {
                    str(column["name"]): text
                    for column in columns
                    if (text := _one_line(column.get("description")))
                },
            )
    return found


def analyst_macros(folder: Path = DBT_PROJECT / "analyst_macros") -> list[Macro]:
    """The macros, one .sql file each, with what `_macros.yml` says of them."""
    return [
        Macro(
            name=str(entry["name"]),
            parameters=tuple(str(parameter) for parameter in entry["parameters"]),
            query=(folder / f"{entry['name']}.sql").read_text(encoding="utf-8"),
            comment="{}({}): {}".format(
                entry["name"], ", ".join(entry["parameters"]), _one_line(entry["description"])
            ),
            is_scalar=bool(entry.get("is_scalar")),
        )
        for entry in _read(folder / "_macros.yml")["macros"]
    ]


def _read(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise DescriptionError(
            f"{file} is no YAML: {str(error).splitlines()[0]}.", "Mend the file."
        ) from error
    return content if isinstance(content, dict) else {}


def _one_line(text: object) -> str:
    return " ".join(str(text or "").split())
