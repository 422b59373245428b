"""PINA's solvers with our weights: what `weighting=` of a solver takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.plain_torch.loss_aggregator import LossAggregator


class PinaWeighting:
    """Weighs the conditions of a PINA problem by a strategy: `weighting=PinaWeighting("ema")`.

    It takes the place of a weighting of PINA's (`pina.weighting`). At work is a `LossAggregator`
    whose terms are the conditions of the problem by their names. It is made when the solver is,
    and becomes a part of it: checkpoints hold its state, so that `trainer.train(ckpt_path=…)` goes
    on exactly, and validation and tests do not move the weights. A step is one of the optimiser,
    the evaluations of a line search counted once; a second `Trainer` of the same solver goes on.
    docs/ecosystem.md has an example.

    PINA hands on one loss a condition and no residuals: strategies that weigh points or read the
    tangent kernel cannot be had.

    Args:
        strategy: one of `pinn_ext.strategies.term_names()` but `"ntk"`.
        **settings: further arguments of `LossAggregator`: `period`, `initial_weights`,
            `conditions`, `options`, …; `parameters` are those of the solver's models.

    Attributes:
        aggregator: the `LossAggregator` at work; None until a solver is made with it.

    Raises:
        ImportError: if PINA is not installed; the message names the extra.

    When a solver is made with it, it raises what `LossAggregator` raises, and ValueError if the
    strategy needs what PINA does not hand on, or if it belongs to another solver already.
    """

    def __init__(self, strategy: str, **settings: Any) -> None:
        try:
            from pina.weighting import BaseWeighting
        except ImportError as error:
            raise ImportError(
                "PinaWeighting needs the package pina-mathlab, which the extra `pina` brings: "
                "pip install 'pinn-ext[pina]'."
            ) from error
        BaseWeighting.register(type(self))  # which PINA's solvers ask for; its code is not wanted
        self._strategy, self._settings = strategy, settings
        self.aggregator: LossAggregator | None = None
        self._owner: Any = None
        self._trainer: Any = None
        self._before = 0

    @property
    def solver(self) -> Any:
        """The solver that it belongs to, None before there is one."""
        return self._owner

    @property
    def _solver(self) -> Any:
        """The name under which a solver of PINA's makes itself known."""
        return self._owner

    @_solver.setter
    def _solver(self, solver: Any) -> None:
        if self._owner is not None:
            raise ValueError(
                "A PinaWeighting must belong to one solver: make another for this one."
            )
        settings = {"parameters": solver, **self._settings}
        aggregator = LossAggregator(self._strategy, list(solver.problem.conditions), **settings)
        if aggregator.points is not None or "ntk" in aggregator.manager.needs:
            raise ArgumentError(
                "strategy",
                "read losses or gradients, as PINA hands on no residuals",
                repr(self._strategy),
            )
        self.aggregator, self._owner = aggregator, solver
        solver.add_module("loss_aggregator", aggregator)

    def aggregate(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of the losses; in training, take them in too.

        Args:
            losses: raw loss of each condition by its name, tensors of shape `[]`.

        Returns:
            The sum, shape `[]`.

        Raises:
            ValueError: if a condition is missing.
            RuntimeError: if no solver has been made with it.
        """
        plain = {name: loss.as_subclass(torch.Tensor) for name, loss in losses.items()}
        return self._at_work()(plain, self._step())

    def update_weights(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the weights in force; it is `aggregate` that moves them.

        Args:
            losses: not looked at.

        Returns:
            The weights by the names of the conditions.
        """
        return self.last_saved_weights()

    def last_saved_weights(self) -> dict[str, float]:
        """Return the weights in force by the names of the conditions.

        Raises:
            RuntimeError: if no solver has been made with it.
        """
        return self._at_work().manager.get_weights()

    def _at_work(self) -> LossAggregator:
        if self.aggregator is None:
            raise RuntimeError("A PinaWeighting has weights when a solver has been made with it.")
        return self.aggregator

    def _step(self) -> int:
        """Return the number of the optimiser's step, counted on where a new `Trainer` begins."""
        trainer = self._owner.trainer
        if trainer is not self._trainer:
            self._trainer = trainer
            self._before = self._at_work().next_step - trainer.global_step
        return int(self._before + trainer.global_step)
