"""A published file of thousands of products in a second or two: the nine, multiplied in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from tests.fake_published import NINE, Planted, make_published

# Lengths of names as shops have them, and one as none should.
WIDE = "Wide name of a product with the size, the colour and the year of the model, number "


def make_crowd(
    file: Path, count: int, *, products: Sequence[Planted] = NINE, days: int = 180
) -> Path:
    """Write the file with `count` products: every mart's rows of the few, with ids of their own.

    Every table of the marts with a product_id is multiplied, so a mart that is added to the small
    file is in this one too. Every seventh product has a very wide name.
    """
    make_published(file, products[:count], days=days)
    copies = -(-count // len(products)) - 1
    with duckdb.connect(str(file)) as connection:
        tables = connection.execute(
            "select table_name from information_schema.columns "
            "where table_schema = 'marts' and column_name = 'product_id' order by 1"
        ).fetchall()
        for (table,) in tables if copies > 0 else ():
            connection.execute(
                f"insert into marts.{table} select few.* replace "
                "(few.product_id || '-' || copy.n as product_id) "
                f"from marts.{table} as few cross join range(1, {copies + 1}) as copy(n) "
                "where few.product_id is not null"
            )
        connection.execute(
            "create temp table kept as select product_id, row_number() over (order by "
            "try_cast(split_part(product_id, '-', 2) as integer) nulls first, product_id) as place "
            "from marts.dim_products"
        )
        connection.execute("delete from kept where place > ?", [count])
        for (table,) in tables:
            connection.execute(
                f"delete from marts.{table} where product_id not in (select product_id from kept)"
            )
        connection.execute(
            "update marts.dim_products set product_name = case when place % 7 = 3 "
            "then ? || place else product_name || ' ' || place end "
            "from kept where kept.product_id = dim_products.product_id and place > ?",
            [WIDE, len(products)],
        )
    return file
