"""One row per distinct text of posts and reviews, with the score that the engine gave it.

The engine uses every core while there are new texts.
"""

from udfs.dbt_sentiment import score_texts


def model(dbt, session):
    dbt.config(materialized="table")
    posts = dbt.ref("int_posts__unioned")
    reviews = dbt.ref("int_reviews__unioned")
    return score_texts(session, posts, reviews)
