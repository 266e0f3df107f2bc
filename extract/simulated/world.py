"""The latent world: each product's daily mood, expected and realised units, and talk.

Nothing here is a record. The paths run forward from day -BURN_IN_DAYS and use only what happened
before, so a longer world only continues a shorter one. The equations, for product i and day t:

- mood m(t): AR(1), standard deviation 1 (plus what the scenario adds);
- units: negative binomial around exp(level + weekday + slow wave + holiday + promotion
  + AR(1) noise + ln(1 + uplift) * sum of weights(k) * m(t - k)), zero when closed or out of stock;
- posts: negative binomial around a mean with weekday, waves, bursts, promotions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from extract.base import ExtractError, Product
from extract.simulated.calendar import (
    Clock,
    Window,
    closed_days,
    holidays,
    promotions,
    stock_outs,
)
from extract.simulated.draws import BURN_IN_DAYS, Dice, daily_normals, dice, generator
from extract.simulated.settings import PRESETS, ROTATIONS, Scenario, Settings

_NOISE_SD = 0.10
# AR(1) noises: how much of yesterday stays, and the standard deviation.
_NOISES = {
    "mood": (0.5, 1.0),
    "noise": (0.5, _NOISE_SD),
    "talk": (0.5, 0.14),
    "search": (0.7, 0.11),
}
_BURST_SHOCK = 2.4
_UNITS_SIZE = 30.0  # variance = mean + mean^2 / size
_POSTS_SIZE = 25.0
_WEEK_SALES = (0.10, 0.12, 0.10, 0.06, 0.0, -0.25, -0.30)
_WEEK_POSTS = (0.05, 0.10, 0.10, 0.08, 0.0, -0.22, -0.18)
_WEEK_SHARED = (-0.45, -0.30, -0.15, 0.0, 0.20, 0.45, 0.30)
_SLOW_WAVE_DAYS = 900.0
X_SHARE = 0.8
_MENTION_KINDS = ("keyword", "hashtag", "cashtag", "handle")


@dataclass(slots=True)
class World:
    """One product's paths; the lists are indexed by day 0 .. days - 1."""

    product: Product
    scenario: Scenario
    scenario_name: str
    skus: tuple[str, ...]
    promotions: list[Window]
    stock_outs: list[Window]
    positivity: float
    mood: list[float] = field(default_factory=list)
    expected_units: list[float] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    posts: list[int] = field(default_factory=list)
    search_interest: list[float] = field(default_factory=list)

    @property
    def product_id(self) -> str:
        return self.product.product_id

    def promotion_on(self, day: int) -> Window | None:
        return _window_on(self.promotions, day)

    def is_out_of_stock(self, day: int) -> bool:
        return _window_on(self.stock_outs, day) is not None


def effect_weights(scenario: Scenario) -> Mapping[int, float]:
    """How the effect of mood is spread over lags in days; the weights sum to 1."""
    if scenario.kind != "social_leads" or scenario.lag_days is None:
        return {}
    lag = scenario.lag_days
    if scenario.shape == "point":
        return {lag: 1.0}
    return {lag - 1: 0.2, lag: 0.5, lag + 1: 0.2, lag + 2: 0.1}


def choose_products(settings: Settings, catalogue: Sequence[Product]) -> list[Product]:
    """The products to simulate, checked.

    Raises `ExtractError` if there is none, if one cannot be mentioned, or if a planted scenario
    names none of them.
    """
    products = list(catalogue[: settings.max_products])
    if not products:
        raise ExtractError(
            "The catalogue has no products, so there is nothing to simulate.",
            "Add lines to products.csv and terms.csv of this target's catalogue.",
        )
    for product in products:
        if not any(_terms(product, kind) for kind in _MENTION_KINDS):
            raise ExtractError(
                f"terms.csv: product {product.product_id!r} has no keyword, hashtag, cashtag or "
                "handle in the columns term and kind, so no post could mention it.",
                f"Add a line such as: {product.product_id},{product.product_name},keyword",
            )
    known = {product.product_id for product in products}
    for product_id in settings.scenarios:
        if product_id not in known:
            raise ExtractError(
                f"scenarios: {product_id!r} is no simulated product of the catalogue "
                f"({', '.join(sorted(known)[:8])}).",
                "Correct the product_id in the settings or in products.csv.",
            )
    return products


def posts_on_x(seed: int, world: World, day: int) -> int:
    """How many of the day's genuine posts are written on X; the others are on Reddit."""
    rng = generator(seed, "platform", world.product_id, day)
    return int(rng.binomial(world.posts[day], X_SHARE))


def _terms(product: Product, kind: str) -> tuple[str, ...]:
    return tuple(term.strip() for term in product.terms.get(kind, ()) if term.strip("#@$ "))


def make_worlds(
    settings: Settings, products: Sequence[Product], clock: Clock, days: int
) -> list[World]:
    """The world of each product for day 0 .. days - 1."""
    rotation = ROTATIONS[settings.shop]
    worlds = []
    for index, product in enumerate(products):
        name = rotation[index % len(rotation)]
        scenario = settings.scenarios.get(product.product_id, PRESETS[name])
        if product.product_id in settings.scenarios:
            name = next((key for key, known in PRESETS.items() if known == scenario), "custom")
        worlds.append(_make_world(settings, product, scenario, name, clock, days))
    return worlds


def _make_world(
    settings: Settings, product: Product, scenario: Scenario, name: str, clock: Clock, days: int
) -> World:
    luck = dice(settings.seed, "traits", product.product_id)
    world = World(
        product=product,
        scenario=scenario,
        scenario_name=name,
        skus=_terms(product, "sku"),
        promotions=promotions(settings.seed, product.product_id, scenario, days),
        stock_outs=stock_outs(settings.seed, product.product_id, scenario, days),
        positivity=0.5 * luck.uniform() - 0.2,
    )
    walk = _Walk(world, settings, clock, days, luck)
    for day in range(-BURN_IN_DAYS, days):
        walk.step(day)
    return world


class _Walk:
    """Walks one product from day to day; each day uses earlier days only."""

    def __init__(
        self, world: World, settings: Settings, clock: Clock, days: int, luck: Dice
    ) -> None:
        self._world = world
        self._scenario = world.scenario
        self._settings = settings
        self._clock = clock
        self._is_seasonal = world.scenario.kind == "seasonality"
        level = 20.0 * 4.0 ** luck.uniform()  # 20 to 80 units a day
        if settings.units_per_product_day is not None:
            level = settings.units_per_product_day
        elif world.scenario.kind == "intermittent":
            level = 2.0
        self._level = math.log(level)
        self._wave = (0.45 if self._is_seasonal else 0.25) * (0.6 + 0.4 * luck.uniform())
        self._wave_phase = 2 * math.pi * luck.uniform()
        self._talk_phase = 2 * math.pi * luck.uniform()
        week = _WEEK_SHARED if self._is_seasonal else _WEEK_SALES
        self._week = tuple(effect + 0.06 * (luck.uniform() - 0.5) for effect in week)
        self._weights = effect_weights(world.scenario)
        self._elasticity = math.log1p(world.scenario.uplift_ratio or 0.0)
        self._shocks = {
            purpose: daily_normals(settings.seed, purpose, world.product_id, days)
            for purpose in ("mood", "noise", "talk", "search")
        }
        self._state = dict.fromkeys(self._shocks, 0.0)
        self._burst = 0.0
        self._moods: list[float] = []
        self._surprises: list[float] = []

    def step(self, day: int) -> None:
        """Draw one day; days before day 0 only warm up."""
        world = self._world
        for purpose, (memory, sd) in _NOISES.items():
            fresh = sd * math.sqrt(1 - memory**2) * self._shocks[purpose][day + BURN_IN_DAYS]
            self._state[purpose] = memory * self._state[purpose] + fresh
        is_burst = self._shocks["talk"][day + BURN_IN_DAYS] > _BURST_SHOCK
        self._burst = 0.35 * self._burst + (0.9 if is_burst else 0.0)
        weekday = self._clock.date(day).weekday()
        wave = math.sin(2 * math.pi * day / _SLOW_WAVE_DAYS + self._wave_phase)
        promotion = world.promotion_on(day)
        echo = self._echo()

        mood = self._mood(weekday, wave, promotion, echo)
        self._moods.append(mood)
        link = self._elasticity * sum(
            weight * self._moods[-1 - lag]
            for lag, weight in self._weights.items()
            if lag < len(self._moods)
        )
        structure, lift = self._structure(day, weekday, wave), self._lift(promotion)
        expected = math.exp(self._level + structure + lift + self._state["noise"] + link)
        if self._sells_nothing(day):
            expected = 0.0
        seed, product_id = self._settings.seed, world.product_id
        units = _count(seed, "units", product_id, day, expected, _UNITS_SIZE)
        usual = math.exp(self._level + structure + lift)
        self._surprises.append(_surprise(units, usual, expected))
        if day < 0:
            return
        mean = self._settings.posts_per_product_day * math.exp(
            self._volume(day, weekday, wave, promotion, echo)
        )
        world.mood.append(mood)
        world.expected_units.append(expected)
        world.units.append(units)
        world.posts.append(_count(seed, "posts", product_id, day, mean, _POSTS_SIZE))
        interest = structure + 0.5 * lift + 0.5 * link + self._state["search"]
        world.search_interest.append(math.exp(interest))

    def _echo(self) -> float:
        """Unusual sales of `lag_days` ago, where sales lead."""
        lag = self._scenario.lag_days
        if self._scenario.kind != "sales_lead" or not lag or lag > len(self._surprises):
            return 0.0
        return self._surprises[-lag]

    def _is_campaign(self, promotion: Window | None) -> bool:
        return promotion is not None and self._scenario.kind == "promotion"

    def _mood(self, weekday: int, wave: float, promotion: Window | None, echo: float) -> float:
        mood = self._state["mood"]
        if self._scenario.kind == "sales_lead":
            return 0.7 * mood + 0.7 * echo
        if self._is_seasonal:
            return mood + 1.6 * self._week[weekday] + 0.9 * wave
        return mood + 1.1 if self._is_campaign(promotion) else mood

    def _structure(self, day: int, weekday: int, wave: float) -> float:
        """Weekday, slow wave and holiday on the log scale of sales."""
        on = self._clock.date(day)
        special = holidays(on.year).get(on, ("", 0.0))[1]
        return self._week[weekday] + self._wave * wave + special

    def _lift(self, promotion: Window | None) -> float:
        if self._is_campaign(promotion):
            return 0.65
        return 0.15 + 1.2 * promotion.strength if promotion else 0.0

    def _sells_nothing(self, day: int) -> bool:
        on = self._clock.date(day)
        is_closed = on in closed_days(on.year)
        return is_closed or not self._world.skus or self._world.is_out_of_stock(day)

    def _volume(
        self, day: int, weekday: int, wave: float, promotion: Window | None, echo: float
    ) -> float:
        """The log of the day's posts against a usual day."""
        volume = _WEEK_POSTS[weekday] + self._state["talk"] + self._burst + 0.3 * echo
        volume += 0.12 * math.sin(2 * math.pi * day / _SLOW_WAVE_DAYS + self._talk_phase)
        if self._is_seasonal:
            volume += 0.5 * self._week[weekday] + 0.3 * wave
        if promotion is not None:
            volume += 0.5 if self._is_campaign(promotion) else 0.15
        return volume


def _surprise(units: int, usual: float, expected: float) -> float:
    """How unusual the day's sales were, in standard deviations, between -2.5 and 2.5."""
    if expected <= 0:
        return 0.0
    sd = math.sqrt(_NOISE_SD**2 + 1 / _UNITS_SIZE + 1 / max(usual, 1.0))
    return max(-2.5, min(2.5, math.log((units + 0.5) / (usual + 0.5)) / sd))


def _count(seed: int, purpose: str, product_id: str, day: int, mean: float, size: float) -> int:
    """A negative binomial count with the given mean."""
    if mean <= 0:
        return 0
    rng = generator(seed, purpose, product_id, day)
    return int(rng.poisson(rng.gamma(size, mean / size)))


def _window_on(windows: Sequence[Window], day: int) -> Window | None:
    return next((w for w in windows if w.first_day <= day <= w.last_day), None)
