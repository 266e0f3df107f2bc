"""What dbt calls in Python: text normalising, sentiment, and the statistics of lead and lag."""
