"""The memory of kept records: what it must never forget, and how long a stream is listened to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from extract._kept import Kept
from extract._live import duration_of
from extract.base import Context, Page, Record
from pipeline import extracting
from pipeline.live_commands import lasting
from pipeline.settings import SettingsError
from warehouse.landing import LandingWriter
from warehouse.lines import landed_ids

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_what_was_added_is_known_and_hardly_anything_else() -> None:
    kept = Kept(None, is_first=True, bits=1 << 16)
    for number in range(3_000):
        kept.add(f"at://a/{number}")
    assert all(f"at://a/{number}" in kept for number in range(3_000))
    strangers = sum(f"at://b/{number}" in kept for number in range(3_000))
    assert strangers < 60, "more than two in a hundred strangers are taken for friends"


def test_a_killed_process_has_forgotten_nothing_that_it_saved(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from extract._kept import Kept\n"
        "kept = Kept(Path(sys.argv[1]), is_first=True)\n"
        "kept.add('saved'); kept.save()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    kept = Kept(tmp_path, is_first=False)
    assert kept.is_complete
    assert "saved" in kept
    kept.close()


@pytest.mark.parametrize("damage", ["missing", "short", "other", "torn_refill"])
def test_a_lost_memory_is_not_relied_on_until_it_was_filled_again(
    tmp_path: Path, damage: str
) -> None:
    kept = Kept(tmp_path, is_first=True, bits=1 << 12)
    kept.add("one")
    kept.save()
    kept.close()
    file = tmp_path / "kept.bits"
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    elif damage == "short":
        file.write_bytes(content[:-1])
    else:
        file.write_bytes(b"x" + content[1:])
    again = Kept(tmp_path, is_first=False, bits=1 << 12)
    assert not again.is_complete
    if damage == "torn_refill":
        # Killed while it was filled: the next run fills it anew.
        again.add("one")
        again.save()
        again.close()
        again = Kept(tmp_path, is_first=False, bits=1 << 12)
        assert not again.is_complete
    again.complete(["one", "two"])
    again.close()
    last = Kept(tmp_path, is_first=False, bits=1 << 12)
    assert last.is_complete
    assert "one" in last
    assert "two" in last
    last.close()


def test_ids_of_what_has_landed_are_given_again(tmp_path: Path) -> None:
    with LandingWriter(
        tmp_path, source_name="bluesky", run_id="r", is_simulated=False, clock=lambda: NOW
    ) as writer:
        for number in range(3):
            writer.append("bluesky", "posts", f"at://{number}", {"n": number}, NOW)
        writer.append("bluesky", "accounts", "did:x", {"n": 0}, NOW)
        writer.reject("bluesky", "posts", "{", "torn")
        writer.commit({})
    assert sorted(landed_ids(tmp_path, "bluesky", "posts")) == ["at://0", "at://1", "at://2"]


def test_a_stream_that_brings_nothing_leaves_few_commits(tmp_path: Path) -> None:
    """An hour of pages that only move the cursor, two seconds apart."""
    time = {"s": 0.0}
    writer = LandingWriter(
        tmp_path, source_name="bluesky", run_id="r", is_simulated=False, clock=lambda: NOW
    )
    context = Context("r", lambda: NOW, (), tmp_path, tmp_path)
    clock: Any = type("Ticking", (), {"monotonic": staticmethod(lambda: time["s"])})
    state = extracting._Pull(writer, replace(context, clock=clock), Event())
    for number in range(1_800):
        time["s"] += 2.0
        state.take(Page([], {"at": number}))
    commits = tmp_path / "_commits" / "bluesky"
    assert 3 <= len(list(commits.iterdir())) <= 7
    state.take(Page([Record("bluesky/posts", "at://1", {}, NOW)], {"at": 9_999}))
    time["s"] += 31.0
    state.take(Page([], {"at": 10_000}))
    assert writer.cursor == {"at": 10_000}, "what has come waits for half a minute at most"
    writer.close()


def test_durations_are_read_as_they_are_spoken() -> None:
    assert duration_of("90s") == timedelta(seconds=90)
    assert duration_of("1h30m") == timedelta(minutes=90)
    assert lasting("10m") == timedelta(minutes=10)
    assert lasting(None) is None
    for text in ("", "10", "m", "-5m", "0s", "1.5h", "10m5h"):
        with pytest.raises(ValueError, match="no duration"):
            duration_of(text)
    with pytest.raises(SettingsError, match="--for: 'soon'"):
        lasting("soon")
