"""Models that cannot be trained as they are, refused before anything is changed."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import deepxde as dde
import torch

from pinn_ext.checks import check_fits, check_number
from pinn_ext.dde.model.loss_terms import derive_names, equation_of, float_type, trained_tensors
from pinn_ext.networks.normalization import warn_of_layers
from solvers.devices import with_index

_COUNTED = (dde.icbc.DirichletBC, dde.icbc.IC, dde.icbc.NeumannBC)
"""Conditions whose functions DeepXDE calls by the number of their arguments."""
_LARGEST = 1e30  # Adam divides its rate by 0.1 first, and float32 ends at 3e38


def check_model(model: Any) -> None:
    """Refuse a model that cannot be trained, and warn once of layers with wrong derivatives.

    Args:
        model: a DeepXDE model.

    Raises:
        ValueError: if it is not compiled, has no parameters, has another float type than DeepXDE
            or lies on another device; if a function of its data has arguments that DeepXDE takes
            for something else, or a loss term has no training points.
    """
    if model.opt is None:
        raise ValueError("The model must be compiled before it is trained: model.compile(...).")
    dtypes = {parameter.dtype for parameter in model.net.parameters()}
    if not dtypes:
        raise ValueError("The network must have parameters to train, got none.")
    wanted = dde.config.real(torch)
    if dtypes != {wanted}:
        found = ", ".join(sorted(map(str, dtypes)))
        raise ValueError(
            f"The network must have DeepXDE's float type {wanted}, got {found}: call "
            "dde.config.set_default_float before the network is built."
        )
    _check_device(model)
    equation = equation_of(model.data)
    if equation is not None or not type(model.data).__module__.startswith("deepxde."):
        warn_of_layers(model.net)  # data alone takes no derivatives
    if equation is not None:
        _check_equation(model.data)
        _check_conditions(model.data, equation)
        _check_points(model.data, equation)


def _check_device(model: Any) -> None:
    """Refuse a network that does not lie where DeepXDE's own data classes put their points."""
    places = sorted({str(with_index(parameter.device)) for parameter in model.net.parameters()})
    wanted = str(with_index(torch.get_default_device()))
    if places != [wanted] and type(model.data).__module__.startswith("deepxde."):
        raise ValueError(
            f"The network must be on {wanted}, where DeepXDE puts its points, got "
            f"{', '.join(places)}: call torch.set_default_device(...) before the network is built."
        )


def check_optimizer(model: Any) -> None:
    """Refuse rates of a compiled optimiser at which float types end in infinity, or in 0.

    Args:
        model: a compiled DeepXDE model, whose steps its optimiser will make.

    Raises:
        ValueError: if a learning rate or weight decay is beyond 1e30, or DeepXDE's float type.
    """
    for group in model.opt.param_groups:
        for key in ("lr", "weight_decay"):
            if isinstance(group.get(key), Real):  # torch takes tensors too
                check_number(key, check_fits(key, group[key], float_type()), -_LARGEST, _LARGEST)


def refuse_empty(names: Sequence[str]) -> None:
    """Refuse loss terms without residuals, whose mean of squares is NaN.

    Args:
        names: of such terms.

    Raises:
        ValueError: if there is one.
    """
    if names:
        raise ValueError(
            f"Each loss term must have training points, got none for {', '.join(names)}: give "
            "it some (`num_boundary`, `num_initial`), or leave it out."
        )


# ---- functions whose arguments DeepXDE counts ---------------------------------------------------


def _check_equation(data: Any) -> None:
    """Refuse an equation that DeepXDE would leave out, or call with other arguments than meant."""
    if not _counts_arguments(data) or data.pde is None:
        return
    arguments = _arguments(data.pde)
    if arguments is None:
        return
    legal = (2, 3) if data.auxiliary_var_fn is not None else (2,)
    if len(arguments) not in legal:
        third = ", or (x, y, auxiliary variables)" if len(legal) == 2 else ""
        more = "" if len(arguments) < 3 else f"; bind further ones: lambda x, y: {_call(data.pde)}"
        raise ValueError(
            f"The function of the equation must have the arguments (x, y){third}, got "
            f"{_text(arguments)}: DeepXDE goes by their number, those with defaults "
            f"included{more}."
        )
    if len(arguments) == 3:
        _warn_of_default("the equation", arguments[2])


def _counts_arguments(data: Any) -> bool:
    """Return whether losses are those of DeepXDE's `PDE`; `IDE` calls its equation otherwise."""
    own, plain = type(data), dde.data.PDE
    return (
        isinstance(data, plain)
        and own.losses is plain.losses
        and own.losses_train is plain.losses_train
    )


def _check_conditions(data: Any, equation: dde.data.PDE) -> None:
    """Refuse functions of conditions that DeepXDE would call with other arguments than meant."""
    names = derive_names(equation, len(equation.bcs))
    gets_more = data is not equation  # operator learning hands on the function at the points
    for name, condition in zip(names, equation.bcs, strict=True):
        if not isinstance(condition, _COUNTED):
            continue
        if condition.func is None:  # what DeepXDE has kept of a function with another number
            raise ValueError(
                f"The function of {name} must have x as its one argument"
                f"{' (or x and auxiliary variables)' * gets_more}, got none, or too many with "
                "those that have defaults, which DeepXDE counts: bind them, lambda x: f(x, ...)."
            )
        arguments = _arguments(condition.func)
        if arguments is None or len(arguments) < 2:
            continue
        if gets_more:
            _warn_of_default(name, arguments[1])
        elif type(data).losses.__module__.startswith("deepxde."):
            raise ValueError(
                f"The function of {name} must have x as its one argument, got "
                f"{_text(arguments)}: DeepXDE takes a second one, with a default or without, for "
                f"auxiliary variables, which {type(data).__name__} does not hand to conditions. "
                f"Bind it: lambda x: {_call(condition.func, 1)}."
            )


def _warn_of_default(what: str, argument: inspect.Parameter) -> None:
    """Say that a default other than None is of no use where DeepXDE fills the argument."""
    if argument.default not in (argument.empty, None):
        warnings.warn(
            f"The function of {what} gets auxiliary variables as `{argument.name}`, not its "
            f"default {argument.default!r}: DeepXDE goes by the number of arguments.",
            RuntimeWarning,
            stacklevel=2,
        )


def _arguments(function: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """Return the arguments as DeepXDE counts them, None where Python cannot tell them."""
    try:
        own = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None
    return [argument for name, argument in own.items() if name != "self"]


def _text(arguments: Sequence[inspect.Parameter]) -> str:
    return f"({', '.join(map(str, arguments))})"


def _call(function: Callable[..., Any], least: int = 2) -> str:
    """Return how a function is called with its defaults, for the first `least` arguments given."""
    name = getattr(function, "__name__", "f")
    given = ["x", "y"][:least]
    return f"{name if name.isidentifier() else 'f'}({', '.join(given)}, ...)"


# ---- points -------------------------------------------------------------------------------------


def _check_points(data: Any, equation: dde.data.PDE) -> None:
    """Refuse data some of whose loss terms have no points."""
    counts = getattr(data, "num_bcs", None) or equation.num_bcs
    if counts is None:  # drawn later, by data of another class
        return
    names = derive_names(equation, len(counts))
    empty = [name for name, count in zip(names, counts, strict=True) if not count]
    points = equation.train_x
    has_equation = equation.pde is not None and _counts_arguments(equation)
    if has_equation and points is not None and len(points) == sum(equation.num_bcs):
        empty.insert(0, "pde_1")
    refuse_empty(empty)


def check_rows(model: Any) -> None:
    """Refuse a model that Gauss-Newton cannot train, as far as it shows without evaluating it.

    Args:
        model: a DeepXDE model.

    Raises:
        ValueError: if it is not compiled, runs in mixed precision, takes several inputs, has an
            L1 regularisation or nothing to train.
    """
    check_model(model)
    if dde.config.mixed:
        raise ValueError(
            "Gauss-Newton must have one precision throughout, got mixed precision: call "
            "dde.config.set_default_float('float64')."
        )
    if isinstance(model.train_state.X_train, (tuple, list)):
        raise ValueError(
            "The network must take one array of inputs, got several (operator learning), which "
            "have no row a point."
        )
    regularizer = model.net.regularizer
    if regularizer is not None and regularizer[0] != "l2":
        raise ValueError(
            "The regularisation must be 'l2' or none, as a sum of absolute values is no sum of "
            f"squares, got {regularizer[0]!r}."
        )
    if not any(tensor.requires_grad for tensor in trained_tensors(model)):
        raise ValueError("The network must have parameters to train, got only frozen ones.")
