"""One row per product, signal and outcome whose gate is open: q-values and verdict of this look."""

from udfs.dbt_links import pair_decisions


def model(dbt, session):
    dbt.config(materialized="table")
    return pair_decisions(
        session, tested=dbt.ref("int_links__tested"), primary=dbt.ref("int_links__primary")
    )
