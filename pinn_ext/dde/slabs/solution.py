"""The networks of all slabs as one solution over all times, and its report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import deepxde as dde
import numpy as np
import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.dde.slabs.slab import Slab
from pinn_ext.slabs.kept_start import Levels

Operator = Callable[[Tensor, Tensor], Tensor]
"""Of points and times `[M, D]` and the fields there, as the function of an equation."""

_SLACK = 1e-6  # of the length of all slabs: times that went through float32


class SlabSolution:
    """What `pinn_ext.march` returns.

    Attributes:
        slabs: those that are trained, in time.
        models: their `dde.Model`, in the same order.
        edges: times between the slabs that were asked for, both ends included.
        rows: one mapping for each slab, those whose training failed as well: `slab`, `lower`,
            `upper`, `steps`, `loss` (weighted, of training; or None), `start_loss` (the same of the
            start, carried on unchanged, at the test points), `errors` (relative L2, one a field; or
            None), `seconds` of training, `start_sets` (how many sets of points the start was
            computed for), `start_seconds` (in computing it), `end` (why the training ended).

    Example:
        >>> import deepxde as dde
        >>> import torch
        >>> import pinn_ext
        >>> def build(slab):  # u_t = -u, from 1
        ...     times = dde.geometry.TimeDomain(slab.lower, slab.upper)
        ...     data = dde.data.PDE(times, lambda t, u: dde.grad.jacobian(u, t) + u, [], 12)
        ...     net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        ...     net.apply_output_transform(slab.transform)
        ...     model = dde.Model(data, net)
        ...     model.compile("adam", lr=1e-2, verbose=0)
        ...     return model
        >>> found = pinn_ext.march(build, [0.0, 0.5, 1.0], torch.ones_like, iterations=2, verbose=0)
        >>> found.complete, found.reached, [row["steps"] for row in found.rows]
        (True, 1.0, [2, 2])
        >>> found.predict([[0.0]]).tolist()  # the start is exact, whatever the training
        [[1.0]]
        >>> len(found.table().splitlines())  # a heading and a line a slab
        3
    """

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = list(edges)
        self.slabs: list[Slab] = []
        self.models: list[Any] = []
        self.rows: list[dict[str, Any]] = []

    @property
    def reached(self) -> float:
        """The time up to which there is a solution."""
        return self.slabs[-1].upper if self.slabs else self.edges[0]

    @property
    def complete(self) -> bool:
        """Whether all slabs are trained."""
        return len(self.slabs) == len(self.edges) - 1

    def add(self, slab: Slab, model: Any, row: dict[str, Any]) -> None:
        """Take up a slab that is trained."""
        slab.finish(model)
        self.slabs.append(slab)
        self.models.append(model)
        self.rows.append(row)

    def predict(self, x: Any, operator: Operator | None = None) -> np.ndarray:
        """Return the fields at any points and times, as `dde.Model.predict`.

        The start of each slab is evaluated once for each position, whatever the number of times at
        which it is asked for: `slabs * positions + points` evaluations of a network in all.

        Args:
            x: points and times `[M, D]`, the time last, in any order.
            operator: `operator(inputs, outputs)` of derivatives by `dde.grad`, such as the function
                of the equation; None for the outputs.

        Returns:
            `[M, K]`.

        Raises:
            ArgumentError: if `x` has another shape, or a time is in no slab that is trained.
        """
        points, numbers = self._checked(x)
        device = next(self.models[0].net.parameters()).device
        unique, rows_of = _positions(points)
        places = torch.as_tensor(unique, device=device)
        start: list[Levels] = []
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for number, slab in enumerate(self.slabs[: numbers.max(initial=0) + 1]):
            order = 0 if operator is None else slab.kept.order
            former = self.slabs[number - 1] if number else None
            start = _start(slab, places, order, former, start)
            rows = np.flatnonzero(numbers == number)
            if len(rows) or not len(points):
                index = torch.as_tensor(rows_of[rows], device=device)
                inputs = torch.as_tensor(points[rows], device=device)
                own = [tuple(level[index] for level in levels) for levels in start]
                with slab.starting_from(inputs[:, :-1], own):
                    parts.append((rows, evaluate(self.models[number].net, inputs, operator)))
        result = np.empty((len(points), *parts[0][1].shape[1:]), dtype=parts[0][1].dtype)
        for rows, values in parts:
            result[rows] = values
        return result

    def table(self) -> str:
        """Return the report as text, a line a slab."""
        head = ["slab", "times", "steps", "loss", "relative L2 errors", "seconds", "end"]
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _checked(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the points in DeepXDE's float type, and the number of the slab of each."""
        if not self.slabs:
            raise ArgumentError("x", "have times of a trained slab, but none is trained", "points")
        if isinstance(x, Tensor):
            x = x.detach().cpu()
        points = np.asarray(x, dtype=dde.config.real(np))
        width = self.models[0].data.test()[0].shape[1]
        if points.ndim != 2 or points.shape[1] != width:
            wanted = f"be points and times of shape [M, {width}]"
            raise ArgumentError("x", wanted, f"shape {list(points.shape)}")
        times, first, last = points[:, -1].astype(float), self.edges[0], self.reached
        slack = _SLACK * (last - first)
        outside = ~((times >= first - slack) & (times <= last + slack))
        if outside.any():
            wanted = f"have times in [{first:g}, {last:g}], which is trained"
            raise ArgumentError("x", wanted, f"{times[outside][0]:g}")
        inner = [slab.upper for slab in self.slabs[:-1]]
        return points, np.searchsorted(np.array(inner, dtype=float), times, side="left")


def _positions(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions `[U, d]` that points `[M, d + 1]` have, and the number of each's."""
    if points.shape[1] == 1:  # of an ordinary differential equation there are none
        return points[:1, :0], np.zeros(len(points), dtype=np.int64)
    unique, rows_of = np.unique(points[:, :-1], axis=0, return_inverse=True)
    return unique, rows_of.reshape(-1)


def _start(
    slab: Slab, places: Tensor, order: int, former: Slab | None, levels: list[Levels]
) -> list[Levels]:
    """Return the start of a slab at some positions, given that of the former slab."""
    with contextlib.ExitStack() as stack:
        if former is not None:
            stack.enter_context(former.starting_from(places, levels))
        return [kept.levels(places, order)[: order + 1] for kept in slab.all_kept]


def evaluate(net: torch.nn.Module, inputs: Tensor, operator: Operator | None = None) -> np.ndarray:
    """Return the outputs of a network, or what an operator makes of them.

    Args:
        net: of a slab.
        inputs: points and times `[M, D]`.
        operator: as in `SlabSolution.predict`.

    Returns:
        `[M, K]`.
    """
    net.eval()
    if operator is None:
        with torch.no_grad():
            values = net(inputs)
    else:
        inputs.requires_grad_()
        try:
            with torch.enable_grad():
                values = operator(inputs, net(inputs))
        finally:
            dde.gradients.clear()
        if isinstance(values, (list, tuple)):
            values = torch.cat(list(values), dim=1)
    return values.detach().cpu().numpy()


def _cells(row: dict[str, Any]) -> list[str]:
    errors = row["errors"]
    return [
        str(row["slab"]),
        f"{row['lower']:g} to {row['upper']:g}",
        str(row["steps"]),
        "" if row["loss"] is None else f"{row['loss']:.2e}",
        "" if errors is None else ", ".join(f"{error:.2e}" for error in errors),
        f"{row['seconds']:.1f}",
        row["end"],
    ]
