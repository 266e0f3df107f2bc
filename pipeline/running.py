"""The run from end to end: which steps follow each other, what each says, how a run ends."""

from __future__ import annotations

import os
import secrets
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from extract._clock import Clock
from extract.registry import declared_streams
from pipeline.alerts import Alert, alert_of_lock, occasion_of, send
from pipeline.analyst_aids import analyst_macros, table_descriptions
from pipeline.budgets import budget_rows
from pipeline.build_results import forget_results
from pipeline.building import BuildError, build
from pipeline.catalogue import read_catalogue
from pipeline.checks import check_clock, check_disk
from pipeline.console import Level, is_for_people, meter, name_run, out, tell
from pipeline.extracting import Pulled, extract
from pipeline.fingerprints import (
    BUILT,
    DRAWN,
    PUBLISHED,
    STAGED,
    drawing_fingerprint,
    fingerprint,
    read_mark,
    staging_fingerprint,
    write_mark,
)
from pipeline.forget_arrivals import clean_arrivals
from pipeline.forget_requests import finish, summary
from pipeline.forgetting import Asked, finish_begun, finish_removed, keep_promises, remove_asked
from pipeline.noting import (
    Work,
    findings,
    note_before_publishing,
    note_results,
    note_work,
)
from pipeline.paths import PROJECT_ROOT
from pipeline.privacy import check_key, key_check
from pipeline.secrets import redact
from pipeline.settings import Settings
from udfs.errors import SocialSignalsError
from warehouse.errors import LockedError
from warehouse.loading import LoadReport, load
from warehouse.lock import run_lock
from warehouse.publishing import publish
from warehouse.schema import (
    mark_interrupted_runs,
    open_work,
    record_run,
    run_history,
    write_budgets,
    write_settings,
)

if TYPE_CHECKING:
    from charts.paging import Choice

EXIT_DONE, EXIT_FAILED, EXIT_PARTIAL, EXIT_NOTHING = 0, 1, 3, 4
STATUS = {EXIT_DONE: "succeeded", EXIT_PARTIAL: "partial", EXIT_NOTHING: "empty"}
WRITING_STEPS = frozenset({"extract", "load", "build", "publish"})
REFRESH_STEPS = ("load", "build", "publish", "charts", "docs", "report", "insights")
ALL_STEPS = ("extract", *REFRESH_STEPS)

TEXT_COLUMNS = ("text", "title", "body")
"""Columns of the marts that hold what people wrote."""


class NothingBuiltError(SocialSignalsError):
    """A step needs the result of one that has not run yet."""


@dataclass(slots=True)
class Run:
    """One run of a target: what it is, and what its steps have found so far."""

    settings: Settings
    run_id: str
    now: Callable[[], datetime]
    started_at: datetime
    steps: tuple[str, ...]
    full_refresh: bool = False
    show: bool = False
    only_sources: tuple[str, ...] = ()
    only_charts: tuple[str, ...] = ()
    chart_products: Choice | None = None
    output: Path | None = None
    since: datetime | None = None
    until: datetime | None = None
    to_kafka: bool = False
    duration: timedelta | None = None
    clock: Clock | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_empty: bool = False
    asked: Asked | None = None
    is_over: bool = False
    work: Work = field(default_factory=Work)


def utc_now() -> datetime:
    """The clock of real runs."""
    return datetime.now(UTC)


def new_run_id(now: datetime) -> str:
    """A run's name: its start and four random hex digits, so that names sort by time."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"


def run_everything(
    settings: Settings, *, full_refresh: bool = False, duration: timedelta | None = None
) -> int:
    """All steps, then where the results are; returns the exit code."""
    code = run_steps(settings, *ALL_STEPS, full_refresh=full_refresh, duration=duration)
    paths = settings.paths
    results = {
        "report": paths.report,
        "tables": paths.published,
        "insights": paths.insights,
        "charts": paths.charts,
        "lineage": paths.lineage,
    }
    found = {label: _shown(path) for label, path in results.items() if path.exists()}
    if not is_for_people():
        tell("results", ", ".join(found.values()), files=found)
        return code
    out.print("")
    out.print("Results")
    for label, path in found.items():
        out.print(f"  {label:9s} {path}", markup=False)
    return code


def run_steps(
    settings: Settings,
    *steps: str,
    full_refresh: bool = False,
    show: bool = False,
    only_sources: Sequence[str] = (),
    only_charts: Sequence[str] = (),
    chart_products: Choice | None = None,
    output: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    duration: timedelta | None = None,
    asked: Asked | None = None,
    to_kafka: bool = False,
    now: Callable[[], datetime] = utc_now,
    clock: Clock | None = None,
) -> int:
    """Run the named steps in order while holding the target's lock; returns the exit code. `clock`
    is the time that sources see, beside `now`."""
    # Before anything is touched: a wrong catalogue is a wrong setting.
    read_catalogue(settings.catalogue_folder)
    started_at = now()
    run = Run(
        settings=settings,
        run_id=new_run_id(started_at),
        now=now,
        started_at=started_at,
        steps=steps,
        full_refresh=full_refresh,
        show=show,
        only_sources=tuple(only_sources),
        only_charts=tuple(only_charts),
        chart_products=chart_products,
        output=output,
        since=since,
        until=until,
        duration=duration,
        asked=asked,
        to_kafka=to_kafka,
        clock=clock,
    )
    name_run(target=settings.name, run_id=run.run_id)
    with _locked(run), _recorded(run):
        _check(run)
        _finish_forgetting(run)
        for step in steps:
            with _timed(run, step) as say:
                STEPS[step](run, say)
            if run.is_over:
                break
        for note in run.notes:
            tell("note", note, level=Level.WARNING)
        for problem in run.problems:
            tell("problem", problem, level=Level.ERROR)
    code = _exit_code(run)
    if not is_for_people():
        seconds = round((now() - started_at).total_seconds(), 1)
        tell("end", STATUS[code], exit_code=code, seconds=seconds)
    return code


def _finish_forgetting(run: Run) -> None:
    """What a killed `forget` left half-way comes before everything else."""
    for request in finish_begun(run.settings):
        run.notes.append(f"the request to forget {request.request_id} was finished")
    if not run.settings.paths.published.exists():
        finish_removed(run.settings, run.now())


@contextmanager
def _locked(run: Run) -> Iterator[None]:
    """Hold the target's lock; another run that holds it for hours is worth an alert."""
    paths, alerts = run.settings.paths, run.settings.alerts
    with ExitStack() as stack:
        try:
            stack.enter_context(run_lock(paths.lock, command=" ".join(run.steps)))
        except LockedError:
            if "stuck" in alerts.on:
                alert_of_lock(
                    paths,
                    now=run.started_at,
                    stuck_hours=alerts.stuck_hours,
                    repeat_hours=alerts.repeat_hours,
                )
            raise
        yield


def _check(run: Run) -> None:
    """What must hold before anything is touched."""
    if WRITING_STEPS.isdisjoint(run.steps):
        return
    settings = run.settings
    check_disk(settings.paths, min_free_gb=settings.run.min_free_gb)
    if settings.run.check_clock:
        check_clock(settings.paths, run.now())


def _exit_code(run: Run) -> int:
    if run.problems:
        return EXIT_PARTIAL
    return EXIT_NOTHING if run.is_empty else EXIT_DONE


@contextmanager
def _timed(run: Run, step: str) -> Iterator[Callable[[str], None]]:
    """Print one line when a step ends: its name, what it said, its seconds."""
    said: list[str] = []
    started, started_at = time.monotonic(), run.now()
    is_done = False
    try:
        yield said.append
        is_done = True
    finally:
        seconds = time.monotonic() - started
        run.work.ended(step, is_done=is_done, seconds=seconds, started_at=started_at)
    what = "; ".join(said) or "done"
    if is_for_people():
        out.print(f"{step:9s} {what} ({seconds:.1f} s)", markup=False)
    else:
        tell(step, what, seconds=round(seconds, 1))


@contextmanager
def _recorded(run: Run) -> Iterator[None]:
    """Keep the run in raw.runs, whatever becomes of it, and tell who wants to be told."""
    status, problems = "failed", ["stopped"]
    code: int = EXIT_FAILED
    is_stopped_by_hand = False
    try:
        yield
        code = _exit_code(run)
        status = STATUS[code]
        problems = run.problems or (run.notes if run.is_empty else [])
    except SocialSignalsError as error:
        code, problems = error.exit_code, [error.message]
        raise
    except KeyboardInterrupt:
        is_stopped_by_hand = True
        raise
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else EXIT_FAILED
        raise
    except Exception as error:
        problems = [f"something unforeseen: {type(error).__name__}: {error}"]
        raise
    finally:
        history = _record_end(run, status, code, "; ".join(problems))
        if not is_stopped_by_hand:
            _alert(run, status, code, problems, history)


def _alert(
    run: Run, status: str, code: int, problems: Sequence[str], history: list[tuple[datetime, str]]
) -> None:
    """Tell the webhook of a run that did not end well, and of the first good one after such."""
    alerts = run.settings.alerts
    occasion = occasion_of(
        status, history, started_at=run.started_at, repeat_hours=alerts.repeat_hours
    )
    if occasion is None or occasion not in alerts.on:
        return
    why_not = send(Alert(occasion, run.settings.name, code, problems, run.run_id))
    if why_not:
        tell("note", why_not, level=Level.WARNING)


def _record_start(run: Run, connection: duckdb.DuckDBPyConnection) -> None:
    """Tell SQL what the target's settings are and which run is going on."""
    write_settings(connection, sql_settings(run))
    write_budgets(connection, budget_rows(run.settings))
    record_run(
        connection,
        run_id=run.run_id,
        target=run.settings.name,
        command=" ".join(run.steps),
        started_at=run.started_at,
        status="running",
    )
    note_work(connection, run.settings, run.work, run_id=run.run_id, now=run.now())
    killed = mark_interrupted_runs(connection, current=run.run_id)
    if killed:
        run.notes.append(
            "the run before this one was interrupted (killed, or the machine went down); "
            "what it had committed is kept"
        )


def _record_end(run: Run, status: str, code: int, message: str) -> list[tuple[datetime, str]]:
    """Keep how the run ended; returns how the earlier ones of the same steps did."""
    work = run.settings.paths.work
    if not work.exists() and "extract" not in run.steps:
        return []
    try:
        with open_work(work) as connection:
            command = " ".join(run.steps)
            history = run_history(connection, command=command, before=run.run_id)
            record_run(
                connection,
                run_id=run.run_id,
                target=run.settings.name,
                command=command,
                started_at=run.started_at,
                ended_at=run.now(),
                status=status,
                exit_code=code,
                message=redact(message)[:2000] or None,
            )
            note_work(connection, run.settings, run.work, run_id=run.run_id, now=run.now())
            return history
    except SocialSignalsError as error:
        # The run's own outcome is what the user must hear, not that it could not be noted.
        tell("note", f"this run is not in ops_runs: {error.message}", level=Level.WARNING)
        return []


def _extract(run: Run, say: Callable[[str], None]) -> None:
    pulled = extract(
        run.settings,
        run_id=run.run_id,
        now=run.now,
        only=run.only_sources,
        since=run.since,
        until=run.until,
        to_kafka=run.to_kafka,
        duration=run.duration,
        clock=run.clock,
    )
    if not run.to_kafka:
        is_backfill = run.since is not None or run.until is not None
        run.work.pulled(pulled, is_backfill=is_backfill, at=run.now())
    if not pulled:
        say("no source is enabled")
    for source in pulled:
        rejected = f", {source.rejects:,} rejected" if source.rejects else ""
        say(f"{source.source}: {source.records:,} records{rejected}")
        run.notes.extend(source.notes)
        if source.error is not None:
            run.problems.append(f"{source.source} stopped: {source.error}")
    _fail_when_all_failed(pulled)


def _fail_when_all_failed(pulled: list[Pulled]) -> None:
    failed = [source for source in pulled if source.error is not None]
    if failed and len(failed) == len(pulled) and not any(source.records for source in pulled):
        error = failed[0].error
        assert error is not None
        raise error


def _load(run: Run, say: Callable[[str], None]) -> None:
    settings = run.settings
    if cleaned := clean_arrivals(settings):
        say(f"{cleaned:,} files held forgotten records and were rewritten")
    with meter("load") as progress, open_work(settings.paths.work) as connection:
        _record_start(run, connection)
        done = 0

        def moved(_message: str, count: int) -> None:
            nonlocal done
            done += count
            progress.update(done)

        report: LoadReport = load(
            connection,
            settings.paths.landing,
            declared_streams(),
            allow_simulated=settings.target.simulated,
            clock=run.now,
            progress=moved,
        )
    say(f"{report.row_count:,} rows from {len(report.files):,} new files")
    if report.reject_count:
        say(f"{report.reject_count:,} lines rejected, see raw.rejects and ops_quality")
    run.problems.extend(report.problems)
    _keep_promises(run, say)


def _keep_promises(run: Run, say: Callable[[str], None]) -> None:
    """What the settings promise about other people's records, before anything is built of them."""
    privacy = run.settings.privacy
    asked = Asked(deleted=privacy.forget_deleted, expired=bool(privacy.retention_days))
    for request in keep_promises(run.settings, asked, run_id=run.run_id, now=run.started_at):
        run.problems.extend(request.plan.problems)
        say(f"{request.how}: {'; '.join(summary(request))}")
    if not run.settings.paths.published.exists():
        finish_removed(run.settings, run.now())


def sql_settings(run: Run) -> dict[str, str | None]:
    """What SQL reads of the settings, as rows of raw.settings."""
    settings = run.settings
    target = settings.target
    rates = ",".join(f"{code}:{rate}" for code, rate in sorted(target.exchange_rates.items()))
    model_dir = settings.sentiment.model_dir
    return {
        "target_name": settings.name,
        "is_simulated": str(target.simulated).lower(),
        "business_timezone": target.business_timezone,
        "currency": target.currency,
        "closed_weekdays": ",".join(str(day) for day in target.closed_weekdays),
        "cutoff_at": (target.cutoff_at or run.started_at).astimezone(UTC).isoformat(),
        "exchange_rates": rates,
        "publish_texts": str(settings.publish.texts).lower(),
        "pseudonymise_authors": str(settings.privacy.pseudonymise_authors).lower(),
        "pseudonym_check": key_check(settings),
        "sentiment_engine": settings.sentiment.engine,
        "sentiment_model_dir": str(PROJECT_ROOT / model_dir) if model_dir else None,
        "sentiment_threads": str(settings.sentiment.threads or ""),
    }


def _build(run: Run, say: Callable[[str], None]) -> None:
    paths = run.settings.paths
    if not paths.work.exists():
        raise NothingBuiltError(
            f"There is nothing to build: {_shown(paths.work)} does not exist.",
            "Run social-signals extract and social-signals load first, or social-signals run.",
        )
    check_key(run.settings)
    with open_work(paths.work) as connection:
        _record_start(run, connection)
    current = fingerprint(run.settings, sql_settings(run))
    built = paths.state / BUILT
    if not run.full_refresh and read_mark(built) == current and paths.published.exists():
        say("nothing new since the last build")
        run.work.idle.add("build")
        return
    # A build that is killed half-way leaves no mark, so the next run does not skip it.
    built.unlink(missing_ok=True)
    staged, code = paths.state / STAGED, staging_fingerprint()
    is_outdated = _has_staging(paths.work) and read_mark(staged) != code
    if is_outdated:
        say("staging made anew by this version")
    forget_results(paths.dbt_target)
    try:
        with meter("build") as progress:
            result = build(run.settings, progress, full_refresh=run.full_refresh or is_outdated)
    finally:
        note_results(run.settings, run_id=run.run_id, now=run.now())
    write_mark(staged, code)
    tested = sum(result.counts.values())
    say(f"{tested:,} models, seeds and tests")
    if result.warnings:
        say(f"{len(result.warnings)} warnings")
        run.notes.extend(result.warnings)
    write_mark(built, current)


def _has_staging(work: Path) -> bool:
    with open_work(work) as connection:
        found = connection.execute(
            "select count(*) from information_schema.tables where table_schema = 'staging'"
        ).fetchall()
    return bool(found[0][0])


def _publish(run: Run, say: Callable[[str], None]) -> None:
    paths = run.settings.paths
    current = read_mark(paths.state / BUILT)
    if current is None:
        raise NothingBuiltError(
            f"There is no finished build of {run.settings.name} to publish.",
            "Run social-signals build.",
        )
    published = paths.state / PUBLISHED
    if paths.published.exists() and read_mark(published) == current:
        say("already published")
        run.work.idle.add("publish")
    else:
        note_before_publishing(run.settings, run.work, run_id=run.run_id, now=run.now())
        tables = publish(
            paths.work,
            paths.published,
            without_text_columns=() if run.settings.publish.texts else TEXT_COLUMNS,
            descriptions=table_descriptions(),
            macros=analyst_macros(),
        )
        write_mark(published, current)
        say(f"{len(tables)} tables in {_shown(paths.published)}")
        run.notes.extend(findings(run.settings))
    for receipt in finish_removed(run.settings, run.now()):
        say(f"receipt in {_shown(receipt)}")
    _note_emptiness(run)


def _forget(run: Run, say: Callable[[str], None]) -> None:
    assert run.asked is not None
    settings, now = run.settings, run.started_at
    requests = keep_promises(settings, run.asked, run_id=run.run_id, now=now)
    if run.asked.targets.count():
        requests.append(remove_asked(settings, run.asked, run_id=run.run_id, now=now))
    for request in requests:
        run.problems.extend(request.plan.problems)
        for line in summary(request):
            say(line)
    run.is_empty = run.is_over = all(request.plan.is_empty() for request in requests)
    if run.is_over:
        # Nothing was removed: what was built still holds.
        for request in requests:
            finish(settings, request, scores=0, finished_at=run.now())
    elif not run.asked.is_built:
        for receipt in finish_removed(run.settings, run.now()):
            say(f"receipt in {_shown(receipt)}")


def _note_emptiness(run: Run) -> None:
    """A green run over nothing is a failure that nobody notices: say so."""
    if run.asked is not None:
        return
    from pipeline.sufficiency import what_is_missing

    missing = what_is_missing(run.settings.paths.published, run.settings.target.expects)
    run.is_empty = bool(missing)
    run.notes.extend(missing)


def _charts(run: Run, say: Callable[[str], None]) -> None:
    from charts import CHARTS, make_all

    paths = run.settings.paths
    drawn = paths.state / DRAWN
    current = drawing_fingerprint(read_mark(paths.state / PUBLISHED))
    # Who asks for charts gets them drawn; a run draws them when it published something new.
    is_of_run = "publish" in run.steps
    if is_of_run and "forget" not in run.steps and read_mark(drawn) == current:
        expected = (paths.charts / f"{name}{kind}" for name in CHARTS for kind in (".png", ".svg"))
        if all(file.exists() for file in expected):
            say("nothing new since they were drawn")
            return
    files = make_all(
        paths.published,
        paths.charts,
        names=run.only_charts,
        products=run.chart_products,
        show=run.show,
    )
    if is_of_run:
        write_mark(drawn, current)
    say(f"{len(files)} files in {_shown(paths.charts)}")


def _report(run: Run, say: Callable[[str], None]) -> None:
    from charts.report import make

    settings, paths = run.settings, run.settings.paths
    file = make(
        paths.published,
        run.output or paths.report,
        target=settings.name,
        cutoff=settings.target.cutoff_at or run.started_at,
        # Of one run: the step that writes them comes after this one.
        to_come=frozenset({"insights.json"} if "insights" in run.steps else ()),
    )
    say(_shown(file))
    if run.show:
        webbrowser.open(file.resolve().as_uri())


def _insights(run: Run, say: Callable[[str], None]) -> None:
    from pipeline.insights import RunFacts, write_insights
    from pipeline.summary import summarise, totals

    settings, paths = run.settings, run.settings.paths
    facts = RunFacts(
        run_id=run.run_id,
        target=settings.name,
        generated_at=run.started_at,
        cutoff_at=settings.target.cutoff_at or run.started_at,
    )
    found = write_insights(paths.published, paths.insights, run=facts)
    say(_shown(paths.insights))
    if is_for_people():
        summarise(found, truth=paths.truth if settings.target.simulated else None, console=out)
    else:
        counts = {str(verdict): count for verdict, count in found.verdicts.products.items()}
        tell("verdicts", totals(found), products=counts)


def _docs(run: Run, say: Callable[[str], None]) -> None:
    settings, paths = run.settings, run.settings.paths
    if not paths.work.exists():
        raise NothingBuiltError(
            f"There is nothing to document: {_shown(paths.work)} does not exist.",
            "Run social-signals run first.",
        )
    from pipeline.lineage import LineageError, make_site

    try:
        is_new = make_site(settings)
    except (LineageError, BuildError) as error:
        if run.steps == ("docs",):
            raise
        # The results of the run are of more worth than the page about them.
        run.problems.append(f"the lineage site was not made: {error.message}")
        say("not made")
        return
    say(_shown(paths.lineage) if is_new else "nothing new since it was made")


STEPS: dict[str, Callable[[Run, Callable[[str], None]], None]] = {
    "extract": _extract,
    "load": _load,
    "build": _build,
    "publish": _publish,
    "charts": _charts,
    "report": _report,
    "insights": _insights,
    "docs": _docs,
    "forget": _forget,
}


def _shown(path: Path) -> str:
    """A path as the user would type it: relative where it lies below the current folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
