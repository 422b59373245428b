"""What the data of a model may say of itself, beside what DeepXDE asks of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class DescribedData(Protocol):
    """Data that knows more of itself than can be read off DeepXDE's own classes.

    Each member has a default, which means: not known, or as in DeepXDE. Data of your own may
    derive from this class, or simply have the members that it knows about.

    Example:
        >>> import deepxde as dde
        >>> class Measured(dde.data.PDE, DescribedData):
        ...     def condition_terms(self):
        ...         return [1]  # the second residual is data in the guise of an equation
        >>> line = dde.geometry.Interval(0, 1)
        >>> data = Measured(line, lambda x, y: [y, y - 1], [], 8)
        >>> data.condition_terms(), data.time_span()
        ([1], None)
        >>> data.term_field_scales(), data.equation_blocks(), data.independent_blocks()
        (None, None, 1)
        >>> data.row_points(0, data.train_x), data.position()
        (None, None)
        >>> data.go_to(3)  # of no effect where batches have no numbers
    """

    points_return: bool = False
    """Whether points that a batch has left out come back later, as in epochs of mini-batches."""

    held_out_losses: Callable[[Any], list[float]] | None = None
    """Measures the raw losses `[k]` of a model where it is not trained; None: points are drawn."""

    def condition_terms(self) -> list[int] | None:
        """Return the indices of the terms that are conditions or data rather than equations."""
        return None

    def term_field_scales(self) -> list[float] | None:
        """Return the size of the field of each term `[k]`, in the units of the root of its loss."""
        return None

    def equation_blocks(self) -> list[list[int]] | None:
        """Return the indices of the equations, those at the same points together."""
        return None

    def independent_blocks(self) -> int:
        """Return into how many parts without common points the rows of each term fall."""
        return 1

    def row_points(self, term: int, inputs: Any) -> Tensor | None:
        """Return the point `[n, d]` that each row of a term belongs to."""
        return None

    def time_span(self) -> tuple[float, float] | None:
        """Return the first and last time of a problem whose last input is time."""
        return None

    def position(self) -> int | None:
        """Return the number of the coming batch, where the batches follow from their number."""
        return None

    def go_to(self, position: int) -> None:
        """Serve the batches from the one with that number on, where they have numbers."""
        return None


_MEMBERS = tuple(name for name in vars(DescribedData) if not name.startswith("_"))


class _Foreign(DescribedData):
    """Data of another class: the members that it has, and defaults for the others."""

    def __init__(self, data: Any) -> None:
        for name in _MEMBERS:
            if hasattr(data, name):
                setattr(self, name, getattr(data, name))
        if hasattr(data, "unseen_losses"):
            warnings.warn(
                f"{type(data).__name__}.unseen_losses is now called held_out_losses.",
                DeprecationWarning,
                stacklevel=3,
            )
            self.held_out_losses = data.unseen_losses


def described(data: Any) -> DescribedData:
    """Return what a model's data says of itself.

    Args:
        data: of any class.

    Returns:
        The data, or a view of it where its class does not have all members.
    """
    return data if isinstance(data, DescribedData) else _Foreign(data)
