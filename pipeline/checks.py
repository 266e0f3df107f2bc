"""What must hold before a run touches anything: room on the disk, and a clock that is right.

A build that meets a full disk fails half-way, and a clock that runs behind would put new records
before old ones: both are cheap to see beforehand.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.paths import TargetPaths
from udfs.errors import SocialSignalsError
from warehouse.commits import commit_files, read_commit

CLOCK_TOLERANCE = timedelta(minutes=5)
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
"""Before this project existed: a machine without a battery-backed clock starts in 1970."""
GIGABYTE = 1_000_000_000


class DiskSpaceError(SocialSignalsError):
    """The disk has too little room for what the run would write."""


class ClockError(SocialSignalsError):
    """The machine's clock contradicts what has been recorded."""


def bytes_needed(paths: TargetPaths, *, min_free_gb: float) -> int:
    """What a run may add: the models once more beside the ones they replace, a new published file
    beside the old one, and the margin of the settings."""
    return int(min_free_gb * GIGABYTE) + _size(paths.work) + _size(paths.published)


def bytes_free(folder: Path) -> int:
    """Free bytes for this user on the disk that holds a folder, which need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_disk(paths: TargetPaths, *, min_free_gb: float) -> None:
    """Raises:
    DiskSpaceError: fewer bytes are free than the run may need.
    """
    needed, free = bytes_needed(paths, min_free_gb=min_free_gb), bytes_free(paths.folder)
    if free < needed:
        raise DiskSpaceError(
            f"{paths.folder}: {free / GIGABYTE:.1f} GB are free, and a run may need "
            f"{needed / GIGABYTE:.1f} GB.",
            "Free some space, move the data with SOCIAL_SIGNALS_DATA, or lower run.min_free_gb.",
        )


def check_clock(paths: TargetPaths, now: datetime) -> None:
    """Raises:
    ClockError: the clock was never set, or is behind the newest landing file.
    """
    if now < EARLIEST:
        raise ClockError(
            f"The clock of this machine says {now:%Y-%m-%d %H:%M} UTC: it is not set.",
            "Set it (systemd: timedatectl set-ntp true), then run again.",
        )
    newest = _last_commit(paths.landing)
    if newest is not None and now < newest - CLOCK_TOLERANCE:
        raise ClockError(
            f"The clock of this machine says {now:%Y-%m-%d %H:%M} UTC, but records were landed at "
            f"{newest:%Y-%m-%d %H:%M} UTC.",
            "Set the clock. If it was wrong back then, pass --set run.check_clock=false once the "
            "clock is right; it can be left out when that instant has passed.",
        )


def _last_commit(landing: Path) -> datetime | None:
    files = commit_files(landing)
    if not files:
        return None
    return datetime.fromisoformat(read_commit(files[-1]).committed_at)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
