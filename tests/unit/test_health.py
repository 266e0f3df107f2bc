"""What the pages on health say of a published file's `ops_` tables."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from charts.health import hours_words, read_health
from charts.health_reading import NEEDED, project
from charts.health_rows import Health
from charts.reading import open_published
from tests.fake_ops import add_ops

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
TODAY = NOW.date()
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202eevil"


def of(folder: Path, *, without: tuple[str, ...] = (), **tables: list[dict[str, Any]]) -> Health:
    file = folder / "published.duckdb"
    tables.setdefault("ops_runs", [run("r9", status="running")])
    add_ops(file, tables, without=without)
    with open_published(file) as published:
        return read_health(published)


def run(run_id: str, *, days_ago: float = 0, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "command": "extract load build publish",
        "status": "succeeded",
        "row_count": 10,
        "reject_count": 0,
        "is_simulated": False,
        "started_at": NOW - timedelta(days=days_ago),
    } | changes


def stream(**changes: Any) -> dict[str, Any]:
    return {
        "source": "x",
        "stream": "posts",
        "freshness_state": "fresh",
        "checked_at": NOW,
        "last_fetched_at": NOW - timedelta(hours=1),
        "age_hours": 1.0,
        "warn_after_hours": 48.0,
        "failed_asks_count": 0,
        "is_warning": False,
    } | changes


def volume(days_ago: int, rows: int, **changes: Any) -> dict[str, Any]:
    day = TODAY - timedelta(days=days_ago)
    return {
        "source": "x",
        "stream": "posts",
        "fetched_date": day,
        "row_count": rows,
        "is_complete": days_ago > 0,
        "is_warning": False,
    } | changes


def result(name: str, status: str, **changes: Any) -> dict[str, Any]:
    return {
        "run_id": "r9",
        "node_kind": "test",
        "node_name": name,
        "layer": "marts",
        "result_status": status,
        "duration_seconds": 0.1,
        "finished_at": NOW,
    } | changes


def budget(used: float, limit: float | None, **changes: Any) -> dict[str, Any]:
    return {
        "source": "x",
        "month_date": date(2026, 11, 1),
        "unit": "posts",
        "used_amount": used,
        "limit_amount": limit,
        "left_amount": None if limit is None else limit - used,
        "used_ratio": None if not limit else used / limit,
    } | changes


def said(health: Health) -> list[tuple[str, str]]:
    return [(reason.state, reason.text) for reason in health.reasons]


def test_a_file_where_all_is_well_says_so(tmp_path: Path) -> None:
    health = of(
        tmp_path,
        ops_freshness=[stream(), stream(stream="users", freshness_state="off")],
        ops_volumes=[volume(2, 90, usual_rows=88.0, volume_state="usual"), volume(1, 91)],
        ops_test_results=[result("a", "pass"), result("b", "pass", layer="staging")],
        ops_budget=[budget(100, 1000)],
    )
    assert (health.state, health.words, health.reasons) == ("ok", "Nothing needs a look.", ())
    assert health.checked_at == NOW
    assert health.missing == ()
    assert [day.rows for day in health.streams[0].volumes] == [90, 91]
    assert health.tests is not None
    assert [(row.layer, row.passed) for row in health.tests.layers] == [
        ("marts", 1),
        ("staging", 1),
    ]
    assert health.runs[0].is_this


def test_an_older_file_says_what_it_does_not_know(tmp_path: Path) -> None:
    file = tmp_path / "old.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema marts; create table marts.dim_products (a int)")
    with open_published(file) as published:
        health = read_health(published)
    assert health.state == "not known"
    assert len(health.missing) == len(NEEDED)

    half = of(tmp_path, without=("ops_volumes", "ops_steps"))
    assert half.state == "ok"
    assert half.missing == ("volumes", "durations")
    assert half.words == "Nothing needs a look. This file says nothing of volumes, durations."


def test_reasons_come_most_serious_first(tmp_path: Path) -> None:
    health = of(
        tmp_path,
        ops_freshness=[
            stream(freshness_state="late", age_hours=70.0, is_warning=True),
            stream(source="rss", freshness_state="stale", age_hours=240.0, is_warning=True),
            stream(source="reddit", failed_asks_count=3, is_warning=True),
            stream(source="github", failed_asks_count=1, is_warning=True),
        ],
        ops_test_results=[result("keys_are_unique", "fail"), result("is_late", "warn")],
    )
    assert health.state == "broken"
    assert said(health) == [
        ("broken", "reddit did not answer 3 times in a row."),
        ("broken", "rss/posts is stale: nothing for 10 days."),
        ("broken", "1 test failed: keys_are_unique."),
        ("look at", "github did not answer once."),
        ("look at", "x/posts is late: nothing for 3 days."),
        ("look at", "1 test warned: is_late."),
    ]
    assert health.words == "3 things are broken and 3 things need a look."


def test_only_a_volume_of_the_newest_days_is_news(tmp_path: Path) -> None:
    low = {"usual_rows": 800.0, "low_rows": 300.0, "high_rows": 2000.0, "volume_state": "low"}
    health = of(
        tmp_path,
        ops_freshness=[stream(), stream(stream="users"), stream(source="y", freshness_state="off")],
        ops_volumes=[
            volume(1, 12, **low),
            volume(9, 13, stream="users", **low),
            volume(1, 14, source="y", **low),
        ],
    )
    assert said(health) == [("look at", "x/posts: 12 records on 19 Nov 2026, usual is about 800.")]


def test_rejects_are_held_against_the_lines_of_their_day(tmp_path: Path) -> None:
    def reject(count: int, lines: int, days_ago: int, **changes: Any) -> dict[str, Any]:
        return {
            "source": "x",
            "stream": "posts",
            "reason": "not JSON",
            "rejected_date": TODAY - timedelta(days=days_ago),
            "reject_count": count,
            "line_count": lines,
            "example_file": "x/posts/2026-11-18/r-1",
            "example_line_no": 7,
        } | changes

    health = of(
        tmp_path,
        ops_rejects=[
            reject(30, 100, 1),
            reject(500, 600, 3),
            reject(1, 100, 1, stream="users"),
            reject(90, 100, 30, stream="old"),
        ],
    )
    assert said(health) == [("look at", "x/posts: 30 of 100 lines were refused on 19 Nov 2026.")]
    (first, *_) = health.rejects
    assert (first.count, first.last_day_count, first.example) == (
        530, 30, "x/posts/2026-11-18/r-1, line 7",
    )  # fmt: skip


def test_drift_names_the_fields_of_a_stream(tmp_path: Path) -> None:
    def field(path: str, drift: str | None, *, is_warning: bool = True) -> dict[str, Any]:
        return {
            "source": "x", "stream": "posts", "field_path": path, "drift": drift,
            "first_seen_date": TODAY, "last_seen_date": TODAY, "recent_date": TODAY,
            "is_warning": is_warning,
        }  # fmt: skip

    health = of(
        tmp_path,
        ops_schema_drift=[
            field("lang", "vanished"),
            field("author_id", "type_changed"),
            field("place", "rarer"),
            field("zone", "vanished"),
            field("note", "new", is_warning=False),
            field("text", "steady", is_warning=False),
        ],
    )
    (reason,) = health.reasons
    assert reason.text == (
        "x/posts: author_id changed its type, lang is no longer there, place has become rare "
        "and 1 more."
    )
    assert [row.field for row in health.drift] == ["author_id", "lang", "place", "zone", "note"]


def test_only_the_newest_build_counts_and_history_is_told(tmp_path: Path) -> None:
    before = {"run_id": "r8", "finished_at": NOW - timedelta(days=1)}
    health = of(
        tmp_path,
        ops_test_results=[
            result("often", "warn", failures_count=4),
            result("often", "warn", **before),
            result("mended", "fail", **before),
            result("mended", "pass"),
            result("a_model", "success", node_kind="model", duration_seconds=9.0),
        ],
    )
    assert health.tests is not None
    assert health.tests.run_id == "r9"
    (row,) = health.tests.not_passed
    assert (row.name, row.failures, row.builds_not_passed) == ("often", 4, 2)
    assert health.tests.slowest[0] == ("a_model", 9.0)
    assert [(row.passed, row.warned, row.failed) for row in health.tests.layers] == [(1, 1, 0)]


def test_a_budget_is_projected_only_within_its_month(tmp_path: Path) -> None:
    health = of(
        tmp_path,
        ops_freshness=[stream()],
        ops_budget=[
            budget(950, 1000),
            budget(100, 1000, unit="requests"),
            budget(5, None, unit="usd"),
            budget(1000, 1000, unit="old", month_date=date(2026, 10, 1)),
            budget(20, 20, unit="spent"),
        ],
    )
    ahead = (
        "The budget of x, posts will not last at this pace: "
        "about 1,479 of 1,000 by the month's end."
    )
    assert said(health) == [
        ("look at", ahead),
        ("look at", "The budget of x, spent is used up for this month."),
    ]
    by_unit = {row.unit: row for row in health.budgets}
    assert by_unit["old"].projected is None
    assert by_unit["usd"].projected == pytest.approx(5 / 19.270833 * 30)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 3, 23, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 4, 0, 0, tzinfo=UTC), 100.0),
        (datetime(2026, 2, 15, 0, 0, tzinfo=UTC), 20.0),
    ],
)
def test_the_end_of_a_young_month_is_not_projected(at: datetime, expected: float | None) -> None:
    assert project(10, at) == expected


def test_a_slow_step_and_failed_runs_are_worth_a_look(tmp_path: Path) -> None:
    health = of(
        tmp_path,
        ops_runs=[
            run("r9", status="running"),
            run("r8", days_ago=1, status="failed", message="disk full"),
            run("r7", days_ago=2, status="interrupted"),
            run("r6", days_ago=3),
            run("r5", days_ago=4, status="failed"),
        ],
        ops_steps=[
            {
                "run_id": f"r{number}", "step": "build", "step_status": "done",
                "duration_seconds": seconds, "usual_seconds": 60.0, "highest_usual_seconds": 120.0,
                "is_slow": seconds > 120, "started_at": NOW - timedelta(days=9 - number),
            }
            for number, seconds in ((7, 60.0), (8, 61.0), (9, 300.0))
        ],
    )  # fmt: skip
    assert said(health) == [
        ("look at", "The 2 runs before this one failed: disk full"),
        ("look at", "Step build took 300 s, usual is 60 s."),
    ]
    assert health.steps[0].series == (60.0, 61.0, 300.0)


def test_text_from_outside_is_one_harmless_line(tmp_path: Path) -> None:
    health = of(
        tmp_path,
        ops_runs=[run("r1", status="failed", message=HOSTILE)],
        ops_rejects=[
            {
                "source": "x", "stream": "posts", "reason": HOSTILE, "rejected_date": TODAY,
                "reject_count": 1, "line_count": 2, "example_file": HOSTILE,
            }
        ],
    )  # fmt: skip
    texts = [health.rejects[0].reason, health.rejects[0].example, health.runs[0].message]
    for text in texts:
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize(
    ("hours", "words"),
    [(None, "an unknown time"), (0.0, "0 minutes"), (1.0, "1 hour"), (47.0, "47 hours"),
     (48.0, "2 days"), (0.99, "59 minutes")],
)  # fmt: skip
def test_hours_are_said_as_people_say_them(hours: float | None, words: str) -> None:
    assert hours_words(hours) == words
