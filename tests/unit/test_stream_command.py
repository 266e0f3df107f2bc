"""What goes on beside a stream: a refresh when it is due, one at a time."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from pipeline import stream_command
from pipeline.stream_command import Refresher


class Process:
    """A child process whose end a test decides."""

    begun: list[list[str]]

    def __init__(self, command: list[str], **_options: Any) -> None:
        self.begun.append(command)
        self.code: int | None = None
        self.is_waited_for = False

    def poll(self) -> int | None:
        return self.code

    def wait(self) -> int:
        self.is_waited_for = True
        return 0


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(Process, "begun", commands, raising=False)
    monkeypatch.setattr(subprocess, "Popen", Process)
    return commands


def test_a_refresh_begins_when_it_is_due_and_none_is_under_way(
    begun: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(stream_command, "_say", said.append)
    time = [0.0]
    refresher = Refresher(60.0, ["--config", "shop.toml"], monotonic=lambda: time[0])
    refresher.turn()
    refresher.turn()
    assert len(begun) == 1
    assert begun[0][-3:] == ["refresh", "--config", "shop.toml"]
    time[0] = 100.0
    refresher.turn()
    assert len(begun) == 1, "the first is still under way"
    refresher._process.code = 1  # type: ignore[union-attr]
    refresher.turn()
    assert len(begun) == 2
    assert said == ["a refresh ended with code 1; the stream goes on"]
    time[0] = 150.0
    refresher._process.code = 3  # type: ignore[union-attr]
    refresher.turn()
    assert len(begun) == 2, "not due yet"
    assert len(said) == 1, "a partial refresh is told by itself"


def test_a_refresh_under_way_may_finish(begun: list[list[str]]) -> None:
    refresher = Refresher(60.0, [])
    refresher.turn()
    process = refresher._process
    refresher.end()
    assert isinstance(process, Process)
    assert process.is_waited_for
