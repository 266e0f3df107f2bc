"""What the lineage site says of the project: groups, tags, colours, comments, the first page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from pipeline.lineage_contents import SIGNATURE, comment_above, functions, leading_comment
from tests.docs.dbt_files import read_project
from tests.docs.exposures import read_exposures

DBT = Path(__file__).resolve().parents[2] / "dbt_project"
PROJECT = read_project(DBT)
SETTINGS = PROJECT.settings
EXPOSURES = read_exposures()
OVERVIEW = (DBT / "docs" / "overview.md").read_text(encoding="utf-8")
GROUPS = {
    group["name"]: group
    for group in yaml.safe_load((DBT / "models" / "_groups.yml").read_text("utf-8"))["groups"]
}
FUNCTIONS = {function["name"] for function in functions()}
TAGS_OF_THE_SITE = {"pii", "python"}
COLOURS = {
    "seeds": "#8a6d1d",
    "staging": "#2a9d8f",
    "intermediate": "#3d6cb4",
    "marts": "#6a3d9a",
    "ops": "#5b6770",
}
"""The legend of the first page in words: brown, teal, blue, purple, grey."""


def configured(parts: tuple[str, ...], kind: str = "models") -> dict[str, Any]:
    """What dbt_project.yml says of a folder: the innermost word counts, tags add up."""
    here, tags = SETTINGS[kind][SETTINGS["name"]], []
    found: dict[str, Any] = {}
    for part in (*parts, None):
        found |= {key.lstrip("+"): value for key, value in here.items() if key[0] == "+"}
        tags += here.get("+tags", [])
        here = here.get(part, {}) if part else {}
    return found | {"tags": tags}


def tags() -> set[str]:
    of_models = {
        tag for model in PROJECT.models.values() for tag in configured(model.parts)["tags"]
    }
    of_sources = {tag for source in PROJECT.sources.values() for tag in source["config"]["tags"]}
    of_results = {tag for exposure in EXPOSURES.values() for tag in exposure["config"]["tags"]}
    seeds = set(configured((), "seeds")["tags"])
    return of_models | of_sources | of_results | seeds | TAGS_OF_THE_SITE


@pytest.mark.parametrize("model", PROJECT.models)
def test_every_model_has_group_tags_and_the_colour_of_its_layer(model: str) -> None:
    parts = PROJECT.models[model].parts
    found = configured(parts)
    assert found["group"] in GROUPS
    layer = "ops" if parts[:2] == ("marts", "ops") else parts[0]
    assert found["docs"]["node_color"] == COLOURS[layer]
    assert found["tags"] == [parts[0], found["group"]]


def test_groups_are_rooms_and_roles() -> None:
    for name, group in GROUPS.items():
        assert set(group["owner"]) == {"name"}, name
        assert group["description"], name
        assert "@" not in group["owner"]["name"], name


def test_every_source_says_where_its_records_come_from() -> None:
    for name, source in PROJECT.sources.items():
        stated = set(source["config"]["tags"])
        simulated = "extract/simulated" in source["loader"]
        assert ("simulated" in stated) == simulated, name
        assert stated & {"live", "files", "operations"}, name


@pytest.mark.parametrize("file", sorted((DBT / "macros").glob("*.sql")), ids=lambda f: f.stem)
def test_every_macro_says_above_what_it_is_for(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    for found in SIGNATURE.finditer(text):
        assert len(comment_above(text, text[found.start() :]).split()) > 2, found[0]


@pytest.mark.parametrize("file", sorted((DBT / "tests").rglob("*.sql")), ids=lambda f: f.stem)
def test_every_test_of_one_file_says_what_it_holds(file: Path) -> None:
    assert len(leading_comment(file.read_text(encoding="utf-8")).split()) > 5


def test_every_view_of_the_first_page_selects_something() -> None:
    links = re.findall(r"\]\(#!(/[^)\s]+)\)", OVERVIEW)
    assert len(links) > 10
    for link in links:
        path, _, query = link.partition("?")
        kind, _, unique_id = path.strip("/").partition("/")
        name = unique_id.rpartition(".")[2]
        assert kind != "model" or name in PROJECT.models, link
        assert kind != "function" or name in FUNCTIONS, link
        for part in query.split("&"):
            key, _, value = part.partition("=")
            if key in {"g_i", "g_e"}:
                for selector in unquote(value).split():
                    assert selects(selector), link


def selects(selector: str) -> bool:
    """Whether a selector of the lineage names something that exists."""
    plain = re.sub(r"^\d*\+|\+\d*$", "", selector)
    method, _, name = plain.rpartition(":")
    known = {
        "": set(PROJECT.models),
        "group": set(GROUPS),
        "tag": tags(),
        "source": set(PROJECT.sources) | {"*"},
        "function": FUNCTIONS | {"*"},
        "exposure": set(EXPOSURES),
    }
    return name in known[method]


def test_a_selector_of_nothing_is_found() -> None:
    assert not selects("+mart_of_nothing")
    assert not selects("group:nobody")
    assert selects("2+fct_daily_signals+1")


def test_every_selector_and_tag_that_the_first_page_names_exists() -> None:
    for example in re.findall(r"`(\w+:[\w*]+[+\d]*)`", OVERVIEW):
        assert selects(example), example
    section = OVERVIEW.split("## Tags")[1].split("##")[0]
    assert set(re.findall(r"`(\w+)`", section)) - {"is_simulated"} <= tags()
    assert tags() - set(GROUPS) <= set(re.findall(r"`(\w+)`", section))
