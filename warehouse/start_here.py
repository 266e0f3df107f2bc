"""The view in which a published file says where to begin: what it holds, what matters first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

START_HERE = "start_here"
_KINDS = {
    "mart_": "result",
    "fct_": "fact",
    "dim_": "dimension",
    "bridge_": "dimension",
    "ops_": "operation",
}
_FIRST = "mart_insights"
"""The table that puts all others into words."""
_COMMENT = (
    "Where to begin: one row per table and macro of this file, what matters most first. After "
    "set search_path = 'marts,main' neither tables nor macros need a prefix."
)
_COLUMNS = {
    "position": "Order in which to read.",
    "kind": "result, fact, dimension, operation (of the pipeline) or macro.",
    "name": "Name with its schema; of a macro the name with its parameters.",
    "row_count": "Rows when the file was published; null for a macro.",
    "holds": "What it holds or gives.",
}

Row = tuple[int, str, str, int | None, str]


def start_rows(
    tables: Iterable[tuple[str, str, int]],
    comments: Mapping[tuple[str, str], str],
    macros: Iterable[tuple[str, Sequence[str], str]],
) -> list[Row]:
    """Rows of the view.

    Args:
        tables: schema, name and number of rows.
        comments: by schema and name of a table.
        macros: name, parameters and comment.
    """
    kinds = [*dict.fromkeys(_KINDS.values()), "table"]
    ranked = sorted(
        (kinds.index(_kind(name)), name != _FIRST, name, schema, count)
        for schema, name, count in tables
    )
    entries: list[tuple[str, str, int | None, str]] = [
        (kinds[kind], f"{schema}.{name}", count, comments.get((schema, name), ""))
        for kind, _, name, schema, count in ranked
    ]
    for name, parameters, comment in macros:
        call = f"{name}({', '.join(parameters)})"
        entries.append(("macro", call, None, comment.removeprefix(f"{call}: ")))
    return [(position, *entry) for position, entry in enumerate(entries, start=1)]


def start_statements(rows: Iterable[Row]) -> list[str]:
    """SQL that makes the view and describes it.

    The rows stand in the view itself: asked of the catalogue of an attached file, it would answer
    with that of the current one. And it is no table, so that whoever lists tables finds results.
    """
    values = ",\n".join(
        f"({position}, {_text(kind)}, {_text(name)}, "
        f"{'null' if count is None else count}, {_text(holds)})"
        for position, kind, name, count, holds in rows
    )
    columns = ", ".join(
        f"cast({name} as {kind}) as {name}"
        for name, kind in zip(
            _COLUMNS, ("integer", "varchar", "varchar", "bigint", "varchar"), strict=True
        )
    )
    view = f"main.{START_HERE}"
    listed = f"(values\n{values}\n) as listed ({', '.join(_COLUMNS)})"
    return [
        f"create view {view} as select {columns} from {listed} order by position",
        f"comment on view {view} is {_text(_COMMENT)}",
        *(
            f"comment on column {view}.{name} is {_text(comment)}"
            for name, comment in _COLUMNS.items()
        ),
    ]


def _kind(name: str) -> str:
    return next((kind for prefix, kind in _KINDS.items() if name.startswith(prefix)), "table")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
