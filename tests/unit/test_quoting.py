"""What may be shown of a record: words, author, address."""

from __future__ import annotations

import re
import unicodedata

import pytest

from charts.quoting import TERMS, author_words, link, may_quote, post_words, quoted
from udfs.pseudonyms import pseudonym_of

X_POST = "2044093130227056691"


@pytest.mark.parametrize("platform", [None, "", "threads", "a platform of tomorrow"])
def test_an_unknown_platform_shows_nothing(platform: str | None) -> None:
    assert not may_quote(platform)
    assert quoted("words", platform) is None
    assert author_words("17", platform) is None
    assert post_words("17", platform) is None


@pytest.mark.parametrize("platform", ["x", "X ", "reddit", "rss", "mastodon", "bluesky", "steam"])
def test_words_of_other_peoples_platforms_are_not_quoted(platform: str) -> None:
    assert quoted("words of a person", platform) is None


def test_reviews_of_the_own_pages_and_simulated_records_are_quoted() -> None:
    assert quoted("Five stars", "storefront") == "Five stars"
    assert quoted("Five stars", "woocommerce") == "Five stars"
    assert quoted("made up", "x", is_simulated=True) == "made up"
    assert quoted(None, "storefront") is None
    assert quoted("\u202e \n", "storefront") is None, "nothing is left of it"


def test_quoted_words_hold_no_sign_that_turns_a_page_around() -> None:
    assert quoted("a\u202eb\x00c\td\u2028e <b>", "storefront") == "abc d e <b>"


def test_every_rule_says_why() -> None:
    assert all(terms.why for terms in TERMS.values())
    assert not any(terms.may_name_author for terms in TERMS.values())


@pytest.mark.parametrize(
    ("platform", "author", "shown"),
    [
        ("x", "1273304001", "1273304001"),
        ("x", "ann_lee", None),
        ("x", "١٢٣", None),
        ("reddit", "t2_594y2i", "t2_594y2i"),
        ("reddit", "AnnLee", None),
        ("bluesky", "did:plc:z72i7hdynmk6r22z27h6tvur", "did:plc:z72i7…h6tvur"),
        ("bluesky", "did:web:ann.example", None),
        ("mastodon", "ann@social.example", None),
        ("hackernews", "annlee", None),
        ("rss", "daily|Ann Lee", None),
        ("storefront", "Ann Lee", None),
        ("x", None, None),
    ],
)
def test_ids_are_shown_and_names_are_not(
    platform: str, author: str | None, shown: str | None
) -> None:
    assert author_words(author, platform) == shown


def test_simulated_authors_and_pseudonyms_are_shown() -> None:
    assert author_words("ann_lee", "mastodon", is_simulated=True) == "ann_lee"
    pseudonym = pseudonym_of(b"a key of sixteen bytes", "mastodon:ann@social.example")
    shown = author_words(pseudonym, "mastodon")
    assert shown is not None
    assert re.fullmatch(r"person_[0-9a-f]{6}…[0-9a-f]{6}", shown)
    assert author_words(pseudonym + "\u202e", "mastodon") is None
    assert author_words("x\u202ey" * 4000, "x", is_simulated=True) == "xyxyxyxyxyxyx…xyxyxy"


@pytest.mark.parametrize(
    ("platform", "url", "expected"),
    [
        ("x", f"https://x.com/i/status/{X_POST}", f"https://x.com/i/status/{X_POST}"),
        ("x", f"https://twitter.com/i/web/status/{X_POST}?s=20",
         f"https://twitter.com/i/web/status/{X_POST}?s=20"),
        ("reddit", "https://old.reddit.com/r/a/comments/1/é/",
         "https://old.reddit.com/r/a/comments/1/%C3%A9/"),
        ("rss", "https://news.example/a?b=c&d='e'#f", "https://news.example/a?b=c&d=%27e%27#f"),
        ("rss", "https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("rss", 'https://news.example/"><script>', "https://news.example/%22%3E%3Cscript%3E"),
        ("a platform of tomorrow", "https://tomorrow.example/1", "https://tomorrow.example/1"),
    ],
)  # fmt: skip
def test_a_safe_address_is_kept(platform: str, url: str, expected: str) -> None:
    assert link(url, platform) == expected


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "JavaScript://news.example/%0aalert(1)",
        "data:text/html,<script>",
        "file:///etc/passwd",
        "//news.example/a",
        "news.example/a",
        "https://",
        "https://news.example@evil.example/",
        "https://user:word@news.example/",
        "https://news.example:8080/",
        "https://news.example:http/",
        "https://news.example\\@evil.example/",
        " https://news.example/",
        "https://news.example/\n",
        "https://news.example/a b",
        "https://news.example/\u202egnp.exe",
        "https://ne\u200bws.example/",
        "https://[::1]/",
        "https://[::1",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0x1/",
        "http://localhost/",
        "http://shop.local/",
        "https://-a.example/",
        "https://" + "a" * 64 + ".example/",
        "https://news..example/",
        "https://news.example./a",
        "https://news.example/" + "a" * 2000,
    ],
)
def test_an_address_that_could_lead_astray_is_dropped(url: str | None) -> None:
    assert link(url, "rss") is None


def test_a_platform_leads_to_its_own_pages_only() -> None:
    assert link("https://evil.example/", "bluesky") is None
    assert link("https://notbsky.app/", "bluesky") is None
    assert link("https://bsky.app.evil.example/", "bluesky") is None
    assert link("https://evil.example/", "x", post_id=X_POST) == (
        f"https://x.com/i/status/{X_POST}"
    )
    assert link(None, "reddit", post_id="t3_1vn80qi") == "https://www.reddit.com/comments/1vn80qi"
    assert link(None, "hackernews", post_id="42") == "https://news.ycombinator.com/item?id=42"


@pytest.mark.parametrize(
    ("platform", "post_id"),
    [
        ("x", "1/../../evil"),
        ("x", "1\n"),
        ("reddit", "t1_abc"),
        # Left out of the marts because it names an author who has a pseudonym.
        ("bluesky", "at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3k"),
        ("mastodon", "https://social.example/users/ann/statuses/1"),
        ("rss", "https://news.example/a"),
    ],
)
def test_an_id_that_is_strange_or_names_somebody_leads_nowhere(platform: str, post_id: str) -> None:
    assert link(None, platform, post_id=post_id) is None
    assert post_words(post_id, platform) is None


def test_simulated_records_lead_nowhere() -> None:
    url = f"https://x.com/i/status/{X_POST}"
    assert link(url, "x", post_id=X_POST, is_simulated=True) is None


def test_addresses_are_plain_signs() -> None:
    made = link("https://news.example/ü/\N{GREEK SMALL LETTER ALPHA}?q=“x”#`", "rss")
    assert made is not None
    assert made.isascii()
    assert not set(made) & set("\"'<>`\\ ")
    assert not any(unicodedata.category(sign)[0] in "CZ" for sign in made)
