"""Writing files so that a crash leaves the old state or the new one, never something between."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PROCESS_TOKEN = secrets.token_hex(4)
"""Marks the temporary files of this process, so that another's leftovers can be told apart."""

TEMPORARY_SUFFIX = ".tmp"


def temporary_name(path: Path) -> Path:
    """The name under which `path` is written before it is whole: hidden, in the same folder."""
    return path.with_name(f".{path.name}.{PROCESS_TOKEN}{TEMPORARY_SUFFIX}")


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (a no-op where folders cannot be opened)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_durable_folder(folder: Path) -> None:
    """Create `folder` and its missing parents, each new name synced into its parent."""
    missing = []
    current = folder
    while not current.is_dir():
        missing.append(current)
        current = current.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def write_synced(path: Path, content: bytes) -> None:
    """Write `content` to `path` and wait until the disk has it; the name is not synced."""
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def replace_durably(path: Path, content: bytes) -> None:
    """Put `content` under `path`, whole or not at all."""
    temporary = temporary_name(path)
    try:
        write_synced(temporary, content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
