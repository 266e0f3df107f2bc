"""One row per category (and all products together), signal and outcome: the pooled effect.

Products of low volume take part: pooling is what their volume needs.
"""

from udfs.dbt_link_checks import pooled_categories


def model(dbt, session):
    dbt.config(materialized="table")
    enough_days = dbt.ref("mart_sufficiency").filter("gate in ('descriptive', 'tested', 'full')")
    return pooled_categories(
        session,
        series=dbt.ref("int_daily__series"),
        daily_signals=dbt.ref("int_daily__signals"),
        products=dbt.ref("dim_products"),
        pairs=enough_days.project("product_id, signal, metric"),
    )
