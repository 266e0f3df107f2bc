"""Running dbt on a target in a process of its own; its log becomes progress and plain errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import yaml

from pipeline.console import Meter
from pipeline.paths import DBT_PROJECT, PROJECT_ROOT
from pipeline.settings import Settings
from udfs.errors import SocialSignalsError

FINISHED = {
    "LogModelResult",
    "LogTestResult",
    "LogSeedResult",
    "LogNodeResult",
    "LogUnitTestResult",
}
FAILED = {"error", "fail"}
KEPT_LINES = 15


class BuildError(SocialSignalsError):
    """dbt did not finish green; nothing is published."""


@dataclass(slots=True)
class BuildResult:
    """What dbt did: nodes by status, and the messages of those that warned."""

    counts: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def dbt(settings: Settings, arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """The command line and environment that run dbt on a target, as one would by hand."""
    profiles = _profiles_folder(settings)
    command = [sys.executable, "-c", "from dbt.cli.main import cli; cli()"]
    command += ["--no-send-anonymous-usage-stats", "--no-use-colors"]
    command += ["--log-format", "json", "--log-level-file", "none", *arguments]
    command += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(profiles)]
    command += ["--target", settings.name, "--target-path", str(settings.paths.dbt_target)]
    environment = dict(os.environ)
    environment.update(
        SOCIAL_SIGNALS_HOME=str(PROJECT_ROOT),
        SOCIAL_SIGNALS_DATA=str(settings.paths.data.resolve()),
        SOCIAL_SIGNALS_CATALOGUE=str(settings.catalogue_folder.resolve()),
        SOCIAL_SIGNALS_CATALOGUE_REST=catalogue_rest(settings.catalogue_folder),
        DO_NOT_TRACK="1",
        SOCIAL_SIGNALS_PROGRESS="json",
        PYTHONPATH=os.pathsep.join(
            part for part in (str(PROJECT_ROOT), os.environ.get("PYTHONPATH", "")) if part
        ),
    )
    return command, environment


def catalogue_rest(catalogue: Path) -> str:
    """Where dbt finds the seed that a catalogue may do without; a folder that is not there if it
    has all."""
    return "no_seeds" if (catalogue / "events.csv").is_file() else "seeds_without_events"


def build(settings: Settings, meter: Meter, *, full_refresh: bool = False) -> BuildResult:
    """Seeds, models and tests of a target in its private work file.

    Raises BuildError with what dbt said of the first failures.
    """
    # The unit tests of the models say nothing about a target's data: pytest runs them.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    arguments += ["--threads", str(settings.build.threads)]
    if full_refresh:
        arguments.append("--full-refresh")
    return run_dbt(settings, arguments, meter)


def run_dbt(settings: Settings, arguments: list[str], meter: Meter) -> BuildResult:
    """Run one dbt command to its end and read its log."""
    command, environment = dbt(settings, arguments)
    result = BuildResult()
    failures: list[str] = []
    tail: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(  # noqa: S603 - the command is ours, from the settings' own names
        command,
        cwd=DBT_PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=None,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for event in _events(process.stdout, tail):
                _take(event, result, failures, meter)
        except BaseException:
            # Told to stop: dbt alone would go on writing into the work file.
            process.terminate()
            raise
    if process.returncode != 0:
        shown = failures[:5] or [line for line in tail if line.strip()]
        more = f"\n  … and {len(failures) - 5} more" if len(failures) > 5 else ""
        raise BuildError(
            "The build did not finish; what was published before stays.\n"
            + "\n".join(f"  {line}" for line in shown)
            + more,
            f"Compiled SQL and the full log: {settings.paths.dbt_target}",
        )
    return result


def _events(lines: IO[str], tail: deque[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            tail.append(line.rstrip())
            continue
        if isinstance(event, dict) and isinstance(event.get("info"), dict):
            tail.append(str(event["info"].get("msg", "")).rstrip())
            yield event


def _take(event: dict[str, Any], result: BuildResult, failures: list[str], meter: Meter) -> None:
    info, data = event["info"], event.get("data") or {}
    if info.get("name") == "ScoringProgress":
        meter.update(int(data["done"]), int(data["total"]), "scoring texts")
        return
    if info.get("name") in FINISHED:
        status = str(data.get("status", "")).split()[0].lower()
        result.counts[status] = result.counts.get(status, 0) + 1
        node = str((data.get("node_info") or {}).get("node_name") or data.get("name") or "")
        if "index" in data and "total" in data:
            meter.update(int(data["index"]), int(data["total"]), node)
        if status == "warn":
            result.warnings.append(f"{node}: {info.get('msg', '')}".strip())
    elif info.get("name") == "RunResultError" or info.get("name") == "RunResultFailure":
        failures.append(_one_line(str(data.get("msg") or info.get("msg", ""))))
    elif info.get("name") in {"MainEncounteredError", "CatchableExceptionOnRun"}:
        failures.append(_one_line(str(info.get("msg", ""))))


def _one_line(text: str) -> str:
    return " ".join(text.split())[:600]


def _profiles_folder(settings: Settings) -> Path:
    """The project's own profiles, or, for a target that is not in them, a copy that has it."""
    profiles = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text(encoding="utf-8"))
    (profile,) = profiles.values()
    if settings.name in profile["outputs"]:
        return DBT_PROJECT
    template = profile["outputs"][profile["target"]]
    profile["outputs"] = {
        settings.name: json.loads(
            json.dumps(template).replace(f"/{profile['target']}/", f"/{settings.name}/")
        )
    }
    profile["target"] = settings.name
    folder = settings.paths.folder / "profiles"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles), encoding="utf-8")
    return folder
