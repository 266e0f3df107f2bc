"""One row per product and telling word, with the theme that words of the same texts make."""

from udfs.dbt_themes import grouped_terms


def model(dbt, session):
    dbt.config(materialized="table")
    return grouped_terms(session, dbt.ref("int_themes__telling_matches"))
