"""dbt's log becomes progress, warnings and plain errors."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path

import pytest
import yaml

from pipeline import building
from pipeline.console import Meter
from pipeline.settings import load_settings


def result_event(status: str, *, name: str = "LogTestResult", node: str = "a_test") -> str:
    info = {"name": name, "msg": f"{status} in {node}"}
    data = {"status": status, "index": 3, "total": 9, "node_info": {"node_name": node}}
    return json.dumps({"info": info, "data": data}) + "\n"


def read(*lines: str) -> tuple[building.BuildResult, list[str]]:
    result, failures = building.BuildResult(), []
    for event in building._events(iter(lines), deque(maxlen=5)):  # type: ignore[arg-type]
        building._take(event, result, failures, Meter("build", None))
    return result, failures


def test_results_are_counted_by_status() -> None:
    result, failures = read(
        result_event("pass"), result_event("SUCCESS 12", name="LogModelResult"), "no json\n"
    )
    assert result.counts == {"pass": 1, "success": 1}
    assert failures == []


def test_warnings_name_the_test() -> None:
    result, _ = read(result_event("warn", node="late_source"))
    assert result.warnings == ["late_source: warn in late_source"]


def test_failures_are_kept_as_one_line() -> None:
    message = {"info": {"name": "RunResultError", "msg": ""}, "data": {"msg": "a\n  b"}}
    _, failures = read(json.dumps(message) + "\n")
    assert failures == ["a b"]


def test_a_target_of_the_project_uses_its_own_profiles(repository: Path) -> None:
    settings = load_settings(repository / "targets" / "demo.toml")
    command, environment = building.dbt(settings, ["build"])
    assert command[command.index("--profiles-dir") + 1] == str(repository / "dbt_project")
    assert environment["SOCIAL_SIGNALS_CATALOGUE"] == str(repository / "dbt_project" / "seeds")


def test_any_other_target_gets_the_same_profile_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "my_shop.toml"
    file.write_text("", encoding="utf-8")
    command, _ = building.dbt(load_settings(file), ["build"])
    folder = Path(command[command.index("--profiles-dir") + 1])
    (profile,) = yaml.safe_load((folder / "profiles.yml").read_text(encoding="utf-8")).values()
    assert list(profile["outputs"]) == ["my_shop"]
    assert profile["outputs"]["my_shop"]["path"].endswith("/my_shop/work.duckdb")
    assert profile["target"] == "my_shop"
