"""Public data sets: files that a short YAML mapping turns into posts, sales, reviews or metrics.

The front door: a source as `extract.base.Source` describes, and the dry run of a mapping.
"""

from __future__ import annotations

from extract.datasets.dryrun import DryRun, FileCount, dry_run
from extract.datasets.kinds import SALE_KINDS
from extract.datasets.mapping import DatasetMapping, MappingError, load_mapping
from extract.datasets.pulling import Settings, pull

NAME = "datasets"
STREAMS: tuple[tuple[str, str], ...] = (
    (NAME, "posts"),
    (NAME, "sales"),
    (NAME, "reviews"),
    (NAME, "metrics"),
)
IS_SIMULATED = False

__all__ = [
    "IS_SIMULATED",
    "NAME",
    "SALE_KINDS",
    "STREAMS",
    "DatasetMapping",
    "DryRun",
    "FileCount",
    "MappingError",
    "Settings",
    "dry_run",
    "load_mapping",
    "pull",
]
