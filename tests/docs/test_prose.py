"""What the prose names exists, and what exists is named."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

from pipeline import cli
from pipeline.settings import TABLES

REPOSITORY = Path(__file__).resolve().parents[2]
PROSE = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")])
MODEL = re.compile(r"\b(?:(?:stg|int|fct|dim|mart|ops|bridge)_[a-z0-9]+(?:_{1,2}[a-z0-9]+)*)\b")
VARIABLE = re.compile(r"\bSOCIAL_SIGNALS_[A-Z_]+\b")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


@cache
def commands() -> frozenset[str]:
    cli.register_other_commands()
    return frozenset(get_command(cli.app).commands)  # type: ignore[attr-defined]


@cache
def models() -> frozenset[str]:
    folder = REPOSITORY / "dbt_project" / "models"
    return frozenset(file.stem for file in folder.rglob("*") if file.suffix in {".sql", ".py"})


def named(pattern: str, file: Path) -> set[str]:
    return set(re.findall(pattern, file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.name)
def test_every_command_named_exists(file: Path) -> None:
    assert named(r"social-signals ([a-z]+)\b", file) <= commands()


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.name)
def test_every_make_target_named_exists(file: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    assert named(r"`make ([a-z]+)", file) | named(r"^ {4}make ([a-z]+)", file) <= targets


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.name)
def test_every_model_named_exists(file: Path) -> None:
    assert set(MODEL.findall(file.read_text(encoding="utf-8"))) <= models()


@pytest.mark.parametrize("file", PROSE, ids=lambda file: file.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    for link in LINK.findall(file.read_text(encoding="utf-8")):
        assert (file.parent / link).exists(), link


def test_every_variable_named_is_read_somewhere() -> None:
    code = "".join(
        file.read_text(encoding="utf-8")
        for room in ("charts", "dbt_project", "extract", "pipeline", "udfs", "warehouse", "tests")
        for file in (REPOSITORY / room).rglob("*")
        if file.suffix in {".py", ".yml", ".sql"}
        and file.is_file()
        and not {"target", "data"} & set(file.relative_to(REPOSITORY).parts)
    )
    for file in PROSE:
        named_here = set(VARIABLE.findall(file.read_text(encoding="utf-8")))
        assert named_here <= set(VARIABLE.findall(code)), file.name


def test_every_command_is_documented() -> None:
    prose = "".join(file.read_text(encoding="utf-8") for file in PROSE)
    assert {name for name in commands() if f"social-signals {name}" not in prose} == set()


def test_every_settings_key_is_documented() -> None:
    text = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    for table, model in TABLES.items():
        for key in model.model_fields:
            assert f"`{key}`" in text or f"`{table}.{key}`" in text, f"{table}.{key}"


def test_every_command_says_how_with_an_example() -> None:
    commands()
    for name, command in get_command(cli.app).commands.items():  # type: ignore[attr-defined]
        if getattr(command, "commands", None):
            continue
        assert "Example: social-signals" in (command.help or ""), name


def test_every_decision_has_a_number_of_its_own() -> None:
    files = sorted((REPOSITORY / "docs" / "decisions").glob("0*.md"))
    numbers = [int(file.name[:4]) for file in files]
    assert numbers == list(range(1, len(files) + 1))
    for number, file in zip(numbers, files, strict=True):
        assert file.read_text(encoding="utf-8").startswith(f"# {number}. "), file.name
