"""What adaptive weights must know of an optimiser: its moments, and whether it has a memory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.dde.model.notes import OwnSteps, note, notes_of

# Optimiser state that is linear, or quadratic, in the gradients (names as in torch.optim).
_LINEAR = ("exp_avg", "exp_inf", "momentum_buffer", "grad_avg")
_QUADRATIC = ("exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum")


@contextlib.contextmanager
def own_steps(
    model: Any, name: str, *, frozen: bool = True, searches: bool = False, loop: Any = None
) -> Iterator[None]:
    """Let callbacks know that a loop of ours, not the compiled optimiser, makes the steps.

    Args:
        model: a compiled DeepXDE model.
        name: that users read.
        frozen: whether adaptive weights must not move.
        searches: whether a step may evaluate the losses often.
        loop: the loop itself, for whoever saves its state.

    Yields:
        Nothing.
    """
    note(model, own_steps=OwnSteps(name, frozen, searches, loop))
    try:
        yield
    finally:
        note(model, own_steps=None)


def name_of(model: Any) -> str:
    """Return what makes the model's steps: a loop of ours, or the compiled optimiser's name."""
    own = notes_of(model).own_steps
    if own is not None:
        return own.name
    return model.opt_name if isinstance(model.opt_name, str) else type(model.opt_name).__name__


def compiled_at_work(model: Any) -> bool:
    """Return whether the compiled optimiser makes the steps, not a loop of ours."""
    return notes_of(model).own_steps is None


def own_search(model: Any) -> bool:
    """Return whether a loop of ours searches along lines, and deals with trials not finite."""
    own = notes_of(model).own_steps
    return own is not None and own.searches


def is_second_order(model: Any) -> bool:
    """Return whether the weights must stay, as curvature is kept from earlier steps.

    Args:
        model: a compiled DeepXDE model.

    Returns:
        True for L-BFGS and NNCG, by name or as an object: a weight that moves would mix the
        curvature of two objectives; for our own loops, as they say.
    """
    own = notes_of(model).own_steps
    if own is not None:
        return own.frozen
    return _keeps_curvature(model)


def has_one_objective(model: Any) -> bool:
    """Return whether steps are made of curvature, also where loss weights may move in between."""
    return is_second_order(model) or not compiled_at_work(model)


def runs_in_blocks(model: Any) -> bool:
    """Return whether DeepXDE calls callbacks once per block of L-BFGS iterations."""
    return compiled_at_work(model) and model.opt_name in ("L-BFGS", "L-BFGS-B")


def searches(model: Any) -> bool:
    """Return whether what is at work may evaluate the losses often in a step."""
    return own_search(model) or (compiled_at_work(model) and _keeps_curvature(model))


def _keeps_curvature(model: Any) -> bool:
    """Return whether the compiled optimiser is L-BFGS or NNCG, by name or as an object."""
    return (
        model.opt_name in ("L-BFGS", "L-BFGS-B", "NNCG")
        or isinstance(model.opt, torch.optim.LBFGS)
        or type(model.opt).__name__ == "NNCG"
    )


def lbfgs_iterations(model: Any) -> int:
    """Return the iterations that the model's L-BFGS optimiser has made, 0 before its first."""
    states = list(model.opt.state.values())
    return int(states[0].get("n_iter", 0)) if states else 0


def honour_maxiter(model: Any) -> None:
    """Keep the next block of L-BFGS within `maxiter`.

    `dde.optimizers.set_LBFGS_options(maxiter=30)` leaves the length of a block at 1000.

    Args:
        model: a DeepXDE model compiled for L-BFGS.
    """
    left = dde.optimizers.config.LBFGS_options["maxiter"] - lbfgs_iterations(model)
    for group in model.opt.param_groups:
        group["max_iter"] = max(1, min(group["max_iter"], left))


def forget_curvature(model: Any) -> None:
    """Let L-BFGS start its next block along the gradient, as the objective has changed.

    The counters stay, as DeepXDE's loop goes by them.

    Args:
        model: a DeepXDE model compiled for L-BFGS.
    """
    for state in model.opt.state.values():
        if "old_dirs" in state:
            state["old_dirs"], state["old_stps"], state["ro"] = [], [], []
            # No step since the last gradient: the pair of the two objectives is left out.
            state["d"] = torch.zeros_like(state["d"])
            state["H_diag"] = 1.0 / max(1.0, state["prev_flat_grad"].abs().sum().item())


def rescale_moments(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Scale an optimiser's running moments as if all past gradients had been `factor` larger.

    When every weight changes by a common factor, Adam would otherwise divide new gradients by the
    root of old second moments, and its learning rate would be off by that factor for a long time.

    Args:
        optimizer: its state is changed in place.
        factor: ratio of the new weighted total to the old one, positive.
    """
    for state in optimizer.state.values():
        for key, value in state.items():
            if not isinstance(value, Tensor):
                continue
            if key == "momentum_buffer" and "square_avg" in state:
                continue  # RMSprop's momentum adds up steps that are normalised already
            if key in _LINEAR:
                value.mul_(factor)
            elif key in _QUADRATIC:
                value.mul_(factor**2)
