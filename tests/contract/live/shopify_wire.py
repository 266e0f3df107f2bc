"""A shop that speaks Shopify's Admin API: GraphQL with variables, relay pages, a bucket of points,
bulk operations and the client-credentials grant.

Queries are parsed and answered field by field, so that what was not asked for is not there. Nodes
are plain dictionaries with a `__typename`; a list under a connection's name is its nodes.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol
from urllib.parse import parse_qsl

from graphql import FieldNode, InlineFragmentNode, OperationDefinitionNode, SelectionSetNode, parse
from graphql.utilities import value_from_ast_untyped

from tests.contract.live.server import Reply, Request, json_reply

Node = dict[str, Any]
_TERM = re.compile(r"(created_at|updated_at):(>=|<)'([^']+)'")
_STAMPS = {"created_at": "createdAt", "updated_at": "updatedAt"}
CONNECTIONS = frozenset(
    {
        "lineItems",
        "variants",
        "refundLineItems",
        "refundShippingLines",
        "orderAdjustments",
        "orders",
        "products",
        "bulkOperations",
    }
)
_FREE = frozenset({"nodes", "edges", "pageInfo", "shopMoney", "presentmentMoney"})


class SharedTime(Protocol):
    """The time of both sides of the wire."""

    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class ShopError(Exception):
    """An error of the whole query, with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@cache
def _parsed(text: str) -> OperationDefinitionNode:
    (definition,) = parse(text).definitions
    assert isinstance(definition, OperationDefinitionNode)
    return definition


@dataclass
class ShopWire:
    """One shop. `orders` and `products` give all nodes as they are now; `deepest` is the most
    objects that a query can be paged through; `throttled_status` the status of a refusal for want
    of points; `polls` how often a bulk operation is asked for before it has ended."""

    orders: Callable[[], Iterable[Node]]
    products: Callable[[], Iterable[Node]]
    time: SharedTime
    token: str = ""
    client: tuple[str, str] | None = None
    token_lasts_s: float = 86_399.0
    version: str = "2026-07"
    maximum: float = 2_000.0
    restore_per_s: float = 100.0
    dearest: float = 1_000.0
    deepest: int = 25_000
    throttled_status: int = 200
    polls: int = 2
    denied: frozenset[str] = frozenset()
    scopes: tuple[str, ...] = ("read_orders", "read_products")
    bulk_end: tuple[str, str | None] = ("COMPLETED", None)
    pages: Callable[[list[Node], int, str | None], tuple[list[Node], str | None] | None] | None = (
        None
    )
    twist: Callable[[Node], Node] = dict
    refused: int = 0
    dearest_asked: float = 0.0
    deepest_read: int = 0
    operations: list[Node] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    results: dict[int, bytes] = field(default_factory=dict)
    tokens: list[tuple[str, float]] = field(default_factory=list)
    queries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    available: float = -1.0
    _at: float = 0.0
    _errors: list[Node] = field(default_factory=list)

    def answer(self, request: Request) -> Reply:
        if request.path == "/admin/oauth/access_token":
            return self._grant(request)
        if request.path.startswith("/bulk/"):
            assert "x-shopify-access-token" not in request.headers
            content = self.files.get(request.path.removeprefix("/bulk/"))
            return Reply(404) if content is None else Reply(200, content)
        assert request.path == f"/admin/api/{self.version}/graphql.json", request.path
        if not self._is_open(request.headers.get("x-shopify-access-token", "")):
            said = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return json_reply({"errors": said}, 401)
        asked = json.loads(request.body)
        return self._answer(asked["query"], asked.get("variables") or {})

    def _grant(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode()))
        if form.pop("grant_type") != "client_credentials" or self.client != (
            form["client_id"],
            form["client_secret"],
        ):
            return json_reply({"error": "invalid_client"}, 401)
        token = f"shpat_granted_{len(self.tokens)}"
        self.tokens.append((token, self.time.monotonic() + self.token_lasts_s))
        granted = {"access_token": token, "scope": "read_orders", "expires_in": self.token_lasts_s}
        return json_reply(granted)

    def _is_open(self, token: str) -> bool:
        now = self.time.monotonic()
        return (bool(self.token) and token == self.token) or any(
            token == given and now < ends for given, ends in self.tokens
        )

    def _answer(self, text: str, variables: dict[str, Any]) -> Reply:
        operation = _parsed(text)
        self.queries.append((operation.name.value if operation.name else "", variables))
        requested = _requested(operation.selection_set, variables)
        self.dearest_asked = max(self.dearest_asked, requested)
        if requested > self.dearest:
            said = f"Query cost is {requested:g}, which exceeds the single query max cost limit"
            return json_reply({"errors": [_error("MAX_COST_EXCEEDED", said)]})
        self._restore()
        if self.available < requested:
            self.refused += 1
            content = {
                "errors": [_error("THROTTLED", "Throttled")],
                "extensions": self._cost(requested, None),
            }
            return json_reply(content, self.throttled_status)
        self._errors = []
        actual = [0.0]
        try:
            data = self._project(
                {"__typename": "Root"}, operation.selection_set, variables, actual, self._root
            )
        except ShopError as error:
            return json_reply({"errors": [_error(error.code, str(error))]})
        spent = min(requested, actual[0])
        self.available -= spent
        content = {"data": data, "extensions": self._cost(requested, spent)}
        if self._errors:
            content["errors"] = self._errors
        return json_reply(content)

    def _restore(self) -> None:
        now = self.time.monotonic()
        if self.available < 0:
            self.available, self._at = self.maximum, now
        self.available = min(self.maximum, self.available + (now - self._at) * self.restore_per_s)
        self._at = now

    def _cost(self, requested: float, actual: float | None) -> Node:
        return {
            "cost": {
                "requestedQueryCost": requested,
                "actualQueryCost": actual,
                "throttleStatus": {
                    "maximumAvailable": self.maximum,
                    "currentlyAvailable": self.available,
                    "restoreRate": self.restore_per_s,
                },
            }
        }

    # What the root's fields are ------------------------------------------------------------------

    def _root(self, name: str, arguments: Node) -> Any:
        if name in self.denied:
            raise ShopError("ACCESS_DENIED", f"Access denied for {name} field.")
        if name in ("orders", "products"):
            return self.filtered(name, arguments)
        if name == "nodes":
            return [self._node(node_id) for node_id in arguments["ids"]]
        if name == "node":
            return self._node(arguments["id"])
        if name == "ordersCount":
            found = len(self.filtered("orders", arguments))
            return {"count": min(found, arguments["limit"]), "precision": "EXACT"}
        if name == "currentAppInstallation":
            return {"accessScopes": [{"handle": scope} for scope in self.scopes]}
        if name == "bulkOperations":
            return self.operations[::-1]
        assert name == "bulkOperationRunQuery", name
        return self._run(arguments)

    def filtered(self, name: str, arguments: Node) -> list[Node]:
        """The nodes that a search meets, in the order asked for."""
        nodes = list(self.orders() if name == "orders" else self.products())
        for field_name, sign, value in self.terms(arguments):
            stamp = _STAMPS[field_name]
            if sign == ">=":
                nodes = [node for node in nodes if node[stamp] >= value]
            else:
                nodes = [node for node in nodes if node[stamp] < value]
        key = str(arguments.get("sortKey", "UPDATED_AT")).lower()
        return sorted(nodes, key=lambda node: _place(node, key))

    def terms(self, arguments: Node) -> list[tuple[str, str, str]]:
        """The (field, sign, instant) of a search; it may hold nothing else."""
        text = arguments.get("query") or ""
        found: list[tuple[str, str, str]] = _TERM.findall(text)
        assert " AND ".join(f"{name}:{sign}'{value}'" for name, sign, value in found) == text, text
        return found

    def _node(self, node_id: str) -> Node | None:
        if "BulkOperation" in node_id:
            return self._polled(node_id)
        for order in self.orders():
            if order["id"] == node_id:
                return order
            for refund in order["refunds"]:
                if refund["id"] == node_id:
                    return dict(refund)
        return next((p for p in self.products() if p["id"] == node_id), None)

    # Bulk ----------------------------------------------------------------------------------------

    def _run(self, arguments: Node) -> Node:
        if any(operation["status"] == "RUNNING" for operation in self.operations):
            error = {"code": "OPERATION_IN_PROGRESS", "field": None, "message": "One at a time"}
            return {"bulkOperation": None, "userErrors": [error]}
        number = len(self.operations) + 1
        count, roots, size = self.keep(number, self._bulk_lines(arguments["query"]))
        operation = {
            "__typename": "BulkOperation",
            "id": f"gid://shopify/BulkOperation/{number}",
            "status": "RUNNING",
            "errorCode": None,
            "createdAt": _text(self.time.now()),
            "completedAt": None,
            "objectCount": str(count),
            "rootObjectCount": str(roots),
            "fileSize": str(size),
            "url": None,
            "partialDataUrl": None,
            "query": arguments["query"],
            "polls": 0,
        }
        self.operations.append(operation)
        return {"bulkOperation": operation, "userErrors": []}

    def keep(self, number: int, lines: Iterable[Node]) -> tuple[int, int, int]:
        """Write the result of an operation; returns its lines, its roots and its bytes."""
        written = list(lines)
        content = "".join(json.dumps(line) + "\n" for line in written).encode()
        self.results[number] = content
        return len(written), sum("__parentId" not in line for line in written), len(content)

    def publish(self, number: int, name: str, *, is_whole: bool) -> None:
        """Show the result of an operation under a name, whole or the part that was written."""
        content = self.results[number]
        self.files[name] = content if is_whole else content[: len(content) // 2]

    def _polled(self, operation_id: str) -> Node | None:
        found = next((o for o in self.operations if o["id"] == operation_id), None)
        if found is None or found["status"] != "RUNNING":
            return found
        found["polls"] += 1
        if found["polls"] >= self.polls:
            status, code = self.bulk_end
            number = operation_id.rpartition("/")[2]
            found |= {"status": status, "errorCode": code}
            if found["objectCount"] != "0":
                is_whole = status == "COMPLETED"
                self.publish(int(number), f"{number}.jsonl", is_whole=is_whole)
                place = f"{self.url}/bulk/{number}.jsonl?signature=abc"
                found["url" if is_whole else "partialDataUrl"] = place
        return found

    url: str = ""

    def _bulk_lines(self, text: str) -> Iterator[Node]:
        """Parents and, somewhere behind them, their children."""
        (root,) = _parsed(text).selection_set.selections
        assert isinstance(root, FieldNode)
        selection = _below(_below(root, "edges"), "node").selection_set
        assert selection is not None
        late: list[Node] = []
        for number, node in enumerate(self.filtered("orders", _arguments(root, {}))):
            line: Node = {}
            children: list[Node] = []
            for chosen in selection.selections:
                assert isinstance(chosen, FieldNode)
                name = chosen.name.value
                if name in CONNECTIONS:
                    inner = _below(_below(chosen, "edges"), "node").selection_set
                    assert inner is not None
                    for child in node[name]:
                        shown = self._project(child, inner, {}, [0.0])
                        children.append({**shown, "__parentId": node["id"]})
                else:
                    line[name] = self._value(node.get(name), chosen, {}, [0.0])
            yield self.twist(line | ({"_number": node["_number"]} if "_number" in node else {}))
            late += children
            if number % 3 == 2:
                yield from late
                late = []
        yield from late

    # Fields --------------------------------------------------------------------------------------

    def _project(
        self,
        node: Node,
        selection: SelectionSetNode,
        variables: Mapping[str, Any],
        actual: list[float],
        resolve: Callable[[str, Node], Any] | None = None,
    ) -> Node:
        shown: Node = {}
        for chosen in selection.selections:
            if isinstance(chosen, InlineFragmentNode):
                if chosen.type_condition.name.value == node.get("__typename"):
                    shown |= self._project(node, chosen.selection_set, variables, actual)
                continue
            assert isinstance(chosen, FieldNode)
            name = chosen.name.value
            if resolve is not None:
                value = resolve(name, _arguments(chosen, variables))
            elif name in self.denied:
                self._errors.append(
                    _error("ACCESS_DENIED", f"Access denied for {name} field.", [name])
                )
                value = None
            else:
                value = node[name]
            shown[name] = self._value(value, chosen, variables, actual)
        return shown

    def _value(
        self, value: Any, chosen: FieldNode, variables: Mapping[str, Any], actual: list[float]
    ) -> Any:
        if value is None or chosen.selection_set is None:
            return value
        name = chosen.name.value
        if name in CONNECTIONS:
            actual[0] += 2.0
            return self._connection(value, chosen, variables, actual)
        if isinstance(value, list):
            return [
                None
                if item is None
                else self._counted(item, name, chosen.selection_set, variables, actual)
                for item in value
            ]
        return self._counted(value, name, chosen.selection_set, variables, actual)

    def _counted(
        self,
        value: Node,
        name: str,
        selection: SelectionSetNode,
        variables: Mapping[str, Any],
        actual: list[float],
    ) -> Node:
        actual[0] += 0.0 if _is_free(name) else 1.0
        return self._project(value, selection, variables, actual)

    def _connection(
        self,
        nodes: list[Node],
        chosen: FieldNode,
        variables: Mapping[str, Any],
        actual: list[float],
    ) -> Node:
        arguments = _arguments(chosen, variables)
        size, after = int(arguments["first"]), arguments.get("after")
        assert 0 < size <= 250, size
        is_root = chosen.name.value in ("orders", "products")
        special = self.pages(nodes, size, after) if is_root and self.pages else None
        if special is not None:
            page, end = special
            info = {"hasNextPage": end is not None, "endCursor": end}
        else:
            key = str(arguments.get("sortKey", "")).lower()
            start = _after(nodes, after, key)
            page = nodes[start : start + size]
            if is_root:
                self.deepest_read = max(self.deepest_read, start + len(page))
                if start + len(page) > self.deepest:
                    raise ShopError("BAD_REQUEST", "Pagination beyond the limit of objects")
            more = start + size < len(nodes)
            end = _cursor(page[-1], start + len(page), key) if page else None
            info = {"hasNextPage": more, "endCursor": end}
        actual[0] += len(page)
        inner = next(s for s in _fields(chosen.selection_set) if s.name.value == "nodes")
        assert inner.selection_set is not None
        shown = []
        for node in page:
            one = self._project(node, inner.selection_set, variables, actual)
            if is_root:
                one = self.twist({**one, "_number": node["_number"]} if "_number" in node else one)
            shown.append(one)
        return {"nodes": shown, "pageInfo": info}


def _place(node: Node, key: str) -> tuple[str, int]:
    return str(node[_STAMPS.get(key, "updatedAt")]), int(node["id"].rpartition("/")[2])


def _cursor(node: Node, number: int, key: str) -> str:
    place = list(_place(node, key)) if key in _STAMPS else [number]
    return base64.b64encode(json.dumps(place).encode()).decode()


def _after(nodes: list[Node], after: str | None, key: str) -> int:
    """How many nodes lie before a cursor: by place where the listing is sorted, else by count."""
    if after is None:
        return 0
    place = json.loads(base64.b64decode(after))
    if key not in _STAMPS:
        return int(place[0])
    return sum(list(_place(node, key)) <= place for node in nodes)


def _requested(selection: SelectionSetNode | None, variables: Mapping[str, Any]) -> float:
    """Points by Shopify's rule: an object 1, a connection 2 and what its `first` nodes cost."""
    total = 0.0
    for chosen in selection.selections if selection else ():
        if isinstance(chosen, InlineFragmentNode):
            total += _requested(chosen.selection_set, variables)
            continue
        assert isinstance(chosen, FieldNode)
        if chosen.selection_set is None:
            continue
        name = chosen.name.value
        arguments = _arguments(chosen, variables)
        inner = _requested(chosen.selection_set, variables)
        if name in CONNECTIONS:
            # `nodes` is free, so each node is counted here.
            total += 2.0 + float(arguments.get("first", 10)) * (1.0 + inner)
        elif name == "nodes" and "ids" in arguments:
            total += len(arguments["ids"]) * (1.0 + inner)
        else:
            total += inner + (0.0 if _is_free(name) else 1.0)
    return total


def _is_free(name: str) -> bool:
    return name in _FREE or name.endswith("Set")


def _fields(selection: SelectionSetNode | None) -> list[FieldNode]:
    chosen = selection.selections if selection else ()
    return [one for one in chosen if isinstance(one, FieldNode)]


def _below(node: FieldNode, name: str) -> FieldNode:
    return next(one for one in _fields(node.selection_set) if one.name.value == name)


def _arguments(node: FieldNode, variables: Mapping[str, Any]) -> Node:
    return {
        argument.name.value: value_from_ast_untyped(argument.value, dict(variables))
        for argument in node.arguments or ()
    }


def _error(code: str, message: str, path: list[str] | None = None) -> Node:
    extensions: Node = {"code": code}
    if code == "ACCESS_DENIED":
        extensions["requiredAccess"] = "`read_orders` access scope."
    error: Node = {"message": message, "extensions": extensions}
    return error | ({"path": path} if path else {})


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
