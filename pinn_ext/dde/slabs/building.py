"""Models of slabs as the user's builder makes them, refused where they do not go on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import deepxde as dde
import numpy as np
import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_list, check_number
from pinn_ext.dde.model.loss_terms import derive_names, float_type
from pinn_ext.dde.model.refusals import check_model
from pinn_ext.dde.slabs.slab import Slab
from pinn_ext.derivatives.precomputed import HigherDerivativeError

_ROUNDING = 1000.0  # units of rounding by which a start may be missed


class System(NamedTuple):
    """What the models of all slabs have in common.

    Attributes:
        inputs: of the network, position and time.
        outputs: of the network.
        terms: names of the loss terms.
    """

    inputs: int
    outputs: int
    terms: tuple[str, ...]


def check_edges(slabs: Any) -> tuple[float, ...]:
    """Return the times between slabs, those at both ends included.

    Args:
        slabs: what the user gave.

    Returns:
        At least two numbers that increase.

    Raises:
        ArgumentError: if they do not, or two of them are one number in DeepXDE's float type.
    """
    wanted = "be a list of increasing times, the edges of the slabs"
    edges = check_list("slabs", slabs, wanted)
    if len(edges) < 2:
        raise ArgumentError("slabs", f"{wanted}, at least two", repr(edges))
    for number, edge in enumerate(edges):
        check_number(f"slabs[{number}]", edge)
    times = tuple(float(edge) for edge in edges)
    if not (np.diff(np.array(times, dtype=dde.config.real(np))) > 0).all():
        raise ArgumentError("slabs", f"{wanted} in {float_type()}", repr(list(times)))
    return times


def build(builder: Callable[[Slab], Any], slab: Slab, taken: list[Any]) -> Any:
    """Return the compiled model of a slab.

    Args:
        builder: the user's.
        slab: that it is for.
        taken: models of the former slabs, whose networks are no others' any more.

    Returns:
        A `dde.Model`.

    Raises:
        ArgumentError: if it is no model, its network is that of a former slab, or its times are not
            those of the slab.
        ValueError: if it cannot be trained.
    """
    model = builder(slab)
    if not isinstance(model, dde.Model):
        wanted = "return a compiled dde.Model"
        raise ArgumentError("builder", wanted, f"{type(model).__name__} for slab {slab.number}")
    if any(model.net is former.net for former in taken):
        wanted = "return a new network for each slab"
        raise ArgumentError("builder", wanted, f"that of a former one for slab {slab.number}")
    if dde.config.autodiff != "reverse":
        wanted = 'be "reverse" for slabs, whose start has derivatives that are kept'
        raise ArgumentError("dde.config.autodiff", wanted, repr(dde.config.autodiff))
    check_model(model)
    _check_times(model.data, slab)
    return model


def _check_times(data: Any, slab: Slab) -> None:
    """Refuse points on other times than those of the slab, as far as the geometry says."""
    geometry = getattr(data, "geom", None)
    domain = getattr(geometry, "timedomain", geometry)
    if not isinstance(domain, dde.geometry.TimeDomain):
        return
    own, wanted = (float(domain.t0), float(domain.t1)), (slab.lower, slab.upper)
    if not np.allclose(own, wanted, rtol=0, atol=1e-6 * (slab.upper - slab.lower)):
        raise ArgumentError(
            "builder",
            f"return data on the times of slab {slab.number}, TimeDomain(slab.lower, slab.upper) = "
            f"{list(wanted)}",
            repr(list(own)),
        )


def look_at(model: Any, slab: Slab) -> System:
    """Evaluate a model as it was built: what it solves, and whether it begins at the start.

    Args:
        model: of the slab.
        slab: learns from `initial` how many fields there are.

    Returns:
        What it solves.

    Raises:
        ArgumentError: if it misses its start by more than rounding, `initial` does not fit, or the
            equation takes derivatives of a higher order than the start has.
    """
    inputs, targets, aux = _test_batch(model)
    if not isinstance(inputs, np.ndarray) or inputs.ndim != 2:
        got = type(inputs).__name__
        raise ArgumentError("builder", "return data with one array of points and times", got)
    device = next(model.net.parameters()).device
    points = torch.as_tensor(inputs, dtype=dde.config.real(torch), device=device)
    at_start = torch.cat((points[:, :-1], torch.full_like(points[:, -1:], slab.lower)), dim=1)
    at_start.requires_grad_()  # values and derivatives at once: the losses ask for them next
    start = slab.start(at_start)
    model.net.eval()
    outputs = model.net(at_start).detach()
    start = start.detach()
    slab.fields = start.shape[1]
    if outputs.ndim != 2 or outputs.shape[1] < slab.fields:
        wanted = f"return networks with an output for each of the {slab.fields} fields of `initial`"
        raise ArgumentError("builder", wanted, f"shape {list(outputs.shape)}")
    missed = float((outputs[:, : slab.fields] - start).abs().max())
    size = max(1.0, float(start.abs().max()))
    if not missed <= _ROUNDING * torch.finfo(start.dtype).eps * size:
        raise ArgumentError(
            "builder",
            "return a network that is slab.start(x) at t = slab.lower "
            "(net.apply_output_transform(slab.transform) makes it so)",
            f"one that is off by {missed:.2g} in slab {slab.number}",
        )
    try:
        _, losses = model.outputs_losses_test(inputs, targets, aux)
    except HigherDerivativeError:
        wanted = "be that of the highest derivative that the equation takes"
        raise ArgumentError("order", wanted, slab.kept.order) from None
    names = tuple(derive_names(model.data, _number_of_terms(model, losses)))
    return System(inputs.shape[1], outputs.shape[1], names)


def losses_beside_start(model: Any, slab: Slab) -> tuple[float, float]:
    """Return what a slab has come to, beside what needs no training.

    Args:
        model: of the slab.
        slab: of which `look_at` has been told.

    Returns:
        The weighted loss at the test points, and that of the start, carried on unchanged.
    """

    def held(_: Any, inputs: tuple[Tensor, ...], outputs: Tensor) -> Tensor:
        fields = outputs[:, : slab.fields]
        # The start has no derivative by the time that could be asked for: 0 times the fields has.
        return torch.cat((slab.start(inputs[0]) + 0 * fields, outputs[:, slab.fields :]), dim=1)

    def loss() -> float:
        return float(model.outputs_losses_test(*batch)[1].detach().sum())

    batch = _test_batch(model)
    own = loss()
    hook = model.net.register_forward_hook(held)
    try:
        return own, loss()
    finally:
        hook.remove()


def _test_batch(model: Any) -> tuple[Any, Any, Any]:
    """Return inputs, targets and auxiliary variables, which not all data have, of a test."""
    inputs, targets, aux = (*model.data.test(), None)[:3]
    return inputs, targets, aux


def _number_of_terms(model: Any, losses: Tensor) -> int:
    """Return how many terms there are, without the one that DeepXDE adds for an L1 norm."""
    regularizer = model.net.regularizer
    extra = regularizer is not None and regularizer[0] == "l1"
    return len(losses) - bool(extra)


def check_same(system: System, first: System, slab: Slab) -> None:
    """Refuse a model of another system than that of the first slab.

    Raises:
        ArgumentError: naming what differs.
    """
    for what in System._fields:
        own, wanted = getattr(system, what), getattr(first, what)
        if own != wanted:
            shown = [list(v) if isinstance(v, tuple) else v for v in (wanted, own)]
            raise ArgumentError(
                "builder",
                f"return the same system for each slab, with {what} {shown[0]}",
                f"{shown[1]} for slab {slab.number}",
            )


def warm_start(model: Any, former: Any) -> None:
    """Give a model the parameters of the former slab's, external variables too.

    Args:
        model: of this slab.
        former: model of the one before.

    Raises:
        ArgumentError: if it has parameters of other shapes.
    """
    shapes, others = (
        {key: list(value.shape) for key, value in one.net.state_dict().items()}
        for one in (model, former)
    )
    if shapes != others:
        wanted = "return networks with the same parameters for each slab, or warm_start be False"
        differ = sorted(key for key in shapes.keys() | others.keys()
                        if shapes.get(key) != others.get(key))  # fmt: skip
        raise ArgumentError("builder", wanted, f"others in {', '.join(differ)}")
    model.net.load_state_dict(former.net.state_dict())
    pairs = zip(
        model.external_trainable_variables, former.external_trainable_variables, strict=False
    )
    with torch.no_grad():
        for variable, value in pairs:
            variable.copy_(value)
