"""One row per product, kind of event, signal and outcome: what was sold in its days.

Only pairs whose gate is open, of mood (and the calendar) and post volume.
"""

from udfs.dbt_link_checks import uplift_of_events


def model(dbt, session):
    dbt.config(materialized="table")
    return uplift_of_events(
        session,
        series=dbt.ref("int_daily__series"),
        daily_signals=dbt.ref("int_daily__signals"),
        products=dbt.ref("dim_products"),
        pairs=dbt.ref("int_links__testable"),
        calendar=dbt.ref("int_calendar__events"),
    )
