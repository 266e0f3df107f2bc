"""Google Trends: the CSV files that a person downloads from the site, or the invite-only API.

The site gives each download a scale of its own, 0 to 100 over all its terms and points, so every
landed point says of which answer it is (`request`): what belongs together is found out downstream.
A file that says the same again, under whatever name, lands once; another answer to the same
question is another draw.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from extract import _trends_api
from extract._live import Planned, Probe
from extract._outcomes import FixError
from extract._trends_api import ApiSettings
from extract._trends_csv import FILE_BYTES, Cell, Export, ExportError, category_of, parse_export
from extract._trends_places import geo_of
from extract.base import Context, Cursor, ExtractError, Json, Page, Product, Record, Reject

NAME = "google_trends"
STREAMS: tuple[tuple[str, str], ...] = ((NAME, "interest"),)
IS_SIMULATED = False
CREDENTIALS: tuple[str, ...] = (_trends_api.KEY,)

INTEREST = "google_trends/interest"
_NAMED_GEO = re.compile(r"(?:^|_)time_series_(?P<geo>[A-Z]{2}(?:-[A-Z0-9]{1,3})?)_\d{8}")
_SHOWN = 500


class Settings(ApiSettings):
    """`[sources.google_trends]`. With `mode = "files"` the CSV files of `folder` that fit `files`
    are read; with `mode = "api"` the alpha API is asked.

    `terms` maps a column's name to a term of the catalogue, `regions` a region's name to its code,
    `geo` is the code for files that name no region. `date_order` tells 1/2/2026 apart where a file
    does not. Whether the last point is of a period that was not over is taken from the file's
    modification time, unless `is_last_point_partial` says it.
    """

    mode: Literal["files", "api"] = "files"
    folder: Path | None = None
    files: tuple[str, ...] = ("**/*.csv",)
    terms: dict[str, str] = Field(default_factory=dict)
    regions: dict[str, str] = Field(default_factory=dict)
    geo: str = ""
    date_order: Literal["mdy", "dmy"] | None = None
    is_last_point_partial: bool | None = None

    @field_validator("folder", mode="before")
    @classmethod
    def _expand(cls, value: Any) -> Any:  # noqa: ANN401 - raw settings
        return Path(value).expanduser() if isinstance(value, str) and value else value


@dataclass(frozen=True, slots=True)
class _File:
    """One file; `name` is its path below the folder, with slashes."""

    path: Path
    name: str


def pull(settings: Settings, cursor: Cursor, context: Context) -> Iterator[Page]:
    """Yield a page a new or changed file, or what the API has that the cursor has not seen."""
    if settings.mode == "api":
        yield from _trends_api.pull(settings, cursor, context, source=NAME, stream=INTEREST)
        return
    done: dict[str, Json] = dict(cursor.get("files", {}))
    draws: dict[str, str] = dict(cursor.get("draws", {}))
    files = _find(settings, context)
    for file in files:
        known = done.get(file.name)
        stat = _stat(file)
        if known and (known["size"], known["mtime_ns"]) == stat:
            continue
        if stat[0] > FILE_BYTES:
            content = b""
            entry: Json = {"size": stat[0], "mtime_ns": stat[1], "sha256": ""}
        else:
            content = _read(file)
            entry = {
                "size": stat[0],
                "mtime_ns": stat[1],
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        is_same = bool(known and entry["sha256"] and known["sha256"] == entry["sha256"])
        done[file.name] = entry
        page = Page([], {}) if is_same else _page(file, content, stat, settings, context, draws)
        cursor_after = {**cursor, "files": dict(done), "draws": dict(draws)}
        yield Page(page.records, cursor_after, page.rejects, page.notes)


def _find(settings: Settings, context: Context) -> list[_File]:
    folder = settings.folder or Path()
    folder = folder if folder.is_absolute() else context.root / folder
    if settings.folder is None and settings.files == ("**/*.csv",):
        raise FixError(
            f"{NAME}: there is no file to read.",
            "Set sources.google_trends.folder to the folder of the CSV files downloaded from the "
            "site, or list them under sources.google_trends.files.",
        )
    if not folder.is_dir():
        raise FixError(f"{NAME}: {folder} is no folder.", "Correct sources.google_trends.folder.")
    found: dict[str, _File] = {}
    for pattern in settings.files:
        given = Path(pattern)
        if given.is_absolute():
            matches = [given] if given.is_file() else []
        else:
            matches = sorted(folder.glob(pattern))
        for path in matches:
            inside = path.is_relative_to(folder)
            name = path.relative_to(folder).as_posix() if inside else path.as_posix()
            if path.is_file() and not path.name.startswith("."):
                found.setdefault(name, _File(path, name))
    if not found:
        raise FixError(
            f"{NAME}: no file in {folder} fits {', '.join(settings.files)}.",
            "Put the CSV files downloaded from the site there, or correct "
            "sources.google_trends.files.",
        )
    return [found[name] for name in sorted(found)]


def _stat(file: _File) -> tuple[int, int]:
    try:
        status = file.path.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    return status.st_size, status.st_mtime_ns


def _read(file: _File) -> bytes:
    try:
        return file.path.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from error


def _unreadable(file: _File, error: OSError) -> FixError:
    return FixError(
        f"{NAME}: {file.name} cannot be read ({error.strerror or error}).",
        "Check that the file exists and that you may read it.",
    )


def _page(
    file: _File,
    content: bytes,
    stat: tuple[int, int],
    settings: Settings,
    context: Context,
    draws: dict[str, str],
) -> Page:
    """What one file brings: its points, or the reason why it brings none."""
    if stat[0] > FILE_BYTES:
        reason = f"{file.name}: the file has more than {FILE_BYTES:,} bytes; take it out."
        return Page([], {}, [Reject(INTEREST, "", reason, file.name)], [f"{NAME} {reason}"])
    try:
        export = parse_export(content, date_order=settings.date_order)
    except ExportError as error:
        shown = content[:_SHOWN].decode("utf-8", "replace")
        reason = f"{file.name}: {error.message} {error.remedy}".strip()
        return Page([], {}, [Reject(INTEREST, shown, reason, file.name)], [f"{NAME} {reason}"])
    rejects = [
        Reject(
            INTEREST,
            bad.text,
            f"{file.name}, line {bad.line}: {bad.reason}; correct the cell or download it again",
            f"{file.name}:{bad.line}",
        )
        for bad in export.bad_lines
    ]
    notes = [f"{NAME} {file.name}: {len(rejects)} lines or cells rejected"] if rejects else []
    geo_named = _NAMED_GEO.search(file.path.name)
    default_geo = geo_named["geo"] if geo_named else settings.geo
    draw = _draw(export, default_geo)
    if draws.setdefault(draw, file.name) != file.name:
        notes.append(f"{NAME} {file.name}: says the same as {draws[draw]}, so it lands once")
        return Page([], {}, rejects, notes)
    geos, unknown_regions = _geos(export, settings.regions, default_geo)
    terms, unknown_terms = _terms(export, settings.terms, context.catalogue)
    same = _of_one_meaning(export, terms, geos)
    for name, before in same.items():
        reason = f"{file.name}: the column {name!r} means the same term and region as {before!r}"
        rejects.append(Reject(INTEREST, name, f"{reason}; correct `terms`", file.name))
        notes.append(f"{NAME} {reason}, and is left out")
    notes += [
        f"{NAME} {file.name}: the region {region!r} has no code and is kept by its name; "
        "sources.google_trends.regions gives it one"
        for region in unknown_regions
    ]
    if unknown_terms:
        listed = ", ".join(repr(term) for term in unknown_terms)
        notes.append(
            f"{NAME} {file.name}: {listed}: no term of the catalogue, so of use as an anchor only; "
            "sources.google_trends.terms says what it means"
        )
    partial_from = _partial_from(export, settings, stat[1])
    about: Json = {
        "resolution": export.resolution,
        "window_start": export.first_day.isoformat(),
        "window_end": export.last_day.isoformat(),
        "draw": draw,
        "request": draw,
        "category": category_of(export.preamble),
        "property": "",
        "file": file.name,
    }
    fetched_at = context.now()
    records = []
    for cell in export.cells:
        name = cell.column.name
        if name in same:
            continue
        payload = _payload(cell, terms[name], geos[name], about, partial_from)
        records.append(Record(INTEREST, _record_id(payload), payload, fetched_at))
    context.progress(file.name, len(records))
    return Page(records, {}, rejects, notes)


def _draw(export: Export, default_geo: str) -> str:
    """The answer's id: of its content and of the region, which some files only have in their
    name."""
    if any(column.region is not None for column in export.columns):
        return export.digest
    text = f"{default_geo}|{export.digest}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _geos(
    export: Export, regions: Mapping[str, str], default: str
) -> tuple[dict[str, str], list[str]]:
    """The geography of each column, and names of regions that nobody knows."""
    geos: dict[str, str] = {}
    unknown: list[str] = []
    for column in export.columns:
        if column.region is None:
            geos[column.name] = default
            continue
        code = geo_of(column.region, regions)
        geos[column.name] = column.region if code is None else code
        if code is None:
            unknown.append(column.region)
    return geos, list(dict.fromkeys(unknown))


def _terms(
    export: Export, mapped: Mapping[str, str], catalogue: Sequence[Product]
) -> tuple[dict[str, str], list[str]]:
    """The term of each column, and those that are no term of the catalogue."""
    own = {_plain(name): term for name, term in mapped.items()}
    known = {
        _plain(term): term
        for product in catalogue
        for kind, terms in product.terms.items()
        if kind not in ("exclusion", "sku")
        for term in terms
    }
    found: dict[str, str] = {}
    unknown: list[str] = []
    for column in export.columns:
        asked = _plain(column.term)
        term = own.get(_plain(column.name)) or own.get(asked) or known.get(asked)
        found[column.name] = term or column.term
        if term is None:
            unknown.append(column.term)
    return found, list(dict.fromkeys(unknown))


def _of_one_meaning(
    export: Export, terms: Mapping[str, str], geos: Mapping[str, str]
) -> dict[str, str]:
    """Columns that mean what another column before them means, and that one."""
    first: dict[tuple[str, str], str] = {}
    same: dict[str, str] = {}
    for column in export.columns:
        before = first.setdefault((terms[column.name].lower(), geos[column.name]), column.name)
        if before != column.name:
            same[column.name] = before
    return same


def _plain(term: str) -> str:
    """A term without the quotes of an exact search, in lower case."""
    return " ".join(term.strip().strip('"“”„«»').split()).casefold()


def _partial_from(export: Export, settings: Settings, mtime_ns: int) -> datetime | None:
    """The last point's start where its period was not over; it has no flag of its own."""
    if export.has_partial_column:
        return None
    is_partial = settings.is_last_point_partial
    if is_partial is None:
        saved = datetime.fromtimestamp(mtime_ns / 1e9, UTC)
        is_partial = export.last_moment_end > saved
    return max(_moment_of(cell) for cell in export.cells) if is_partial and export.cells else None


def _moment_of(cell: Cell) -> datetime:
    return datetime.fromisoformat(f"{cell.day}T{cell.at or '00:00:00'}+00:00")


def _payload(
    cell: Cell, term: str, geo: str, about: Mapping[str, Any], partial_from: datetime | None
) -> Json:
    is_late = partial_from is not None and _moment_of(cell) >= partial_from
    return {
        "term": term,
        "geo": geo,
        "date": cell.day.isoformat(),
        "time": cell.at,
        "value": cell.value,
        "is_partial": cell.is_partial or is_late,
        **about,
        "column": cell.column.name,
        "region_name": cell.column.region,
    }


def _record_id(payload: Mapping[str, Any]) -> str:
    moment = payload["date"] + (f"T{payload['time']}" if payload["time"] else "")
    parts = (payload["term"], payload["geo"], moment, payload["resolution"], payload["draw"])
    return "|".join(str(part) for part in parts)


def plan(settings: Settings, cursor: Cursor, context: Context) -> list[Planned]:
    """Files ask nobody; the API takes a request and its polling for each term and region."""
    if settings.mode == "api":
        return _trends_api.plan(settings, cursor, context, source=NAME)
    done = cursor.get("files", {})
    new = [
        file
        for file in _find(settings, context)
        if (done.get(file.name, {}).get("size"), done.get(file.name, {}).get("mtime_ns"))
        != _stat(file)
    ]
    return [Planned(f"{len(new)} files", 0, basis="files that are new or changed")]


def probe(settings: Settings, context: Context) -> Probe:
    """Whether there are files, or whether the API takes the key."""
    if settings.mode == "api":
        return _trends_api.probe(settings, context, source=NAME)
    try:
        files = _find(settings, context)
    except ExtractError as error:
        return Probe(is_configured=False, message=str(error))
    newest = max(_stat(file)[1] for file in files) / 1e9
    age = context.clock.now() - datetime.fromtimestamp(newest, UTC)
    message = ""
    if age > timedelta(days=30):
        message = f"the newest of {len(files)} files is {age.days} days old: download again"
    return Probe(is_configured=True, is_reachable=True, is_authorised=True, message=message)
