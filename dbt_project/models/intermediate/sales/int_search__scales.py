"""One row per answer, series and resolution of int_search__points: its scale, and how known."""

from udfs.dbt_search import search_scales


def model(dbt, session):
    dbt.config(materialized="table")
    return search_scales(session, dbt.ref("int_search__points"))
