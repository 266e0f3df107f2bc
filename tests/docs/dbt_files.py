"""The dbt project as its files state it. Everything is read from the files; dbt does not run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

COMMENT = re.compile(r"\{#.*?#\}|/\*.*?\*/|--[^\n]*", re.DOTALL)
STRING = re.compile(r"'(?:[^']|'')*'")
MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\((.*?)\{%-?\s*endmacro", re.DOTALL)
REF = re.compile(r"\bref\(\s*([^()]+?)\s*[,)]")
PAIR = re.compile(r"\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]")
SOURCE = re.compile(r"\bsource\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]")


@dataclass
class Model:
    """One model: where it stands, what is written in it, what its yml says."""

    name: str
    parts: tuple[str, ...]
    text: str
    documented_in: tuple[str, ...] = ()
    doc: dict[str, Any] = field(default_factory=dict)
    refs: set[str] = field(default_factory=set)
    sources: set[tuple[str, str]] = field(default_factory=set)

    @property
    def layer(self) -> str:
        return self.parts[0]

    @property
    def columns(self) -> list[dict[str, Any]]:
        return self.doc.get("columns") or []


@dataclass
class Project:
    """Models, sources and macros by name; `settings` is dbt_project.yml."""

    models: dict[str, Model]
    sources: dict[str, dict[str, Any]]
    macros: dict[str, str]
    settings: dict[str, Any]
    data_tests: dict[str, set[str]] = field(default_factory=dict)
    """By singular data test, the models that it reads."""
    seeds: dict[str, set[str]] = field(default_factory=dict)
    """By seed, the columns of its CSV files."""
    seed_docs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, layer: str) -> list[Model]:
        return [model for model in self.models.values() if model.layer == layer]

    def keys(self) -> dict[str, str]:
        """Column -> the dimension or fact whose key it is."""
        return {
            column["name"]: model.name
            for model in self.of("marts")
            if model.name.startswith(("dim_", "fct_"))
            for column in model.columns
            if {"unique", "not_null"} <= data_tests_of(column).keys()
        }

    def tables(self) -> dict[tuple[str, str], dict[str, Any]]:
        return {
            (name, table["name"]): table
            for name, source in self.sources.items()
            for table in source.get("tables", ())
        }


def read_project(folder: Path) -> Project:
    """Read the dbt project in `folder`."""
    models: dict[str, Model] = {}
    docs: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {}
    sources: dict[str, dict[str, Any]] = {}
    seed_docs: dict[str, dict[str, Any]] = {}
    for file in sorted((folder / "models").rglob("*")):
        if file.suffix in {".sql", ".py"}:
            parts = file.relative_to(folder / "models").parent.parts
            text = file.read_text(encoding="utf-8")
            text = COMMENT.sub(" ", text) if file.suffix == ".sql" else text
            models[file.stem] = Model(file.stem, parts, text)
        elif file.suffix == ".yml":
            content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
            parts = file.relative_to(folder / "models").parent.parts
            docs |= {doc["name"]: (parts, doc) for doc in content.get("models") or ()}
            sources |= {source["name"]: source for source in content.get("sources") or ()}
            seed_docs |= {seed["name"]: seed for seed in content.get("seeds") or ()}
    macros = {
        name: body
        for file in sorted((folder / "macros").glob("*.sql"))
        for name, body in MACRO.findall(COMMENT.sub(" ", file.read_text(encoding="utf-8")))
    }
    settings = yaml.safe_load((folder / "dbt_project.yml").read_text(encoding="utf-8"))
    project = Project(models, sources, macros, settings, seed_docs=seed_docs)
    for file in sorted(folder.glob("*/*.csv")):
        header = file.read_text(encoding="utf-8").splitlines()[0].split(",")
        project.seeds[file.stem] = project.seeds.get(file.stem, set()) | set(header)
    tables = project.tables()
    readable = set(models) | set(project.seeds)
    for model in models.values():
        model.documented_in, model.doc = docs.get(model.name, ((), {}))
        # A source table is named to `source` or to a macro that calls it: both as two strings.
        model.sources = {pair for pair in PAIR.findall(model.text) if pair in tables}
        model.sources |= set(SOURCE.findall(model.text))
        model.refs = _refs(model.text + _macros_called(model.text, macros), readable)
    project.data_tests = {
        file.stem: _refs(text + _macros_called(text, macros), readable)
        for file in sorted((folder / "tests").rglob("*.sql"))
        if "generic" not in file.parts
        for text in [COMMENT.sub(" ", file.read_text(encoding="utf-8"))]
    }
    return project


def _macros_called(text: str, macros: Mapping[str, str]) -> str:
    """The bodies of the macros that `text` calls, and of those they call."""
    called: dict[str, str] = {}
    left = [text]
    while left:
        words = set(re.findall(r"\b(\w+)\s*\(", left.pop()))
        for name in words & (macros.keys() - called.keys()):
            called[name] = macros[name]
            left.append(macros[name])
    return "\n".join(called.values())


def _refs(text: str, readable: set[str]) -> set[str]:
    """Models and seeds that `text` reads; a name made of parts stands for all that fit."""
    found: set[str] = set()
    for said in REF.findall(text):
        # 'stg_' ~ shop ~ '__' ~ stream -> stg_ANY__ANY
        glob = "".join(
            part.strip()[1:-1] if part.strip()[:1] in {"'", '"'} else "*"
            for part in said.split("~")
        )
        if glob != "*":
            found |= {name for name in readable if fnmatchcase(name, glob)}
    return found


def data_tests_of(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Data tests of a model or a column: name -> its body; a contract's not_null is one too."""
    tests: dict[str, Any] = {rule["type"]: {} for rule in definition.get("constraints") or ()}
    for test in definition.get("data_tests") or ():
        tests |= {test: {}} if isinstance(test, str) else test
    return tests


def final_selects(sql: str) -> list[str]:
    """The select lists that a query's last select returns, CTEs followed through their name."""
    text = STRING.sub("''", COMMENT.sub(" ", sql))
    text = re.sub(r"\{%.*?%\}", " ", re.sub(r"\{\{.*?\}\}", "jinja", text, flags=re.DOTALL),
                  flags=re.DOTALL)  # fmt: skip
    for _ in range(20):
        lists = _top_level_lists(text)
        passed_on = re.fullmatch(r"\*\s*from\s+(\w+)\s*;?\s*", lists[-1]) if lists else None
        start = passed_on and re.search(rf"\b{passed_on[1]}\s+as\s*\(", text)
        if len(lists) != 1 or not start:
            break
        # The CTE's own query, with the CTEs that stand before it and that it may pass on.
        text = text[: start.start()] + _parenthesis(text[start.end() :])
    return lists


def _parenthesis(text: str) -> str:
    depth = 1
    for place, sign in enumerate(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0:
            return text[:place]
    return text


def _top_level_lists(text: str) -> list[str]:
    """What follows each `select` outside of parentheses."""
    flat: list[str] = []
    depth = 0
    for sign in text:
        depth -= sign == ")"
        flat.append(sign if depth == 0 else " ")
        depth += sign == "("
    return [part.strip() for part in re.split(r"\bselect\b", "".join(flat))[1:]]


def items_of(said: str) -> list[str]:
    """The items of a select list, without what follows it."""
    return [item.strip() for item in re.split(r"\bfrom\b", said)[0].split(",") if item.strip()]
