"""The command line as scripts meet it: messages, remedies and exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from warehouse.lock import run_lock


def run(*arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        env={**os.environ, "SOCIAL_SIGNALS_DATA": str(data), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_unknown_target_ends_with_the_code_for_settings(tmp_path: Path) -> None:
    done = run("run", "--target", "dmeo", data=tmp_path)
    assert done.returncode == 2
    assert "Did you mean 'demo'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_building_before_loading_says_what_comes_first(tmp_path: Path) -> None:
    done = run("build", "--target", "demo", data=tmp_path)
    assert done.returncode == 1
    assert "social-signals load" in done.stderr
    assert not (tmp_path / "demo" / "work.duckdb").exists()


def test_an_empty_catalogue_stops_before_anything_is_touched(tmp_path: Path) -> None:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    (catalogue / "products.csv").write_text("product_id,product_name,brand,category,url\n")
    (catalogue / "terms.csv").write_text("product_id,term,kind\n")
    file = tmp_path / "empty.toml"
    file.write_text(f'[target]\ncatalogue = "{catalogue}"\n', encoding="utf-8")
    done = run("run", "--config", str(file), data=tmp_path / "data")
    assert done.returncode == 2
    assert "lists no products" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("", encoding="utf-8")
    done = run("load", "--target", "demo", data=data)
    assert done.returncode == 1
    assert str(data) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_run_is_told_who_is_working_with_a_code_of_its_own(tmp_path: Path) -> None:
    with run_lock(tmp_path / "demo" / "run.lock", command="a long build"):
        done = run("load", "--target", "demo", data=tmp_path)
    assert done.returncode == 5
    assert "a long build" in done.stderr
    assert str(os.getpid()) in done.stderr


def test_a_source_that_is_not_set_up_is_named(tmp_path: Path) -> None:
    done = run("extract", "datasets", "--target", "demo", data=tmp_path)
    assert done.returncode == 2
    assert "[sources.datasets]" in done.stderr
