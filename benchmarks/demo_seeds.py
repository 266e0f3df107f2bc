"""What the whole pipeline says of shops whose links are known: planted, found, claimed in error.

    python -m benchmarks.demo_seeds [--seeds 20] [--first 1000] [--days 180] [--shop mixed]

Each seed is a `social-signals run` of the demo target from nothing, then `mart_insights` is held
against `truth.json`. The scores of one seed stay for the next, since shops share many texts. About
two minutes a seed; interrupted, it reports the seeds that ended. Exit code 1 if more than one
product in a hundred is claimed wrongly, or a lead is found more than a day from its planted lag.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

TARGET = "demo"
CLAIMS = ("social_leads", "sales_lead", "feedback")
QUERY = """
select product_id, verdict, lag_days, uplift_ratio, uplift_low_ratio, uplift_high_ratio, is_primary
from marts.mart_insights
order by product_id, insight_id
"""


@dataclass(frozen=True)
class Outcome:
    """One product of one seed: what was planted and what its cards say."""

    seed: int
    product_id: str
    planted: str
    planted_lag: int | None
    planted_uplift: float | None
    verdict: str
    lag: int | None
    uplift: float | None
    low: float | None
    high: float | None
    other_claims: int

    @property
    def is_false(self) -> bool:
        """Whether the primary card claims what was not planted."""
        return self.verdict in CLAIMS and self.verdict != self.planted


def run_seed(seed: int, *, days: int, shop: str, data: Path) -> list[Outcome]:
    """Run the demo for one seed in `data` and return one outcome per product."""
    target = data / TARGET
    for path in target.glob("*"):
        if path.name != "scores":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    settings = {"seed": seed, "days": days, "shop": f'"{shop}"'}
    command = [sys.executable, "-m", "pipeline", "run", "--target", TARGET]
    for key, value in settings.items():
        command += ["--set", f"sources.simulated.{key}={value}"]
    done = subprocess.run(
        command,
        env={**os.environ, "SOCIAL_SIGNALS_DATA": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"seed {seed} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    truth = json.loads((target / "truth.json").read_text(encoding="utf-8"))
    with duckdb.connect(str(target / "published.duckdb"), read_only=True) as connection:
        cards = connection.execute(QUERY).fetchall()
    return [_outcome(seed, product, cards) for product in truth["products"]]


def _outcome(seed: int, product: dict[str, Any], cards: list[tuple[Any, ...]]) -> Outcome:
    own = [card for card in cards if card[0] == product["product_id"]]
    primary = next(card for card in own if card[6])
    return Outcome(
        seed=seed,
        product_id=product["product_id"],
        planted=product["direction"],
        planted_lag=product["lag_days"],
        planted_uplift=product["uplift_ratio"],
        verdict=primary[1],
        lag=primary[2],
        uplift=primary[3],
        low=primary[4],
        high=primary[5],
        other_claims=sum(card[1] in CLAIMS for card in own if not card[6]),
    )


def report(outcomes: list[Outcome]) -> int:
    """Print the table; return 1 if a claim is wrong too often."""
    leads = [each for each in outcomes if each.planted == "social_leads"]
    found = [each for each in leads if each.verdict == "social_leads"]
    reverse = [each for each in outcomes if each.planted == "sales_lead"]
    unlinked = [each for each in outcomes if each.planted == "none"]
    errors = Counter(abs((each.lag or 0) - (each.planted_lag or 0)) for each in found)
    inside = [
        each
        for each in found
        if each.low is not None
        and each.high is not None
        and each.planted_uplift is not None
        and each.low <= each.planted_uplift <= each.high
    ]
    stated = [each for each in found if each.low is not None]
    seeds = len({each.seed for each in outcomes})
    false = [each for each in outcomes if each.is_false]
    print(f"{seeds} seeds, {len(outcomes)} products")
    print(f"planted leads found: {len(found)} of {len(leads)}")
    print(f"  lag errors in days: {dict(sorted(errors.items()))}")
    print(f"  planted uplift inside the stated interval: {len(inside)} of {len(stated)}")
    named = sum(each.verdict == "sales_lead" for each in reverse)
    wrong_way = sum(each.verdict in ("social_leads", "feedback") for each in reverse)
    print(f"planted sales-before-buzz: {named} of {len(reverse)} named, {wrong_way} the wrong way")
    claimed = sum(each.verdict in CLAIMS for each in unlinked)
    print(f"products without a link: {claimed} of {len(unlinked)} claimed")
    others = sum(each.other_claims for each in unlinked)
    print(f"  claims on their other cards: {others}")
    for each in false:
        print(f"  false: {each}")
    wrong_lag = any(error > 1 for error in errors)
    return int(len(false) > len(outcomes) / 100 or wrong_lag)


def main() -> int:
    """Run the seeds one after the other and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--shop", choices=("mixed", "none_all"), default="mixed")
    chosen = parser.parse_args()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        for seed in range(chosen.first, chosen.first + chosen.seeds):
            started = time.monotonic()
            of_seed = run_seed(seed, days=chosen.days, shop=chosen.shop, data=Path(folder))
            outcomes += of_seed
            tally = Counter(each.verdict for each in of_seed)
            print(f"seed {seed}: {dict(tally)}, {time.monotonic() - started:.0f} s", flush=True)
    return report(outcomes)


if __name__ == "__main__":
    sys.exit(main())
