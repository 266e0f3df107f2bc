"""How fast posts meet the terms of a catalogue, measured on the project's own model.

    python -m benchmarks.term_matching --posts 1000000 --terms 5000

Posts are made of words drawn by Zipf's law from an invented vocabulary; terms are one to three of
its words, so that common words stand in many of them, and a tenth are exclusions. About every
second post holds a term. The model runs
at a fifth of the posts and at all of them: matching that is linear takes the same time a post.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

import duckdb

from tests.warehouse.dbt_builds import TinyProject, tiny_project

_MODEL = "int_posts__product_mentions"
_VOCABULARY = 60_000
_WORDS_A_POST = 18
_COMMON_WORDS = 10_000
_SYLLABLES = ("ka", "lo", "mi", "ru", "te", "bo", "né", "shi", "dra", "zo", "pi", "ца", "ov", "el")


def main() -> None:
    """Measure at two sizes and print seconds, posts a second and matches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--terms", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()

    random_words = random.Random(options.seed)
    words = _vocabulary(random_words)
    terms = _terms(random_words, words, options.terms)
    products = [
        {"product_id": name, "product_name": name, "brand": "", "category": "all"}
        for name in sorted({term[0] for term in terms})
    ]
    print(f"{options.terms} terms of {len(products)} products")
    with tempfile.TemporaryDirectory() as folder:
        project = tiny_project(Path(folder) / "target", products=products, terms=terms)
        project.dbt("seed")
        project.dbt("run", "--select", "stg_datasets__posts", "int_terms__phrases")
        costs = [measure(project, words, count) for count in (options.posts // 5, options.posts)]
    print(f"time a post, large over small: {costs[1] / costs[0]:.2f} (1 is linear)")


def measure(project: TinyProject, words: list[str], post_count: int) -> float:
    """Run the model over so many posts; print what it took and return seconds a post."""
    with duckdb.connect(str(project.database)) as connection:
        _write_posts(connection, words, post_count)
    project.dbt("run", "--select", _MODEL)
    results = json.loads((project.folder / "target" / "run_results.json").read_text("utf-8"))
    seconds = float(results["results"][0]["execution_time"])
    matches = project.query(f"select count(*) from intermediate.{_MODEL}")[0][0]
    print(
        f"{post_count:>9} posts: {seconds:6.2f} s, {post_count / seconds:>9.0f} posts/s,"
        f" {matches} mentions"
    )
    return seconds / post_count


def _vocabulary(random_words: random.Random) -> list[str]:
    words = {
        "".join(random_words.choices(_SYLLABLES, k=random_words.randint(1, 5)))
        for _ in range(_VOCABULARY * 2)
    }
    return sorted(words)[:_VOCABULARY]


def _terms(random_words: random.Random, words: list[str], count: int) -> list[tuple[str, str, str]]:
    kinds = ("keyword",) * 6 + ("hashtag", "cashtag", "handle", "exclusion")
    terms: set[tuple[str, str, str]] = set()
    while len(terms) < count:
        kind = random_words.choice(kinds)
        length = random_words.randint(1, 3) if kind in ("keyword", "exclusion") else 1
        # One word alone is a rare one, as brands are; in phrases any word may stand.
        commonest = _COMMON_WORDS if length == 1 else 1
        phrase = " ".join(
            words[_zipf(random_words, len(words), commonest=commonest)] for _ in range(length)
        )
        terms.add((f"product-{len(terms) % 500:03}", phrase, kind))
    return sorted(terms)


def _zipf(random_words: random.Random, count: int, *, commonest: int = 1) -> int:
    """A rank below `count`, each about as likely as one over itself."""
    return int(commonest * (count / commonest) ** random_words.random()) - 1


def _write_posts(connection: duckdb.DuckDBPyConnection, words: list[str], count: int) -> None:
    connection.execute("create schema if not exists intermediate")
    connection.execute("create or replace temp table words (rank bigint, word varchar)")
    connection.execute(
        "insert into words select generate_subscripts(w, 1) - 1, unnest(w) from (select ? as w)",
        [words],
    )
    connection.execute("select setseed(0.5)")
    connection.execute(
        f"""
        create or replace table intermediate.int_posts__unioned as
        select
            'x:' || post_no as post_key,
            string_agg(case when sign < 0.05 then '#' else '' end || word, ' ') || '.' as text
        from (
            select
                post_no,
                random() as sign,
                floor({len(words)} ** random())::bigint - 1 as rank
            from range({count}) as posts (post_no), range({_WORDS_A_POST})
        ) as drawn
        inner join words using (rank)
        group by post_no
        """
    )


if __name__ == "__main__":
    main()
