"""One row per month of a series of int_growth__days and month that it is held against."""

from udfs.dbt_growth import month_changes


def model(dbt, session):
    dbt.config(materialized="table")
    return month_changes(session, dbt.ref("int_growth__days"))
