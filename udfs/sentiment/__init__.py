"""Sentiment of short texts: `load_engine(...)` and what it returns.

    engine = load_engine()
    table = engine.score(["The new keyboard is a joy.", None])

The names below are imported when they are first used: asking for a language needs no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from udfs.sentiment.engine import SCORE_SCHEMA, Engine, load_engine
    from udfs.sentiment.errors import SentimentError

__all__ = ["SCORE_SCHEMA", "Engine", "SentimentError", "load_engine"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name == "SentimentError":
        from udfs.sentiment.errors import SentimentError

        return SentimentError
    if name in __all__:
        from udfs.sentiment import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
