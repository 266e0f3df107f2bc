"""How long and how often a request is tried, and how much it may bring."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a request may take and how often it is tried; seconds and bytes.

    `wait_s` is the most that one request waits for rate limits before the source ends for this
    run; `body_bytes` bounds a body both as sent and as unpacked.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    total_s: float = 120.0
    body_bytes: int = 16 * 1024 * 1024
    redirects: int = 5
    attempts: int = 5
    backoff_s: float = 1.0
    longest_backoff_s: float = 60.0
    wait_s: float = 1_200.0
    blind_wait_s: float = 30.0
