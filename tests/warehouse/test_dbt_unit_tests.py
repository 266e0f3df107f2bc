"""The models' own unit tests, all of them, and a whole build over nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.warehouse.dbt_builds import PROJECT, tiny_project


@pytest.mark.slow
def test_an_empty_target_builds_and_every_unit_test_holds(tmp_path: Path) -> None:
    project = tiny_project(tmp_path)
    project.dbt("build", "--exclude-resource-type", "unit_test")
    printed = project.dbt("test", "--select", "test_type:unit")
    written = sum(
        len((yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("unit_tests", ()))
        for file in (PROJECT / "models").rglob("*.yml")
    )
    assert written > 20
    assert f"{written} unit tests in" in printed, printed[-3000:]
    assert "ERROR=0" in printed
