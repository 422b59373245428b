"""How well gradients agree, on gradients made by hand."""

import math

import numpy as np
import pytest

from pinn_ext.measurements.alignment import SCORES, scores

NONE = dict.fromkeys(SCORES)


def of_vectors(vectors, weights=None):
    """Return the scores of gradients `[k, P]`."""
    vectors = np.asarray(vectors, dtype=float)
    norms = np.linalg.norm(vectors, axis=1)
    units = vectors / np.where(norms > 0, norms, 1.0)[:, None]
    weights = [1.0] * len(vectors) if weights is None else weights
    return scores(norms.tolist(), (units @ units.T).tolist(), weights)


def by_the_mean_unit_gradient(vectors):
    """Return (k |m|^2 - 1) / (k - 1), m the mean of the unit gradients that there are."""
    rows = [np.array(v, dtype=float) for v in vectors if np.any(v)]
    mean = sum(v / np.sqrt(v @ v) for v in rows) / len(rows)
    return (len(rows) * (mean @ mean) - 1) / (len(rows) - 1)


@pytest.mark.parametrize(
    ("vectors", "alignment", "conflict", "ratio"),
    [
        ([[1, 0], [5, 0]], 1.0, 1.0, 5.0),  # the same way
        ([[1, 0], [-2, 0]], -1.0, -1.0, 2.0),  # they cancel
        ([[1, 0, 0], [0, 10, 0], [0, 0, 2]], 0.0, 0.0, 10.0),  # nothing to do with each other
        ([[1, 0], [-0.5, math.sqrt(0.75)], [-0.5, -math.sqrt(0.75)]], -0.5, -0.5, 1.0),
        ([[2, 0], [0, 0], [0, 1]], 0.0, 0.0, 2.0),  # one has no gradient
        ([[3, 0], [4, 0], [-5, 0]], -1 / 3, -1.0, 5 / 3),
        ([[1, 0], [1, 1], [0, 1]], math.sqrt(2) / 3, 0.0, math.sqrt(2)),
    ],
)
def test_hand_made_gradients(vectors, alignment, conflict, ratio):
    found = of_vectors(vectors)
    assert found["alignment"] == pytest.approx(alignment, abs=1e-14)
    assert found["conflict"] == pytest.approx(conflict, abs=1e-14)
    assert found["size_ratio"] == pytest.approx(ratio, rel=1e-14)
    assert found["alignment"] == pytest.approx(by_the_mean_unit_gradient(vectors), abs=1e-14)


@pytest.mark.parametrize("terms", [2, 3, 6])
def test_the_mean_cosine_is_that_of_the_mean_unit_gradient(terms):
    vectors = (
        np.random.default_rng(terms).standard_normal((terms, 9)) * 10.0 ** np.arange(terms)[:, None]
    )
    wanted = by_the_mean_unit_gradient(vectors)
    assert of_vectors(vectors)["alignment"] == pytest.approx(wanted, abs=1e-13)
    assert -1 / (terms - 1) <= wanted <= 1
    if terms == 2:  # the published score of two gradients, 2 |mean unit gradient|^2 - 1
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        assert wanted == pytest.approx(2 * np.sum(units.mean(axis=0) ** 2) - 1)


def test_sizes_are_those_of_the_weighted_gradients():
    vectors = [[1, 0], [0, 100], [1, 1]]
    assert of_vectors(vectors)["size_ratio"] == pytest.approx(100.0)
    assert of_vectors(vectors, [100.0, 1.0, 50 * math.sqrt(2)])["size_ratio"] == pytest.approx(1.0)


@pytest.mark.parametrize("vectors", [[[1, 2]], [[1, 2], [0, 0]], [[0, 0], [0, 0]]])
def test_fewer_than_two_gradients_say_nothing(vectors):
    assert of_vectors(vectors) == NONE


def test_numbers_stay_finite():
    found = scores([1e-300, 1e300], [[1, 0.5], [0.5, 1]], [1e-4, 1e4])
    assert found == {"alignment": 0.5, "conflict": 0.5, "size_ratio": 1e300}
    assert scores([5e-324, 1.0], [[1, 0], [0, 1]], [1e-4, 1.0])["size_ratio"] is None
