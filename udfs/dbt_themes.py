"""What the Python models about themes do with the warehouse's rows.

Only this module knows both DuckDB and `udfs.lead_lag.themes`, which knows arrays alone. Texts are
counted by SQL before: what comes here are words of products and pairs of them.
"""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from udfs.lead_lag.panel import FloatArray
from udfs.lead_lag.themes import TermUse, find_telling, group_terms


def telling_terms(session: duckdb.DuckDBPyConnection, use: duckdb.DuckDBPyRelation) -> pa.Table:
    """Find the words of int_themes__term_authors that tell complaints from praise.

    Returns product_id, term, z_score, q_value, for those words alone. Memory: six numbers for each
    product and word that enough people use.
    """
    rows = (
        session.cursor()
        .execute(
            "select *, dense_rank() over (order by product_id) - 1 as product_number"
            f" from ({use.sql_query()}) order by product_id, term"
        )
        .to_arrow_table()
    )
    found = find_telling(
        TermUse(
            product=_numbers(rows, "product_number").astype(np.int64),
            complaints=_numbers(rows, "complaint_authors_count"),
            praise=_numbers(rows, "praise_authors_count"),
            all_complaints=_numbers(rows, "complaint_total_count"),
            all_praise=_numbers(rows, "praise_total_count"),
            category_share=_numbers(rows, "category_ratio"),
        )
    )
    picked = rows.filter(pa.array(found.is_telling))
    return pa.table(
        {
            "product_id": picked["product_id"],
            "term": picked["term"],
            "z_score": pa.array(found.z[found.is_telling], pa.float64()),
            "q_value": pa.array(found.q[found.is_telling], pa.float64()),
        }
    )


def grouped_terms(session: duckdb.DuckDBPyConnection, matches: duckdb.DuckDBPyRelation) -> pa.Table:
    """Group the telling words of a product that stand in the same texts.

    `matches`: int_themes__telling_matches. Returns product_id, term and theme, the written form of
    the word that leads its group.
    """
    reader = session.cursor()
    source = f"({matches.sql_query()})"
    terms = reader.execute(
        f"""
        select product_id, term, any_value(z_score) as z_score,
            any_value(written_term) as written_term, count(distinct text_key) as texts_count,
            dense_rank() over (order by product_id) - 1 as product_number
        from {source}
        group by product_id, term
        order by product_id, term
        """
    ).to_arrow_table()
    reader.register("known_terms", terms)
    pairs = reader.execute(
        f"""
        with numbered as (
            select product_id, term,
                row_number() over (order by product_id, term) - 1 as term_number
            from known_terms
        ),
        used as (
            select distinct numbered.product_id, numbered.term_number, matches.text_key
            from {source} as matches
            inner join numbered using (product_id, term)
        )
        select a.term_number as first_number, b.term_number as second_number, count(*) as shared
        from used as a
        inner join used as b
            on a.product_id = b.product_id and a.text_key = b.text_key
            and a.term_number < b.term_number
        group by a.term_number, b.term_number
        order by a.term_number, b.term_number
        """
    ).to_arrow_table()
    reader.unregister("known_terms")
    leader = group_terms(
        _numbers(terms, "product_number").astype(np.int64),
        _numbers(terms, "z_score"),
        _numbers(terms, "texts_count"),
        _numbers(pairs, "first_number").astype(np.int64),
        _numbers(pairs, "second_number").astype(np.int64),
        _numbers(pairs, "shared"),
    )
    return pa.table(
        {
            "product_id": terms["product_id"],
            "term": terms["term"],
            "theme": terms["written_term"].take(pa.array(leader, pa.int64())),
        }
    )


def _numbers(rows: pa.Table, column: str) -> FloatArray:
    """Return a column as float64 with NaN for null."""
    values: npt.NDArray[Any] = rows[column].to_numpy()
    return np.asarray(values, dtype=np.float64)
