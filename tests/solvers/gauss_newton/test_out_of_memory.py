"""Memory that runs out ends a minimisation as such, with what was needed."""

import pytest
import torch

from solvers import devices
from solvers.gauss_newton import GaussNewtonMemoryError, Stepper, least_squares
from solvers.gauss_newton.autodiff import Derivatives
from solvers.gauss_newton.direction import memory
from solvers.gauss_newton.linearizer import Linearizer
from solvers.gauss_newton.robust_loss import Loss
from solvers.gauss_newton.variables.bounds import Box
from solvers.gauss_newton.variables.scaling import Scaling
from tests.solvers.gauss_newton.rows import F64, Rows, rosenbrock

SAID = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.00 GiB in all"
START = torch.tensor([-1.2, 1.0], dtype=F64)


class Small:
    """Rosenbrock's residual on a device without room for the n-th evaluation."""

    def __init__(self, last):
        self.last, self.calls = last, 0

    def __call__(self, x):
        self.calls += 1
        if self.calls > self.last:
            raise torch.OutOfMemoryError(SAID)
        return rosenbrock(x)


@pytest.mark.parametrize("solver", ["primal", "dual", "matrix_free"])
def test_it_is_said_with_what_was_needed(solver):
    with pytest.raises(GaussNewtonMemoryError, match=r"tried to allocate 2\.00 GiB") as error:
        least_squares(Small(6), START, solver=solver)
    text = str(error.value)
    assert isinstance(error.value, MemoryError)
    assert "on cpu with 2 rows and 2 parameters" in text and f"solver {solver!r} takes" in text
    assert ("take solver='matrix_free', or fewer rows" in text) == (solver != "matrix_free")
    assert isinstance(error.value.__cause__, torch.OutOfMemoryError)


def test_the_parameters_stay_at_the_last_accepted_step():
    function = Small(10**9)
    stepper = Stepper(Rows(function, START), START)
    stepper.step()
    x, cost = stepper.x.clone(), stepper.cost
    function.last = function.calls
    with pytest.raises(GaussNewtonMemoryError):
        stepper.step()
    assert torch.equal(stepper.x, x) and stepper.cost == cost
    function.last = 10**9
    assert stepper.step().cost < cost


def test_other_errors_come_as_they_are():
    def residual(x):
        if x[0] != -1.2:
            raise ZeroDivisionError("mine")
        return rosenbrock(x)

    with pytest.raises(ZeroDivisionError, match="mine"):
        least_squares(residual, START)


def test_no_other_way_to_differentiate_is_tried():
    function = Small(0)
    with pytest.raises(torch.OutOfMemoryError):
        Derivatives(function, 2, 2).jacobian(START)
    with pytest.raises(torch.OutOfMemoryError):
        Derivatives(function, 2, 2).products(START)
    assert function.calls == 2


def test_a_look_elsewhere_does_not_hide_it():
    function = Small(10**9)
    stepper = Stepper(Rows(function, START), START)
    function.last = function.calls
    with pytest.raises(torch.OutOfMemoryError):
        stepper.elsewhere(START + 1.0)


class Card:
    """A device's module with memory in use, some of it by torch's store."""

    free, reserved, allocated = 1000, 600, 250

    def mem_get_info(self, device):
        return self.free, 4000

    def memory_reserved(self, device):
        return self.reserved

    def memory_allocated(self, device):
        return self.allocated


def test_memory_that_torch_keeps_counts_as_free(monkeypatch):
    card = Card()
    monkeypatch.setattr(devices, "module_of", lambda device: card)
    assert devices.available_memory(torch.device("cuda")) == 1000 + 600 - 250
    monkeypatch.setattr(devices, "module_of", lambda device: object())
    assert devices.available_memory(torch.device("cuda")) == 4 * 2**30


def test_a_choice_is_kept_while_sizes_are(monkeypatch):
    free = [2.0**30]
    monkeypatch.setattr(memory, "available_memory", lambda device: free[0])
    x = torch.zeros(40, dtype=F64)
    linearizer = Linearizer(Loss(), Scaling("jac", x), "auto", None, Box.everywhere(x))
    linearizer.choose(Rows(torch.sin, x), x)
    assert linearizer.solver == "primal"
    free[0] = 8e4
    linearizer.choose(Rows(torch.cos, x), x)
    assert linearizer.solver == "primal", "memory has moved, sizes have not"
    linearizer.choose(Rows(lambda x: torch.cat([x, x]), x), x)
    assert linearizer.solver == "matrix_free"
