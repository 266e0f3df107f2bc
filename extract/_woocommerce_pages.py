"""One listing of a WooCommerce shop, page by page, and what of its records may land.

Orders and products are read in the order of their last change, and the next page begins with the
second that the one before ended with, that second included: an order that is edited meanwhile moves
to the end and shifts nothing. A second with more than a page of records is read by id and page
number. Shops before WooCommerce 5.8 cannot sort by change: they are read by id throughout, as
reviews are everywhere; there a listing that has become shorter is read one page further back.

Customers are not asked for, and what a shop sends of them nevertheless is dropped at the door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from extract._outcomes import Answer, FixError, RetryError, parse_json
from extract._state import Batch
from extract.base import ExtractError, Json, Record, Reject

if TYPE_CHECKING:
    from extract._http import Http

NAME = "woocommerce"
MOST_PAGES_OF_DETAILS = 100
_LINES = ("line_items", "tax_lines", "shipping_lines", "fee_lines", "coupon_lines")
_KEPT_META = ("_refunded_item_id",)
"""Which line of the order a refund gives back; other meta data may hold anything."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of records: where it is, which fields are asked for, and the two fields by which it
    is told from other kinds. `placed` is the field whose instant says when it came to be, `changed`
    when it last changed; without `changed` the listing is read by id."""

    name: str
    route: str
    fields: tuple[str, ...]
    marks: tuple[str, ...]
    placed: str = "date_created_gmt"
    changed: str | None = "date_modified_gmt"

    @property
    def stream(self) -> str:
        return f"{NAME}/{self.name}"


ORDERS = Kind(
    "orders",
    "/orders",
    (
        "id",
        "parent_id",
        "number",
        "status",
        "currency",
        "version",
        "created_via",
        "prices_include_tax",
        "date_created_gmt",
        "date_modified_gmt",
        "date_paid_gmt",
        "date_completed_gmt",
        "discount_total",
        "discount_tax",
        "shipping_total",
        "shipping_tax",
        "cart_tax",
        "total",
        "total_tax",
        *_LINES,
        "refunds",
    ),
    ("currency", "status"),
)
REFUNDS = Kind(
    "refunds",
    "/orders/{id}/refunds",
    ("id", "parent_id", "date_created_gmt", "amount", "refunded_payment", *_LINES),
    ("amount",),
)
PRODUCTS = Kind(
    "products",
    "/products",
    (
        "id",
        "parent_id",
        "name",
        "type",
        "status",
        "sku",
        "price",
        "regular_price",
        "sale_price",
        "attributes",
        "variations",
        "date_created_gmt",
        "date_modified_gmt",
    ),
    ("price", "sku"),
)
VARIATIONS = replace(PRODUCTS, route="/products/{id}/variations")
REVIEWS = Kind(
    "reviews",
    "/products/reviews",
    (
        "id",
        "product_id",
        "status",
        "reviewer",
        "review",
        "rating",
        "verified",
        "date_created_gmt",
    ),
    ("product_id", "review"),
    changed=None,
)


class MismatchError(RetryError):
    """The details of one record are those of another."""


@dataclass(slots=True)
class Listing:
    """A kind of records of one shop. `floor` is the first second that is wanted, None for all;
    `since` and `until` bound when records came to be; `status` is the shop's filter."""

    http: Http
    shop: str
    url: str
    headers: Mapping[str, str]
    kind: Kind
    size: int
    status: str = ""
    floor: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    stopped: ExtractError | None = field(default=None, init=False)

    def fetch(self, resume: Json | None) -> Batch:
        """A page and where the next one is.

        Raises:
            ExtractError: what the transport raises; what was read before it has been given.
        """
        if self.stopped is not None:
            raise self.stopped
        place = {"by": "changed" if self.kind.changed else "id", **(resume or {})}
        try:
            answer = self._ask(place)
        except FixError as error:
            if error.status != 400 or place["by"] == "id" or "orderby" not in error.message:
                raise
            return self.fetch({"by": "id", "floor": self.floor})
        self.http.settle(answer)
        place.setdefault("started", _server_second(answer))
        return self._batch(answer, place)

    def count(self) -> int | None:
        """How many records a walk would find, by the shop's own count; None if it does not say."""
        answer = self._ask({"by": "id"}, size=1)
        self.http.settle(answer)
        return _number(answer, "x-wp-total")

    def _ask(self, place: Json, *, size: int | None = None) -> Answer:
        number, second = int(place.get("page", 1)), place.get("second")
        lower = self.floor if second is None else int(second)
        is_tie = place["by"] == "second"
        parameters: dict[str, str | int] = {
            "per_page": size or self.size,
            "page": number,
            "order": "asc",
            "orderby": "modified" if place["by"] == "changed" else "id",
            "_fields": ",".join(self.kind.fields),
        }
        if self.status:
            parameters["status"] = self.status
        if self.kind.changed is None:
            # Compared with the shop's own wall clock: a day more on both sides.
            if lower is not None:
                parameters["after"] = _text(lower - 86_400)
            if self.since is not None:
                parameters["after"] = _text(int(self.since.timestamp()) - 86_400)
            if self.until is not None:
                parameters["before"] = _text(int(self.until.timestamp()) + 86_400)
        else:
            parameters["dates_are_gmt"] = "true"
            # A second less: both bounds are exclusive.
            if lower is not None:
                parameters["modified_after"] = _text(lower - 1)
            if is_tie:
                parameters["modified_before"] = _text(int(second or 0) + 1)
            if self.since is not None:
                parameters["after"] = _text(int(self.since.timestamp()) - 1)
            if self.until is not None:
                parameters["before"] = _text(int(self.until.timestamp()))
        lowest = lower if self.kind.changed and place["by"] != "id" else None
        parse = partial(
            self._parse,
            lowest=lowest,
            highest=int(second or 0) if is_tie else None,
            before=(number - 1) * (size or self.size),
            previous=place.get("first"),
        )
        url = f"{self.url}{self.kind.route}"
        return self.http.get(url, parameters, headers=self.headers, parse=parse)

    def _parse(
        self,
        answer: Answer,
        *,
        lowest: int | None,
        highest: int | None,
        before: int,
        previous: str | None,
    ) -> Any:  # noqa: ANN401 - as received
        """A page of this kind, of the time and place that was asked for."""
        items = parse_items(answer, self.kind)
        for item in items:
            position = self._position(item)
            is_trash = isinstance(item, dict) and item.get("status") == "trash"
            if (
                (position is not None and lowest is not None and position < lowest - 1)
                or (position is not None and highest is not None and position > highest + 1)
                or (bool(self.status) and is_trash != (self.status == "trash"))
            ):
                raise RetryError(
                    f"{NAME} {self.shop}: the answer holds {self.kind.name} that were not asked "
                    "for.",
                    "Run again; if it stays, a cache before the shop ignores the query, or "
                    "WooCommerce is older than 5.8.",
                )
        total = _number(answer, "x-wp-total")
        if not items and total is not None and total > before:
            raise RetryError(
                f"{NAME} {self.shop}: an empty page in the middle of {total:,} {self.kind.name}.",
                "Run again; if it stays, a plugin of the shop filters its answers.",
            )
        if previous is not None and items and _id_of(items[0]) == previous:
            raise RetryError(
                f"{NAME} {self.shop}: the page before came once more.", "Run again later."
            )
        return items

    def _position(self, item: object) -> int | None:
        if not isinstance(item, dict):
            return None
        return second_of(item.get(self.kind.changed or self.kind.placed))

    def _batch(self, answer: Answer, place: Json) -> Batch:
        records: list[Record] = []
        positions: dict[str, int] = {}
        rejects: list[Reject] = []
        notes: list[str] = []
        following: Json | None = None
        for item in answer.content:
            item_id = _id_of(item)
            if item_id is None:
                # Not the record itself, which may hold what must not land.
                kept = self._trimmed(item) if isinstance(item, dict) else type(item).__name__
                rejects.append(Reject(self.kind.stream, repr(kept), "it has no id", self.shop))
                continue
            if not self._is_wanted(item):
                continue
            payload = self._trimmed(item)
            try:
                details = self._details(item_id, payload, answer.fetched_at, notes)
            except ExtractError as error:
                if not records:
                    raise
                # What was read lands with this page; the next call tells why it ends here.
                self.stopped = error
                following = self._again(place, positions)
                break
            record_id = f"{self.shop}|{item_id}"
            records.append(Record(self.kind.stream, record_id, payload, answer.fetched_at))
            records.extend(details)
            position = self._position(item)
            if position is not None:
                is_capped = place["by"] == "id" and self.kind.changed is not None
                # Read by id, what changes after its page was read must be met again.
                positions[record_id] = min(position, place["started"]) if is_capped else position
        if self.stopped is None:
            following = self._next(answer, place, positions)
        return Batch(records, positions, following, following is None, rejects, notes)

    def _is_wanted(self, item: Json) -> bool:
        """Whether it came to be in the window, where the shop could only be asked about."""
        if self.kind.changed is not None or (self.since is None and self.until is None):
            return True
        placed = second_of(item.get(self.kind.placed))
        if placed is None:
            return True
        is_late = self.until is not None and placed >= self.until.timestamp()
        return not is_late and (self.since is None or placed >= self.since.timestamp())

    def _again(self, place: Json, positions: Mapping[str, int]) -> Json:
        """Where to go on after a page that was read in part."""
        if place["by"] != "changed" or not positions:
            return {**place, "floor": self.floor}
        return {"by": "changed", "floor": self.floor, "second": max(positions.values())}

    def _next(self, answer: Answer, place: Json, positions: Mapping[str, int]) -> Json | None:
        """Where the next page is, None at the end."""
        items, total = answer.content, _number(answer, "x-wp-total")
        pages = _number(answer, "x-wp-totalpages")
        number = int(place.get("page", 1))
        is_last = number >= pages if pages is not None else len(items) < self.size
        kept = {"by": place["by"], "floor": self.floor, "started": place["started"]}
        if place["by"] == "changed":
            if is_last:
                return None
            lower = self.floor if place.get("second") is None else int(place["second"])
            if not positions:
                return {**kept, "by": "id"}
            newest = max(positions.values())
            if lower is None or newest > lower:
                return {**kept, "second": newest}
            return {**kept, "by": "second", "second": lower}
        known = place.get("total")
        vanished = max(0, known - total) if known is not None and total is not None else 0
        if place["by"] == "second":
            kept["second"] = place["second"]
            if is_last and not vanished:
                return {**kept, "by": "changed", "second": int(place["second"]) + 1}
        elif is_last and not vanished:
            return None
        # Records before this page are gone, and others have moved to pages that were read.
        step = 1 if not vanished else -(-vanished // self.size)
        following = number + 1 if not vanished else max(1, number - step)
        first = _id_of(items[0]) if items and not vanished else None
        return {**kept, "page": following, "total": total, "first": first}

    def _trimmed(self, item: Json) -> Json:
        return {**trimmed(item, self.kind), "_shop": self.shop}

    def _details(
        self, item_id: str, payload: Json, fetched_at: datetime, notes: list[str]
    ) -> list[Record]:
        """What belongs to a record and is told elsewhere: an order's refunds, which join it, and a
        product's variations, which are records of their own."""
        if self.status == "trash":
            return []
        if self.kind is ORDERS and _listed(payload.get("refunds")):
            known = {_id_of(refund) for refund in _listed(payload["refunds"])}
            found = self._all_of(REFUNDS, item_id, known, notes)
            if found is not None:
                payload["_refunds"] = [trimmed(refund, REFUNDS) for refund in found]
        if self.kind is PRODUCTS and _listed(payload.get("variations")):
            known = {_text_id(variation) for variation in _listed(payload["variations"])}
            return [
                Record(
                    PRODUCTS.stream,
                    f"{self.shop}|{_id_of(variation)}",
                    # Older shops leave out which product it is of.
                    {"parent_id": int(item_id), **trimmed(variation, VARIATIONS)}
                    | {"_shop": self.shop},
                    fetched_at,
                )
                for variation in self._all_of(VARIATIONS, item_id, known, notes) or []
                if _id_of(variation) is not None
            ]
        return []

    def _all_of(
        self, kind: Kind, item_id: str, known: set[str | None], notes: list[str]
    ) -> list[Json] | None:
        """All details of a record; None where the shop keeps giving those of another."""
        found: dict[str | None, Json] = {}
        for number in range(1, MOST_PAGES_OF_DETAILS + 1):
            parameters: dict[str, str | int] = {
                "per_page": 100,
                "page": number,
                "orderby": "id",
                "order": "asc",
                "_fields": ",".join(kind.fields),
            }
            url = self.url + kind.route.format(id=item_id)
            is_first = number == 1
            parse: Callable[[Answer], Any] = partial(
                _parse_details, kind=kind, known=known, is_first=is_first
            )
            try:
                answer = self.http.get(url, parameters, headers=self.headers, parse=parse)
            except RetryError as error:
                if not isinstance(error.__cause__, MismatchError):
                    raise
                what = kind.route.rpartition("/")[2]
                notes.append(
                    f"{NAME} {self.shop}: the shop does not give the {what} of {item_id}; what "
                    "its own record says of them counts."
                )
                return None
            self.http.settle(answer)
            found |= {_id_of(item): item for item in answer.content if isinstance(item, dict)}
            pages = _number(answer, "x-wp-totalpages")
            if number >= (pages or 1):
                break
        return list(found.values())


def trimmed(item: Json, kind: Kind) -> Json:
    """What may land of a record: the fields that were asked for, lines without meta data."""
    kept = {name: value for name, value in item.items() if name in kind.fields}
    for name in _LINES:
        if isinstance(kept.get(name), list):
            kept[name] = [_without_meta(line) for line in kept[name]]
    if isinstance(kept.get("refunds"), list):
        kept["refunds"] = [
            {key: value for key, value in refund.items() if key in ("id", "total")}
            for refund in kept["refunds"]
            if isinstance(refund, dict)
        ]
    return kept


def _without_meta(line: object) -> object:
    if not isinstance(line, dict):
        return None
    kept = {name: value for name, value in line.items() if name != "meta_data"}
    meta = [
        {"key": entry["key"], "value": entry.get("value")}
        for entry in _listed(line.get("meta_data"))
        if isinstance(entry, dict) and entry.get("key") in _KEPT_META
    ]
    return {**kept, "meta_data": meta} if meta else kept


def parse_items(answer: Answer, kind: Kind) -> Any:  # noqa: ANN401 - as received
    """A list whose objects are of this kind, as far as they can be told.

    Raises:
        RetryError: it is something else.
    """
    items = parse_json(answer)
    objects = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    is_other = any(not any(mark in item for mark in kind.marks) for item in objects)
    if not isinstance(items, list) or is_other:
        raise RetryError(
            f"{NAME}: the answer is no list of {kind.name}.",
            "Run again; if it stays, check sources.woocommerce.base_url.",
        )
    return items


def _parse_details(answer: Answer, *, kind: Kind, known: set[str | None], is_first: bool) -> Any:  # noqa: ANN401
    items = parse_items(answer, kind)
    if is_first and not known & {_id_of(item) for item in items}:
        raise MismatchError(f"{NAME}: the answer holds other {kind.name} than were asked for.")
    return items


def second_of(text: object) -> int | None:
    """Seconds since 1970 of a `*_gmt` field, which names no zone; None where it is no instant."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    second = int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    return second if second >= 0 else None


def _text(second: int) -> str:
    return f"{datetime.fromtimestamp(max(0, second), UTC):%Y-%m-%dT%H:%M:%S}"


def _server_second(answer: Answer) -> int:
    """The shop's own clock at an answer: its instants are by that clock."""
    from email.utils import parsedate_to_datetime

    try:
        return int(parsedate_to_datetime(answer.headers.get("date", "")).timestamp())
    except (TypeError, ValueError):
        return int(answer.fetched_at.timestamp())


def _number(answer: Answer, header: str) -> int | None:
    text = answer.headers.get(header, "").strip()
    return int(text) if text.isdigit() else None


def _text_id(value: object) -> str | None:
    """An id of the shop, which is a positive whole number, as text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return text if text.isdigit() else None


def _id_of(item: object) -> str | None:
    return _text_id(item.get("id")) if isinstance(item, dict) else None


def _listed(items: object) -> list[Any]:
    return items if isinstance(items, list) else []
