"""Telling somebody when an unattended run did not end well: one small POST to an address of theirs.

The address is a secret (whoever knows it can write into the channel behind it): it comes from the
environment and is never shown. The body has the keys `text` and `content`, which chat services
show, and the same facts apart. It holds counts, names of sources and messages, never records.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import requests

from pipeline.paths import TargetPaths
from pipeline.secrets import redact
from udfs.errors import SocialSignalsError
from warehouse.errors import LockedError
from warehouse.lock import read_holder

WEBHOOK_VARIABLE = "SOCIAL_SIGNALS_WEBHOOK_URL"
TIMEOUT_SECONDS = 10.0
MOST_PROBLEMS = 5
STUCK_FILE = "stuck_told"
EXIT_SETTINGS = 2
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}

Occasion = Literal["failed", "partial", "empty", "recovered", "stuck"]
UNWELL: Mapping[str, Occasion] = {"failed": "failed", "partial": "partial", "empty": "empty"}
OCCASIONS: tuple[Occasion, ...] = ("failed", "partial", "empty", "recovered", "stuck")


@dataclass(frozen=True, slots=True)
class Alert:
    """What happened. `problems` are the messages a person would read, the first ones first."""

    occasion: Occasion
    target: str
    exit_code: int
    problems: Sequence[str] = ()
    run_id: str = ""

    @property
    def text(self) -> str:
        """One line for people."""
        what = {
            "failed": f"failed (exit code {self.exit_code})",
            "partial": f"ended in part (exit code {self.exit_code})",
            "empty": "found nothing to relate",
            "recovered": "is well again",
            "stuck": "seems stuck",
        }[self.occasion]
        said = "; ".join(_one_line(problem) for problem in self.problems[:MOST_PROBLEMS])
        more = len(self.problems) - MOST_PROBLEMS
        if more > 0:
            said += f"; and {more} more"
        return f"Social Signals: target {self.target} {what}" + (f": {said}" if said else "")


def alert_of_settings(error: SocialSignalsError) -> None:
    """Tell of a run that never began because its settings or command line are wrong."""
    if error.exit_code == EXIT_SETTINGS:
        send(Alert("failed", "(none)", error.exit_code, [str(error)]))


def alert_of_lock(
    paths: TargetPaths, *, now: datetime, stuck_hours: float, repeat_hours: float
) -> str:
    """Tell of another run of the target that holds the lock for too long, once every
    `repeat_hours`; returns why it could not be told, or ""."""
    holder = read_holder(paths.lock) or {}
    try:
        since = datetime.fromisoformat(str(holder.get("started_at")))
    except ValueError:
        return ""
    hours = (now - since).total_seconds() / 3600
    told_file = paths.state / STUCK_FILE
    place = f"{since.isoformat()} {int(hours // repeat_hours)}"
    if hours < stuck_hours or _read(told_file) == place:
        return ""
    who = f"process {holder.get('pid')} ({holder.get('command')})"
    said = f"{who} has been at work for {hours:.0f} hours"
    why_not = send(Alert("stuck", paths.target, LockedError.exit_code, [said]))
    if not why_not:
        told_file.parent.mkdir(parents=True, exist_ok=True)
        told_file.write_text(place, encoding="utf-8")
    return why_not


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def occasion_of(
    status: str,
    history: Sequence[tuple[datetime, str]],
    *,
    started_at: datetime,
    repeat_hours: float,
) -> Occasion | None:
    """What there is to tell of a run, None for nothing.

    `history` is start and status of the earlier runs of the same steps, newest first. Trouble is
    told when it begins and then once every `repeat_hours`: an hourly schedule that fails all night
    is not 12 messages.
    """
    before = history[0][1] if history else None
    if status == "succeeded":
        return "recovered" if before in UNWELL else None
    if status not in UNWELL:
        return None
    since = started_at
    for earlier, earlier_status in history:
        if earlier_status != status:
            break
        since = earlier
    if since == started_at:
        return UNWELL[status]
    period = repeat_hours * 3600
    told = [
        int((instant - since).total_seconds() // period) for instant in (started_at, history[0][0])
    ]
    return UNWELL[status] if told[0] > told[1] else None


def send(alert: Alert, *, timeout: float = TIMEOUT_SECONDS) -> str:
    """Post an alert to the address of the environment; returns why it could not be sent, or "".

    Without an address there is nobody to tell, which is no problem. An alert that cannot be sent
    never changes how a run ends.
    """
    url = os.environ.get(WEBHOOK_VARIABLE, "").strip()
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and (parts.hostname or "") in _LOOPBACK
    ):
        return f"{WEBHOOK_VARIABLE} is no https address: no alert was sent."
    text = redact(alert.text)
    body: dict[str, Any] = {
        "text": text,
        "content": text,
        "occasion": alert.occasion,
        "target": alert.target,
        "run_id": alert.run_id,
        "exit_code": alert.exit_code,
        "problems": [redact(problem) for problem in alert.problems[:MOST_PROBLEMS]],
    }
    try:
        # A webhook that leads elsewhere would carry messages to whom nobody chose.
        answer = requests.post(url, json=body, timeout=timeout, allow_redirects=False)
    except (requests.RequestException, ValueError) as error:
        # Not its text: it may name the address.
        return f"{WEBHOOK_VARIABLE}: the alert could not be sent ({type(error).__name__})."
    if not answer.ok or answer.is_redirect:
        return f"{WEBHOOK_VARIABLE}: the alert was refused with status {answer.status_code}."
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
