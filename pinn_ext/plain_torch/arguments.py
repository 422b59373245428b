"""What an aggregator's call is given: losses by name, and the number of the step."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.checks import check_names, check_number

_SAME_STEP = 1000  # calls with one step after which a user hears that it stands still


def stacked_losses(losses: Any, names: Sequence[str]) -> Tensor:
    """Return loss terms in the order of their names.

    Args:
        losses: what the user gave, tensors of shape `[]` by name.
        names: of the `k` terms.

    Returns:
        The losses `[k]` with their graph.

    Raises:
        ValueError: if a name is missing or unknown, or a loss is not one number.
    """
    if not isinstance(losses, Mapping):
        kind = type(losses).__name__
        raise ValueError(f"`losses` must map each name to a tensor, got a {kind}.")
    check_names("`losses`", names, losses)
    for name in names:
        loss = losses[name]
        if not isinstance(loss, Tensor) or loss.ndim:
            found = list(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(
                f"`losses[{name!r}]` must be a tensor of one number (shape []), got {found}."
            )
    return torch.stack([losses[name] for name in names])


def kernel_rows(
    residuals: Mapping[str, Tensor] | None, names: Sequence[str], strategy: str
) -> list[Tensor]:
    """Return the residuals of loss terms in the order of their names.

    Args:
        residuals: what the user gave, tensors by name.
        names: of the `k` terms.
        strategy: that reads the tangent kernel.

    Returns:
        One tensor a term.

    Raises:
        ValueError: if there are none, or a name is missing or unknown.
    """
    if residuals is None:
        raise ValueError(
            f"`residuals` must be given for strategy {strategy!r}, which reads the tangent kernel, "
            "got none: aggregator(losses, step, residuals)."
        )
    check_names("`residuals`", names, residuals)
    return [residuals[name] for name in names]


def checked_length(total_steps: Any, period: int, manager: AdaptiveLossWeights) -> int | None:
    """Return the length of a training if it is one, or is not needed; warn if it is too short.

    Args:
        total_steps: what the user gave.
        period: steps between two updates.
        manager: of the weights.

    Raises:
        ValueError: if it is no whole number, or the strategy plans by a length that is missing.
    """
    if total_steps is not None:
        check_number("total_steps", total_steps, 1, integer=True)
        why = manager.settings.unreachable(total_steps // period)
        if why is not None:
            text = f"In a training of {total_steps} steps {why}."
            warnings.warn(text, RuntimeWarning, stacklevel=3)
    elif manager.method.needs_length:
        raise ValueError(
            f"`total_steps` must be given for strategy {manager.strategy!r} with stages that end "
            "by until_fraction, got None."
        )
    return total_steps


def check_left_out(strategy: str, **given: Any) -> None:
    """Refuse what only strategies that weigh points take.

    Args:
        strategy: name of one that weighs terms.
        **given: by name what the user gave, None where nothing was given.

    Raises:
        ValueError: if something was given.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"`{name}` must be left out for strategy {strategy!r}, which weighs loss terms, "
                f"got a {type(value).__name__}."
            )


class StepCounter:
    """Tells the first call of a step from further ones.

    Attributes:
        last: the step counted last, None before the first.
    """

    def __init__(self) -> None:
        self.last: int | None = None
        self._repeats = 0

    def is_new(self, step: Any) -> bool:
        """Return whether no call has been made with this step or a later one.

        Args:
            step: what the user gave.

        Returns:
            Whether it is to be counted, by setting `last`.

        Raises:
            ValueError: if it is no whole number, or has fallen.
        """
        check_number("step", step, integer=True)
        if self.last is None or step > self.last:
            self._repeats = 0
            return True
        if step < self.last:
            raise ValueError(
                f"`step` must not fall from call to call, got {step} after {self.last}."
            )
        self._repeats += 1
        if self._repeats == _SAME_STEP:
            warnings.warn(
                f"`step` has been {step} in {_SAME_STEP} calls, and weights only move when it "
                "grows: count the steps of the optimiser.",
                RuntimeWarning,
                stacklevel=4,
            )
        return False
