"""One TOML file a target, validated before anything runs.

Relative paths start from the project's root. Secrets never stand in the file: `pipeline.secrets`
reads them from the environment or `.env`.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from extract.base import SourceSettings
from extract.registry import SOURCES, declared_streams
from pipeline.alerts import OCCASIONS, Occasion
from pipeline.paths import DEFAULT_DATA, PROJECT_ROOT, TargetPaths
from udfs.errors import SocialSignalsError

TARGET_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
SECRET_KEY = re.compile(r"(token|secret|password|passwd|api_?key|credential)s?$", re.IGNORECASE)
DATA_VARIABLE = "SOCIAL_SIGNALS_DATA"


class SettingsError(SocialSignalsError):
    """The settings file cannot be used; the message names file, key and remedy."""

    exit_code = 2


def _known_timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, available_timezones(), n=1, cutoff=0.5)
        hint = f" Did you mean {near[0]!r}?" if near else " Use a name such as 'Europe/London'."
        raise ValueError(f"{name!r} is not a time zone.{hint}") from error
    return name


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("needs an offset, for example 2026-07-04T00:00:00Z.")
    return value


IsoWeekday = Annotated[int, Field(ge=1, le=7)]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TargetSettings(_Table):
    """`[target]`: what the warehouse is about."""

    simulated: bool = False
    business_timezone: Annotated[str, AfterValidator(_known_timezone)] = "UTC"
    currency: Currency = "USD"
    closed_weekdays: tuple[IsoWeekday, ...] = ()
    catalogue: Path = Path("dbt_project/seeds")
    cutoff_at: Annotated[datetime, AfterValidator(_aware)] | None = None
    exchange_rates: dict[Currency, Decimal] = Field(default_factory=dict)
    expects: tuple[Literal["posts", "sales"], ...] = ("posts", "sales")


class SentimentSettings(_Table):
    """`[sentiment]`: which model scores texts."""

    engine: str = "embedded"
    model_dir: Path | None = None
    threads: Annotated[int, Field(ge=1, le=256)] | None = None


class BuildSettings(_Table):
    """`[build]`: how dbt runs."""

    threads: Annotated[int, Field(ge=1, le=64)] = 1


class PublishSettings(_Table):
    """`[publish]`: what readers get."""

    texts: bool = True


class RunSettings(_Table):
    """`[run]`: what must hold before a run touches anything."""

    min_free_gb: Annotated[float, Field(ge=0)] = 0.5
    check_clock: bool = True


class AlertSettings(_Table):
    """`[alerts]`: when the webhook of the environment is told. The same trouble is told again after
    `repeat_hours`; `stuck_hours` is how long another run may hold the lock before it is told."""

    on: tuple[Occasion, ...] = OCCASIONS
    repeat_hours: Annotated[float, Field(gt=0)] = 24.0
    stuck_hours: Annotated[float, Field(gt=0)] = 6.0


class TopicSettings(_Table):
    """`[kafka.topics]`: a topic of somebody else. Without `id_key` its messages are as this project
    writes them; with it they are payloads, and it names the record's id within."""

    stream: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*/[a-z][a-z0-9_]*$")]
    id_key: Annotated[str, Field(min_length=1)] | None = None


class KafkaSettings(_Table):
    """`[kafka]`: the brokers, and how their messages are landed."""

    brokers: Annotated[str, Field(min_length=1)] = "localhost:9092"
    topic_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = "social-signals."
    group: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]*$")] = ""
    security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    ca_file: Path | None = None
    topics: dict[str, TopicSettings] = Field(default_factory=dict)
    batch_records: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    batch_seconds: Annotated[float, Field(gt=0, le=3600)] = 10.0
    session_seconds: Annotated[float, Field(ge=6, le=300)] = 15.0


class PrivacySettings(_Table):
    """`[privacy]`: pseudonyms, how long records of a source are kept, and whether deletions that
    streams tell of are carried out by every run."""

    pseudonymise_authors: bool = False
    forget_deleted: bool = False
    retention_days: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)


class Settings(_Table):
    """A target's settings, complete and valid."""

    name: str
    file: Path
    target: TargetSettings = TargetSettings()
    sources: dict[str, SourceSettings] = Field(default_factory=dict)
    sentiment: SentimentSettings = SentimentSettings()
    build: BuildSettings = BuildSettings()
    publish: PublishSettings = PublishSettings()
    run: RunSettings = RunSettings()
    alerts: AlertSettings = AlertSettings()
    kafka: KafkaSettings = KafkaSettings()
    privacy: PrivacySettings = PrivacySettings()

    @property
    def paths(self) -> TargetPaths:
        """Where this target's data lies: `$SOCIAL_SIGNALS_DATA` or `warehouse/data`."""
        return TargetPaths(Path(os.environ.get(DATA_VARIABLE) or DEFAULT_DATA), self.name)

    @property
    def catalogue_folder(self) -> Path:
        return PROJECT_ROOT / self.target.catalogue


TABLES: Mapping[str, type[_Table]] = {
    "target": TargetSettings,
    "sentiment": SentimentSettings,
    "build": BuildSettings,
    "publish": PublishSettings,
    "run": RunSettings,
    "alerts": AlertSettings,
    "kafka": KafkaSettings,
    "privacy": PrivacySettings,
}


def target_file(target: str) -> Path:
    """The settings file of a named target: `targets/<target>.toml`."""
    file = PROJECT_ROOT / "targets" / f"{target}.toml"
    if not file.is_file():
        names = sorted(path.stem for path in file.parent.glob("*.toml"))
        raise SettingsError(
            f"There is no target {target!r}: {file.relative_to(PROJECT_ROOT)} does not exist.",
            f"{_nearest(target, names)} Known targets: {', '.join(names) or 'none'}. "
            "Another file is named with --config.",
        )
    return file


def load_settings(file: Path, overrides: Iterable[str] = ()) -> Settings:
    """Read and check a target's TOML file.

    `overrides` are `table.key=value` texts, the value in TOML's notation (a bare word is text).
    Raises SettingsError with every problem found, each naming its key and remedy.
    """
    name = file.stem
    if not TARGET_NAME.fullmatch(name):
        raise SettingsError(
            f"{file}: {name!r} cannot be a target's name.",
            "Rename the file: lower-case letters, digits and _, beginning with a letter.",
        )
    raw = _read_toml(file)
    for override in overrides:
        _apply(raw, override)
    problems: list[str] = []
    _refuse_secrets(raw, (), problems)
    values: dict[str, Any] = {"name": name, "file": file}
    known = [*TABLES, "sources"]
    for key, value in raw.items():
        if key not in known:
            problems.append(f"[{key}]: unknown table. {_nearest(key, known)}".rstrip())
        elif not isinstance(value, dict):
            problems.append(f"{key}: must be a table, written [{key}].")
        elif key in TABLES:
            values[key] = _checked(TABLES[key], value, (key,), problems)
    values["sources"] = _sources(raw.get("sources", {}), problems)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in dict.fromkeys(problems))
        raise SettingsError(f"{file} cannot be used:\n{listed}")
    settings = Settings.model_construct(**values)
    _check_together(settings)
    return settings


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(
            f"{file} does not exist.", "Check the path given to --config."
        ) from error
    except IsADirectoryError as error:
        raise SettingsError(f"{file} is a folder.", "Name the TOML file in it.") from error
    except PermissionError as error:
        raise SettingsError(f"{file} cannot be read.", "Change its permissions.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is not UTF-8.", "Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.", "Mend that line.") from error


def _apply(raw: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or len(keys) < 2 or not all(keys):
        raise SettingsError(
            f"--set {override!r} is not understood.",
            "Write table.key=value, for example --set sources.simulated.days=30.",
        )
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    table = raw
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"--set {override!r}: {key} is not a table.", "Check the path.")
        table = inner
    table[keys[-1]] = value


def _refuse_secrets(value: object, where: tuple[str, ...], problems: list[str]) -> None:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        path = (*where, str(key))
        if SECRET_KEY.search(str(key)) and not isinstance(inner, dict):
            variable = "SOCIAL_SIGNALS_" + "_".join(path[1:] or path).upper()
            problems.append(
                f"{'.'.join(path)}: secrets do not belong in this file. "
                f"Delete the line and put {variable} into the environment or .env."
            )
        _refuse_secrets(inner, path, problems)


def _sources(raw: object, problems: list[str]) -> dict[str, SourceSettings]:
    if not isinstance(raw, dict):
        problems.append("sources: must be tables, written [sources.<name>].")
        return {}
    checked: dict[str, SourceSettings] = {}
    for name, value in raw.items():
        if name not in SOURCES:
            problems.append(f"[sources.{name}]: unknown source. {_nearest(name, SOURCES)}".rstrip())
        elif not isinstance(value, dict):
            problems.append(f"sources.{name}: must be a table, written [sources.{name}].")
        else:
            settings = _checked(SOURCES[name].Settings, value, ("sources", name), problems)
            if isinstance(settings, SourceSettings):
                checked[name] = settings
    return checked


def _checked(
    model: type[BaseModel], value: dict[str, Any], where: tuple[str, ...], problems: list[str]
) -> BaseModel | None:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            location = [str(part) for part in item["loc"]]
            path = ".".join((*where, *location))
            if item["type"] == "extra_forbidden":
                fields = _fields_at(model, location[:-1])
                problems.append(f"{path}: unknown key. {_nearest(location[-1], fields)}".rstrip())
            else:
                message = item["msg"].removeprefix("Value error, ")
                problems.append(f"{path}: {message}" + ("" if message.endswith(".") else "."))
        return None


def _fields_at(model: type[BaseModel], location: list[str]) -> list[str]:
    for part in location:
        info = model.model_fields.get(part)
        inner = info.annotation if info else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)


def _nearest(word: str, known: Iterable[str]) -> str:
    candidates = list(known)
    near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(candidates)}." if candidates else ""


def _check_together(settings: Settings) -> None:
    simulated = [
        name
        for name, source in settings.sources.items()
        if source.enabled and SOURCES[name].IS_SIMULATED
    ]
    if simulated and not settings.target.simulated:
        raise SettingsError(
            f"{settings.file}: [sources.{simulated[0]}] makes simulated records, "
            "which a target of real data refuses.",
            "Set target.simulated = true, or disable that source.",
        )
    known = sorted({source for source, _ in declared_streams()})
    for source in settings.privacy.retention_days:
        if source not in known:
            raise SettingsError(
                f"{settings.file}: privacy.retention_days.{source}: no source lands such records.",
                f"{_nearest(source, known)} Known: {', '.join(known)}.",
            )
    if not settings.catalogue_folder.is_dir():
        raise SettingsError(
            f"{settings.file}: target.catalogue: {settings.target.catalogue} is not a folder.",
            "Name a folder with products.csv and terms.csv (a relative path starts from the "
            "project's root).",
        )
