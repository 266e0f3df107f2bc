"""Which texts a model of English is asked about."""

from __future__ import annotations

import pytest

from udfs.normalise import normalise
from udfs.sentiment.languages import detect, is_readable


@pytest.mark.parametrize(
    "text",
    [
        "lol", "LOL", "omg yes", "meh", "ok", "wow", "gg", "thx", "nice", "terrible", "sucks",
        "ugh", "Nike Air Max", "iPhone 15 Pro", "Tesla", "Volkswagen", "Lufthansa",
        "Samsung Galaxy S24",
        "gpt-4o mini", "ChatGPT Claude Gemini", "Spotify Premium", "Netflix", "Adidas",
        "😂😂😂", "👍", "❤️🔥", "5/5", "10/10 would recommend", "$TSLA 🚀🚀", "#BlackFriday deals",
        "@user u r the best", "app keeps crashing", "not working", "doesnt work", "pls fix",
        "battery died after 2 days", "BEST. PHONE. EVER.", "sooooo goooood", "WTF",
        "Bundesliga final was great", "waste of money",
        "bad byte, I hate it", "when is this out", "why would you do that",
        "I can't believe how slow the checkout on this website has become",
    ],
)  # fmt: skip
def test_english_short_and_loose_is_read(text: str) -> None:
    assert is_readable(normalise(text))


@pytest.mark.parametrize(
    "text",
    [
        "Das Produkt ist kaputt und der Kundendienst antwortet nicht",
        "Schlechter Service, nie wieder",
        "El pedido llegó tarde y roto",
        "me gusta mucho este teléfono",
        "Le produit est arrivé cassé 😡😡😡",
        "ne fonctionne pas du tout",
        "Il servizio è pessimo, non comprate",
        "O aplicativo não funciona desde ontem",
        "Bu uygulama çok kötü, hiç çalışmıyor",
        "これは良い製品です",
        "很好用的手机",
        "отличный телефон",
        "الخدمة سيئة جدا",
        "제품이 고장났어요",
        "उत्पाद टूटा हुआ आया",
        "Das ist so schlecht 😂😂 👎",
    ],
)
def test_other_languages_are_refused(text: str) -> None:
    assert not is_readable(normalise(text))


def test_detect_names_the_language_or_admits_it_cannot() -> None:
    assert detect("The delivery was late and nobody answered my mail") == "en"
    assert detect("Das Produkt ist kaputt und der Kundendienst antwortet nicht") == "de"
    assert detect("これは良い製品です") == "ja"
    assert detect("👍") == detect("https://example.com") == detect("") == "und"
    assert detect("Nike Air Max") in {"und", "en"}
