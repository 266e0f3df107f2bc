"""One row per author of int_authors__engagement with any known engagement: what is usual."""

from udfs.dbt_topics import author_influence


def model(dbt, session):
    dbt.config(materialized="table")
    return author_influence(session, dbt.ref("int_authors__engagement"))
