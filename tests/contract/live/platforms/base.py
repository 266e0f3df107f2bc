"""What the stand-in of every platform is: a small world of records, and the wire to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from extract.base import Context, Product
from tests.contract.live.server import START, FakeClock, Reply, Request

CATALOGUE = (
    Product("acme", "Acme", "Acme", "tools", {"keyword": ("acme",), "hashtag": ("acmelife",)}),
)


@dataclass
class Platform(ABC):
    """A platform with a few records. `source` is the module under test; `quirk` is a fault of the
    whole wire (duplicated or reordered pages, fields of other kinds), which each platform shows in
    its own way; the newest `hidden` records are not published yet."""

    quirk: str = ""
    edits: int = 0
    hidden: int = 0
    time: FakeClock = field(default_factory=FakeClock)
    url: str = ""
    source: Any = None
    environment: dict[str, str] = field(default_factory=dict)

    has_pages = True
    has_backfill = True
    follows_redirects = True
    landed = 0
    """How many records one undisturbed pull lands, counted by hand."""

    @abstractmethod
    def settings(self, **changes: Any) -> Any:
        """The settings of the source that ask this platform."""

    @abstractmethod
    def answer(self, request: Request) -> Reply:
        """What the platform sends back."""

    def edit(self) -> None:
        """Change a record that has been published long ago."""
        self.edits += 1

    def context(self, folder: Path | None = None, **changes: Any) -> Context:
        given: dict[str, Any] = {
            "run_id": "r1",
            "now": self.time.now,
            "catalogue": CATALOGUE,
            "root": Path(),
            "truth_path": Path(),
            "clock": self.time.clock(),
            "environment": self.environment,
            "budgets": folder,
        }
        return Context(**(given | changes))


def budget(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Settings with a small budget where a test gives one."""
    merged = settings | changes
    requests = merged.pop("requests", None)
    if requests is not None:
        merged["budget"] = {**merged.get("budget", {}), "requests": requests}
    return merged


def ago(**parts: float) -> datetime:
    return START - timedelta(**parts)
