"""The files of a data set: which they are, whether they changed, and their bytes decompressed."""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import zstandard

from extract.datasets.mapping import DatasetMapping, FileFormat, MappingError

_SUFFIXES: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSED = {".gz", ".zst", ".zstd"}
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ARCHIVES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"BZh": "compressed with bzip2",
    b"\xfd7zX": "compressed with xz",
}
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a data set; `name` is its path below the data folder, with slashes."""

    path: Path
    name: str
    format: FileFormat


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a file was when it was read: bytes, modification time and content hash."""

    size: int
    mtime_ns: int
    sha256: str


def find_files(mapping: DatasetMapping, folder: Path, *, origin: str) -> list[SourceFile]:
    """The files that a mapping names, in order of their names.

    They are looked for in `folder`, then in its sub-folder named like the data set. Raises
    `MappingError` when there is none, naming the folder and the pattern.
    """
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "does not exist"
        raise MappingError(
            f"The data folder {folder} {what}.",
            "Give the folder that holds the data with --data-folder, or as "
            "sources.datasets.folder in the settings.",
        )
    unreadable: list[str] = []
    for base in (folder, folder / mapping.dataset):
        try:
            found = _found(mapping, base, unreadable)
        except OSError as error:
            raise MappingError(
                f"{origin}: the data folder cannot be searched: {error}.",
                "Check that you may read it.",
            ) from error
        if found:
            return [found[name] for name in sorted(found)]
    patterns = ", ".join(mapping.files)
    if unreadable:
        raise MappingError(
            f"{origin}: the names of the files at {patterns} do not say what they are "
            f"({unreadable[0]}).",
            "Set `format` to csv, tsv, jsonl, json or parquet.",
        )
    raise MappingError(
        f"{origin}: no file matches {patterns} in {folder}.",
        "Give the folder that holds the data with --data-folder, or correct `files`; "
        "`**` reaches into sub-folders.",
    )


def _found(mapping: DatasetMapping, base: Path, unreadable: list[str]) -> dict[str, SourceFile]:
    """The files below a folder by name; those of unknown format go to `unreadable`."""
    found: dict[str, SourceFile] = {}
    for pattern in mapping.files:
        for path in _matches(base, pattern):
            name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
            if _is_excluded(name, mapping.exclude):
                continue
            file_format = mapping.format or format_of(path)
            if file_format is None:
                unreadable.append(name)
            else:
                found[name] = SourceFile(path, name, file_format)
    return found


def format_of(path: Path) -> FileFormat | None:
    """The format that a file's name stands for, without its compression; None if unknown."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _SUFFIXES.get(suffixes[-1]) if suffixes else None


def fingerprint(file: SourceFile) -> Fingerprint:
    """Read the file once and tell what it is; raises `MappingError` if it cannot be read."""
    try:
        status = file.path.stat()
        with file.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(file, error) from error
    return Fingerprint(status.st_size, status.st_mtime_ns, digest)


def is_untouched(file: SourceFile, size: int, mtime_ns: int) -> bool:
    """Whether size and modification time are what they were."""
    try:
        status = file.path.stat()
    except OSError as error:
        raise _unreadable(file, error) from error
    return status.st_size == size and status.st_mtime_ns == mtime_ns


@contextmanager
def open_bytes(file: SourceFile) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed by what they are, not by what the file is called.

    A damaged compressed file raises `MappingError` when the damage is reached.
    """
    try:
        with file.path.open("rb") as raw:
            magic = raw.read(4)
            raw.seek(0)
            _refuse_archive(file, magic)
            if magic.startswith(_GZIP_MAGIC):
                unpacked = gzip.GzipFile(fileobj=raw)
                yield io.BufferedReader(cast("io.RawIOBase", unpacked), _BUFFER_BYTES)
            elif magic == _ZSTD_MAGIC:
                yield io.BufferedReader(_ZstdReader(raw), _BUFFER_BYTES)
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise MappingError(
            f"{file.name} is damaged: {error}.",
            "Fetch the file again; rows before the damage are kept.",
        ) from error
    except OSError as error:
        raise _unreadable(file, error) from error


def _refuse_archive(file: SourceFile, magic: bytes) -> None:
    for start, what in _ARCHIVES.items():
        if magic.startswith(start):
            raise MappingError(
                f"{file.name} is {what}, which is not read here.",
                "Unpack it, or export it as CSV; gzip and Zstandard are read as they are.",
            )


class _ZstdReader(io.RawIOBase):
    """Decompressed bytes of Zstandard frames; a stream that ends inside a frame is an error.

    The library's own stream reader takes such a stream for complete.
    """

    # Small, because a few bytes of a repetitive file become megabytes.
    _INPUT_BYTES = 4096

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._frame = self._new_frame()
        self._is_inside = False
        self._input = b""
        self._output = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        while not self._output:
            piece = self._input or self._raw.read(self._INPUT_BYTES)
            self._input = b""
            if not piece:
                if self._is_inside:
                    raise EOFError("the compressed file ended before the end of its last frame")
                return 0
            self._is_inside = True
            self._output = memoryview(self._frame.decompress(piece))
            if self._frame.eof:
                self._input = self._frame.unused_data
                self._frame = self._new_frame()
                self._is_inside = False
        count = min(len(buffer), len(self._output))
        buffer[:count] = self._output[:count]
        self._output = self._output[count:]
        return count

    @staticmethod
    def _new_frame() -> zstandard.ZstdDecompressionObj:
        return zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()


def _matches(base: Path, pattern: str) -> Iterator[Path]:
    given = Path(pattern)
    root = Path(given.anchor) if given.is_absolute() else base
    relative = given.relative_to(given.anchor).as_posix() if given.is_absolute() else pattern
    if any(character in relative for character in "*?["):
        candidates = sorted(root.glob(relative)) if root.is_dir() else []
    else:
        target = root / relative
        candidates = sorted(target.iterdir()) if target.is_dir() else [target]
    for path in candidates:
        if path.is_file() and not path.name.startswith("."):
            yield path


def _is_excluded(name: str, patterns: tuple[str, ...]) -> bool:
    last = name.rsplit("/", 1)[-1]
    return any(
        fnmatch.fnmatchcase(name, item) or fnmatch.fnmatchcase(last, item) for item in patterns
    )


def _unreadable(file: SourceFile, error: OSError) -> MappingError:
    return MappingError(
        f"{file.name} cannot be read: {error.strerror or error}.",
        "Check that the file exists and that you may read it.",
    )
