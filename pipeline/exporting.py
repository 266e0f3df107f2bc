"""`social-signals export`: any published table or raw stream as a file that other programs read.

Rows pass through a piece at a time, a file appears whole or not at all, and the connection that
runs a `--where` of the user can neither write nor see anything but the one DuckDB file.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import duckdb
import typer

from pipeline.console import Level, meter, tell
from pipeline.export_cells import (
    Field,
    delimited_header,
    delimited_line,
    json_line,
    parquet_columns,
    quoted,
)
from pipeline.forget_requests import begun
from pipeline.running import TEXT_COLUMNS
from pipeline.settings import Settings, SettingsError, load_settings, target_file
from udfs.errors import SocialSignalsError
from warehouse.errors import explain_os_error
from warehouse.files import make_durable_folder, sync_folder, temporary_name
from warehouse.lock import run_lock
from warehouse.schema import open_work

if TYPE_CHECKING:
    import pyarrow as pa

STANDARD_OUTPUT = "-"
RAW_COLUMNS_WITH_TEXTS = ("payload", "text")
_RAW_TABLES = ("rejects", "load_log")
_ROWS_PER_BATCH = 2_048
_MEMORY = "128MB"
"""What DuckDB may keep: it holds on to every block that it read, up to this, and never needs one
twice. A condition that joins or sorts more than this writes it to a temporary file."""


class ExportError(SocialSignalsError):
    """The export was not made; what stood under its name is as it was."""


class Format(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be exported."""

    schema: str
    name: str
    is_raw: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a table, and how its cells are written."""

    columns: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None
    is_plain: bool = False


def register(app: typer.Typer) -> None:
    """Add `export` to the command line."""
    app.command()(export)


def export(
    table: Annotated[
        str | None,
        typer.Argument(help="A published table, or a raw stream: raw.x_posts, x/posts."),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", help="FILE.csv, .tsv, .jsonl, .parquet; a folder with --all; or -."
        ),
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="Every published table.")] = False,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="For --all (parquet without it) and for - (csv without it)."),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Only these, in this order: a,b,c.")
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", help="Only rows for which this SQL condition holds.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows.")] = (
        None
    ),
    plain: Annotated[
        bool,
        typer.Option("--plain", help="CSV, TSV: no apostrophe before what looks like a formula."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files.")] = False,
    target: Annotated[
        str, typer.Option("--target", "-t", help="A target of targets/: its settings and its data.")
    ] = "demo",
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Any other settings file; its stem is the target's name."),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Change one setting for this run."),
    ] = None,
) -> None:
    """Write a published table or a raw stream as CSV, TSV, JSON lines or Parquet.

    Example: social-signals export mart_insights --output insights.csv
    Example: social-signals export fct_posts --where "platform = 'x'" --columns post_id,text -o -
    Example: social-signals export x/posts --output posts.jsonl --target live
    Example: social-signals export --all --output exported --format parquet
    """
    if not output:
        raise SettingsError("Where to is not said.", "Say --output FILE.csv, or --output -.")
    if every == bool(table):
        raise SettingsError(
            "Name one table, or say --all.", "Such as: social-signals export mart_insights -o -"
        )
    settings = load_settings(config or target_file(target), overrides or ())
    wanted = Wanted(_listed(columns), where, limit, plain)
    if every:
        export_all(settings, output, form or Format.PARQUET, wanted, force=force)
    elif table is not None:
        export_one(settings, table, output, form, wanted, force=force)


def export_one(
    settings: Settings, name: str, output: str, form: Format | None, wanted: Wanted, *, force: bool
) -> int:
    """Write one table to a file or to standard output; returns the number of its rows.

    Raises:
        SettingsError: no such table, column or kind of file; a condition that is none.
        ExportError: the file is there already or cannot be written.
        LockedError: a run is going on (raw streams only).
    """
    to_file = output != STANDARD_OUTPUT
    chosen = _format_of(Path(output), form) if to_file else form or Format.CSV
    if not to_file and chosen is Format.PARQUET:
        raise SettingsError("Parquet cannot be written to standard output.", "Name a file.")
    path = Path(output)
    if to_file:
        _check_place(path, force=force)
    _check_forgetting(settings)
    with _opened(settings, name) as (connection, table):
        if table.is_raw:
            _warn(settings, table)
        query = Query(settings, connection, table, wanted)
        if not to_file:
            return _write(query, sys.stdout.buffer, chosen)
        count = _write_file(query, path, chosen, force=force)
    tell("export", f"{count:,} rows of {table.full_name} in {path}", table=name, rows=count)
    return count


def export_all(
    settings: Settings, output: str, form: Format, wanted: Wanted, *, force: bool
) -> int:
    """Write every published table into a folder, all of the same build; returns how many.

    Raises:
        SettingsError: a choice that fits one table only.
        ExportError: a file is there already or cannot be written; no other one is begun then.
    """
    if output == STANDARD_OUTPUT or wanted.columns or wanted.where is not None:
        raise SettingsError(
            "--all writes whole tables into a folder.",
            "Leave --columns, --where and - away, or name one table.",
        )
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is no folder.", "Name a folder, or one table.")
    _check_forgetting(settings)
    with contextlib.closing(_connect(_published(settings))) as connection:
        tables = _tables(connection, is_raw=False)
        names = [table.name for table in tables]
        files = {
            table: folder
            / f"{table.name if names.count(table.name) == 1 else table.full_name}.{form.value}"
            for table in tables
        }
        for path in files.values():
            if folder.exists():
                _check_place(path, force=force)
        try:
            make_durable_folder(folder)
        except OSError as error:
            raise _os_error(error, folder) from error
        rows = 0
        for table, path in files.items():
            query = Query(settings, connection, table, wanted)
            rows += _write_file(query, path, form, force=force)
    tell("export", f"{len(files):,} tables with {rows:,} rows in {folder}", rows=rows)
    return len(files)


class Query:
    """A table's rows as they may leave: chosen, and without what the settings keep back."""

    def __init__(
        self,
        settings: Settings,
        connection: duckdb.DuckDBPyConnection,
        table: Table,
        wanted: Wanted,
    ) -> None:
        self.connection, self.table, self.wanted = connection, table, wanted
        self.fields = _chosen(settings, table, _fields(connection, table), wanted.columns)
        kept_back = [
            f"cast(null as {field.type}) as {field.quoted}"
            for field in _fields(connection, table)
            if _is_withheld(settings, table, field.name)
        ]
        # Nulls take the texts' place before the condition is asked: it may not tell them either.
        replaced = f" replace ({', '.join(kept_back)})" if kept_back else ""
        condition = f" where (\n{_condition(wanted.where)}\n)" if wanted.where is not None else ""
        limit = f" limit {wanted.limit}" if wanted.limit is not None else ""
        self._rows = f"from (select *{replaced} from {table.quoted}) as t{condition}{limit}"

    def total(self) -> int | None:
        """How many rows there will be, where that is known without reading them."""
        if self.wanted.where is not None:
            return None
        counted = self.connection.execute(f"select count(*) from {self.table.quoted}").fetchall()
        return min(int(counted[0][0]), self.wanted.limit or sys.maxsize)

    def read(self, selected: str) -> pa.RecordBatchReader:
        """`selected` of every row, in batches that are made while they are asked for."""
        try:
            result = self.connection.execute(f"select {selected} {self._rows}")
            return result.to_arrow_reader(_ROWS_PER_BATCH)
        except duckdb.Error as error:
            raise self.explain(error) from error

    def explain(self, error: Exception) -> SocialSignalsError:
        first = str(error).splitlines()[0]
        if self.wanted.where is not None:
            return SettingsError(
                f"{self.table.full_name} cannot be asked for --where {self.wanted.where}: {first}",
                "Write one SQL condition over the columns of the table, such as: units > 0",
            )
        return ExportError(
            f"{self.table.full_name} cannot be read: {first}", "Build and publish again."
        )


def _write_file(query: Query, path: Path, form: Format, *, force: bool) -> int:
    temporary = temporary_name(path)
    try:
        with temporary.open("wb") as opened:
            count = _write(query, opened, form)
            opened.flush()
            os.fsync(opened.fileno())
        _check_place(path, force=force)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _os_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return count


def _write(query: Query, opened: BinaryIO, form: Format) -> int:
    total = query.total()
    with meter(f"export {query.table.name}") as progress:

        def counted(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            done = 0
            for batch in batches:
                yield batch
                done += batch.num_rows
                progress.update(done, total)

        if form is Format.PARQUET:
            return _write_parquet(query, opened, counted)
        return _write_lines(query, opened, form, counted)


_Counted = Callable[["Iterable[pa.RecordBatch]"], "Iterator[pa.RecordBatch]"]


def _write_lines(query: Query, opened: BinaryIO, form: Format, counted: _Counted) -> int:
    if form is Format.JSONL:
        end, selected, header = "\n", json_line(query.fields), None
    else:
        delimiter = "\t" if form is Format.TSV else ","
        end, header = "\r\n", delimited_header(query.fields, delimiter)
        selected = delimited_line(query.fields, delimiter, is_plain=query.wanted.is_plain)
    reader = query.read(f"{selected} as line")
    if header is not None:
        opened.write((header + end).encode())
    rows = 0
    for batch in counted(_batches(query, reader)):
        lines = batch.column(0).to_pylist()
        opened.write("".join([line + end for line in lines]).encode())
        rows += len(lines)
    opened.flush()
    return rows


def _write_parquet(query: Query, opened: BinaryIO, counted: _Counted) -> int:
    import pyarrow.parquet as pq

    reader = query.read(parquet_columns(query.fields))
    rows = 0
    with pq.ParquetWriter(opened, reader.schema, compression="zstd") as writer:
        for batch in counted(_batches(query, reader)):
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _batches(query: Query, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    """The batches; what DuckDB finds in the middle of the rows is told as at their beginning."""
    import pyarrow as pa

    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (duckdb.Error, pa.ArrowException) as error:
            raise query.explain(error) from error
        if batch.num_rows:
            yield batch


@contextlib.contextmanager
def _opened(settings: Settings, name: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, Table]]:
    """The file that holds the table, open for reading; a raw stream's under the target's lock."""
    with contextlib.ExitStack() as stack:
        is_raw = "/" in name or name.lower().startswith("raw.")
        if is_raw:
            if not settings.paths.work.is_file():
                raise ExportError(
                    f"{settings.name} has no raw stream yet.",
                    f"Run social-signals run --target {settings.name} first.",
                )
            # A run that found the file open would fail half-way; so it is told at its beginning.
            stack.enter_context(run_lock(settings.paths.lock, command=f"export {name}"))
        path = settings.paths.work if is_raw else _published(settings)
        connection = stack.enter_context(contextlib.closing(_connect(path)))
        yield connection, _named(connection, name, is_raw=is_raw)


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    connection = open_work(path, read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    # It takes a program that is handed to Python for a person, and draws into what is written.
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"set memory_limit = '{_MEMORY}'")
    # Each thread unpacks a group of 122,880 rows of its own; a second one made nothing faster.
    connection.execute("set threads = 1")
    # Whatever stands in --where: no other file, no network, and no way back.
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _published(settings: Settings) -> Path:
    path = settings.paths.published
    if not path.is_file():
        raise ExportError(
            f"{settings.name} has no published file yet.",
            f"Run social-signals run --target {settings.name} first.",
        )
    return path


def _tables(connection: duckdb.DuckDBPyConnection, *, is_raw: bool) -> list[Table]:
    rows = connection.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = current_database() and not internal order by 2, 1"
    ).fetchall()
    if not is_raw:
        return [Table(schema, name) for schema, name in rows]
    streams = connection.execute(
        "select table_name from duckdb_columns() where database_name = current_database() "
        "and schema_name = 'raw' and column_name = 'payload'"
    ).fetchall()
    wanted = {name for (name,) in streams} | set(_RAW_TABLES)
    return [
        Table(schema, name, is_raw=True)
        for schema, name in rows
        if schema == "raw" and name in wanted
    ]


def _named(connection: duckdb.DuckDBPyConnection, name: str, *, is_raw: bool) -> Table:
    """Raises:
    SettingsError: there is no such table, or several of that name.
    """
    tables = _tables(connection, is_raw=is_raw)
    asked = name.lower()
    if is_raw:
        asked = f"raw.{asked.replace('/', '_')}" if "/" in asked else asked
    found = [table for table in tables if asked in (table.full_name.lower(), table.name.lower())]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(table.full_name for table in found)
        raise SettingsError(f"{name} is the name of several tables.", f"Say which: {names}.")
    by_name = {table.full_name if is_raw else table.name: table for table in tables}
    near = get_close_matches(asked, by_name, n=3, cutoff=0.5) or sorted(by_name)[:30]
    kind = "raw stream" if is_raw else "published table"
    other = "" if is_raw else " A raw stream is named raw.x_posts or x/posts."
    raise SettingsError(
        f"There is no {kind} {name}.", f"Nearest: {', '.join(near) or 'none'}.{other}"
    )


def _fields(connection: duckdb.DuckDBPyConnection, table: Table) -> list[Field]:
    rows = connection.execute(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and schema_name = ? and table_name = ? "
        "order by column_index",
        [table.schema, table.name],
    ).fetchall()
    return [Field(name, type_) for name, type_ in rows]


def _chosen(
    settings: Settings, table: Table, fields: Sequence[Field], columns: Sequence[str]
) -> list[Field]:
    """Raises:
    SettingsError: an unknown column, one named twice, or texts that are to stay here.
    """
    by_name = {field.name: field for field in fields}
    for name in columns:
        if name not in by_name:
            near = get_close_matches(name, by_name, n=3, cutoff=0.5) or list(by_name)
            raise SettingsError(
                f"{table.full_name} has no column {name!r}.", f"Nearest: {', '.join(near)}."
            )
    if len(set(columns)) < len(columns):
        raise SettingsError("A column is named twice in --columns.", "Name each once.")
    chosen = [by_name[name] for name in columns] if columns else list(fields)
    kept_back = [
        field.name for field in chosen if table.is_raw and _is_withheld(settings, table, field.name)
    ]
    if kept_back:
        others = ",".join(field.name for field in fields if field.name not in kept_back)
        raise SettingsError(
            f"publish.texts = false keeps texts here, and {kept_back[0]!r} of {table.full_name} "
            "holds them.",
            f"Leave it out: --columns {others}",
        )
    return chosen


def _is_withheld(settings: Settings, table: Table, column: str) -> bool:
    if settings.publish.texts:
        return False
    return column in (RAW_COLUMNS_WITH_TEXTS if table.is_raw else TEXT_COLUMNS)


def _condition(where: str) -> str:
    """Raises:
    SettingsError: it is not one condition and nothing else.
    """
    try:
        duckdb.SQLExpression(where)
    except duckdb.Error as error:
        raise SettingsError(
            f"--where {where}: {str(error).splitlines()[0]}",
            "Write one SQL condition over the columns of the table, such as: units > 0",
        ) from error
    return where


def _format_of(path: Path, form: Format | None) -> Format:
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in set(Format):
        raise SettingsError(
            f"{path}: unknown kind of file {path.suffix or '(no suffix)'}.",
            f"Use a name that ends in {', '.join(f'.{known.value}' for known in Format)}.",
        )
    if form is not None and form.value != suffix:
        raise SettingsError(
            f"{path} and --format {form.value} contradict each other.",
            "Leave --format away: the name says it.",
        )
    return Format(suffix)


def _check_place(path: Path, *, force: bool) -> None:
    if not path.parent.is_dir():
        raise ExportError(f"There is no folder {path.parent}.", "Make it, or write elsewhere.")
    if path.is_dir():
        raise ExportError(f"{path} is a folder.", "Name a file.")
    if path.exists() and not force:
        raise ExportError(f"{path} is there already.", "Say --force, or choose another name.")


def _check_forgetting(settings: Settings) -> None:
    """What is being forgotten must not leave at the last moment."""
    if begun(settings.paths):
        raise ExportError(
            "A forget that was begun is not finished: what it removes may still be in the files.",
            f"Run social-signals forget --resume or build for {settings.name}, then export again.",
        )


def _warn(settings: Settings, table: Table) -> None:
    names = ", with names although authors have pseudonyms" if (
        settings.privacy.pseudonymise_authors
    ) else ""  # fmt: skip
    tell(
        "note",
        f"{table.full_name} is as received and may hold personal data{names}; `social-signals "
        "forget` and retention do not reach exported files",
        level=Level.WARNING,
    )


def _os_error(error: OSError, path: Path) -> Exception:
    if isinstance(error, BrokenPipeError):
        return error
    message, remedy = explain_os_error(error, doing="writing", path=path)
    return ExportError(message, remedy)


def _listed(columns: str | None) -> tuple[str, ...]:
    if columns is None:
        return ()
    names = tuple(name.strip() for name in columns.split(","))
    if not all(names):
        raise SettingsError(f"--columns {columns!r}: a name is empty.", "Write a,b,c.")
    return names
