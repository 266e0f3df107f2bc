"""`social-signals`: every command, its help and its exit codes."""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from pipeline.alerts import alert_of_settings
from pipeline.console import Level, LogForm, is_for_people, out, speak, tell
from pipeline.paths import PROJECT_ROOT
from pipeline.secrets import load_environment
from pipeline.settings import Settings, load_settings, target_file
from udfs.errors import SocialSignalsError

app = typer.Typer(
    name="social-signals",
    help="Which social signals precede which sales, by how much, how surely; and when none do.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
DataFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--data-folder", help="Where the data sets lie: short for --set sources.datasets.folder=…"
    ),
]
FullRefreshOption = Annotated[
    bool, typer.Option("--full-refresh", help="Build incremental models from nothing.")
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", help="First day or instant of a backfill; UTC without an offset."),
]
UntilOption = Annotated[
    str | None, typer.Option("--until", help="Day or instant before which a backfill ends.")
]
DurationOption = Annotated[
    str | None,
    typer.Option("--for", help="How long to listen to a stream (10m, 2h); else until caught up."),
]


class Destination(StrEnum):
    """Where `extract` puts records."""

    LANDING = "landing"
    KAFKA = "kafka"


def _settings(
    target: str, config: Path | None, overrides: list[str] | None, data_folder: Path | None = None
) -> Settings:
    changes = list(overrides or [])
    if data_folder is not None:
        folder = str(data_folder.resolve()).replace("\\", "\\\\").replace('"', '\\"')
        changes.append(f'sources.datasets.folder="{folder}"')
    return load_settings(config or target_file(target), changes)


@app.callback()
def options(
    log: Annotated[
        LogForm,
        typer.Option(
            "--log",
            envvar="SOCIAL_SIGNALS_LOG",
            help="terminal: for people. lines, json: one line an event, for schedules.",
        ),
    ] = LogForm.TERMINAL,
) -> None:
    """Which social signals precede which sales, by how much, how surely; and when none do."""
    speak(log)


@app.command()
def run(
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_folder: DataFolderOption = None,
    full_refresh: FullRefreshOption = False,
    duration: DurationOption = None,
) -> None:
    """Extract, load, build, publish, charts, docs, report, insights; repeated, only what is new.

    Example: social-signals run --target demo
    Example: social-signals run --config examples/stocknet.toml --data-folder ~/stocknet
    """
    from pipeline import live_commands, running

    settings = _settings(target, config, overrides, data_folder)
    lasting = live_commands.lasting(duration)
    raise typer.Exit(running.run_everything(settings, full_refresh=full_refresh, duration=lasting))


@app.command()
def extract(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Sources to pull; all enabled ones when absent.")
    ] = None,
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    data_folder: DataFolderOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    to: Annotated[
        Destination,
        typer.Option("--to", help="kafka: send the records to topics instead of landing them."),
    ] = Destination.LANDING,
    duration: DurationOption = None,
) -> None:
    """Pull what is new from the sources into landing files; with --since, an older window; with
    --for, streams for so long.

    Example: social-signals extract simulated --target demo
    Example: social-signals extract hackernews --config examples/live.toml --since 2026-01-01
    Example: social-signals extract simulated --target demo --to kafka
    Example: social-signals extract bluesky --config examples/live.toml --for 10m
    """
    from pipeline import live_commands, running

    settings = _settings(target, config, overrides, data_folder)
    first, last = live_commands.window(since, until)
    raise typer.Exit(
        running.run_steps(
            settings,
            "extract",
            only_sources=sources or (),
            since=first,
            until=last,
            to_kafka=to is Destination.KAFKA,
            duration=live_commands.lasting(duration),
        )
    )


@app.command()
def load(
    target: TargetOption = "demo", config: ConfigOption = None, overrides: SetOption = None
) -> None:
    """Load landing files that are not loaded yet into the raw tables.

    Example: social-signals load --target demo
    """
    from pipeline import running

    raise typer.Exit(running.run_steps(_settings(target, config, overrides), "load"))


@app.command()
def build(
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    full_refresh: FullRefreshOption = False,
) -> None:
    """Build and test the dbt models, then publish.

    Example: social-signals build --target demo --full-refresh
    """
    from pipeline import running

    raise typer.Exit(
        running.run_steps(
            _settings(target, config, overrides), "build", "publish", full_refresh=full_refresh
        )
    )


@app.command()
def refresh(
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    full_refresh: FullRefreshOption = False,
) -> None:
    """Everything but asking the sources: load, build, publish, charts, docs, report, insights.

    Example: social-signals refresh --target demo
    """
    from pipeline import running

    settings = _settings(target, config, overrides)
    steps = running.REFRESH_STEPS
    raise typer.Exit(running.run_steps(settings, *steps, full_refresh=full_refresh))


@app.command()
def publish(
    target: TargetOption = "demo", config: ConfigOption = None, overrides: SetOption = None
) -> None:
    """Copy dims, facts, marts and ops of the last build into the published file.

    Example: social-signals publish --target demo
    """
    from pipeline import running

    raise typer.Exit(running.run_steps(_settings(target, config, overrides), "publish"))


@app.command()
def charts(
    names: Annotated[
        list[str] | None, typer.Argument(help="Charts to draw (trends, lags, …); all when absent.")
    ] = None,
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    show: Annotated[bool, typer.Option("--show", help="Also put them on the screen.")] = False,
    product: Annotated[
        list[str] | None,
        typer.Option("--product", metavar="ID", help="Only the page of this product; repeatable."),
    ] = None,
    every_product: Annotated[
        bool, typer.Option("--all-products", help="Only the pages, of every product.")
    ] = False,
) -> None:
    """Draw the charts, and a page each for up to a dozen products, from the published file.

    Example: social-signals charts --target demo --show
    Example: social-signals charts lags --target demo
    Example: social-signals charts --product medlar --target demo
    """
    from pipeline import running

    settings = _settings(target, config, overrides)
    raise typer.Exit(
        running.run_steps(
            settings,
            "charts",
            show=show,
            only_charts=names or (),
            chart_products="all" if every_product else product or None,
        )
    )


@app.command()
def report(
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write instead of the target's own.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Also open it in the browser.")] = False,
) -> None:
    """Write the report: one HTML file with every verdict, its evidence and all charts.

    Example: social-signals report --target demo --show
    Example: social-signals report --target demo --output friday.html
    """
    from pipeline import running

    settings = _settings(target, config, overrides)
    raise typer.Exit(running.run_steps(settings, "report", show=show, output=output))


@app.command()
def insights(
    target: TargetOption = "demo", config: ConfigOption = None, overrides: SetOption = None
) -> None:
    """Write insights.json from the published file and sum it up.

    Example: social-signals insights --target demo
    """
    from pipeline import running

    raise typer.Exit(running.run_steps(_settings(target, config, overrides), "insights"))


@app.command()
def docs(
    target: TargetOption = "demo", config: ConfigOption = None, overrides: SetOption = None
) -> None:
    """Write the lineage site, one static page, of the last build; nothing if it is there already.

    Example: social-signals docs --target demo
    """
    from pipeline import running

    raise typer.Exit(running.run_steps(_settings(target, config, overrides), "docs"))


def register_other_commands() -> None:
    """Add the commands that live beside what they do."""
    from pipeline import (
        analysing,
        exporting,
        forget_command,
        mapping_command,
        scoring,
        stream_command,
    )

    analysing.register(app)
    exporting.register(app)
    forget_command.register(app)
    mapping_command.register(app)
    scoring.register(app)
    stream_command.register(app)
    _register_live_commands()


def _register_live_commands() -> None:
    from pipeline import live_commands

    live_commands.register(app)


def main() -> None:
    """Entry point: errors that are meant for users end in one message and their exit code."""
    speak(LogForm.TERMINAL)
    load_environment(PROJECT_ROOT)
    # What a service manager sends to end a run: as orderly as Ctrl-C.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        register_other_commands()
        app(prog_name="social-signals")
    except SocialSignalsError as error:
        tell("error", error.message, level=Level.ERROR, exit_code=error.exit_code)
        if error.remedy:
            tell("remedy", error.remedy, level=Level.ERROR)
        if not is_for_people():
            alert_of_settings(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        tell("stopped", "stopped; what was finished is kept, run again to go on", level=Level.ERROR)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    finally:
        out.file.flush()


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    tell("stopped", "told to stop; what was finished is kept", level=Level.ERROR)
    sys.exit(143)


if __name__ == "__main__":
    main()
