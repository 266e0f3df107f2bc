"""The errors of the sentiment room."""

from __future__ import annotations

from udfs.errors import SocialSignalsError


class SentimentError(SocialSignalsError):
    """A model, a score store or an input file that cannot be used as it is."""
