"""`social-signals mapping check`: what a data set's mapping would land, before it lands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from extract.datasets import DryRun, FileCount, dry_run
from pipeline.console import clean, out

NOTHING_WOULD_LAND = 3
_SHOWN_VALUE_CHARS = 160
_SHOWN_FILES = 10

mapping_app = typer.Typer(
    help="Work on the mapping of a data set.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add the command group `mapping` to the command line."""
    app.add_typer(mapping_app, name="mapping")


@mapping_app.callback()
def mapping() -> None:
    """Work on the mapping of a data set."""


@mapping_app.command()
def check(
    file: Annotated[Path, typer.Argument(help="The mapping, a YAML file.", show_default=False)],
    data_folder: Annotated[
        Path | None,
        typer.Option("--data-folder", help="Where the data lies; else beside the mapping."),
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many first records to show.")] = 3,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", min=1, help="Stop after about so many rows.")
    ] = None,
) -> None:
    """Show the first records as they would land and count what would be rejected and why.

    Nothing is written. The exit code is 0 when something would land, 3 when nothing would, 1 when
    the mapping does not fit the data.

    Example: social-signals mapping check examples/worked/sales.yml

    Example: social-signals mapping check examples/stocknet/posts.yml --data-folder ~/stocknet
    """
    result = dry_run(file, data_folder or file.parent, limit=rows, max_rows=max_rows)
    for line in report(result, is_complete=max_rows is None):
        out.print(clean(line))
    if not result.landed_count:
        raise typer.Exit(NOTHING_WOULD_LAND)


def report(result: DryRun, *, is_complete: bool = True) -> list[str]:
    """A dry run in plain lines; texts of the data are quoted, without control characters."""
    checked = result.mapping
    lines = [
        f"{checked.dataset}: {checked.kind} from {_counted(len(result.files), 'file')}"
        + ("" if is_complete else " (the first rows only)"),
        f"  source   {checked.source}",
        f"  licence  {checked.licence}",
    ]
    for number, payload in enumerate(result.first_records, start=1):
        lines.append(f"record {number}")
        width = max(len(name) for name in payload)
        lines += [f"  {name:<{width}}  {_shown(value)}" for name, value in payload.items()]
    lines.append("rows")
    rejected = sum(result.reasons.values())
    lines += [
        f"  {result.row_count:>10,}  read",
        f"  {result.landed_count:>10,}  records would land",
        f"  {result.filtered_count:>10,}  rows left out by `where`",
        f"  {rejected:>10,}  rows rejected",
    ]
    if result.repeated_count:
        lines.append(f"  {result.repeated_count:>10,}  records repeat an id: the last one counts")
    for reason, count in result.reasons.most_common():
        lines.append(f"rejected {count:,}: {reason}")
        lines += [f"  {origin}  {_shown(text)}" for origin, text in result.examples[reason]]
    if len(result.files) > 1:
        lines.append("files")
        lines += [_file_line(item) for item in _interesting(result.files)[:_SHOWN_FILES]]
        if len(result.files) > _SHOWN_FILES:
            lines.append(f"  and {len(result.files) - _SHOWN_FILES:,} more")
    return lines


def _interesting(files: list[FileCount]) -> list[FileCount]:
    """Files with rejects first, the others in their order."""
    return sorted(files, key=lambda item: -sum(item.reasons.values()))


def _file_line(item: FileCount) -> str:
    rejected = sum(item.reasons.values())
    tail = f", {rejected:,} rejected" if rejected else ""
    return f"  {item.row_count:>10,} rows, {item.landed_count:,} records{tail}  {item.name}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_VALUE_CHARS else f"{text[:_SHOWN_VALUE_CHARS]}…"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
