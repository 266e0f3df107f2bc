"""What the simulated audience writes: variety, languages, noise, machines, late versions."""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from extract import simulated
from extract.base import Context, Product, Record
from extract.simulated import Settings
from extract.simulated.draws import dice
from extract.simulated.grammar import NEGATIVE, NEUTRAL, POSITIVE, Voice, Writer
from extract.simulated.languages import OTHER_LANGUAGES

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
            "sku": ("LUM-1",),
        },
    ),
    Product(
        "medlar",
        "Medlar",
        "Medlar Data",
        "analytics tools",
        {"keyword": ("medlar",), "exclusion": ("medlar tree", "medlar jelly"), "sku": ("MED-1",)},
    ),
)
DAYS = 120


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Record]]:
    folder = tmp_path_factory.mktemp("posts")
    context = Context(
        run_id="run",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=CATALOGUE,
        root=folder,
        truth_path=folder / "truth.json",
    )
    found: dict[str, list[Record]] = defaultdict(list)
    for page in simulated.pull(Settings(days=DAYS, units_per_product_day=20), {}, context):
        for record in page.records:
            found[record.stream].append(record)
    return found


@pytest.fixture(scope="module")
def posts(records: dict[str, list[Record]]) -> list[dict[str, Any]]:
    """Each post once, as it was first fetched."""
    return list({r.record_id: r.payload for r in reversed(records["x/posts"])}.values())


def text_of(post: dict[str, Any]) -> str:
    note = post.get("note_post", post)
    return html.unescape(str(note["text"]))


def kinds(post: dict[str, Any]) -> set[str]:
    return {one["type"] for one in post.get("referenced_posts", ())}


def test_there_are_as_many_posts_as_asked_for(
    records: dict[str, list[Record]], posts: list[dict[str, Any]]
) -> None:
    submissions = {record.record_id for record in records["reddit/submissions"]}
    per_day = (len(posts) + len(submissions)) / DAYS / len(CATALOGUE)
    assert 24 < per_day < 36
    assert 0.1 < len(submissions) / (len(posts) + len(submissions)) < 0.25


def test_texts_differ(posts: list[dict[str, Any]]) -> None:
    texts = [text_of(post) for post in posts if "retweeted" not in kinds(post)]
    assert len(set(texts)) / len(texts) > 0.9
    lengths = [len(text) for text in texts]
    assert min(lengths) < 35
    assert max(lengths) > 300


def test_tens_of_thousands_of_texts_can_be_written() -> None:
    writer, voice = Writer(dice(7, "test")), Voice(CATALOGUE[0])
    texts = [
        writer.opinion(polarity, voice, "Lumivo")
        for polarity in (POSITIVE, NEUTRAL, NEGATIVE)
        for _ in range(8000)
    ]
    assert len(set(texts)) > 13_000
    assert not [text for text in texts if re.search(r"[{}]|\$\{|  | $|^ ", text)]


def test_every_frame_of_every_language_can_be_filled() -> None:
    writer = Writer(dice(7, "frames"))
    for product in CATALOGUE:
        voice = Voice(product)
        for polarity in (POSITIVE, NEUTRAL, NEGATIVE):
            for language in OTHER_LANGUAGES:
                for _ in range(30):
                    text = writer.foreign(language, polarity, "Medlar")
                    assert "Medlar" in text
                    assert "{" not in text
            for _ in range(300):
                assert "{" not in writer.title(polarity, voice, "Medlar")
                assert "{" not in writer.opinion(polarity, voice, "Medlar", "Lumivo")
        for _ in range(200):
            assert "{" not in writer.spam(voice, "Medlar", "https://t.co/abc")
            assert "{" not in writer.off_topic("medlar tree", voice)
            assert "{" not in writer.chatter(voice)


def test_languages_and_noise_have_their_shares(posts: list[dict[str, Any]]) -> None:
    count = len(posts)
    languages = Counter(post.get("lang") for post in posts)
    assert 0.8 < languages["en"] / count < 0.92
    assert {"es", "de", "fr", "pt", "ja", "it"} <= set(languages)
    assert 0 < languages[None] / count < 0.01
    texts = [text_of(post) for post in posts]
    assert sum(bool(re.search("[\U0001f300-\U0001faff]", text)) for text in texts) / count > 0.1
    assert 0.1 < sum("#" in text for text in texts) / count < 0.6
    assert 0.1 < sum(text == text.lower() for text in texts) / count < 0.35
    assert 0.005 < sum(text.isupper() for text in texts) / count < 0.04
    assert sum(bool(re.search(r"([aeio])\1{2,}", text)) for text in texts) > 20


def test_reposts_quotes_replies_and_long_posts_refer_to_what_is_there(
    posts: list[dict[str, Any]],
) -> None:
    by_id = {post["id"]: post for post in posts}
    counts = Counter(kind for post in posts for kind in kinds(post))
    assert set(counts) == {"retweeted", "quoted", "replied_to"}
    assert 0.03 < counts["retweeted"] / len(posts) < 0.09
    for post in posts:
        for reference in post.get("referenced_posts", ()):
            origin = by_id[reference["id"]]
            assert origin["created_at"] <= post["created_at"]
            if reference["type"] == "retweeted":
                assert text_of(post).startswith("RT @")
                assert len(text_of(post)) <= 140
                assert post["public_metrics"]["like_count"] == 0
            if reference["type"] == "replied_to":
                assert post["in_reply_to_user_id"] == origin["author_id"]
                assert post["conversation_id"] == origin["conversation_id"]
    long_ones = [post for post in posts if "note_post" in post]
    assert len(long_ones) > 10
    for post in long_ones:
        assert len(post["text"]) <= 280 < len(post["note_post"]["text"])


def test_edits_are_new_posts_that_name_their_chain(records: dict[str, list[Record]]) -> None:
    by_id = {record.record_id: record for record in records["x/posts"]}
    edited = [
        record for record in by_id.values() if len(record.payload["edit_history_post_ids"]) > 1
    ]
    assert len(edited) > 30
    late = 0
    for record in edited:
        chain = record.payload["edit_history_post_ids"]
        assert chain[-1] == record.record_id
        assert chain == sorted(chain, key=int)
        first = by_id[chain[0]]
        assert first.payload["edit_history_post_ids"] == chain[:1]
        assert first.payload["author_id"] == record.payload["author_id"]
        assert first.payload["text"] != record.payload["text"]
        late += record.fetched_at > first.fetched_at
    assert late > 5


def test_snapshots_of_a_day_later_have_higher_metrics(records: dict[str, list[Record]]) -> None:
    versions: dict[str, list[Record]] = defaultdict(list)
    for record in records["x/posts"]:
        versions[record.record_id].append(record)
    pairs = [found for found in versions.values() if len(found) == 2]
    assert 0.1 < len(pairs) / len(versions) < 0.3
    same = 0
    for first, second in pairs:
        before = first.payload["public_metrics"]
        after = second.payload["public_metrics"]
        assert second.fetched_at > first.fetched_at
        assert all(after[name] >= before[name] for name in before)
        same += first.payload == second.payload
    assert same > 10  # an overlap lands the same content twice
    assert same < 0.5 * len(pairs)


def test_engagement_has_a_heavy_tail(posts: list[dict[str, Any]]) -> None:
    likes = sorted(post["public_metrics"]["like_count"] for post in posts)
    assert likes[len(likes) // 2] <= 10
    assert likes[-1] > 300
    top = sum(likes[-len(likes) // 100 :])
    assert top / sum(likes) > 0.2


def test_entities_point_at_what_they_name(posts: list[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for post in posts:
        text = post["text"]
        for kind, sign in (("hashtags", "#"), ("cashtags", "$")):
            for one in post.get("entities", {}).get(kind, ()):
                assert text[one["start"] : one["end"]] == sign + one["tag"]
                seen[kind] += 1
        for one in post.get("entities", {}).get("mentions", ()):
            assert text[one["start"] : one["end"]] == "@" + one["username"]
            seen["mentions"] += 1
        for one in post.get("entities", {}).get("urls", ()):
            assert text[one["start"] : one["end"]] == one["url"]
            seen["urls"] += 1
    assert min(seen[kind] for kind in ("hashtags", "cashtags", "mentions", "urls")) > 50


def test_machines_repeat_themselves_and_people_do_not(
    posts: list[dict[str, Any]], records: dict[str, list[Record]]
) -> None:
    users = {record.record_id: record.payload for record in records["x/users"]}
    assert {post["author_id"] for post in posts} <= set(users)
    stems: dict[str, Counter[str]] = defaultdict(Counter)
    for post in posts:
        stems[post["author_id"]][" ".join(text_of(post).split()[2:8])] += 1
    repeated = {author for author, found in stems.items() if found.most_common(1)[0][1] >= 5}
    assert repeated
    for author in repeated:
        assert users[author]["public_metrics"]["followers_count"] < 100
    spam = [
        post for post in posts if re.search(r"GIVEAWAY|WIN a free|Limited offer", text_of(post))
    ]
    assert spam
    texts = Counter(text_of(post) for post in posts if "retweeted" not in kinds(post))
    assert sum(count > 1 for count in texts.values()) > 20  # copies under another name


def test_off_topic_posts_use_the_exclusions_only(posts: list[dict[str, Any]]) -> None:
    off_topic = [
        text
        for text in map(text_of, posts)
        if "medlar tree" in text.lower() or "medlar jelly" in text.lower()
    ]
    assert len(off_topic) > 20
    for text in off_topic:
        rest = re.sub(r"medlar (tree|jelly)", "", text.lower())
        assert "medlar" not in rest
        assert "lumivo" not in rest


def test_some_posts_name_two_products_and_some_none(posts: list[dict[str, Any]]) -> None:
    texts = [text_of(post).lower() for post in posts]
    both = sum("medlar" in text and "lum" in text for text in texts)
    none = sum("medlar" not in text and "lum" not in text for text in texts)
    assert 0.01 < both / len(texts) < 0.10
    assert 0.003 < none / len(texts) < 0.05


def test_typos_and_capitals_never_hide_the_product(posts: list[dict[str, Any]]) -> None:
    genuine = [post for post in posts if not kinds(post)]
    texts = [text_of(post).lower() for post in genuine]
    terms = ("lumivo chat", "lumivo", "#lumivochat", "$lumv", "@lumivo_ai", "medlar")
    named = sum(any(term in text for term in terms) for text in texts)
    assert named / len(texts) > 0.96


def test_submissions_change_too(records: dict[str, list[Record]]) -> None:
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records["reddit/submissions"]:
        assert record.record_id == record.payload["data"]["name"]
        versions[record.record_id].append(record.payload["data"])
    latest = [found[-1] for found in versions.values()]
    assert any(data["edited"] for data in latest)
    assert any(data["removed_by_category"] == "moderator" for data in latest)
    assert any(data["selftext"] == "" for data in latest)
    assert len({data["subreddit"] for data in latest}) >= 4
    grown = [found for found in versions.values() if found[-1]["score"] > found[0]["score"]]
    assert grown


def test_platforms_have_audiences_and_hours_of_their_own(
    records: dict[str, list[Record]], posts: list[dict[str, Any]]
) -> None:
    on_x = {record.payload["username"] for record in records["x/users"]}
    on_reddit = {record.payload["data"]["author"] for record in records["reddit/submissions"]}
    assert len(on_x & on_reddit) < 0.02 * len(on_reddit)
    x_hours = Counter(int(post["created_at"][11:13]) for post in posts)
    reddit_hours = Counter(
        datetime.fromtimestamp(record.payload["data"]["created_utc"], UTC).hour
        for record in records["reddit/submissions"]
    )
    x_evening = sum(x_hours[hour] for hour in range(19, 24)) / x_hours.total()
    reddit_evening = sum(reddit_hours[hour] for hour in range(19, 24)) / reddit_hours.total()
    assert reddit_evening > x_evening + 0.05


def test_stars_follow_the_words_of_reviews_with_noise(records: dict[str, list[Record]]) -> None:
    reviews = [record.payload for record in records["storefront/reviews"]]
    stars = Counter(review["rating"] for review in reviews)
    assert set(stars) == {1, 2, 3, 4, 5}
    assert any(review["body"] == "" for review in reviews)
    assert any(review["title"] is None for review in reviews)
    assert all(review["created_at"] <= review["updated_at"] for review in reviews)
    good = re.compile(r"love|glad|happy|recommend|never let me down|no regrets|thank", re.I)
    bad = re.compile(r"let me down again|never again|fed up|worst|avoid|disappointed", re.I)
    mean = {}
    for name, pattern in (("good", good), ("bad", bad)):
        found = [review["rating"] for review in reviews if pattern.search(review["body"])]
        mean[name] = sum(found) / len(found)
    assert mean["good"] > mean["bad"] + 0.8


def test_search_interest_is_partial_first_and_whole_a_day_later(
    records: dict[str, list[Record]],
) -> None:
    versions: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records["google_trends/interest"]:
        payload = record.payload
        key = (payload["term"], payload["geo"], payload["date"], payload["window_start"])
        assert record.record_id == "|".join(key)
        versions[record.record_id].append(payload)
        assert payload["value"] == "<1" or 0 <= payload["value"] <= 100
    assert len(versions) == DAYS * len(CATALOGUE)
    unfinished = [
        found for found in versions.values() if [p["is_partial"] for p in found] == [True]
    ]
    whole = [
        found for found in versions.values() if [p["is_partial"] for p in found][1:] == [False]
    ]
    assert len(unfinished) == len(CATALOGUE)
    assert len(whole) == len(versions) - len(unfinished)


def test_a_product_that_few_look_for_has_values_below_one(tmp_path: Path) -> None:
    context = Context(
        run_id="run",
        now=lambda: datetime(2026, 11, 1, tzinfo=UTC),
        catalogue=CATALOGUE[:1],
        root=tmp_path,
        truth_path=tmp_path / "truth.json",
    )
    settings = Settings(days=60, scenarios={"lumivo": "intermittent"}, posts_per_product_day=0)  # type: ignore[dict-item]
    values = {
        record.payload["value"]
        for page in simulated.pull(settings, {}, context)
        for record in page.records
        if record.stream == "google_trends/interest"
    }
    assert "<1" in values
    assert 1 in values
