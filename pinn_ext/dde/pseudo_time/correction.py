"""The term of pseudo-time: what is added to residuals, and where DeepXDE gets to see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import deepxde as dde
import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError
from pinn_ext.dde.model.loss_terms import as_list, difference
from pinn_ext.dde.model.row_points import time_span
from pinn_ext.dde.pseudo_time.step_rule import Change, StepRule
from pinn_ext.dde.weighting.point_weights import Heard, listening
from pinn_ext.dde.weighting.stand_in import StandIn
from solvers.devices import read


@dataclass(frozen=True)
class Settings:
    """What the user has asked for; None stands for what the equations say.

    Attributes:
        fields: output of the network for each equation, None for an equation without.
        sign: of each equation, or of all.
        tau: step of each equation, or of all; None for the rule.
        smoothing: factor of the Laplacian of each equation, or of all; None without.
    """

    fields: list[int | None] | None
    sign: list[int] | int
    tau: list[float] | float | None
    smoothing: list[float] | float | None


@dataclass(frozen=True)
class Pair:
    """An equation and the output of the network that it is about."""

    equation: int
    field: int
    sign: int
    smoothing: float


class Correction:
    """Adds the term of pseudo-time to the residuals of the equations.

    `sign ((u - u_prev) / tau - smoothing (lap u - lap u_prev))`, where u_prev is the network with
    the parameters of one step ago, a constant.

    Args:
        settings: of the user.
        model: a compiled DeepXDE model with an equation.

    Attributes:
        pairs: equations with their fields, empty before the first evaluation.
        rule: the steps, None before the first evaluation.
        due: whether the next evaluation is to be looked at.
        changes: what the last look has seen, one an equation; None after it has been taken.
    """

    def __init__(self, settings: Settings, model: Any) -> None:
        self.settings, self.model = settings, model
        self.pairs: list[Pair] = []
        self.rule: StepRule | None = None
        self.due = False
        self.changes: list[Change | None] | None = None
        self._before: dict[str, Tensor] | None = None
        self._present: dict[str, Tensor] | None = None
        self._first: list[Tensor] | None = None
        self._saved: dict[str, Any] = {}  # of a rule that is not there yet

    @property
    def inverse(self) -> list[float]:
        """1 / tau of each equation, empty before the first evaluation of the first training."""
        saved: list[float] = self._saved.get("rule", {}).get("inverse", [])
        return saved if self.rule is None else self.rule.inverse

    # ---- the parameters of one step ago -------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return what an exact continuation needs between two steps; empty before the first."""
        if self.rule is None or self._first is None:
            return dict(self._saved)  # nothing has been evaluated since it was loaded
        return {
            "rule": self.rule.state_dict(),
            "first": [value.detach().cpu().clone() for value in self._first],
            "before": {name: value.cpu() for name, value in (self._before or {}).items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, once it was checked, with the same model."""
        self._saved = dict(state)
        if not state:
            return
        like = dict(self.model.net.named_parameters())
        self._first = list(state["first"])
        before = {name: value.to(like[name]) for name, value in state["before"].items()}
        self._before = before or None

    def forget(self) -> None:
        """Have no step ago: the coming step is the first of a training."""
        self._before = self._present = None

    def begin_step(self) -> None:
        """Keep the parameters that a step starts from."""
        named = self.model.net.named_parameters()
        self._present = {name: parameter.detach().clone() for name, parameter in named}

    def end_step(self) -> None:
        """Let what the step started from be the parameters of one step ago."""
        self._before, self._present = self._present, None

    # ---- in a step ----------------------------------------------------------------------------

    def __call__(
        self, losses: Sequence[Any], heard: Sequence[Heard], outputs: Tensor, inputs: Tensor
    ) -> tuple[list[Any], list[Heard]]:
        """Return the loss terms to train and the calls that gave them.

        Args:
            losses: of all terms, equations first, as they are.
            heard: the calls of the loss functions that gave them.
            outputs: of the network at the inputs `[N, c]`.
            inputs: points of conditions, then those of the equations `[N, d]`.

        Returns:
            The same but for the equations with a field.

        Raises:
            ValueError: if the equations do not fit what the user has said of them.
        """
        if self.rule is None:
            self._pair(heard, outputs, len(losses))
        if self._first is None:
            self._first = [call.value.detach().square().mean() for call in heard]
        elif self._first[0].device != outputs.device:  # out of a saved state
            self._first = [value.to(outputs.device) for value in self._first]
        new, calls = list(losses), list(heard)
        if self._before is None or self.rule is None:
            return new, calls
        start = self._start
        at, before = self._outputs_before(inputs)
        for pair in self.pairs:
            i, j = pair.equation, slice(pair.field, pair.field + 1)
            shift = self.rule.inverse[i] * (outputs[start:, j] - before[start:, j].detach())
            if pair.smoothing:
                own = self._laplacian(outputs, inputs, pair.field)
                other = self._laplacian(before, at, pair.field).detach()
                shift = shift - pair.smoothing * (own - other)[start:]
            call = heard[i]
            value = call.value + pair.sign * shift.reshape(call.value.shape)
            calls[i] = call._replace(value=value)
            new[i] = call.function(call.target, value)
        if self.due:
            self.due, self.changes = False, self._look(heard, outputs, at, before)
        return new, calls

    @property
    def _start(self) -> int:
        """Where the points of the equations begin."""
        return sum(self.model.data.num_bcs)

    def _outputs_before(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs as leaves and the outputs there of the network of one step ago."""
        net = self.model.net
        # Copies of buffers: a normalisation layer would count the batch twice.
        state = dict(self._before or {})
        state |= {name: buffer.clone() for name, buffer in net.named_buffers()}
        derived = self.due or any(pair.smoothing for pair in self.pairs)
        at = inputs.detach().requires_grad_(derived)
        with torch.set_grad_enabled(derived):
            return at, torch.func.functional_call(net, state, (at,))

    def _laplacian(self, outputs: Tensor, inputs: Tensor, field: int) -> Tensor:
        """Return the Laplacian of an output in space `[N, 1]`, sharing what DeepXDE has of it."""
        axes = inputs.shape[1] - (time_span(self.model.data) is not None)
        second = [
            dde.grad.hessian(outputs, inputs, component=field, i=axis, j=axis)
            for axis in range(axes)
        ]
        return sum(second[1:], start=second[0])

    # ---- looking at what steps change ---------------------------------------------------------

    def _look(
        self, heard: Sequence[Heard], outputs: Tensor, at: Tensor, before: Tensor
    ) -> list[Change | None]:
        """Return what the last step has changed, measured at the present points."""
        data, start = self.model.data, self._start
        # The class's own method: the instance's has a stand-in.
        old = type(data).losses_train(data, None, before, difference, at, self.model)
        first = self._first or []
        numbers: list[Tensor] = []
        for pair in self.pairs:
            i, j = pair.equation, pair.field
            residual = heard[i].value.detach()
            moved = (residual - old[i].detach()).reshape(-1)
            change = (outputs[start:, j] - before[start:, j]).detach()
            numbers += [moved.norm(), change.norm(), pair.sign * (moved * change).sum()]
            numbers += [first[i], residual.square().mean()]
        values = read(*numbers)
        found: list[Change | None] = [None] * len(self.rule.inverse if self.rule else [])
        for number, pair in enumerate(self.pairs):
            found[pair.equation] = Change(*values[5 * number : 5 * number + 5])
        return found

    # ---- which equation is about which field --------------------------------------------------

    def _pair(self, heard: Sequence[Heard], outputs: Tensor, num_terms: int) -> None:
        """Find the pairs, once the equations are there to be counted."""
        data, settings = self.model.data, self.settings
        count, width = num_terms - len(data.bcs), outputs.shape[1]
        if len(heard) != num_terms:
            raise ValueError(
                "PseudoTime must have one call of the loss function for each term, got "
                f"{len(heard)} calls for {num_terms} terms of {type(data).__name__}."
            )
        points = len(outputs) - self._start
        for call in heard[:count]:
            if call.value.numel() != points:
                raise ValueError(
                    f"PseudoTime must have one residual for each of the {points} points of an "
                    f"equation, got {call.value.numel()}."
                )
        fields = settings.fields
        if fields is None and count != width:
            wanted = f"name an output of the network, or None, for each of {count} equations"
            raise ArgumentError("fields", wanted, f"none for a network of {width} outputs")
        fields = list(range(count)) if fields is None else fields
        _check_length("fields", fields, count)
        for field in fields:
            if field is not None and not 0 <= field < width:
                raise ArgumentError("fields", f"be from 0 to {width - 1}, or None", field)
        signs = spread("sign", settings.sign, count)
        smoothings = spread("smoothing", settings.smoothing or 0.0, count)
        self.pairs = [
            Pair(i, field, signs[i], smoothings[i])
            for i, field in enumerate(fields)
            if field is not None
        ]
        self.rule = StepRule(spread("tau", settings.tau, count))
        if self._saved:
            self.rule.load_state_dict(self._saved["rule"])
            self._saved = {}


def spread(name: str, value: Any, count: int) -> list[Any]:
    """Return what was said of each equation, or the same for all.

    Args:
        name: of the argument.
        value: a list, or what holds for all.
        count: number of equations.

    Returns:
        One entry an equation.

    Raises:
        ArgumentError: if it is a list of another length.
    """
    if not isinstance(value, list):
        return [value] * count
    _check_length(name, value, count)
    return value


def _check_length(name: str, values: Sequence[Any], count: int) -> None:
    if len(values) != count:
        equations = f"{count} equation{'s' * (count != 1)}"
        raise ArgumentError(name, f"hold one entry for each of {equations}", len(values))


class CorrectedLosses(StandIn):
    """Stands in for `data.losses_train` where no recorder of `AdaptiveWeights` does.

    Tests, whose parameters require no gradient, and residual vectors are handed through.

    Args:
        correct: as `LossRecorder.correction`.
        data: the model's data.
        parameters: of the network.
        present: whether the callback is still among those of the model.
    """

    def __init__(
        self,
        correct: Callable[..., tuple[list[Any], list[Heard]]],
        data: Any,
        parameters: Sequence[Tensor],
        present: Callable[[], bool],
    ) -> None:
        self._correct, self._present = correct, present
        self._parameters = list(parameters)
        super().__init__(data)

    def __call__(
        self, targets: Any, outputs: Any, loss_fn: Any, inputs: Any, model: Any, aux: Any = None
    ) -> Any:
        """Return the loss terms to train, or to test, as the data computes them."""
        trains = any(parameter.requires_grad for parameter in self._parameters)
        if not self._present():
            self.remove()  # left behind by an exception
            trains = False
        if not trains or loss_fn is difference:
            return self._original(targets, outputs, loss_fn, inputs, model, aux=aux)
        heard: list[Heard] = []
        functions = listening(loss_fn, heard)
        losses = as_list(self._original(targets, outputs, functions, inputs, model, aux=aux))
        return self._correct(losses, heard, outputs, inputs)[0]
