"""One row per observed day of each series of int_daily__series that can be judged."""

from udfs.dbt_topics import daily_anomalies


def model(dbt, session):
    dbt.config(materialized="table")
    return daily_anomalies(session, dbt.ref("int_daily__series"))
