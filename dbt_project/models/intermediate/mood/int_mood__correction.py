"""One row per label of a model whose mistakes are known: what it says of opinions."""

from udfs.dbt_sentiment_mistakes import correction


def model(dbt, session):
    dbt.config(materialized="table")
    # Named, so that the model is built after the scores whose mistakes it states.
    dbt.ref("int_texts__scored")
    return correction(session)
