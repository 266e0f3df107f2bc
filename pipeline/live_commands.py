"""`social-signals plan` and `social-signals doctor`: what a pull will take, and whether it would
work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, cast

import typer

from extract._live import LiveSettings, LiveSource, Planned, Probe, duration_of, open_ledger
from extract.base import Context, ExtractError
from extract.registry import SOURCES
from pipeline.alerts import WEBHOOK_VARIABLE
from pipeline.checks import (
    GIGABYTE,
    ClockError,
    DiskSpaceError,
    bytes_free,
    bytes_needed,
    check_clock,
    check_disk,
)
from pipeline.console import clean, out
from pipeline.extracting import chosen_sources, make_context
from pipeline.noting import told_health
from pipeline.settings import Settings, SettingsError, load_settings, target_file
from udfs.errors import SocialSignalsError
from warehouse.commits import read_commits, read_cursor

ATTENTION = 3

TargetOption = Annotated[
    str, typer.Option("--target", "-t", help="A target of targets/: its settings and its data.")
]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Any other settings file; its stem is the target's name."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change one setting for this run."),
]
SourcesArgument = Annotated[
    list[str] | None, typer.Argument(help="Sources to ask about; all enabled ones when absent.")
]


def register(app: typer.Typer) -> None:
    """Add `plan` and `doctor` to the command line."""
    app.command()(plan)
    app.command()(doctor)


def plan(
    sources: SourcesArgument = None,
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    since: Annotated[str | None, typer.Option("--since", help="As for extract.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="As for extract.")] = None,
) -> None:
    """Predict requests, billed units, money and minutes of the next pull, before it is made.

    Counts come from the platform where it offers them; counting requests are charged to the budget
    like any other. The exit code is 3 when a pull would not fit its budget or cannot be predicted.

    Example: social-signals plan x --config examples/live.toml
    """
    settings = load_settings(config or target_file(target), overrides or ())
    first, last = window(since, until)
    raise typer.Exit(report_plan(settings, tuple(sources or ()), since=first, until=last, say=_say))


def doctor(
    sources: SourcesArgument = None,
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
) -> None:
    """Tell of each source whether it is configured, reachable and authorised, what is left of its
    budget, and when it last landed something; then what the published file says of freshness,
    volumes, rejects, drift and tests.

    One cheap request a source is sent, and charged to its budget. The exit code is 3 when
    something has to be done.

    Example: social-signals doctor --config examples/live.toml
    """
    settings = load_settings(config or target_file(target), overrides or ())
    raise typer.Exit(report_health(settings, tuple(sources or ()), say=_say))


def window(since: str | None, until: str | None) -> tuple[datetime | None, datetime | None]:
    """The bounds of a backfill as aware instants.

    Raises:
        SettingsError: a text is no instant, or the window is empty.
    """
    first, last = _instant("--since", since), _instant("--until", until)
    if first is not None and last is not None and first >= last:
        raise SettingsError(
            f"--since {since} is not before --until {until}.", "Give an earlier --since."
        )
    return first, last


def lasting(duration: str | None, option: str = "--for") -> timedelta | None:
    """How long streams are listened to, as an option says it.

    Raises:
        SettingsError: the text is no duration.
    """
    try:
        return None if duration is None else duration_of(duration)
    except ValueError as error:
        raise SettingsError(f"{option}: {error}", f"Write {option} 10m.") from error


def _instant(option: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{option} {text!r} is no day or instant.", "Write 2026-01-31 or 2026-01-31T12:00:00Z."
        ) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _say(line: str) -> None:
    out.print(clean(line))


def _now() -> datetime:
    return datetime.now(UTC)


def _live(settings: Settings, only: tuple[str, ...]) -> dict[str, tuple[LiveSource, LiveSettings]]:
    return {
        name: (cast("LiveSource", SOURCES[name]), source)
        for name, source in chosen_sources(settings, only).items()
        if isinstance(source, LiveSettings)
    }


def report_plan(
    settings: Settings,
    only: tuple[str, ...] = (),
    *,
    say: Callable[[str], None],
    since: datetime | None = None,
    until: datetime | None = None,
    context: Context | None = None,
) -> int:
    """Say what a pull of each live source will take; returns the exit code."""
    context = context or make_context(settings, run_id="plan", now=_now, since=since, until=until)
    code = 0
    live = _live(settings, only)
    if not live:
        say("no source asks a platform: a pull costs nothing")
    for name, (source, source_settings) in live.items():
        cursor = read_cursor(settings.paths.landing, name)
        try:
            parts = source.plan(source_settings, cursor, context)
        except ExtractError as error:
            say(f"{name}: cannot be predicted: {error}")
            code = ATTENTION
            continue
        for part in parts:
            say(f"{name}  {_planned(part)}  {part.what[:80]}")
        total = _sum(parts)
        say(f"{name}  {_planned(total)}  in all")
        for problem in _over_budget(total, source_settings, context, name):
            say(f"{name}: {problem}")
            code = ATTENTION
    return code


def _planned(part: Planned) -> str:
    units = "".join(f", {count:,} {unit}" for unit, count in part.units.items() if count)
    money = f", ${part.money_usd:,.2f}" if part.money_usd else ", $0"
    basis = f" ({part.basis})" if part.basis else ""
    return f"{part.requests:,} requests{units}{money}, {part.minutes:,.1f} min{basis}"


def _sum(parts: list[Planned]) -> Planned:
    units: dict[str, int] = {}
    for part in parts:
        for unit, count in part.units.items():
            units[unit] = units.get(unit, 0) + count
    return Planned(
        "",
        sum(part.requests for part in parts),
        units,
        sum((part.money_usd for part in parts), Decimal(0)),
        sum(part.minutes for part in parts),
    )


def _over_budget(
    total: Planned, source_settings: LiveSettings, context: Context, name: str
) -> list[str]:
    """What of the budget would not suffice, and which setting allows more."""
    left = _left(source_settings, context, name)
    wanted: Mapping[str, Decimal] = {
        "requests": Decimal(total.requests),
        "money_usd": total.money_usd,
        **{f"units.{unit}": Decimal(count) for unit, count in total.units.items()},
    }
    return [
        f"more than the {left[key].normalize():f} that are left of {key} this month; "
        f"sources.{name}.budget.{key} allows more"
        for key, amount in wanted.items()
        if key in left and amount > left[key]
    ]


def _left(source_settings: LiveSettings, context: Context, name: str) -> dict[str, Decimal]:
    """What is left this month by key of the budget; units without a limit are not in it."""
    budget = source_settings.budget
    ledger = open_ledger(source_settings, context, source=name)
    assert ledger is not None
    use = ledger.use()
    left = {
        "requests": Decimal(budget.requests - use.requests),
        "money_usd": budget.money_usd - use.money_usd,
    }
    for unit, limit in budget.units.items():
        left[f"units.{unit}"] = Decimal(limit - use.units.get(unit, 0))
    return left


def report_health(
    settings: Settings,
    only: tuple[str, ...] = (),
    *,
    say: Callable[[str], None],
    context: Context | None = None,
) -> int:
    """Say of each source how it stands; returns the exit code."""
    context = context or make_context(settings, run_id="doctor", now=_now)
    live = _live(settings, only)
    code = 0
    for name in chosen_sources(settings, only):
        if name not in live:
            say(f"{name}: reads this machine only; {_last_landed(settings, name)}")
            continue
        source, source_settings = live[name]
        try:
            probe = source.probe(source_settings, context)
            left = _left(source_settings, context, name)
        except ExtractError as error:
            say(f"{name}: {error}")
            code = ATTENTION
            continue
        say(f"{name}: {_health(probe)}; {_budget_left(left)}; {_last_landed(settings, name)}")
        if probe.message:
            say(f"  {probe.message}")
        is_well = probe.is_configured and probe.is_reachable and probe.is_authorised is not False
        if not is_well or left["requests"] <= 0:
            code = ATTENTION
    if not only:
        for name in SOURCES:
            if name not in settings.sources:
                say(f"{name}: not set up in {settings.file.name}")
            elif not settings.sources[name].enabled:
                say(f"{name}: switched off; {_to_switch_on(name, context)}")
        code = max(code, _report_machine(settings, context, say))
        code = max(code, _report_published(settings, say))
    return code


def _report_published(settings: Settings, say: Callable[[str], None]) -> int:
    """Say what the newest published file tells of freshness, volumes, tests and the like."""
    try:
        lines, is_broken = told_health(settings)
    except SocialSignalsError as error:
        say(f"health: {error}")
        return 0
    for line in lines:
        say(line)
    return ATTENTION if is_broken else 0


def _report_machine(settings: Settings, context: Context, say: Callable[[str], None]) -> int:
    """Say whether a run would start here, and who would hear of one that fails."""
    paths, free_gb = settings.paths, settings.run.min_free_gb
    needed = bytes_needed(paths, min_free_gb=free_gb)
    code = 0
    try:
        check_disk(paths, min_free_gb=free_gb)
        free = bytes_free(paths.folder)
        say(f"disk: {free / GIGABYTE:,.1f} GB free, a run may need {needed / GIGABYTE:,.1f} GB")
        check_clock(paths, context.now())
    except (DiskSpaceError, ClockError) as error:
        say(f"machine: {error}")
        code = ATTENTION
    if context.environment.get(WEBHOOK_VARIABLE, "").strip():
        say(f"alerts: to the address in {WEBHOOK_VARIABLE}, when {', '.join(settings.alerts.on)}")
    else:
        say(f"alerts: by exit code only; {WEBHOOK_VARIABLE} is not set")
    return code


def _to_switch_on(name: str, context: Context) -> str:
    """What a source that is off would take: its setting, and credentials that are not there."""
    needed = getattr(SOURCES[name], "CREDENTIALS", ())
    missing = [key for key in needed if not context.environment.get(key)]
    words = f"sources.{name}.enabled = true turns it on"
    return f"{words} ({' and '.join(missing)} not set)" if missing else words


def _health(probe: Probe) -> str:
    if not probe.is_configured:
        missing = f" ({', '.join(probe.missing)} is missing)" if probe.missing else ""
        return f"not configured{missing}"
    words = {True: "", False: "not ", None: "perhaps "}
    return (
        f"configured, {words[probe.is_reachable]}reachable, {words[probe.is_authorised]}authorised"
    )


def _budget_left(left: Mapping[str, Decimal]) -> str:
    parts = [f"{left['requests']:,} requests", f"${left['money_usd']:,.2f}"]
    parts += [
        f"{amount:,} {key.removeprefix('units.')}"
        for key, amount in left.items()
        if key.startswith("units.")
    ]
    return f"{', '.join(parts)} left this month"


def _last_landed(settings: Settings, name: str) -> str:
    commits = read_commits(settings.paths.landing, name)
    with_parts = [commit.committed_at for commit in commits if commit.parts]
    return f"last landed {with_parts[-1][:16]}Z" if with_parts else "nothing landed yet"
