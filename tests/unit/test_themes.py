"""Words that tell complaints from praise, and which of them are one theme."""

from __future__ import annotations

import numpy as np
import pytest

from udfs.lead_lag import themes
from udfs.lead_lag.themes import TermUse, find_telling, group_terms


def use(rows: list[tuple[int, float, float]], *, complaints: float, praise: float) -> TermUse:
    product, bad, good = (np.array(column) for column in zip(*rows, strict=True))
    return TermUse(
        product=product.astype(np.int64),
        complaints=bad.astype(float),
        praise=good.astype(float),
        all_complaints=np.full(len(rows), complaints),
        all_praise=np.full(len(rows), praise),
        category_share=(bad + good) / (complaints + praise),
    )


def test_words_of_one_side_tell_it() -> None:
    found = find_telling(use([(0, 60, 2), (0, 3, 50), (0, 40, 38)], complaints=300, praise=300))
    assert found.is_telling.tolist() == [True, True, False]
    assert found.z[0] > 0 > found.z[1]
    assert np.all(found.q >= found.p)


def test_a_word_of_chance_tells_nothing() -> None:
    """Of words that both sides use alike about one product in twenty shows any."""
    generator = np.random.default_rng(7)
    shown = 0
    for _ in range(200):
        rates = generator.uniform(0.01, 0.2, 100)
        rows = [
            (0, float(bad), float(good))
            for bad, good in zip(
                generator.binomial(400, rates), generator.binomial(200, rates), strict=True
            )
        ]
        found = find_telling(use(rows, complaints=400, praise=200))
        shown += bool(found.is_telling.any())
    assert shown <= 20


def test_few_people_and_one_sided_products_tell_nothing() -> None:
    few = find_telling(use([(0, 4, 0)], complaints=10, praise=500))
    assert not few.is_telling.any()
    one_sided = find_telling(use([(0, 50, 0)], complaints=100, praise=0))
    assert np.isnan(one_sided.z).all()
    assert not one_sided.is_telling.any()
    rare = find_telling(use([(0, 40, 0)], complaints=5000, praise=5000))
    assert rare.q[0] < 0.05
    assert not rare.is_telling.any()  # eight in a thousand is an anecdote


def test_products_keep_their_most_telling_words() -> None:
    rows = [(product, 100.0 + n, 1.0) for product in (0, 1) for n in range(30)]
    found = find_telling(use(rows, complaints=500, praise=500))
    kept = found.is_telling.reshape(2, 30)
    assert kept.sum(axis=1).tolist() == [themes.TERMS_MAX] * 2
    assert kept[:, -themes.TERMS_MAX :].all()


def test_words_of_the_same_texts_are_one_theme() -> None:
    product = np.array([0, 0, 0, 1])
    z = np.array([5.0, 7.0, -6.0, 9.0])
    texts = np.array([40.0, 100.0, 50.0, 40.0])
    leader = group_terms(
        product,
        z,
        texts,
        first=np.array([0, 0, 1]),
        second=np.array([1, 2, 2]),
        shared=np.array([20.0, 40.0, 30.0]),
    )
    # The first joins the second, whose half of its texts it shares; praise leads for itself.
    assert leader.tolist() == [1, 1, 2, 3]
    apart = group_terms(product, z, texts, np.array([0]), np.array([1]), shared=np.array([19.0]))
    assert apart.tolist() == [0, 1, 2, 3]


def test_nothing_to_group_is_nothing() -> None:
    nothing = np.zeros(0)
    none = nothing.astype(np.int64)
    assert group_terms(none, nothing, nothing, none, none, nothing).tolist() == []
    found = find_telling(TermUse(none, nothing, nothing, nothing, nothing, nothing))
    assert found.is_telling.tolist() == []
    with pytest.raises(ValueError, match="argument"):
        group_terms(none, nothing, nothing, none, np.array([1]), nothing)
