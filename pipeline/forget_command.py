"""`social-signals forget`: whom and what to forget, asked for on the command line or in files."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from extract.personal import SHAPES, Targets, folds_case, normal_id, platform_name
from pipeline.console import clean, err, out
from pipeline.fingerprints import BUILT
from pipeline.forget_plan import Plan, counts_of
from pipeline.forgetting import Asked, find, preview
from pipeline.settings import Settings, SettingsError, load_settings, target_file
from warehouse.lock import run_lock

EXIT_DONE, EXIT_PARTIAL, EXIT_NOTHING, EXIT_STOPPED = 0, 3, 4, 130
KINDS = ("post", "author", "customer", "order")
SHOWN_IDS = 20
_DELETED = frozenset({"delete", "deleted"})
_GONE = frozenset({"deleted", "deactivated", "suspended", "protected"})

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
IdsOption = Annotated[list[str] | None, typer.Option(metavar="PLATFORM:ID")]


def register(app: typer.Typer) -> None:
    """Add `forget` to the command line."""
    app.command()(forget)


def forget(
    post: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATFORM:ID", help="A post or review, with edits and reposts."),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(metavar="PLATFORM:ID", help="All that an author (id or name) posted."),
    ] = None,
    customer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SHOP:ID", help="Who bought (id or e-mail): the sales stay, without a name."
        ),
    ] = None,
    order: Annotated[
        list[str] | None, typer.Option(metavar="SHOP:ID", help="An order, with its lines.")
    ] = None,
    from_file: Annotated[
        list[Path] | None,
        typer.Option("--from-file", help="CSV or JSONL with kind, platform and id, or plain text."),
    ] = None,
    x_posts: Annotated[
        list[Path] | None,
        typer.Option("--x-posts", help="Result of an X compliance job about posts (JSONL)."),
    ] = None,
    x_users: Annotated[
        list[Path] | None,
        typer.Option("--x-users", help="Result of an X compliance job about users (JSONL)."),
    ] = None,
    deleted: Annotated[
        bool, typer.Option("--deleted", help="What platforms told was deleted, in their streams.")
    ] = False,
    expired: Annotated[
        bool, typer.Option("--expired", help="What is older than privacy.retention_days allows.")
    ] = False,
    keep_out: Annotated[
        bool, typer.Option("--keep-out", help="Also keep later posts of these authors out.")
    ] = False,
    reason: Annotated[str, typer.Option(help="What the receipt says; name nobody.")] = "asked",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    build: Annotated[
        bool, typer.Option("--build/--no-build", help="Build and publish anew at once.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Only finish what a stopped forget had begun.")
    ] = False,
    target: TargetOption = "demo",
    config: ConfigOption = None,
    overrides: SetOption = None,
) -> None:
    """Remove people's posts, reviews and orders from every file of a target, for good.

    Landing files, tables, scores, results: afterwards no file of the target holds them, and they
    do not come back when they are fetched or loaded again. A receipt says what was removed where.
    The exit code is 4 when nothing was found, 3 when something could not be read.

    Example: social-signals forget --post x:1790000000000000000 --target live
    Example: social-signals forget --author reddit:somebody --customer shopify:ann@example.com
    Example: social-signals forget --from-file ids.csv --dry-run --target live
    """
    settings = load_settings(config or target_file(target), overrides or ())
    given = {"post": post, "author": author, "customer": customer, "order": order}
    files = {"--from-file": from_file, "--x-posts": x_posts, "--x-users": x_users}
    asked = _collect(given, files)
    asked.deleted, asked.expired = deleted, expired
    if resume:
        raise typer.Exit(_resume(settings, build=build))
    if not asked.targets.count() and not deleted and not expired:
        for problem in asked.problems:
            err.print(f"problem: {clean(problem)}")
        raise SettingsError(
            "There is nothing to forget.",
            "Name posts, authors, customers or orders: see social-signals forget --help.",
        )
    if dry_run or not yes:
        code = _show(settings, asked, say=_say)
        if dry_run:
            raise typer.Exit(code)
        if not sys.stdin.isatty():
            raise SettingsError(
                "Nobody is there to confirm.", "Say --yes, or --dry-run to look at it first."
            )
        if not typer.confirm("Remove this for good?", default=False):
            raise typer.Exit(EXIT_STOPPED)
    raise typer.Exit(
        _do(
            settings,
            asked,
            how=_how(given, files) or "--deleted --expired",
            keep_out=keep_out,
            reason=reason,
            build=build,
        )
    )


_Given = Mapping[str, list[str] | None]
_Files = Mapping[str, list[Path] | None]


def _how(given: _Given, files: _Files) -> str:
    """The options that were used, without what they said."""
    used = [f"--{kind}" for kind, values in given.items() if values]
    return " ".join(used + [name for name, paths in files.items() if paths])


def _collect(given: _Given, files: _Files) -> _Collected:
    """Everything that the command line names, there or in files.

    Raises:
        SettingsError: an id on the command line is not understood, a file cannot be read.
    """
    asked = _Collected()
    for kind, values in given.items():
        for value in values or ():
            asked.take(kind, value, where=f"--{kind}")
    if asked.problems:
        raise SettingsError(asked.problems[0], "Write PLATFORM:ID, such as x:1790000000000000000.")
    readers: Mapping[str, _Reader] = {
        "--from-file": _entries_of_file,
        "--x-posts": lambda text: _compliance(text, "post"),
        "--x-users": lambda text: _compliance(text, "author"),
    }
    for option, paths in files.items():
        for path in paths or ():
            asked.read(path, readers[option])
    return asked


def _do(
    settings: Settings,
    asked: _Collected,
    *,
    how: str,
    keep_out: bool,
    reason: str,
    build: bool,
) -> int:
    from pipeline.running import run_steps

    is_built = _is_built(settings)
    request = Asked(
        asked.targets,
        reason,
        how,
        keep_out,
        is_built=is_built,
        deleted=asked.deleted,
        expired=asked.expired,
    )
    code = run_steps(settings, *_steps(settings, build=build), asked=request)
    for problem in asked.problems:
        err.print(f"problem: {clean(problem)}")
    if is_built and not build:
        _say("the published file still holds it: social-signals build publishes it anew")
    if code == 0 and (asked.problems or (is_built and not build)):
        return EXIT_PARTIAL
    return code


def _steps(settings: Settings, *, build: bool) -> list[str]:
    """Forget, and whatever had been made of the records before."""
    paths = settings.paths
    steps = ["forget"]
    if build and _is_built(settings):
        steps += ["build", "publish"]
        steps += ["charts"] if paths.charts.exists() else []
        steps += ["report"] if paths.report.exists() else []
        steps += ["insights"] if paths.insights.exists() else []
    return steps


def _is_built(settings: Settings) -> bool:
    paths = settings.paths
    return paths.published.exists() or (paths.state / BUILT).exists()


def _resume(settings: Settings, *, build: bool) -> int:
    """Every command finishes what was begun; this one does nothing else."""
    from pipeline.running import run_steps

    steps = ("build", "publish") if build and _is_built(settings) else ()
    return run_steps(settings, *steps)


def _say(line: str) -> None:
    out.print(clean(line))


_Reader = Callable[[str], Iterator[tuple[int, str, str]]]


@dataclass(slots=True)
class _Collected:
    """What was asked for, and what could not be understood of it."""

    targets: Targets = field(default_factory=Targets)
    problems: list[str] = field(default_factory=list)
    deleted: bool = False
    expired: bool = False

    def take(self, kind: str, value: str, *, where: str) -> None:
        """Add `PLATFORM:ID`."""
        platform, colon, identifier = value.strip().partition(":")
        name = platform_name(platform)
        if not colon or not name or not identifier.strip():
            self.problems.append(f"{where}: {value!r} is not PLATFORM:ID.")
            return
        groups = {
            "post": self.targets.posts,
            "review": self.targets.posts,
            "author": self.targets.authors,
            "customer": self.targets.customers,
            "order": self.targets.orders,
        }
        if kind not in groups:
            self.problems.append(f"{where}: {kind!r} is none of {', '.join(KINDS)}.")
            return
        groups[kind].add(f"{name}:{normal_id(identifier, folds_case=folds_case(name))}")

    def read(self, path: Path, entries: _Reader) -> None:
        """Add what a file names; what is not understood is a problem by its line.

        Raises:
            SettingsError: the file cannot be read.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read ({error}).", "Check the path.") from error
        for number, kind, value in entries(text):
            where = f"{path.name}:{number}"
            if not kind:
                self.problems.append(f"{where}: {value}")
            else:
                self.take(kind, value, where=where)


def _entries_of_file(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, kind, platform:id) of a list; an empty kind marks a line that is not understood."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        yield from _entries_of_jsonl(text)
    elif "," in first or "\t" in first:
        yield from _entries_of_csv(text, "\t" if "\t" in first else ",")
    else:
        for number, line in enumerate(text.splitlines(), start=1):
            words = line.split(maxsplit=1)
            if not words or words[0].startswith("#"):
                continue
            if len(words) == 2 and words[0].lower() in (*KINDS, "review"):
                yield number, words[0].lower(), words[1]
            else:
                yield number, "post", line


def _entries_of_csv(text: str, delimiter: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    for row in reader:
        yield from _entries_of_row(reader.line_num, row)


def _entries_of_jsonl(text: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            yield from _entries_of_row(number, row)
        else:
            yield number, "", "not a JSON object"


def _entries_of_row(number: int, row: Mapping[str, Any]) -> Iterable[tuple[int, str, str]]:
    """A row has `kind`, `platform` (or `source`) and `id`, or one column a kind."""
    named = {str(key).strip().lower(): value for key, value in row.items() if key is not None}
    platform = str(named.get("platform") or named.get("source") or "").strip()
    found = [
        (number, kind, str(named[key]))
        for kind in KINDS
        for key in (kind, f"{kind}_id")
        if named.get(key)
    ]
    if named.get("id"):
        found.append((number, str(named.get("kind") or "post").strip().lower(), str(named["id"])))
    if not found:
        return [(number, "", "names no post, author, customer or order")]
    if platform:
        return [(line, kind, f"{platform}:{value}") for line, kind, value in found]
    return found


def _compliance(text: str, kind: str) -> Iterator[tuple[int, str, str]]:
    """Lines of a compliance result: what X deleted goes; other actions are named as problems."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            identifier, action = str(row["id"]), str(row.get("action") or "").lower()
            why = str(row.get("reason") or "").lower()
        except (ValueError, KeyError, TypeError, AttributeError):
            yield number, "", "no result of a compliance job: it has no id"
            continue
        if action in _DELETED or why in _GONE:
            yield number, kind, f"x:{identifier}"
        else:
            yield number, "", f"the action {action or why or 'unknown'!r} is not a deletion: left"


def _show(settings: Settings, asked: _Collected, *, say: Callable[[str], None]) -> int:
    """Say what would be removed: counts and ids, never content."""
    with run_lock(settings.paths.lock, command="forget --dry-run"):
        plans = [find(settings, asked.targets)] if asked.targets.count() else []
        plans += preview(
            settings, deleted=asked.deleted, expired=asked.expired, now=datetime.now(UTC)
        )
    for plan in plans:
        _show_plan(plan, say)
    problems = [*asked.problems, *(problem for plan in plans for problem in plan.problems)]
    for problem in problems:
        err.print(f"problem: {clean(problem)}")
    if all(plan.is_empty() for plan in plans):
        say("nothing found")
        known = sorted({shape.qualifier for shape in SHAPES.values() if shape.qualifier})
        say(f"platforms: {', '.join(known)}, and those that data sets name")
        return EXIT_NOTHING
    return EXIT_PARTIAL if problems else EXIT_DONE


def _show_plan(plan: Plan, say: Callable[[str], None]) -> None:
    for (source, stream), (files, drop, change) in counts_of(plan).items():
        say(f"{source}/{stream}: {drop:,} records to remove, {change:,} to change, {files:,} files")
        ids = sorted({r for s, t, r in plan.records if (s, t) == (source, stream)})
        for record_id in ids[:SHOWN_IDS]:
            say(f"  {record_id}")
        if len(ids) > SHOWN_IDS:
            say(f"  … and {len(ids) - SHOWN_IDS:,} more")
