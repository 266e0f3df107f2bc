"""The dbt project keeps the rules of its structure, and each rule finds what breaks it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.dbt_files import Project, final_selects, read_project
from tests.docs.structure import RULES, Problem, judge

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"

STAGING = "select record_id, payload from {{ remembered_records('shop', 'orders') }}"
MART = """
with orders as (select * from {{ ref('int_orders__current') }}),

final as (
    select
        orders.order_id,
        coalesce(orders.product_id, 'a, b') as product_id, -- from nowhere
        orders.placed_at,
        orders.status,
    from orders
)

select * from final
"""
KEY = {"data_tests": ["unique", "not_null"]}


def column(name: str, kind: str = "varchar", **more: Any) -> dict[str, Any]:
    return {"name": name, "data_type": kind, "description": f"The {name}.", **more}


def doc(name: str, *columns: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "description": f"One row per {name}.", "columns": list(columns)}


def good() -> dict[str, Any]:
    """Path -> content of a small project that keeps every rule."""
    related = [{"relationships": {"arguments": {"to": "ref('dim_products')"}}}]
    return {
        "dbt_project.yml": {
            "name": "shop",
            "models": {"shop": {"marts": {"+contract": {"enforced": True}}}},
        },
        "macros/staging.sql": (
            "{% macro remembered_records(source_name, stream) %}"
            "select * from {{ source(source_name, stream) }}{% endmacro %}"
            "{% macro shops(stream) %}{{ ref('stg_' ~ 'shop' ~ '__' ~ stream) }}{% endmacro %}"
        ),
        "models/staging/shop/stg_shop__orders.sql": STAGING,
        "models/intermediate/int_orders__current.sql": "select * from {{ shops('orders') }}",
        "models/marts/dim_products.sql": "select product_id from {{ ref('int_orders__current') }}",
        "models/marts/fct_orders.sql": MART,
        "seeds/colours.csv": "colour,shade\nred,dark\n",
        "models/seeds/_seeds.yml": {
            "seeds": [doc("colours", column("colour", **KEY), column("shade"))]
        },
        "tests/orders/every_order_is_one_fact.sql": (
            "select 1 from {{ ref('fct_orders') }} full join {{ ref('int_orders__current') }}"
        ),
        "models/sources.yml": {
            "sources": [
                {
                    "name": "shop",
                    "description": "A shop.",
                    "loader": "extract/shop",
                    "meta": {"terms_of_use": "The shop's own."},
                    "config": {
                        "loaded_at_field": "loaded_at",
                        "freshness": {"warn_after": {"count": 1, "period": "day"}},
                    },
                    "tables": [{"name": "orders", "description": "One row per order."}],
                }
            ]
        },
        "models/staging/shop/_models.yml": {
            "models": [doc("stg_shop__orders", column("record_id", **KEY))]
        },
        "models/intermediate/_models.yml": {
            "models": [doc("int_orders__current", column("order_id", **KEY))]
        },
        "models/marts/_models.yml": {
            "models": [
                doc("dim_products", column("product_id", **KEY)),
                doc(
                    "fct_orders",
                    column("order_id", **KEY),
                    column("product_id", data_tests=related),
                    column("placed_at", "timestamp"),
                    column("status", data_tests=[{"accepted_values": {}}]),
                ),
            ]
        },
    }


def written(folder: Path, files: dict[str, Any]) -> Project:
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        file.write_text(text, encoding="utf-8")
    return read_project(folder)


def problems(project: Project) -> list[Problem]:
    return [problem for rule in RULES.values() for problem in rule(project)]


@cache
def ours() -> Project:
    return read_project(PROJECT)


@cache
def exceptions() -> dict[str, dict[str, str]]:
    text = (PROJECT / "structure_exceptions.yml").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, str]] = yaml.safe_load(text)
    return loaded


def test_the_whole_project_is_read() -> None:
    project = ours()
    assert len(project.of("staging")) > 20
    assert len(project.of("marts")) > 30
    assert set(project.models) == {
        file.stem for file in (PROJECT / "models").rglob("*") if file.suffix in {".sql", ".py"}
    }
    unread = [model.name for model in project.models.values() if not model.refs | model.sources]
    assert unread == [], "every model reads a model, a seed or a source"
    assert {model.layer for model in project.models.values()} == {
        "staging",
        "intermediate",
        "marts",
    }


@pytest.mark.parametrize("rule", RULES)
def test_the_project_keeps(rule: str) -> None:
    left, _ = judge(list(RULES[rule](ours())), exceptions())
    assert [f"{problem.subject} {problem.text}" for problem in left] == []


def test_every_exception_is_needed_and_has_its_reason() -> None:
    assert set(exceptions()) <= set(RULES)
    _, idle = judge(problems(ours()), exceptions())
    assert idle == []


def test_an_exception_without_use_or_reason_is_found() -> None:
    found = [Problem("names", "orders", ""), Problem("names", "dim_x", "")]
    allowed = {"names": {"orders": "kept for older readers", "dim_*": "because", "gone": "a b c d"}}
    left, idle = judge(found, allowed)
    assert left == []
    assert idle == ["names: dim_*", "names: gone"]
    assert judge(found, {"keyed": {"*": "of another rule altogether"}})[0] == found


def test_a_good_project_keeps_every_rule(tmp_path: Path) -> None:
    project = written(tmp_path, good())
    assert problems(project) == []
    assert project.models["int_orders__current"].refs == {"stg_shop__orders"}
    assert project.models["stg_shop__orders"].sources == {("shop", "orders")}


ORPHAN = "models/intermediate/int_orders__old.sql"
SECOND = "models/staging/shop/stg_shop__lines.sql"
FACT = "models/marts/fct_orders.sql"
STAGED = "models/staging/shop/stg_shop__orders.sql"
TESTED = "tests/orders/every_order_is_one_fact.sql"
MIDDLE = "models/intermediate/int_orders__current.sql"

# (rule, who breaks it, file, what is written there)
BAD_FILES = [
    ("names", "orders", "models/marts/orders.sql", "select 1 as one"),
    ("names", "stg_web__orders", "models/staging/shop/stg_web__orders.sql", STAGING),
    ("names", "int_orders", "models/intermediate/int_orders.sql", "select 1"),
    ("staged_once", "shop.orders", SECOND, STAGING),
    ("staged_once", "shop.orders", STAGED, "select 1 as record_id"),
    ("sources_in_staging", "fct_orders", FACT, "select * from {{ source('shop', 'orders') }}"),
    ("sources_in_staging", "int_orders__current", MIDDLE, STAGING),
    (
        "sources_in_staging",
        "peek",
        "macros/peek.sql",
        "{% macro peek() %}{{ source('shop', 'orders') }}{% endmacro %}",
    ),
    ("staging_alone", "stg_shop__orders", STAGED, STAGING + " inner join others using (a)"),
    ("staging_alone", "stg_shop__orders", STAGED, STAGING + "{{ ref('dim_products') }}"),
    ("staging_alone", "stg_shop__orders", STAGED, STAGING + "{{ source('web', 'visits') }}"),
    ("marts_above_staging", "fct_orders", FACT, "select a from {{ ref('stg_shop__orders') }}"),
    ("marts_above_staging", "fct_orders", FACT, "select a from {{ shops('orders') }}"),
    ("layers_downward", "int_orders__current", MIDDLE, "select * from {{ ref('mart_growth') }}"),
    ("no_orphans", "int_orders__old", ORPHAN, "select * from {{ ref('dim_products') }}"),
    ("no_orphans", "int_orders__old", ORPHAN, "-- {{ ref('int_orders__old') }}\nselect 1"),
    ("described", "int_orders__old", ORPHAN, "select 1"),
    ("keyed", "int_orders__old", ORPHAN, "select 1"),
    ("contracts", "mart_new", "models/marts/mart_new.sql", "select 1 as one"),
    ("contracts", "fct_orders", FACT, "{{ config(contract={'enforced': false}) }}" + MART),
    ("stars", "fct_orders", FACT, "select * from {{ ref('dim_products') }}"),
    ("stars", "fct_orders", FACT, MART.replace("orders.order_id,", "orders.*,")),
    ("stars", "fct_orders", FACT, MART.replace("orders.placed_at,", "* exclude (a),")),
    ("stars", "fct_orders", FACT, MART.replace("from final", "from final union all select *")),
    ("columns_as_documented", "fct_orders", FACT, MART.replace("orders.placed_at,", "")),
    ("columns_as_documented", "fct_orders", FACT, MART.replace("placed_at", "created_at")),
    ("repeatable", "fct_orders", FACT, MART.replace("orders.placed_at", "NOW() as placed_at")),
    ("repeatable", "fct_orders", FACT, MART.replace("orders.placed_at", "current_date as x")),
    ("repeatable", "int_orders__old", ORPHAN, "select random() as chance"),
    ("conserved", "fct_orders", TESTED, "select 1 from {{ ref('fct_orders') }}"),
    ("conserved", "fct_orders", TESTED, "select 1 from {{ ref('dim_products') }}"),
    ("seeds_told", "colours", "seeds/colours.csv", "colour\nred\n"),
    ("seeds_told", "shapes", "seeds/shapes.csv", "shape\nround\n"),
    ("beside", "orders", "models/marts/old/orders.sql", "select 1 as one"),
    ("repeatable", "tick", "macros/t.sql", "{% macro tick() %}current_timestamp{% endmacro %}"),
]


@pytest.mark.parametrize(("rule", "subject", "path", "text"), BAD_FILES)
def test_a_rule_finds_the_file_that_breaks_it(
    tmp_path: Path, rule: str, subject: str, path: str, text: str
) -> None:
    files = good()
    files["models/marts/_models.yml"]["models"] += [doc("orders")] if rule == "beside" else []
    if "mart_growth" in text:
        files["models/marts/mart_growth.sql"] = "select 1 as one"
    project = written(tmp_path, {**files, path: text})
    assert subject in [problem.subject for problem in RULES[rule](project)]


def change(files: dict[str, Any], model: str, place: int | None, **fields: Any) -> None:
    """Set fields of a model's documentation, or of its column at `place`; None removes."""
    (found,) = [
        entry
        for content in files.values()
        if isinstance(content, dict)
        for entry in [*content.get("models", ()), *content.get("seeds", ())]
        if isinstance(entry, dict) and entry["name"] == model
    ]
    entry = found if place is None else found["columns"][place]
    for name, value in fields.items():
        entry[name] = value
        if value is None:
            del entry[name]


BAD_DOCS = [
    ("described", "fct_orders", None, {"description": "All orders."}),
    ("described", "int_orders__current", None, {"description": None}),
    ("described", "fct_orders.order_id", 0, {"description": " "}),
    ("keyed", "fct_orders", 0, {"data_tests": ["unique"]}),
    ("keyed", "stg_shop__orders", 0, {"data_tests": ["not_null"]}),
    ("contracts", "fct_orders.placed_at", 2, {"data_type": None}),
    ("contracts", "fct_orders", None, {"config": {"contract": {"enforced": False}}}),
    ("columns_as_documented", "fct_orders", None, {"columns": [column("order_id")]}),
    ("related", "fct_orders.product_id", 1, {"data_tests": ["not_null"]}),
    ("related", "fct_orders.product_id", 3, {"name": "product_id"}),
    ("seeds_told", "colours", None, {"description": "All colours."}),
    ("seeds_told", "colours", 0, {"data_tests": ["not_null"]}),
    ("seeds_told", "colours.shade", 1, {"description": ""}),
    ("enumerated", "fct_orders.status", 3, {"data_tests": ["not_null"]}),
    ("enumerated", "fct_orders.bot_reason", 3, {"name": "bot_reason", "data_tests": None}),
    ("column_names", "fct_orders.placed_at", 2, {"data_type": "date"}),
    ("column_names", "fct_orders.placed", 2, {"name": "placed"}),
    ("column_names", "fct_orders.day_date", 2, {"name": "day_date"}),
    ("column_names", "fct_orders.paid", 2, {"name": "paid", "data_type": "boolean"}),
    ("column_names", "fct_orders.is_paid", 2, {"name": "is_paid", "data_type": "bigint"}),
    ("column_names", "fct_orders.line_count", 2, {"name": "line_count", "data_type": "double"}),
    ("column_names", "fct_orders.tax_pct", 2, {"name": "tax_pct", "data_type": "bigint"}),
]


@pytest.mark.parametrize(("rule", "subject", "place", "fields"), BAD_DOCS)
def test_a_rule_finds_the_documentation_that_breaks_it(
    tmp_path: Path, rule: str, subject: str, place: int | None, fields: dict[str, Any]
) -> None:
    files = good()
    change(files, subject.split(".")[0], place, **fields)
    assert subject in [problem.subject for problem in RULES[rule](written(tmp_path, files))]


@pytest.mark.parametrize("missing", ["description", "loader", "meta", "config"])
def test_a_source_states_where_it_is_from(tmp_path: Path, missing: str) -> None:
    files = good()
    del files["models/sources.yml"]["sources"][0][missing]
    found = list(RULES["declared"](written(tmp_path, files)))
    assert [(problem.subject, problem.rule) for problem in found] == [("shop", "declared")]


def test_a_table_of_a_source_states_its_grain(tmp_path: Path) -> None:
    files = good()
    files["models/sources.yml"]["sources"][0]["tables"][0]["description"] = "Orders."
    found = list(RULES["declared"](written(tmp_path, files)))
    assert [problem.subject for problem in found] == ["shop.orders"]


def test_every_rule_is_shown_to_bite() -> None:
    shown = {rule for rule, *_ in BAD_FILES} | {rule for rule, *_ in BAD_DOCS} | {"declared"}
    assert shown == set(RULES)


def test_the_final_select_is_found_behind_names_and_parentheses() -> None:
    sql = """
    with a as (select 1 as x), -- select nothing
    final as (select (select max(y) from b) as x, 'select, *' as z from a)
    select * from final
    """
    (said,) = final_selects(sql)
    assert [part.split()[-1] for part in said.split(" from ")[0].split(",")] == ["x", "z"]
    assert len(final_selects("select a from b union all select c from d")) == 2
