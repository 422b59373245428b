"""Why DeepXDE's L-BFGS has ended: the criterion of torch's optimiser that it has met."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import deepxde as dde
import torch

from pinn_ext.checks import ArgumentError
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.loss_terms import flat_parameters

_CURE = (
    "dde.config.set_default_float('float64') before data and network are built, or "
    "pinn_ext.train_quasi_newton(model), goes on"
)


class _Facts(NamedTuple):
    """What torch's optimiser and the model hold after a training."""

    iterations: int
    evaluations: int
    loss: float
    largest: float  # entry of the gradient
    slope: float  # along the last direction, where its search began
    moved: float  # most that a parameter has moved by in the last step
    fell: float  # loss before the last step less the present one
    gtol: float
    ftol: float


def why_lbfgs_ended(model: Any) -> str:
    """Return why the L-BFGS of a DeepXDE model has ended, in a sentence.

    Call it right after `model.train()`. It evaluates the loss and its gradient once.

    torch's L-BFGS ends a block by `gtol` (largest entry of the gradient), by `ftol` (slope along
    the direction, largest change of a parameter, change of the loss), by iterations or evaluations;
    DeepXDE ends it once a block has made a single iteration. In float32 the commonest reason is
    the line search: trials differ from the present loss by rounding alone, and none is lower.

    Args:
        model: a `dde.Model` that was compiled with "L-BFGS" and trained.

    Returns:
        The number of iterations and evaluations, the reason, and where it helps, what goes on.

    Raises:
        ArgumentError: if it was not compiled so, or has made no step since.

    Example:
        >>> import deepxde as dde
        >>> import pinn_ext
        >>> line = dde.geometry.Interval(0, 1)
        >>> data = dde.data.PDE(line, lambda x, y: dde.grad.jacobian(y, x) - 1, [], 16, 2)
        >>> model = dde.Model(data, dde.nn.FNN([1, 4, 1], "tanh", "Glorot normal"))
        >>> model.compile("L-BFGS", verbose=0)
        >>> _ = model.train(verbose=0)
        >>> print(pinn_ext.why_lbfgs_ended(model))
        L-BFGS ended after ... iterations and ... evaluations: ...
    """
    if model.opt is None or not isinstance(model.opt, torch.optim.LBFGS):
        name = "a model that is not compiled" if model.opt is None else repr(model.opt_name)
        raise ArgumentError("model", 'be compiled with "L-BFGS"', name)
    if not model.opt.state or model.train_state.X_train is None:
        raise ArgumentError("model", "have been trained by L-BFGS", "no evaluation of it")
    facts = _look(model)
    made, evaluations = facts.iterations, facts.evaluations
    counts = f"{made} iteration{'s' * (made != 1)} and {evaluations} evaluations"
    return f"L-BFGS ended after {counts}: {_reason(facts)}.{_advice(model, facts)}"


def _look(model: Any) -> _Facts:
    state, group = next(iter(model.opt.state.values())), model.opt.param_groups[0]
    tensors = [tensor for tensor in group["params"] if tensor.requires_grad]
    points = model.train_state
    losses = model.outputs_losses_train(points.X_train, points.y_train, points.train_aux_vars)[1]
    total = losses.sum()
    gradients = torch.autograd.grad(total, tensors, allow_unused=True, materialize_grads=True)
    loss, slope, moved = total.item(), -math.inf, math.inf
    if state.get("d") is not None:
        slope = state["prev_flat_grad"].dot(state["d"]).item()
        moved = state["d"].mul(state["t"]).abs().max().item()
    return _Facts(
        iterations=optimizers.lbfgs_iterations(model),
        evaluations=int(state.get("func_evals", 0)),
        loss=loss,
        largest=flat_parameters(gradients).abs().max().item(),
        slope=slope,
        moved=moved,
        fell=float(state.get("prev_loss", math.inf)) - loss,
        gtol=group["tolerance_grad"],
        ftol=group["tolerance_change"],
    )


def _reason(facts: _Facts) -> str:
    """Return the criterion that was met, looked for in the order of torch's `LBFGS.step`."""
    most = dde.optimizers.config.LBFGS_options["maxiter"]
    if not math.isfinite(facts.loss) or not math.isfinite(facts.largest):
        return f"the loss is {facts.loss:g}, its largest gradient entry {facts.largest:g}"
    if facts.iterations >= most:
        return f"all iterations of maxiter ({most}) are made"
    if facts.largest <= facts.gtol:
        return f"the largest gradient entry, {facts.largest:.1e}, is within gtol ({facts.gtol:g})"
    if facts.slope > -facts.ftol:
        return (
            f"its last direction leads downhill no more, or hardly: the slope along it, "
            f"{facts.slope:.1e}, is above -ftol ({-facts.ftol:g})"
        )
    if facts.moved <= facts.ftol:
        found = "found no lower loss" if facts.moved == 0 else "went no further"
        return (
            f"its last line search {found}: no parameter moved by more than ftol ({facts.ftol:g})"
        )
    if abs(facts.fell) < facts.ftol:
        return (
            f"the last step changed the loss by {facts.fell:.1e}, less than ftol ({facts.ftol:g})"
        )
    return (
        "its last block made a single iteration, which DeepXDE takes for convergence, or a "
        "callback stopped it"
    )


def _advice(model: Any, facts: _Facts) -> str:
    """Return what helps, as a sentence with a space before it; empty where nothing is wrong."""
    if not math.isfinite(facts.loss):
        return ""
    if facts.iterations >= dde.optimizers.config.LBFGS_options["maxiter"]:
        return " dde.optimizers.set_LBFGS_options(maxiter=...) allows more."
    parameter = next(model.net.parameters())
    if parameter.dtype == torch.float32:
        step = torch.finfo(torch.float32).eps * abs(facts.loss)
        return (
            f" In float32 a loss of {facts.loss:.1e} changes in steps of {step:.0e} at best, and "
            f"smaller gains are lost: {_CURE}."
        )
    return (
        " dde.optimizers.set_LBFGS_options(ftol=0, gtol=0), or "
        "pinn_ext.train_quasi_newton(model), goes on."
    )
