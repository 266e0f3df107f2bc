"""A request to forget as it lies on disk while it is carried out, and its receipt afterwards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from extract.personal import Targets
from pipeline.forget_plan import Marks, Plan, counts_of
from pipeline.paths import TargetPaths
from pipeline.settings import Settings
from udfs.errors import SocialSignalsError
from warehouse.files import make_durable_folder, replace_durably
from warehouse.tombstones import Role

FORMAT = 1
PLANNED, REMOVED = "planned", "removed"


class ForgettingError(SocialSignalsError):
    """A request that was begun cannot be read back."""


@dataclass(slots=True)
class Request:
    """One request: what was found for it, why and how it was asked for.

    `keep_out` are people whose records do not land again: authors are dropped, customers made
    anonymous. `lists` says whether ids go on the list of forgotten ones (what only grew too old
    may come again).
    """

    request_id: str
    asked_at: datetime
    reason: str
    how: str
    plan: Plan
    asked: Mapping[str, int] = field(default_factory=dict)
    keep_out: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    lists: bool = True
    originals: tuple[str, ...] = ()
    stage: str = PLANNED
    removed: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> bytes:
        content: dict[str, Any] = {
            "format": FORMAT,
            "request_id": self.request_id,
            "asked_at": self.asked_at.isoformat(),
            "reason": self.reason,
            "how": self.how,
            "asked": dict(self.asked),
            "lists": self.lists,
            "originals": list(self.originals),
            "stage": self.stage,
            "removed": self.removed,
            "problems": self.plan.problems,
        }
        if self.stage == PLANNED:
            targets = self.plan.targets
            content |= {
                "keep_out": {role: list(values) for role, values in self.keep_out.items()},
                "targets": {
                    "posts": sorted(targets.posts),
                    "authors": sorted(targets.authors),
                    "customers": sorted(targets.customers),
                    "orders": sorted(targets.orders),
                },
                "records": sorted(self.plan.records),
                "marks": {
                    "/".join(scope): {
                        name: [marks.drop, marks.change, marks.whole]
                        for name, marks in files.items()
                    }
                    for scope, files in self.plan.marks.items()
                },
            }
        return (json.dumps(content, ensure_ascii=True) + "\n").encode()


def request_of(content: Mapping[str, Any]) -> Request:
    """A request as `Request.to_json` wrote it."""
    targets = {name: set(values) for name, values in content.get("targets", {}).items()}
    plan = Plan(Targets(**targets), problems=list(content["problems"]))
    plan.records = {(str(s), str(t), str(r)) for s, t, r in content.get("records", [])}
    for name, files in content.get("marks", {}).items():
        source, _, stream = name.partition("/")
        plan.marks[source, stream] = {
            logical_id: Marks(list(drop), list(change), int(whole))
            for logical_id, (drop, change, whole) in files.items()
        }
    return Request(
        request_id=str(content["request_id"]),
        asked_at=datetime.fromisoformat(content["asked_at"]),
        reason=str(content["reason"]),
        how=str(content["how"]),
        plan=plan,
        asked=dict(content["asked"]),
        keep_out={role: tuple(values) for role, values in content.get("keep_out", {}).items()},
        lists=bool(content["lists"]),
        originals=tuple(content["originals"]),
        stage=str(content["stage"]),
        removed=dict(content["removed"]),
    )


def begun(paths: TargetPaths) -> list[Request]:
    """Requests that are not finished, oldest first.

    Raises:
        ForgettingError: one cannot be read.
    """
    found = []
    for path in sorted((paths.state / "forgetting").glob("[!.]*.json")):
        try:
            found.append(request_of(json.loads(path.read_bytes())))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ForgettingError(
                f"The request {path} was begun and cannot be read ({type(error).__name__}).",
                "Ask for it again with social-signals forget, then delete that file.",
            ) from error
    return sorted(found, key=lambda request: (request.asked_at, request.request_id))


def keep(paths: TargetPaths, request: Request) -> None:
    folder = paths.state / "forgetting"
    make_durable_folder(folder)
    replace_durably(folder / f"{request.request_id}.json", request.to_json())


def finish(settings: Settings, request: Request, *, scores: int, finished_at: datetime) -> Path:
    """Finish the receipt of a request, whose own record goes; returns the receipt."""
    receipt = write_receipt(settings, request, scores=scores, finished_at=finished_at)
    (settings.paths.state / "forgetting" / f"{request.request_id}.json").unlink(missing_ok=True)
    return receipt


def write_receipt(
    settings: Settings,
    request: Request,
    *,
    scores: int | None = None,
    finished_at: datetime | None = None,
) -> Path:
    """Put the receipt of a request into the target's folder and return its path."""
    receipt = settings.paths.folder / "receipts" / f"{request.request_id}.json"
    make_durable_folder(receipt.parent)
    content = {
        "format": FORMAT,
        "target": settings.name,
        "request_id": request.request_id,
        "asked_at": request.asked_at.isoformat(),
        "finished_at": None if finished_at is None else finished_at.isoformat(),
        "how": request.how,
        "reason": request.reason,
        "asked": dict(request.asked),
        "removed": {**request.removed, "scores": scores},
        "originals_not_touched": list(request.originals),
        "problems": request.plan.problems,
    }
    replace_durably(receipt, (json.dumps(content, indent=1) + "\n").encode())
    return receipt


def summary(request: Request) -> list[str]:
    """What a request touches, in a few words without content."""
    found = [
        f"{source}/{stream}: {drop:,} records removed"
        + (f", {change:,} changed" if change else "")
        + f" in {files:,} files"
        for (source, stream), (files, drop, change) in counts_of(request.plan).items()
    ]
    if request.originals:
        found.append(f"not touched: the originals behind {', '.join(request.originals)}")
    return found or ["nothing found; what was asked for by id is kept out from now on"]
