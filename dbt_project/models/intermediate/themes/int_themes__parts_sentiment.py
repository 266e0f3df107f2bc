"""One row per distinct sentence of int_themes__parts, with the score that the engine gave it.

The engine uses every core while there are new sentences; what it scored once stays in the store.
"""

from udfs.dbt_sentiment import score_texts


def model(dbt, session):
    dbt.config(materialized="table")
    return score_texts(session, dbt.ref("int_themes__parts"))
