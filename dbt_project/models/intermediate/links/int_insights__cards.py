"""One row per card of this look: its words."""

from udfs.dbt_links import worded_cards


def model(dbt, session):
    dbt.config(materialized="table")
    return worded_cards(session, facts=dbt.ref("int_insights__facts"))
