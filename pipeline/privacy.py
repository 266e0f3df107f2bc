"""What must not land again, and under which key authors get pseudonyms."""

from __future__ import annotations

import json
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

from extract.personal import NOBODY, is_dropped, names_of, redact, shape_of
from pipeline.settings import Settings
from udfs.pseudonyms import KEY_VARIABLE, PseudonymKeyError, check_of, read_key
from warehouse.files import make_durable_folder, replace_durably
from warehouse.landing import Payload
from warehouse.tombstones import Role, Tombstones

KEY_MARK = "pseudonym_key.json"


def key_check(settings: Settings) -> str | None:
    """What tells this key from others; None where authors keep their names.

    Raises:
        PseudonymKeyError: there is no key.
    """
    return check_of(read_key()) if settings.privacy.pseudonymise_authors else None


def check_key(settings: Settings) -> None:
    """Refuse a build under another key than the pseudonyms so far were made with.

    Raises:
        PseudonymKeyError: the key is missing or another one.
    """
    check = key_check(settings)
    if check is None:
        return
    mark = settings.paths.state / KEY_MARK
    try:
        known = json.loads(mark.read_bytes()).get("check")
    except FileNotFoundError:
        known = None
    except (ValueError, AttributeError):
        known = "unreadable"
    if known not in (None, check):
        raise PseudonymKeyError(
            f"{KEY_VARIABLE} is not the key that the pseudonyms of this target were made with.",
            f"Set the former key; or delete {mark}, and the next build gives everybody another "
            "pseudonym.",
        )
    if known is None:
        make_durable_folder(mark.parent)
        replace_durably(mark, json.dumps({"check": check}).encode())


@dataclass(frozen=True, slots=True)
class _Listed:
    """The listed ids of a role: whether one is in it can be asked, which they are cannot."""

    tombstones: Tombstones
    role: Role

    def isdisjoint(self, other: Iterable[str], /) -> bool:
        return not len(self) or not any(value in self for value in other)

    def __contains__(self, value: object, /) -> bool:
        return self.tombstones.has(self.role, "", str(value))

    def __len__(self) -> int:
        return int(self.tombstones.concerns(self.role))


@dataclass(frozen=True, slots=True)
class _Everyone:
    """The whole list, as payloads are compared with it. Orders are listed by record."""

    posts: _Listed
    authors: _Listed
    customers: _Listed
    orders: frozenset[str] = frozenset()


def guard(
    tombstones: Tombstones, source: str, stream: str, record_id: str, payload: Payload
) -> Payload | None:
    """What may land of a payload: None for what repeats a forgotten post or is by an author who is
    kept out; without copies of forgotten posts and what names a forgotten customer.

    The same object is returned where nothing has to change.
    """
    shape = shape_of(source, stream)
    if shape is NOBODY:
        return payload
    try:
        content = json.loads(payload) if isinstance(payload, str) else payload
    except (ValueError, RecursionError):
        return payload
    if not isinstance(content, dict):
        return payload
    everyone = _Everyone(
        _Listed(tombstones, "post"), _Listed(tombstones, "author"), _Listed(tombstones, "customer")
    )
    names = names_of(shape, record_id, content)
    if is_dropped(names, everyone):
        return None
    if not redact(shape, names, content, everyone, is_dry=True):
        return payload
    # What a source handed over is its own.
    content = deepcopy(content)
    redact(shape, names, content, everyone)
    return content
