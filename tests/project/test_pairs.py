"""The selection of `tests/pairs.py` holds every pair, changes nothing else, and is small."""

import itertools

import pytest

from tests.pairs import pairwise

AXES = [["a", "b", "c", "d"], [{"eps": 1}, {}, {"eps": 2}], [0, 1], [True, None]]


def quick(parameters):
    return [parameter.values for parameter in parameters if not parameter.marks]


def pairs_of(rows):
    return [pair for row in rows for pair in itertools.combinations(enumerate(row), 2)]


@pytest.mark.parametrize("axes", [AXES, AXES[:2], AXES[:3], AXES[1:]])
def test_each_pair_is_quick_and_the_rest_is_slow(axes):
    rows = list(itertools.product(*axes))
    parameters = pairwise(rows)
    assert [parameter.values for parameter in parameters] == rows
    chosen = pairs_of(quick(parameters))
    assert all(pair in chosen for pair in pairs_of(rows))
    assert {mark.name for parameter in parameters for mark in parameter.marks} <= {"slow"}


def test_few_are_quick_and_always_the_same():
    rows = list(itertools.product(*AXES))
    assert len(quick(pairwise(rows))) <= 14 < len(rows) == 48  # 12 is the least
    assert quick(pairwise(rows)) == quick(pairwise(rows))


def test_only_pairs_that_occur_are_asked_for():
    rows = [row for row in itertools.product("ab", "cd", "ef") if row[:2] != ("a", "c")]
    chosen = quick(pairwise(rows))
    assert set(pairs_of(chosen)) == set(pairs_of(rows)) and len(chosen) < len(rows)
