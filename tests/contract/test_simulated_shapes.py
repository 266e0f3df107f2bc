"""Simulated records against the platforms' own schemas, field by field."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from extract import simulated
from extract.base import Context, Product, Record
from extract.simulated import Settings
from extract.simulated.shop import _NO_DECIMALS, _THREE_DECIMALS

Types = dict[str, dict[str, Any]]

CATALOGUE = (
    Product(
        "lumivo",
        "Lumivo Chat",
        "Lumivo",
        "AI chatbots",
        {
            "keyword": ("lumivo chat", "lumivo"),
            "hashtag": ("lumivochat",),
            "cashtag": ("LUMV",),
            "handle": ("lumivo_ai",),
            "sku": ("LUM-1", "LUM-2"),
        },
    ),
    Product("medlar", "Medlar", "Medlar", "analytics", {"keyword": ("medlar",), "sku": ("M-1",)}),
)
_SCALARS: dict[str, type | tuple[type, ...]] = {
    "ID": str,
    "String": str,
    "DateTime": str,
    "Decimal": str,
    "UnsignedInt64": str,
    "Boolean": bool,
    "Int": int,
    "Float": (int, float),
}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Record]]:
    folder = tmp_path_factory.mktemp("shapes")
    context = Context(
        run_id="run",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=CATALOGUE,
        root=folder,
        truth_path=folder / "truth.json",
    )
    found: dict[str, list[Record]] = defaultdict(list)
    for page in simulated.pull(Settings(days=45), {}, context):
        for record in page.records:
            found[record.stream].append(record)
    return found


def test_records_are_json_and_their_ids_are_those_of_the_payload(
    records: dict[str, list[Record]],
) -> None:
    id_fields = {
        "x/posts": "id",
        "x/users": "id",
        "shopify/orders": "id",
        "storefront/reviews": "review_id",
        "storefront/calendar_events": "event_id",
    }
    for stream, found in records.items():
        for record in found:
            assert json.loads(json.dumps(record.payload, allow_nan=False)) == record.payload
            assert isinstance(record.record_id, str)
            if stream in id_fields:
                assert record.payload[id_fields[stream]] == record.record_id


@cache
def x_schemas(shared: Path) -> dict[str, Any]:
    """The component schemas with unknown fields forbidden and `nullable` spelled out."""
    path = shared / "specs" / "x_api_v2_openapi.json"
    document = json.loads(path.read_text(encoding="utf-8"))

    def strict(node: Any) -> Any:
        if isinstance(node, list):
            return [strict(item) for item in node]
        if not isinstance(node, dict):
            return node
        changed = {key: strict(value) for key, value in node.items()}
        if "properties" in changed:
            changed["additionalProperties"] = False
        if changed.pop("nullable", False) and isinstance(changed.get("type"), str):
            changed["type"] = [changed["type"], "null"]
        return changed

    strict_document: dict[str, Any] = strict(document)
    return strict_document


@pytest.mark.shared
@pytest.mark.parametrize(("stream", "schema"), [("x/posts", "Post"), ("x/users", "User")])
def test_posts_and_users_fit_the_schema_of_x(
    records: dict[str, list[Record]], shared: Path, stream: str, schema: str
) -> None:
    document = x_schemas(shared)
    validator = jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    )
    checked = records[stream]
    rare = [r for r in checked if "withheld" in r.payload or "note_post" in r.payload]
    assert len(checked) > 500
    for record in [*checked[::4], *rare]:
        errors = [
            f"{'/'.join(map(str, error.path))}: {error.message}"
            for error in validator.iter_errors(record.payload)
        ]
        assert errors == []
        assert re.fullmatch(r"[0-9]{1,19}", record.record_id)


@pytest.mark.shared
def test_the_schema_of_x_bites(records: dict[str, list[Record]], shared: Path) -> None:
    document = x_schemas(shared)
    validator = jsonschema.Draft202012Validator(
        {"$ref": "#/components/schemas/Post", "components": document["components"]}
    )
    good = records["x/posts"][0].payload
    for change in (
        {"retweet_count": 1},
        {"text": 5},
        {"referenced_posts": [{"type": "liked", "id": "1"}]},
        {"public_metrics": {"like_count": 1}},
    ):
        assert list(validator.iter_errors({**good, **change}))


@cache
def shopify_types(shared: Path) -> Types:
    path = shared / "specs" / "shopify_admin_2026-07_introspection.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        document = json.load(file)
    schema = document.get("data", document)["__schema"]
    return {one["name"]: one for one in schema["types"]}


def problems(types: Types, value: Any, reference: dict[str, Any], path: str) -> list[str]:
    """Where a value differs from the GraphQL type, as readable lines."""
    kind = reference["kind"]
    if kind == "NON_NULL":
        if value is None:
            return [f"{path}: null where the type is not nullable"]
        return problems(types, value, reference["ofType"], path)
    if value is None:
        return []
    if kind == "LIST":
        if not isinstance(value, list):
            return [f"{path}: no list"]
        return [
            problem
            for index, item in enumerate(value)
            for problem in problems(types, item, reference["ofType"], f"{path}[{index}]")
        ]
    name = reference["name"]
    if kind == "SCALAR":
        return _scalar_problems(name, value, path)
    if kind == "ENUM":
        values = {one["name"] for one in types[name]["enumValues"]}
        return [] if value in values else [f"{path}: {value!r} is no {name}"]
    if not isinstance(value, dict):
        return [f"{path}: no object of {name}"]
    options = types[name].get("possibleTypes") if kind in ("UNION", "INTERFACE") else None
    if kind == "UNION":
        found = [_object_problems(types, value, one["name"], path) for one in options or ()]
        return min(found, key=len)
    return _object_problems(types, value, name, path)


def _scalar_problems(name: str, value: Any, path: str) -> list[str]:
    expected = _SCALARS.get(name)
    if expected is None:
        return [f"{path}: the scalar {name} is not expected here"]
    if not isinstance(value, expected) or (isinstance(value, bool) and name != "Boolean"):
        return [f"{path}: {value!r} is no {name}"]
    if name == "DateTime" and not _DATE_TIME.fullmatch(value):
        return [f"{path}: {value!r} is no instant"]
    if name == "Decimal" and not re.fullmatch(r"\d+(\.\d+)?", value):
        return [f"{path}: {value!r} is no decimal string"]
    if name == "ID" and not value.startswith("gid://shopify/"):
        return [f"{path}: {value!r} is no global id"]
    return []


def _object_problems(types: Types, value: dict[str, Any], name: str, path: str) -> list[str]:
    fields = {one["name"]: one for one in types[name]["fields"]}
    found = []
    for key, item in value.items():
        if key not in fields:
            found.append(f"{path}.{key}: no field of {name}")
        elif fields[key]["isDeprecated"]:
            found.append(f"{path}.{key}: deprecated")
        else:
            found += problems(types, item, fields[key]["type"], f"{path}.{key}")
    return found


@pytest.mark.shared
def test_orders_fit_the_types_of_shopify(records: dict[str, list[Record]], shared: Path) -> None:
    types = shopify_types(shared)
    order = {"kind": "OBJECT", "name": "Order"}
    orders = [record.payload for record in records["shopify/orders"]]
    special = [node for node in orders if node["refunds"] or node["cancelledAt"] or node["test"]]
    assert len(orders) > 1000
    assert len(special) > 50
    for node in [*orders[::10], *special]:
        assert problems(types, node, order, "Order") == []


@pytest.mark.shared
def test_the_types_of_shopify_bite(records: dict[str, list[Record]], shared: Path) -> None:
    types = shopify_types(shared)
    order = {"kind": "OBJECT", "name": "Order"}
    good = records["shopify/orders"][0].payload
    for change in (
        {"totalAmount": 1},
        {"test": "no"},
        {"createdAt": None},
        {"cancelReason": "BORED"},
        {"totalPriceSet": {"shopMoney": {"amount": 12.5, "currencyCode": "USD"}}},
        {"totalPrice": "12.50"},
        {"lineItems": {"nodes": [{"sku": 7}]}},
    ):
        assert problems(types, {**good, **change}, order, "Order") != []


@pytest.mark.shared
def test_currencies_of_other_decimals_are_currencies_of_shopify(shared: Path) -> None:
    known = {one["name"] for one in shopify_types(shared)["CurrencyCode"]["enumValues"]}
    assert known >= _NO_DECIMALS
    assert known >= _THREE_DECIMALS


@pytest.mark.shared
def test_submissions_have_fields_that_reddit_sends(
    records: dict[str, list[Record]], shared: Path
) -> None:
    recorded: dict[str, set[type]] = defaultdict(set)
    for path in sorted((shared / "fixtures" / "reddit").glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8")).get("response", {}).get("json")
        if isinstance(body, dict) and isinstance(body.get("data"), dict):
            for child in body["data"].get("children") or ():
                if child["kind"] == "t3":
                    for key, value in child["data"].items():
                        recorded[key].add(type(value))
    assert len(recorded) > 80
    for record in records["reddit/submissions"]:
        assert set(record.payload) == {"kind", "data"}
        assert record.payload["kind"] == "t3"
        data = record.payload["data"]
        assert set(data) <= set(recorded)
        assert isinstance(data["created_utc"], float)
        assert data["edited"] is False or isinstance(data["edited"], float)
        assert data["name"] == f"t3_{data['id']}"
        for key in ("title", "selftext", "author", "permalink", "subreddit", "score", "is_self"):
            assert type(data[key]) in recorded[key]


def test_storefront_and_search_records_have_exactly_their_fields(
    records: dict[str, list[Record]],
) -> None:
    fields = {
        "storefront/reviews": {
            "review_id",
            "sku",
            "rating",
            "title",
            "body",
            "author_name",
            "verified_purchase",
            "created_at",
            "updated_at",
        },
        "storefront/calendar_events": {"event_id", "kind", "sku", "name", "starts_on", "ends_on"},
        "google_trends/interest": {
            "term",
            "geo",
            "date",
            "value",
            "is_partial",
            "resolution",
            "window_start",
            "window_end",
            "draw",
            "scale",
        },
    }
    for stream, expected in fields.items():
        assert records[stream]
        for record in records[stream]:
            assert set(record.payload) == expected
    for record in records["storefront/calendar_events"]:
        assert record.payload["kind"] in {"promotion", "holiday", "stock_out", "closed"}
        assert record.payload["starts_on"] <= record.payload["ends_on"]
    for record in records["storefront/reviews"]:
        assert record.payload["rating"] in range(1, 6)
        assert _DATE_TIME.fullmatch(record.payload["created_at"])
