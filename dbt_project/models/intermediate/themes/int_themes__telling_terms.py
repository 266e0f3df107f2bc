"""One row per product and word of int_themes__term_authors that tells complaints from praise."""

from udfs.dbt_themes import telling_terms


def model(dbt, session):
    dbt.config(materialized="table")
    return telling_terms(session, dbt.ref("int_themes__term_authors"))
