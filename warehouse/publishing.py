"""The published file: a compact copy of the results, replaced in one instant."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from warehouse.errors import LoadError, LockedError, PublishError, explain_os_error
from warehouse.files import TEMPORARY_SUFFIX, make_durable_folder, sync_folder, temporary_name
from warehouse.schema import STORAGE_VERSION, explain_open_error
from warehouse.start_here import start_rows, start_statements

PUBLISHED_PREFIXES = ("dim_", "fct_", "bridge_", "mart_", "ops_")

# dbt's incremental models leave such tables behind when a build is killed.
_DBT_TEMPORARY = "__dbt_"


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table of the published file."""

    schema: str
    name: str
    row_count: int


@dataclass(frozen=True, slots=True)
class TableDescription:
    """What a table holds, and its columns by name."""

    comment: str
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro of the published file: a query over its tables with the parameters by name; a scalar
    one gives one value of its parameters alone."""

    name: str
    parameters: tuple[str, ...]
    query: str
    comment: str
    is_scalar: bool = False


def is_published(name: str) -> bool:
    """Whether a table belongs to the results: dimensions, facts, bridges, marts, operations."""
    return name.startswith(PUBLISHED_PREFIXES) and _DBT_TEMPORARY not in name


def publish(
    work_path: Path,
    published_path: Path,
    *,
    is_wanted: Callable[[str], bool] = is_published,
    without_text_columns: Collection[str] = (),
    descriptions: Mapping[str, TableDescription] | None = None,
    macros: Sequence[Macro] = (),
    storage_version: str = STORAGE_VERSION,
) -> list[PublishedTable]:
    """Copy the wanted tables and views of the work file, as tables, into a new file and put it in
    the place of the published one.

    Readers that have the old file open keep it, whole; whoever opens the name afterwards sees the
    new one. Names of schemas, columns, their order and their comments stay. A column whose name is
    in `without_text_columns` is kept, but null in every row, so that queries still run.

    The work file must not be open for writing, in this process or another; call this while holding
    the target's lock.

    Args:
        is_wanted: takes a table's name.
        descriptions: become the comments of tables, by name, and of their columns; they win over
            those of the work file.
        macros: are kept in the schema main of the published file. One may use those before it.
            Beside them lies the view `start_here`, which lists tables and macros.
        storage_version: as DuckDB names it; the default is opened by DuckDB 1.4 and later.

    Raises:
        LockedError: another process has the work file open.
        PublishError: no work file, nothing to publish, a full disk. The published file is as it
            was.
    """
    if not work_path.is_file():
        raise PublishError(f"There is no work file {work_path}.", "Load and build first.")
    temporary = temporary_name(published_path)
    try:
        make_durable_folder(published_path.parent)
        _remove_leftovers(published_path)
        tables = _copy(work_path, temporary, is_wanted, without_text_columns, storage_version)
        _explain_itself(temporary, tables, descriptions or {}, macros)
        _verify(temporary, tables)
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(published_path)
        sync_folder(published_path.parent)
    except OSError as error:
        message, remedy = explain_os_error(error, doing="publishing", path=published_path)
        raise PublishError(f"{message} The published file is as it was.", remedy) from error
    except duckdb.Error as error:
        raise _explain(error, published_path) from error
    finally:
        for path in (temporary, _wal(temporary)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
    return tables


def _copy(
    work_path: Path,
    temporary: Path,
    is_wanted: Callable[[str], bool],
    without_text_columns: Collection[str],
    storage_version: str,
) -> list[PublishedTable]:
    with contextlib.closing(duckdb.connect()) as connection:
        try:
            connection.execute(f"attach {_text(str(work_path))} as work (read_only)")
        except duckdb.Error as error:
            reason = explain_open_error(error, work_path)
            if isinstance(reason, LoadError):
                raise PublishError(reason.message, reason.remedy) from error
            raise reason from error
        connection.execute(
            f"attach {_text(str(temporary))} as published "
            f"(storage_version {_text(storage_version)})"
        )
        relations = connection.execute(
            """
            select schema_name, table_name, comment from duckdb_tables()
            where database_name = 'work' and not temporary
            union all
            select schema_name, view_name, comment from duckdb_views()
            where database_name = 'work' and not internal and not temporary
            order by 1, 2
            """
        ).fetchall()
        wanted = [relation for relation in relations if is_wanted(relation[1])]
        if not wanted:
            raise PublishError(
                f"The work file {work_path} holds no table to publish.", "Build first."
            )
        tables = []
        for schema, name, comment in wanted:
            _copy_relation(connection, schema, name, comment, without_text_columns)
            target = f"published.{_name(schema)}.{_name(name)}"
            count = connection.execute(f"select count(*) from {target}").fetchall()[0][0]
            tables.append(PublishedTable(schema, name, int(count)))
        connection.execute("checkpoint published")
        connection.execute("detach published")
    return tables


def _copy_relation(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    name: str,
    comment: str | None,
    without_text_columns: Collection[str],
) -> None:
    columns = connection.execute(
        "select column_name, data_type, comment from duckdb_columns() "
        "where database_name = 'work' and schema_name = ? and table_name = ? "
        "order by column_index",
        [schema, name],
    ).fetchall()
    selected = ", ".join(
        f"cast(null as {data_type}) as {_name(column)}"
        if column in without_text_columns
        else _name(column)
        for column, data_type, _ in columns
    )
    source = f"work.{_name(schema)}.{_name(name)}"
    target = f"published.{_name(schema)}.{_name(name)}"
    connection.execute(f"create schema if not exists published.{_name(schema)}")
    # A view is read with the work file as the current one, because its text names tables there.
    connection.execute(f"use work.{_name(schema)}")
    connection.execute(f"create table {target} as select {selected} from {source}")
    connection.execute("use memory")
    if comment is not None:
        connection.execute(f"comment on table {target} is {_text(comment)}")
    for column, _, text in columns:
        if text is not None:
            connection.execute(f"comment on column {target}.{_name(column)} is {_text(text)}")


def _explain_itself(
    path: Path,
    tables: Iterable[PublishedTable],
    descriptions: Mapping[str, TableDescription],
    macros: Sequence[Macro],
) -> None:
    """Write comments, macros and the view `start_here` into the copy, as the file that readers
    will open: what a macro names is looked for there."""
    with contextlib.closing(duckdb.connect(str(path))) as connection:
        # One transaction: hundreds of them would each wait for the disk.
        connection.execute("begin")
        for table in tables:
            if (description := descriptions.get(table.name)) is not None:
                _describe(connection, table, description)
        for macro in macros:
            kind, form = ("macro", "({})") if macro.is_scalar else ("macro table", "table {}")
            name = f"main.{_name(macro.name)}"
            parameters = ", ".join(_name(parameter) for parameter in macro.parameters)
            # The line break ends a comment that the query may end in.
            query = form.format(f"{macro.query}\n")
            connection.execute(f"create macro {name}({parameters}) as {query}")
            connection.execute(f"comment on {kind} {name} is {_text(macro.comment)}")
        told = connection.execute(
            "select schema_name, table_name, coalesce(comment, '') from duckdb_tables()"
        ).fetchall()
        rows = start_rows(
            [(table.schema, table.name, table.row_count) for table in tables],
            {(schema, name): comment for schema, name, comment in told},
            [(macro.name, macro.parameters, macro.comment) for macro in macros],
        )
        for statement in start_statements(rows):
            connection.execute(statement)
        connection.execute("commit")
        connection.execute("checkpoint")


def _describe(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, description: TableDescription
) -> None:
    target = f"{_name(table.schema)}.{_name(table.name)}"
    if description.comment:
        connection.execute(f"comment on table {target} is {_text(description.comment)}")
    columns = connection.execute(
        "select column_name from duckdb_columns() where schema_name = ? and table_name = ?",
        [table.schema, table.name],
    ).fetchall()
    for (column,) in columns:
        if text := description.columns.get(column):
            connection.execute(f"comment on column {target}.{_name(column)} is {_text(text)}")


def _verify(path: Path, tables: list[PublishedTable]) -> None:
    """Open the finished copy once as a reader would."""
    with contextlib.closing(duckdb.connect(str(path), read_only=True)) as connection:
        for table in tables:
            counted = connection.execute(
                f"select count(*) from {_name(table.schema)}.{_name(table.name)}"
            ).fetchall()[0][0]
            if counted != table.row_count:
                raise PublishError(
                    f"The copy of {table.name} has {counted} rows instead of {table.row_count}; "
                    "the published file is as it was.",
                    "Check the disk and publish again.",
                )


def _remove_leftovers(published_path: Path) -> None:
    """Delete what a killed publish left half-written."""
    for path in published_path.parent.glob(f".{published_path.name}.*{TEMPORARY_SUFFIX}*"):
        path.unlink(missing_ok=True)


def _explain(error: duckdb.Error, published_path: Path) -> PublishError | LockedError:
    first = str(error).splitlines()[0]
    if "No space left" in str(error) or "could not write" in str(error).lower():
        return PublishError(
            f"The disk is full while publishing ({first}). The published file is as it was.",
            "Free some space and publish again.",
        )
    return PublishError(
        f"Publishing {published_path} failed: {first}. The published file is as it was.",
        "Build again and publish again.",
    )


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
