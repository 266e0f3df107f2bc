"""Search interest that came in windows, each on a scale of its own, on one scale."""
