"""What every source is: a module with a name, its streams, its settings and a `pull` function.

A source yields *pages*. The pipeline makes the records of a page durable in the landing folder and
only then saves the page's cursor, so that a source that is stopped anywhere continues without loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

from extract._clock import Clock
from udfs.errors import SocialSignalsError

Json: TypeAlias = dict[str, Any]
Cursor: TypeAlias = Mapping[str, Any]


class ExtractError(SocialSignalsError):
    """A source cannot go on; the message names the setting or input to change."""


class SourceSettings(BaseModel):
    """Base of every source's settings: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """One record as the platform sent it.

    `stream` is `<source>/<stream>`, as in `x/posts`; `record_id` is the platform's own id as text;
    `fetched_at` is an aware instant in UTC.
    """

    stream: str
    record_id: str
    payload: Json
    fetched_at: datetime


@dataclass(frozen=True, slots=True)
class Reject:
    """One record that could not be read: its text and the reason, kept beside the good ones."""

    stream: str
    text: str
    reason: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Records that become durable together, and the cursor that is valid once they are."""

    records: list[Record]
    cursor: Cursor
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What the user should hear, such as an unavoidable gap."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a platform says must go: one record by its id as landed, or all of an author's where
    `record_id` is None.

    `deleted_at` is the platform's instant. A version of the record that the platform made after it
    is another post under the same id and stays.
    """

    record_id: str | None
    author_id: str | None
    deleted_at: datetime


@dataclass(frozen=True, slots=True)
class Product:
    """A tracked product of the catalogue and the terms that mean it, by kind."""

    product_id: str
    product_name: str
    brand: str
    category: str
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def say_nothing(_message: str, _count: int) -> None:
    """The progress of a run that nobody watches."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a run gives to a source.

    `now` is the run's clock; `root` is the folder that relative paths of the settings start from;
    `truth_path` is where a simulated source writes what it planted; `state` is the target's folder
    for what a source must remember beside its cursor, in a folder of the source's name; `landed`
    gives the ids of what has landed in a stream, to make that good when it is lost; `duration` is
    how long a source that streams goes on, None until it has caught up.
    """

    run_id: str
    now: Callable[[], datetime]
    catalogue: tuple[Product, ...]
    root: Path
    truth_path: Path
    business_timezone: str = "UTC"
    progress: Callable[[str, int], None] = say_nothing
    clock: Clock = field(default_factory=Clock)
    environment: Mapping[str, str] = field(default_factory=dict)
    budgets: Path | None = None
    since: datetime | None = None
    until: datetime | None = None
    state: Path | None = None
    landed: Callable[[str, str], Iterator[str]] | None = None
    duration: timedelta | None = None


class Source(Protocol):
    """A module of `extract/` that can be pulled from.

    A platform that tells what was deleted has, beside this, a `POSTS_STREAM` (the stream whose
    records are meant, named as in STREAMS, without its source) and `DELETIONS`: by name of the
    stream that tells it, what a landed payload deletes for good; None for one that deletes nothing.
    `deletions_of` gives it.
    """

    NAME: str
    STREAMS: tuple[tuple[str, str], ...]
    """(source, stream) pairs that this module writes, which become `raw.<source>_<stream>`."""
    IS_SIMULATED: bool
    Settings: type[SourceSettings]

    def pull(self, settings: Any, cursor: Cursor, context: Context) -> Iterator[Page]:  # noqa: ANN401
        """Yield what the cursor has not seen; `settings` is of the module's own `Settings`."""
        ...


ReadDeletion: TypeAlias = Callable[[Json], Deletion | None]


def deletions_of(source: object) -> Mapping[str, ReadDeletion]:
    """How the deletions of a source are read, by stream; empty where its platform tells none."""
    return getattr(source, "DELETIONS", {})
