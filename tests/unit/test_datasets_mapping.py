"""Mapping files: what is accepted, and that a mistake is named with its remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from extract.datasets import SALE_KINDS, DatasetMapping, MappingError, load_mapping
from extract.datasets.kinds import KINDS
from extract.datasets.mapping import FieldSpec, MetricSpec
from tests.dataset_files import POSTS, SALES, with_columns, write_mapping


def problem(folder: Path, content: dict[str, Any]) -> str:
    with pytest.raises(MappingError) as caught:
        load_mapping(write_mapping(folder, content))
    assert "m.yml" in caught.value.message
    assert caught.value.remedy
    return caught.value.message


def test_shorthand_and_long_form_mean_the_same(tmp_path: Path) -> None:
    short = load_mapping(write_mapping(tmp_path, POSTS))
    long = load_mapping(write_mapping(tmp_path, with_columns(POSTS, {"text": {"column": "text"}})))
    assert short.digest == long.digest


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"delimeter": ";"}, "delimeter: unknown key, did you mean 'delimiter'?"),
        ({"licence": None}, "licence"),
        ({"kind": "tweets"}, "kind"),
        ({"encoding": "utf-9"}, "utf-9"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"date_formats": "%Q"}, "%Q"),
        ({"header": False}, "column_names: needed"),
        ({"header_starts_with": "id", "skip_rows": 2}, "header_starts_with"),
        ({"dataset": "a|b"}, "part of every id"),
        ({"metrics": [{"name": "m", "column": "c"}]}, "only for a mapping of kind metrics"),
        ({"product": {"from_path": "[0-9]+"}}, "needs a group"),
        ({"product": {"from_path": "("}}, "no regular expression"),
        ({"product": {"colum": "sku"}}, "unknown key, did you mean 'column'?"),
    ],
)
def test_wrong_keys_are_named(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    assert message in problem(tmp_path, {**POSTS, **keys})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"like_cout": "likes"}, "did you mean 'like_count'?"),
        ({"product_key": "sku"}, "`product`"),
        ({"text": {"column": "a", "constant": "b"}}, "exactly one of"),
        ({"text": {"column": "a", "date_format": "%Y"}}, "did you mean 'date_formats'?"),
        ({"created_at": {"column": "d", "timezone": "X/Y"}}, "no time zone"),
    ],
)
def test_wrong_columns_are_named(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    assert message in problem(tmp_path, with_columns(POSTS, columns))


def test_fields_that_a_kind_needs(tmp_path: Path) -> None:
    assert "need quantity" in problem(tmp_path, {**SALES, "columns": {"sold_at": "day"}})
    reviews = {**POSTS, "kind": "reviews"}
    reviews["columns"] = {"platform": {"constant": "x"}, "created_at": "d", "rating": "stars"}
    assert "rating_scale" in problem(tmp_path, reviews)
    metrics = {**POSTS, "kind": "metrics", "columns": {"date": "d"}}
    assert "either `metrics`" in problem(tmp_path, metrics)
    metrics["metrics"] = [{"name": "m", "column": "c"}]
    assert "no text to match" in problem(tmp_path, metrics)


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write_mapping(tmp_path, POSTS)
    with pytest.raises(MappingError, match="does not exist") as caught:
        load_mapping(tmp_path / "n.yml")
    assert "m.yml" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dataset: a\ndataset: b\n", "'dataset' occurs twice"),
        ("dataset: [", "is not YAML"),
        ("just text", "holds no keys"),
        ("", "holds no keys"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ],
)
def test_broken_yaml(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=message):
        load_mapping(path)


def test_the_mappings_of_the_repository_are_valid(repository: Path) -> None:
    files = sorted((repository / "examples").glob("*/*.yml"))
    assert len(files) >= 10
    kinds = {load_mapping(file).kind for file in files}
    assert kinds == {"posts", "sales", "reviews", "metrics"}


def test_yaml_scalars_that_stand_for_text(tmp_path: Path) -> None:
    path = tmp_path / "m.yml"
    text = write_mapping(tmp_path, POSTS).read_text(encoding="utf-8")
    path.write_text(text + "null_values: [0, 2024-01-01, '']\n", encoding="utf-8")
    assert load_mapping(path).null_values == ("0", "2024-01-01", "")


def test_the_licence_is_no_part_of_what_rows_become(tmp_path: Path) -> None:
    first = load_mapping(write_mapping(tmp_path, POSTS))
    other = load_mapping(write_mapping(tmp_path, {**POSTS, "licence": "CC BY 4.0"}))
    third = load_mapping(write_mapping(tmp_path, {**POSTS, "timezone": "+01:00"}))
    assert first.digest == other.digest != third.digest


def test_every_key_and_field_is_documented(repository: Path) -> None:
    prose = (repository / "docs" / "datasets.md").read_text(encoding="utf-8")
    keys = {*DatasetMapping.model_fields, *FieldSpec.model_fields, *MetricSpec.model_fields}
    fields = {name for kind in KINDS.values() for name in kind.fields}
    assert {name for name in keys | fields | set(SALE_KINDS) if f"`{name}`" not in prose} == set()
