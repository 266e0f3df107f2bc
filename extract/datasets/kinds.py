"""The four kinds of canonical record that a data set can become, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FieldType = Literal["id", "text", "count", "number", "flag", "instant", "day", "choice"]

SALE_KINDS = ("sale", "return", "adjustment", "other_charge")
"""`return`: goods or money given back. `adjustment`: stock or book entries that no customer paid.
`other_charge`: postage, fees, vouchers, discounts: money, but no product."""

ORDER_STATUSES = ("placed", "pending", "cancelled", "test")
"""What became of a line's order. Only `placed`, which is meant where none is given, is a sale."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record: its stream, the fields it may have and those it must have.

    `required` fields must be mapped, and exactly one of `one_of`; a row without a value in a
    `needed` field that is mapped is rejected.
    `id_field` is the row's own id; where none is mapped it is made from the row's content.
    """

    name: str
    fields: Mapping[str, FieldType]
    required: tuple[str, ...]
    needed: tuple[str, ...]
    id_field: str
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()


FETCHED_AT = "fetched_at"
"""A field of every kind that becomes the record's own time of fetching, not part of its payload:
of several captures of a post the last one counts."""

KINDS: Mapping[str, Kind] = {
    "posts": Kind(
        name="posts",
        fields={
            "post_id": "id",
            "platform": "text",
            "author_id": "id",
            "author_name": "text",
            "author_followers_count": "count",
            "text": "text",
            "created_at": "instant",
            "language": "text",
            "like_count": "count",
            "reply_count": "count",
            "repost_count": "count",
            "quote_count": "count",
            "view_count": "count",
            "is_repost": "flag",
            "reposted_post_id": "id",
            "url": "text",
            FETCHED_AT: "instant",
        },
        required=("platform", "text"),
        needed=("platform",),
        id_field="post_id",
    ),
    "sales": Kind(
        name="sales",
        fields={
            "line_id": "id",
            "order_id": "id",
            "quantity": "number",
            "unit_price": "number",
            "amount": "number",
            "discount": "number",
            "tax": "number",
            "is_tax_included": "flag",
            "currency": "text",
            "sold_at": "instant",
            "sold_on": "day",
            "product_name": "text",
            "shop_name": "text",
            "order_status": "choice",
            "order_subtotal": "number",
            "order_discount": "number",
            "order_shipping": "number",
            "order_tax": "number",
            "order_total": "number",
            "order_refunded": "number",
            "customer_id": "id",
            "country": "text",
            "kind": "choice",
            FETCHED_AT: "instant",
        },
        required=("quantity",),
        needed=("sold_at", "sold_on", "quantity"),
        id_field="line_id",
        choices={"kind": SALE_KINDS, "order_status": ORDER_STATUSES},
        one_of=("sold_at", "sold_on"),
    ),
    "reviews": Kind(
        name="reviews",
        fields={
            "review_id": "id",
            "platform": "text",
            "rating": "number",
            "rating_scale": "number",
            "is_recommended": "flag",
            "title": "text",
            "body": "text",
            "author_id": "id",
            "created_at": "instant",
            "language": "text",
            "helpful_count": "count",
            FETCHED_AT: "instant",
        },
        required=("platform", "created_at"),
        needed=("platform", "created_at"),
        id_field="review_id",
    ),
    "metrics": Kind(
        name="metrics",
        fields={
            "date": "day",
            "metric": "text",
            "value": "number",
            "unit": "text",
            FETCHED_AT: "instant",
        },
        required=("date",),
        needed=("date", "metric"),
        id_field="",
    ),
}
