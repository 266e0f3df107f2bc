"""Whether a build would give anything new: what it rests on, as one hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.paths import PROJECT_ROOT
from pipeline.settings import Settings
from warehouse.schema import open_work

BUILT, PUBLISHED, STAGED = "built.json", "published.json", "staged.json"
DOCUMENTED, DRAWN = "documented.json", "drawn.json"
"""Marks in a target's state folder: what the last finished build, publish, lineage site and charts
rested on, and which code the rows of staging were made by."""
CODE_THAT_BUILDS = ("dbt_project", "udfs")
"""Folders whose change makes a build necessary although no data came in."""
CODE_SUFFIXES = {".py", ".sql", ".yml", ".csv", ".json"}
MADE_BY_TOOLS = {"target", "logs", "__pycache__"}


def fingerprint(settings: Settings, sql_settings: Mapping[str, str | None]) -> str:
    """Hash loaded files, forgotten records, settings, catalogue and code of a target (hex).

    A later cut-off matters from one day to the next, not from one minute to the next.
    """
    rested_on = dict(sql_settings)
    rested_on["cutoff_at"] = str(rested_on.get("cutoff_at"))[:10]
    digest = hashlib.sha256(json.dumps(rested_on, sort_keys=True).encode())
    with open_work(settings.paths.work) as connection:
        for query in (
            "select coalesce(max(load_id), 0), count(*) from raw.load_log",
            "select count(*), cast(max(created_at) as varchar) from raw.tombstones",
        ):
            digest.update(repr(connection.execute(query).fetchall()).encode())
    for file in sorted({*_code(), *settings.catalogue_folder.glob("*.csv")}):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def staging_fingerprint() -> str:
    """Hash of the code that makes staging (hex). Staging is incremental: rows made by other code
    than today's would stay, with other columns."""
    digest = hashlib.sha256()
    dbt = PROJECT_ROOT / "dbt_project"
    for file in sorted([*(dbt / "models" / "staging").rglob("*.sql"), *dbt.glob("macros/*.sql")]):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def drawing_fingerprint(published: str | None) -> str:
    """Hash of what charts rest on (hex): the mark of the published file, and their code."""
    digest = hashlib.sha256(repr(published).encode())
    for file in sorted((PROJECT_ROOT / "charts").glob("*.py")):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _code() -> set[Path]:
    return {
        file
        for folder in CODE_THAT_BUILDS
        for file in (PROJECT_ROOT / folder).rglob("*")
        if file.suffix in CODE_SUFFIXES
        and not MADE_BY_TOOLS & set(file.relative_to(PROJECT_ROOT).parts)
    }


def read_mark(file: Path) -> str | None:
    """The fingerprint that a mark holds; None if there is no readable one."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_mark(file: Path, value: str) -> None:
    """Replace a mark, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(json.dumps({"fingerprint": value}), encoding="utf-8")
    temporary.replace(file)
