"""What a card may say and may not say, whatever the facts."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import fields, replace

import pytest

from udfs.lead_lag.cards import (
    Card,
    CardFacts,
    PooledFacts,
    is_overstated,
    percent,
    q_words,
    write_card,
    write_pooled,
)

LEAD = CardFacts(
    product_name="Mug",
    signal_words="mood",
    metric_words="units",
    verdict="social_leads",
    gate="full",
    days_observed=180,
    days_needed=180,
    lag_days=3,
    width_days=1,
    uplift=0.20,
    uplift_low=0.12,
    uplift_high=0.31,
    p=0.0004,
    q=0.01,
    reverse_q=0.41,
    reverse_lag_days=2,
    n_days=180,
    signal_sd=0.12,
    reliability=0.71,
    minimum_detectable_effect=0.12,
    products_tested=20,
)
VERDICTS = ("social_leads", "sales_lead", "feedback", "watchlist", "none", "insufficient")
LOOKS = (None, "none", "insufficient", "waiting", "claimed", "confirmed", "weakening", "changed",
         "withdrawn")  # fmt: skip
GATES = (None, "insufficient", "descriptive", "tested", "full", "blocked")
FORBIDDEN = re.compile(
    r"\b(drive[sn]?|drove|driving|cause[sd]?|causing|caused|leads? to|led to|boost\w*|because of"
    r"|effect of|impact\w*|no effect)\b",
    re.IGNORECASE,
)
BROKEN = re.compile(r"\b(nan|none|null|inf|infinity)\b|\{|\}|\s\s|\(\)|, \)|\( ", re.IGNORECASE)


def whole(card: Card) -> str:
    return " ".join((card.headline, card.detail, card.recommendation, card.caveat))


def every_combination() -> list[CardFacts]:
    """Each verdict, gate and look with all facts, with none, and with numbers that are NaN."""
    nullable = [
        field.name
        for field in fields(CardFacts)
        if field.name
        not in {"product_name", "signal_words", "metric_words", "verdict", "gate", "look_status",
                "is_simulated"}
    ]  # fmt: skip
    bare = replace(LEAD, **dict.fromkeys(nullable))
    broken = replace(
        LEAD,
        **dict.fromkeys(
            ("uplift", "uplift_low", "uplift_high", "p", "q", "reverse_q", "signal_sd",
             "reliability", "minimum_detectable_effect", "stability_ratio"), math.nan,
        ),
    )  # fmt: skip
    spread = replace(LEAD, width_days=3, is_predictive=True, stability_ratio=0.8)
    down = replace(LEAD, uplift=-0.2, uplift_low=-0.45, uplift_high=0.05, is_predictive=False)
    short = replace(LEAD, days_observed=1, n_days=1, lag_days=1, products_tested=1)
    silent = replace(LEAD, percentage_reason="fewer than 15 posts a day", is_simulated=True)
    starts = (LEAD, bare, broken, spread, down, short, silent)
    return [
        replace(start, verdict=verdict, gate=gate, look_status=look)
        for start, verdict, gate, look in itertools.product(starts, VERDICTS, GATES, LOOKS)
    ]


@pytest.fixture(scope="module")
def cards() -> list[tuple[CardFacts, Card]]:
    return [(facts, write_card(facts)) for facts in every_combination()]


def test_no_card_says_what_made_what_happen(cards: list[tuple[CardFacts, Card]]) -> None:
    for facts, card in cards:
        assert not FORBIDDEN.search(whole(card)), (facts, card)


def test_predictive_is_said_only_where_the_skill_passed(
    cards: list[tuple[CardFacts, Card]],
) -> None:
    said = {facts.is_predictive for facts, card in cards if "predict" in whole(card).lower()}
    assert said == {True}


def test_no_card_shows_a_missing_fact(cards: list[tuple[CardFacts, Card]]) -> None:
    for facts, card in cards:
        assert not BROKEN.search(whole(card)), (facts, whole(card))


def test_every_part_is_a_sentence_and_says_how_it_could_be_wrong(
    cards: list[tuple[CardFacts, Card]],
) -> None:
    for _, card in cards:
        assert card.headline.startswith("Mug")
        for part in (card.headline, card.detail, card.recommendation, card.caveat):
            assert part.endswith(".")
            assert ".." not in part
            assert "\n" not in part
        assert card.caveat.startswith("Could be wrong if ")


def test_only_claims_of_a_lead_state_a_percentage(cards: list[tuple[CardFacts, Card]]) -> None:
    for facts, card in cards:
        told = card.headline + card.detail + card.recommendation
        if facts.verdict in {"watchlist", "insufficient", "sales_lead"}:
            assert "%" not in told, (facts, told)
        elif facts.verdict == "none":
            stated = set(re.findall(r"[+-]?[\d.,]+ %", told))
            assert stated <= {"+12 %"}, told
        elif facts.percentage_reason:
            assert "%" not in told
            assert facts.percentage_reason in told


def test_a_percentage_is_never_without_interval_lag_n_q_and_sd() -> None:
    headline = write_card(LEAD).headline
    assert headline == (
        "Mug: +1 SD of mood preceded +12 to +31 % units 3 days later "
        "(estimate +20 %, q = .01, 180 days)."
    )
    assert headline.index("+12 to +31 %") < headline.index("+20 %")


def test_an_interval_wider_than_the_estimate_says_so_beside_it() -> None:
    wide = replace(LEAD, uplift_low=0.09, uplift_high=0.32)
    assert not is_overstated(LEAD)
    assert is_overstated(wide)
    assert "overstated" not in whole(write_card(LEAD))
    assert "estimate +20 %, probably overstated" in write_card(wide).headline
    below = replace(LEAD, uplift=-0.2, uplift_low=-0.41, uplift_high=-0.01)
    assert "estimate -20 %, probably overstated" in write_card(below).headline


def test_a_spread_link_gives_its_lag_as_about() -> None:
    card = write_card(replace(LEAD, width_days=3))
    assert "about 3 days later" in card.headline
    assert "Strongest about day 3, spread over neighbouring days." in card.detail
    assert "about" not in write_card(LEAD).headline


def test_without_a_percentage_the_direction_is_worded() -> None:
    silent = replace(LEAD, percentage_reason="fewer than 15 posts a day", uplift=-0.1)
    assert "a rise of mood precedes a fall of units 3 days later" in write_card(silent).headline
    assert "No percentage is stated: fewer than 15 posts a day." in write_card(silent).detail
    unsigned = replace(silent, uplift=None)
    assert "changes in mood precede changes in units" in write_card(unsigned).headline


def test_no_link_comes_with_what_would_have_been_seen() -> None:
    headline = write_card(replace(LEAD, verdict="none", q=0.6)).headline
    assert "no reliable link found between mood and units; +12 % units or more would have been" in (
        headline
    )
    unknown = write_card(replace(LEAD, verdict="none", minimum_detectable_effect=None))
    assert "%" not in unknown.headline
    assert "How small a link these days could have shown is not known." in unknown.detail


@pytest.mark.parametrize(
    ("facts", "headline"),
    [
        (
            {"gate": "descriptive", "days_observed": 74, "days_needed": 90},
            "Mug: 74 of 90 days. No relationship claimed.",
        ),
        (
            {"gate": "insufficient", "days_observed": 0, "days_needed": 90},
            "Mug: 0 of 90 days. No relationship claimed.",
        ),
        (
            {"gate": "descriptive", "reason": "fewer than 3 units a day"},
            "Mug: mood and units are not testable at this volume.",
        ),
        (
            {"gate": "blocked", "reason": "units never changes"},
            "Mug: mood and units are not testable: units never changes.",
        ),
        ({"gate": None}, "Mug: mood and units could not be tested. No relationship claimed."),
    ],
)
def test_too_little_data_says_what_there_is(facts: dict[str, object], headline: str) -> None:
    assert write_card(replace(LEAD, verdict="insufficient", **facts)).headline == headline


def test_what_is_missing_is_what_to_collect() -> None:
    facts = replace(LEAD, verdict="insufficient", gate="descriptive", days_observed=74)
    assert write_card(facts).recommendation == (
        "To collect: 16 more days with both mood and units."
    )
    named = replace(facts, what_is_missing="posts: 1.2 a day of 3 needed")
    assert write_card(named).recommendation == "To collect: posts: 1.2 a day of 3 needed."


def test_recommendations_fit_the_verdict() -> None:
    advice = {
        verdict: write_card(replace(LEAD, verdict=verdict)).recommendation for verdict in VERDICTS
    }
    assert "holdout test" in advice["social_leads"]
    assert "Check stock 3 days after" in advice["social_leads"]
    assert advice["sales_lead"].startswith("Do not plan stock on buzz")
    assert advice["watchlist"].startswith("Collect 30 more days")
    assert advice["none"].startswith("Do not plan stock or spending on mood")
    assert len(set(advice.values())) == len(VERDICTS)


def test_more_days_reach_the_gate_of_all_tests() -> None:
    young = replace(LEAD, verdict="watchlist", n_days=100)
    assert "Collect 80 more days" in write_card(young).recommendation


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("waiting", "Waiting: "),
        ("claimed", "Claimed: "),
        ("confirmed", "Confirmed: "),
        ("weakening", "Weakening: "),
        ("changed", "Changed: "),
        ("withdrawn", "Withdrawn: "),
    ],
)
def test_a_look_is_told_with_its_reason(status: str, words: str) -> None:
    told = write_card(replace(LEAD, look_status=status, look_reason="q rose to .08")).detail
    assert told.startswith(words)
    assert "(q rose to .08)" in told


def test_lumpy_sales_are_hardly_testable_rather_than_without_a_link() -> None:
    card = write_card(replace(LEAD, verdict="none", q=0.6, days_sold_ratio=0.2))
    assert "hardly testable at this volume" in card.headline
    assert "would have been" not in card.headline + card.detail
    told = write_card(replace(LEAD, verdict="none", percentage_reason="sold on 20% of days: 50%"))
    assert told.headline == card.headline.replace("q = .60", "q = .01")


def test_a_pooled_effect_speaks_of_no_single_product() -> None:
    pooled = PooledFacts(
        category="Mugs", signal_words="mood", metric_words="units", n_products=30, n_days=180,
        is_claim=True, reason="", lag_days=1, width_days=1, uplift=0.04, uplift_low=0.021,
        uplift_high=0.06, q=0.0001,
    )  # fmt: skip
    assert write_pooled(pooled) == (
        "Mugs, pooled over 30 products: +1 SD of mood preceded +2.1 to +6 % units 1 day later "
        "(estimate +4 %, q < .001, 180 days)."
    )
    assert "(direction only, q < .001, 180 days)" in write_pooled(replace(pooled, uplift=None))
    none = replace(pooled, is_claim=False, category="all", q=0.4)
    assert write_pooled(none) == (
        "All products, pooled over 30 products: no reliable link found between mood and units "
        "(q = .40, 180 days)."
    )
    refused = replace(none, q=None, reason="one signal shared by all")
    assert "not testable: one signal shared by all. No relationship claimed." in (
        write_pooled(refused)
    )


def test_a_claim_that_weakens_into_the_watchlist_says_so_once() -> None:
    headline = write_card(replace(LEAD, verdict="watchlist", look_status="weakening")).headline
    assert headline.startswith("Mug: watchlist, claimed before and weakening: changes in mood")


def test_a_small_q_without_a_confirmed_lag_is_explained() -> None:
    told = write_card(replace(LEAD, verdict="none")).detail
    assert "the lag that it points to is not where the correlation peaks" in told
    assert "peaks" not in write_card(replace(LEAD, verdict="none", q=0.3)).detail


def test_simulated_is_marked_and_names_stay_on_one_line() -> None:
    card = write_card(replace(LEAD, is_simulated=True, product_name="Mug\n\x1b[31m  red"))
    assert card.headline.startswith("Mug [31m red (simulated): ")
    assert write_card(replace(LEAD, product_name="  ")).headline.startswith("Product without")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.2, "+20 %"),
        (0.052, "+5.2 %"),
        (0.05, "+5 %"),
        (-0.0349, "-3.5 %"),
        (0.0994, "+9.9 %"),
        (0.0996, "+10 %"),
        (0.0004, "+0.04 %"),
        (0.00001, "0 %"),
        (-0.0, "0 %"),
        (12.345, "+1,234 %"),
    ],
)
def test_percentages(value: float, words: str) -> None:
    assert percent(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.01, "q = .01"),
        (0.0125, "q = .01"),
        (0.004, "q = .004"),
        (0.0004, "q < .001"),
        (0.0, "q < .001"),
        (0.5, "q = .50"),
        (1.0, "q = 1"),
        (0.999, "q = 1"),
        (None, ""),
        (math.nan, ""),
    ],
)
def test_q_values(value: float | None, words: str) -> None:
    assert q_words(value) == words


def test_a_verdict_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no verdict is called 'certain'"):
        write_card(replace(LEAD, verdict="certain"))
