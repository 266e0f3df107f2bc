"""Live sources in the pipeline: side by side, one failing, landed once, told by plan and doctor."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from extract._budget import read_uses
from extract._live import LiveSettings
from pipeline import extracting, live_commands, running
from pipeline.settings import Settings, SettingsError, load_settings
from tests.contract.live.platforms import Feeds, HackerNews, Platform, Reddit, X
from tests.contract.live.server import FakeClock, LocalServer, Reply, json_reply, serving
from tests.contract.live.suite import MANY, pull, undisturbed, with_fault
from warehouse.commits import list_landed
from warehouse.lines import FileState, read_objects

NAMES = {"x": X, "reddit": Reddit, "rss": Feeds, "hackernews": HackerNews}


class World:
    """All four platforms, each on a socket of its own, and a target that reads them."""

    def __init__(self, folder: Path, stack: ExitStack, extra: str = "") -> None:
        self.time = FakeClock()
        self.platforms: dict[str, Platform] = {}
        self.servers: dict[str, LocalServer] = {}
        for name, make in NAMES.items():
            platform = make(time=self.time)
            server = stack.enter_context(serving(platform.answer, self.time))
            platform.url = server.url
            self.platforms[name], self.servers[name] = platform, server
        file = folder / "shop.toml"
        catalogue = folder / "catalogue"
        catalogue.mkdir()
        (catalogue / "products.csv").write_text(
            "product_id,product_name,brand,category,url\nacme,Acme,Acme,tools,\n", encoding="utf-8"
        )
        (catalogue / "terms.csv").write_text(
            "product_id,term,kind\nacme,acme,keyword\n", encoding="utf-8"
        )
        file.write_text(
            f'[target]\ncatalogue = "{catalogue}"\nexpects = ["posts"]\n{extra}', encoding="utf-8"
        )
        sources = {name: platform.settings() for name, platform in self.platforms.items()}
        self.settings = load_settings(file).model_copy(update={"sources": sources})

    def extract(self, run_id: str, only: tuple[str, ...] = ()) -> dict[str, extracting.Pulled]:
        pulled = extracting.extract(
            self.settings, run_id=run_id, now=self.time.now, only=only, clock=self.time.clock()
        )
        return {source.source: source for source in pulled}


def landed(settings: Settings) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for file in list_landed(settings.paths.landing):
        if file.kind != "records":
            continue
        for _, content, _ in read_objects(file.path, FileState()):
            assert content is not None
            payload = json.dumps(content["payload"], sort_keys=True)
            found[f"{file.source}/{file.stream}", content["record_id"], payload] += 1
    return found


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    for make in NAMES.values():
        for name, value in make().environment.items():
            monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        yield World(tmp_path, stack)


def test_all_sources_land_side_by_side_and_a_second_run_lands_nothing(world: World) -> None:
    pulled = world.extract("r1")
    assert all(source.error is None for source in pulled.values())
    first = landed(world.settings)
    assert max(first.values()) == 1
    for name, make in NAMES.items():
        expected, _ = undisturbed(make)
        assert pulled[name].records == len(expected.landed)
    again = world.extract("r2")
    assert {name: source.records for name, source in again.items()} == dict.fromkeys(NAMES, 0)
    assert landed(world.settings) == first


def test_they_are_pulled_at_the_same_time(world: World) -> None:
    """Every platform answers its first request only once all four have been asked."""
    together = threading.Barrier(4, timeout=20)
    for name, server in world.servers.items():
        met: list[bool] = []

        def wait(reply: Reply, _number: int, met: list[bool] = met) -> Reply:
            if not met:
                met.append(True)
                together.wait()
            return reply

        with_fault(world.platforms[name], server, wait, 0, MANY)
    assert all(source.error is None for source in world.extract("r1").values())


@pytest.mark.parametrize("failing", list(NAMES))
def test_one_that_fails_leaves_the_others_running(world: World, failing: str) -> None:
    refused = json_reply({"message": "Unauthorized"}, 401)
    with_fault(world.platforms[failing], world.servers[failing], lambda r, n: refused, 0, MANY)
    pulled = world.extract("r1")
    assert [name for name, source in pulled.items() if source.error is not None] == [failing]
    assert all(source.records for name, source in pulled.items() if name != failing)


def test_something_unforeseen_in_one_leaves_the_others_running(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strange(*_args: Any) -> Any:
        raise ZeroDivisionError("who would have thought")
        yield

    monkeypatch.setattr(extracting.SOURCES["x"], "pull", strange)
    pulled = world.extract("r1")
    assert "ZeroDivisionError" in str(pulled["x"].error)
    assert all(source.error is None for name, source in pulled.items() if name != "x")


def test_an_interrupt_ends_the_long_waits_of_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()

    def limited(_reply: Reply, _number: int) -> Reply:
        asked.set()
        return json_reply({}, 429, **{"retry-after": "600"})

    def interrupted(*_args: Any) -> Any:
        asked.wait(20)
        raise KeyboardInterrupt
        yield

    with_fault(world.platforms["x"], world.servers["x"], limited, 0, MANY)
    monkeypatch.setattr(extracting.SOURCES["hackernews"], "pull", interrupted)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        # The clock of real runs: without the interrupt this would wait ten minutes.
        extracting.extract(
            world.settings, run_id="r1", now=world.time.now, only=("x", "hackernews")
        )
    assert time.monotonic() - started < 30


def test_what_was_fetched_is_safe_before_a_long_wait(world: World) -> None:
    seen: list[int] = []
    limited = json_reply({}, 429, **{"retry-after": "600"})

    def look(_reply: Reply, _number: int) -> Reply:
        return limited

    with_fault(world.platforms["x"], world.servers["x"], look, 1, 1)
    sleep = world.time.sleep

    def watched(seconds: float) -> None:
        if seconds > 500:
            seen.append(sum(landed(world.settings).values()))
        sleep(seconds)

    clock = replace(world.time.clock(), sleep=watched)
    extracting.extract(world.settings, run_id="r1", now=world.time.now, only=("x",), clock=clock)
    assert seen == [6]  # four posts and two authors of the first page


def test_a_run_with_one_failing_source_ends_partial(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = json_reply({"message": "Unauthorized"}, 401)
    with_fault(world.platforms["x"], world.servers["x"], lambda r, n: refused, 0, MANY)
    monkeypatch.setattr(extracting, "Clock", lambda **_kw: world.time.clock())
    code = running.run_steps(world.settings, "extract", "load", now=world.time.now)
    assert code == running.EXIT_PARTIAL
    printed = capsys.readouterr()
    assert "SOCIAL_SIGNALS_X_BEARER_TOKEN" in printed.err
    assert "very-secret" not in printed.err + printed.out
    with duckdb.connect(str(world.settings.paths.work), read_only=True) as connection:
        budgets = connection.execute(
            "select source, unit, used_amount, limit_amount from raw.budgets"
        ).fetchall()
        (status,) = connection.execute("select status from raw.runs").fetchall()
    assert status == ("partial",)
    used = {(source, unit): int(amount) for source, unit, amount, _ in budgets}
    for name, server in world.servers.items():
        assert used[name, "requests"] == len(server.requests)


def test_a_backfill_leaves_files_and_simulations_alone(world: World) -> None:
    world.extract("r1")
    pulled = extracting.extract(
        world.settings,
        run_id="r2",
        now=world.time.now,
        clock=world.time.clock(),
        only=("x",),
        since=world.time.now() - timedelta(hours=2),
        until=world.time.now() - timedelta(minutes=8),
    )
    assert [(source.source, source.records, source.error) for source in pulled] == [("x", 0, None)]


def test_targets_share_a_ledger_because_platforms_count_by_key(world: World) -> None:
    world.extract("r1", only=("x",))
    (use,) = read_uses(world.settings.paths.budgets)
    assert use.source == "x"
    assert world.settings.paths.budgets == world.settings.paths.data / "_budgets"


def context_of(world: World) -> Any:
    return extracting.make_context(
        world.settings, run_id="p", now=world.time.now, clock=world.time.clock()
    )


def test_plan_tells_requests_units_money_and_what_does_not_fit(world: World) -> None:
    changed = world.platforms["x"].settings(prices_usd={"posts": "0.005", "users": "0.01"})
    world.settings = world.settings.model_copy(
        update={"sources": {**world.settings.sources, "x": changed}}
    )
    said: list[str] = []
    code = live_commands.report_plan(world.settings, say=said.append, context=context_of(world))
    assert code == live_commands.ATTENTION
    text = "\n".join(said)
    assert "x  1 requests, 33 posts, 33 users, $0.50" in text
    assert "sources.x.budget.money_usd allows more" in text
    assert "hackernews" in text
    assert "counted by Algolia" in text
    assert not world.settings.paths.landing.exists()


def test_doctor_tells_of_each_source_how_it_stands(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    code = live_commands.report_health(world.settings, say=said.append, context=context_of(world))
    assert code == 0, said
    assert sum("configured, reachable, authorised" in line for line in said) == 4
    assert all("left this month; nothing landed yet" in line for line in said[:4])
    world.extract("r1")
    monkeypatch.delenv("SOCIAL_SIGNALS_X_BEARER_TOKEN")
    said.clear()
    code = live_commands.report_health(world.settings, say=said.append, context=context_of(world))
    assert code == live_commands.ATTENTION
    assert "SOCIAL_SIGNALS_X_BEARER_TOKEN is missing" in said[0]
    assert all("last landed 2026-11-20T12" in line for line in said if line[:3] in ("rss", "hac"))


def test_doctor_says_what_is_not_set_up_and_what_needs_no_network(repository: Path) -> None:
    settings = load_settings(repository / "targets" / "demo.toml")
    said: list[str] = []
    assert live_commands.report_health(settings, say=said.append) == 0
    assert said[0].startswith("simulated: reads this machine only")
    assert "x: not set up in demo.toml" in said
    assert live_commands.report_plan(settings, say=said.append) == 0


def test_doctor_says_what_a_source_that_is_off_would_take(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOCIAL_SIGNALS_X_BEARER_TOKEN", raising=False)
    off = [f"sources.{name}.enabled=false" for name in ("hackernews", "rss", "github", "bluesky")]
    settings = load_settings(repository / "examples" / "live.toml", off)
    said: list[str] = []
    assert live_commands.report_health(settings, say=said.append) == 0
    of_x = next(line for line in said if line.startswith("x: switched off"))
    assert "sources.x.enabled = true" in of_x
    assert "SOCIAL_SIGNALS_X_BEARER_TOKEN not set" in of_x


def test_the_demo_asks_no_platform(repository: Path) -> None:
    settings = load_settings(repository / "targets" / "demo.toml")
    assert not any(isinstance(source, LiveSettings) for source in settings.sources.values())


def test_the_live_example_is_valid_and_costs_nothing_unless_told(repository: Path) -> None:
    settings = load_settings(repository / "examples" / "live.toml")
    enabled = {name for name, source in settings.sources.items() if source.enabled}
    assert enabled == {"hackernews", "rss", "github", "bluesky"}
    feeds = settings.sources["rss"].feeds  # type: ignore[attr-defined]
    assert len(feeds) >= 8
    assert all(feed.why for feed in feeds.values())
    assert settings.sources["x"].budget.money_usd == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("since", "until", "message"),
    [("yesterday", None, "no day"), ("2026-02-01", "2026-01-01", "not before")],
)
def test_a_window_that_is_none_is_refused(since: str, until: str | None, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        live_commands.window(since, until)


def test_a_plain_address_is_refused_except_on_this_machine(tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text('[sources.x]\nbase_url = "http://api.example"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="not encrypted"):
        load_settings(file)
    assert pull is not None


@pytest.mark.slow
def test_a_full_run_with_all_sources_on(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Extract, load, build, publish, charts, insights: from four sockets to the published file."""
    monkeypatch.setattr(extracting, "Clock", lambda **_kw: world.time.clock())
    monkeypatch.setattr(running, "utc_now", world.time.now)
    code = running.run_steps(world.settings, *running.ALL_STEPS, now=world.time.now)
    printed = capsys.readouterr()
    assert code == running.EXIT_NOTHING, printed.err  # a day of posts relates nothing to nothing
    with duckdb.connect(str(world.settings.paths.published), read_only=True) as connection:
        posts = dict(
            connection.execute(
                "select platform, count(*) from marts.fct_posts group by 1"
            ).fetchall()
        )
        spent = connection.execute(
            "select count(*), sum(used_amount) from marts.ops_budget where unit = 'requests'"
        ).fetchone()
        # What the build found of itself is in what it publishes.
        results = connection.execute(
            "select layer, count(*) from marts.ops_test_results "
            "where node_kind = 'test' and result_status = 'pass' group by layer"
        ).fetchall()
        steps = connection.execute(
            "select step, step_status from marts.ops_steps order by started_at, step"
        ).fetchall()
        states = connection.execute(
            "select source, bool_and(last_answered_at is not null), bool_or(is_warning) "
            "from marts.ops_freshness where is_enabled group by source order by source"
        ).fetchall()
    assert posts == {"hackernews": 11, "reddit": 16, "rss": 12, "x": 12}
    assert min(dict(results)[layer] for layer in ("staging", "intermediate", "marts")) > 50
    assert sorted(steps) == [("build", "done"), ("extract", "done"), ("load", "done")]
    assert states == [(name, True, False) for name in ("hackernews", "reddit", "rss", "x")]
    assert spent is not None
    assert int(spent[1]) == sum(len(server.requests) for server in world.servers.values())
