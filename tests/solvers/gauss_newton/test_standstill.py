"""The end at rounding: what two costs may differ by, and for how many steps it must hold."""

import math

import pytest
import torch

from solvers.gauss_newton import GainRatio, Loss, Stepper, least_squares
from solvers.gauss_newton.solution import Status
from solvers.gauss_newton.standstill import POOR, STEPS, Standstill, rounding_of_difference

EPS = torch.finfo(torch.float64).eps


# ---- the bound ----------------------------------------------------------------------------------


@pytest.mark.parametrize("num_rows", [1, 7, 100, 5000])
@pytest.mark.parametrize("seed", range(3))
def test_costs_of_the_same_residuals_in_any_order_differ_by_less(num_rows, seed):
    """Sums from the left, from the smallest, from the largest, and torch's own."""
    generator = torch.Generator().manual_seed(seed)
    residual = torch.randn(num_rows, generator=generator, dtype=torch.float64).exp()
    residual *= torch.randint(0, 2, residual.shape, generator=generator) * 2 - 1
    squares = residual.square().tolist()
    costs = [0.5 * sum(order) for order in (squares, sorted(squares), sorted(squares)[::-1])]
    costs.append(Loss().cost(residual))
    exact = 0.5 * math.fsum(squares)
    bound = rounding_of_difference(num_rows, torch.float64)
    assert max(costs) - min(costs) <= bound * exact


def test_residuals_that_are_rounded_once_differ_by_less():
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        exact = torch.randn(50, generator=generator, dtype=torch.float64)
        rounded = exact.float()
        costs = Loss().cost(exact), Loss().cost(rounded)
        assert costs[0] != costs[1]
        assert abs(costs[0] - costs[1]) <= rounding_of_difference(50, torch.float32) * costs[0]


# ---- for how long -------------------------------------------------------------------------------


def notes(falls, promises=None, num_rows=98):
    """Note steps by their falls in units of the bound, which is 100 eps; return all answers."""
    standstill, bound = Standstill(num_rows, torch.float64), 100 * EPS
    promises = falls if promises is None else promises
    return [
        standstill.note(2.0, 2.0 * (1 - fall * bound), 2.0 * promise * bound)
        for fall, promise in zip(falls, promises, strict=True)
    ]


def test_it_stands_after_five_small_steps_in_a_row():
    assert STEPS == 5
    assert notes([0.5] * 7) == [False] * 4 + [True] * 3
    assert notes([0.0] * 5, [0.1] * 5) == [False] * 4 + [True]


def test_falls_may_scatter_around_the_bound():
    assert notes([0.3, 2.0, 0.2, 1.5, 0.1])[-1]
    assert not any(notes([1.3, 2.0, 1.2, 1.5, 0.9] * 4))


def test_a_larger_step_starts_the_count_again():
    assert notes([0.5] * 4 + [1e3] + [0.5] * 5) == [False] * 9 + [True]
    assert notes([0.5] * 4 + [4.8] + [0.5] * 5)[4:] == [False] * 5 + [True]


def test_small_falls_where_much_was_promised_are_no_standstill():
    """A poor gain ratio says that the model is wrong: with more damping it will be right."""
    assert not any(notes([0.1] * 10, [0.9 * STEPS / POOR] * 10))
    assert not any(notes([0.1] * 10, [1.1 * STEPS / POOR] * 10))
    assert notes([0.1] * 5, [0.9 / POOR] * 5)[-1]


# ---- in a minimisation --------------------------------------------------------------------------


class Creeping:
    """1000 rows of 1 and a row x - 1 of some 1e-13 of the cost, met in steps that double."""

    num_rows = 1001

    def residual(self, x):
        return torch.cat([torch.ones(1000, dtype=x.dtype), 1e-5 * (x - 1)])

    def linearize(self, x):
        jacobian = torch.zeros(1001, 1, dtype=x.dtype)
        jacobian[-1] = 1e-5
        return self.residual(x), jacobian


def creeping():
    start = torch.zeros(1, dtype=torch.float64)
    return Stepper(Creeping(), start, damping=GainRatio(initial=1e3), geodesic=False)


def test_a_stepper_says_where_it_stands():
    stepper = creeping()
    steps = [stepper.step() for _ in range(STEPS)]
    assert all(step.accepted and step.gain_ratio > 0.9 for step in steps)
    assert [step.at_rounding for step in steps] == [False] * 4 + [True]
    assert 0 < stepper.x.item() < 0.5, "steps go on, by less than anyone can tell"


def test_least_squares_ends_there_without_any_tolerance():
    fit = least_squares(
        Creeping().residual, [0.0], ftol=None, xtol=None, gtol=None,
        damping=GainRatio(initial=1e3), geodesic=False,
    )  # fmt: skip
    assert fit.status is Status.PRECISION and len(fit.history) == STEPS
    assert all(row["accepted"] for row in fit.history)


def test_other_rows_start_the_count_again():
    stepper = creeping()
    for _ in range(4):
        stepper.step()
    stepper.replace(Creeping())
    assert not stepper.step().at_rounding


def test_the_count_goes_on_from_a_state():
    first = creeping()
    for _ in range(3):
        first.step()
    state = first.state_dict()
    assert len(state["standstill"]) == 3

    second = creeping()
    second.load_state_dict(state)
    assert [second.step().at_rounding for _ in range(2)] == [False, True]
    assert len(state["standstill"]) == 3, "a state is not changed by whoever took it"


def test_a_state_without_a_count_is_taken():
    """As version 0.1 has saved it, and as any training that makes progress does."""
    first = creeping()
    assert "standstill" not in first.state_dict()
    for _ in range(3):
        first.step()
    state = first.state_dict()
    del state["standstill"]
    second = creeping()
    second.load_state_dict(state)
    assert [second.step().at_rounding for _ in range(STEPS)] == [False] * 4 + [True]


@pytest.mark.parametrize("past", ["12", 3.0, [0.1, 0.2], [[0.1]], [[0.1, math.nan]], [["a", "b"]]])
def test_a_count_of_another_kind_is_refused(past):
    stepper = creeping()
    with pytest.raises(ValueError, match="`standstill` of the saved state must "):
        creeping().load_state_dict({**stepper.state_dict(), "standstill": past})
