"""Pseudonyms of authors: a keyed hash, the same for the same author everywhere, nobody's without
the key."""

from __future__ import annotations

import hashlib
import hmac
import os

from udfs.errors import SocialSignalsError

KEY_VARIABLE = "SOCIAL_SIGNALS_PSEUDONYM_KEY"
SHORTEST_KEY = 16
_DIGITS = 24
"""96 bits: among a billion authors two share a pseudonym with a chance of one in 10^11."""


class PseudonymKeyError(SocialSignalsError):
    """The key of the pseudonyms is missing, too short, or another one than before."""

    exit_code = 2


def read_key() -> bytes:
    """The key of the environment.

    Raises:
        PseudonymKeyError: there is none, or it is too short to keep anything secret.
    """
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if len(key) < SHORTEST_KEY:
        what = f"has {len(key)} characters" if key else "is not set"
        raise PseudonymKeyError(
            f"privacy.pseudonymise_authors is on and {KEY_VARIABLE} {what}.",
            f"Put a random text of at least {SHORTEST_KEY} characters into the environment or "
            '.env, such as what python -c "import secrets; print(secrets.token_hex(32))" prints, '
            "and keep it: another key makes other pseudonyms.",
        )
    return key.encode()


def pseudonym_of(key: bytes, text: str) -> str:
    """`person_` and hexadecimal digits."""
    digest = hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return f"person_{digest.hexdigest()[:_DIGITS]}"


def check_of(key: bytes) -> str:
    """What tells two keys apart and tells nothing of them."""
    return pseudonym_of(key, "which key is this?").removeprefix("person_")
