"""Themes that no lexicon knows: words that tell a product's complaints from its praise.

What is counted is people, as in `udfs.lead_lag.terms`: a word's count is the number of authors who
used it at least once, in complaints and in praise. Which words tell the two apart is a log-odds
ratio with an informative Dirichlet prior (Monroe, Colaresi & Quinn 2008), the prior being how the
products of the category are spoken of; corrected over all words of the product that enough people
use. Words that stand in the same texts are one theme, named after the one that tells most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from udfs.lead_lag.bursts import MIN_AUTHORS, Q_MAX
from udfs.lead_lag.multiplicity import benjamini_hochberg
from udfs.lead_lag.panel import BoolArray, FloatArray, IntArray
from udfs.lead_lag.terms import log_odds

TERMS_MAX = 20  # of a product, the most telling first: more than anybody reads
SHARE_MIN = 0.01  # of the authors on a word's side: rarer words are anecdotes
OVERLAP_MIN = 0.5  # share of the rarer word's texts that hold the other one too
_LEAST_PRIOR = 0.01


@dataclass(frozen=True, slots=True)
class TermUse:
    """Words of products, one entry each, arrays (M,).

    `product`: number of the product. `complaints`, `praise`: authors who used the word in a
    complaint, in praise; `all_complaints`, `all_praise`: authors of any complaint or praise of the
    product; `category_share`: share of the category's authors who use the word, 0 to 1.
    """

    product: IntArray
    complaints: FloatArray
    praise: FloatArray
    all_complaints: FloatArray
    all_praise: FloatArray
    category_share: FloatArray


@dataclass(frozen=True, slots=True)
class Telling:
    """Arrays (M,), NaN where a product has only praise or only complaints.

    `z`: log-odds of complaint over praise in standard errors, above 0 for complaints; `p`, two
    sided; `q`: corrected over the words of the product; `is_telling`: q <= .05, at least
    `MIN_AUTHORS` and `SHARE_MIN` of those on the side it tells of, and among the `TERMS_MAX` of its
    product.
    """

    z: FloatArray
    p: FloatArray
    q: FloatArray
    is_telling: BoolArray


def find_telling(use: TermUse) -> Telling:
    """Find the words that tell complaints from praise.

    The prior weighs as much as the authors of the smaller side: what few people say of a product
    has to differ a lot from how its category is spoken of.
    """
    from scipy.special import ndtr  # late: scipy.special takes a quarter of a second

    weight = np.minimum(use.all_complaints, use.all_praise)
    is_tested = weight > 0
    weight = np.where(is_tested, weight, 1.0)
    prior = np.maximum(np.minimum(use.category_share, 0.5) * weight, _LEAST_PRIOR)
    ratio, deviation = log_odds(
        np.minimum(use.complaints, use.all_complaints),
        np.maximum(use.all_complaints, 1.0),
        np.minimum(use.praise, use.all_praise),
        np.maximum(use.all_praise, 1.0),
        prior,
        2.0 * weight,
    )
    z = np.where(is_tested, ratio / deviation, np.nan)
    p = 2.0 * ndtr(-np.abs(z))
    q = benjamini_hochberg(p, groups=use.product)
    leading = np.where(z > 0, use.complaints, use.praise)
    side = np.where(z > 0, use.all_complaints, use.all_praise)
    is_telling = (q <= Q_MAX) & (leading >= np.maximum(MIN_AUTHORS, SHARE_MIN * side))
    strength = np.where(is_telling, np.abs(z), -1.0)
    order = np.lexsort((np.arange(len(z)), -strength, use.product))
    first = np.searchsorted(use.product[order], use.product[order], side="left")
    rank = np.empty(len(z), dtype=np.int64)
    rank[order] = np.arange(len(z)) - first
    return Telling(z=z, p=p, q=q, is_telling=is_telling & (rank < TERMS_MAX))


def group_terms(
    product: IntArray,
    z: FloatArray,
    texts: FloatArray,
    first: IntArray,
    second: IntArray,
    shared: FloatArray,
) -> IntArray:
    """Group words that stand in the same texts; return the index (M,) of each word's leader.

    `product`, `z`, `texts` (M,): of each word, `texts` being the number of texts that hold it.
    `first`, `second`, `shared` (P,): pairs of words of one product and the texts that hold both.
    From the most telling word on, a word joins the first leader of its product and side with which
    it shares at least `OVERLAP_MIN` of the texts of the rarer of the two, or leads. Deterministic:
    equal words go by their place.
    """
    count = len(z)
    order = np.lexsort((np.arange(count), -np.abs(z), product))
    overlap: dict[tuple[int, int], float] = {}
    for a, b, both in zip(first.tolist(), second.tolist(), shared.tolist(), strict=True):
        overlap[a, b] = overlap[b, a] = both / max(min(texts[a], texts[b]), 1.0)
    leader = np.arange(count)
    leaders: list[int] = []
    current = -1
    for word in order.tolist():
        if int(product[word]) != current:
            current, leaders = int(product[word]), []
        for other in leaders:
            same_side = (z[word] > 0) == (z[other] > 0)
            if same_side and overlap.get((word, other), 0.0) >= OVERLAP_MIN:
                leader[word] = other
                break
        else:
            leaders.append(word)
    return leader
