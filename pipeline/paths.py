"""Where everything of a target lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
DEFAULT_DATA = PROJECT_ROOT / "warehouse" / "data"


@dataclass(frozen=True, slots=True)
class TargetPaths:
    """The folder of one target, `<data>/<target>/`, and what lies in it."""

    data: Path
    target: str

    @property
    def folder(self) -> Path:
        return self.data / self.target

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def budgets(self) -> Path:
        """The ledgers, which all targets share: a platform counts by key, not by target."""
        return self.data / "_budgets"

    @property
    def work(self) -> Path:
        return self.folder / "work.duckdb"

    @property
    def published(self) -> Path:
        return self.folder / "published.duckdb"

    @property
    def insights(self) -> Path:
        return self.folder / "insights.json"

    @property
    def charts(self) -> Path:
        return self.folder / "charts"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def docs(self) -> Path:
        return self.folder / "docs"

    @property
    def lineage(self) -> Path:
        return self.docs / "index.html"

    @property
    def truth(self) -> Path:
        return self.folder / "truth.json"

    @property
    def dbt_target(self) -> Path:
        return self.folder / "dbt"

    @property
    def lock(self) -> Path:
        return self.folder / "run.lock"
