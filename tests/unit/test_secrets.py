"""Secrets never reach a log line."""

from __future__ import annotations

import logging
import sys

import pytest

from pipeline.secrets import RedactingFormatter, redact


def test_values_of_secret_variables_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCIAL_SIGNALS_X_BEARER_TOKEN", "s3cr3t-value")
    monkeypatch.setenv("SOCIAL_SIGNALS_X_USER", "plain-value")
    assert redact("GET /?t=s3cr3t-value by plain-value") == "GET /?t=*** by plain-value"


def test_a_longer_secret_goes_before_one_that_begins_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "abcdef")
    monkeypatch.setenv("B_TOKEN", "abcdefghij")
    assert redact("abcdefghij") == "***"


def test_tracebacks_are_redacted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "open-sesame")
    try:
        int("open-sesame")
    except ValueError:
        record = logging.LogRecord("x", 40, __file__, 1, "failed", None, sys.exc_info())
    line = RedactingFormatter("%(message)s").format(record)
    assert "ValueError" in line
    assert "open-sesame" not in line
