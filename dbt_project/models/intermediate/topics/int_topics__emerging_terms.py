"""One row per term and week of int_topics__weekly_terms, with how unusual its authors are."""

from udfs.dbt_topics import emerging_terms


def model(dbt, session):
    dbt.config(materialized="table")
    return emerging_terms(session, dbt.ref("int_topics__weekly_terms"))
