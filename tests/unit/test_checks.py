"""What is found out before a run touches anything."""

from __future__ import annotations

from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline import checks, running
from pipeline.checks import ClockError, DiskSpaceError, bytes_needed, check_clock, check_disk
from pipeline.paths import TargetPaths
from pipeline.settings import load_settings
from warehouse.landing import LandingWriter

NOW = datetime(2026, 3, 1, tzinfo=UTC)
Usage = namedtuple("Usage", "total used free")


def land(paths: TargetPaths, at: datetime) -> None:
    with LandingWriter(
        paths.landing, source_name="x", run_id="r1", is_simulated=False, clock=lambda: at
    ) as writer:
        writer.append("x", "posts", "1", {"id": "1"}, at)
        writer.commit({})


def test_the_disk_must_hold_the_models_twice_and_a_margin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = TargetPaths(tmp_path / "not" / "there" / "yet", "shop")
    assert bytes_needed(paths, min_free_gb=0.5) == 500_000_000
    paths.folder.mkdir(parents=True)
    paths.work.write_bytes(b"x" * 3_000)
    paths.published.write_bytes(b"x" * 2_000)
    needed = bytes_needed(paths, min_free_gb=0.5)
    assert needed == 500_005_000
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: Usage(0, 0, needed))
    check_disk(paths, min_free_gb=0.5)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: Usage(0, 0, needed - 1))
    with pytest.raises(DiskSpaceError, match=r"a run may need 0\.5 GB"):
        check_disk(paths, min_free_gb=0.5)


def test_a_clock_that_was_never_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match="1970-01-01 00:07"):
        check_clock(TargetPaths(tmp_path, "shop"), datetime(1970, 1, 1, 0, 7, tzinfo=UTC))


def test_a_clock_behind_the_newest_landing_file_is_named(tmp_path: Path) -> None:
    paths = TargetPaths(tmp_path, "shop")
    check_clock(paths, NOW)
    land(paths, NOW - timedelta(days=9))
    land(paths, NOW)
    check_clock(paths, NOW + timedelta(days=400))
    check_clock(paths, NOW - timedelta(minutes=4))
    with pytest.raises(ClockError, match="2026-02-28 23:50 UTC, but records were landed"):
        check_clock(paths, NOW - timedelta(minutes=10))


def test_a_run_that_cannot_succeed_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCIAL_SIGNALS_DATA", str(tmp_path / "data"))
    file = tmp_path / "shop.toml"
    file.write_text("[target]\n[sources.datasets]\nenabled = false\n", encoding="utf-8")
    settings = load_settings(file)
    land(settings.paths, NOW)
    before = sorted(settings.paths.landing.rglob("*"))
    with pytest.raises(ClockError):
        running.run_steps(settings, "extract", "load", now=lambda: NOW - timedelta(days=1))
    assert sorted(settings.paths.landing.rglob("*")) == before
    unchecked = load_settings(file, ["run.check_clock=false"])
    assert running.run_steps(unchecked, "load", now=lambda: NOW - timedelta(days=1)) == 0
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: Usage(0, 0, 1_000))
    with pytest.raises(DiskSpaceError):
        running.run_steps(settings, "build", now=lambda: NOW)
