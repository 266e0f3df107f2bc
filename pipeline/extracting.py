"""Pulling sources into landing files: a page is durable before its cursor moves.

Sources on this machine are pulled one after the other, then those that ask platforms side by side:
each has limits of its own to wait for, and a transport of its own that keeps them.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeAlias

from extract._clock import Clock
from extract._live import LiveSettings
from extract.base import Context, ExtractError, Page, SourceSettings
from extract.registry import SOURCES
from pipeline.catalogue import read_catalogue
from pipeline.console import Meter, meter
from pipeline.paths import PROJECT_ROOT
from pipeline.privacy import guard
from pipeline.producing import KafkaSink
from pipeline.settings import Settings, SettingsError
from warehouse.landing import LandingWriter
from warehouse.lines import landed_ids

COMMIT_RECORDS = 20_000
"""Pages are gathered up to this many records before they are committed together."""
COMMIT_SECONDS = 30.0
"""Pages of a platform are gathered no longer than this: what a killed run fetched costs again."""
QUIET_COMMIT_SECONDS = 600.0
"""A cursor that moved and brought nothing is committed after this: it costs a record of its own."""
LONG_SLEEP_SECONDS = 5.0
"""Before a longer wait than this, what has been fetched is committed."""

Sink: TypeAlias = LandingWriter | KafkaSink

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one source gave in a run; `error` when it could not finish."""

    source: str
    records: int
    rejects: int
    error: ExtractError | None = None
    notes: tuple[str, ...] = ()


class _Stopped(BaseException):
    """The run was interrupted while this source was at work in a thread."""


def chosen_sources(settings: Settings, only: tuple[str, ...] = ()) -> dict[str, SourceSettings]:
    """The enabled sources, or those named.

    Raises:
        SettingsError: one of the names is unknown or not set up.
    """
    for name in only:
        if name not in SOURCES:
            raise SettingsError(f"There is no source {name!r}.", f"Known: {', '.join(SOURCES)}.")
        if name not in settings.sources:
            raise SettingsError(
                f"Source {name!r} is not set up in {settings.file}.",
                f"Add a table [sources.{name}].",
            )
    return {
        name: source
        for name, source in settings.sources.items()
        if source.enabled and (not only or name in only)
    }


def make_context(
    settings: Settings,
    *,
    run_id: str,
    now: Callable[[], datetime],
    since: datetime | None = None,
    until: datetime | None = None,
    duration: timedelta | None = None,
    clock: Clock | None = None,
) -> Context:
    """What sources of this target are handed."""
    return Context(
        run_id=run_id,
        now=now,
        catalogue=read_catalogue(settings.catalogue_folder),
        root=PROJECT_ROOT,
        truth_path=settings.paths.truth,
        business_timezone=settings.target.business_timezone,
        clock=clock or Clock(now=now),
        environment=os.environ,
        budgets=settings.paths.budgets,
        since=since,
        until=until,
        state=settings.paths.state,
        landed=partial(landed_ids, settings.paths.landing),
        duration=duration,
    )


def extract(
    settings: Settings,
    *,
    run_id: str,
    now: Callable[[], datetime],
    only: tuple[str, ...] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    duration: timedelta | None = None,
    clock: Clock | None = None,
    to_kafka: bool = False,
) -> list[Pulled]:
    """Pull every enabled source (or those named); a source that fails does not stop the others.

    With `since` or `until`, platforms are asked for that window only (a backfill) and the other
    sources are left out. With `to_kafka`, records go to topics instead of landing files.
    A source that streams goes on for `duration`.
    """
    open_sink = partial(_sink, settings, to_kafka=to_kafka)
    chosen = chosen_sources(settings, only)
    context = make_context(
        settings,
        run_id=run_id,
        now=now,
        since=since,
        until=until,
        duration=duration,
        clock=clock,
    )
    live = {name: s for name, s in chosen.items() if isinstance(s, LiveSettings)}
    is_backfill = since is not None or until is not None
    pulled: dict[str, Pulled] = {}
    for name, source_settings in chosen.items():
        if name in live or is_backfill:
            continue
        with meter(f"extract {name}") as progress, closing(open_sink(name, context)) as writer:
            pulled[name] = _pull_one(name, source_settings, writer, context, progress.update)
    if live:
        pulled |= _pull_side_by_side(live, context, open_sink)
    return [pulled[name] for name in chosen if name in pulled]


def _pull_side_by_side(
    live: dict[str, LiveSettings], context: Context, open_sink: Callable[[str, Context], Sink]
) -> dict[str, Pulled]:
    """Pull platforms in one thread each."""
    stop = threading.Event()
    with ExitStack() as stack:
        progress = stack.enter_context(meter(f"extract {', '.join(live)}"))
        # All before the first thread: opening a writer tidies the folder that they share.
        writers: dict[str, Sink] = {}
        for name in live:
            writers[name] = open_sink(name, context)
            stack.callback(writers[name].close)
        counts = _Counts(progress)
        with ThreadPoolExecutor(max_workers=len(live)) as pool:
            futures = {
                name: pool.submit(
                    _pull_one,
                    name,
                    source_settings,
                    writers[name],
                    context,
                    counts.of(name),
                    stop,
                )
                for name, source_settings in live.items()
            }
            try:
                done, _ = wait(futures.values(), return_when=FIRST_EXCEPTION)
                for future in done:
                    future.result()
            except BaseException:
                # A full disk, or Ctrl-C: the others end at their next page, or in their wait.
                stop.set()
                raise
            return {name: future.result() for name, future in futures.items()}


@dataclass(slots=True)
class _Counts:
    """One progress display for several sources."""

    progress: Meter
    counts: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> Callable[[int], None]:
        def update(count: int) -> None:
            with self.lock:
                self.counts[name] = count
                self.progress.update(sum(self.counts.values()))

        return update


def _sink(settings: Settings, name: str, context: Context, *, to_kafka: bool) -> Sink:
    """Where a source's records go: landing files, or topics."""
    is_simulated = SOURCES[name].IS_SIMULATED
    writer = LandingWriter(
        settings.paths.landing,
        source_name=name,
        run_id=context.run_id,
        is_simulated=is_simulated,
        clock=context.now,
        guard=guard,
    )
    if not to_kafka:
        return writer
    return KafkaSink(settings.kafka, writer, is_simulated=is_simulated)


@dataclass(slots=True)
class _Pull:
    """One source's pull: what waits to be committed, and what has come."""

    writer: Sink
    context: Context
    stop: threading.Event | None
    cursor: dict[str, object] | None = None
    waiting: int = 0
    committed_at: float = 0.0
    records: int = 0
    rejects: int = 0
    notes: list[str] = field(default_factory=list)

    def take(self, page: Page) -> None:
        _append(self.writer, page)
        self.cursor = dict(page.cursor)
        self.waiting += len(page.records) + len(page.rejects)
        self.records += len(page.records)
        self.rejects += len(page.rejects)
        self.notes += page.notes
        # A stream moves its cursor for hours without bringing anything.
        most = COMMIT_SECONDS if self.waiting else QUIET_COMMIT_SECONDS
        is_late = (
            self.stop is not None and self.context.clock.monotonic() - self.committed_at >= most
        )
        if self.waiting >= COMMIT_RECORDS or is_late:
            self.commit()

    def commit(self) -> None:
        self.writer.commit(self.cursor)
        self.waiting = 0
        self.committed_at = self.context.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, what has been fetched being safe; an interrupted run ends the wait."""
        if seconds > LONG_SLEEP_SECONDS and self.waiting:
            self.commit()
        if self.stop is not None and self.context.clock.sleep is time.sleep:
            self.stop.wait(seconds)
        else:
            self.context.clock.sleep(seconds)
        self.check()

    def check(self) -> None:
        if self.stop is not None and self.stop.is_set():
            raise _Stopped


def _pull_one(
    name: str,
    source_settings: SourceSettings,
    writer: Sink,
    context: Context,
    update: Callable[[int], None],
    stop: threading.Event | None = None,
) -> Pulled:
    state = _Pull(writer, context, stop, committed_at=context.clock.monotonic())
    handed = replace(context, clock=replace(context.clock, sleep=state.sleep))
    error: ExtractError | None = None
    try:
        for page in SOURCES[name].pull(source_settings, writer.cursor, handed):
            state.take(page)
            update(state.records)
            state.check()
    except ExtractError as failure:
        error = failure
    except Exception as failure:
        if stop is None:
            raise
        # A platform that sends what nobody foresaw must not end the other sources.
        logger.exception("%s failed", name)
        error = ExtractError(
            f"{name}: something unforeseen: {type(failure).__name__}: {failure}",
            "What came before has landed. Please report it with the lines above.",
        )
    if error is None or state.cursor is not None:
        state.commit()
    return Pulled(name, state.records, state.rejects, error, tuple(state.notes))


def _append(writer: Sink, page: Page) -> None:
    for record in page.records:
        source, stream = record.stream.split("/")
        writer.append(source, stream, record.record_id, record.payload, record.fetched_at)
    for reject in page.rejects:
        source, stream = reject.stream.split("/")
        writer.reject(source, stream, reject.text, reject.reason, origin=reject.origin)
