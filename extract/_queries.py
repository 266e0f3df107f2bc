"""What to ask platforms for: terms of the catalogue, or queries of one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from extract._outcomes import FixError
from extract.base import Product

SEARCHED_KINDS = ("keyword", "hashtag", "cashtag", "handle")
_SIGNS = {"hashtag": "#", "cashtag": "$", "handle": "@"}


def catalogue_terms(
    catalogue: Iterable[Product], kinds: Sequence[str] = SEARCHED_KINDS
) -> list[str]:
    """Every term that means a product, once, signs in front, in the catalogue's order.

    Exclusions and SKUs are not asked for: the first cancel a match in a text that may hold another,
    the second are the shop's.
    """
    found: dict[str, str] = {}
    for product in catalogue:
        for kind in kinds:
            for term in product.terms.get(kind, ()):
                sign = _SIGNS.get(kind, "")
                text = " ".join(term.replace('"', " ").split()).lstrip(sign)
                if text:
                    found.setdefault(f"{sign}{text}".lower(), f"{sign}{text}")
    return list(found.values())


def named_terms(catalogue: Iterable[Product], kind: str) -> list[str]:
    """The terms of a kind that names something at one platform (`repository`, `launch`), once."""
    found: dict[str, str] = {}
    for product in catalogue:
        for term in product.terms.get(kind, ()):
            found.setdefault(term.strip().lower(), term.strip())
    return [term for term in found.values() if term]


def either(terms: Sequence[str], *, suffix: str, limit: int, source: str) -> list[str]:
    """Queries of the form `(a OR "b c" OR …) suffix`, each of at most `limit` characters, that
    together hold every term.

    Raises:
        FixError: a single term does not fit.
    """
    queries: list[str] = []
    gathered: list[str] = []
    for term in terms:
        quoted = term if term[:1] in "#$@" else f'"{term}"'
        query = _joined([*gathered, quoted], suffix)
        if len(query) > limit and gathered:
            queries.append(_joined(gathered, suffix))
            gathered, query = [], _joined([quoted], suffix)
        if len(query) > limit:
            raise FixError(
                f"{source}: the term {term!r} makes a query of {len(query)} characters; the "
                f"platform takes {limit}.",
                f"Shorten the term in terms.csv, or sources.{source}.suffix.",
            )
        gathered.append(quoted)
    if gathered:
        queries.append(_joined(gathered, suffix))
    return queries


def _joined(terms: Sequence[str], suffix: str) -> str:
    return f"({' OR '.join(terms)}) {suffix}".rstrip()
