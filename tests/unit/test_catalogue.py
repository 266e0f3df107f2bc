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
