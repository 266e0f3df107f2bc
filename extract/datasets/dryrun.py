"""What a mapping would land, without landing it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from extract.base import Json
from extract.datasets.batches import BatchMaker
from extract.datasets.files import find_files
from extract.datasets.ids import Occurrences
from extract.datasets.mapping import DatasetMapping, load_mapping
from extract.datasets.pulling import BATCH_ROWS
from extract.datasets.readers import BadRow

_REJECT_EXAMPLES = 3


@dataclass(slots=True)
class FileCount:
    """What one file would give: rows read, records landed, rows filtered, reasons of rejects."""

    name: str
    row_count: int = 0
    landed_count: int = 0
    filtered_count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class DryRun:
    """The first records as they would land, counts a file, and examples of what is rejected.

    `examples` holds up to three (origin, text) a reason. `repeated_count` counts records whose id
    occurred before, which later replace the earlier ones or, being equal, change nothing.
    """

    mapping: DatasetMapping
    first_records: list[Json] = field(default_factory=list)
    files: list[FileCount] = field(default_factory=list)
    examples: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    repeated_count: int = 0

    @property
    def row_count(self) -> int:
        """Rows read, rejected ones included."""
        return sum(file.row_count for file in self.files)

    @property
    def landed_count(self) -> int:
        """Records that would land."""
        return sum(file.landed_count for file in self.files)

    @property
    def filtered_count(self) -> int:
        """Rows that `where` leaves out."""
        return sum(file.filtered_count for file in self.files)

    @property
    def reasons(self) -> Counter[str]:
        """How many rows would be rejected for each reason."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.reasons)
        return total


def dry_run(
    mapping: Path | DatasetMapping, folder: Path, *, limit: int = 5, max_rows: int | None = None
) -> DryRun:
    """Read the data of a mapping as a pull would and tell what would land.

    `limit` is the number of first records kept; `max_rows` stops after about that many rows.
    Raises `MappingError` where a pull would.
    """
    origin = mapping.name if isinstance(mapping, Path) else mapping.dataset
    checked = load_mapping(mapping) if isinstance(mapping, Path) else mapping
    files = find_files(checked, folder, origin=origin)
    result = DryRun(checked)
    counts: dict[str, FileCount] = {}
    seen = Occurrences()
    batch_rows = BATCH_ROWS if max_rows is None else max(1, min(BATCH_ROWS, max_rows))
    maker = BatchMaker(checked, origin=origin, batch_rows=batch_rows)
    try:
        maker.check(files)
        for parts in maker.batches(files):
            for part in parts:
                name = part.file.name
                count = counts.setdefault(name, FileCount(name))
                count.row_count += part.row_count
                count.landed_count += len(part.landed)
                count.filtered_count += part.filtered_count
                count.reasons.update(bad.reason for bad in part.rejected)
                for bad in part.rejected:
                    _keep_example(result, bad, name)
                wanted = max(limit - len(result.first_records), 0)
                result.first_records += [item.payload for item in part.landed[:wanted]]
            ids = seen.ids([item.record_id for part in parts for item in part.landed], "")
            result.repeated_count += sum(not item.endswith("-1") for item in ids)
            if max_rows is not None and sum(item.row_count for item in counts.values()) >= max_rows:
                break
    finally:
        maker.close()
    result.files = list(counts.values())
    return result


def _keep_example(result: DryRun, bad: BadRow, name: str) -> None:
    examples = result.examples.setdefault(bad.reason, [])
    if len(examples) < _REJECT_EXAMPLES:
        examples.append((f"{name}:{bad.place}", bad.text))
