"""One Shopify shop that can be asked: its questions, and what makes an answer whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from extract import _shopify_queries as queries
from extract._graphql import COST_CODES, DENIED_CODES, Bucket, GraphAnswer, QueryError, ask
from extract._outcomes import RetryError
from extract._state import Progress, Seen
from extract.base import Context, Json, Page, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http
    from extract._shopify_login import Login
    from extract.shopify import Settings

NAME = "shopify"
ORDERS, PRODUCTS = "shopify/orders", "shopify/products"
LINES, VARIANTS = 5, 50
"""Lines of an order and variants of a product in the first answer; the rest is asked for."""
REFUNDS_A_QUERY = 8
_REFUND_LINES, _REFUND_PARTS = 20, 5
_MORE_A_PAGE = 100
_COUNT_LIMIT = 1_000_000


@dataclass(slots=True)
class Shop:
    """One shop that can be asked. `sizes` are the objects a page that the platform takes."""

    name: str
    settings: Settings
    context: Context
    url: str
    http: Http
    login: Login
    bucket: Bucket
    seen: Seen = field(default_factory=Seen)
    sizes: dict[str, int] = field(default_factory=dict)
    _noted: set[str] = field(default_factory=set)
    _notes: list[str] = field(default_factory=list)

    def ask(
        self,
        query: str,
        variables: Mapping[str, Any],
        *,
        root: str,
        what: str,
        size: int = 0,
    ) -> Any:  # noqa: ANN401 - as received
        """The field `root` of a query; what is denied beside it becomes a note, once a field."""

        def accept(data: Json) -> bool:
            return root in data and _is_asked_for(data[root], variables)

        # The same text costs by how much is asked for.
        key = f"{what} {size}"
        found = ask(
            self.http,
            f"{self.url}/admin/api/{self.settings.api_version}/graphql.json",
            query=query,
            variables=variables,
            headers=self.login.headers(),
            what=f"{what} of {self.name}",
            units={"points": max(1, int(self.bucket.cost_of(key)))},
            bucket=self.bucket,
            key=key,
            accept=accept,
        )
        self._note(found)
        return found.data[root]

    def _note(self, found: GraphAnswer) -> None:
        for error, note in zip(found.errors, found.notes, strict=True):
            path = error.get("path")
            steps = path if isinstance(path, list) else [note]
            place = ".".join(str(step) for step in steps if not isinstance(step, int))
            if place not in self._noted:
                self._noted.add(place)
                self._notes.append(f"{NAME} {self.name}: {note}")

    def say(self, note: str) -> None:
        """Keep a note for the next page, once."""
        if note not in self._noted:
            self._noted.add(note)
            self._notes.append(note)

    def take_notes(self) -> list[str]:
        notes, self._notes = self._notes, []
        return notes

    def connection(
        self, query: str, name: str, variables: Json, *, what: str, size: int
    ) -> tuple[Json, Json]:
        """A page of a connection of the query's root, smaller where the platform finds it too
        expensive; returns the page and its `pageInfo`."""
        return connection_of(self._sized(query, name, variables, what, size), what, self.name)

    def _sized(self, query: str, root: str, variables: Json, what: str, size: int) -> Any:  # noqa: ANN401
        size = self.sizes.get(what, size)
        while True:
            try:
                asked = {**variables, "first": size}
                return self.ask(query, asked, root=root, what=what, size=size)
            except QueryError as error:
                if not error.codes & COST_CODES or size == 1:
                    raise
                size = max(1, size // 2)
                self.sizes[what] = size

    def rest(self, owner_id: str, name: str, first: object, *, what: str) -> list[Any]:
        """All nodes of a nested connection, of which `first` is the first page."""
        page, info = connection_of(first, what, self.name)
        nodes = list(listed(page.get("nodes")))
        met: set[str] = set()
        while info.get("hasNextPage") and isinstance(info.get("endCursor"), str):
            after = info["endCursor"]
            if after in met:
                raise RetryError(
                    f"{NAME} {self.name}: the {what} of {owner_id} do not end.",
                    "Run again; if it stays, the platform or a proxy before it repeats its pages.",
                )
            met.add(after)
            variables = {"id": owner_id, "after": after}
            owner = self._sized(queries.MORE[name], "node", variables, f"more {what}", _MORE_A_PAGE)
            if not isinstance(owner, dict):
                raise RetryError(
                    f"{NAME} {self.name}: {owner_id} vanished while its {what} were read.",
                    "Run again.",
                )
            page, info = connection_of(owner.get(name), what, self.name)
            nodes += listed(page.get("nodes"))
        return nodes

    def complete_orders(self, orders: Sequence[Json]) -> None:
        """Put what does not fit into the first answer into each order: the rest of its lines, and
        what is in its refunds."""
        for order in orders:
            if isinstance(order.get("lineItems"), dict):
                lines = self.rest(order["id"], "lineItems", order["lineItems"], what="lines")
                order["lineItems"] = {"nodes": lines}
        wanted = [refund["id"] for order in orders for refund in _refunds(order)]
        details: dict[str, Json] = {}
        for start in range(0, len(wanted), REFUNDS_A_QUERY):
            for refund in self._refund_details(wanted[start : start + REFUNDS_A_QUERY]):
                details[str(refund.get("id"))] = refund
        for order in orders:
            if _refunds(order):
                order["refunds"] = [details.get(refund["id"], refund) for refund in _refunds(order)]

    def _refund_details(self, ids: list[str]) -> list[Json]:
        variables = {"ids": ids, "lines": _REFUND_LINES, "others": _REFUND_PARTS}
        try:
            nodes = self.ask(
                queries.REFUNDS, variables, root="nodes", what="refunds", size=len(ids)
            )
        except QueryError as error:
            if not error.codes & COST_CODES or len(ids) == 1:
                raise
            middle = len(ids) // 2
            return [*self._refund_details(ids[:middle]), *self._refund_details(ids[middle:])]
        found = [refund for refund in listed(nodes) if isinstance(refund, dict)]
        if len(found) < len(ids):
            self.say(f"{NAME} {self.name}: some refunds vanished while they were read.")
        for refund in found:
            for name in ("refundLineItems", "refundShippingLines", "orderAdjustments"):
                if isinstance(refund.get(name), dict):
                    nodes = self.rest(str(refund.get("id")), name, refund[name], what=name)
                    refund[name] = {"nodes": nodes}
        return found

    def complete_products(self, products: Sequence[Json]) -> None:
        for product in products:
            if isinstance(product.get("variants"), dict):
                nodes = self.rest(product["id"], "variants", product["variants"], what="variants")
                product["variants"] = {"nodes": nodes}

    def record(self, stream: str, node: Json) -> Record:
        """A node as it lands: as received, with the shop it is of."""
        payload = {**node, "_shop": self.name}
        return Record(stream, node["id"], payload, self.context.clock.now())

    def page(
        self,
        progress: Progress,
        records: Sequence[Record] = (),
        rejects: Sequence[Reject] = (),
        notes: Sequence[str] = (),
    ) -> Page:
        """What is new of a page, with the cursor that is valid once it has landed. Each shop
        remembers its own: two may count alike, and a large one must not push out a small one."""
        new = [record for record in records if self.seen.is_new(record)]
        refused = [reject for reject in rejects if self.seen.is_new_reject(reject)]
        seen = progress.extra.setdefault("seen", {})
        seen[self.name] = self.seen.state()
        return Page(new, progress.cursor(), refused, [*self.take_notes(), *notes])

    def count(self, filtered: str) -> int | None:
        """How many orders a filter meets; None if the platform does not say."""
        variables = {"query": filtered, "limit": _COUNT_LIMIT}
        try:
            count = self.ask(
                queries.COUNT_ORDERS, variables, root="ordersCount", what="number of orders"
            )
        except QueryError as error:
            if error.is_credential or error.codes & DENIED_CODES:
                raise
            return None
        number = count.get("count") if isinstance(count, dict) else None
        return number if isinstance(number, int) and not isinstance(number, bool) else None

    def scopes(self) -> frozenset[str] | None:
        """The access scopes of the app; None if the platform does not say."""
        try:
            installation = self.ask(
                queries.ACCESS, {}, root="currentAppInstallation", what="access scopes"
            )
        except QueryError as error:
            if error.is_credential:
                raise
            return None
        if not isinstance(installation, dict):
            return None
        granted = listed(installation.get("accessScopes"))
        return frozenset(str(scope.get("handle")) for scope in granted if isinstance(scope, dict))


def _is_asked_for(content: object, variables: Mapping[str, Any]) -> bool:
    """Whether nodes that were asked for by id are those; null is one that is gone."""
    if "id" in variables:
        return not isinstance(content, dict) or content.get("id") == variables["id"]
    if "ids" in variables and isinstance(content, list):
        ids = [node.get("id") if isinstance(node, dict) else None for node in content]
        return len(ids) == len(variables["ids"]) and all(
            found in (None, asked) for found, asked in zip(ids, variables["ids"], strict=True)
        )
    return True


def usable(items: Sequence[Any], stream: str, origin: str) -> tuple[list[Json], list[Reject]]:
    """Nodes with an id, and the rejects that the others are."""
    nodes: list[Json] = []
    rejects: list[Reject] = []
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("id"), str) and item["id"]:
            nodes.append(item)
        else:
            rejects.append(Reject(stream, repr(item), "it has no usable id", origin))
    return nodes, rejects


def second_of(text: object) -> int | None:
    """The second of an instant of the wire; None where it has none."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def connection_of(page: object, what: str, shop: str) -> tuple[Json, Json]:
    if not isinstance(page, dict) or not isinstance(page.get("nodes"), list):
        raise RetryError(
            f"{NAME} {shop}: the answer holds no {what}.",
            "Run again; if it stays, check sources.shopify.base_url and api_version.",
        )
    info = page.get("pageInfo")
    return page, info if isinstance(info, dict) else {}


def _refunds(order: Json) -> list[Json]:
    return [
        refund
        for refund in listed(order.get("refunds"))
        if isinstance(refund, dict) and isinstance(refund.get("id"), str)
    ]


def listed(items: object) -> list[Any]:
    return items if isinstance(items, list) else []
