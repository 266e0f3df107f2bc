"""The models' own unit tests, all of them, and a whole build over nothing: its columns are those
that are documented."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

from tests.docs.dbt_files import read_project
from tests.warehouse.dbt_builds import PROJECT, tiny_project


def columns_apart(database: Path) -> dict[str, list[str]]:
    """Columns that a built model has or its documentation names, but not both."""
    with duckdb.connect(str(database), read_only=True) as connection:
        rows = connection.execute(
            "select table_name, column_name from information_schema.columns"
            " where table_schema not in ('raw', 'seeds')"
        ).fetchall()
    built: dict[str, set[str]] = {}
    for table, column in rows:
        built.setdefault(table, set()).add(column)
    documented = {
        model.name: {column["name"] for column in model.columns}
        for model in read_project(PROJECT).models.values()
    }
    assert len(documented) > 100
    return {
        name: sorted(columns ^ built.get(name, set()))
        for name, columns in documented.items()
        if columns != built.get(name, set())
    }


def test_columns_that_are_not_documented_are_found(tmp_path: Path) -> None:
    database = tmp_path / "one.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("create table dim_products as select 1 as product_id, 2 as secret")
    apart = columns_apart(database)
    assert apart["dim_products"] == ["brand", "category", "product_name", "secret", "url"]
    assert "score" in apart["int_texts__sentiment"], "a model that was not built"


@pytest.mark.slow
def test_an_empty_target_builds_and_every_unit_test_holds(tmp_path: Path) -> None:
    project = tiny_project(tmp_path)
    project.dbt("build", "--exclude-resource-type", "unit_test")
    assert columns_apart(project.database) == {}
    printed = project.dbt("test", "--select", "test_type:unit")
    written = sum(
        len((yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("unit_tests", ()))
        for file in (PROJECT / "models").rglob("*.yml")
    )
    assert written > 20
    assert f"{written} unit tests in" in printed, printed[-3000:]
    assert "ERROR=0" in printed
