"""The door of a stream lets through whatever SQL would match, and little else."""

from __future__ import annotations

import random
import re
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import duckdb
import jinja2
import pyarrow as pa
import pytest

from extract._mentions import LETTERS, Mentions, folded, mentions_of
from extract.base import Product

_UNSPACED = "\\p{Han}\\p{Hiragana}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Katakana}"


@pytest.fixture(scope="module")
def sql(repository: Path) -> jinja2.Template:
    """The words of column `text`, by the macro that the warehouse uses."""
    source = (repository / "dbt_project/macros/words.sql").read_text("utf-8")

    def literal(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def give_back(value: str) -> str:
        raise _Returned(value)

    environment = jinja2.Environment(extensions=["jinja2.ext.do"], autoescape=False)
    environment.globals |= {"sql_text": literal, "return": give_back}
    module = environment.from_string(
        source.replace("{{- return(nested.sql) -}}", "{{ nested.sql }}")
    )
    made = module.make_module()
    return str(made.words("text"))  # type: ignore[attr-defined, return-value]


class _Returned(Exception):  # noqa: N818 - carries a value
    pass


def words_of(sql: str, texts: list[str]) -> list[list[str]]:
    with duckdb.connect() as connection:
        connection.execute("create table given (number integer, text varchar)")
        rows = list(enumerate(texts))
        for start in range(0, len(rows), 1_000):
            marks = ", ".join("(?, ?)" for _ in rows[start : start + 1_000])
            values = [value for row in rows[start : start + 1_000] for value in row]
            connection.execute(f"insert into given values {marks}", values)
        found = connection.execute(f"select {sql} from given order by number").fetchall()
    return [list(words) for (words,) in found]


def forms(kind: str, words: list[str]) -> list[list[str]]:
    """Written forms of a term, as int_terms__phrases makes them."""
    made = [words]
    if kind == "keyword" and words[0][0] not in "#$@":
        made.append(["#" + words[0], *words[1:]])
    if (kind == "keyword" and words[0][0] not in "$@") or kind == "hashtag":
        made.append(["#" + "".join(words).lstrip("#")])
    return made


def holds(words: list[str], phrases: Iterable[list[str]]) -> bool:
    return any(
        words[at : at + len(phrase)] == phrase for phrase in phrases for at in range(len(words))
    )


_PIECES = [
    *(
        "acme",
        "Acme",
        "ACME",
        "anvil",
        "İphone",
        "iphone",
        "Café",
        "cafe\u0301",
        "levi's",
        "Levi’s",
    ),
    *(
        "o'neill",
        "R&D",
        "r&amp;d",
        "c++",
        "東京",
        "東",
        "ソニー",
        "ｿﾆｰ",
        "Straße",
        "STRASSE",
        "Ωmega",
    ),
    *(
        "भारत",
        "عربي",
        "กรุง",
        "x1",
        "_y",
        "²",
        "①",
        "™",
        "℠",
        "K2",
        "ﬁt",
        "Σίσυφος",
        "ς",
        "ǅ",
        "한국",
    ),
]
_GLUE = [
    *(" ", " ", " ", "", "", "-", ".", "'", "’", "#", "@", "$", "＃", "＠", "\n", "&amp;", "&#39;"),
    *(
        "&#x200b;",
        "&lt;",
        " www.",
        " https://",
        "@x.de",
        "a@b.co",
        "\u0301",
        "\u200d",
        "😀",
        "/",
        "_",
    ),
]


def made(chance: random.Random, pieces: int) -> str:
    parts: list[str] = []
    for _ in range(pieces):
        parts += [chance.choice(_PIECES), chance.choice(_GLUE)]
    text = "".join(parts[:-1]).strip()
    return chance.choice((text, text, text.upper(), text.lower()))


def test_whatever_sql_would_match_passes(sql: str) -> None:
    chance = random.Random(20_261_122)
    kinds = {"keyword": "", "hashtag": "#", "cashtag": "$", "handle": "@"}
    terms: list[tuple[str, str]] = []
    while len(terms) < 80:
        term = made(chance, chance.choice((1, 1, 2, 3))).lstrip("#$@＃＠")
        if any(character.isalnum() for character in term):
            terms.append((chance.choice(list(kinds)), term))
    texts = [made(chance, chance.randint(1, 6)) for _ in range(700)]
    # Half of the texts hold a term, somehow written.
    for number in range(0, len(texts), 2):
        kind, term = chance.choice(terms)
        term = chance.choice((term, term.upper(), term.lower(), term.replace(" ", "")))
        sign = chance.choice((kinds[kind], "#"))
        texts[number] = f"{texts[number][:9]}{chance.choice(_GLUE)}{sign}{term}{made(chance, 1)}"
    signed = [kinds[kind] + term.lstrip("#＃ $@") for kind, term in terms]
    phrases = words_of(sql, signed)
    texts_as_words = words_of(sql, texts)
    matched = 0
    for (kind, term), found in zip(terms, phrases, strict=True):
        if not found:
            continue
        catalogue = (Product("p", "P", "P", "c", {kind: (term,)}),)
        door = mentions_of(catalogue)
        for text, words in zip(texts, texts_as_words, strict=True):
            if holds(words, forms(kind, found)):
                matched += 1
                assert door.match(text), (kind, term, text, words, found)
    assert matched > 300, "the texts hold too few terms to prove anything"


def test_every_character_is_folded_at_least_as_coarsely_as_sql_does(sql: str) -> None:
    """For all of Unicode: equal in SQL is equal here, and no boundary here is none in SQL."""
    characters = [
        chr(code)
        for code in range(1, sys.maxunicode + 1)
        if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co")
    ]
    with duckdb.connect() as connection:
        table = pa.table({"number": range(len(characters)), "text": characters})
        connection.register("arrow_given", table)
        rows = connection.execute(
            "select text, lower(nfc_normalize(text)),"
            r" regexp_full_match(lower(text), '[\p{L}\p{N}\p{M}_]+')"
            " from arrow_given order by number"
        ).fetchall()
    letters = set(_expanded(LETTERS))
    for character, lower, is_word in rows:
        if character not in "'’ʼ＃＠＄&":
            assert folded(lower) == folded(character), f"U+{ord(character):04X}"
        if not is_word:
            assert not letters & set(folded(character)), f"U+{ord(character):04X}"


def _expanded(ranges: str) -> Iterable[str]:
    pattern = re.compile(f"[{ranges}]")
    return (chr(code) for code in range(0x600) if pattern.match(chr(code)))


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("I like ACME™ a lot", True),
        ("acmeology is no brand", False),
        ("pacme neither", False),
        ("the #acme tag", True),
        ("an acme, an anvil: two words", True),
        ("#RoadRunnerShoes", True),
        ("road-runner shoes", True),
        ("road or runner shoes", False),
        ("#meepmeep", True),
        ("meepmeep without its sign", False),
        ("buy $MEEP now", True),
        ("MEEP", False),
        ("ask @wile.example", True),
        ("", False),
    ],
)
def test_words_signs_and_boundaries(text: str, passes: bool) -> None:
    terms = {
        "keyword": ("acme", "road runner shoes"),
        "hashtag": ("meepmeep",),
        "cashtag": ("MEEP",),
        "handle": ("wile",),
        "exclusion": ("road",),
        "sku": ("tag",),
    }
    assert mentions_of((Product("p", "P", "P", "c", terms),)).match(text) is passes


def test_hashtags_beside_the_text_count() -> None:
    door = Mentions(["acme"])
    assert not door.match_parts("nothing here", [])
    assert door.match_parts("nothing here", ["Acme"])
    assert not door.match_parts("nothing here", ["acmeology"])


def test_own_terms_take_the_place_of_the_catalogue() -> None:
    catalogue = (Product("p", "P", "P", "c", {"keyword": ("acme",)}),)
    door = mentions_of(catalogue, ["#other thing"])
    assert door.match("an #otherthing")
    assert not door.match("acme")
