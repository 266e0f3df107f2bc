"""One row per product, signal and outcome whose gate is open, and forecast horizon.

The same forecast with and without the signal, each day from what was known before it.
"""

from udfs.dbt_link_checks import forecasts_of_pairs


def model(dbt, session):
    dbt.config(materialized="table")
    return forecasts_of_pairs(
        session,
        series=dbt.ref("int_daily__series"),
        daily_signals=dbt.ref("int_daily__signals"),
        products=dbt.ref("dim_products"),
        tested=dbt.ref("int_links__tested"),
        primary=dbt.ref("int_links__primary"),
    )
