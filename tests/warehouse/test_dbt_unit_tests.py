"""The models' own unit tests, all of them, and a whole build over nothing: its columns are those
that are documented, and the lineage site shows all of it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
import yaml

from pipeline.lineage import fill, page_app, read_manifest, without_machine
from pipeline.lineage_contents import catalog, contents
from tests.docs.dbt_files import read_project
from tests.warehouse.dbt_builds import PROJECT, TinyProject, tiny_project


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


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(tmp_path_factory.mktemp("empty") / "target")
    project.dbt("build", "--exclude-resource-type", "unit_test")
    return project


@pytest.mark.slow
def test_an_empty_target_builds_and_every_unit_test_holds(empty: TinyProject) -> None:
    assert columns_apart(empty.database) == {}
    manifest = empty.folder / "target" / "manifest.json"
    built = manifest.read_bytes()
    printed = empty.dbt("test", "--select", "test_type:unit")
    manifest.write_bytes(built)
    written = sum(
        len((yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("unit_tests", ()))
        for file in (PROJECT / "models").rglob("*.yml")
    )
    assert written > 20
    assert f"{written} unit tests in" in printed, printed[-3000:]
    assert "ERROR=0" in printed


@pytest.mark.slow
def test_the_lineage_site_is_made_of_what_a_build_leaves(empty: TinyProject) -> None:
    manifest = read_manifest(empty.folder / "target" / "manifest.json")
    assert manifest is not None
    shown = contents(manifest)
    with duckdb.connect(str(empty.database), read_only=True) as connection:
        columns = catalog(connection, manifest)

    models = read_project(PROJECT).models
    nodes = {entry["name"]: entry for entry in shown["nodes"].values() if entry.get("group")}
    for name, model in models.items():
        assert nodes[name]["docs"]["node_color"], name
        assert nodes[name]["compiled_code"], name
        found = columns["nodes"][nodes[name]["unique_id"]]["columns"]
        assert set(found) == {column["name"] for column in model.columns}, name
    assert len(columns["sources"]) == len(shown["sources"]) > 30

    known = {key for part in ("nodes", "sources", "functions") for key in shown[part]}
    for part in ("exposures", "unit_tests"):
        assert shown[part], part
        for entry in shown[part].values():
            assert entry["description"], entry["name"]
            assert set(entry["depends_on"]["nodes"]) <= known, entry["name"]
            assert shown["parent_map"][entry["unique_id"]], entry["name"]
    called = {parent for parents in shown["parent_map"].values() for parent in parents}
    silent = {key for key in shown["functions"] if key not in called}
    # Two that SQL calls only where a setting asks for it, or from what is no model.
    assert {key.rpartition(".")[2] for key in silent} <= {"pseudonym", "normalise_text"}

    plain = [entry for entry in shown["nodes"].values() if entry["resource_type"] == "test"]
    assert len(plain) > 800
    assert all(entry.get("test_metadata") or entry["description"] for entry in plain)
    assert all(macro["description"] for macro in shown["macros"].values())
    words = [(str(empty.folder), "$DATA"), (str(empty.folder.resolve()), "$DATA")]
    page = fill(page_app(), without_machine(shown, words), "{}", title="empty")
    assert str(empty.folder) not in page
    assert len(page) < 7_000_000
