"""The weighted loss of a DeepXDE model as a function of one vector, with its gradient."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.dde.model.loss_terms import (
    derive_names,
    flat_parameters,
    put_parameters,
    trained_tensors,
    weights_list,
)
from pinn_ext.dde.model.refusals import check_model
from pinn_ext.networks.normalization import warn_of_graph
from solvers.devices import on_cpu


class Losses(NamedTuple):
    """The losses behind a value.

    Attributes:
        weighted: as DeepXDE has them `[k]`, an L1 regularisation as the last.
        raw: without weights `[k]`, where a callback has noted them; else None.
    """

    weighted: Tensor
    raw: list[float] | None


class ModelLoss:
    """The sum of a compiled model's weighted losses, and of a regularisation, at any parameters.

    It is DeepXDE's own sum, so that any loss function, data and network will do. An L2
    regularisation, which DeepXDE leaves to the optimiser as weight decay `wd`, is
    `wd / 2 |theta|^2` of the network. The vector is float64; the model computes in its own type.

    Args:
        model: a compiled DeepXDE model whose `train_state` holds training points.

    Attributes:
        tensors: what is trained: network parameters, then external variables.
        names: of the loss terms, once it has been evaluated by `look`.
        weights: of the terms at the last `look` or `reweigh`.

    Raises:
        ValueError: if the model cannot be trained; the message says why.
    """

    def __init__(self, model: Any) -> None:
        check_loss(model)
        self.model = model
        self.tensors = [t for t in trained_tensors(model) if t.requires_grad]
        kind, decay = model.net.regularizer or (None, 0.0)
        self._has_l1 = kind == "l1" and decay > 0
        self._decay = decay if kind == "l2" else 0.0
        self._decayed = sum(p.numel() for p in model.net.parameters() if p.requires_grad)
        self.names: list[str] = []
        self.weights: list[float] = []

    def __call__(self, x: Tensor) -> tuple[float, Tensor, Losses]:
        """Return value, gradient `[n]` and losses at parameters `[n]`, which the model then has."""
        put_parameters(self.tensors, x)
        losses = self._losses()
        total = losses.sum(dtype=torch.float64)
        gradients = torch.autograd.grad(
            total, self.tensors, allow_unused=True, materialize_grads=True
        )
        gradient = torch.cat([own.reshape(-1) for own in gradients])
        value = total.item()
        if self._decay:
            own = x[: self._decayed]
            gradient[: self._decayed] += self._decay * own
            value += 0.5 * self._decay * own.dot(own).item()
        raw = getattr(self.model.data.losses_train, "latest", None)
        return value, gradient, Losses(losses.detach(), raw)

    def look(self) -> None:
        """Read names and weights of the terms, and refuse a model that has no value to start from.

        Raises:
            ValueError: if a loss is not finite, or not the same when it is evaluated again; if
                weights do not fit the terms.
        """
        losses = self._losses()
        warn_of_graph([losses], self.model.net)
        found = losses.detach().tolist()
        self.names = derive_names(self.model.data, len(found) - self._has_l1)
        self.reweigh()
        bad = [
            name
            for name, loss in zip([*self.names, "the regularisation"], found, strict=False)
            if not math.isfinite(loss)
        ]
        if bad:
            raise ValueError(
                f"The losses must be finite to start from, got NaN or infinity in {', '.join(bad)}."
            )
        again = self._losses().detach().tolist()
        tolerance = 1e-8 if losses.dtype == torch.float64 else 1e-3
        for name, one, other in zip(self.names, found, again, strict=False):
            if abs(one - other) > tolerance * abs(one):
                raise ValueError(
                    "The losses must be the same when they are evaluated again, got "
                    f"{one:.6g} and {other:.6g} for {name}: keep random numbers such as dropout "
                    "out of network and equation."
                )

    def weights_changed(self) -> bool:
        """Return whether the model's weights are others than those of the last look."""
        return self._given_weights() != self.weights

    def reweigh(self) -> None:
        """Read the weights of the model.

        Raises:
            ValueError: if they do not fit the terms.
        """
        self.weights = self._given_weights()

    def get(self) -> Tensor:
        """Return the present parameters as a vector `[n]` in float64."""
        return flat_parameters(self.tensors).to(torch.float64)

    def put(self, x: Tensor) -> None:
        """Give the model the parameters `[n]`."""
        put_parameters(self.tensors, x)

    def holds(self, x: Tensor, dtype: torch.dtype | None = None) -> bool:
        """Return whether the model has the parameters `[n]`, to the digits of a float type.

        Args:
            x: the parameters.
            dtype: the type; None for the model's own.
        """
        here = flat_parameters(self.tensors)
        here = here if dtype is None else here.to(dtype)
        return here.shape == x.shape and torch.equal(here, x.to(here))

    def _losses(self) -> Tensor:
        state = self.model.train_state
        try:
            return self.model.outputs_losses_train(
                state.X_train, state.y_train, state.train_aux_vars
            )[1]
        finally:
            dde.gradients.clear()  # which DeepXDE leaves undone where an equation raises

    def _given_weights(self) -> list[float]:
        with on_cpu():  # where a list would become a tensor of the default device first
            return weights_list(self.model.loss_weights, len(self.names), self.names)


def check_loss(model: Any) -> None:
    """Refuse a model that cannot be trained here, as far as it shows without evaluating it.

    Args:
        model: a DeepXDE model.

    Raises:
        ValueError: if it is not compiled, runs in mixed precision, or has nothing to train.
    """
    check_model(model)
    if dde.config.mixed:
        raise ValueError(
            "Quasi-Newton must have one precision throughout, got mixed precision: call "
            "dde.config.set_default_float('float64')."
        )
    if not any(tensor.requires_grad for tensor in trained_tensors(model)):
        raise ValueError("The network must have parameters to train, got only frozen ones.")
