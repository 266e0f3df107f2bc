"""Pseudonyms in the built tables: one tiny real build."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouse.dbt_builds import (
    dataset_post,
    reddit_submission,
    review,
    tiny_project,
    x_post,
)
from udfs.pseudonyms import KEY_VARIABLE, pseudonym_of

KEY = "a key of thirty-two characters.."


def test_authors_are_pseudonyms_from_the_union_on_and_joins_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    project = tiny_project(tmp_path / "p", settings={"pseudonymise_authors": "true"})
    project.land("x", "posts", [x_post("1", "Claude one"), x_post("2", "Claude two")])
    project.land("x", "users", [{"id": "7", "username": "ann_writes", "name": "Ann"}])
    project.land("datasets", "posts", [dataset_post("3", "Claude three", author_id="7")])
    named = reddit_submission("a", "Claude?", permalink="/user/author_a/comments/a/")
    project.land("reddit", "submissions", [named])
    project.land("storefront", "reviews", [review("r1", "good")])
    kinds = ("--resource-type", "seed", "--resource-type", "model")
    project.dbt("build", *kinds, "--select", "+int_posts__cleaned", "+int_reviews__unioned")

    rows = project.query(
        "select post_id, author_id, author_name, url from intermediate.int_posts__cleaned "
        "order by post_id"
    )
    seven = pseudonym_of(KEY.encode(), "x:7")
    by_id = {post_id: (author, name, url) for post_id, author, name, url in rows}
    assert by_id["1"][:2] == by_id["2"][:2] == (seven, seven)
    assert by_id["1"][2] == "https://x.com/i/status/1"
    assert by_id["3"][0] == seven, "the same author of X in a data set"
    assert by_id["t3_a"][:2] == (pseudonym_of(KEY.encode(), "reddit:t2_a"),) * 2
    assert by_id["t3_a"][2] is None, "the address names the author"
    assert project.query("select author_id from intermediate.int_reviews__unioned") == [
        (pseudonym_of(KEY.encode(), "storefront:A. Customer"),)
    ]
    for table in project.tables("intermediate"):
        shown = repr(project.query(f"from {table}"))
        assert not [name for name in ("ann_writes", "t2_a", "A. Customer") if name in shown], table
    compiled = "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "p" / "target").rglob("*.sql")
    )
    assert "pseudonym(" in compiled
    assert KEY not in compiled
