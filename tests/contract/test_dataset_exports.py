"""Mappings of real exports, each on an invented file of exactly that export's columns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from extract.datasets import MappingError, dry_run, load_mapping
from pipeline.settings import load_settings
from tests.dataset_files import SALES, payloads, pull_all

SENTIMENT140 = (
    '"0","1467810369","Mon Apr 06 22:19:45 PDT 2009","NO_QUERY","someone","iphone, caf\xe9"\n'
    '"4","1467822272","Mon Apr 06 22:22:45 PDT 2009","NO_QUERY","other","I love ""starbucks"""\n'
)
AMAZON_REVIEW = {
    "rating": 5.0,
    "title": "Fine",
    "text": "It does what it says.<br />Really.",
    "images": [],
    "asin": "B0EXAMPLE2",
    "parent_asin": "B0EXAMPLE1",
    "user_id": "AEXAMPLE",
    "timestamp": 1588687728923,
    "helpful_vote": 3,
    "verified_purchase": True,
}


def records(repository: Path, mapping: str, folder: Path | None = None) -> list[dict[str, Any]]:
    path = repository / "examples" / mapping
    found = dry_run(path, folder or path.parent, limit=10_000)
    assert not found.reasons
    return [dict(record) for record in found.first_records]


@pytest.mark.parametrize(
    "name", ["shopify_export", "amazon_seller", "sheet", "sentiment140", "amazon_reviews_2023"]
)
def test_the_settings_of_the_examples_are_valid(repository: Path, name: str) -> None:
    settings = load_settings(repository / "examples" / f"{name}.toml")
    assert settings.name == name


def test_an_order_of_the_shopify_export_is_on_each_of_its_lines(repository: Path) -> None:
    lines = records(repository, "shopify_export/orders.yml")
    assert [line["order_id"] for line in lines] == [
        "#1001", "#1001", "#1001", "#1002", "#1003", "#1004", "#1005"
    ]  # fmt: skip
    for line in lines[:3]:
        assert (line["currency"], line["order_discount"], line["order_total"]) == (
            "USD",
            10,
            81.13,
        )
        assert line["sold_at"] == "2026-03-01T15:15:22Z"
    # An article without a SKU is known by its name.
    assert [line["product_key"] for line in lines[:3]] == ["MUG-OLIVE", "MUG-SAND", "Trail Cap"]
    assert lines[3]["sold_at"] == "2026-03-02T04:40:00Z"
    assert [line["order_status"] for line in lines].count("cancelled") == 1
    assert lines[4]["order_refunded"] == 26.75
    assert lines[6]["product_name"] == "Gift wrap, \nred"


def test_a_later_shopify_export_replaces_the_lines_of_the_earlier(
    repository: Path, tmp_path: Path
) -> None:
    sample = repository / "examples/shopify_export/data/orders_export_1.csv"
    text = sample.read_text(encoding="utf-8")
    (tmp_path / "orders_export_2.csv").write_text(
        text.replace("partially_refunded", "refunded").replace(",4.00,Northfield", ",19.58,N"),
        encoding="utf-8",
    )
    before = records(repository, "shopify_export/orders.yml")
    after = records(repository, "shopify_export/orders.yml", tmp_path)
    assert [line["line_id"] for line in before] == [line["line_id"] for line in after]
    assert (before[3]["order_refunded"], after[3]["order_refunded"]) == (4, 19.58)


def test_the_amazon_orders_report(repository: Path) -> None:
    lines = records(repository, "amazon_seller/orders.yml")
    assert [(line["product_key"], line["order_status"], line["amount"]) for line in lines] == [
        ("MUG-OLIVE", "placed", 40),
        ("CAP-1", "placed", 20),
        ("CAP-1", "cancelled", None),
        ("CAP-1", "pending", None),
        ("MUG-OLIVE", "placed", 23.8),
    ]
    assert lines[0]["product_name"] == 'Field Mug 12" tall'
    assert [line["is_tax_included"] for line in lines] == [False, False, False, False, True]
    assert len({line["line_id"] for line in lines}) == len(lines)


def test_the_amazon_transactions_after_their_preamble(repository: Path) -> None:
    lines = records(repository, "amazon_seller/transactions.yml")
    assert [(line["kind"], line["quantity"], line["amount"]) for line in lines] == [
        ("sale", 2, 40),
        ("sale", 1, 20),
        ("return", 1, -20),
        ("sale", 100, 1999),
    ]
    # PST is eight hours behind, PDT seven.
    assert lines[0]["sold_at"] == "2026-03-01T15:15:22Z"
    assert lines[2]["sold_at"] == "2026-03-10T06:05:00Z"


def test_the_plain_sheet(repository: Path, tmp_path: Path) -> None:
    lines = records(repository, "sheet/sales.yml")
    assert [(line["sold_on"], line["quantity"]) for line in lines[:2]] == [
        ("2026-03-01", 4),
        ("2026-03-01", 12),
    ]
    # Revenue and currency may be absent, and a corrected number keeps its row's id.
    (tmp_path / "sales.csv").write_text("product,date,units\ndesk lamp,2026-03-01,5\n")
    (corrected,) = records(repository, "sheet/sales.yml", tmp_path)
    assert (corrected["amount"], corrected["currency"]) == (None, None)
    assert corrected["line_id"] == lines[0]["line_id"]


def test_the_invented_sheet_and_posts_land_whole(repository: Path, tmp_path: Path) -> None:
    script = repository / "examples/sheet/make_sample.py"
    subprocess.run([sys.executable, script, tmp_path], check=True)
    assert len(records(repository, "sheet/sales.yml", tmp_path)) > 300
    posts = records(repository, "sheet/posts.yml", tmp_path)
    assert len({post["text"] for post in posts}) > 0.9 * len(posts)


def test_sentiment140(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "training.1600000.processed.noemoticon.csv"
    file.write_text(SENTIMENT140, encoding="latin-1")
    first, second = records(repository, "sentiment140/posts.yml", tmp_path)
    assert (first["post_id"], first["created_at"]) == ("1467810369", "2009-04-07T05:19:45Z")
    assert first["text"] == "iphone, caf\xe9"
    assert second["text"] == 'I love "starbucks"'


def test_amazon_reviews_2023(repository: Path, tmp_path: Path) -> None:
    text = json.dumps(AMAZON_REVIEW) + "\n" + json.dumps(AMAZON_REVIEW | {"user_id": "B"}) + "\n"
    (tmp_path / "All_Beauty.jsonl").write_text(text, encoding="utf-8")
    (tmp_path / "meta_All_Beauty.jsonl").write_text('{"parent_asin": "B0EXAMPLE1"}\n')
    first, second = records(repository, "amazon_reviews_2023/reviews.yml", tmp_path)
    assert (first["rating"], first["product_key"]) == (5, "B0EXAMPLE1")
    assert (first["helpful_count"], first["created_at"]) == (3, "2020-05-05T14:08:48.923000Z")
    assert first["review_id"] != second["review_id"]


# The two keys of the mapping that these exports need --------------------------------------------


def carried(tmp_path: Path, rows: str, **keys: Any) -> tuple[list[Any], list[Any]]:
    (tmp_path / "a.csv").write_text("order,day,n,sku\n" + rows, encoding="utf-8")
    mapping = SALES | {"carry_down": {"within": "order", "columns": "day"}} | keys
    found, rejects = pull_all(tmp_path, mapping)
    return [record.payload for record in found], rejects


def test_what_stands_on_the_first_row_is_carried_down_within_its_order(tmp_path: Path) -> None:
    rows = "1,2020-01-01,1,a\n1,,2,b\n,,3,c\n2,,4,d\n3,2020-01-03,5,e\n3,2020-01-04,6,f\n"
    found, rejects = carried(tmp_path, rows)
    assert [(line["quantity"], line["sold_at"][:10]) for line in found] == [
        (1, "2020-01-01"),
        (2, "2020-01-01"),
        (3, "2020-01-01"),
        (5, "2020-01-03"),
        (6, "2020-01-04"),
    ]
    # Order 2 has no day of its own, and never that of order 1.
    assert [reject.reason for reject in rejects] == ["sold_at is missing"]


def test_a_nameless_row_after_a_broken_one_belongs_to_nobody(tmp_path: Path) -> None:
    rows = "1,2020-01-01,1,a\n2,2020-01-02,1\n,,3,c\n1,,4,d\n,,5,e\n"
    found, rejects = carried(tmp_path, rows)
    assert [line["quantity"] for line in found] == [1, 4]
    assert len(rejects) == 3


def test_ids_from_columns_outlive_a_change_of_the_rest(tmp_path: Path) -> None:
    mapping = SALES | {"id_from": ["day", "sku"]}
    file = tmp_path / "a.csv"
    file.write_text("day,n,sku\n2020-01-01,1,a\n2020-01-01,2,a\n2020-01-01,2,b\n")
    before = [line["line_id"] for line in payloads(tmp_path, mapping)]
    file.write_text("day,n,sku\n2020-01-01,7,a\n2020-01-01,8,a\n2020-01-01,9,b\n")
    assert [line["line_id"] for line in payloads(tmp_path, mapping)] == before
    assert len(set(before)) == 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"carry_down": {"within": "ordr", "columns": "day"}}, "'ordr' is not in a.csv"),
        ({"id_from": "skus"}, "'skus' is not in a.csv, did you mean 'sku'"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(MappingError, match=message):
        carried(tmp_path, "1,2020-01-01,1,a\n", **keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"carry_down": {"within": "a"}}, "carry_down.columns: is missing"),
        ({"carry_down": {"within": "a", "colums": ["b"]}}, "did you mean 'columns'"),
        ({"id_from": ["a"], "columns": SALES["columns"] | {"line_id": "x"}}, "goes without"),
        ({"id_from": ["a"], "format": "jsonl"}, "only for tables"),
        ({"carry_down": {"within": "a", "columns": "b"}, "format": "json"}, "no rows to carry"),
        ({"columns": {"quantity": "n"}}, "either sold_at or sold_on"),
        ({"columns": SALES["columns"] | {"sold_on": "day"}}, "not both"),
    ],
)
def test_a_wrong_mapping_is_explained(tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    path = tmp_path / "m.yml"
    path.write_text(yaml.safe_dump(SALES | keys), encoding="utf-8")
    with pytest.raises(MappingError, match=message):
        load_mapping(path)
