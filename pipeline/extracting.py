"""Pulling sources into landing files: a page is durable before its cursor moves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from extract.base import Context, ExtractError, Page, SourceSettings
from extract.registry import SOURCES
from pipeline.catalogue import read_catalogue
from pipeline.console import meter
from pipeline.paths import PROJECT_ROOT
from pipeline.settings import Settings, SettingsError
from warehouse.landing import LandingWriter

COMMIT_RECORDS = 20_000
"""Pages are gathered up to this many records before they are committed together."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one source gave in a run; `error` when it could not finish."""

    source: str
    records: int
    rejects: int
    error: ExtractError | None = None


def extract(
    settings: Settings,
    *,
    run_id: str,
    now: Callable[[], datetime],
    only: tuple[str, ...] = (),
) -> list[Pulled]:
    """Pull every enabled source (or those named); a source that fails does not stop the others."""
    for name in only:
        if name not in SOURCES:
            raise SettingsError(f"There is no source {name!r}.", f"Known: {', '.join(SOURCES)}.")
        if name not in settings.sources:
            raise SettingsError(
                f"Source {name!r} is not set up in {settings.file}.",
                f"Add a table [sources.{name}].",
            )
    chosen = [
        (name, source)
        for name, source in settings.sources.items()
        if source.enabled and (not only or name in only)
    ]
    context = Context(
        run_id=run_id,
        now=now,
        catalogue=read_catalogue(settings.catalogue_folder),
        root=PROJECT_ROOT,
        truth_path=settings.paths.truth,
        business_timezone=settings.target.business_timezone,
    )
    return [_pull_one(name, source, settings, context) for name, source in chosen]


def _pull_one(
    name: str, source_settings: SourceSettings, settings: Settings, context: Context
) -> Pulled:
    source = SOURCES[name]
    records = rejects = waiting = 0
    with (
        meter(f"extract {name}") as progress,
        LandingWriter(
            settings.paths.landing,
            source_name=name,
            run_id=context.run_id,
            is_simulated=source.IS_SIMULATED,
            clock=context.now,
        ) as writer,
    ):
        cursor = None
        try:
            for page in source.pull(source_settings, writer.cursor, context):
                _append(writer, page)
                cursor = page.cursor
                waiting += len(page.records) + len(page.rejects)
                records += len(page.records)
                rejects += len(page.rejects)
                progress.update(records)
                if waiting >= COMMIT_RECORDS:
                    writer.commit(cursor)
                    waiting = 0
        except ExtractError as error:
            if cursor is not None:
                writer.commit(cursor)
            return Pulled(name, records, rejects, error)
        writer.commit(cursor)
    return Pulled(name, records, rejects)


def _append(writer: LandingWriter, page: Page) -> None:
    for record in page.records:
        source, stream = record.stream.split("/")
        writer.append(source, stream, record.record_id, record.payload, record.fetched_at)
    for reject in page.rejects:
        source, stream = reject.stream.split("/")
        writer.reject(source, stream, reject.text, reject.reason, origin=reject.origin)
