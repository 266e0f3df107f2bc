"""What a run notes of its own work in the work file, for the `ops_` marts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from pipeline.build_results import read_results
from pipeline.extracting import Pulled
from pipeline.settings import Settings
from udfs.errors import SocialSignalsError
from warehouse.operations import (
    Pull,
    Step,
    write_pulls,
    write_results,
    write_source_states,
    write_steps,
)
from warehouse.schema import ensure_raw_tables, open_work

if TYPE_CHECKING:
    from charts.health_rows import Health

MOST_TOLD = 6
"""Findings that `doctor` names."""


@dataclass(slots=True)
class Work:
    """What a run has done so far; `idle` are steps that found nothing to do."""

    steps: list[Step] = field(default_factory=list)
    pulls: list[Pull] = field(default_factory=list)
    idle: set[str] = field(default_factory=set)

    def pulled(self, sources: list[Pulled], *, is_backfill: bool, at: datetime) -> None:
        """Remember what asking the sources came to."""
        self.pulls += [
            Pull(
                source=source.source,
                record_count=source.records,
                reject_count=source.rejects,
                is_answered=source.error is None,
                is_backfill=is_backfill,
                asked_at=at,
            )
            for source in sources
        ]

    def ended(self, step: str, *, is_done: bool, seconds: float, started_at: datetime) -> None:
        """Remember a step that has ended, well or not."""
        status = "failed" if not is_done else "idle" if step in self.idle else "done"
        self.steps.append(Step(step, status, round(seconds, 3), started_at))


def note_work(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    work: Work,
    *,
    run_id: str,
    now: datetime,
) -> None:
    """Write what the run has done so far over what it noted before."""
    ensure_raw_tables(connection, ())
    states = [(name, source.enabled) for name, source in settings.sources.items()]
    write_source_states(connection, states)
    write_pulls(connection, run_id, work.pulls, now=now)
    write_steps(connection, run_id, work.steps, is_simulated=settings.target.simulated, now=now)


def note_before_publishing(settings: Settings, work: Work, *, run_id: str, now: datetime) -> None:
    """What has been done up to here goes into what is published. A work file that somebody looks
    at is left alone: the next run writes what this one did."""
    try:
        with open_work(settings.paths.work) as connection:
            note_work(connection, settings, work, run_id=run_id, now=now)
    except (SocialSignalsError, duckdb.Error):
        return


def note_results(settings: Settings, *, run_id: str, now: datetime) -> None:
    """Keep how the tests and models of the build that has just ended fared. What cannot be noted
    is no reason for a good build to fail."""
    results = read_results(settings.paths.dbt_target)
    try:
        with open_work(settings.paths.work) as connection:
            ensure_raw_tables(connection, ())
            write_results(
                connection,
                run_id,
                results,
                is_simulated=settings.target.simulated,
                finished_at=now,
            )
    except (SocialSignalsError, duckdb.Error):
        return


def findings(settings: Settings) -> list[str]:
    """One line each on volumes that collapsed and on fields that changed, as published."""
    reasons = _published_health(settings).reasons
    return [reason.text for reason in reasons if reason.section in {"volumes", "drift"}]


def told_health(settings: Settings) -> tuple[list[str], bool]:
    """What the published file says of the pipeline's health, and whether anything is broken."""
    if not settings.paths.published.exists():
        return ["health: nothing is published yet"], False
    health = _published_health(settings)
    when = f", {health.checked_at:%Y-%m-%d %H:%M}Z" if health.checked_at else ""
    lines = [f"health, as published{when}: {health.words}"]
    lines += [f"  {reason.state}: {reason.text}" for reason in health.reasons[:MOST_TOLD]]
    if len(health.reasons) > MOST_TOLD:
        lines.append(f"  and {len(health.reasons) - MOST_TOLD} more: see the report")
    return lines, health.state == "broken"


def _published_health(settings: Settings) -> Health:
    # Imported here: the drawing library behind it takes half a second.
    from charts.health import read_health
    from charts.reading import open_published

    with open_published(settings.paths.published) as published:
        return read_health(published)
