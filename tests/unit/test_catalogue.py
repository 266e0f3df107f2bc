"""The catalogue: what is read, and what the errors name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.catalogue import read_catalogue
from pipeline.settings import SettingsError

PRODUCTS = "product_id,product_name,brand,category,url\npear,Pear,Pear Inc,fruit,\n"
TERMS = "product_id,term,kind\npear,pear,keyword\npear,pear tree,exclusion\npear,P-1,sku\n"


def write(folder: Path, products: str = PRODUCTS, terms: str = TERMS) -> Path:
    (folder / "products.csv").write_text(products, encoding="utf-8")
    (folder / "terms.csv").write_text(terms, encoding="utf-8")
    return folder


def test_products_carry_their_terms_by_kind(tmp_path: Path) -> None:
    (pear,) = read_catalogue(write(tmp_path))
    assert pear.product_id == "pear"
    assert pear.terms == {"keyword": ("pear",), "exclusion": ("pear tree",), "sku": ("P-1",)}


@pytest.mark.parametrize(
    ("products", "terms", "message"),
    [
        (PRODUCTS.splitlines()[0] + "\n", TERMS, "lists no products"),
        (PRODUCTS + "pear,Again,,fruit,\n", TERMS, "line 3: product_id 'pear' stands there twice"),
        (PRODUCTS + "fig,,,fruit,\n", TERMS, "line 3: product_name is empty"),
        (PRODUCTS.replace("category", "kategorie"), TERMS, "column 'category' is missing"),
        (PRODUCTS, TERMS + "plum,plum,keyword\n", "line 5: product_id 'plum' is not in"),
        (PRODUCTS, TERMS + "pear,p,word\n", "line 5: kind 'word' is not one of"),
        (PRODUCTS, TERMS + "pear,!!!,keyword\n", "line 5: term '!!!' holds no letter"),
        (PRODUCTS + "fig,Fig,,fruit,\n", TERMS + "fig,P-1,sku\n", "'P-1' belongs to 'pear'"),
        (PRODUCTS + "fig,Fig,,fruit,\n", TERMS + "fig,p-1,sku\n", "'p-1' belongs to 'pear'"),
        (PRODUCTS + "fig,Fig,,fruit,\n", TERMS + "fig,*:P-1,sku\n", "'*:P-1' belongs to 'pear'"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(
    tmp_path: Path, products: str, terms: str, message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_catalogue(write(tmp_path, products, terms))
    assert message in str(caught.value)


def test_a_missing_file_says_which_columns_it_needs(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="product_id,product_name"):
        read_catalogue(tmp_path)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "products.csv").write_bytes(PRODUCTS.replace("Pear", "Pêra").encode("latin-1"))
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_catalogue(tmp_path)


EVENTS = "event_id,event_kind,event_name,product_id,starts_date,ends_date\n"
GOOD = "sale,promo,Winter sale,,2026-01-05,2026-01-09\nfire,outage,Fire,pear,2026-02-01,\n"


def test_events_are_optional_and_good_ones_pass(tmp_path: Path) -> None:
    write(tmp_path)
    read_catalogue(tmp_path)
    (tmp_path / "events.csv").write_text(EVENTS + GOOD, encoding="utf-8")
    read_catalogue(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",promo,Sale,,2026-01-05,", "line 4: event_id '' is empty"),
        ("x,party,Sale,,2026-01-05,", "line 4: event_kind 'party' is not one of promotion"),
        ("x,promo,,,2026-01-05,", "line 4: event_name '' is empty"),
        ("x,promo,Sale,plum,2026-01-05,", "line 4: product_id 'plum' is not in products.csv"),
        ("x,promo,Sale,,05.01.2026,", "line 4: starts_date '05.01.2026' is no day"),
        ("x,promo,Sale,,2026-02-30,", "line 4: starts_date '2026-02-30' is no day"),
        ("x,promo,Sale,,,2026-01-05", "line 4: starts_date '' is no day"),
        ("x,promo,Sale,,2026-01-05,soon", "line 4: ends_date 'soon' is no day"),
        ("x,promo,Sale,,2026-01-05,2026-01-04", "line 4: ends_date '2026-01-04' is before"),
        ("sale,promo,Sale,,2026-01-05,", "line 4: event_id 'sale' stands in line 2 already"),
        ("x,promo,Sale, now,,2026-01-05,", "line 4: there are more values than columns"),
    ],
)
def test_a_wrong_event_is_named_with_line_field_and_remedy(
    tmp_path: Path, line: str, message: str
) -> None:
    write(tmp_path)
    (tmp_path / "events.csv").write_text(EVENTS + GOOD + line + "\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_catalogue(tmp_path)
    assert message in str(caught.value)
    assert "events.csv" in str(caught.value)


def test_every_wrong_event_is_named_at_once(tmp_path: Path) -> None:
    write(tmp_path)
    bad = "a,party,Sale,,2026-01-05,\nb,promo,,,2026-01-05,\n" + "".join(
        f"c{n},party,x,,2026-01-05,\n" for n in range(30)
    )
    (tmp_path / "events.csv").write_text(EVENTS + bad, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        read_catalogue(tmp_path)
    assert "line 2: event_kind" in str(caught.value)
    assert "line 3: event_name" in str(caught.value)
    assert "… and 12 more" in str(caught.value)


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("pear,pear,repository", "'pear' is no repository"),
        ("pear,a/b/c,repository", "'a/b/c' is no repository"),
        ("fig,Pear/Core,repository", "repository 'Pear/Core' belongs to 'pear'"),
        ("pear,https://x/y,launch", "is no launch"),
        ("fig,PEAR-2,launch", "launch 'PEAR-2' belongs to 'pear'"),
    ],
)
def test_a_repository_and_a_launch_belong_to_one_product(
    tmp_path: Path, term: str, message: str
) -> None:
    terms = TERMS + "pear,pear/core,repository\npear,pear-2,launch\n"
    with pytest.raises(SettingsError) as caught:
        read_catalogue(write(tmp_path, PRODUCTS + "fig,Fig,,fruit,\n", terms + term + "\n"))
    assert f"line 7: term {message}" in str(caught.value) or message in str(caught.value)
