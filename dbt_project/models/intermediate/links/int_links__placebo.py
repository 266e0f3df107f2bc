"""One row per signal and outcome: how often unrelated pairs reject.

Each product's outcome is tested against other products' signals.
"""

from udfs.dbt_link_checks import placebo_of_pairs


def model(dbt, session):
    dbt.config(materialized="table")
    return placebo_of_pairs(
        session,
        series=dbt.ref("int_daily__series"),
        daily_signals=dbt.ref("int_daily__signals"),
        products=dbt.ref("dim_products"),
        pairs=dbt.ref("int_links__testable"),
    )
