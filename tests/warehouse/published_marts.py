"""A published file with every table of the real models and few rows, made without a build."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import yaml

from pipeline.analyst_aids import analyst_macros, table_descriptions
from pipeline.paths import DBT_PROJECT
from tests.fake_published import Planted, make_published
from warehouse.publishing import is_published, publish

FIRST = date(2026, 3, 2)
DAYS = 180
PRODUCTS = (
    Planted("medlar", "Medlar", 64, 31, 3, 0.34, "social_leads"),
    Planted("quince", "Quince", 30, 25),
    Planted("young", "Young", 22, 25, None, 0.0, "insufficient", "insufficient", "74 of 90 days"),
)


WITH_SERIES = (
    "dim_products",
    "fct_daily_signals",
    "fct_daily_metrics",
    "mart_sufficiency",
    "mart_lag_correlation",
    "mart_lead_lag",
    "mart_effect",
    "mart_insights",
)


def contracts() -> dict[str, list[tuple[str, str]]]:
    """Columns and types of every published model, as its contract has them."""
    return {
        model["name"]: [(column["name"], column["data_type"]) for column in model["columns"]]
        for file in sorted((DBT_PROJECT / "models").rglob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models") or []
        if is_published(model["name"])
    }


def make_marts(folder: Path, rows: str = "", *, with_series: bool = True) -> Path:
    """Publish tables as their contracts have them; `rows` is SQL that fills the work file.

    With series, the tables of a product's daily series and its claims hold the rows of
    `tests.fake_published`, in the columns that it has.
    """
    fake = make_published(
        folder / "fake.duckdb", PRODUCTS if with_series else (), days=DAYS, first=FIRST
    )
    with duckdb.connect(str(folder / "work.duckdb")) as connection:
        connection.execute("create schema marts")
        connection.execute(f"attach '{fake}' as fake (read_only)")
        for table, columns in contracts().items():
            listed = ", ".join(f'"{name}" {kind}' for name, kind in columns)
            connection.execute(f"create table marts.{table} ({listed})")
            found = connection.execute(
                "select column_name from duckdb_columns() "
                "where database_name = 'fake' and table_name = ?",
                [table],
            ).fetchall()
            shared = ", ".join(sorted({name for (name,) in found} & {name for name, _ in columns}))
            if shared and table in WITH_SERIES:
                connection.execute(
                    f"insert into marts.{table} by name select {shared} from fake.marts.{table}"
                )
        connection.execute(rows)
    publish(
        folder / "work.duckdb",
        folder / "published.duckdb",
        descriptions=table_descriptions(),
        macros=analyst_macros(),
    )
    return folder / "published.duckdb"
