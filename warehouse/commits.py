"""Commit records: the one instant at which landed records, and a source's cursor, become true.

A writer writes its parts under hidden temporary names. `commit` syncs them, then puts one small
record `_commits/<source name>/<sequence>-<run>.json` in place by a rename, and then gives the parts
their final names. The record lists the parts (temporary and final name, rows, bytes, hash) and
holds the cursor. Hence at any instant of a crash:

* no record: nothing was landed and the cursor stands where it was; the temporary files are removed
  by the next writer (`recover`);
* a record, some parts still under their temporary names: they *are* landed; `recover`, which every
  writer and every load calls first, finishes the renames;
* a record and all final names: done.

So no record's file is ignored, and none is written again because its cursor lagged behind. A file
under its final name that no record names was put there by hand (a copied landing folder): it is
loaded too, after the committed ones; its run id follows from its name.

A file is known by its *logical id*, its path below the landing folder without the suffix, and not
by its bytes: when a file is rewritten (a person asked to be forgotten), it keeps its id and is not
loaded again.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from warehouse.errors import LandingError
from warehouse.files import (
    PROCESS_TOKEN,
    TEMPORARY_SUFFIX,
    make_durable_folder,
    replace_durably,
    sync_folder,
)
from warehouse.lock import WRITERS_FOLDER, HeldFile, is_held

COMMITS_FOLDER = "_commits"
MARK_SUFFIX = ".mark"
DATA_SUFFIX = ".jsonl.zst"
REJECTS_MARK = ".rejects"
FORMAT = 1

Kind = Literal["records", "rejects"]

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_COMMIT_FILE = re.compile(r"(\d{8,})-(.+)\.json\Z")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a commit. `rows` and `text_bytes` count what is inside; `bytes` and `sha256` are
    of the file as it was landed; `temporary` is the name before the final one."""

    logical_id: str
    source: str
    stream: str
    kind: Kind
    temporary: str
    rows: int
    text_bytes: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Commit:
    """What one `commit` made durable, in the order `sequence` (unique for a landing folder, except
    that two writers of one run may share one: `source_name` breaks the tie)."""

    sequence: int
    source_name: str
    run_id: str
    is_simulated: bool
    committed_at: str
    parts: tuple[Part, ...]
    cursor: Mapping[str, Any] | None

    def to_json(self) -> bytes:
        content = {"format": FORMAT, **asdict(self)}
        return (json.dumps(content, indent=1, ensure_ascii=True) + "\n").encode()


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A visible landing file. `rows`, `bytes` and `sha256` are as committed, None if unknown (a
    file that was put there by hand, of which `is_simulated` is unknown too)."""

    path: Path
    logical_id: str
    source: str
    stream: str
    kind: Kind
    run_id: str
    is_simulated: bool | None
    rows: int | None
    bytes: int | None
    sha256: str | None
    sequence: int | None


def check_names(source: str, stream: str) -> None:
    """Refuse names that would not make a folder and a table.

    Raises:
        LandingError: a name is not lower-case letters, digits and underscores.
    """
    for what, name in (("source", source), ("stream", stream)):
        if not _NAME.match(name):
            raise LandingError(
                f"The {what} name {name!r} cannot become a table name.",
                "Use lower-case letters, digits and underscores, starting with a letter.",
            )


def check_run_id(run_id: str) -> None:
    """Refuse run ids that would not make a file name.

    Raises:
        LandingError: the id has other characters than letters, digits, dot, dash, underscore.
    """
    if not _RUN_ID.match(run_id):
        raise LandingError(
            f"The run id {run_id!r} cannot become a file name.",
            "Use letters, digits, dots, dashes and underscores.",
        )


def data_path_of(landing_dir: Path, logical_id: str) -> Path:
    """Where the landing file with this logical id lies."""
    return landing_dir / f"{logical_id}{DATA_SUFFIX}"


def write_commit(landing_dir: Path, commit: Commit) -> Path:
    """Put the record in place; when this returns, the commit is true for good."""
    folder = landing_dir / COMMITS_FOLDER / commit.source_name
    make_durable_folder(folder)
    path = folder / f"{commit.sequence:08d}-{commit.run_id}.json"
    replace_durably(path, commit.to_json())
    return path


def finish_commit(landing_dir: Path, commit: Commit) -> None:
    """Give the parts of a durable commit their final names; repeating it does no harm."""
    folders = set()
    for part in commit.parts:
        final = data_path_of(landing_dir, part.logical_id)
        temporary = final.with_name(part.temporary)
        # Whoever opens the folder next may be quicker than the writer itself.
        with contextlib.suppress(FileNotFoundError):
            temporary.replace(final)
            folders.add(final.parent)
    for folder in sorted(folders):
        sync_folder(folder)


def amend_commits(landing_dir: Path, amend: Callable[[Commit], Commit]) -> int:
    """Replace every record that `amend` gives another content; return how many those are.

    Raises:
        LandingError: a record is damaged.
    """
    count = 0
    for path in commit_files(landing_dir):
        commit = read_commit(path)
        amended = amend(commit)
        if amended != commit:
            replace_durably(path, amended.to_json())
            count += 1
    return count


def commit_files(landing_dir: Path, source_name: str | None = None) -> list[Path]:
    """Paths of the commit records, oldest first; of one source name or of all."""
    pattern = f"{source_name or '*'}/*.json"
    found = []
    for path in (landing_dir / COMMITS_FOLDER).glob(pattern):
        match = _COMMIT_FILE.match(path.name)
        if match and not path.name.startswith("."):
            found.append((int(match.group(1)), path.parent.name, path.name, path))
    return [entry[-1] for entry in sorted(found)]


def read_commit(path: Path) -> Commit:
    """The record at `path`.

    Raises:
        LandingError: the file is damaged or of a newer format.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        if content.pop("format") != FORMAT:
            raise LandingError(
                f"The commit record {path} was written by a newer version.",
                "Update this program.",
            )
        parts = tuple(Part(**part) for part in content.pop("parts"))
        return Commit(parts=parts, **content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise LandingError(
            f"The commit record {path} cannot be read ({type(error).__name__}).",
            "Restore it from a copy, or delete it: its landing files stay and are still loaded, "
            "and the source continues from its previous cursor.",
        ) from error


def read_commits(landing_dir: Path, source_name: str | None = None) -> list[Commit]:
    """All commits, oldest first.

    Raises:
        LandingError: a record is damaged.
    """
    return [read_commit(path) for path in commit_files(landing_dir, source_name)]


def last_sequence(landing_dir: Path) -> int:
    """The highest sequence number in use, 0 in an empty folder."""
    names = (_COMMIT_FILE.match(path.name) for path in commit_files(landing_dir))
    return max((int(name.group(1)) for name in names if name), default=0)


def read_cursor(landing_dir: Path, source_name: str) -> dict[str, Any]:
    """The cursor of the newest commit of a source that has one; empty before the first.

    Raises:
        LandingError: the newest record is damaged.
    """
    for path in reversed(commit_files(landing_dir, source_name)):
        cursor = read_commit(path).cursor
        if cursor is not None:
            return dict(cursor)
    return {}


def recover(landing_dir: Path) -> list[Path]:
    """Finish what a killed writer had committed and delete what it had not; return what was
    deleted. Call it only while holding the target's lock: files of this process are kept, and those
    of processes that write beside the run (`writer_mark`) as long as they live.

    Raises:
        LandingError: a commit record is damaged.
    """
    if not landing_dir.is_dir():
        return []
    leftovers = sorted(landing_dir.rglob(f".*{TEMPORARY_SUFFIX}"))
    if not leftovers:
        return []
    for commit in read_commits(landing_dir):
        finish_commit(landing_dir, commit)
    removed = []
    living = {PROCESS_TOKEN, *_living_writers(landing_dir)}
    for path in leftovers:
        token = path.name.removesuffix(TEMPORARY_SUFFIX).rpartition(".")[2]
        if token not in living and path.is_file():
            path.unlink(missing_ok=True)
            removed.append(path)
    return removed


def writer_mark(landing_dir: Path) -> HeldFile:
    """The mark of this process, to be held while it writes landing files without the target's
    lock, as a stream does: whoever tidies the folder leaves its unfinished files alone."""
    return HeldFile(landing_dir / WRITERS_FOLDER / f"{PROCESS_TOKEN}{MARK_SUFFIX}")


def _living_writers(landing_dir: Path) -> set[str]:
    living = set()
    for path in (landing_dir / WRITERS_FOLDER).glob(f"*{MARK_SUFFIX}"):
        if is_held(path):
            living.add(path.name.removesuffix(MARK_SUFFIX))
        else:
            path.unlink(missing_ok=True)
    return living


def list_landed(landing_dir: Path) -> list[LandedFile]:
    """Every visible landing file, in the order of commits, then the hand-placed ones by name.

    Files elsewhere than at `<source>/<stream>/<date>/` are left alone.

    Raises:
        LandingError: a commit record is damaged.
    """
    files: list[LandedFile] = []
    known = set()
    for commit in read_commits(landing_dir):
        for part in commit.parts:
            known.add(part.logical_id)
            path = data_path_of(landing_dir, part.logical_id)
            temporary = path.with_name(part.temporary)
            if not path.exists() and temporary.exists():
                # Committed, but the folder can no longer be written.
                path = temporary
            files.append(
                LandedFile(
                    path=path,
                    logical_id=part.logical_id,
                    source=part.source,
                    stream=part.stream,
                    kind=part.kind,
                    run_id=commit.run_id,
                    is_simulated=commit.is_simulated,
                    rows=part.rows,
                    bytes=part.bytes,
                    sha256=part.sha256,
                    sequence=commit.sequence,
                )
            )
    for path in sorted(landing_dir.glob(f"*/*/*/*{DATA_SUFFIX}")):
        relative = path.relative_to(landing_dir)
        logical_id = relative.as_posix().removesuffix(DATA_SUFFIX)
        source, stream = relative.parts[:2]
        is_ours = _NAME.match(source) and _NAME.match(stream) and not path.name.startswith(".")
        if logical_id in known or not is_ours:
            continue
        stem = path.name.removesuffix(DATA_SUFFIX)
        files.append(
            LandedFile(
                path=path,
                logical_id=logical_id,
                source=source,
                stream=stream,
                kind="rejects" if stem.endswith(REJECTS_MARK) else "records",
                run_id=stem.removesuffix(REJECTS_MARK).rpartition("-")[0] or stem,
                is_simulated=None,
                rows=None,
                bytes=None,
                sha256=None,
                sequence=None,
            )
        )
    return files
