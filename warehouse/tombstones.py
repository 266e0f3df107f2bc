"""What must never come back, whatever a landing file still says.

The list lies in the landing folder (`_tombstones.jsonl`), because the work file may be deleted and
rebuilt at any time; raw.tombstones is its copy for SQL, brought up to date by every load. It names
nobody: of every id it holds the salted hash, which tells whether a given id is on the list and no
more. Its first line is the salt, every further line one request:

    {"format":2,"salt":"…"}
    {"role":"record","scope":"x/posts","reason":"…","created_at":"…","keys":["…"]}

Four roles: a `record` (of a stream) is dropped wherever it turns up; of a `post`, known by its
platform's id, copies inside other records are dropped too; so is what an `author` kept out posts;
what a `customer` bought is stripped of personal fields.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa

from warehouse.errors import LoadError, explain_os_error
from warehouse.files import make_durable_folder, replace_durably
from warehouse.lock import forgetting_gate
from warehouse.schema import ensure_raw_tables, raw_table

TOMBSTONES_FILE = "_tombstones.jsonl"
FORMAT = 2
KEY_DIGITS = 32
"""Hexadecimal digits kept of a hash: 128 bits."""

Role = Literal["record", "post", "author", "customer"]


@dataclass(frozen=True, slots=True)
class Request:
    """Keys that were forgotten together. `scope` is `<source>/<stream>` for records, else empty;
    `created_at` is an ISO instant."""

    role: Role
    scope: str
    reason: str
    created_at: str
    keys: tuple[str, ...]


@dataclass(slots=True)
class Tombstones:
    """The list: a salt and what was asked for, oldest first."""

    salt: str
    requests: list[Request] = field(default_factory=list)
    _keys: dict[tuple[str, str], set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for request in self.requests:
            self._keys.setdefault((request.role, request.scope), set()).update(request.keys)

    def key(self, role: Role, scope: str, value: str) -> str:
        """The salted hash under which an id is listed; SQL computes it the same way."""
        text = f"{prefix(self.salt, role, scope)}{value}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:KEY_DIGITS]

    def has(self, role: Role, scope: str, value: str) -> bool:
        """Whether an id is listed."""
        keys = self._keys.get((role, scope))
        return keys is not None and self.key(role, scope, value) in keys

    def concerns(self, role: Role, scope: str = "") -> bool:
        """Whether anything is listed under a role (and a scope)."""
        return bool(self._keys.get((role, scope)))

    def needs_guard(self) -> bool:
        """Whether payloads must be looked into, not only record ids."""
        return self.concerns("post") or self.concerns("author") or self.concerns("customer")

    def add(
        self, role: Role, scope: str, values: Iterable[str], *, reason: str, created_at: str
    ) -> int:
        """List ids that are not listed yet; return how many those are."""
        known = self._keys.setdefault((role, scope), set())
        keys = dict.fromkeys(self.key(role, scope, value) for value in values)
        new = tuple(key for key in keys if key not in known)
        if new:
            known.update(new)
            self.requests.append(Request(role, scope, reason, created_at, new))
        return len(new)

    def to_bytes(self) -> bytes:
        lines: list[Mapping[str, Any]] = [{"format": FORMAT, "salt": self.salt}]
        lines += [asdict(request) for request in self.requests]
        return "".join(json.dumps(line, ensure_ascii=True) + "\n" for line in lines).encode()


def prefix(salt: str, role: str, scope: str) -> str:
    """What stands before an id when it is hashed."""
    return f"{salt}|{role}|{scope}|"


def tombstones_version(landing_dir: Path) -> tuple[int, int]:
    """Changes whenever the list does; (0, 0) where there is none."""
    try:
        status = (landing_dir / TOMBSTONES_FILE).stat()
    except OSError:
        return (0, 0)
    # The list is replaced, never written into: another file has another number.
    return (status.st_ino, status.st_mtime_ns)


def read_tombstones(landing_dir: Path) -> Tombstones:
    """The list; an empty one with a new salt if there is none.

    Raises:
        LoadError: the file is damaged.
    """
    path = landing_dir / TOMBSTONES_FILE
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines() if line]
        head = lines[0]
        if head["format"] != FORMAT:
            raise LoadError(
                f"The list of forgotten records {path} was written by another version.",
                "Update this program.",
            )
        requests = [Request(**{**line, "keys": tuple(line["keys"])}) for line in lines[1:]]
        return Tombstones(str(head["salt"]), requests)
    except (FileNotFoundError, NotADirectoryError):
        return Tombstones(secrets.token_hex(16))
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise LoadError(
            f"The list of forgotten records {path} cannot be read ({error}).",
            "Restore it from a copy: without it, forgotten records would come back.",
        ) from error


def write_tombstones(landing_dir: Path, tombstones: Tombstones) -> None:
    """Replace the list, durably.

    Raises:
        LoadError: it cannot be written.
    """
    try:
        make_durable_folder(landing_dir)
        with forgetting_gate(landing_dir, is_forgetting=True):
            replace_durably(landing_dir / TOMBSTONES_FILE, tombstones.to_bytes())
    except OSError as error:
        message, remedy = explain_os_error(error, doing="writing", path=landing_dir)
        raise LoadError(message, remedy) from error


def add_tombstones(
    connection: duckdb.DuckDBPyConnection,
    landing_dir: Path,
    records: Iterable[tuple[str, str, str]],
    *,
    reason: str,
    created_at: datetime,
) -> int:
    """Forget records, given as (source, stream, record_id): delete their raw rows now and keep them
    out of every later load. Return how many raw rows were deleted.

    The list in the landing folder is written first, so that a crash in between is made good by the
    next load. The load log stays as it is; landing files are not touched.

    Raises:
        LoadError: the list cannot be written.
    """
    list_records(landing_dir, records, reason=reason, created_at=created_at)
    return apply_tombstones(connection, landing_dir)


def list_records(
    landing_dir: Path,
    records: Iterable[tuple[str, str, str]],
    *,
    reason: str,
    created_at: datetime,
    people: Mapping[Role, Iterable[str]] | None = None,
) -> Tombstones:
    """Put records, and authors or customers, on the list and return it.

    Raises:
        LoadError: the list is damaged or cannot be written.
    """
    tombstones = read_tombstones(landing_dir)
    by_scope: dict[str, list[str]] = {}
    for source, stream, record_id in records:
        by_scope.setdefault(f"{source}/{stream}", []).append(record_id)
    instant = created_at.isoformat()
    added = 0
    for scope, ids in sorted(by_scope.items()):
        added += tombstones.add("record", scope, ids, reason=reason, created_at=instant)
    for role, values in (people or {}).items():
        added += tombstones.add(role, "", values, reason=reason, created_at=instant)
    if added:
        write_tombstones(landing_dir, tombstones)
    return tombstones


def key_in_sql(column: str) -> str:
    """SQL of the key of a record id; `$prefix` is bound to `prefix(...)`."""
    return f"left(sha256(concat($prefix, {column})), {KEY_DIGITS})"


def apply_tombstones(connection: duckdb.DuckDBPyConnection, landing_dir: Path) -> int:
    """Bring raw.tombstones up to date with the landing folder and delete the rows it names; return
    how many rows were deleted.

    Raises:
        LoadError: the list is damaged.
    """
    ensure_raw_tables(connection, ())
    listed = read_tombstones(landing_dir)
    known = set(
        connection.execute("select role, source, stream, record_key from raw.tombstones").fetchall()
    )
    new: list[dict[str, str]] = []
    for request in listed.requests:
        source, _, stream = request.scope.partition("/")
        new += [
            {
                "source": source,
                "stream": stream,
                "role": request.role,
                "record_key": key,
                "salt": listed.salt,
                "reason": request.reason,
                "created_at": request.created_at,
            }
            for key in request.keys
            if (request.role, source, stream, key) not in known
        ]
    if not new:
        return 0
    deleted = 0
    connection.begin()
    connection.register("new_tombstones", pa.Table.from_pylist(new))
    try:
        connection.execute(
            "insert into raw.tombstones select source, stream, role, record_key, salt, reason, "
            "cast(created_at as timestamptz) from new_tombstones"
        )
        streams = sorted({(row["source"], row["stream"]) for row in new if row["role"] == "record"})
        ensure_raw_tables(connection, streams)
        for source, stream in streams:
            gone = connection.execute(
                f"delete from {raw_table(source, stream)} where {key_in_sql('record_id')} in "
                "(select record_key from raw.tombstones where role = 'record' "
                "and source = $source and stream = $stream)",
                {
                    "prefix": prefix(listed.salt, "record", f"{source}/{stream}"),
                    "source": source,
                    "stream": stream,
                },
            ).fetchall()
            deleted += int(gone[0][0])
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    finally:
        connection.unregister("new_tombstones")
    return deleted
