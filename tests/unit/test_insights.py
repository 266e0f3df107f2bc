"""insights.json keeps to its schema and claims no more than its cards; the summary shows it."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest
from pydantic import ValidationError
from rich.console import Console

from charts.style import ChartError
from pipeline.insights import InsightsError, RunFacts, summarise, write_insights
from pipeline.insights_schema import (
    SCHEMA_FILE,
    SCHEMA_VERSION,
    Insights,
    Pair,
    ProductInsights,
    Strongest,
    json_schema,
)
from pipeline.summary import Planted as Plan
from pipeline.summary import judge, read_truth
from pipeline.tables import clean
from tests.fake_published import NINE, Planted, make_published
from udfs.errors import SocialSignalsError

RUN = RunFacts(
    run_id="20261122T060000Z-1",
    target="demo",
    generated_at=datetime(2026, 11, 22, 6, 0, tzinfo=UTC),
    cutoff_at=datetime(2026, 11, 22, tzinfo=UTC),
    model_revision="abc123",
    counts={"rows_loaded": 12},
)
CAUSAL = re.compile(r"\b(drives?|driven|causes|caused|leads? to|predicts?)\b", re.IGNORECASE)
OLDER = (
    "drop table marts.mart_lead_lag",
    "drop table marts.mart_effect",
    "drop table marts.mart_link_stability",
    *(
        f"alter table marts.mart_insights drop column {name}"
        for name in ("lag_days", "uplift_ratio", "uplift_low_ratio", "uplift_high_ratio", "q_value",
                     "reverse_q_value", "n_days", "look_status", "look_reason",
                     "first_claimed_date", "evidence_sql", "data_hash", "model_revision")
    ),
    "update marts.mart_insights set verdict = 'watchlist' where verdict like '%lead%'",
)  # fmt: skip


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published(tmp_path_factory.mktemp("nine") / "published.duckdb")


def changed(folder: Path, *statements: str, products: int = 3) -> Path:
    file = make_published(folder / "published.duckdb", NINE[:products], days=30)
    with duckdb.connect(str(file)) as connection:
        for statement in statements:
            connection.execute(statement)
    return file


def strict(text: str) -> Any:
    """JSON as the standard has it: NaN and Infinity are errors."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def product(insights: Insights, product_id: str) -> ProductInsights:
    return next(p for p in insights.products if p.product_id == product_id)


# The file ---------------------------------------------------------------------------------------


def test_the_file_is_valid_by_the_stored_schema(nine: Path, tmp_path: Path) -> None:
    output = tmp_path / "insights.json"

    insights = write_insights(nine, output, run=RUN)

    written = strict(output.read_text(encoding="utf-8"))
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.validate(written)
    assert Insights.model_validate(written) == insights
    assert list(tmp_path.iterdir()) == [output]
    written["products"][0]["verdict"] = "certain"
    assert not validator.is_valid(written)


def test_the_stored_schema_is_the_models_schema() -> None:
    stored = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))

    assert stored == json_schema(), "store it: python -m pipeline.insights_schema"
    assert SCHEMA_VERSION in stored["$id"]


def test_every_field_is_documented(repository: Path) -> None:
    document = (repository / "docs" / "insights_schema.md").read_text(encoding="utf-8")
    fields = set(json_schema()["properties"])
    for part in json_schema()["$defs"].values():
        fields |= set(part.get("properties", {}))

    missing = sorted(name for name in fields if f"`{name}`" not in document)

    assert missing == []
    assert f"version {SCHEMA_VERSION}" in document


def test_it_states_run_window_and_counts(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)

    assert insights.generated_at == RUN.generated_at
    assert (insights.target, insights.is_simulated) == ("demo", True)
    assert insights.run.run_id == RUN.run_id
    assert insights.run.counts["rows_loaded"] == 12
    assert insights.run.counts["products"] == 9
    assert (str(insights.window.first_day), insights.window.days) == ("2026-05-26", 180)
    assert insights.verdicts.products == {
        "social_leads": 1, "sales_lead": 1, "feedback": 0, "watchlist": 1, "none": 5,
        "insufficient": 1,
    }  # fmt: skip
    assert sum(insights.verdicts.pairs.values()) == 9


def test_a_claim_carries_its_figures_and_how_it_came_about(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)
    chatty, checkout = product(insights, "chatty"), product(insights, "checkout")

    assert (chatty.lag_days, chatty.q_value, chatty.n_days) == (3, 0.004, 180)
    assert (chatty.uplift_low_ratio, chatty.uplift_ratio, chatty.uplift_high_ratio) == (
        0.12, 0.2, 0.31,
    )  # fmt: skip
    assert (chatty.look_status, str(chatty.first_claimed_date)) == ("claimed", "2026-10-01")
    assert (chatty.cards[0].data_hash, chatty.cards[0].model_revision) == ("0f1e2d", "abc123")
    link, effect = chatty.pairs[0].link, chatty.pairs[0].effect
    assert link is not None
    assert (link.verdict_today, link.lag_days, link.products_tested) == ("social_leads", 3, 8)
    assert effect is not None
    assert (effect.minimum_detectable_effect_ratio, effect.signal_sd) == (0.14, 0.11)
    assert (checkout.verdict, checkout.lag_days, checkout.uplift_ratio) == ("sales_lead", -2, None)
    assert product(insights, "young").pairs[0].effect is None


def test_the_card_goes_before_the_test_of_the_day(tmp_path: Path) -> None:
    """A claim of one day waits; one without a card is on the watchlist at most."""
    file = changed(
        tmp_path,
        "update marts.mart_insights set verdict = 'watchlist', look_status = 'waiting', "
        "uplift_ratio = null, uplift_low_ratio = null, uplift_high_ratio = null "
        "where product_id = 'chatty'",
        "delete from marts.mart_insights where product_id = 'checkout'",
    )

    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    chatty = product(insights, "chatty")
    assert (chatty.verdict, chatty.look_status) == ("watchlist", "waiting")
    assert chatty.pairs[0].link is not None
    assert chatty.pairs[0].link.verdict_today == "social_leads"
    assert product(insights, "checkout").verdict == "watchlist"
    assert insights.verdicts.pairs["social_leads"] == insights.verdicts.pairs["sales_lead"] == 0


def test_a_file_of_an_older_version_says_what_its_screen_says(tmp_path: Path) -> None:
    file = changed(tmp_path, *OLDER)

    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    assert [one.verdict for one in insights.products] == ["watchlist"] * 3
    assert insights.products[0].pairs[0].link is None
    assert insights.products[0].look_status is None
    assert "watchlist" in summary(insights)


def test_a_product_carries_gate_screen_and_evidence(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)
    chatty = product(insights, "chatty")
    (pair,) = chatty.pairs

    assert chatty.verdict == pair.verdict == "social_leads"
    assert (pair.gate, pair.days_observed, pair.days_needed) == ("full", 180, 90)
    assert pair.strongest is not None
    assert pair.strongest.lag_days == 3
    assert pair.strongest.is_outside_null_band
    assert chatty.days_observed == 180
    assert product(insights, "young").days_observed == 168, "a gap of twelve days"
    young = product(insights, "young").main_pair()
    assert young is not None
    assert young.strongest is None
    assert young.verdict == "insufficient"


def test_every_query_of_the_evidence_runs_on_the_file(tmp_path: Path) -> None:
    file = make_published(
        tmp_path / "published.duckdb", [Planted("o'neill; drop", "O'Neill"), *NINE[:2]], days=30
    )
    with duckdb.connect(str(file)) as connection:
        connection.execute("delete from marts.mart_insights where product_id = 'chatty'")
        connection.execute(
            "update marts.mart_insights set evidence = "
            '\'{"sql": "select 29 as n from range(29)", "n": 1}\' '
            "where product_id = 'pixelmind'"
        )

    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    with duckdb.connect(str(file), read_only=True) as connection:
        for one in insights.products:
            for evidence in (one.evidence, *(card.evidence for card in one.cards)):
                assert len(connection.execute(evidence.sql).fetchall()) == 29, evidence.sql
    marts_own = product(insights, "pixelmind").evidence
    assert marts_own.sql.startswith("select 29")
    assert marts_own.details == {"n": 1}


def test_nan_and_infinity_become_null(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        "update marts.mart_lag_correlation set q_value = 'nan', null_high = 'inf', n_eff = 'nan'",
        "update marts.mart_lag_correlation set correlation = 'nan' where product_id = 'pixelmind'",
        "update marts.mart_sufficiency set units_per_day = 'inf', posts_per_day = 'nan'",
        "update marts.fct_daily_signals set sentiment_mean = 'nan', rating_mean = 'inf'",
        'update marts.mart_insights set evidence = \'{"r": NaN, "deep": [Infinity, 1]}\'::varchar',
    )
    output = tmp_path / "insights.json"

    insights = write_insights(file, output, run=RUN)

    written = strict(output.read_text(encoding="utf-8"))
    strongest = written["products"][1]["pairs"][0]["strongest"]
    assert (strongest["q_value"], strongest["null_high"]) == (None, None)
    assert strongest["is_outside_null_band"] is False
    assert product(insights, "pixelmind").pairs[0].strongest is None
    assert product(insights, "pixelmind").pairs[0].units_per_day is None


def test_a_verdict_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    file = changed(tmp_path, "update marts.mart_insights set verdict = 'certain'")

    with pytest.raises(SocialSignalsError, match="certain") as caught:
        write_insights(file, tmp_path / "insights.json", run=RUN)
    assert caught.value.remedy
    assert not (tmp_path / "insights.json").exists()


def test_the_gate_goes_before_what_the_screen_computed(tmp_path: Path) -> None:
    file = changed(
        tmp_path,
        "update marts.mart_sufficiency set gate = 'descriptive', reason = '74 of 90 days with both "
        "sentiment_mean and units' where product_id = 'chatty'",
    )

    chatty = product(write_insights(file, tmp_path / "insights.json", run=RUN), "chatty")

    assert chatty.verdict == "insufficient"
    assert "precede" not in chatty.headline
    assert chatty.uplift_ratio is None
    assert chatty.detail.startswith("74 of 90 days with both mood and units.")


@pytest.mark.parametrize("verdict", ["none", "watchlist", "insufficient"])
def test_composed_cards_fit_their_verdict_and_claim_no_cause(tmp_path: Path, verdict: str) -> None:
    gate = "insufficient" if verdict == "insufficient" else "full"
    file = changed(
        tmp_path,
        *OLDER,
        "delete from marts.mart_insights",
        f"update marts.mart_lag_correlation set screen_verdict = '{verdict}'",
        f"update marts.mart_sufficiency set gate = '{gate}'",
        products=1,
    )

    (one,) = write_insights(file, tmp_path / "insights.json", run=RUN).products

    text = f"{one.headline} {one.detail} {one.recommendation}"
    expected = {
        "none": "no reliable link",
        "watchlist": "watchlist",
        "insufficient": "30 of 90 days",
    }
    assert one.verdict == verdict
    assert expected[verdict] in one.headline
    assert not CAUSAL.search(text), text
    assert "%" not in text
    assert "wrong if" in one.caveat
    assert one.cards == []


def test_a_product_without_any_data_is_listed_as_insufficient(tmp_path: Path) -> None:
    file = changed(
        tmp_path, "insert into marts.dim_products values ('ghost', 'Ghost', 'b', 'c', null)"
    )

    ghost = product(write_insights(file, tmp_path / "insights.json", run=RUN), "ghost")

    assert (ghost.verdict, ghost.outcome, ghost.pairs) == ("insufficient", None, [])
    assert "mapped" in ghost.recommendation


def test_an_empty_file_gives_an_empty_list(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", ())

    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    assert insights.products == []
    assert insights.window.days == 0
    jsonschema.validate(strict((tmp_path / "insights.json").read_text()), json_schema())


def test_a_clock_without_zone_is_refused(nine: Path, tmp_path: Path) -> None:
    naive = RunFacts(run_id="r", target="demo", generated_at=datetime(2026, 1, 1))  # noqa: DTZ001

    with pytest.raises(InsightsError, match="generated_at"):
        write_insights(nine, tmp_path / "insights.json", run=naive)


def test_a_failed_write_keeps_the_old_file(
    nine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "insights.json"
    output.write_text("the old one")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ChartError, match="No space left") as caught:
        write_insights(nine, output, run=RUN)

    assert caught.value.remedy
    assert output.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [output]


def test_a_missing_published_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ChartError, match="no published file"):
        write_insights(tmp_path / "no.duckdb", tmp_path / "insights.json", run=RUN)


# The summary ------------------------------------------------------------------------------------


def summary(
    insights: Insights, *, truth: Path | None = None, terminal: bool = False, **options: Any
) -> str:
    stream = options.pop("stream", None) or io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100, color_system=None)
    summarise(insights, truth=truth, console=console, **options)
    return stream.getvalue() if isinstance(stream, io.StringIO) else ""


def test_the_summary_lists_every_product(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)

    lines = summary(insights).splitlines()

    assert lines[1] == "SIMULATED DATA demo: 9 products, 2026-05-26 to 2026-11-21"
    header, first = lines[2], lines[3]
    assert header.split() == [
        "product", "days", "posts", "units", "verdict", "lag", "units", "per", "+1", "SD", "q",
        "strongest", "lag,", "or", "what", "is", "missing",
    ]  # fmt: skip
    assert re.fullmatch(
        r"Chatty +180 +5,618 +12k +social_leads +\+3  \+12 to \+31 % +\.004  "
        r"\+3 days, r \+0\.46, outside null band",
        first,
    )
    assert "74 of 90 days with both mood and sales" in lines[11]
    assert "1 where mood precedes sales; 1 the other way round; 0 both" in lines[12]
    assert "1 on the watchlist (nothing is claimed yet); 5 without a reliable link" in lines[12]
    assert "+14 % or more would have been detected" in "".join(lines[6:11])
    assert "┃" not in summary(insights, terminal=True)


def test_many_products_are_cut_with_a_note(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)

    text = summary(insights, most_rows=2)

    assert "7 more in insights.json" in text
    assert "Insighter" not in text
    assert text.index("Chatty") < text.index("One-Tap Checkout"), "claims first"


@pytest.mark.parametrize("terminal", [False, True])
def test_names_cannot_steer_the_terminal(tmp_path: Path, terminal: bool) -> None:
    names = [
        "[bold red]x[/]",
        "a\x1b]0;owned\x07b\x1b[31m",
        "new\nline\r",
        "rtl\u202egnp",
        ":bomb:",
    ]
    file = make_published(
        tmp_path / "published.duckdb", [Planted(f"p{i}", n) for i, n in enumerate(names)], days=20
    )
    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    text = summary(insights, terminal=terminal)

    assert "[bold red]x[/]" in text
    assert ":bomb:" in text
    assert "new line" in text
    assert not set(text) & set("\x07\r\u202e")
    without_styles = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" not in without_styles
    assert clean("a\x1b]0;owned\x07b") == "a]0;ownedb"


def test_a_narrow_encoding_is_no_reason_to_fail(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    summary(insights, stream=stream)

    stream.flush()
    assert b"One-Tap Checkout" in stream.buffer.getvalue()  # type: ignore[attr-defined]


def test_an_empty_result_says_so(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", ())
    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    assert "nothing to show" in summary(insights)


# Planted and found ------------------------------------------------------------------------------


def truth_file(folder: Path) -> Path:
    file = folder / "truth.json"
    entries: list[dict[str, Any]] = [
        {"product_id": "chatty", "scenario": "lead_3", "direction": "social_leads", "lag_days": 3,
         "uplift_ratio": 0.25, "is_sold": True, "weights": {"3": 1.0}},
        {"product_id": "checkout", "direction": "sales_lead", "lag_days": 2, "uplift_ratio": None},
        {"product_id": "numbers", "direction": "none", "lag_days": None,
         "confounder": "promotion"},
        {"product_id": "not in the catalogue", "direction": "none", "lag_days": None},
    ]  # fmt: skip
    file.write_text(json.dumps({"version": 1, "products": entries}), encoding="utf-8")
    return file


def test_planted_stands_beside_found(nine: Path, tmp_path: Path) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)

    text = summary(insights, truth=truth_file(tmp_path))

    assert re.search(
        r"Chatty +mood first by 3 days, \+25% per SD of mood +found at the planted lag",
        text,
    )
    assert re.search(r"Checkout +sales first by 2 days +found at the planted lag", text)
    assert re.search(r"Cruncher +no link; promotions move both +no link claimed, as planted", text)
    assert "2 planted links: 2 found with direction and lag within a day, 0 missed" in text
    assert "1 product without a link: 0 claimed wrongly" in text


def test_real_data_are_never_compared(tmp_path: Path) -> None:
    file = make_published(tmp_path / "published.duckdb", NINE[:1], days=20, is_simulated=False)
    insights = write_insights(file, tmp_path / "insights.json", run=RUN)

    text = summary(insights, truth=truth_file(tmp_path))

    assert "lanted" not in text
    assert "SIMULATED" not in text


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"products": [{}]}', '{"products": [3]}'])
def test_a_broken_truth_file_is_one_line(nine: Path, tmp_path: Path, content: str) -> None:
    insights = write_insights(nine, tmp_path / "insights.json", run=RUN)
    file = tmp_path / "truth.json"
    file.write_text(content)

    text = summary(insights, truth=file)

    assert "cannot be compared" in text
    assert "watchlist" in text


def found(lag: int | None, verdict: str) -> ProductInsights:
    strongest = Strongest(
        lag_days=3, correlation=0.4, null_low=-0.2, null_high=0.2, is_outside_null_band=True,
        p_sidak=0.01, q_value=0.1, n_days=100, n_eff=80.0,
    )  # fmt: skip
    pair = Pair(
        signal="sentiment_mean", metric="units", gate="full", reason="", what_is_missing="",
        days_observed=100, days_needed=90, missing_day_ratio=0.0, posts_per_day=20.0,
        units_per_day=10.0, verdict=verdict, strongest=strongest, link=None, effect=None,
        stability_ratio=None,
    )  # fmt: skip
    return ProductInsights(
        product_id="p", product_name="P", category=None, is_simulated=True, outcome="units",
        days_observed=100, posts_count=1, outcome_total=1.0, verdict=verdict, lag_days=lag,
        uplift_ratio=None, uplift_low_ratio=None, uplift_high_ratio=None, q_value=None,
        reverse_q_value=None, n_days=None, look_status=None, look_reason=None,
        first_claimed_date=None, headline="", detail="", recommendation="", caveat="",
        evidence={"sql": ""}, pairs=[pair], cards=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("planted", "lag", "verdict", "words", "kind"),
    [
        (3, 4, "social_leads", "found at the planted lag", "right"),
        (3, 5, "social_leads", "claimed, but at 5 days", "missed"),
        (3, -3, "sales_lead", "in the wrong direction", "wrong"),
        (3, 3, "feedback", "in both directions", "wrong"),
        (3, 3, "watchlist", "missed: on the watchlist, nothing claimed", "missed"),
        (3, None, "none", "missed: no link claimed", "missed"),
        (-2, -2, "sales_lead", "found at the planted lag", "right"),
        (-2, 2, "social_leads", "in the wrong direction", "wrong"),
        (None, None, "none", "no link claimed, as planted", "right"),
        (None, 3, "watchlist", "on the watchlist, nothing claimed, as planted", "right"),
        (None, 3, "social_leads", "a false claim", "wrong"),
        (None, -3, "sales_lead", "a false claim", "wrong"),
        (3, None, "insufficient", "not tested", "open"),
    ],
)
def test_how_found_is_judged(
    planted: int | None, lag: int | None, verdict: str, words: str, kind: str
) -> None:
    said, judged = judge(found(lag, verdict), Plan("", planted))

    assert words in said
    assert judged == kind


def test_a_product_that_is_not_sold_has_no_link(tmp_path: Path) -> None:
    file = tmp_path / "truth.json"
    entry = {"product_id": "p", "direction": "none", "is_sold": False, "lag_days": None}
    file.write_text(json.dumps({"products": [entry]}))

    assert read_truth(file)["p"] == Plan("not sold, so no link", None)


def test_the_models_refuse_numbers_that_are_not_finite() -> None:
    with pytest.raises(ValidationError):
        Strongest(
            lag_days=0, correlation=float("nan"), null_low=None, null_high=None,
            is_outside_null_band=False, p_sidak=None, q_value=None, n_days=None, n_eff=None,
        )  # fmt: skip
