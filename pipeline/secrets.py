"""Secrets come from the environment or `.env`, and never reach a log."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from dotenv import load_dotenv

SECRET_VARIABLE = re.compile(
    r"(TOKEN|SECRET|PASSWORD|PASSWD|KEY|CREDENTIAL|WEBHOOK_URL)S?$", re.IGNORECASE
)
SHORTEST = 6
"""Values shorter than this are not replaced: they would blank out ordinary words."""


def load_environment(root: Path) -> None:
    """Read `.env` of the project's root; variables that are already set win."""
    load_dotenv(root / ".env", override=False)


def secret_values() -> list[str]:
    """The values of all environment variables that hold secrets, longest first."""
    values = {
        value
        for name, value in os.environ.items()
        if SECRET_VARIABLE.search(name) and len(value) >= SHORTEST
    }
    return sorted(values, key=len, reverse=True)


def redact(text: str) -> str:
    """Replace every secret value in a text by `***`."""
    for value in secret_values():
        text = text.replace(value, "***")
    return text


class RedactingFormatter(logging.Formatter):
    """A log format whose finished lines, tracebacks included, hold no secret."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
