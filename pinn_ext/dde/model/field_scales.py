"""How large the fields of a DeepXDE model are, read from its initial and boundary data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import deepxde as dde
import torch

from pinn_ext.checks import check_fits, check_list, check_number
from pinn_ext.dde.model.data_protocol import described
from pinn_ext.dde.model.loss_terms import equation_of, float_type
from pinn_ext.measurements import processes


def condition_names(data: Any, names: Sequence[str]) -> list[str]:
    """Return the names of the terms that are conditions or data rather than equations.

    Args:
        data: of a model.
        names: of its loss terms, in their order.

    Returns:
        Some of `names`.
    """
    held = described(data).condition_terms()
    if held is not None:
        return [names[i] for i in sorted(set(held)) if i < len(names)]
    equation = equation_of(data)
    if equation is None:
        return list(names)
    return list(names[len(names) - len(equation.bcs) :])


def field_scales(model: Any, names: Sequence[str]) -> list[float]:
    """Return the size of the field that each term is about: the root mean square of its data.

    Initial, Dirichlet and point data of an output count as its data. The i-th equation is taken to
    be about the i-th output that has conditions; a single equation is about the largest. An output
    without data other than 0 has size 1, with a warning.

    Args:
        model: a compiled DeepXDE model.
        names: of its loss terms, in their order.

    Returns:
        One number a term, in the units of the network's outputs.

    Raises:
        ValueError: if equations and outputs cannot be matched.
    """
    own = described(model.data).term_field_scales()
    if own is not None:
        return own
    equation = equation_of(model.data)
    if equation is None:
        return _of_targets(model, len(names))
    sizes = _of_conditions(model.data, equation)
    fields = sorted({*sizes, *(k for bc in equation.bcs for k in _components(bc))}) or [0]
    for k in fields:
        if not sizes.get(k):
            warnings.warn(
                f"Output {k} of the network has no initial or boundary data other than 0: its size "
                "is taken to be 1 (field_scales says how large each term's field is).",
                RuntimeWarning,
                stacklevel=2,
            )
            sizes[k] = 1.0
    equations = len(names) - len(equation.bcs)
    if equations == 1:
        of_equations = [max(sizes.values())]
    elif equations == 0 or equations == len(fields):
        of_equations = [sizes[k] for k in fields[:equations]]
    else:
        raise ValueError(
            f"`field_scales` must be given for {equations} equations and {len(fields)} fields with "
            f"conditions: which equation is about which cannot be known. The terms are "
            f"{', '.join(names)}."
        )
    return [*of_equations, *(_size_of(bc, sizes) for bc in equation.bcs)]


def check_field_scales(scales: Sequence[float], names: Sequence[str]) -> list[float]:
    """Return a user's sizes as plain numbers.

    Args:
        scales: one a term.
        names: of the terms.

    Returns:
        The same numbers.

    Raises:
        ValueError: if there are not as many as terms, one is not above 0, or the square of one,
            which losses are divided by, is beyond DeepXDE's float type.
    """
    terms = f"one number for each of {len(names)} loss terms ({', '.join(names)})"
    plain = check_list("field_scales", scales, f"be a list of {terms}")
    if len(plain) != len(names):
        raise ValueError(f"`field_scales` must hold {terms}, got {len(plain)}.")
    sizes = [float(check_number("field_scales", s, 0, open_low=True)) for s in plain]
    return [check_fits("field_scales", s, float_type(), power=2) for s in sizes]


def shared(scales: Sequence[float]) -> list[float]:
    """Return the root mean square of each size over processes: each has points of its own."""
    if not processes.is_running():
        return list(scales)
    return [math.sqrt(s) for s in processes.mean_of_numbers([scale**2 for scale in scales])]


def _of_targets(model: Any, terms: int) -> list[float]:
    """Return the root mean square of each column of the targets, where there are no equations."""
    targets = model.train_state.y_train
    parts = targets if isinstance(targets, (tuple, list)) else [targets]
    if any(part is None for part in parts) or len(parts) not in (1, terms):
        return [1.0] * terms
    sizes = [torch.as_tensor(part).double().square().mean().sqrt().item() or 1.0 for part in parts]
    return sizes if len(sizes) == terms else sizes * terms


def _of_conditions(data: Any, equation: dde.data.PDE) -> dict[int, float]:
    """Return the root mean square of the data of each output that has some.

    Args:
        data: of a model.
        equation: that the data holds, or is.
    """
    # Operator learning on pairs repeats each point for each function, and counts so.
    counts = getattr(data, "num_bcs", equation.num_bcs)
    squares: dict[int, list[torch.Tensor]] = {}
    start = 0
    for bc, count in zip(equation.bcs, counts, strict=True):
        values = _values_of(bc, data, equation, start, start + count)
        start += count
        if values is None or not values.numel():
            continue
        columns = values.detach().double().square().unbind(dim=1)
        for component, column in zip(_components(bc), columns, strict=True):
            squares.setdefault(component, []).append(column)
    return {k: torch.cat(parts).mean().sqrt().item() for k, parts in squares.items()}


def _values_of(
    bc: Any, data: Any, equation: dde.data.PDE, begin: int, end: int
) -> torch.Tensor | None:
    """Return what a condition prescribes at each of its points.

    Args:
        bc: the condition.
        data: of a model.
        equation: that the data holds, or is.
        begin: index of the condition's first point.
        end: index behind its last.

    Returns:
        `[n, c]` for the c outputs that it names; None for a condition that prescribes no output.
    """
    columns = len(_components(bc))
    if isinstance(bc, dde.icbc.PointSetBC):
        return _at_points(bc.values, len(bc), columns)
    if not isinstance(bc, (dde.icbc.IC, dde.icbc.DirichletBC)):
        return None
    inputs = equation.train_x if data is equation else data.train_x[1]
    auxiliary = data.train_aux_vars
    each = [auxiliary]
    if isinstance(data, dde.data.PDEOperatorCartesianProd):  # a row of values a function
        each = list(torch.as_tensor(auxiliary).unsqueeze(-1))
        if dde.utils.get_num_args(bc.func) == 1:
            each = each[:1]
    with torch.no_grad():
        rows = [bc.func(inputs, begin, end, own) for own in each]
    return torch.cat([_at_points(own, end - begin, columns) for own in rows])


def _at_points(values: Any, points: int, columns: int) -> torch.Tensor:
    """Return values `[points, columns]`, as DeepXDE compares a number or a row with each point."""
    given = torch.as_tensor(values)
    if given.numel() == points * columns:
        return given.reshape(points, columns)
    if columns == 1 and given.numel() > 1:  # each point is compared with all of them
        return given.reshape(-1, 1)
    return given.expand(points, columns)


def _components(bc: Any) -> list[int]:
    """Return the outputs that a condition names."""
    component = getattr(bc, "component", [])
    if isinstance(component, Integral):  # those of NumPy, too
        return [int(component)]
    return [int(k) for k in component]


def _size_of(bc: Any, sizes: dict[int, float]) -> float:
    """Return the size of the largest field that a condition is about, of all if it names none."""
    return max(sizes[k] for k in _components(bc) or sizes)
