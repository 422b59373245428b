"""Raw losses on held-out points, which a training never sees."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import deepxde as dde
import numpy as np
from deepxde.icbc.boundary_conditions import npfunc_range_autocache

from pinn_ext import random_state
from pinn_ext.dde.model.data_protocol import described
from pinn_ext.dde.weighting.loss_recorder import LossRecorder

_HELD_BACK = 10
"""Data without a geometry: one point in this many is held back."""
_SEED = 7919  # far from the seeds that users count from 0


class HeldOutPoints:
    """Measures the raw losses of a model on points that no training sees, drawn once.

    Points are drawn from the geometry where the data has one; of a `DataSet`, a tenth is held back
    from the training until `give_back`. Data with a method `held_out_losses(model)` measures them
    itself. A condition on a user's own points (`PointSetBC`) has no others: it is measured there.

    Args:
        model: a compiled DeepXDE model.
        count: points inside the geometry; a fifth of it on its boundary and at the initial time.
        seed: of the points.

    Raises:
        ValueError: if no points can be had for such data.
    """

    def __init__(self, model: Any, count: int, seed: int) -> None:
        self._data = data = model.data
        self._kept: tuple[Any, Any] | None = None
        own = described(data).held_out_losses
        if own is not None:
            self.losses: Callable[[Any], list[float]] = own
        elif isinstance(data, dde.data.PDE) and not isinstance(data, (dde.data.IDE, dde.data.FPDE)):
            self._drawn = _drawn(data, count, seed)
            self.losses = self._of_drawn
        elif type(data) is dde.data.DataSet and len(data.train_x) > 1:
            self._hold_back(data, seed)
            self.losses = self._of_held
        else:
            raise ValueError(
                "`strategy` auto can judge models on dde.data.PDE, TimePDE and DataSet, got "
                f"{type(data).__name__}: choose another strategy."
            )

    def give_back(self) -> None:
        """Give the points that were held back to the training; harmless if there are none."""
        if self._kept is not None:
            self._data.train_x, self._data.train_y = self._kept
            self._kept = None

    def _hold_back(self, data: Any, seed: int) -> None:
        self._kept = data.train_x, data.train_y
        order = np.random.default_rng(seed).permutation(len(data.train_x))
        held, rest = np.split(order, [-(-len(order) // _HELD_BACK)])
        self._held = data.train_x[held], data.train_y[held]
        rest = np.sort(rest)
        data.train_x, data.train_y = data.train_x[rest], data.train_y[rest]

    def _of_held(self, model: Any) -> list[float]:
        return _raw(model, self._data, *self._held, None)

    def _of_drawn(self, model: Any) -> list[float]:
        drawn = self._drawn
        return _raw(model, drawn, drawn.train_x, drawn.train_y, drawn.train_aux_vars)


def _raw(model: Any, data: Any, inputs: Any, targets: Any, aux: Any) -> list[float]:
    """Return the raw losses of a model on other data, as DeepXDE's own test computes them."""
    held = model.data, model.loss_weights, model.net.training
    flags = [(p, p.requires_grad) for p in model.net.parameters()]
    model.data, model.loss_weights = data, None
    try:
        losses = model._outputs_losses(False, inputs, targets, aux)[1]
    finally:
        model.data, model.loss_weights = held[:2]
        model.net.train(held[2])
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
    # The entry of an L1 regularisation comes last and is no loss term.
    regularizer = model.net.regularizer
    extra = regularizer is not None and regularizer[0] == "l1"
    return [float(loss) for loss in (losses[:-1] if extra else losses)]


def _drawn(data: Any, count: int, seed: int) -> Any:
    """Return data of the same equation and conditions with other points."""
    drawn = copy.copy(data)
    if isinstance(vars(drawn).get("losses_train"), LossRecorder):
        del drawn.losses_train
    drawn.bcs = [_copy_of(bc) for bc in data.bcs]
    drawn.num_domain = count if data.num_domain or data.anchors is not None else 0
    fifth = max(count // 5, 2)
    drawn.num_boundary = fifth if data.num_boundary else 0
    if hasattr(data, "num_initial"):
        drawn.num_initial = fifth if data.num_initial else 0
    drawn.train_distribution, drawn.anchors = "pseudo", None
    before = random_state.get_state()
    np.random.seed((seed + _SEED) % 2**32)
    try:
        _draw(drawn)
        if any(own and not new for own, new in zip(data.num_bcs, drawn.num_bcs, strict=True)):
            _lend_points(data, drawn)
            _draw(drawn)
    finally:
        random_state.set_state(before)
    return drawn


def _draw(drawn: Any) -> None:
    drawn.train_x_all = drawn.train_x_bc = drawn.train_x = None
    drawn.train_y = drawn.train_aux_vars = drawn.num_bcs = None
    drawn.train_next_batch()


def _lend_points(data: Any, drawn: Any) -> None:
    """Let conditions that random points miss be measured at their points in the training."""
    ends = np.cumsum([0, *data.num_bcs])
    for i, bc in enumerate(drawn.bcs):
        if not drawn.num_bcs[i]:
            points = data.train_x_bc[ends[i] : ends[i + 1]]
            bc.collocation_points = lambda X, points=points: points


def _copy_of(bc: Any) -> Any:
    """Return a condition without the values that DeepXDE has kept for other points.

    Drawing from its sampler would advance that of the training.
    """
    own = copy.copy(bc)
    if hasattr(bc, "batch_sampler"):
        own.batch_sampler = copy.deepcopy(bc.batch_sampler)
    function = getattr(getattr(bc, "func", None), "__wrapped__", None)
    if function is not None:
        own.func = npfunc_range_autocache(function)
    return own
