"""Settings of the simulated shop: how long, how much, and which links are planted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from extract.base import SourceSettings

Kind = Literal["social_leads", "sales_lead", "promotion", "seasonality", "none", "intermittent"]
Shape = Literal["point", "spread"]


class Scenario(BaseModel):
    """What is planted into one product.

    `social_leads`: a mood one standard deviation above normal multiplies the expected units
    `lag_days` later by 1 + `uplift_ratio` (`spread`: over the neighbouring days too). `sales_lead`:
    unusual sales move mood and volume `lag_days` later. `promotion`: promotions move both at once.
    `seasonality`: both share weekdays and trend, nothing else. `intermittent`: no link and about
    two units a day. `none`: no link.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    lag_days: int | None = Field(default=None, ge=1, le=14)
    uplift_ratio: float | None = Field(default=None, gt=-0.9, le=5.0)
    shape: Shape = "point"

    @model_validator(mode="after")
    def _check_link(self) -> Scenario:
        if self.kind in ("social_leads", "sales_lead"):
            if self.lag_days is None:
                raise ValueError(f"kind {self.kind} needs lag_days, 1 to 14")
        elif self.lag_days is not None or self.uplift_ratio is not None:
            raise ValueError(f"kind {self.kind} takes neither lag_days nor uplift_ratio")
        if self.kind == "social_leads" and self.uplift_ratio is None:
            raise ValueError("kind social_leads needs uplift_ratio, for example 0.25")
        if self.kind == "sales_lead" and self.uplift_ratio is not None:
            raise ValueError("kind sales_lead takes no uplift_ratio")
        if self.shape == "spread" and (self.kind != "social_leads" or (self.lag_days or 0) < 2):
            raise ValueError("shape spread needs kind social_leads and lag_days >= 2")
        return self


PRESETS: Mapping[str, Scenario] = {
    "lead_2": Scenario(kind="social_leads", lag_days=2, uplift_ratio=0.25),
    "lead_3": Scenario(kind="social_leads", lag_days=3, uplift_ratio=0.20),
    "spread_5": Scenario(kind="social_leads", lag_days=5, uplift_ratio=0.30, shape="spread"),
    "reverse_3": Scenario(kind="sales_lead", lag_days=3),
    "promotion": Scenario(kind="promotion"),
    "seasonality": Scenario(kind="seasonality"),
    "none": Scenario(kind="none"),
    "intermittent": Scenario(kind="intermittent"),
}
ROTATIONS: Mapping[str, tuple[str, ...]] = {
    "mixed": (
        "lead_2",
        "none",
        "reverse_3",
        "lead_3",
        "seasonality",
        "intermittent",
        "spread_5",
        "promotion",
        "none",
    ),
    "none_all": ("none",),
}


class Settings(SourceSettings):
    """Settings of the source `simulated`.

    Every record of a day depends on the seed, the start, the catalogue and the planted scenarios,
    never on `days`: a larger `days` later only adds days.
    """

    seed: int = Field(default=7, ge=0)
    start_date: date = date(2026, 1, 5)
    days: int = Field(default=180, ge=1, le=3660)
    posts_per_product_day: float = Field(default=25.0, ge=0, le=5000)
    units_per_product_day: float | None = Field(default=None, gt=0, le=5000)
    """Mean units a day of every product; without it each product has a level of 20 to 80."""
    max_products: int | None = Field(default=None, ge=1)
    shop: Literal["mixed", "none_all"] = "mixed"
    """Which scenarios the products without an entry in `scenarios` get, in catalogue order."""
    scenarios: Mapping[str, Scenario] = Field(default_factory=dict)
    """Product id -> the name of a preset or a table with kind, lag_days, uplift_ratio, shape."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    geo: Annotated[str, Field(pattern="^([A-Z]{2})?$")] = "US"
    days_per_page: int = Field(default=10, ge=1, le=100)
    """At most this many days become durable together; large shops make smaller pages."""

    @field_validator("scenarios", mode="before")
    @classmethod
    def _read_presets(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        read: dict[object, object] = {}
        for product_id, scenario in value.items():
            if isinstance(scenario, str):
                if scenario not in PRESETS:
                    known = ", ".join(PRESETS)
                    raise ValueError(f"{product_id}: no scenario {scenario!r}; known are {known}")
                read[product_id] = PRESETS[scenario]
            else:
                read[product_id] = scenario
        return read
