"""Failures of the warehouse that a user can do something about."""

from __future__ import annotations

import errno
from pathlib import Path

from udfs.errors import SocialSignalsError


class WarehouseError(SocialSignalsError):
    """Base of this room's errors."""


class LandingError(WarehouseError):
    """Records cannot be made durable; nothing half-written is visible."""


class LoadError(WarehouseError):
    """A landing file or the work file stands in the way of loading."""


class PublishError(WarehouseError):
    """The published file was not replaced; the old one is untouched."""


class LockedError(WarehouseError):
    """Another process works on the same target or the same file."""

    exit_code = 5


def explain_os_error(error: OSError, *, doing: str, path: Path) -> tuple[str, str]:
    """Message and remedy for what the operating system refused while `doing` something."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = (
            "Free some space or put the target's data folder on another disk, then run again: "
            "nothing that was finished is lost."
        )
        return f"The disk is full while {doing} {path}.", remedy
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return (
            f"No permission while {doing} {path} ({error.strerror}).",
            "Make the folder writable for this user or choose another data folder.",
        )
    if error.errno == errno.EMFILE:
        return (
            f"Too many open files while {doing} {path}.",
            "Raise the limit (ulimit -n) and run again.",
        )
    return (f"{error.strerror or error} while {doing} {path}.", "Check the disk and run again.")
