"""A build is skipped only when nothing that it rests on has changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import charts
from pipeline import running
from pipeline.building import BuildResult
from pipeline.console import Meter
from pipeline.fingerprints import PUBLISHED, fingerprint, read_mark, write_mark
from pipeline.settings import Settings, load_settings
from warehouse.schema import ensure_raw_tables, open_work
from warehouse.tombstones import add_tombstones

NOW = datetime(2026, 1, 5, tzinfo=UTC)
CALM = {"currency": "EUR", "cutoff_at": "2026-01-05T09:00:00+00:00"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    (catalogue / "products.csv").write_text("product_id\n", encoding="utf-8")
    file = tmp_path / "shop.toml"
    file.write_text(f'[target]\ncatalogue = "{catalogue}"\n', encoding="utf-8")
    loaded = load_settings(file)
    with open_work(loaded.paths.work) as connection:
        ensure_raw_tables(connection, [("x", "posts")])
    return loaded


def test_the_same_state_has_the_same_fingerprint_all_day(settings: Settings) -> None:
    later = {**CALM, "cutoff_at": "2026-01-05T23:00:00+00:00"}
    assert fingerprint(settings, CALM) == fingerprint(settings, later)


def test_settings_day_and_catalogue_change_it(settings: Settings) -> None:
    first = fingerprint(settings, CALM)
    assert fingerprint(settings, {**CALM, "currency": "USD"}) != first
    assert fingerprint(settings, {**CALM, "cutoff_at": "2026-01-06T09:00:00+00:00"}) != first
    (settings.catalogue_folder / "products.csv").write_text("product_id\nx\n", encoding="utf-8")
    assert fingerprint(settings, CALM) != first


def test_a_forgotten_record_changes_it(settings: Settings) -> None:
    first = fingerprint(settings, CALM)
    with open_work(settings.paths.work) as connection:
        add_tombstones(
            connection,
            settings.paths.landing,
            [("x", "posts", "1")],
            reason="asked",
            created_at=NOW,
        )
    assert fingerprint(settings, CALM) != first


def test_marks_are_read_back_and_damage_is_no_mark(tmp_path: Path) -> None:
    mark = tmp_path / "state" / "built.json"
    assert read_mark(mark) is None
    write_mark(mark, "abc")
    assert read_mark(mark) == "abc"
    mark.write_text("{", encoding="utf-8")
    assert read_mark(mark) is None


def test_staging_of_an_earlier_version_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "shop.toml"
    file.write_text("[target]\nexpects = []\n", encoding="utf-8")
    settings = load_settings(file)
    refreshed: list[bool] = []

    def build(_settings: Settings, _meter: Meter, *, full_refresh: bool) -> BuildResult:
        refreshed.append(full_refresh)
        with open_work(settings.paths.work) as connection:
            connection.execute("create schema if not exists staging")
            connection.execute("create table if not exists staging.stg_x__posts (a int)")
        return BuildResult()

    monkeypatch.setattr(running, "build", build)
    assert running.run_steps(settings, "load", "build") == 0
    (settings.paths.state / "built.json").unlink()
    assert running.run_steps(settings, "build") == 0
    assert refreshed == [False, False]
    monkeypatch.setattr(running, "staging_fingerprint", lambda: "of the next version")
    (settings.paths.state / "built.json").unlink()
    assert running.run_steps(settings, "build") == 0
    (settings.paths.state / "built.json").unlink()
    assert running.run_steps(settings, "build") == 0
    assert refreshed == [False, False, True, False]


def test_charts_are_drawn_again_only_when_something_new_was_published(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []

    def draw(published: Path, output: Path, **_: object) -> list[Path]:
        files = [output / f"{name}{kind}" for name in charts.CHARTS for kind in (".png", ".svg")]
        output.mkdir(parents=True, exist_ok=True)
        for file in files:
            file.touch()
        drawn.append(len(files))
        return files

    def again(*steps: str) -> int:
        run = running.Run(settings, "r", lambda: NOW, NOW, steps)
        running.STEPS["charts"](run, lambda _: None)
        return len(drawn)

    monkeypatch.setattr(charts, "make_all", draw)
    mark = settings.paths.state / PUBLISHED
    write_mark(mark, "one")
    assert again("publish", "charts") == 1
    assert again("publish", "charts") == 1
    assert again("charts") == 2, "who asks for charts gets them"
    assert again("forget", "publish", "charts") == 3, "no picture outlives what was forgotten"
    (settings.paths.charts / "lags.png").unlink()
    assert again("publish", "charts") == 4
    write_mark(mark, "two")
    assert again("publish", "charts") == 5
    monkeypatch.setattr(running, "drawing_fingerprint", lambda _: "other code")
    assert again("publish", "charts") == 6
