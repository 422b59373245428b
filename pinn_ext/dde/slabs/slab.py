"""One slab of time: what a builder is given to make a model of it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.dde.slabs.saver import Saver
from pinn_ext.slabs.kept_start import KeptStart, Levels

Function = Callable[[Tensor], Tensor]
"""Of points and times `[N, D]`, the time last, to values `[N, F]`."""

Projection = Callable[[Function], Function]
"""Of the end of a slab, positions `[N, d]` to values `[N, F]`, to what the next one starts from."""


class Slab:
    """A stretch of time with a network of its own, which starts where the former one ends.

    Made by `pinn_ext.march`, which gives it to the builder of models and to the training function.

    Attributes:
        number: of the slab, from 0.
        count: how many slabs there are.
        lower: time at which it starts.
        upper: time at which it ends.
        done: steps that were made before an interruption, whose state the model has; 0 otherwise.
        saved: what the training function had given to `save` then; None otherwise.

    Example:
        >>> import deepxde as dde
        >>> import pinn_ext
        >>> def build(slab):
        ...     print(f"slab {slab.number + 1} of {slab.count}: {slab.lower} to {slab.upper}")
        ...     times = dde.geometry.TimeDomain(slab.lower, slab.upper)
        ...     data = dde.data.PDE(times, lambda t, u: dde.grad.jacobian(u, t) + u, [], 12)
        ...     net = dde.nn.FNN([1, 6, 1], "tanh", "Glorot normal")
        ...     net.apply_output_transform(slab.transform)
        ...     model = dde.Model(data, net)
        ...     model.compile("adam", lr=1e-2, verbose=0)
        ...     return model
        >>> starts = {"initial": torch.ones_like, "initial_rate": torch.zeros_like}
        >>> found = pinn_ext.march(build, [0.0, 1.0, 3.0], **starts, iterations=2, verbose=0)
        slab 1 of 2: 0.0 to 1.0
        slab 2 of 2: 1.0 to 3.0
        >>> slab, t = found.slabs[0], torch.tensor([[0.0], [0.25]])
        >>> slab.start(t).tolist(), slab.start_rate(t).tolist(), slab.ramp(t).tolist()
        ([[1.0], [1.0]], [[0.0], [0.0]], [[0.0], [0.25]])
        >>> slab.save(found.models[0])  # in a training function; here there is no folder
        >>> callbacks = [slab.saver(every=1000)]  # does so while it trains
    """

    def __init__(
        self,
        number: int,
        edges: tuple[float, ...],
        former: Slab | None,
        initial: Function,
        initial_rate: Function | None,
        order: int,
        project: Projection | None = None,
    ) -> None:
        self.number, self.count = number, len(edges) - 1
        self.lower, self.upper = edges[number], edges[number + 1]
        self.done = 0
        self.saved: Any = None
        self._net: Any = None
        self._converted: Any = None
        self._keep: Callable[[Slab, Any, Any], None] | None = None
        if former is None:
            start = self._given("initial", initial)
            rate = initial_rate and self._given("initial_rate", initial_rate)
        else:
            start, rate = former._end, initial_rate and former._end_rate
            if project is not None:
                start, rate = _projected(project, start), rate and _projected(project, rate)
        beyond = (
            f"The start of a slab has derivatives up to order={order} only, and the equation takes "
            "a higher one: say so by the argument `order` of pinn_ext.march."
        )
        self.kept = KeptStart(start, order, beyond)
        self.kept_rate = None if rate is None else KeptStart(rate, order, beyond)
        self.fields: int | None = None if former is None else former.fields

    def __deepcopy__(self, memo: Any) -> Slab:
        """Return the slab itself, which copies of a network share."""
        return self

    def start(self, x: Tensor) -> Tensor:
        """Return the fields at the start of the slab, where the former slab ends.

        Args:
            x: points and times `[N, D]`, the time last, which is not looked at.

        Returns:
            `[N, F]`, as many columns as `initial` has; differentiable in the points up to the
            `order` that `march` was given, not in time, on which it does not depend. At the points
            of a training it is computed once.
        """
        return self.kept(x[:, :-1])

    def start_rate(self, x: Tensor) -> Tensor:
        """Return the time derivatives of the fields at the start, for equations with `u_tt`.

        Args:
            x: points and times `[N, D]`, the time last, which is not looked at.

        Returns:
            `[N, F]`, as `start`.

        Raises:
            ArgumentError: if `march` was not given an `initial_rate`.
        """
        if self.kept_rate is None:
            wanted = "be a function of x where a builder asks for slab.start_rate"
            raise ArgumentError("initial_rate", wanted, "None")
        return self.kept_rate(x[:, :-1])

    def ramp(self, x: Tensor) -> Tensor:
        """Return the part of the slab that has passed `[N, 1]`, 0 at its start and 1 at its end."""
        return (x[:, -1:] - self.lower) / (self.upper - self.lower)

    def transform(self, x: Tensor, y: Tensor) -> Tensor:
        """Return `start + ramp * y`, for `net.apply_output_transform(slab.transform)`.

        Args:
            x: points and times `[N, D]`.
            y: outputs of the network `[N, K]`.

        Returns:
            `[N, K]`; outputs beyond the columns of `initial`, such as a pressure, as they came.

        Raises:
            ArgumentError: if there are fewer outputs than columns of `initial`.
        """
        start = self.start(x)
        width = start.shape[1]
        if y.shape[1] < width:  # torch would repeat one output for all fields
            wanted = f"return networks with an output for each of the {width} fields of `initial`"
            raise ArgumentError("builder", wanted, y.shape[1])
        fields = start + self.ramp(x) * y[:, :width]
        return fields if y.shape[1] == width else torch.cat((fields, y[:, width:]), dim=1)

    def save(self, model: Any, state: Any = None) -> None:
        """Write the model in the middle of its training, for a resumed `march` to go on from.

        Args:
            model: of this slab, between two steps.
            state: what else the training function needs, tensors, numbers, text, lists and
                mappings of them; it comes back as `saved`. Nothing is written without a folder.
        """
        if self._keep is not None:
            self._keep(self, model, state)

    def saver(self, every: int) -> Any:
        """Return a DeepXDE callback that calls `save` at regular steps.

        Args:
            every: steps between two times; a multiple of the periods of other callbacks, such as
                `PDEPointResampler`, which count from 0 again after an interruption. Put it last.

        Returns:
            The callback.
        """
        return Saver(self, check_number("every", every, 1, integer=True))

    # ---- what becomes of it -------------------------------------------------------------------

    def keep_with(self, function: Callable[[Slab, Any, Any], None]) -> None:
        """Let `save` hand the slab, its model and the state over to a function."""
        self._keep = function

    @property
    def all_kept(self) -> list[KeptStart]:
        """The start, and its rates if there are any."""
        return [kept for kept in (self.kept, self.kept_rate) if kept is not None]

    @contextlib.contextmanager
    def starting_from(self, positions: Tensor, levels: list[Levels]) -> Iterator[None]:
        """Take the start at some positions as given, for the length of a block.

        Args:
            positions: `[N, d]`.
            levels: one entry for each of `all_kept`.

        Yields:
            Nothing.
        """
        with contextlib.ExitStack() as stack:
            for kept, given in zip(self.all_kept, levels, strict=True):
                stack.enter_context(kept.given(positions, given))
            yield

    def finish(self, model: Any) -> None:
        """Take up the trained model, whose end the next slab starts from."""
        self._net = model.net
        model.net.eval()
        model.net.requires_grad_(False)
        for kept in self.all_kept:
            kept.close()

    def forget(self) -> None:
        """Give back the memory of kept values."""
        for kept in self.all_kept:
            kept.forget()

    def _given(self, name: str, function: Function) -> Function:
        """Return a user's function of points and times as one of positions at the start."""
        return _checked(name, lambda positions: function(_with_time(positions, self.lower)))

    def _end(self, positions: Tensor) -> Tensor:
        """Return the fields `[N, F]` at the end of the slab, at positions `[N, d]`."""
        net = self._net_in(positions.dtype)
        return net(_with_time(positions, self.upper))[:, : self.fields]

    def _net_in(self, dtype: torch.dtype) -> Any:
        """Return the network in a float type: a later slab may be trained in another one."""
        if next(self._net.parameters()).dtype == dtype:
            return self._net
        if self._converted is None or next(self._converted.parameters()).dtype != dtype:
            self._converted = copy.deepcopy(self._net).to(dtype)
        return self._converted

    def _end_rate(self, positions: Tensor) -> Tensor:
        """Return the time derivatives `[N, F]` at the end of the slab."""
        with torch.enable_grad(), contextlib.ExitStack() as stack:
            for kept in self.all_kept:
                stack.enter_context(kept.seen_from(positions))
            times = positions.new_full((len(positions), 1), self.upper).requires_grad_()
            net = self._net_in(positions.dtype)
            fields = net(torch.cat((positions, times), dim=1))[:, : self.fields]
            rates = [
                torch.autograd.grad(field.sum(), times, create_graph=True, materialize_grads=True)[
                    0
                ]
                for field in fields.unbind(1)
            ]
            return torch.cat(rates, dim=1)


def _projected(project: Projection, end: Function) -> Function:
    """Return what a user's function makes of the end of a slab, once and for all."""
    with torch.no_grad():
        start = project(end)
    if not callable(start):
        wanted = "return a function of positions, the start of the next slab"
        raise ArgumentError("project", wanted, type(start).__name__)

    return _checked("project", start)


def _checked(name: str, function: Function) -> Function:
    """Return a function of positions whose values are looked at each time."""

    def checked(positions: Tensor) -> Tensor:
        values = function(positions)
        _check_rows(name, values, len(positions))
        return values

    return checked


def _with_time(positions: Tensor, time: float) -> Tensor:
    """Return points `[N, d]` at one time `[N, d + 1]`."""
    return torch.cat((positions, positions.new_full((len(positions), 1), time)), dim=1)


def _check_rows(name: str, values: Any, points: int) -> None:
    """Refuse what a user's function returned if it is no row for each point."""
    if not isinstance(values, Tensor) or values.ndim != 2 or len(values) != points:
        got = f"shape {list(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
        raise ArgumentError(name, f"return torch values of shape [{points}, fields]", got)
    if not values.isfinite().all():
        raise ArgumentError(name, "return finite values", "NaN or infinity")
