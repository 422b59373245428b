"""The residual rows of a DeepXDE model, whose squared sum is its weighted loss."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.dde.model.data_protocol import described
from pinn_ext.dde.model.loss_terms import (
    as_list,
    derive_names,
    difference,
    flat_parameters,
    put_parameters,
    trained_tensors,
    weights_list,
)
from pinn_ext.dde.model.refusals import check_rows, refuse_empty
from pinn_ext.jacobians.row_blocks import RowBlocks
from pinn_ext.networks.normalization import warn_of_graph
from solvers.devices import on_cpu


class NonFiniteRowsError(ValueError):
    """Residuals hold NaN or infinity where a training is to start, or to go on with new points."""


class ModelRows:
    """Rows `sqrt(w_i / N_i) r_i` of all loss terms of a compiled model, in DeepXDE's order.

    `r_i` are the N_i residuals of term i and `w_i` its loss weight, so that the sum of the squared
    rows is DeepXDE's weighted loss for the loss "MSE". An L2 regularisation, which DeepXDE
    leaves to the optimiser, adds a row `sqrt(wd / 2) theta` for each network parameter. With
    them the rows are the problem that `solvers.gauss_newton` minimises (half of the sum).

    Args:
        model: a compiled DeepXDE model whose `train_state` holds training points.

    Attributes:
        tensors: what is trained: network parameters, then external variables.
        names: of the terms.
        num_rows: rows of all terms and of the regularisation.

    Raises:
        ValueError: if the model cannot be written as rows; the message says why.
    """

    def __init__(self, model: Any) -> None:
        check_rows(model)
        self.model = model
        self.tensors = [t for t in trained_tensors(model) if t.requires_grad]
        network = [p for p in model.net.parameters() if p.requires_grad]
        blocks = described(model.data).independent_blocks()
        self._jacobian = RowBlocks(self.vectors, network, self.tensors[len(network) :], blocks)
        regularizer = model.net.regularizer
        decay = regularizer[1] if regularizer is not None else 0.0
        self._decay = math.sqrt(decay / 2)
        self._decayed = sum(p.numel() for p in network) if decay else 0
        self._buffer: Tensor | None = None
        self._norms: Tensor | None = None
        self._sent: dict[str, tuple[Any, Tensor]] = {}
        self._weights_read: tuple[Any, int] | None = None
        self.refresh()

    # ---- points and weights -------------------------------------------------------------------

    def refresh(self) -> None:
        """Take up the points that `train_state` holds and the weights of the model.

        Raises:
            NonFiniteRowsError: if a residual is not finite.
            ValueError: if a term is no mean of squares, or a weight is out of range.
        """
        self._jacobian.forget()
        vectors = self._first_look()
        self.sizes = [vector.numel() for vector in vectors]
        self.names = derive_names(self.model.data, len(vectors))
        self._check_points()
        self.num_rows = sum(self.sizes) + self._decayed
        self.reweigh()
        self._check(vectors)

    def _first_look(self) -> list[Tensor]:
        """Return the residuals of each term at new points, without gradients."""
        rows = self.vectors()
        warn_of_graph(rows, self.model.net)
        return [vector.detach() for vector in rows]

    def weights_changed(self) -> bool:
        """Return whether the model's weights are others than those of the rows."""
        given = self.model.loss_weights
        if isinstance(given, Tensor) and self._weights_read is not None:
            # The same tensor, not written to since: to read it would wait for a device.
            seen, version = self._weights_read
            if given is seen and given._version == version:
                return False
        return self._given_weights() != self.weights

    def reweigh(self) -> None:
        """Take up the weights of the model."""
        self.weights = weights = self._given_weights()
        self.scales = [
            math.sqrt(weight / size) if size else 0.0
            for weight, size in zip(weights, self.sizes, strict=True)
        ]

    def _given_weights(self) -> list[float]:
        given = self.model.loss_weights
        with on_cpu():  # where a list would become a tensor of the default device first
            weights = weights_list(given, len(self.sizes), self.names)
        self._weights_read = (given, given._version) if isinstance(given, Tensor) else None
        return weights

    @property
    def curvatures(self) -> list[float | None]:
        """Of each term, the mean of `|d r / d theta|^2` over its residuals, without the weight.

        At the last linearisation; empty before one, None for a term of weight 0 at that time.
        """
        if self._norms is None:
            return []
        return [
            norm**2 / weight if weight > 0 else None
            for norm, weight in zip(self._norms.tolist(), self._weights_of_norms, strict=True)
        ]

    def balanced(self) -> list[float]:
        """Return weights `1 / sqrt(curvature)`, whatever they were, with the mean they had.

        The trace of `J^T J`, by terms, is what the damping of a Gauss-Newton step is measured by:
        a term with little of it is hardly seen until late. Full equality, as by the trace of the
        neural tangent kernel (Wang, Yu and Perdikaris 2022, eq. 6.5), was worse in trials: the
        square root is half way, by ratios, between it and equal weights.
        """
        inverse = [c**-0.5 if c else None for c in self.curvatures]
        wanted = [value for value in inverse if value is not None]
        if not wanted or not all(map(math.isfinite, wanted)):
            return self.weights
        moved = [w for w, value in zip(self.weights, inverse, strict=True) if value is not None]
        unit = sum(moved) / sum(wanted)
        return [
            weight if value is None else unit * value
            for weight, value in zip(self.weights, inverse, strict=True)
        ]

    def _check_points(self) -> None:
        """Refuse a term without residuals, whose mean of squares is NaN."""
        refuse_empty([name for name, size in zip(self.names, self.sizes, strict=True) if not size])

    def _check(self, vectors: Sequence[Tensor]) -> None:
        """Refuse residuals that are not finite, and losses that are not their mean squares."""
        for name, vector in zip(self.names, vectors, strict=True):
            bad = int((~vector.isfinite()).sum())
            if bad:
                raise NonFiniteRowsError(
                    f"The residuals must be finite to start from, got NaN or infinity in {bad} of "
                    f"{vector.numel()} rows of {name}."
                )
        self._compare(self._arrays(), vectors)

    def _arrays(self) -> tuple[Any, Any, Any]:
        """Return points, targets and auxiliary values."""
        state = self.model.train_state
        return state.X_train, state.y_train, state.train_aux_vars

    def _compare(self, arrays: Sequence[Any], vectors: Sequence[Tensor]) -> None:
        """Refuse a model whose own losses are not the mean squares of the rows at some points."""
        wanted = self.model.outputs_losses_train(*arrays)[1].detach().tolist()
        rows = [w * _mean_square(v) for w, v in zip(self.weights, vectors, strict=True)]
        tolerance = 1e-8 if vectors[0].dtype == torch.float64 else 1e-3
        for name, loss, own in zip(self.names, wanted, rows, strict=True):
            if math.isfinite(own) and not abs(loss - own) <= tolerance * abs(own) + 1e-30:
                raise ValueError(
                    f"Each loss term must be a mean of squared residuals, got {loss:.6g} for "
                    f"{name} and {own:.6g} as the mean of its squares: compile with loss='MSE', "
                    "and keep random numbers such as dropout out of network and equation."
                )

    # ---- the problem that the solver sees -----------------------------------------------------

    def vectors(self) -> list[Tensor]:
        """Return the residuals `[n]` or `[n, c]` of each term at the present parameters."""
        return self._evaluate(self._arrays(), self.model.data.losses_train)

    def _evaluate(
        self, arrays: Sequence[Any], terms: Callable[..., Any], part: str = ""
    ) -> list[Tensor]:
        """Return the residuals of terms at points, with their targets and auxiliary values."""
        model, net = self.model, self.model.net
        net.auxiliary_vars = self._on_device(f"aux{part}", arrays[2])
        net.train(mode=True)
        inputs = self._on_device(f"inputs{part}", arrays[0]).requires_grad_()
        targets = self._on_device(f"targets{part}", arrays[1])
        extra = [net] if dde.config.autodiff == "forward" else None
        try:
            outputs = net(inputs)
            losses = terms(targets, outputs, difference, inputs, model, aux=extra)
        finally:
            dde.gradients.clear()
        return [vector if vector.ndim else vector.reshape(1) for vector in as_list(losses)]

    def _on_device(self, name: str, values: Any) -> Any:
        """Return values where the network is, arrays as a new tensor; copied once a draw."""
        device = self.tensors[0].device
        if values is None or isinstance(values, Tensor) or device.type == "cpu":
            return None if values is None else torch.as_tensor(values, device=device)
        if name not in self._sent or self._sent[name][0] is not values:
            self._sent[name] = values, torch.as_tensor(values, device=device)
        return self._sent[name][1].detach()

    def residual(self, x: Tensor) -> Tensor:
        """Return the rows `[m]` at parameters `[n]`."""
        self.put(x)
        with self._frozen():
            vectors = self.vectors()
        return self._rows([vector.detach().reshape(-1) for vector in vectors], x)

    @contextlib.contextmanager
    def _frozen(self) -> Iterator[None]:
        """Spare the part of the graph that leads to the parameters."""
        for tensor in self.tensors:
            tensor.requires_grad_(False)
        try:
            yield
        finally:
            for tensor in self.tensors:
                tensor.requires_grad_(True)

    def linearize(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows `[m]` and their Jacobian `[m, n]`, which the next call overwrites."""
        self.put(x)
        if self._buffer is None or self._buffer.shape != (self.num_rows, len(x)):
            self._buffer = x.new_empty(self.num_rows, len(x))
        jacobian = self._buffer
        terms = sum(self.sizes)
        vectors = self._jacobian(self.scales, jacobian[:terms])
        norms = map(torch.linalg.vector_norm, jacobian[:terms].split(self.sizes))
        self._norms, self._weights_of_norms = torch.stack(list(norms)), self.weights
        if self._decayed:
            jacobian[terms:].zero_()
            jacobian[terms:].diagonal().fill_(self._decay)
        return self._rows(vectors, x), jacobian

    def products(
        self, x: Tensor
    ) -> tuple[Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
        """Return the rows `[m]` and functions for `J v` and `J^T w`, without forming J."""
        self.put(x)
        vectors = self.vectors()
        rows = torch.cat([s * v.reshape(-1) for s, v in zip(self.scales, vectors, strict=True)])
        multiplier = torch.zeros_like(rows).requires_grad_()
        # Linear in the multiplier: its derivative along v is J v.
        back = gradients_of(rows, self.tensors, multiplier, create_graph=True)

        def transposed(w: Tensor) -> Tensor:
            self.put(x)
            own = gradients_of(rows, self.tensors, w[: len(rows)])
            if self._decayed:
                own[: self._decayed] += self._decay * w[len(rows) :]
            return own

        def forward(v: Tensor) -> Tensor:
            self.put(x)
            (product,) = torch.autograd.grad(back, multiplier, v, retain_graph=True)
            return torch.cat((product, self._decay * v[: self._decayed]))

        return (
            self._rows([vector.detach().reshape(-1) for vector in vectors], x),
            forward,
            transposed,
        )

    def split(self, rows: Tensor) -> list[Tensor]:
        """Return the rows of each term, those of the regularisation left out."""
        return list(rows[: sum(self.sizes)].split(self.sizes))

    def measures(self, rows: Tensor) -> list[Tensor]:
        """Return the squared length `[]` of the rows of each term, its weighted loss."""
        return [part.square().sum() for part in self.split(rows)]

    def _rows(self, vectors: Sequence[Tensor], x: Tensor) -> Tensor:
        scaled = [scale * vector for scale, vector in zip(self.scales, vectors, strict=True)]
        return torch.cat((*scaled, self._decay * x[: self._decayed]))

    # ---- parameters as a vector ---------------------------------------------------------------

    def get(self) -> Tensor:
        """Return the present parameters as a vector `[n]`, a copy."""
        return flat_parameters(self.tensors)

    def put(self, x: Tensor) -> None:
        """Give the model the parameters `[n]`."""
        put_parameters(self.tensors, x)  # the graph of `products` puts x back for itself

    @property
    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(tensor.numel() for tensor in self.tensors)

    @property
    def fallback(self) -> str | None:
        """Why the Jacobian takes a backward pass a row, None where it does not."""
        return self._jacobian.fallback


def _mean_square(vector: Tensor) -> float:
    return (vector * vector).mean().item()


def gradients_of(
    rows: Tensor, leaves: Sequence[Tensor], seed: Tensor, create_graph: bool = False
) -> Tensor:
    """Return the gradient `[n]`, by all leaves, of rows times a seed."""
    gradients = torch.autograd.grad(
        rows,
        leaves,
        seed,
        create_graph=create_graph,
        retain_graph=True,
        materialize_grads=True,
        allow_unused=True,
    )
    return torch.cat([gradient.reshape(-1) for gradient in gradients])
