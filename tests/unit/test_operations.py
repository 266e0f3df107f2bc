"""What the pipeline notes about its own work, and how long it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.build_results import forget_results, read_results
from pipeline.live_commands import report_health
from pipeline.noting import Work, findings, note_before_publishing, note_results
from pipeline.settings import Settings, load_settings
from tests.fake_ops import add_ops
from warehouse import operations
from warehouse.field_notes import note_fields
from warehouse.operations import (
    NodeResult,
    Pull,
    Step,
    compact_fields,
    write_pulls,
    write_results,
    write_steps,
)
from warehouse.schema import ensure_raw_tables

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


@pytest.fixture
def work() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        ensure_raw_tables(connection, [("x", "posts")])
        yield connection


def node(name: str, status: str = "pass") -> NodeResult:
    return NodeResult(f"test.p.{name}", "test", name, None, "marts", status, 0, 0.1)


def count(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    return connection.execute(query).fetchall()[0][0]


def test_old_builds_keep_only_what_did_not_pass(work: duckdb.DuckDBPyConnection) -> None:
    for build in range(operations.KEPT_BUILDS + 5):
        at = NOW + timedelta(hours=build)
        results = [node("good"), node("late", "warn")]
        write_results(work, f"r{build:03}", results, is_simulated=False, finished_at=at)
    assert count(work, "select count(*) from raw.test_results where node_name = 'late'") == 35
    assert count(work, "select count(*) from raw.test_results where node_name = 'good'") == 30
    assert count(work, "select min(run_id) from raw.test_results where node_name = 'good'") == (
        "r005"
    )
    later = NOW + timedelta(days=401)
    write_results(work, "s", [node("good")], is_simulated=False, finished_at=later)
    assert count(work, "select count(*) from raw.test_results where run_id <> 's'") < 35


def test_a_run_that_notes_again_replaces_what_it_noted(work: duckdb.DuckDBPyConnection) -> None:
    for seconds in (1.0, 2.0):
        steps = [Step("load", "done", seconds, NOW)]
        write_steps(work, "r1", steps, is_simulated=False, now=NOW)
        pulls = [Pull("x", 5, 0, True, False, NOW)]
        write_pulls(work, "r1", pulls, now=NOW)
        results = [node("a"), node("b")]
        write_results(work, "r1", results, is_simulated=False, finished_at=NOW)
    assert work.execute("select step, duration_seconds from raw.steps").fetchall() == [
        ("load", 2.0)
    ]
    assert count(work, "select count(*) from raw.pulls") == 1
    assert count(work, "select count(*) from raw.test_results") == 2


def test_pulls_and_steps_of_more_than_a_year_ago_go(work: duckdb.DuckDBPyConnection) -> None:
    old = NOW - timedelta(days=401)
    write_steps(work, "r0", [Step("load", "done", 1.0, old)], is_simulated=False, now=old)
    write_pulls(work, "r0", [Pull("x", 5, 0, True, False, old)], now=old)
    write_steps(work, "r1", [Step("load", "done", 1.0, NOW)], is_simulated=False, now=NOW)
    write_pulls(work, "r1", [], now=NOW)
    assert work.execute("select run_id from raw.steps").fetchall() == [("r1",)]
    assert count(work, "select count(*) from raw.pulls") == 0


def test_counts_of_a_day_are_added_up_once_there_are_many(
    work: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "COMPACT_ROWS", 100)
    for day in range(3):
        for _ in range(40):
            work.execute(
                "insert into raw.payload_fields values ('x', 'posts', ?, '$.id', '$', 'any', 2)",
                [date(2026, 11, 1) + timedelta(days=day)],
            )
    compact_fields(work, now=NOW)
    assert work.execute(
        "select fetched_date::varchar, record_count from raw.payload_fields order by 1"
    ).fetchall() == [("2026-11-01", 80), ("2026-11-02", 80), ("2026-11-03", 80)]


def land(connection: duckdb.DuckDBPyConnection, payloads: list[str], day: int, load: int) -> None:
    at = datetime(2026, 11, day, 10, tzinfo=UTC)
    connection.executemany(
        "insert into raw.x_posts values (?, ?, ?, false, 'f', ?, 'r', ?, ?)",
        [[str(line), text, at, line, load, at] for line, text in enumerate(payloads, start=1)],
    )
    note_fields(connection, "x", "posts", first_load_id=load)


def test_a_load_is_counted_by_day_and_a_large_one_sampled(
    work: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.field_notes.SAMPLED_ROWS", 20)
    monkeypatch.setattr("warehouse.field_notes.SAMPLED_OF_NEWEST_DAY", 20)
    land(work, [json.dumps({"id": n}) for n in range(7)], day=1, load=1)
    land(work, [json.dumps({"id": n}) for n in range(200)], day=2, load=2)
    land(work, ['{"id": "' + "x" * 300_000 + '"}', '{"id": 1}'], day=3, load=3)
    counts = work.execute(
        "select fetched_date::varchar, record_count from raw.payload_fields "
        "where field_path = '$.id' and json_type = 'any' order by 1"
    ).fetchall()
    assert counts == [("2026-11-01", 7), ("2026-11-02", 20), ("2026-11-03", 1)]


def test_results_tell_kind_layer_and_what_a_test_is_about(tmp_path: Path) -> None:
    results = [
        {"unique_id": "test.p.not_null_a.1", "status": "pass", "failures": 0,
         "execution_time": 0.2},
        {"unique_id": "test.p.source_b.2", "status": "warn", "failures": 3, "execution_time": 1,
         "message": "Got somebody@example.org"},
        {"unique_id": "test.p.whole", "status": "runtime error", "failures": None},
        {"unique_id": "model.p.stg_a", "status": "success", "execution_time": 2.5, "failures": 0},
        {"unique_id": "seed.p.terms", "status": "success"},
        {"unique_id": "operation.p.hook", "status": "success"},
        {"unique_id": "test.p.gone", "status": "skipped"},
        "nonsense",
    ]  # fmt: skip
    nodes = {
        "test.p.not_null_a.1": {
            "name": "not_null_a", "attached_node": "model.p.stg_a",
            "original_file_path": "models/staging/a/_a.yml",
        },
        "test.p.source_b.2": {
            "name": "source_b", "depends_on": {"nodes": ["source.p.x.posts"]},
            "original_file_path": "models/staging/x/_x.yml",
        },
        "test.p.whole": {
            "name": "whole", "depends_on": {"nodes": ["model.p.a", "model.p.b"]},
            "original_file_path": "tests/sales/whole.sql",
        },
        "model.p.stg_a": {"name": "stg_a", "original_file_path": "models/staging/a/stg_a.sql"},
    }  # fmt: skip
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    (tmp_path / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    found = {
        row.name: (row.kind, row.tested_model, row.layer, row.status, row.failures, row.seconds)
        for row in read_results(tmp_path)
    }
    assert found == {
        "not_null_a": ("test", "stg_a", "staging", "pass", 0, 0.2),
        "source_b": ("test", "x.posts", "sources", "warn", 3, 1.0),
        "whole": ("test", None, "marts", "error", None, None),
        "stg_a": ("model", None, "staging", "success", None, 2.5),
        "terms": ("seed", None, "seeds", "success", None, None),
        "gone": ("test", None, "other", "skipped", None, None),
    }
    assert "somebody" not in repr(read_results(tmp_path))


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"results": 3}', '{"results": [1]}'])
def test_results_that_cannot_be_read_are_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "run_results.json").write_text(content)
    assert read_results(tmp_path) == []


def test_the_results_of_an_earlier_build_are_not_those_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "run_results.json").write_text(
        json.dumps({"results": [{"unique_id": "model.p.a", "status": "success"}]})
    )
    assert read_results(tmp_path)
    forget_results(tmp_path)
    assert read_results(tmp_path) == []
    forget_results(tmp_path)


def test_a_step_without_work_is_no_example_of_its_time() -> None:
    work = Work()
    work.ended("load", is_done=True, seconds=1.23456, started_at=NOW)
    work.idle.add("build")
    work.ended("build", is_done=True, seconds=0.1, started_at=NOW)
    work.ended("publish", is_done=False, seconds=0.1, started_at=NOW)
    assert [(step.step, step.status, step.seconds) for step in work.steps] == [
        ("load", "done", 1.235), ("build", "idle", 0.1), ("publish", "failed", 0.1),
    ]  # fmt: skip


def settings_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(folder / "data"))
    file = folder / "shop.toml"
    file.write_text("[sources.rss]\nenabled = false\n", encoding="utf-8")
    return load_settings(file)


def test_doctor_tells_what_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path, monkeypatch)
    said: list[str] = []
    report_health(settings, say=said.append)
    assert "health: nothing is published yet" in said

    settings.paths.published.parent.mkdir(parents=True, exist_ok=True)
    stale = {
        "source": "x", "stream": "posts", "freshness_state": "stale", "age_hours": 240.0,
        "checked_at": NOW, "failed_asks_count": 0, "is_warning": True,
    }  # fmt: skip
    add_ops(settings.paths.published, {"ops_freshness": [stale]})
    said.clear()
    assert report_health(settings, say=said.append) == 3
    assert said[-2:] == [
        "health, as published, 2026-11-20 06:00Z: 1 thing is broken.",
        "  broken: x/posts is stale: nothing for 10 days.",
    ]
    assert findings(settings) == []


def test_a_work_file_that_somebody_reads_stops_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(tmp_path, monkeypatch)
    work = Work()
    work.ended("load", is_done=True, seconds=1.0, started_at=NOW)
    settings.paths.work.parent.mkdir(parents=True, exist_ok=True)
    settings.paths.work.write_bytes(b"no database")
    note_before_publishing(settings, work, run_id="r1", now=NOW)
    note_results(settings, run_id="r1", now=NOW)
    settings.paths.work.unlink()
    note_before_publishing(settings, work, run_id="r1", now=NOW)
    with duckdb.connect(str(settings.paths.work), read_only=True) as connection:
        assert connection.execute("select run_id, step from raw.steps").fetchall() == [
            ("r1", "load")
        ]
        assert connection.execute("select * from raw.source_states").fetchall() == [("rss", False)]
