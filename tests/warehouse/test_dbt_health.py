"""Freshness, volumes, rejects, drift, tests and durations of a target with forty days behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from charts.health import read_health
from charts.health_rows import Health
from charts.reading import open_published
from tests.warehouse.dbt_builds import TinyProject, tiny_project
from warehouse.field_notes import note_fields
from warehouse.operations import (
    NodeResult,
    Pull,
    Step,
    write_pulls,
    write_results,
    write_source_states,
    write_steps,
)
from warehouse.publishing import publish
from warehouse.schema import record_run

NOW = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
"""A Friday, early: the day is young."""
TODAY = NOW.date()
DAYS = [TODAY - timedelta(days=ago) for ago in range(45, 0, -1)]
OPS = (
    "ops_runs", "ops_sources", "ops_freshness", "ops_volumes", "ops_rejects", "ops_schema_drift",
    "ops_test_results", "ops_steps",
)  # fmt: skip

# Declared to be asked every day; github answers with nothing new, mastodon not at all.
ASKED = ("x", "reddit", "shopify", "github", "storefront", "hackernews")


class Landing:
    """Many rows in one statement, with their fields noted as the loader notes them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.load_id = 0

    def add(
        self, source: str, stream: str, at: datetime, payloads: Iterable[dict[str, Any]]
    ) -> None:
        texts = [json.dumps(payload) for payload in payloads]
        self.load_id += 1
        lines = pa.table({"payload": texts, "line_no": list(range(1, len(texts) + 1))})
        self.connection.register("lines", lines)
        file = f"{source}/{stream}/{at:%Y-%m-%d}/r-{self.load_id}"
        self.connection.execute(
            f"insert into raw.{source}_{stream} select $file || line_no, payload, "
            "$at::timestamptz, false, $file, line_no, 'r1', $load::bigint, $at::timestamptz "
            "from lines",
            {"file": file, "at": at, "load": self.load_id},
        )
        self.connection.unregister("lines")
        self.connection.execute(
            "insert into raw.load_log by name select $load as load_id, $file as logical_id, "
            "$source as source, $stream as stream, 'records' as kind, 'r1' as run_id, "
            "$rows as row_count, 0 as reject_count, 0 as byte_count, '' as sha256, "
            "false as is_simulated, false as is_damaged, $at::timestamptz as loaded_at",
            {
                "load": self.load_id, "file": file, "source": source, "stream": stream,
                "rows": len(texts), "at": at,
            },
        )  # fmt: skip
        note_fields(self.connection, source, stream, first_load_id=self.load_id)


def noon(day: date, hour: int = 12) -> datetime:
    return datetime.combine(day, time(hour), UTC)


def post(number: int, day: date) -> dict[str, Any]:
    """`lang` is gone for two days, `score` is text on the newest one and `note` is new; `opt` comes
    and goes, and `by_name` is a map."""
    payload: dict[str, Any] = {
        "id": str(number),
        "score": str(number) if day == DAYS[-1] else number,
        "by_name": {f"{'abcdefgh'[number % 8] * (number % 29 + 1)}{'z' * (day.day % 7)}": 1},
    }
    if day < DAYS[-2]:
        payload["lang"] = "en"
    if day == DAYS[-1]:
        payload["note"] = "n"
    if number % 5 == 0:
        payload["opt"] = number
    return payload


def fill(connection: duckdb.DuckDBPyConnection) -> None:
    land = Landing(connection).add
    plain = {"id": 1}
    for index, day in enumerate(DAYS):
        is_last = day == DAYS[-1]
        land("x", "posts", noon(day), (post(number, day) for number in range(40)))
        land("reddit", "submissions", noon(day), [plain] * (8 if is_last else 118 + index % 5))
        if day.isoweekday() < 6:
            land("shopify", "orders", noon(day, 6), [plain] * 20)
            land("shopify", "orders", noon(day, 12), [plain] * 180)
        # All of the past on the first day.
        land("storefront", "reviews", noon(day), [plain] * (5_000 if index == 0 else 20))
        if day < DAYS[-30]:
            land("github", "stars", noon(day), [plain] * 3)
            land("mastodon", "statuses", noon(day), [plain] * 3)
            land("rss", "entries", noon(day), [plain] * 3)
    for day, rows in zip(DAYS[-3:], (500, 500, 2), strict=True):
        land("hackernews", "hits", noon(day), [plain] * rows)
    # Friday so far: what always comes by that time.
    land("shopify", "orders", noon(TODAY, 6), [plain] * 20)


def note_runs(connection: duckdb.DuckDBPyConnection) -> None:
    for index, day in enumerate([*DAYS, TODAY]):
        run_id, at = f"r{index:03}", noon(day, 6)
        pulls = [Pull(source, 0, 0, True, False, at) for source in ASKED]
        pulls.append(Pull("mastodon", 0, 0, index < 10, False, at))
        # A backfill says nothing about what comes in a day.
        pulls.append(Pull("github", 0, 0, True, True, noon(day, 5)))
        write_pulls(connection, run_id, pulls, now=at)
    for index in range(8):
        seconds = 200.0 if index == 7 else 60.0 + index
        status = "idle" if index == 3 else "done"
        steps = [Step("build", status, 0.1 if index == 3 else seconds, noon(DAYS[index]))]
        write_steps(connection, f"r{index:03}", steps, is_simulated=False, now=NOW)
    write_source_states(
        connection,
        [*((source, True) for source in ASKED), ("mastodon", True), ("rss", False)],
    )
    record_run(
        connection, run_id="r045", target="demo", command="extract load build publish",
        started_at=NOW, status="running",
    )  # fmt: skip


def refuse(connection: duckdb.DuckDBPyConnection) -> None:
    reasons = [f"line {n}: 'ada{n}@example.org' is no date [page {n}]" for n in range(50)]
    reasons += [
        f"odd {'abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuv'[:n]}" for n in range(1, 46)
    ]
    rows = pa.table({"reason": reasons, "line_no": list(range(1, len(reasons) + 1))})
    connection.register("refused", rows)
    connection.execute(
        "insert into raw.rejects select 'x', 'posts', 'secret text', reason, 'x/posts/f-1', "
        "line_no, 'r1', 1, $at::timestamptz from refused",
        {"at": noon(DAYS[-1])},
    )
    connection.execute(
        "update raw.load_log set reject_count = 95 where load_id = "
        "(select max(load_id) from raw.load_log where source = 'x')"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> TinyProject:
    project = tiny_project(
        tmp_path_factory.mktemp("health") / "target", settings={"is_simulated": "false"}
    )
    with duckdb.connect(str(project.database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        fill(connection)
        note_runs(connection)
        refuse(connection)
    project.build("--select", *OPS)
    # A build's results are known when it has ended.
    with duckdb.connect(str(project.database)) as connection:
        for build, status in (("r044", "pass"), ("r045", "warn")):
            write_results(
                connection,
                build,
                [
                    NodeResult("test.p.late", "test", "late", "x.posts", "sources", status, 3, 0.1),
                    NodeResult("test.p.keys", "test", "keys", "fct_posts", "marts", "pass", 0, 0.1),
                ],
                is_simulated=False,
                finished_at=NOW + timedelta(minutes=int(build[1:])),
            )
    return project


@pytest.fixture(scope="module")
def health(project: TinyProject) -> Health:
    published = project.folder / "published.duckdb"
    publish(project.database, published)
    with open_published(published) as opened:
        return read_health(opened)


def state(project: TinyProject, source: str) -> dict[str, Any]:
    return project.one(
        "select * from marts.ops_freshness where source = ? and (last_fetched_at is not null)",
        [source],
    )


def test_what_answers_is_fresh_and_what_brings_nothing_new_is_quiet(project: TinyProject) -> None:
    states = dict(
        project.query(
            "select source, freshness_state from marts.ops_freshness "
            "where last_fetched_at is not null"
        )
    )
    assert states == {
        "x": "fresh", "reddit": "fresh", "shopify": "fresh", "storefront": "fresh",
        "hackernews": "fresh", "github": "quiet", "mastodon": "stale", "rss": "off",
    }  # fmt: skip
    github = state(project, "github")
    assert (github["cadence_hours"], github["is_warning"]) == (24.0, True)
    assert github["age_hours"] == pytest.approx(30 * 24 + 18.5, abs=0.01)


def test_a_source_that_is_off_is_not_late_and_one_that_fails_is_counted(
    project: TinyProject,
) -> None:
    assert state(project, "rss")["is_warning"] is False
    mastodon = state(project, "mastodon")
    assert mastodon["failed_asks_count"] == 36
    assert mastodon["last_answered_at"] == noon(DAYS[9], 6)
    # Declared, never asked, not in the settings.
    assert (
        project.query(
            "select freshness_state, is_warning from marts.ops_freshness where source = 'bluesky'"
        )
        == [("off", False)] * 3
    )
    assert project.query(
        "select count(*) from marts.ops_freshness where is_warning and freshness_state = 'empty'"
    ) == [(0,)]


def days(project: TinyProject, source: str, *, states: tuple[str | None, ...]) -> list[date]:
    return [
        day
        for day, found in project.query(
            "select fetched_date, volume_state from marts.ops_volumes where source = ? order by 1",
            [source],
        )
        if found in states
    ]


def test_a_collapse_is_low_and_nothing_else_is(project: TinyProject) -> None:
    lows = project.query(
        "select source, fetched_date, row_count, round(usual_rows) from marts.ops_volumes "
        "where is_warning order by all"
    )
    # The quiet one had 3 a day: that it has none is not told from chance, but by its age.
    assert lows == [("reddit", DAYS[-1], 8, 120.0)]


def test_too_little_before_is_no_alarm(project: TinyProject) -> None:
    assert days(project, "hackernews", states=("usual", "low", "high")) == []
    # From the fourth week on, or two weeks with each weekday twice, a day is judged.
    judged = days(project, "x", states=("usual", "low", "high"))
    assert judged == [*DAYS[15:], TODAY]


def test_a_shop_that_rests_is_as_usual_and_a_young_day_is_held_against_its_hour(
    project: TinyProject,
) -> None:
    rows = {
        day: (count, usual, found, complete)
        for day, count, usual, found, complete in project.query(
            "select fetched_date, row_count, round(usual_rows), volume_state, is_complete "
            "from marts.ops_volumes where source = 'shopify'"
        )
    }
    saturday = date(2026, 11, 14)
    assert rows[saturday] == (0, 0.0, "usual", True)
    assert rows[DAYS[-1]] == (200, 200.0, "usual", True)
    assert rows[TODAY] == (20, 20.0, "usual", False)


def test_the_first_day_is_no_usual_day(project: TinyProject) -> None:
    first, later = (
        project.one(
            "select row_count, usual_rows, high_rows from marts.ops_volumes "
            "where source = 'storefront' and fetched_date = ?",
            [day],
        )
        for day in (DAYS[0], DAYS[7])
    )
    assert (first["row_count"], first["usual_rows"]) == (5_000, None)
    assert later["usual_rows"] is None
    assert project.query(
        "select distinct round(usual_rows, 6) from marts.ops_volumes "
        "where source = 'storefront' and usual_rows is not null and is_complete"
    ) == [(20.0,)]


def test_reasons_name_nobody_and_are_few(project: TinyProject) -> None:
    rows = project.query(
        "select reason, reject_count, line_count, example_file, example_line_no "
        "from marts.ops_rejects order by reject_count desc, reason"
    )
    assert rows[0] == ("line #: … is no date", 50, 135, "x/posts/f-1", 1)
    assert rows[1][:2] == ("other reasons", 16)
    assert len(rows) == 31
    assert sum(row[1] for row in rows) == 95


def test_fields_that_vanish_change_or_come_are_told(project: TinyProject) -> None:
    rows = {
        row[0]: row[1:]
        for row in project.query(
            "select field_path, drift, is_warning, earlier_type, recent_type, last_seen_date, "
            "round(earlier_share_ratio, 2), round(recent_share_ratio, 2) "
            "from marts.ops_schema_drift where source = 'x'"
        )
    }
    newest = DAYS[-1]
    assert rows == {
        "id": ("steady", False, "string", "string", newest, 1.0, 1.0),
        "lang": ("vanished", True, "string", None, DAYS[-3], 1.0, 0.0),
        "score": ("type_changed", True, "number", "string", newest, 1.0, 1.0),
        "note": ("new", False, None, "string", newest, 0.0, 1.0),
        "opt": ("steady", False, "number", "number", newest, 0.2, 0.2),
        "by_name": ("steady", False, "object", "object", newest, 1.0, 1.0),
        # The first day's keys were few enough to be told by name; they are told no longer.
        "by_name.*": ("steady", False, "number", "number", newest, 0.98, 1.0),
    }
    assert project.query(
        "select count(*) from marts.ops_schema_drift where is_warning and source <> 'x'"
    ) == [(0,)]


def test_a_slow_step_is_held_against_those_that_had_work(project: TinyProject) -> None:
    rows = project.query(
        "select run_id, earlier_runs_count, round(usual_seconds), is_slow from marts.ops_steps "
        "order by run_id"
    )
    assert [row[1] for row in rows] == [0, 1, 2, 3, 3, 4, 5, 6]
    assert rows[5][2:] == (None, False)
    assert rows[6][2:] == (62.0, False)
    assert rows[7][2:] == (63.0, True)


def test_what_is_published_tells_the_results_of_its_own_build(health: Health) -> None:
    assert health.tests is not None
    assert health.tests.run_id == "r045"
    assert [(row.name, row.status, row.builds_not_passed) for row in health.tests.not_passed] == [
        ("late", "warn", 1)
    ]


def test_the_verdict_names_what_is_wrong_and_nothing_else(health: Health) -> None:
    assert (health.state, health.missing) == ("broken", ("budgets", "checks of the data"))
    assert [(reason.state, reason.text) for reason in health.reasons] == [
        ("broken", "mastodon did not answer 36 times in a row."),
        ("look at", "github/stars is quiet: nothing new for 31 days, usual is every 24 hours."),
        ("look at", "reddit/submissions: 8 records on 19 Nov 2026, usual is about 120."),
        ("look at", "x/posts: 95 of 135 lines were refused on 19 Nov 2026."),
        ("look at", "x/posts: lang is no longer there, score changed its type."),
        ("look at", "1 test warned: late."),
        ("look at", "Step build took 200 s, usual is 63 s."),
    ]


BandEnd = Callable[[float, float], tuple[float, float]]


@pytest.fixture(scope="module")
def band(project: TinyProject) -> BandEnd:
    """The ends of the band of a usual number of rows and its spread, as the compiled mart says."""
    sql = next((project.folder / "target" / "compiled").rglob("ops_volumes.sql")).read_text()
    low, high = (
        sql.split("then", 1)[1].rsplit("else", 1)[0]
        for sql in (
            sql[sql.index("exp(median_log) - 1 as usual_rows") : sql.index("as low_rows")],
            sql[sql.index("as low_rows") : sql.index("as high_rows")],
        )
    )

    def ends(usual: float, spread: float) -> tuple[float, float]:
        with duckdb.connect() as connection:
            row = connection.execute(
                f"select {low}, {high} from (select ln(1 + ?::double) as median_log, "
                "?::double as deviation_log)",
                [usual, spread],
            ).fetchall()[0]
        return float(row[0]), float(row[1])

    return ends


@pytest.mark.parametrize(
    ("usual", "spread", "low", "high"),
    [
        (0, 0.0, 0, 3.5),
        (3, 0.0, 0, 3 + 3.5 * 3**0.5 + 3.5),
        (12, 0.0, 0, 12 + 3.5 * 12**0.5 + 3.5),
        (100, 0.0, 49.5, 201),
        (10_000, 0.0, 4_999.5, 20_001),
        (10_000, 0.4, 10_001 / 2.718281828 ** (3.5 * 1.4826 * 0.4) - 1, None),
        (40, 0.0, 40 - 3.5 * 40**0.5, 81),
    ],
)
def test_the_band_is_wide_for_small_counts_and_never_below_half_to_twice(
    band: BandEnd, usual: float, spread: float, low: float, high: float | None
) -> None:
    found_low, found_high = band(usual, spread)
    assert found_low == pytest.approx(low, rel=1e-6)
    assert found_low <= usual <= found_high
    if high is not None:
        assert found_high == pytest.approx(high, rel=1e-6)
