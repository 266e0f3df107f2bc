"""The rules of the dbt project's structure.

A rule is a generator of `Problem`s; what a rule may not ask of one model stands in
`dbt_project/structure_exceptions.yml` with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.docs.dbt_files import (
    SOURCE,
    STRING,
    Project,
    data_tests_of,
    final_selects,
    items_of,
    read_project,
)

__all__ = ["RULES", "Problem", "judge", "read_project"]

PREFIXES = {
    "staging": r"stg_{folder}__[a-z0-9_]+s",
    "intermediate": r"int_[a-z0-9]+(?:_[a-z0-9]+)*__[a-z0-9_]+",
    "marts": r"(?:fct|dim|bridge|mart|ops)_[a-z0-9_]+",
}
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
        single = any(
            {"unique", "not_null"} <= data_tests_of(column).keys() for column in model.columns
        )
        if not single and "unique_combination" not in data_tests_of(model.doc):
            yield Problem("keyed", model.name, "has no tested key")


def seeds_told(project: Project) -> Iterator[Problem]:
    """A seed is held to what a model is: grain, tested key, and the columns of its files."""
    for name, columns in project.seeds.items():
        doc = project.seed_docs.get(name, {})
        told = doc.get("columns") or []
        if not str(doc.get("description", "")).strip().startswith("One row per "):
            yield Problem("seeds_told", name, 'has no description that opens "One row per"')
        if "unique_combination" not in data_tests_of(doc) and not any(
            {"unique", "not_null"} <= data_tests_of(column).keys() for column in told
        ):
            yield Problem("seeds_told", name, "has no tested key")
        if apart := sorted(columns ^ {column["name"] for column in told}):
            yield Problem("seeds_told", name, f"differs in {apart}")
        for column in told:
            if not str(column.get("description") or "").strip():
                yield Problem("seeds_told", f"{name}.{column['name']}", "is not described")


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
        items = [item for said in final_selects(model.text) for item in items_of(said)]
        if any(re.match(r"(?:distinct\s+)?(?:\w+\.)?\*", item) for item in items):
            yield Problem("stars", model.name, "ends in a select with *")


def columns_as_documented(project: Project) -> Iterator[Problem]:
    """A mart's last select and its documentation name the same columns.

    Columns that a loop writes are known after a build only: a test of the warehouse compares them.
    """
    for model in project.of("marts"):
        documented = {column["name"] for column in model.columns}
        for said in final_selects(model.text):
            named = {re.split(r"[\s.]+", item)[-1] for item in items_of(said)}
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
            if owner != model.name and "relationships" not in data_tests_of(column):
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
                and "accepted_values" not in data_tests_of(column)
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
        layers_downward, no_orphans, described, keyed, seeds_told, contracts, stars,
        columns_as_documented, repeatable, related, enumerated, conserved, beside, declared,
        column_names,
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
