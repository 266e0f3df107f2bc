"""Rooms of the code know what docs say they know: who imports whom goes one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
ROOMS = {"benchmarks", "charts", "dbt_project", "extract", "pipeline", "tests", "udfs", "warehouse"}
NETWORK = {
    "aiohttp", "confluent_kafka", "ftplib", "httpcore", "http", "httpx", "praw", "requests",
    "smtplib", "tweepy", "urllib3", "websockets",
}  # fmt: skip

# room -> rooms of this project that it may import. `udfs.errors` is the one error of all of them.
KNOWS: dict[str, set[str]] = {
    "extract": set(),
    "warehouse": set(),
    "udfs": set(),
    "charts": set(),
    "dbt_project": {"udfs"},
    "pipeline": {"charts", "extract", "udfs", "warehouse"},
}
# room -> libraries whose work is another room's.
NEVER: dict[str, set[str]] = {
    "extract": {"dbt"},
    "warehouse": NETWORK | {"dbt"},
    "udfs": NETWORK,
    "charts": NETWORK | {"dbt"},
    "dbt_project": NETWORK | {"duckdb"},
    "pipeline": set(),
}


def imported(text: str) -> Iterator[str]:
    """Full names of the modules that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module or ""


def breaches(room: str, text: str) -> list[str]:
    """Imports of a file in `room` that the room may not have."""
    strange = (ROOMS - KNOWS[room] - {room}) | NEVER[room]
    return sorted(
        {name for name in imported(text) if name.split(".")[0] in strange and name != "udfs.errors"}
    )


@pytest.mark.parametrize("room", KNOWS)
def test_a_room_imports_only_what_it_may_know(room: str) -> None:
    made = REPOSITORY / "warehouse" / "data"
    files = [file for file in sorted((REPOSITORY / room).rglob("*.py")) if made not in file.parents]
    assert files
    found = {
        file.relative_to(REPOSITORY).as_posix(): wrong
        for file in files
        if (wrong := breaches(room, file.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("room", "text", "wrong"),
    [
        ("extract", "from warehouse.landing import x", ["warehouse.landing"]),
        ("extract", "def pull():\n    import dbt.cli.main", ["dbt.cli.main"]),
        ("extract", "from udfs.errors import SocialSignalsError\nimport udfs.text", ["udfs.text"]),
        ("warehouse", "import requests\nfrom extract import base", ["extract", "requests"]),
        ("udfs", "from pipeline.settings import x", ["pipeline.settings"]),
        ("charts", "import warehouse.landing", ["warehouse.landing"]),
        ("dbt_project", "import duckdb\nfrom udfs.dbt_links import x", ["duckdb"]),
        ("pipeline", "from tests import fake\nimport warehouse", ["tests"]),
        ("extract", "from . import base\nfrom extract import x\nimport json", []),
    ],
)
def test_a_strange_import_is_found(room: str, text: str, wrong: list[str]) -> None:
    assert breaches(room, text) == wrong
