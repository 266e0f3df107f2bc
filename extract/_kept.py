"""Which records of a stream were kept, so that of all deletions only theirs are.

A set of bits in a file of fixed size (a Bloom filter): it never forgets what was added, and now and
then takes a stranger for a friend, which keeps a deletion that concerns nobody. It is written
before the records are, so that a killed process has at most remembered too much. Ids stand in it
as hashes.

A file that is lost or damaged is begun anew and is not complete until it was filled again from
what has landed; as long as it is not, everything must be taken for kept.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from extract.base import ExtractError

_MAGIC = b"kept-v1\n"
_HEADER = struct.Struct("<8sQQ")
_HEADER_BYTES = 4096
BITS = 1 << 27
"""16 MiB: ten million records at one stranger in a hundred."""
_HASHES = 7


class KeptError(ExtractError):
    """The memory of kept records cannot be written: without it deletions would be missed."""


class Kept:
    """The memory of one source. Without a folder it lives as long as the object."""

    def __init__(self, folder: Path | None, *, is_first: bool, bits: int = BITS) -> None:
        """Open it, or begin it. `is_first` says that nothing has been kept before.

        Raises:
            KeptError: the folder cannot be written.
        """
        self._bits = bits
        self._is_dirty = False
        self.is_complete = is_first
        self._file: int | None = None
        if folder is None:
            self._map: mmap.mmap | bytearray = bytearray(_HEADER_BYTES + bits // 8)
            return
        self._path = folder / "kept.bits"
        try:
            self._open(folder)
        except OSError as error:
            raise self._unusable(error) from error

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        size = _HEADER_BYTES + self._bits // 8
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = descriptor
        header = os.pread(descriptor, _HEADER.size, 0)
        is_whole = os.fstat(descriptor).st_size == size and len(header) == _HEADER.size
        magic, bits, complete = _HEADER.unpack(header) if is_whole else (b"", 0, 0)
        if magic == _MAGIC and bits == self._bits:
            self.is_complete = bool(complete)
        else:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, size)
            self._write_header()
        self._map = mmap.mmap(descriptor, size)

    def _write_header(self) -> None:
        assert self._file is not None
        os.pwrite(self._file, _HEADER.pack(_MAGIC, self._bits, self.is_complete), 0)
        os.fsync(self._file)

    def complete(self, keys: Iterable[str]) -> None:
        """Add everything that was kept before; from here on the memory can be relied on.

        Raises:
            KeptError: it cannot be written.
        """
        for key in keys:
            self.add(key)
        self.save()
        self.is_complete = True
        if self._file is not None:
            try:
                self._write_header()
            except OSError as error:
                raise self._unusable(error) from error

    def add(self, key: str) -> None:
        """Remember a key; durable after `save`."""
        content = self._map
        for place in self._places(key):
            byte, bit = _HEADER_BYTES + (place >> 3), 1 << (place & 7)
            if not content[byte] & bit:
                content[byte] |= bit
                self._is_dirty = True

    def __contains__(self, key: str) -> bool:
        """Whether a key was perhaps added; surely not if False and the memory is complete."""
        content = self._map
        return all(
            content[_HEADER_BYTES + (place >> 3)] & (1 << (place & 7))
            for place in self._places(key)
        )

    def save(self) -> None:
        """Wait until the disk has everything added so far.

        Raises:
            KeptError: it cannot be written.
        """
        if not self._is_dirty or not isinstance(self._map, mmap.mmap):
            return
        try:
            self._map.flush()
        except OSError as error:
            raise self._unusable(error) from error
        self._is_dirty = False

    def close(self) -> None:
        if isinstance(self._map, mmap.mmap):
            self._map.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _places(self, key: str) -> list[int]:
        digest = hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).digest()
        first, step = struct.unpack("<QQ", digest)
        step |= 1
        return [(first + number * step) % self._bits for number in range(_HASHES)]

    def _unusable(self, error: OSError) -> KeptError:
        return KeptError(
            f"The memory of kept records {self._path} cannot be used ({error.strerror or error}).",
            "Free space or mend the folder's permissions: without it deletions would be missed.",
        )
