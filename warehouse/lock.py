"""One run at a time for a target."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warehouse.errors import LockedError, WarehouseError, explain_os_error


@contextlib.contextmanager
def run_lock(
    path: Path, *, command: str, started_at: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Hold the lock of a target for the length of the block; yields what is written in the file.

    The file names the holder (pid, host, start, command). What excludes others is the kernel's lock
    on the open file, which ends with the process however it ends: a file that a killed run left
    behind is taken over.

    Raises:
        LockedError: another run holds it.
        WarehouseError: the folder cannot be written.
    """
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started_at": (started_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "command": command,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        message, remedy = explain_os_error(error, doing="locking", path=path)
        raise WarehouseError(message, remedy) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _locked(path) from None
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, (json.dumps(holder) + "\n").encode(), 0)
        except OSError as error:
            message, remedy = explain_os_error(error, doing="locking", path=path)
            raise WarehouseError(message, remedy) from error
        yield holder
        # The name stays: removing it would let a third process lock a new file of the same name
        # while a second one holds this one.
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def read_holder(path: Path) -> dict[str, Any] | None:
    """Who wrote the lock file last and did not end in peace; None if nobody."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _locked(path: Path) -> LockedError:
    holder = read_holder(path) or {}
    who = (
        f"process {holder.get('pid')} on {holder.get('host')} "
        f"({holder.get('command')}, since {holder.get('started_at')})"
        if holder
        else "another process"
    )
    return LockedError(
        f"Another run of this target is under way: {who}.",
        f"Wait for it to end, or stop that process; the lock is {path}.",
    )
