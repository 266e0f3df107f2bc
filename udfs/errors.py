"""The one kind of error that is meant for the user's eyes."""

from __future__ import annotations


class SocialSignalsError(Exception):
    """An expected failure: what went wrong and what to change.

    Each room derives its own errors from this one. The command line prints `message` and `remedy`
    without a traceback and exits with `exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()
