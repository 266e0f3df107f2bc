"""The proof: a whole run, a request to forget, and no byte of it left in any file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from pipeline.paths import DBT_PROJECT
from tests.tiny_checkpoint import make_tiny_checkpoint
from tests.warehouse.test_forget import everything
from udfs.dbt_plugin import hash_of

SETTINGS = """
[target]
simulated = true
cutoff_at = 2026-02-01T00:00:00Z
expects = []
[sources.simulated]
seed = 11
start_date = 2026-01-05
days = 12
posts_per_product_day = 2
[sentiment]
model_dir = "{model}"
threads = 1
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def pipeline(config: Path, data: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments, "--config", str(config)],
        env={**os.environ, "SOCIAL_SIGNALS_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 4}, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def query(file: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.xdist_group("forget")
def test_after_a_request_no_file_holds_the_post_the_author_or_the_customer(tmp_path: Path) -> None:
    config, data = tmp_path / "shop.toml", tmp_path / "data"
    model = make_tiny_checkpoint(tmp_path / "checkpoint")
    config.write_text(SETTINGS.format(model=model), encoding="utf-8")
    folder = data / "shop"
    for step in ("extract", "load", "build", "insights"):
        pipeline(config, data, step)
    published = folder / "published.duckdb"

    victim, words = query(
        published,
        "select post_id, text from marts.fct_posts where platform = 'x' and text is not null "
        "and not is_repost and text_key in (select text_key from marts.fct_posts group by 1 "
        "having count(*) = 1) order by length(text) desc, post_id limit 1",
    )[0]
    author, author_words = query(
        published,
        "select author_id, min(text) from marts.fct_posts where platform = 'reddit' "
        "and text_key in (select text_key from marts.fct_posts group by 1 having count(*) = 1) "
        "group by 1 order by 1 limit 1",
    )[0]
    order, customer = query(
        folder / "work.duckdb",
        "select record_id, payload->>'$.customer.id' from raw.shopify_orders "
        "where payload->>'$.customer.id' is not null order by 1 limit 1",
    )[0]
    (folder / "dbt" / "compiled").mkdir(parents=True, exist_ok=True)
    (folder / "dbt" / "compiled" / "failing.sql").write_text(words, encoding="utf-8")
    (folder / "charts").mkdir(exist_ok=True)
    (folder / "charts" / "old.html").write_text(words, encoding="utf-8")
    scores = hash_of(words)
    # In files text stands as it is or as JSON writes it.
    first_line = words.splitlines()[0]
    traces = {
        "the post's id": victim,
        "the post's words": first_line,
        "the author's id": author,
        "the author's words": author_words.splitlines()[0],
        "the customer's id": customer,
        "the key of the post's score": scores,
    }

    def found() -> list[str]:
        content = everything(folder)
        for by_hand in (DBT_PROJECT / "target", DBT_PROJECT / "logs"):
            content += everything(by_hand) if by_hand.exists() else b""
        return [name for name, trace in traces.items() if trace.encode() in content]

    assert found() == list(traces), "the search finds what is there"
    columns = [name for (name, *_) in query(published, "describe marts.fct_order_lines")]
    measure = next(name for name in columns if name.startswith(("net_sales", "gross_sales")))
    money = f"select sum({measure}), count(*) from marts.fct_order_lines"
    before = {name: query(published, f"select count(*) from {name}")[0][0] for name in (
        "marts.fct_posts", "marts.fct_reviews"
    )}  # fmt: skip
    earned = query(published, money)
    authored = query(
        published, f"select count(*) from marts.fct_posts where author_id = '{author}'"
    )[0][0]

    said = pipeline(
        config,
        data,
        "forget",
        "--yes",
        f"--post=x:{victim}",
        f"--author=reddit:{author}",
        f"--customer=shopify:{customer}",
    )
    assert found() == []
    assert "receipt in" in said
    after = query(published, "select count(*) from marts.fct_posts")[0][0]
    assert before["marts.fct_posts"] - after >= 1 + authored
    assert before["marts.fct_posts"] - after <= 5 + 2 * authored
    assert query(published, "select count(*) from marts.fct_reviews") == [
        (before["marts.fct_reviews"],)
    ]
    assert query(published, money) == earned, "sales stay, without the customer"
    assert query(folder / "work.duckdb", f"from raw.shopify_orders where record_id = '{order}'")
    (receipt,) = (folder / "receipts").iterdir()
    assert json.loads(receipt.read_text())["removed"]["scores"] >= 1

    (folder / "work.duckdb").unlink()
    pipeline(config, data, "load")
    assert found() == [], "replay brings nothing back"
