"""What `PseudoTime` takes and what it refuses, before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import deepxde as dde

from pinn_ext.checks import ArgumentError, check_list, check_number
from pinn_ext.dde.callback.hooks import WeightingHooks
from pinn_ext.dde.model import optimizers
from pinn_ext.dde.model.refusals import check_model
from pinn_ext.dde.model.row_points import time_span
from pinn_ext.measurements import processes

FORMS = ("jaxpi2", "scale_pinn")
"""Published forms of the term."""


def check_trained(model: Any, form: str) -> None:
    """Refuse a model that the term cannot be added to.

    Args:
        model: a DeepXDE model.
        form: of the term.

    Raises:
        ValueError: if it is not compiled, has no equation or, for a Laplacian, no space, is in
            mixed precision or forward mode, or is trained by Gauss-Newton or in several processes.
    """
    check_model(model)
    data, kind = model.data, type(model.data).__name__
    if optimizers.name_of(model) == "Gauss-Newton":
        raise ValueError(
            "PseudoTime must be left out of train_gauss_newton, whose damping holds each step "
            "back already."
        )
    if dde.config.mixed:
        raise ValueError(
            "PseudoTime must have one precision throughout, got mixed precision: differences "
            "of one step are lost in float16."
        )
    if dde.config.autodiff != "reverse":
        raise ValueError(
            f"PseudoTime must have reverse mode, got {dde.config.autodiff!r} mode: call "
            "dde.config.set_default_autodiff('reverse')."
        )
    if not isinstance(data, dde.data.PDE) or data.pde is None:
        raise ValueError(
            "PseudoTime must have data with an equation (dde.data.PDE, TimePDE), got "
            f"{kind} without one."
        )
    if form == "scale_pinn" and data.geom.dim == (time_span(data) is not None):
        raise ValueError(
            "Form 'scale_pinn' must have an equation in space, whose Laplacian it damps, got "
            f"{kind} in time alone."
        )
    if processes.is_running():
        raise ValueError("PseudoTime must train in one process, got several.")


def check_beside(own: Any, model: Any) -> None:
    """Refuse callbacks that cannot be at work together.

    Args:
        own: the callback.
        model: about to be trained.

    Raises:
        ValueError: if there is another callback of its class, or pilots of the strategy `auto`.
    """
    others = [] if model.callbacks is None else model.callbacks.callbacks
    if any(type(other) is type(own) and other is not own for other in others):
        raise ValueError("The callbacks must hold one PseudoTime, got several.")
    weighting = [other for other in others if isinstance(other, WeightingHooks)]
    if any(other.settings.strategy == "auto" for other in weighting):
        raise ValueError(
            "AdaptiveWeights beside PseudoTime must have another strategy than 'auto', whose "
            "pilots exchange the parameters between two steps."
        )


# ---- arguments: a number, or a list with one an equation ----------------------------------------


def fields_of(fields: Any) -> list[int | None] | None:
    """Return numbers of outputs as a list, None where nothing was said."""
    if fields is None:
        return None
    wanted = "be a list with the number of an output, or None, for each equation"
    numbers = check_list("fields", fields, wanted)
    for number in numbers:
        if number is not None:
            check_number("fields", number, 0, integer=True)
    if all(number is None for number in numbers):
        raise ArgumentError("fields", "name an output for one equation at least", fields)
    return numbers


def signs_of(sign: Any) -> list[int] | int:
    """Return 1 or -1, or a list of them."""
    return _each("sign", sign, _sign)


def tau_of(tau: Any, form: str) -> list[float] | float | None:
    """Return a positive number, or a list of them; None for the rule of jaxpi2."""
    if not isinstance(tau, str):
        return _each("tau", tau, lambda name, own: check_number(name, own, 0, open_low=True))
    if form == "scale_pinn":
        wanted = "be a number > 0 for form 'scale_pinn', which has no rule for it"
        raise ArgumentError("tau", wanted, repr(tau))
    if tau != "auto":
        raise ArgumentError("tau", "be 'auto' or a number > 0", repr(tau))
    return None


def smoothing_of(smoothing: Any, form: str) -> list[float] | float | None:
    """Return a number that is not negative, or a list of them; None for a form without."""
    if form != "scale_pinn":
        if smoothing is not None:
            raise ArgumentError("smoothing", f"be None for form {form!r}", repr(smoothing))
        return None
    if smoothing is None:
        wanted = "be given for form 'scale_pinn', a number >= 0 such as a tenth of the diffusivity"
        raise ArgumentError("smoothing", wanted, "None")
    return _each("smoothing", smoothing, lambda name, own: check_number(name, own, 0))


def _each(name: str, value: Any, check: Callable[[str, Any], Any]) -> Any:
    """Return a checked number, or a list of checked numbers."""
    if isinstance(value, (str, Mapping)) or not hasattr(value, "__iter__"):
        return check(name, value)
    return [check(name, own) for own in check_list(name, value, "be a number, or a list of them")]


def _sign(name: str, value: Any) -> int:
    if isinstance(value, bool) or value not in (1, -1):
        raise ArgumentError(name, "be 1 or -1", repr(value))
    return int(value)
