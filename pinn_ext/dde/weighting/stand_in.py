"""What takes the place of `data.losses_train` for the length of a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class StandIn:
    """Stands in for `data.losses_train` on the instance of a model's data.

    DeepXDE looks `losses_train` up at every call, so it survives resampling and compiling again.
    One of the same kind that an exception has left behind is taken off first.

    Args:
        data: the model's data.

    Attributes:
        data: as given.
    """

    def __init__(self, data: Any) -> None:
        self.data = data
        previous = vars(data).get("losses_train")
        if isinstance(previous, type(self)):
            previous.remove()
        self._shadowed = vars(data).get("losses_train")
        self._original: Callable[..., Any] = data.losses_train
        data.losses_train = self

    def remove(self) -> None:
        """Put the data's own method back; harmless if that was done before."""
        if vars(self.data).get("losses_train") is self:
            if self._shadowed is None:
                del self.data.losses_train
            else:
                self.data.losses_train = self._shadowed
