"""The mapping file: what a data set is and which of its columns become which fields.

A mapping renames and types; it cleans nothing. It is a short YAML file, checked whole before the
first row is read: an unknown key names the nearest known one.
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from extract.base import ExtractError
from extract.datasets.dates import DateReader, check_formats, offset_of, zone_named
from extract.datasets.kinds import KINDS, Kind

Scalar: TypeAlias = bool | int | float | str
FileFormat: TypeAlias = Literal["csv", "tsv", "jsonl", "json", "parquet"]
Decoding: TypeAlias = Literal["python_bytes_repr", "utf8_read_as_cp1252"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class MappingError(ExtractError):
    """A mapping file cannot be used, or does not fit the files it is for."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def _listed(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return [value] if isinstance(value, str) else value


def _as_text(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    """YAML reads `2024-01-01` as a date and `0` as a number, where the file has only text."""
    if isinstance(value, list | tuple):
        return [_as_text(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _not_a_date(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return value.isoformat() if isinstance(value, date) else value


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_text)]
OneOrMore: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class FieldSpec(_Strict):
    """Where the values of one field come from and how they are read.

    Exactly one of `column` (a column, or a path into a JSON record; of several the first that has a
    value), `expression` (DuckDB SQL over the row), `constant` and `from_path` (a pattern over the
    file's path, whose first group or group `value` is meant).
    """

    column: OneOrMore | None = Field(default=None, min_length=1)
    expression: str | None = None
    constant: Annotated[Scalar | None, BeforeValidator(_not_a_date)] = None
    from_path: str | None = None
    optional: bool = False
    null_values: Texts | None = None
    map: dict[Scalar, Scalar | None] | None = None
    otherwise: Literal["reject", "keep", "null"] = "reject"
    decode: Annotated[tuple[Decoding, ...], BeforeValidator(_listed)] = ()
    date_formats: OneOrMore | None = None
    timezone: str | None = None
    month_is_zero_based: bool | None = None
    decimal: str | None = None
    thousands: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> FieldSpec:
        origins = [self.column, self.expression, self.constant, self.from_path]
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("give exactly one of column, expression, constant and from_path")
        return self

    @field_validator("from_path")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        return _checked_pattern(value)

    @field_validator("date_formats")
    @classmethod
    def _formats(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        check_formats(value or ())
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone_named(value)
        return value


def _short_spec(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return {"column": value} if isinstance(value, str) else value


Spec: TypeAlias = Annotated[FieldSpec, BeforeValidator(_short_spec)]


class CarryDown(_Strict):
    """Columns whose values stand only on the first of the rows that belong together.

    Rows belong together while `within` says the same, or nothing.
    """

    within: str = Field(min_length=1)
    columns: OneOrMore = Field(min_length=1)


class MetricSpec(FieldSpec):
    """One metric of a wide table: a name, a unit and where its values come from.

    `product` is its product key where the table has a column for each product.
    """

    name: str = Field(min_length=1)
    unit: str | None = None
    product: str | None = Field(default=None, min_length=1)

    @property
    def label(self) -> str:
        """What tells the metric from the others of its table."""
        return self.name if self.product is None else f"{self.name} of {self.product}"


class DatasetMapping(_Strict):
    """One data set's mapping; `docs/datasets.md` describes each key."""

    dataset: str
    kind: Literal["posts", "sales", "reviews", "metrics"]
    source: str = Field(min_length=1)
    licence: str = Field(min_length=1)
    description: str = ""

    files: OneOrMore = Field(min_length=1)
    exclude: OneOrMore = ()
    format: FileFormat | None = None
    records: str | None = None

    encoding: str = "utf-8"
    undecodable: Literal["auto", "reject"] = "auto"
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str = Field(default='"', max_length=1)
    escape: str | None = Field(default=None, min_length=1, max_length=1)
    header: bool = True
    header_starts_with: str | None = Field(default=None, min_length=1)
    skip_rows: int = Field(default=0, ge=0)
    column_names: Texts = ()
    carry_down: CarryDown | None = None
    id_from: OneOrMore = ()

    null_values: Texts = ("",)
    decimal: str = Field(default=".", min_length=1, max_length=1)
    thousands: str = Field(default="", max_length=1)
    date_formats: OneOrMore = ("iso",)
    timezone: str = "UTC"
    month_is_zero_based: bool = False
    time_zone_abbreviations: dict[str, str | float] = Field(default_factory=dict)

    where: str | None = None
    product: Literal["catalogue"] | Spec = "catalogue"
    columns: dict[str, Spec] = Field(default_factory=dict)
    metrics: tuple[MetricSpec, ...] = ()

    @property
    def shape(self) -> Kind:
        """The kind of record that the rows become."""
        return KINDS[self.kind]

    @property
    def digest(self) -> str:
        """Changes when rows would become something else, not with a comment or the licence."""
        notes = {"source", "licence", "description"}
        said = self.model_dump(mode="json", exclude=notes, exclude_defaults=True)
        content = json.dumps(said, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def date_reader(self, spec: FieldSpec) -> DateReader:
        """How the dates of a field are read, its own settings before the mapping's."""
        zero_based = spec.month_is_zero_based
        return DateReader(
            formats=spec.date_formats or self.date_formats,
            zone=zone_named(spec.timezone or self.timezone),
            month_is_zero_based=self.month_is_zero_based if zero_based is None else zero_based,
            abbreviations=self._abbreviations(),
        )

    def _abbreviations(self) -> Mapping[str, timedelta]:
        return {
            name.upper(): offset_of(value) for name, value in self.time_zone_abbreviations.items()
        }

    @field_validator("dataset")
    @classmethod
    def _dataset(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("use letters, digits, '.', '_' and '-' only: it is part of every id")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, value: str) -> str:
        try:
            # Python also knows encodings from bytes to bytes, which are none of a text.
            "".encode(value)
            return codecs.lookup(value).name
        except (LookupError, UnicodeError):
            raise ValueError(f"{value!r} is no encoding known here, such as cp1252") from None

    @field_validator("date_formats")
    @classmethod
    def _formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_formats(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        zone_named(value)
        return value

    @field_validator("time_zone_abbreviations")
    @classmethod
    def _offsets(cls, value: dict[str, str | float]) -> dict[str, str | float]:
        for offset in value.values():
            offset_of(offset)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> DatasetMapping:
        shape = self.shape
        for name in self.columns:
            if name == "product_key":
                raise ValueError("the product is given by the key `product`, not under `columns`")
            if name not in shape.fields:
                raise ValueError(
                    f"columns.{name}: {self.kind} have no such field{nearest(name, shape.fields)}; "
                    f"known are {', '.join(shape.fields)}"
                )
        missing = [name for name in shape.required if name not in self.columns]
        if missing:
            raise ValueError(f"columns: {self.kind} need {' and '.join(missing)}")
        given = [name for name in shape.one_of if name in self.columns]
        if shape.one_of and len(given) != 1:
            raise ValueError(
                f"columns: {self.kind} need either {' or '.join(shape.one_of)}"
                f"{', not both' if given else ''}"
            )
        if "rating" in self.columns and "rating_scale" not in self.columns:
            raise ValueError("columns: a rating needs rating_scale, its best value, such as 5")
        self._check_metrics()
        self._check_header()
        self._check_rows()
        return self

    def _check_metrics(self) -> None:
        if self.kind != "metrics":
            if self.metrics:
                raise ValueError("metrics: only for a mapping of kind metrics")
            return
        is_long = {"metric", "value"} <= set(self.columns)
        if bool(self.metrics) == is_long:
            raise ValueError(
                "give either `metrics`, a list of name and column, or the columns metric and value"
            )
        if self.metrics and {"metric", "value", "unit"} & set(self.columns):
            raise ValueError("columns: metric, value and unit do not go with a list of `metrics`")
        labels = [metric.label for metric in self.metrics]
        if len(set(labels)) < len(labels):
            raise ValueError("metrics: each name may occur once for a product")
        has_products = bool(self.metrics) and all(metric.product for metric in self.metrics)
        if self.product == "catalogue" and not has_products:
            raise ValueError(
                "product: a metric has no text to match: give constant, column or from_path, or "
                "a product for each of the metrics"
            )

    def _check_header(self) -> None:
        if not self.header and not self.column_names:
            raise ValueError("column_names: needed because `header` is false")
        if self.header and self.column_names:
            raise ValueError("column_names: only with `header: false`")
        if self.header_starts_with and (self.skip_rows or not self.header):
            raise ValueError("header_starts_with: goes without skip_rows and with a header")
        if len(set(self.column_names)) < len(self.column_names):
            raise ValueError("column_names: each name may occur once")

    def _check_rows(self) -> None:
        if self.carry_down and self.format not in {None, "csv", "tsv"}:
            raise ValueError(f"carry_down: a {self.format} file has no rows to carry down")
        if not self.id_from:
            return
        if self.kind == "metrics":
            raise ValueError("id_from: a metric is known by product, name and date")
        if self.format in {"json", "jsonl"}:
            raise ValueError(
                f"id_from: only for tables; of {self.format} map {self.shape.id_field}, for "
                "example to an expression over the record"
            )
        if self.shape.id_field in self.columns:
            raise ValueError(f"id_from: goes without columns.{self.shape.id_field}")


def load_mapping(path: Path) -> DatasetMapping:
    """Read and check a mapping file; raises `MappingError` naming file, key and remedy."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise MappingError(
            f"The mapping {path} does not exist.",
            f"Give the path of a YAML file{_neighbours(path)}.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise MappingError(
            f"The mapping {path} cannot be read: {error}.", "Save it as UTF-8 text."
        ) from error
    try:
        content = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - derives from SafeLoader
    except yaml.YAMLError as error:
        raise MappingError(
            f"The mapping {path} is not YAML: {_one_line(str(error))}.",
            "Correct that line; quote values that hold ':' or '#'.",
        ) from error
    if not isinstance(content, dict):
        raise MappingError(
            f"The mapping {path} holds no keys.", "Start from one under examples/worked/."
        )
    try:
        return DatasetMapping.model_validate(content)
    except ValidationError as error:
        raise MappingError(_explain(path, error), "Correct the keys named.") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` or nothing, for the known name that is most like a name."""
    names = list(known)
    lowered = {item.lower(): item for item in reversed(names)}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.5)
    return f", did you mean {lowered[close[0]]!r}?" if close else ""


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return ""
    names = sorted(item.name for item in path.parent.glob("*.yml"))
    return f"; in that folder are {', '.join(names[:8])}" if names else ""


def _checked_pattern(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from None
    if not pattern.groups:
        raise ValueError(f"{value!r} needs a group in parentheses around the part that is meant")
    return value


def _explain(path: Path, error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        # Pydantic adds the branch of a union to the place; the reader knows only keys.
        where = ".".join(
            str(part)
            for part in problem["loc"]
            if not re.match(r"(function-|literal\[|FieldSpec$)", str(part))
        )
        message = str(problem["msg"]).removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            name = str(problem["loc"][-1])
            message = f"unknown key{nearest(name, _known_keys(problem['loc']))}"
        elif problem["type"] == "missing":
            message = "is missing"
        lines.append(f"{where}: {message}" if where else message)
    # A product that is neither the word nor a specification fails both branches of the union.
    wanted = [line for line in lines if not line.startswith("product: Input should be 'catalogue'")]
    return f"The mapping {path} cannot be used: {'; '.join(wanted or lines)}."


def _known_keys(place: tuple[int | str, ...]) -> Iterable[str]:
    if len(place) == 1:
        return DatasetMapping.model_fields
    if place[0] == "carry_down":
        return CarryDown.model_fields
    return MetricSpec.model_fields if place[0] == "metrics" else FieldSpec.model_fields


def _one_line(text: str) -> str:
    return " ".join(text.split())


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a key given twice, of which YAML would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            try:
                is_repeated = key in seen
            except TypeError:
                continue
            if is_repeated:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} occurs twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)
