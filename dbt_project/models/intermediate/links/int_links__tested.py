"""One row per product, signal and outcome whose gate is open: what the tests say of it.

Before any correction over products. The curves over the lags are lists from -14 to 14.
"""

from udfs.dbt_links import pair_tests


def model(dbt, session):
    dbt.config(materialized="table")
    return pair_tests(
        session,
        dbt.ref("int_daily__series"),
        dbt.ref("int_daily__signals"),
        dbt.ref("dim_products"),
        pairs=dbt.ref("int_links__testable"),
    )
