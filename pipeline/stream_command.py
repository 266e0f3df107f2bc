"""`social-signals stream`: topics into landing files, for a while or for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from pipeline import live_commands
from pipeline.console import Level, log_form, meter, name_run, tell
from pipeline.paths import PROJECT_ROOT
from pipeline.running import new_run_id, utc_now
from pipeline.settings import load_settings, target_file
from pipeline.streaming import Counts, Stream
from warehouse.errors import LockedError


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="stream")(stream)


def stream(
    target: Annotated[str, typer.Option("--target", "-t", help="A target of targets/.")] = "demo",
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Any other settings file; its stem is the target's name."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change one setting for this run."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="End after so long: 90s, 10m, 2h; for ever without.")
    ] = None,
    until_caught_up: Annotated[
        bool,
        typer.Option("--until-caught-up", help="End when all has been read."),
    ] = False,
    refresh_every: Annotated[
        str | None,
        typer.Option("--refresh-every", help="Meanwhile build and publish so often: 15m, 1h."),
    ] = None,
) -> None:
    """Land the messages of Kafka topics as they come; several processes share the partitions.

    Example: social-signals stream --target demo --until-caught-up
    Example: social-signals stream --target demo --refresh-every 15m
    """
    overrides = overrides or []
    file = config or target_file(target)
    settings = load_settings(file, overrides)
    seconds = _seconds(duration, "--for")
    every = _seconds(refresh_every, "--refresh-every")
    run_id = new_run_id(utc_now())
    name_run(target=settings.name, run_id=run_id)
    arguments = ["--config", str(file.resolve())]
    arguments += [part for change in overrides for part in ("--set", change)]
    refresher = Refresher(every, arguments) if every is not None else None
    consumer = Stream(settings, run_id, utc_now, _say)
    with meter("stream") as progress:

        def look(counts: Counts) -> None:
            done = counts.records + counts.rejects
            progress.update(done, done + counts.lag, f"lag {counts.lag:,}")
            if refresher is not None:
                refresher.turn()

        try:
            counts = consumer.run(seconds=seconds, until_caught_up=until_caught_up, progress=look)
        finally:
            if refresher is not None:
                refresher.end()
    tell(
        "stream",
        f"{counts.records:,} records and {counts.rejects:,} rejects landed in {counts.commits:,} "
        f"commits; lag {counts.lag:,}",
        records=counts.records,
        rejects=counts.rejects,
        commits=counts.commits,
        lag=counts.lag,
    )


def _seconds(duration: str | None, option: str) -> float | None:
    lasting = live_commands.lasting(duration, option)
    return None if lasting is None else lasting.total_seconds()


def _say(message: str) -> None:
    tell("note", message, level=Level.WARNING)


@dataclass(slots=True)
class Refresher:
    """Runs `social-signals refresh` in a process of its own, one at a time, every so many seconds.

    Another process, because a build needs the target's lock and seconds of a core, and messages
    must be read meanwhile.
    """

    every: float
    arguments: list[str]
    monotonic: Callable[[], float] = time.monotonic
    _process: subprocess.Popen[bytes] | None = None
    _next: float = field(default=float("-inf"))

    def turn(self) -> None:
        """Begin a refresh when it is due and none is under way."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                return
            self._process = None
            if code not in (0, 3, 4, LockedError.exit_code):
                _say(f"a refresh ended with code {code}; the stream goes on")
        if self.monotonic() < self._next:
            return
        self._next = self.monotonic() + self.every
        command = [sys.executable, "-m", "pipeline", "--log", log_form().value, "refresh"]
        path = os.pathsep.join(filter(None, (str(PROJECT_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [*command, *self.arguments], env={**os.environ, "PYTHONPATH": path}
        )

    def end(self) -> None:
        """Let a refresh that is under way finish."""
        if self._process is not None:
            self._process.wait()
            self._process = None
