"""Which tables of the published file a piece of code can come to read, found without running it.

From the functions at which reading begins, every function, class and constant of the project that
they name is followed. A table is read where a text is its name and nothing else
(`published.table("fct_posts")`) or names it in SQL (`from marts.fct_posts`); prose in a message
and a docstring do not count.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

TABLE = re.compile(r"(?:fct|dim|bridge|mart|ops)_[a-z0-9_]+")
IN_SQL = re.compile(rf"\bmarts\.({TABLE.pattern})")
ROOMS = ("charts", "pipeline", "udfs")
NOT_READ = frozenset({("charts.reading", "NEEDED")})
"""What a file of this version must have: a check, asked of tables that are read anyway."""

Place: TypeAlias = tuple[str, str]
"""A module and what is defined at its top."""


@dataclass
class Module:
    """What a module defines at its top, and where its names come from."""

    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, Place] = field(default_factory=dict)
    modules: dict[str, str] = field(default_factory=dict)


@cache
def read_module(name: str) -> Module | None:
    """A module of the project, parsed; None for anything else."""
    if name.split(".")[0] not in ROOMS:
        return None
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        return None
    if spec is None or not spec.origin:
        return None
    return parse(Path(spec.origin).read_text(encoding="utf-8"), find=_is_module)


def _is_module(name: str) -> bool:
    return read_module(name) is not None


def parse(text: str, *, find: Callable[[str], bool]) -> Module:
    """Take a module's text apart; `find` says whether a name is that of a module."""
    module = Module()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROOMS:
            for alias in node.names:
                own, full = alias.asname or alias.name, f"{node.module}.{alias.name}"
                if find(full):
                    module.modules[own] = full
                else:
                    module.imported[own] = (str(node.module), alias.name)
    for statement in tree.body:
        for name in _defines(statement):
            module.defined.setdefault(name, []).append(statement)
    return module


def _defines(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def tables_read(
    begins: list[Place], *, read: Callable[[str], Module | None] = read_module
) -> set[str]:
    """The tables that code beginning at these places can come to read."""
    tables: set[str] = set()
    left, seen = list(begins), set(NOT_READ)
    while left:
        place = left.pop()
        if place in seen:
            continue
        seen.add(place)
        module = read(place[0])
        if module is None:
            continue
        if place[1] in module.imported:
            left.append(module.imported[place[1]])
        for statement in module.defined.get(place[1], ()):
            tables |= set(_tables(statement))
            left += _named(statement, module, place[0])
    return tables


def _named(statement: ast.stmt, module: Module, name: str) -> Iterator[Place]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            if node.id in module.imported:
                yield module.imported[node.id]
            elif node.id in module.defined:
                yield name, node.id
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in module.modules
        ):
            yield module.modules[node.value.id], node.attr


def _tables(statement: ast.stmt) -> Iterator[str]:
    docstrings = {id(node.value) for node in ast.walk(statement) if isinstance(node, ast.Expr)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in docstrings:
                continue
            if TABLE.fullmatch(node.value):
                yield node.value
            yield from IN_SQL.findall(node.value)
