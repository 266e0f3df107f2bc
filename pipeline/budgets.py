"""What SQL shows of the ledgers: use and limits of requests, billed units and money."""

from __future__ import annotations

from decimal import Decimal

from extract._budget import read_uses
from extract._live import LiveSettings
from pipeline.settings import Settings

Row = tuple[str, str, str, Decimal, Decimal | None]
REQUESTS, MONEY = "requests", "usd"


def budget_rows(settings: Settings) -> list[Row]:
    """Source, month, unit, used, limit: of every ledger, for the sources of this target.

    Limits are those of the settings now; a source that is not set up has none.

    Raises:
        LedgerError: a ledger is damaged.
    """
    rows: list[Row] = []
    for use in read_uses(settings.paths.budgets):
        source = settings.sources.get(use.source)
        if not isinstance(source, LiveSettings):
            continue
        budget = source.budget
        rows.append(
            (use.source, use.month, REQUESTS, Decimal(use.requests), Decimal(budget.requests))
        )
        rows.append((use.source, use.month, MONEY, use.money_usd, budget.money_usd))
        for unit, count in sorted(use.units.items()):
            limit = budget.units.get(unit)
            rows.append(
                (
                    use.source,
                    use.month,
                    unit,
                    Decimal(count),
                    None if limit is None else Decimal(limit),
                )
            )
    return rows
