"""Who stands where in a payload: for each stream, how its records name posts, authors, customers
and orders, and where they hold copies of other people's words.

Deleting on request needs this (`social-signals forget`), and nothing else does. A stream that is
declared without a line here fails a test. Paths are dotted; `[*]` stands for every element of a
list, `@` for the record id, `a|b` for two values joined by `|`, `a^b` for an id at `a` that
follows the text `b`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from extract.base import Json

FORGOTTEN = "forgotten"
"""Stands where a record named another one that is gone: a reply stays a reply, to nobody known."""

RECORD_ID = "@"
_NOBODY = frozenset({"", "0", "[deleted]", "[removed]", "none", "null", FORGOTTEN})
_GLOBAL_ID = re.compile(r"gid://[^/]+/[^/]+/([^/?]+)(?:\?.*)?")
_PLATFORM_NAMES = {"twitter": "x", "x (twitter)": "x", "x.com": "x"}


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of somebody else's post inside a record. `at` is where it lies (the record itself when
    empty); it goes if one of `posts` or `authors`, below `at`, is forgotten. `fields` below `at`
    are what goes; without any it is the whole of `at`."""

    at: str = ""
    posts: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """How the records of a stream name people.

    `qualifier` is the platform to which ids belong, else it stands at the first of the paths
    `platform` that is filled. `posts` name the record itself as a post or review, `versions` the
    edits of the same post, `reposts` the post whose words the record only repeats, `references`
    other posts. `authors` name the one author, `customers` the one customer, `orders` the order
    that the record is (part of). `personal` is what a customer's request removes from a sale.
    `texts` are what the author wrote. `told` is when the platform made this version: an ISO instant
    or microseconds since 1970.
    """

    qualifier: str = ""
    platform: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    reposts: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    told: tuple[str, ...] = ()
    folds_case: bool = False


NOBODY = Shape()
"""A stream about no person."""

_SHOPIFY_PERSONAL = (
    "customer", "email", "phone", "contactEmail", "contact_email", "note", "noteAttributes",
    "note_attributes", "customAttributes", "billingAddress", "billing_address", "shippingAddress",
    "shipping_address", "displayAddress", "clientIp", "browser_ip", "client_details",
    "customerJourneySummary", "customerLocale", "customer_locale", "landing_site",
    "landing_site_ref", "referring_site", "order_status_url", "statusPageUrl", "token",
    "cart_token", "checkout_token", "payment_details", "fulfillments", "fulfillmentOrders",
    "transactions", "localizationExtensions", "refunds[*].note",
    "lineItems.nodes[*].customAttributes",
    "line_items[*].properties",
)  # fmt: skip

_WOOCOMMERCE_PERSONAL = (
    "customer_id", "billing", "shipping", "customer_note", "customer_ip_address",
    "customer_user_agent", "transaction_id", "order_key", "payment_url", "meta_data",
    "line_items[*].meta_data", "_refunds[*].reason", "refunds[*].reason",
)  # fmt: skip

SHAPES: Mapping[tuple[str, str], Shape] = {
    ("x", "posts"): Shape(
        qualifier="x",
        posts=(RECORD_ID,),
        versions=("edit_history_post_ids[*]", "edit_history_tweet_ids[*]"),
        references=(
            "referenced_posts[*].id",
            "referenced_tweets[*].id",
            "conversation_id",
            "in_reply_to_status_id",
            "in_reply_to_status_id_str",
        ),
        authors=("author_id",),
        texts=("text", "note_post.text", "note_tweet.text"),
        copies=(
            Copy(at="retweeted_status", posts=("id_str", "id"), authors=("user.id_str",)),
            Copy(at="quoted_status", posts=("id_str", "id"), authors=("user.id_str",)),
            Copy(authors=("in_reply_to_user_id",), fields=("in_reply_to_user_id",)),
            Copy(at="entities.mentions[*]", authors=("id",)),
        ),
        folds_case=True,
    ),
    ("x", "users"): Shape(
        qualifier="x",
        authors=(RECORD_ID, "username"),
        texts=("description",),
        folds_case=True,
    ),
    ("reddit", "submissions"): Shape(
        qualifier="reddit",
        posts=(RECORD_ID,),
        reposts=("data.crosspost_parent",),
        authors=("data.author_fullname", "data.author"),
        texts=("data.title", "data.selftext"),
        copies=(
            Copy(
                at="data.crosspost_parent_list[*]",
                posts=("name",),
                authors=("author_fullname", "author"),
            ),
        ),
    ),
    ("reddit", "comments"): Shape(
        qualifier="reddit",
        posts=(RECORD_ID,),
        references=("data.link_id", "data.parent_id"),
        authors=("data.author_fullname", "data.author"),
        texts=("data.body",),
        copies=(
            Copy(
                posts=("data.link_id",),
                authors=("data.link_author",),
                fields=(
                    "data.link_title",
                    "data.link_author",
                    "data.link_permalink",
                    "data.link_url",
                    "data.permalink",
                ),
            ),
        ),
    ),
    ("reddit", "feed_entries"): Shape(
        qualifier="reddit",
        posts=(RECORD_ID,),
        authors=("entry.author",),
        texts=("entry.title", "entry.content", "entry.summary"),
    ),
    ("rss", "entries"): Shape(
        qualifier="rss",
        posts=(RECORD_ID,),
        authors=("feed.name|entry.author",),
        texts=("entry.title", "entry.content", "entry.summary"),
    ),
    ("hackernews", "hits"): Shape(
        qualifier="hackernews",
        posts=(RECORD_ID,),
        references=("story_id", "parent_id", "children[*]", "_tags[*]^story_"),
        authors=("author",),
        texts=("title", "story_text", "comment_text"),
        copies=(Copy(posts=("story_id",), fields=("story_title", "story_url")),),
    ),
    ("hackernews", "items"): Shape(
        qualifier="hackernews",
        posts=(RECORD_ID,),
        references=("parent", "kids[*]", "poll", "parts[*]"),
        authors=("by",),
        texts=("title", "text"),
    ),
    # An event of the stream, or a post as search shows it.
    ("bluesky", "posts"): Shape(
        qualifier="bluesky",
        posts=(RECORD_ID,),
        references=tuple(
            f"{record}.{path}"
            for record in ("commit.record", "record")
            for path in (
                "reply.parent.uri",
                "reply.root.uri",
                "embed.record.uri",
                "embed.record.record.uri",
            )
        ),
        authors=("did", "author.did", "author.handle"),
        told=("time_us", "indexedAt"),
        texts=("commit.record.text", "record.text"),
        copies=(
            Copy(at="embed.record", posts=("uri",), authors=("author.did", "author.handle")),
            Copy(at="embed.record.record", posts=("uri",), authors=("author.did", "author.handle")),
            Copy(at="commit.record.facets[*].features[*]", authors=("did",)),
            Copy(at="record.facets[*].features[*]", authors=("did",)),
        ),
    ),
    ("bluesky", "deletions"): Shape(qualifier="bluesky", posts=(RECORD_ID,), authors=("did",)),
    ("bluesky", "accounts"): Shape(qualifier="bluesky", authors=(RECORD_ID,)),
    # A status is known by its address everywhere, by its number on one server only.
    ("mastodon", "statuses"): Shape(
        qualifier="mastodon",
        posts=(RECORD_ID, "uri", "url"),
        reposts=("reblog.uri", "reblog.url"),
        references=("in_reply_to_id",),
        authors=("_author", "account.uri", "account.url"),
        texts=("content", "spoiler_text", "card.title", "card.description"),
        copies=(
            Copy(at="reblog", authors=("account.uri", "account.url")),
            Copy(
                at="quote.quoted_status",
                posts=("uri", "url"),
                authors=("account.uri", "account.url"),
            ),
            Copy(at="mentions[*]", authors=("url",)),
        ),
        folds_case=True,
    ),
    ("mastodon", "deletions"): Shape(
        qualifier="mastodon",
        posts=(RECORD_ID,),
        folds_case=True,
    ),
    ("shopify", "orders"): Shape(
        qualifier="shopify",
        orders=(RECORD_ID, "name"),
        customers=(
            "customer.id",
            "email",
            "customer.email",
            "customer.defaultEmailAddress.emailAddress",
            "contact_email",
        ),
        personal=_SHOPIFY_PERSONAL,
        folds_case=True,
    ),
    ("shopify", "products"): NOBODY,
    # The source asks for no customers; orders that come another way may hold them. Numbers are
    # unique within a shop, whose name the record ids carry.
    ("woocommerce", "orders"): Shape(
        qualifier="woocommerce",
        orders=(RECORD_ID,),
        customers=("_shop|customer_id", "billing.email"),
        personal=_WOOCOMMERCE_PERSONAL,
        folds_case=True,
    ),
    ("woocommerce", "products"): NOBODY,
    ("woocommerce", "reviews"): Shape(
        qualifier="woocommerce",
        posts=(RECORD_ID,),
        authors=("reviewer_email", "reviewer"),
        texts=("review",),
        folds_case=True,
    ),
    ("storefront", "reviews"): Shape(
        qualifier="storefront",
        posts=(RECORD_ID,),
        authors=("author_name",),
        texts=("title", "body"),
    ),
    ("storefront", "calendar_events"): NOBODY,
    ("google_trends", "interest"): NOBODY,
    # Who gave a star and who wrote an issue never land.
    ("github", "repositories"): Shape(
        qualifier="github",
        authors=("owner.login", "owner.id"),
        texts=("description",),
        folds_case=True,
    ),
    ("github", "releases"): Shape(
        qualifier="github",
        posts=(RECORD_ID,),
        authors=("author.login", "author.id"),
        texts=("name", "body"),
        copies=(Copy(at="assets[*].uploader", authors=("login", "id")),),
        folds_case=True,
    ),
    ("github", "issue_counts"): NOBODY,
    ("github", "stars"): NOBODY,
    # Makers, voters and comments are not asked for.
    ("producthunt", "posts"): Shape(
        qualifier="producthunt",
        posts=(RECORD_ID, "slug"),
        texts=("name", "tagline", "description"),
        folds_case=True,
    ),
    ("datasets", "posts"): Shape(
        platform=("platform", "dataset"),
        posts=("post_id",),
        reposts=("reposted_post_id",),
        authors=("author_id",),
        texts=("text",),
        folds_case=True,
    ),
    ("datasets", "reviews"): Shape(
        platform=("platform", "dataset"),
        posts=("review_id",),
        authors=("author_id",),
        texts=("title", "body"),
        folds_case=True,
    ),
    ("datasets", "sales"): Shape(
        platform=("dataset",),
        orders=("order_id",),
        customers=("customer_id",),
        personal=("customer_id",),
        folds_case=True,
    ),
    ("datasets", "metrics"): NOBODY,
}


class Members(Protocol):
    """A set of ids that can be asked, though perhaps not read."""

    def isdisjoint(self, other: Iterable[str], /) -> bool: ...
    def __len__(self) -> int: ...
    def __contains__(self, value: object, /) -> bool: ...


class Forgotten(Protocol):
    """Who and what must go, each as `<platform>:<id>` in its normal form."""

    @property
    def posts(self) -> Members: ...
    @property
    def authors(self) -> Members: ...
    @property
    def customers(self) -> Members: ...
    @property
    def orders(self) -> Members: ...


@dataclass(slots=True)
class Targets:
    """`Forgotten` as plain sets."""

    posts: set[str] = field(default_factory=set)
    authors: set[str] = field(default_factory=set)
    customers: set[str] = field(default_factory=set)
    orders: set[str] = field(default_factory=set)

    def count(self) -> int:
        return len(self.posts) + len(self.authors) + len(self.customers) + len(self.orders)

    def platforms(self) -> set[str]:
        """The platforms that the ids are of."""
        groups = (self.posts, self.authors, self.customers, self.orders)
        return {value.partition(":")[0] for group in groups for value in group}


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that a record names, as `Targets` has it."""

    posts: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    reposts: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()


def shape_of(source: str, stream: str) -> Shape:
    """The shape of a stream, `NOBODY` for one that nobody declared."""
    return SHAPES.get((source, stream), NOBODY)


def qualified(platform: str, value: str, *, folds_case: bool = True) -> str:
    """`<platform>:<id>` in the form in which ids are compared: without what only says how the id
    is written (`@`, `/u/`, the path of a Shopify id)."""
    return f"{platform_name(platform)}:{normal_id(value, folds_case=folds_case)}"


def platform_name(name: str) -> str:
    """One name a platform, however it is written."""
    lowered = name.strip().lower()
    return _PLATFORM_NAMES.get(lowered, lowered)


def normal_id(value: str, *, folds_case: bool) -> str:
    """An id in the form in which ids are compared."""
    text = value.strip()
    if text.isalnum():
        return text.casefold() if folds_case else text
    found = _GLOBAL_ID.fullmatch(text)
    text = found.group(1) if found else text.removeprefix("/u/").removeprefix("@")
    return text.casefold() if folds_case else text


def folds_case(platform: str) -> bool:
    """Whether names of a platform are the same in capitals and small letters."""
    named = [shape for shape in SHAPES.values() if shape.qualifier == platform]
    return all(shape.folds_case for shape in named)


def names_of(shape: Shape, record_id: str, payload: Json) -> Names:
    """Whom and what a record names."""
    if shape is NOBODY:
        return Names()
    ahead, folds = f"{platform_name(_platform(shape, payload))}:", shape.folds_case

    def found(paths: tuple[str, ...]) -> tuple[str, ...]:
        if not paths:
            return ()
        return tuple(
            [
                ahead + normal_id(value, folds_case=folds)
                for path in paths
                for value in _texts(payload, path, record_id)
            ]
        )

    return Names(
        found(shape.posts),
        found(shape.versions),
        found(shape.reposts),
        found(shape.authors),
        found(shape.customers),
        found(shape.orders),
    )


def texts_of(shape: Shape, payload: Json) -> list[str]:
    """What the author of a record wrote."""
    return [text for path in shape.texts for text in _texts(payload, path, "")]


def told_at_of(shape: Shape, payload: Json) -> datetime | None:
    """When the platform made this version of a record; None where it does not say."""
    for path in shape.told:
        for text in _texts(payload, path, ""):
            try:
                if text.isdigit():
                    return datetime.fromtimestamp(int(text) / 1_000_000, UTC)
                found = datetime.fromisoformat(text.replace("Z", "+00:00"))
                return found if found.tzinfo else found.replace(tzinfo=UTC)
            except (ValueError, OverflowError, OSError):
                continue
    return None


def is_dropped(names: Names, forgotten: Forgotten) -> bool:
    """Whether a record goes as a whole: it is, edits or only repeats a forgotten post, or is by a
    forgotten author, or is (part of) a forgotten order."""
    return not (
        forgotten.posts.isdisjoint(names.posts)
        and forgotten.posts.isdisjoint(names.versions)
        and forgotten.posts.isdisjoint(names.reposts)
        and forgotten.authors.isdisjoint(names.authors)
        and forgotten.orders.isdisjoint(names.orders)
    )


def redact(
    shape: Shape, names: Names, payload: Json, forgotten: Forgotten, *, is_dry: bool = False
) -> bool:
    """Take out of a record that stays, in place, what is of forgotten people; say whether there
    was something. `is_dry` says so and takes nothing."""
    is_changed = False
    if names.customers and not forgotten.customers.isdisjoint(names.customers):
        is_changed = _remove_all(payload, shape.personal, is_dry=is_dry)
    if (shape.copies or shape.references) and (forgotten.posts or forgotten.authors):
        ahead = f"{platform_name(_platform(shape, payload))}:"
        for copy in shape.copies:
            if not copy.at or _parts(copy.at)[0] in payload:
                is_changed |= _redact_copy(shape, copy, payload, ahead, forgotten, is_dry=is_dry)
        for path in shape.references:
            if _parts(path)[0] in payload:
                is_changed |= _blank(shape, path, payload, ahead, forgotten.posts, is_dry=is_dry)
    return is_changed


def _platform(shape: Shape, payload: Json) -> str:
    if shape.qualifier:
        return shape.qualifier
    return next((text for path in shape.platform for text in _texts(payload, path, "")), "unnamed")


def _redact_copy(
    shape: Shape,
    copy: Copy,
    payload: Json,
    ahead: str,
    forgotten: Forgotten,
    *,
    is_dry: bool,
) -> bool:
    is_changed = False
    for holder, key, value in list(_places(payload, copy.at)) if copy.at else [(None, "", payload)]:
        if not isinstance(value, dict):
            continue

        def names(paths: tuple[str, ...], inside: Json = value) -> set[str]:
            return {
                ahead + normal_id(text, folds_case=shape.folds_case)
                for path in paths
                for text in _texts(inside, path, "")
            }

        if forgotten.posts.isdisjoint(names(copy.posts)) and forgotten.authors.isdisjoint(
            names(copy.authors)
        ):
            continue
        if copy.fields:
            is_changed |= _remove_all(value, copy.fields, is_dry=is_dry)
        elif holder is not None:
            # In a list the place stays, so that the others keep theirs while this goes on.
            holder[key] = None if not is_dry else value
            is_changed = True
    return is_changed


def _blank(
    shape: Shape, path: str, payload: Json, ahead: str, posts: Members, *, is_dry: bool
) -> bool:
    is_changed = False
    place, _, before = path.partition("^")
    for holder, key, value in list(_places(payload, place)):
        text = _as_text(value)
        if text is None or not text.startswith(before):
            continue
        text = text.removeprefix(before)
        if ahead + normal_id(text, folds_case=shape.folds_case) in posts:
            holder[key] = value if is_dry else FORGOTTEN
            is_changed = True
    return is_changed


def _remove_all(payload: Json, paths: tuple[str, ...], *, is_dry: bool) -> bool:
    """Make null what stands at the paths; say whether anything did."""
    is_changed = False
    for path in paths:
        for holder, key, value in list(_places(payload, path)):
            if value is not None:
                holder[key] = value if is_dry else None
                is_changed = True
    return is_changed


@cache
def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.replace("[*]", ".[*]").split(".") if part)


def _places(payload: Any, path: str) -> Iterator[tuple[Any, Any, Any]]:  # noqa: ANN401 - JSON
    """(holder, key, value) of everything at a path that is there."""
    *before, last = _parts(path)
    for holder in _reached(payload, tuple(before)):
        if last == "[*]":
            if isinstance(holder, list):
                yield from ((holder, index, value) for index, value in enumerate(holder))
        elif isinstance(holder, dict) and last in holder:
            yield holder, last, holder[last]


def _reached(value: Any, parts: tuple[str, ...]) -> Iterable[Any]:  # noqa: ANN401 - JSON
    values = [value]
    for part in parts:
        if part == "[*]":
            values = [inner for outer in values if isinstance(outer, list) for inner in outer]
        else:
            values = [outer[part] for outer in values if isinstance(outer, dict) and part in outer]
        if not values:
            break
    return values


def _texts(payload: Json, path: str, record_id: str) -> list[str]:
    """The ids or texts at a path, those that say nothing left out."""
    if path == RECORD_ID:
        return [record_id] if record_id else []
    if "|" in path:
        first, second = (_texts(payload, part, record_id) for part in path.split("|", 1))
        return [f"{first[0]}|{second[0]}"] if first and second else []
    parts = _parts(path)
    values = [payload.get(parts[0])] if len(parts) == 1 else _reached(payload, parts)
    found = [_as_text(value) for value in values]
    return [text for text in found if text is not None and text.strip().lower() not in _NOBODY]


def _as_text(value: Any) -> str | None:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None
