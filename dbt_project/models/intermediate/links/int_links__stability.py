"""One row per check of a claim or of a primary pair on the watchlist: does it say the same?"""

from udfs.dbt_links import stability_checks


def model(dbt, session):
    dbt.config(materialized="table")
    return stability_checks(
        session,
        dbt.ref("int_daily__series"),
        dbt.ref("int_daily__signals"),
        dbt.ref("dim_products"),
        decided=dbt.ref("int_links__decided"),
        variants=dbt.ref("int_daily__signal_variants"),
    )
