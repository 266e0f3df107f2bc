"""From rows of source columns to payloads: DuckDB evaluates, converters type, ids are given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from extract.base import Json
from extract.datasets.convert import BadValue, Converter, converter
from extract.datasets.files import SourceFile
from extract.datasets.kinds import FETCHED_AT
from extract.datasets.mapping import DatasetMapping, FieldSpec, MappingError, nearest
from extract.datasets.readers import JSON_COLUMN

_ROW = "__row"
_KEEP = "__keep"
_PATHS = "__paths"
_FILE_COLUMNS = ("file_path", "file_name")
_MAX_ROW_FAULTS = 100


@dataclass(slots=True)
class Outcome:
    """What became of a batch's rows: payloads by row, reasons of the rejected, rows filtered out.

    `payloads` holds (row, record_id, payload) in row order; a row of a wide table gives several.
    """

    payloads: list[tuple[int, str, Json]] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)
    filtered: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Target:
    """One field of one output record of a row."""

    name: str
    spec: FieldSpec
    convert: Converter
    is_needed: bool = False


class Evaluator:
    """Evaluates one mapping over tables of source columns.

    Expressions see the row's columns, `file_path` and `file_name`, and of JSON the whole `record`;
    they see no files and no network.
    """

    def __init__(self, mapping: DatasetMapping, *, origin: str) -> None:
        self._mapping = mapping
        self._origin = origin
        self._connection = duckdb.connect(
            config={"threads": 2, "autoinstall_known_extensions": False, "memory_limit": "1GB"}
        )
        self._connection.execute("set enable_external_access = false")
        self._connection.execute("set TimeZone = 'UTC'")
        self._targets = list(_targets(mapping))
        self._plans: dict[tuple[Any, ...], _Plan] = {}

    def close(self) -> None:
        """Free the in-memory database."""
        self._connection.close()

    def evaluate(self, table: pa.Table, file_of_row: Sequence[SourceFile]) -> Outcome:
        """Evaluate the mapping over a table, whose rows come from the files given."""
        outcome = Outcome()
        if not table.num_rows:
            return outcome
        first = file_of_row[0]
        is_json = first.format in {"json", "jsonl"}
        table = _with_file_columns(table, file_of_row)
        if is_json:
            table = self._json_only(table, outcome)
            if not table.num_rows:
                return outcome
        plan = self._plan(table, first, is_json=is_json)
        for part in self._run(plan, table, outcome, first):
            self._convert(plan, part, file_of_row, outcome)
        return outcome

    def check_columns(self, table: pa.Table, file: SourceFile) -> None:
        """Raise `MappingError` if the mapping does not fit the columns of a file."""
        is_json = file.format in {"json", "jsonl"}
        self._plan(_with_file_columns(table, [file] * table.num_rows), file, is_json=is_json)

    def unseen_fields(
        self, texts: Sequence[str], wanted: Mapping[str, Sequence[str]]
    ) -> dict[str, str]:
        """The fields none of whose JSON paths any record has, not even as null."""
        owners = [name for name, paths in wanted.items() for _ in paths]
        paths = [path for several in wanted.values() for path in several]
        listed = ", ".join(_quoted_text(json_path(path)) for path in paths)
        found = self._records(texts, f"json_exists({JSON_COLUMN}, [{listed}]) as found")
        if not found.num_rows:
            return {}
        columns = zip(*found.column("found").to_pylist(), strict=True)
        seen = {name for name, flags in zip(owners, columns, strict=True) if any(flags)}
        return {name: several[0] for name, several in wanted.items() if name not in seen}

    @staticmethod
    def known_keys(texts: Sequence[str]) -> list[str]:
        """The keys of the records, then those inside objects as `outer.inner`."""
        outer: dict[str, None] = {}
        inner: dict[str, None] = {}
        for text in texts[:100]:
            try:
                record = json.loads(text)
            except json.JSONDecodeError:
                continue
            if not isinstance(record, dict):
                continue
            for name, value in record.items():
                outer[name] = None
                if isinstance(value, dict):
                    inner.update(dict.fromkeys(f"{name}.{key}" for key in value))
        return [*outer, *inner]

    def _records(self, texts: Sequence[str], columns: str) -> pa.Table:
        table = pa.table({JSON_COLUMN: pa.array(texts, pa.string())})
        self._connection.register("source_rows", table)
        try:
            return self._connection.execute(
                f"select {columns} from source_rows where try(json_type({JSON_COLUMN})) = 'OBJECT'"
            ).to_arrow_table()
        finally:
            self._connection.unregister("source_rows")

    def _plan(self, table: pa.Table, file: SourceFile, *, is_json: bool) -> _Plan:
        key = (is_json, tuple(table.schema.names), tuple(str(kind) for kind in table.schema.types))
        plan = self._plans.get(key)
        if plan is None:
            plan = _Plan(self._mapping, self._targets, table.schema.names, file, is_json=is_json)
            self._check(plan, table, file)
            self._plans[key] = plan
        return plan

    def _check(self, plan: _Plan, table: pa.Table, file: SourceFile) -> None:
        """Bind every expression by itself, so that an error names its key."""
        empty = table.schema.empty_table()
        for key, sql in plan.expressions.items():
            if re.search(r"\bover\s*\(", sql, re.IGNORECASE):
                reason = "a window function would see only the rows that are read together"
                raise self._wrong_expression(key, sql, file, reason)
            if not self._is_one_statement(f"select ({sql})"):
                raise self._wrong_expression(key, sql, file, "it is not one expression")
            try:
                self._select(f"({sql}) as value, {_ROW}", empty, plan)
            except duckdb.Error as error:
                raise self._wrong_expression(key, sql, file, _duckdb_reason(error)) from error

    def _is_one_statement(self, sql: str) -> bool:
        """Whether SQL is one statement; what cannot be parsed is left to the binder to explain."""
        try:
            return len(self._connection.extract_statements(sql)) == 1
        except duckdb.Error:
            return ";" not in sql

    def _wrong_expression(self, key: str, sql: str, file: SourceFile, reason: str) -> MappingError:
        found = re.search(r'Referenced column "([^"]+)" not found', reason)
        hint = ""
        if found:
            near = re.search(r"Candidate bindings: (.+)", reason)
            hint = f" The columns most like it: {near.group(1)}." if near else ""
            reason = f"column {found.group(1)!r} is not in {file.name}"
        return MappingError(
            f"{self._origin}: {key}: {sql!r} cannot be evaluated over {file.name}: {reason}.",
            f"Correct the expression; it is DuckDB SQL over one row.{hint}",
        )

    def _select(self, columns: str, table: pa.Table, plan: _Plan) -> pa.Table:
        self._connection.register("source_rows", table)
        try:
            result = self._connection.execute(f"select {columns} from {plan.source}")
            return _without_nanoseconds(result.to_arrow_table())
        finally:
            self._connection.unregister("source_rows")

    def _run(
        self, plan: _Plan, table: pa.Table, outcome: Outcome, file: SourceFile
    ) -> Iterable[pa.Table]:
        """The query's result; rows over which an expression fails are found by halving."""
        pending = [table]
        faults = 0
        while pending:
            part = pending.pop()
            try:
                yield self._select(plan.columns, part, plan)
            except (
                duckdb.ConversionException,
                duckdb.InvalidInputException,
                duckdb.OutOfRangeException,
            ) as error:
                if part.num_rows > 1:
                    half = part.num_rows // 2
                    pending += [part.slice(half), part.slice(0, half)]
                    continue
                faults += 1
                if faults > _MAX_ROW_FAULTS:
                    raise MappingError(
                        f"{self._origin}: an expression fails over more than {_MAX_ROW_FAULTS} "
                        f"rows of {file.name}: {_duckdb_reason(error)}.",
                        "Use try_cast, which gives null where a value does not fit.",
                    ) from error
                row = part.column(_ROW)[0].as_py()
                outcome.rejected[row] = f"an expression fails: {_kind_of_error(error)}"
            except duckdb.Error as error:
                raise MappingError(
                    f"{self._origin}: an expression fails over {file.name}: "
                    f"{_duckdb_reason(error)}.",
                    "Correct the expressions and `where`.",
                ) from error

    def _json_only(self, table: pa.Table, outcome: Outcome) -> pa.Table:
        self._connection.register("source_rows", table)
        try:
            found = self._connection.execute(
                f"select {_ROW}, kind is not null from (select {_ROW}, "
                f"try(json_type({JSON_COLUMN})) as kind from source_rows) "
                "where kind is distinct from 'OBJECT'"
            ).fetchall()
        finally:
            self._connection.unregister("source_rows")
        if not found:
            return table
        for row, is_valid in found:
            outcome.rejected[row] = "not a JSON object" if is_valid else "not valid JSON"
        keep = np.isin(table.column(_ROW).to_numpy(), [row for row, _ in found], invert=True)
        return table.filter(pa.array(keep))

    def _convert(
        self,
        plan: _Plan,
        result: pa.Table,
        file_of_row: Sequence[SourceFile],
        outcome: Outcome,
    ) -> None:
        rows: list[int] = result.column(_ROW).to_pylist()
        if plan.has_filter:
            kept = result.column(_KEEP).to_pylist()
            outcome.filtered.update(row for row, keep in zip(rows, kept, strict=True) if not keep)
        columns: list[list[Any]] = []
        for target, name in zip(self._targets, plan.outputs, strict=True):
            if name is not None:
                known, indices = _distinct(result.column(name))
            elif target.spec.from_path is not None:
                known, indices = _from_paths(target, rows, file_of_row)
            else:
                known, indices = [target.spec.constant], [0] * len(rows)
            columns.append(_converted(target, known, indices, rows, outcome))
        shaper = _shaper(self._mapping, [target.name for target in self._targets])
        left_out = outcome.rejected.keys() | outcome.filtered
        for row, values in zip(rows, zip(*columns, strict=True), strict=True):
            if row in left_out:
                continue
            try:
                for record_id, payload in shaper(values):
                    outcome.payloads.append((row, record_id, payload))
            except BadValue as error:
                outcome.rejected[row] = str(error)


class _Plan:
    """The query for one set of source columns."""

    def __init__(
        self,
        mapping: DatasetMapping,
        targets: Sequence[Target],
        columns: Sequence[str],
        file: SourceFile,
        *,
        is_json: bool,
    ) -> None:
        self.expressions: dict[str, str] = {}
        self.outputs: list[str | None] = []
        self.has_filter = mapping.where is not None
        paths: list[str] = []
        selected = [_ROW]
        usable = [name for name in columns if name not in (_ROW, *_FILE_COLUMNS)]
        for number, target in enumerate(targets):
            spec = target.spec
            if spec.expression is not None:
                self.expressions[f"{target.name}.expression"] = spec.expression
                sql: str | None = f"({spec.expression})"
            elif spec.column is None:
                sql = None
            elif is_json:
                start = len(paths) + 1
                paths += [json_path(path) for path in spec.column]
                sql = _first_of([f"{_PATHS}[{n}]" for n in range(start, len(paths) + 1)])
            else:
                sql = _column_sql(spec, target.name, usable, file)
            self.outputs.append(None if sql is None else f"f{number}")
            if sql is not None:
                selected.append(f"{sql} as f{number}")
        if mapping.where is not None:
            self.expressions["where"] = mapping.where
            selected.append(f"coalesce(try_cast(({mapping.where}) as boolean), false) as {_KEEP}")
        self.columns = ", ".join(selected)
        self.source = "source_rows"
        if paths:
            listed = ", ".join(_quoted_text(path) for path in paths)
            self.source = (
                f"(select *, json_extract_string({JSON_COLUMN}, [{listed}]) as {_PATHS} "
                "from source_rows)"
            )


def _targets(mapping: DatasetMapping) -> Iterable[Target]:
    shape = mapping.shape
    for name, spec in mapping.columns.items():
        kind = shape.fields[name]
        is_needed = name in shape.needed or name == shape.id_field
        yield Target(
            name, spec, converter(mapping, spec, kind, shape.choices.get(name, ())), is_needed
        )
    if isinstance(mapping.product, FieldSpec):
        yield Target(
            "product_key",
            mapping.product,
            converter(mapping, mapping.product, "id"),
            is_needed=_needs_product(mapping),
        )
    for metric in mapping.metrics:
        yield Target(metric.label, metric, converter(mapping, metric, "number"))


def _needs_product(mapping: DatasetMapping) -> bool:
    """A metric without a product is about nothing; a post's product is found in its text."""
    if mapping.kind != "metrics":
        return False
    return not mapping.metrics or any(metric.product is None for metric in mapping.metrics)


def _distinct(column: pa.ChunkedArray) -> tuple[list[Any], list[int]]:
    """A column's distinct values and, for each row, which of them it has: each is typed once."""
    if pa.types.is_nested(column.type):
        values: list[Any] = column.to_pylist()
        return values, list(range(len(values)))
    encoded = column.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    return encoded.dictionary.to_pylist(), encoded.indices.to_pylist()


def _from_paths(
    target: Target, rows: Sequence[int], file_of_row: Sequence[SourceFile]
) -> tuple[list[Any], list[int]]:
    pattern = target.spec.from_path or ""
    numbers: dict[str, int] = {}
    indices = [numbers.setdefault(file_of_row[row].name, len(numbers)) for row in rows]
    return [value_from_path(pattern, path, target.name) for path in numbers], indices


def _converted(
    target: Target,
    known: Sequence[Any],
    indices: Sequence[int],
    rows: Sequence[int],
    outcome: Outcome,
) -> list[Any]:
    typed: list[Any] = []
    faults: dict[int, str] = {}
    for index, value in enumerate(known):
        landed = None
        try:
            landed = target.convert(value)
        except BadValue as error:
            faults[index] = f"{target.name} {error}"
        if landed is None and target.is_needed:
            faults.setdefault(index, f"{target.name} is missing")
        typed.append(landed)
    if faults:
        for row, index in zip(rows, indices, strict=True):
            if index in faults and row not in outcome.filtered:
                outcome.rejected.setdefault(row, faults[index])
    return [typed[index] for index in indices]


Shaper = Callable[[Sequence[Any]], Iterable[tuple[str, Json]]]


def _shaper(mapping: DatasetMapping, names: Sequence[str]) -> Shaper:
    if mapping.kind == "metrics":
        return _metrics_shaper(mapping, names)
    dataset = mapping.dataset
    id_field = mapping.shape.id_field
    has_rating = "rating" in names

    def shape(values: Sequence[Any]) -> Iterable[tuple[str, Json]]:
        payload: Json = {"dataset": dataset, id_field: None}
        payload.update(zip(names, values, strict=True))
        if has_rating and payload["rating"] is not None:
            scale = payload["rating_scale"]
            if scale is None or not 0 <= payload["rating"] <= scale:
                raise BadValue("rating is not between 0 and rating_scale")
        record_id = payload[id_field]
        yield ("" if record_id is None else f"{dataset}|{record_id}", payload)

    return shape


def _metrics_shaper(mapping: DatasetMapping, names: Sequence[str]) -> Shaper:
    dataset = mapping.dataset
    metrics = mapping.metrics

    def shape(values: Sequence[Any]) -> Iterable[tuple[str, Json]]:
        row = dict(zip(names, values, strict=True))
        key = row.get("product_key")
        if metrics:
            found = [
                (each.product or key, each.name, row[each.label], each.unit) for each in metrics
            ]
        else:
            found = [(key, row["metric"], row["value"], row.get("unit"))]
        for product_key, metric, value, unit in found:
            payload = {
                "dataset": dataset,
                "product_key": product_key,
                "metric": metric,
                "date": row["date"],
                "value": value,
                "unit": unit,
            }
            if FETCHED_AT in row:
                payload[FETCHED_AT] = row[FETCHED_AT]
            yield f"{dataset}|{product_key}|{metric}|{row['date']}", payload

    return shape


def value_from_path(pattern: str, path: str, key: str) -> str:
    """The part of a file's path that a pattern means; raises `MappingError` if it has none."""
    match = re.search(pattern, path)
    if match is None:
        raise MappingError(
            f"{key}: the pattern {pattern!r} is not found in the file path {path!r}.",
            "Correct `from_path`, or leave such files out with `exclude`.",
        )
    named = match.groupdict().get("value")
    value = named if named is not None else match.group(1)
    return value or ""


def json_path(column: str) -> str:
    """`user.id_str` or `$.user.id_str` as a JSON path; digits step into a list."""
    if column.startswith("$"):
        return column
    steps = []
    for part in column.split("."):
        escaped = part.replace("\\", "\\\\").replace('"', '\\"')
        steps.append(f"[{part}]" if part.isdigit() else f'."{escaped}"')
    return "$" + "".join(steps)


def _column_sql(spec: FieldSpec, key: str, columns: Sequence[str], file: SourceFile) -> str:
    found: list[str] = []
    missing: list[str] = []
    for name in spec.column or ():
        head, _, rest = name.partition(".")
        if name in columns or name in _FILE_COLUMNS:
            found.append(_quoted_name(name))
        elif file.format == "parquet" and rest and head in columns:
            found.append(".".join(_quoted_name(part) for part in name.split(".")))
        else:
            missing.append(name)
    if missing and not spec.optional:
        raise MappingError(
            f"{key}: column {missing[0]!r} is not in {file.name}"
            f"{nearest(missing[0], columns) or '.'}",
            f"Its columns are {', '.join(columns)}. Correct the mapping, or set `optional: true`.",
        )
    return _first_of(found, is_text=file.format != "parquet") if found else "null"


def _first_of(values: Sequence[str], *, is_text: bool = True) -> str:
    """SQL of the first value that is not missing; as text, an empty one is missing too."""
    if len(values) == 1:
        return values[0]
    listed = [f"nullif({value}, '')" for value in values] if is_text else values
    return f"coalesce({', '.join(listed)})"


def _quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _quoted_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _with_file_columns(table: pa.Table, file_of_row: Sequence[SourceFile]) -> pa.Table:
    for name in (_ROW, *_FILE_COLUMNS):
        if name in table.schema.names:
            table = table.drop_columns([name])
    paths = [file.name for file in file_of_row]
    names = [path.rsplit("/", 1)[-1] for path in paths]
    return (
        table.append_column(_ROW, pa.array(range(table.num_rows), pa.int64()))
        .append_column("file_path", pa.array(paths, pa.string()))
        .append_column("file_name", pa.array(names, pa.string()))
    )


def _without_nanoseconds(table: pa.Table) -> pa.Table:
    for index, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            kind = pa.timestamp("us", column.type.tz)
            table = table.set_column(index, column.name, table.column(index).cast(kind, safe=False))
    return table


def _duckdb_reason(error: duckdb.Error) -> str:
    text = re.sub(r"\n\s*LINE \d+:.*", "", str(error), flags=re.DOTALL)
    return " ".join(text.split()).rstrip(".")


def _kind_of_error(error: duckdb.Error) -> str:
    """The error without the value in it, so that such rejects can be counted."""
    text = _duckdb_reason(error)
    return re.sub(r"(['\"]).*?\1", "…", text)[:200]
