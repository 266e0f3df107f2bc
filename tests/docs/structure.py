"""The dbt project as its files state it, and the rules of its structure.

Everything is read from the files; dbt does not run. A rule is a generator of `Problem`s; what a
rule may not ask of one model stands in `dbt_project/structure_exceptions.yml` with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

PREFIXES = {
    "staging": r"stg_{folder}__[a-z0-9_]+s",
    "intermediate": r"int_[a-z0-9]+(?:_[a-z0-9]+)*__[a-z0-9_]+",
    "marts": r"(?:fct|dim|bridge|mart|ops)_[a-z0-9_]+",
}
COMMENT = re.compile(r"\{#.*?#\}|/\*.*?\*/|--[^\n]*", re.DOTALL)
STRING = re.compile(r"'(?:[^']|'')*'")
MACRO = re.compile(r"\{%-?\s*macro\s+(\w+)\s*\((.*?)\{%-?\s*endmacro", re.DOTALL)
REF = re.compile(r"\bref\(\s*([^()]+?)\s*[,)]")
PAIR = re.compile(r"\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]")
SOURCE = re.compile(r"\bsource\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]")
CLOCK = re.compile(
    r"\b(?:now|random|uuid|gen_random_uuid|get_current_timestamp|current_localtimestamp|today"
    r"|datetime\.(?:now|utcnow|today)|date\.today|time\.time)\s*\("
    r"|\bcurrent_(?:date|time|timestamp)\b|\blocaltimestamp\b"
)


@dataclass(frozen=True)
class Problem:
    """`subject` is a model, `model.column`, `source`, `source.table` or `macro`."""

    rule: str
    subject: str
    text: str


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

    def of(self, layer: str) -> list[Model]:
        return [model for model in self.models.values() if model.layer == layer]

    def keys(self) -> dict[str, str]:
        """Column -> the dimension or fact whose key it is."""
        return {
            column["name"]: model.name
            for model in self.of("marts")
            if model.name.startswith(("dim_", "fct_"))
            for column in model.columns
            if {"unique", "not_null"} <= _tests(column).keys()
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
    macros = {
        name: body
        for file in sorted((folder / "macros").glob("*.sql"))
        for name, body in MACRO.findall(COMMENT.sub(" ", file.read_text(encoding="utf-8")))
    }
    settings = yaml.safe_load((folder / "dbt_project.yml").read_text(encoding="utf-8"))
    project = Project(models, sources, macros, settings)
    tables = project.tables()
    readable = set(models) | {file.stem for file in folder.glob("*/*.csv")}
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


def _tests(definition: Mapping[str, Any]) -> dict[str, Any]:
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


def _items(said: str) -> list[str]:
    """The items of a select list, without what follows it."""
    return [item.strip() for item in re.split(r"\bfrom\b", said)[0].split(",") if item.strip()]


# --- the rules ---------------------------------------------------------------------------------


def names(project: Project) -> Iterator[Problem]:
    """A model's name says its layer and, in staging, its source."""
    for model in project.models.values():
        pattern = PREFIXES.get(model.layer, "").format(folder=model.parts[-1])
        if not re.fullmatch(pattern, model.name):
            yield Problem("names", model.name, f"does not fit its folder {'/'.join(model.parts)}")


def staged_once(project: Project) -> Iterator[Problem]:
    """Every source table has one staging model."""
    for source, table in project.tables():
        models = [model.name for model in project.of("staging") if (source, table) in model.sources]
        if len(models) != 1:
            subject = f"{source}.{table}"
            yield Problem("staged_once", subject, f"is staged by {sorted(models) or 'nothing'}")


def sources_in_staging(project: Project) -> Iterator[Problem]:
    """Only staging reads a source; a macro reads none of its own choice."""
    for model in project.models.values():
        if model.layer != "staging" and model.sources:
            yield Problem("sources_in_staging", model.name, f"reads {sorted(model.sources)}")
    for name, body in project.macros.items():
        if chosen := sorted(set(SOURCE.findall(body))):
            yield Problem("sources_in_staging", name, f"reads {chosen}")


def staging_alone(project: Project) -> Iterator[Problem]:
    """Staging reads its own source and nothing else, without joins."""
    for model in project.of("staging"):
        if foreign := {source for source, _ in model.sources} - {model.parts[-1]}:
            yield Problem("staging_alone", model.name, f"reads another source: {sorted(foreign)}")
        if model.refs:
            yield Problem("staging_alone", model.name, f"reads models: {sorted(model.refs)}")
        if re.search(r"\bjoin\b", re.sub(r"\|\s*join\b", "", STRING.sub("''", model.text))):
            yield Problem("staging_alone", model.name, "joins")


def marts_above_staging(project: Project) -> Iterator[Problem]:
    """Marts read intermediate models and marts."""
    staging = {model.name for model in project.of("staging")}
    for model in project.of("marts"):
        if read := sorted(model.refs & staging):
            yield Problem("marts_above_staging", model.name, f"reads staging: {read}")


def layers_downward(project: Project) -> Iterator[Problem]:
    """Intermediate models do not read marts of results and operations."""
    for model in project.of("intermediate"):
        if read := sorted(name for name in model.refs if name.startswith(("mart_", "ops_"))):
            yield Problem("layers_downward", model.name, f"reads {read}")


def no_orphans(project: Project) -> Iterator[Problem]:
    """Staging and intermediate models are read."""
    read = {name for model in project.models.values() for name in model.refs - {model.name}}
    for model in project.models.values():
        if model.layer != "marts" and model.name not in read:
            yield Problem("no_orphans", model.name, "is read by no model")


def described(project: Project) -> Iterator[Problem]:
    """Every model says its grain; every column that is named is described."""
    for model in project.models.values():
        if not str(model.doc.get("description", "")).strip().startswith("One row per "):
            yield Problem("described", model.name, 'has no description that opens "One row per"')
        for column in model.columns:
            if not str(column.get("description") or "").strip():
                yield Problem("described", f"{model.name}.{column['name']}", "is not described")


def keyed(project: Project) -> Iterator[Problem]:
    """Every model has a key that is tested unique and not null."""
    for model in project.models.values():
        single = any({"unique", "not_null"} <= _tests(column).keys() for column in model.columns)
        if not single and "unique_combination" not in _tests(model.doc):
            yield Problem("keyed", model.name, "has no tested key")


def contracts(project: Project) -> Iterator[Problem]:
    """Every mart is under contract, each column with its type."""
    marts = project.settings["models"][project.settings["name"]].get("marts", {})
    enforced = (marts.get("+contract") or {}).get("enforced") is True
    for model in project.of("marts"):
        own = (model.doc.get("config") or {}).get("contract")
        if not (own.get("enforced") if own else enforced) or re.search(r"\bcontract\b", model.text):
            yield Problem("contracts", model.name, "is under no contract")
        if not model.columns:
            yield Problem("contracts", model.name, "documents no column")
        for column in model.columns:
            if not column.get("data_type"):
                yield Problem("contracts", f"{model.name}.{column['name']}", "has no data_type")


def stars(project: Project) -> Iterator[Problem]:
    """A mart names the columns that it returns."""
    for model in project.of("marts"):
        items = [item for said in final_selects(model.text) for item in _items(said)]
        if any(re.match(r"(?:distinct\s+)?(?:\w+\.)?\*", item) for item in items):
            yield Problem("stars", model.name, "ends in a select with *")


def columns_as_documented(project: Project) -> Iterator[Problem]:
    """A mart's last select and its documentation name the same columns.

    Columns that a loop writes are known after a build only: a test of the warehouse compares them.
    """
    for model in project.of("marts"):
        documented = {column["name"] for column in model.columns}
        for said in final_selects(model.text):
            named = {re.split(r"[\s.]+", item)[-1] for item in _items(said)}
            written = any("jinja" in name or name == "*" for name in named)
            if not written and "{% for" not in model.text and named != documented:
                apart = sorted(named ^ documented)
                yield Problem("columns_as_documented", model.name, f"differs in {apart}")


def repeatable(project: Project) -> Iterator[Problem]:
    """No model asks for the time of day or for chance."""
    texts = {name: model.text for name, model in project.models.items()} | project.macros
    for name, text in texts.items():
        if asked := CLOCK.search(STRING.sub("''", text.lower())):
            yield Problem("repeatable", name, f"asks for {asked[0]}")


def related(project: Project) -> Iterator[Problem]:
    """A mart's column that is another mart's key is tested against it."""
    keys = project.keys()
    for model in project.of("marts"):
        for column in model.columns:
            owner = keys.get(column["name"], model.name)
            if owner != model.name and "relationships" not in _tests(column):
                subject = f"{model.name}.{column['name']}"
                yield Problem("related", subject, f"has no relationship to {owner}")


_ENUMERATED = re.compile(
    r".*(?:kind|type|status|reason|verdict|label|gate|role|direction|basis|method|tier|family"
    r"|resolution|scale)"
)


def enumerated(project: Project) -> Iterator[Problem]:
    """A mart's text column whose name tells of a few possible values is tested against them."""
    for model in project.of("marts"):
        for column in model.columns:
            is_text = str(column.get("data_type", "")).lower() == "varchar"
            if (
                is_text
                and _ENUMERATED.fullmatch(column["name"])
                and "accepted_values" not in _tests(column)
            ):
                subject = f"{model.name}.{column['name']}"
                yield Problem("enumerated", subject, "has no accepted values")


def conserved(project: Project) -> Iterator[Problem]:
    """Every fact is held against what it is made of, or what is made of it, by a data test."""
    compared = {name for reads in project.data_tests.values() for name in reads if len(reads) > 1}
    for model in project.of("marts"):
        if model.name.startswith("fct_") and model.name not in compared:
            yield Problem("conserved", model.name, "is compared with no other table by a test")


def beside(project: Project) -> Iterator[Problem]:
    """A model's documentation stands in its own folder, where people look for it."""
    for model in project.models.values():
        if model.doc and model.documented_in != model.parts:
            there = "/".join(model.documented_in)
            yield Problem("beside", model.name, f"is documented in {there}")


def declared(project: Project) -> Iterator[Problem]:
    """A source says who loads it, how fresh it is, under which terms; its tables are described."""
    for name, source in project.sources.items():
        config = source.get("config") or {}
        stated = {
            "description": source.get("description"),
            "loader": source.get("loader"),
            "terms_of_use": (source.get("meta") or {}).get("terms_of_use"),
            "freshness": config.get("freshness") and config.get("loaded_at_field"),
        }
        for what in [what for what, value in stated.items() if not value]:
            yield Problem("declared", name, f"states no {what}")
        for table in source.get("tables") or ():
            if not str(table.get("description", "")).strip().startswith("One row per "):
                subject = f"{name}.{table['name']}"
                yield Problem("declared", subject, 'has no description that opens "One row per"')


_INTEGER = r"(?:big|small|tiny|huge|u\w*)?int(?:eger)?"
_SHAPES = (
    # (what the type is, how the name is written); each asks for the other.
    (r"timestamp.*", r".*_at"),
    (r"date", r".*_date"),
    (r"boolean", r"(?:is|has)_.*"),
)


def column_names(project: Project) -> Iterator[Problem]:
    """Names of a mart's columns say what they hold."""
    for model in project.of("marts"):
        for column in model.columns:
            name, kind = column["name"], str(column.get("data_type", "")).lower()
            subject = f"{model.name}.{name}"
            for typed, written in _SHAPES:
                if bool(re.fullmatch(typed, kind)) != bool(re.fullmatch(written, name)):
                    yield Problem("column_names", subject, f"is a {kind} of that name")
            if name.endswith(("_count", "_days")) and not re.fullmatch(_INTEGER, kind):
                yield Problem("column_names", subject, f"counts in {kind}")
            if name.endswith(("_pct", "_ratio")) and not re.fullmatch(r"double|decimal.*", kind):
                yield Problem("column_names", subject, f"is a share in {kind}")


RULES: dict[str, Callable[[Project], Iterator[Problem]]] = {
    rule.__name__: rule
    for rule in (
        names, staged_once, sources_in_staging, staging_alone, marts_above_staging,
        layers_downward, no_orphans, described, keyed, contracts, stars, columns_as_documented,
        repeatable, related, enumerated, conserved, beside, declared, column_names,
    )
}  # fmt: skip


def judge(
    problems: list[Problem], exceptions: Mapping[str, Mapping[str, str]]
) -> tuple[list[Problem], list[str]]:
    """What no exception allows, and the exceptions that allow nothing or give no reason."""
    used: set[tuple[str, str]] = set()
    left: list[Problem] = []
    for problem in problems:
        allowed = [
            subject
            for subject in exceptions.get(problem.rule, {})
            if fnmatchcase(problem.subject, subject)
        ]
        used |= {(problem.rule, subject) for subject in allowed}
        left += [] if allowed else [problem]
    idle = [
        f"{rule}: {subject}"
        for rule, subjects in exceptions.items()
        for subject, reason in subjects.items()
        if (rule, subject) not in used or len(str(reason or "").split()) < 4
    ]
    return left, idle
