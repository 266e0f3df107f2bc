"""`ops_` tables in a published file without a build: as the contracts of the marts say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import yaml

OPS = Path(__file__).resolve().parents[1] / "dbt_project" / "models" / "marts" / "ops"
Rows = Sequence[Mapping[str, Any]]


def contracts() -> dict[str, dict[str, str]]:
    """Columns and types of every `ops_` mart."""
    return {
        model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
        for file in sorted(OPS.glob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models") or ()
    }


def add_ops(file: Path, tables: Mapping[str, Rows], *, without: Sequence[str] = ()) -> None:
    """Add every `ops_` mart to a DuckDB file, with these rows; a column left out is null."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema if not exists marts")
        for name, columns in contracts().items():
            if name in without:
                continue
            listed = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
            connection.execute(f"create table marts.{name} ({listed})")
            for row in tables.get(name, ()):
                assert set(row) <= set(columns), f"{name} has no {set(row) - set(columns)}"
                names = ", ".join(row)
                marks = ", ".join("?" for _ in row)
                connection.execute(
                    f"insert into marts.{name} ({names}) values ({marks})", list(row.values())
                )
