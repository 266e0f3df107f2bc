"""Which fields payloads have: bounded, whatever their keys are."""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest

from warehouse.payload_fields import MAX_PATHS, FieldCounts, count_fields, name_of


def rows(*payloads: Any, known: tuple[str, ...] = ()) -> dict[tuple[str, str], int]:
    texts = [json.dumps(payload) for payload in payloads]
    return {(path, kind): count for path, _, kind, count in count_fields(texts, known)}


def test_a_record_counts_once_for_a_path_and_type() -> None:
    found = rows(
        {"id": 1, "tags": ["a", "b"], "user": {"name": "x", "age": None}, "is_new": True},
        {"id": "2", "tags": [], "user": None},
    )
    assert found == {
        ("$", "object"): 2, ("$", "any"): 2,
        ("$.id", "number"): 1, ("$.id", "string"): 1, ("$.id", "any"): 2,
        ("$.tags", "array"): 2, ("$.tags", "any"): 2,
        ("$.tags[]", "string"): 1, ("$.tags[]", "any"): 1,
        ("$.user", "object"): 1, ("$.user", "any"): 1, ("$.user", "null"): 1,
        ("$.user.name", "string"): 1, ("$.user.name", "any"): 1,
        ("$.user.age", "null"): 1,
        ("$.is_new", "boolean"): 1, ("$.is_new", "any"): 1,
    }  # fmt: skip


def test_parents_are_told() -> None:
    texts = [json.dumps({"a": {"b": [{"c": 1}]}})]
    parents = {path: parent for path, parent, _, _ in count_fields(texts)}
    assert parents == {
        "$": "", "$.a": "$", "$.a.b": "$.a", "$.a.b[]": "$.a.b", "$.a.b[].c": "$.a.b[]",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("created_at", "created_at"), ("_shop", "_shop"), ("@type", "@type"), ("h1", "h1"),
        ("x-id", "x-id"), ("media:content", "media:content"), ("20240101", "*"), ("+1", "*"),
        ("ada@example.org", "*"), ("", "*"), ("a b", "*"), ("a.b", "*"), ("é", "*"),
        ("9f8b2c", "*"), ("user12345", "*"), ("a" * 49, "*"), ("<script>", "*"), ("\ud800", "*"),
        ("name\n", "*"), ("\u202ename", "*"),
    ],
)  # fmt: skip
def test_a_key_that_is_no_plain_name_is_a_star(key: str, name: str) -> None:
    assert name_of(key) == name


def words(count: int) -> list[str]:
    chance = random.Random(4)
    return ["".join(chance.choices(string.ascii_lowercase, k=12)) for _ in range(count)]


def test_a_map_is_one_path_however_many_keys_come() -> None:
    keys = words(3_000)
    found = rows(
        *({"id": number, "by_name": {key: {"score": 1}}} for number, key in enumerate(keys))
    )
    assert found["$.by_name.*", "any"] == 3_000
    assert found["$.by_name.*.score", "number"] == 3_000
    assert len({path for path, _ in found}) == 5


def test_an_object_with_many_fields_that_are_always_there_is_no_map() -> None:
    fields = words(100)
    found = rows(*({"row": dict.fromkeys(fields, 1)} for _ in range(5)))
    assert all(found[f"$.row.{field}", "number"] == 5 for field in fields)


def test_what_was_a_map_once_stays_one_in_a_small_sample() -> None:
    payload = {"by_name": {"ada": 1}}
    assert ("$.by_name.ada", "any") in rows(payload)
    known = ("$", "$.by_name", "$.by_name.*")
    assert ("$.by_name.*", "any") in rows(payload, known=known)
    # A key that is no name makes no map of an object whose other keys are known.
    mixed = {"reactions": {"+1": 1, "laugh": 2}}
    known = ("$", "$.reactions", "$.reactions.*", "$.reactions.laugh")
    assert ("$.reactions.laugh", "any") in rows(mixed, known=known)


def test_keys_that_came_before_count_too() -> None:
    keys = words(60)
    known: tuple[str, ...] = ("$", "$.by_name", *(f"$.by_name.{key}" for key in keys[:38]))
    payloads = [{"by_name": {key: {"n": 1}}} for key in keys[38:44]]
    found = rows(*payloads, known=known)
    assert found["$.by_name.*.n", "any"] == 6
    assert len({path for path, _ in found}) == 4


def test_paths_are_few_and_known_ones_stay() -> None:
    found = rows(dict.fromkeys(words(5_000), 1))
    paths = {path for path, _ in found}
    assert len(paths) <= MAX_PATHS + 1
    assert found["$.*", "any"] == 1

    # Commoner newcomers do not push out what the stream has had before.
    old = [*words(350), "rare"]
    newcomers = [f"new_{word}" for word in words(200)]
    payloads: list[Any] = [dict.fromkeys(newcomers, 1)] * 9 + [{"rare": 1}]
    kept = rows(*payloads, known=("$", *(f"$.{name}" for name in old)))
    assert kept["$.rare", "any"] == 1
    assert len({path for path, _ in kept}) <= MAX_PATHS + 1


@pytest.mark.parametrize(
    "payload",
    ["", "{", '{"a": ' + "[" * 100_000, '{"a": ' + "9" * 5_000 + "}", '{"a": NaNa}'],
)
def test_what_cannot_be_read_is_not_counted(payload: str) -> None:
    counts = FieldCounts()
    assert not counts.add(payload)
    assert counts.rows_in(counts.shape()) == []


def test_depth_is_bounded() -> None:
    nested: Any = 1
    for _ in range(50):
        nested = {"a": nested}
    assert max(path.count(".") for path, _ in rows(nested)) == 7
