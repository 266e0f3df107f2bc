"""The shape of insights.json: its models, from which `insights.schema.json` beside them is made.

A change of a field's name or meaning raises `SCHEMA_VERSION` (docs/insights_schema.md says how) and
is stored with `python -m pipeline.insights_schema`.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from charts.reading import MOOD

SCHEMA_VERSION = "2.0"
SCHEMA_FILE = Path(__file__).with_name("insights.schema.json")
MINUS = "\N{MINUS SIGN}"

Verdict: TypeAlias = Literal[
    "social_leads", "sales_lead", "feedback", "watchlist", "none", "insufficient"
]
LookStatus: TypeAlias = Literal[
    "none",
    "insufficient",
    "waiting",
    "claimed",
    "confirmed",
    "weakening",
    "changed",
    "withdrawn",
]
CLAIMS: frozenset[Verdict] = frozenset({"social_leads", "sales_lead", "feedback"})
Gate: TypeAlias = Literal["insufficient", "descriptive", "tested", "full", "blocked"]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Ratio: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Correlation: TypeAlias = Annotated[float, Field(ge=-1.000001, le=1.000001, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Strongest(_Part):
    """The lag of a pair at which the correlation is strongest. It is a place to look, no claim."""

    lag_days: Annotated[int, Field(description="Above 0 the signal comes first.")]
    correlation: Correlation
    null_low: Number | None
    null_high: Number | None
    is_outside_null_band: bool
    p_sidak: Ratio | None
    q_value: Ratio | None
    n_days: Count | None
    n_eff: Number | None

    def words(self) -> str:
        """`at +3 days (r = +0.31), outside the null band`."""
        side = "outside" if self.is_outside_null_band else "inside"
        r = f"r = {self.correlation:+.2f}"
        days = f"{self.lag_days:+d} day" + ("" if abs(self.lag_days) == 1 else "s")
        place = f"at {days} ({r})" if self.lag_days else f"on the same day ({r})"
        return f"{place}, {side} the null band".replace("-", MINUS)


class Link(_Part):
    """What the test of a pair says at this build, before the rule of repeated looks."""

    verdict_today: Verdict
    lag_days: Annotated[Count | None, Field(description="1 to 14, the signal first.")]
    width_days: Count | None
    p_value: Ratio | None
    q_value: Ratio | None
    reverse_lag_days: Annotated[Count | None, Field(description="1 to 14, the outcome first.")]
    reverse_q_value: Ratio | None
    n_days: Count | None
    products_tested: Count | None


class Effect(_Part):
    """What the size of a link of this pair would rest on; sizes themselves are on the cards."""

    minimum_detectable_effect_ratio: Number | None
    reliability_ratio: Number | None
    signal_sd: Number | None
    is_percentage_allowed: bool
    percentage_reason: str


class Pair(_Part):
    """A signal and an outcome of one product: may it be tested, and what was found."""

    signal: str
    metric: str
    gate: Gate | None
    reason: str
    what_is_missing: str
    days_observed: Count | None
    days_needed: Count | None
    missing_day_ratio: Ratio | None
    posts_per_day: Number | None
    units_per_day: Number | None
    verdict: Verdict
    strongest: Strongest | None
    link: Link | None
    effect: Effect | None
    stability_ratio: Ratio | None


class Evidence(_Part):
    """What a statement rests on: a query for the published file, and figures."""

    sql: str
    details: dict[str, Any] = Field(default_factory=dict)


class Claim(_Part):
    """What a card says in figures, and how it came to say it over repeated looks.

    `lag_days` is above 0 where the signal comes first and below 0 where the outcome does. The
    uplift is a fraction of the outcome per +1 SD of the signal, with its simultaneous 95 %
    interval; null where no size is stated.
    """

    verdict: Verdict
    lag_days: int | None
    uplift_ratio: Number | None
    uplift_low_ratio: Number | None
    uplift_high_ratio: Number | None
    q_value: Ratio | None
    reverse_q_value: Ratio | None
    n_days: Count | None
    look_status: LookStatus | None
    look_reason: str | None
    first_claimed_date: date | None
    headline: str
    detail: str
    recommendation: str
    caveat: str
    evidence: Evidence


class Card(Claim):
    """One statement: about a pair, or about a product as a whole when the pair is null."""

    insight_id: str
    signal: str | None
    metric: str | None
    data_hash: str | None
    model_revision: str | None


class ProductInsights(Claim):
    """One product: its main card (mood against the outcome that stands for sales) and the rest."""

    product_id: str
    product_name: str
    category: str | None
    is_simulated: bool
    outcome: Annotated[str | None, Field(description="The metric that stands for sales.")]
    days_observed: Annotated[Count, Field(description="Days with both a mood and an outcome.")]
    posts_count: Count
    outcome_total: Number | None
    pairs: list[Pair]
    cards: list[Card]

    def main_pair(self) -> Pair | None:
        """The pair that the main card is about."""
        return next((p for p in self.pairs if (p.signal, p.metric) == (MOOD, self.outcome)), None)


class RunMetadata(_Part):
    """The run that wrote the file."""

    run_id: str
    cutoff_at: AwareDatetime | None
    model_revision: str | None
    counts: dict[str, Count]


class Window(_Part):
    """First and last day of the published series."""

    first_day: date | None
    last_day: date | None
    days: Count


class Verdicts(_Part):
    """How many products (by their main card) and pairs have which verdict."""

    products: dict[Verdict, Count]
    pairs: dict[Verdict, Count]


class Insights(_Part):
    """insights.json as a whole."""

    schema_version: Literal["2.0"]
    generated_at: AwareDatetime
    target: str
    is_simulated: bool
    run: RunMetadata
    window: Window
    verdicts: Verdicts
    products: list[ProductInsights]


def json_schema() -> dict[str, Any]:
    """The JSON schema of insights.json, as it is stored in `insights.schema.json`."""
    schema = Insights.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"insights-{SCHEMA_VERSION}.schema.json",
        **schema,
    }


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
