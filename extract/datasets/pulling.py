"""The source itself: which files changed, their records page by page, and the cursor."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from extract.base import Context, Cursor, Json, Page, Record, Reject, SourceSettings
from extract.datasets.batches import BatchMaker, Part
from extract.datasets.files import Fingerprint, SourceFile, find_files, fingerprint, is_untouched
from extract.datasets.mapping import DatasetMapping, MappingError, load_mapping

SOURCE = "datasets"
BATCH_ROWS = 20_000


class Settings(SourceSettings):
    """Which data sets are read.

    `mappings` are mapping files, relative to the project's folder. `folder` holds the data; where
    it is absent, each mapping's data lies beside the mapping.
    """

    folder: Path | None = None
    mappings: tuple[Path, ...] = Field(default=())

    @field_validator("folder", mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:  # noqa: ANN401 - raw settings
        if isinstance(value, str):
            expanded = os.path.expandvars(value)
            unset = re.search(r"\$\{?(\w+)", expanded)
            if unset:
                raise ValueError(
                    f"the environment variable {unset.group(1)} is not set: set it, or give the "
                    "folder with --data-folder"
                )
            return Path(expanded).expanduser() if expanded else None
        return value


@dataclass(slots=True)
class _Source:
    """One mapping with its files, the cursor entries of those that are finished, and how many
    records landed so far."""

    key: str
    mapping: DatasetMapping
    files: list[SourceFile]
    done: dict[str, Json] = field(default_factory=dict)
    partial: Json | None = None
    landed: int = 0

    @property
    def stream(self) -> str:
        return f"{SOURCE}/{self.mapping.kind}"

    def place_reached(self, name: str, found: Fingerprint) -> int:
        """Where a stopped pull had got to in a file, if that file is still the same."""
        partial = self.partial or {}
        is_same = partial.get("file") == name and partial.get("sha256") == found.sha256
        return int(partial["place"]) if is_same else 0

    def state(self) -> Json:
        state: Json = {
            "digest": self.mapping.digest,
            "landed": self.landed,
            "files": dict(self.done),
        }
        if self.partial is not None:
            state["partial"] = dict(self.partial)
        return state


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield the records of every file that is new or changed since the cursor.

    A file is known by its content; its size and modification time only spare the reading of
    unchanged ones. A pull that was stopped inside a file goes on there. Raises `MappingError`,
    before the first page where it can.
    """
    states: dict[str, Json] = {
        key: dict(value) for key, value in dict((cursor or {}).get("mappings", {})).items()
    }
    for source in _sources(settings, states, context):
        yield from _pull_one(source, states, context)


def _sources(settings: Settings, states: Mapping[str, Json], context: Context) -> list[_Source]:
    if not settings.mappings:
        raise MappingError(
            "sources.datasets: there is no mapping.",
            "List mapping files under `mappings`, such as examples/worked/sales.yml.",
        )
    sources: list[_Source] = []
    for given in settings.mappings:
        path = given if given.is_absolute() else context.root / given
        mapping = load_mapping(path)
        inside = path.is_relative_to(context.root)
        key = (path.relative_to(context.root) if inside else path).as_posix()
        if any(source.key == key for source in sources):
            raise MappingError(f"The mapping {key} is listed twice.", "List each mapping once.")
        folder = settings.folder or path.parent
        folder = folder if folder.is_absolute() else context.root / folder
        source = _Source(key, mapping, find_files(mapping, folder, origin=key))
        known = states.get(key, {})
        if known.get("digest") == mapping.digest:
            source.done = dict(known.get("files", {}))
            source.partial = known.get("partial")
            source.landed = int(known.get("landed", 0))
        sources.append(source)
    return sources


def _pull_one(source: _Source, states: dict[str, Json], context: Context) -> Iterator[Page]:
    changed: list[SourceFile] = []
    prints: dict[str, Fingerprint] = {}
    state_before = states.get(source.key)
    for file in source.files:
        known = source.done.get(file.name)
        if known and is_untouched(file, known["size"], known["mtime_ns"]):
            continue
        found = fingerprint(file)
        if known and known["sha256"] == found.sha256:
            source.done[file.name] = _entry(found)
            continue
        prints[file.name] = found
        changed.append(file)
    tally = _Tally()
    if changed:
        maker = BatchMaker(source.mapping, origin=source.key, batch_rows=BATCH_ROWS)
        try:
            maker.check(changed)
            for parts in maker.batches(changed):
                yield _page(source, parts, prints, states, tally, context)
        finally:
            maker.close()
    if not source.landed:
        raise _nothing_landed(source, tally)
    source.partial = None
    states[source.key] = source.state()
    if not changed and states[source.key] != state_before:
        yield Page(records=[], cursor={"mappings": dict(states)})


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    filtered: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def _page(
    source: _Source,
    parts: list[Part],
    prints: Mapping[str, Fingerprint],
    states: dict[str, Json],
    tally: _Tally,
    context: Context,
) -> Page:
    now = context.now()
    records: list[Record] = []
    rejects: list[Reject] = []
    for part in parts:
        name = part.file.name
        found = prints[name]
        skip = source.place_reached(name, found)
        records += [
            Record(
                source.stream,
                item.record_id,
                item.payload,
                now if item.fetched_at is None else datetime.fromisoformat(item.fetched_at),
            )
            for item in part.landed
            if item.place > skip
        ]
        rejects += [
            Reject(source.stream, bad.text, bad.reason, f"{name}:{bad.place}")
            for bad in part.rejected
            if bad.place > skip
        ]
        tally.rows += part.row_count
        tally.filtered += part.filtered_count
        tally.reasons.update(bad.reason for bad in part.rejected)
        if part.is_end:
            if not is_untouched(part.file, found.size, found.mtime_ns):
                raise MappingError(
                    f"{name} changed while it was read.", "Run again when it is complete."
                )
            source.done[name] = _entry(found)
            source.partial = None
        else:
            place = max(part.last_place, skip)
            source.partial = {"file": name, "sha256": found.sha256, "place": place}
    source.landed += len(records)
    states[source.key] = source.state()
    context.progress(f"{source.mapping.dataset} {source.mapping.kind}", len(records))
    return Page(records=records, cursor={"mappings": dict(states)}, rejects=rejects)


def _entry(found: Fingerprint) -> Json:
    return {"size": found.size, "mtime_ns": found.mtime_ns, "sha256": found.sha256}


def _nothing_landed(source: _Source, tally: _Tally) -> MappingError:
    if not tally.rows:
        what = "no row" if not source.done else "no row that could be read"
        return MappingError(
            f"{source.key}: {len(source.files)} files match, but they hold {what}.",
            f"Check that the data is complete; `social-signals mapping check {source.key}` tells "
            "what becomes of it.",
        )
    if tally.filtered and not tally.reasons:
        return MappingError(
            f"{source.key}: `where` leaves none of {tally.rows} rows.",
            f"Try it with `social-signals mapping check {source.key}`.",
        )
    reason, count = tally.reasons.most_common(1)[0]
    return MappingError(
        f"{source.key}: none of {tally.rows} rows can be read; {count} times: {reason}.",
        f"Correct the mapping; `social-signals mapping check {source.key}` shows the rows.",
    )
