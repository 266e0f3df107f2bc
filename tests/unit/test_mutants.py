"""The list of mutations is up to date: each text stands in its file, once."""

from __future__ import annotations

import pytest

from tests.mutants import REPOSITORY, Mutation, read_mutations

MUTATIONS = read_mutations(REPOSITORY / "tests" / "mutants.toml")


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_can_be_made(mutation: Mutation) -> None:
    text = (REPOSITORY / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    for test in mutation.tests:
        assert (REPOSITORY / test.partition("::")[0]).exists(), test


def test_every_mutation_has_a_name_of_its_own() -> None:
    names = [mutation.name for mutation in MUTATIONS]
    assert len(names) == len(set(names))
