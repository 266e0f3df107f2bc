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

WRITERS_FOLDER = "_writers"
"""Below the landing folder: who writes there without the target's lock."""


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


class HeldFile:
    """A lock file of something that outlives single steps (a stream's partition, a process that
    writes landing files beside the run). It ends with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Whether this object holds the lock now.

        Raises:
            WarehouseError: the folder cannot be written.
        """
        while self._descriptor is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            except OSError as error:
                message, remedy = explain_os_error(error, doing="locking", path=self.path)
                raise WarehouseError(message, remedy) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return False
            if _is_still_there(self.path, descriptor):
                self._descriptor = descriptor
            else:
                # Removed by somebody who tidied up between our opening and our locking.
                os.close(descriptor)
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _is_still_there(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def is_held(path: Path) -> bool:
    """Whether some process, this one included, holds the lock file."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def forgetting_gate(landing_dir: Path, *, is_forgetting: bool) -> Iterator[None]:
    """Keep apart, for the length of the block, who puts ids on the list of forgotten records and
    who commits what was read before: a commit beside the run either comes before the list and is
    searched like every landing file, or after it and heeds it.

    Raises:
        OSError: the folder cannot be written.
    """
    path = landing_dir / WRITERS_FOLDER / "forgetting.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if is_forgetting else fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
