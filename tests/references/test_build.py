"""Building: again at a lower resolution against the stored ones, and how errors are stated."""

import dataclasses

import numpy as np
import pytest

from pinn_ext.references import build, load, recipes
from pinn_ext.references.build import relative, solution
from pinn_ext.references.recipes import Independent, Recipe
from tests.references.exact import PROBLEMS


@pytest.mark.parametrize(
    ("name", "nodes", "step"),
    [("fitzhugh_nagumo/pulses", 256, 0.04), ("predator_prey/waves", 192, 0.05)],
)
def test_a_coarser_run_agrees_with_the_stored_one(name, nodes, step):
    stored, recipe = load(name), recipes.find(name)
    found = solution(recipe, nodes, step, recipe.times[1:])
    assert relative(found, stored.values[1:]).max() < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("allen_cahn/jaxpi", "burgers/raissi", "burgers_2d/periodic", "fitzhugh_nagumo/pulses"),
        *("kdv/jaxpi", "lambda_omega/spirals", "predator_prey/waves"),
    ],
)
def test_a_reference_is_rebuilt_to_its_stated_accuracy(name):
    stored, made = load(name), build.build(name, independent=False)
    assert np.array_equal(stored.times, made.times)
    found = relative(made.values[1:].astype(float), stored.values[1:].astype(float))
    assert np.all(found <= list(stored.accuracy.values()))
    for key in ("accuracy", "accuracy_between"):
        for field, number in stored.about[key].items():
            assert made.about[key][field] <= max(3 * number, 1e-12)


@pytest.fixture
def pulse(monkeypatch):
    """A reference of a problem with a closed form, and that problem."""
    problem = dataclasses.replace(PROBLEMS["gray_scott"][0], final_time=0.4)
    recipe = Recipe(problem, 288, 256, 0.02, 128, 2, Independent(256, 0.2))
    monkeypatch.setitem(recipes._RECIPES, "gray_scott/pulse", recipe)
    return build.build("gray_scott/pulse"), problem


def test_stated_errors_are_not_below_the_true_ones(pulse):
    reference, problem = pulse
    x = reference.axes[0][:, None]
    exact = np.stack([problem.fields_at(x, t) for t in reference.times])
    true = relative(reference.values[1:], exact[1:])
    assert np.all(true <= 1.5 * np.array(list(reference.accuracy.values())) + 1e-14)
    independent = list(reference.about["independent"]["difference"].values())
    assert max(independent) < 1e-6


def test_the_error_between_is_that_of_evaluate(pulse):
    reference, problem = pulse
    x = np.random.default_rng(5).uniform(-12, 12, (200, 1))
    t = np.full(200, 0.13)
    error = np.linalg.norm(reference.evaluate(x, t).T - problem.fields_at(x, 0.13), axis=1)
    size = np.linalg.norm(problem.fields_at(x, 0.13), axis=1)
    for found, stated in zip(error / size, reference.accuracy_between.values(), strict=True):
        assert found < 30 * stated + 1e-11


def test_stored_nodes_that_do_not_divide_the_grid_are_exact_too():
    problem = PROBLEMS["gray_scott"][0]
    for stored in (96, 100, 384, 500):
        recipe = Recipe(problem, 384, 256, 0.01, stored, 1, Independent(64, 0.1))
        (found,) = solution(recipe, 384, 0.01, [0.1])
        x = -12.0 + 24.0 * np.arange(stored) / stored
        assert found == pytest.approx(problem.fields_at(x[:, None], 0.1), abs=1e-10)


def test_relative_differences_are_the_largest_of_all_times():
    wanted = np.array([[[3.0, 4.0], [1.0, 0.0]], [[0.0, 2.0], [0.0, 1.0]]])
    found = wanted + np.array([[[0.0, 0.5], [0.0, 0.0]], [[0.0, 0.0], [0.3, 0.4]]])
    assert relative(found, wanted) == pytest.approx([0.1, 0.5])


def test_times_are_from_0_to_the_end():
    recipe = recipes.find("schroedinger/raissi")
    assert len(recipe.times) == 9 and recipe.times[-1] == np.pi / 2
    assert recipe.times[4] == pytest.approx(np.pi / 4)
    assert recipes.find("gray_scott/jaxpi").times == (0.0, 0.5, 1.0, 2.0)
