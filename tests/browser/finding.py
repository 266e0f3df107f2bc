"""Which Chromium this machine has, and what to say where it has none."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

NAMED = "SOCIAL_SIGNALS_BROWSER"
REQUIRED = "required"
MISSING = "no Chromium found; apt-get install chromium"
LEFT_OUT = f"browser tests left out: {MISSING}"
_ON_THE_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find() -> Path | None:
    """The Chromium to drive: the one that SOCIAL_SIGNALS_BROWSER names, or the first on the path.

    The variable may also say "required": a machine without a browser then fails these tests.
    """
    named = os.environ.get(NAMED, "")
    names = _ON_THE_PATH if named in {"", REQUIRED} else (named,)
    return next((Path(found) for name in names if (found := shutil.which(name))), None)


def is_required() -> bool:
    """Whether a missing browser is a failure: it was asked for, or a browser was named."""
    return bool(os.environ.get(NAMED, ""))
