"""One row per topic and day of int_topics__daily_counts that could be tested for a burst."""

from udfs.dbt_topics import topic_bursts


def model(dbt, session):
    dbt.config(materialized="table")
    return topic_bursts(
        session,
        counts=dbt.ref("int_topics__daily_counts"),
        source_days=dbt.ref("int_calendar__source_days"),
    )
