"""What a row of `rk4.py` runs: something that advances its own kind of state; and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from _rk4.cases import Case, rhs
from _rk4.measure import Work, interleaved
from solvers.rk4.semidiscrete import SemiDiscrete
from solvers.rk4.stepper import Stepper
from solvers.rk4.tableaus import RK4, Tableau

OWN = ("ours", "ours_eager")
SLOW = 2.0  # seconds a step above which a peer's gradient is not measured


@dataclass
class Runner:
    """One row's work.

    Attributes:
        device: Where it works.
        fresh: What gives the start, in its own form.
        advance: `advance(state, count)`, the state that many steps later.
        join: The state as [N, 2].
        gradient: One step and its gradient [N, 2] at the start; None if it is not measured.
        tableau: The method whose step it must equal; None if it is another one.
        worth: Steps of four evaluations that `advance(state, count)` amounts to.
        note: What to say in the row once it has run.
    """

    device: torch.device
    fresh: Callable[[], Any]
    advance: Callable[[Any, int], Any]
    join: Callable[[Any], Tensor]
    gradient: Callable[[], Tensor] | None = None
    tableau: Tableau | None = RK4
    worth: Callable[[int], float] = float
    note: Callable[[], str | None] = lambda: None

    def begin(self) -> None:
        """Go to the start."""
        self.state = self.fresh()

    def run(self, count: int) -> None:
        """Advance by some steps."""
        with torch.no_grad():
            self.state = self.advance(self.state, count)

    def run_gradient(self, count: int) -> None:
        """Take the gradient of so many steps, each from the start."""
        for _ in range(count):
            self.gradient()


def reference(case: Case, tableau: Tableau) -> Tensor:
    """The state [N, 2] after one step of ours, not compiled."""
    stepper = Stepper(SemiDiscrete(rhs, case.operators), None, tableau)
    with torch.no_grad():
        return stepper.join(stepper(stepper.split(case.state), 0.0, case.step))


def ours(case: Case, compiled: bool = True) -> Runner:
    """The package's step."""
    stepper = Stepper(SemiDiscrete(rhs, case.operators), None, RK4, compiled)

    def step(fields: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return stepper(fields, 0.0, case.step)

    def note() -> str | None:
        done = stepper.compiled is not None and stepper.compiled.usable
        return "could not be compiled" if compiled and not done else None

    start = stepper.split(case.state)
    gradient = gradient_of(case, step, stepper.split, stepper.join)
    return Runner(case.device, lambda: start, repeated(step), stepper.join, gradient, note=note)


def ours_eager(case: Case) -> Runner:
    """The package's step, not compiled."""
    return ours(case, compiled=False)


def repeated(step: Callable[[Any], Any]) -> Callable[[Any, int], Any]:
    """What takes a number of steps."""

    def advance(state: Any, count: int) -> Any:
        for _ in range(count):
            state = step(state)
        return state

    return advance


def gradient_of(
    case: Case, step: Callable, split: Callable, join: Callable
) -> Callable[[], Tensor]:
    """What takes the gradient [N, 2] of `(cotangent * step(state)).sum()` at the start."""
    cotangents = split(case.cotangent)

    def gradient() -> Tensor:
        fields = tuple(field.detach().requires_grad_() for field in split(case.state))
        return join(torch.autograd.grad(step(fields), fields, cotangents))

    return gradient


def step_seconds(runners: dict[str, Runner], repeats: int) -> dict[str, float]:
    """Return the seconds a step of each."""
    works = {n: Work(r.run, r.device, r.begin) for n, r in runners.items()}
    taken = interleaved(works, repeats)
    return {name: seconds / runners[name].worth(n) for name, (seconds, n) in taken.items()}


def gradient_seconds(
    runners: dict[str, Runner], seconds: dict[str, float], repeats: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the seconds a step with its gradient takes, and the gradients' differences."""
    chosen = {
        name: runner
        for name, runner in runners.items()
        if runner.gradient is not None and (name in OWN or seconds[name] < SLOW)
    }
    gradients = {name: runner.gradient() for name, runner in chosen.items()}
    differences = {
        name: float((gradient - next(iter(gradients.values()))).abs().max())
        for name, gradient in gradients.items()
    }
    del gradients
    works = {n: Work(r.run_gradient, r.device) for n, r in chosen.items()}
    taken = interleaved(works, repeats)
    return {name: seconds / n for name, (seconds, n) in taken.items()}, differences
