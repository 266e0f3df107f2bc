"""Records as messages of a Kafka topic: one topic a stream, one JSON object a message.

    topic  <prefix><source>.<stream>            social-signals.x.posts
    key    the record's id
    value  {"fetched_at":"…","record_id":"…","payload":{…},"is_simulated":true}

The value is a line of a landing file; `is_simulated` is there for simulated records only. A topic
of somebody else holds payloads alone: settings say which stream it is and which key names a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from extract._outcomes import SkipError
from extract.base import Record


@dataclass(frozen=True, slots=True)
class Reading:
    """How the messages of a topic are read: they are records of `stream` (as in `x/posts`).
    `id_key` names the record within a bare payload, dots going into objects; None where messages
    are as this project writes them."""

    stream: str
    id_key: str | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A message's record, and whether it says of itself that it was made by a simulation."""

    record: Record
    is_simulated: bool


def topic_of(prefix: str, stream: str) -> str:
    """The topic of a stream: `x/posts` becomes `<prefix>x.posts`."""
    return prefix + stream.replace("/", ".")


def readings(
    prefix: str, streams: Iterable[tuple[str, str]], others: Mapping[str, Reading]
) -> dict[str, Reading]:
    """How each topic is read, by name: those of the declared streams, and topics of others."""
    own = {
        topic_of(prefix, f"{source}/{stream}"): Reading(f"{source}/{stream}")
        for source, stream in streams
    }
    return {**own, **others}


def encode(record: Record, *, is_simulated: bool) -> tuple[bytes, bytes]:
    """Key and value of a record's message.

    Raises:
        SkipError: the payload holds what JSON does not know.
    """
    content: dict[str, Any] = {
        "fetched_at": record.fetched_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "record_id": record.record_id,
        "payload": record.payload,
    }
    if is_simulated:
        content["is_simulated"] = True
    try:
        # ASCII, so that a lone surrogate travels as it was received.
        value = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise SkipError(f"payload is not JSON: {error}") from error
    return record.record_id.encode("utf-8", "backslashreplace"), value.encode()


def decode(value: bytes | None, reading: Reading, *, sent_at: datetime) -> Decoded:
    """The record of a message; `sent_at` stands in where a bare payload names no instant.

    Raises:
        SkipError: the message holds no record, with what is wrong with it.
    """
    if value is None:
        raise SkipError("the message has no value")
    try:
        content = json.loads(value.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise SkipError(f"the message is not UTF-8 ({error.reason} at {error.start})") from error
    except (ValueError, RecursionError) as error:
        raise SkipError(f"the message is not JSON ({_short(error)})") from error
    if not isinstance(content, dict):
        raise SkipError("the message is no JSON object")
    if reading.id_key is not None:
        record_id = _id_of(content, reading.id_key)
        return Decoded(Record(reading.stream, record_id, content, sent_at), is_simulated=False)
    payload = content.get("payload")
    if not isinstance(payload, dict):
        raise SkipError("payload is no JSON object")
    is_simulated = content.get("is_simulated", False)
    if not isinstance(is_simulated, bool):
        raise SkipError("is_simulated is neither true nor false")
    record_id = _id_of(content, "record_id")
    fetched_at = _instant(content.get("fetched_at"))
    return Decoded(Record(reading.stream, record_id, payload, fetched_at), is_simulated)


def _id_of(content: Mapping[str, Any], path: str) -> str:
    found: Any = content
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, str | int) or not str(found).strip():
        raise SkipError(f"{path} is no id")
    return str(found)


def _instant(value: object) -> datetime:
    try:
        instant = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise SkipError(f"fetched_at is no instant: {str(value)[:60]!r}") from error
    if instant.tzinfo is None:
        raise SkipError(f"fetched_at has no offset: {str(value)[:60]!r}")
    return instant


def _short(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__
