"""How long the training under way is going to be."""

from __future__ import annotations

from typing import Any


class TrainingLength:
    """Reads the number of iterations where `model.train()` passes it on to its loop.

    DeepXDE does not tell callbacks of it. The stand-in for the loop takes itself off when it is
    called, or by `remove`.

    Args:
        model: a compiled DeepXDE model at the start of `train()`.

    Attributes:
        total: the step at which the training will end, None where it is not known (yet).
    """

    def __init__(self, model: Any) -> None:
        self.total: int | None = None
        self._model = model
        self._loop = model._train_sgd
        model._train_sgd = self

    def __call__(self, iterations: Any, *args: Any, **kwargs: Any) -> Any:
        """Note the number of iterations and run DeepXDE's own loop."""
        self.remove()
        if isinstance(iterations, int):
            self.total = self._model.train_state.step + iterations
        return self._loop(iterations, *args, **kwargs)

    def remove(self) -> None:
        """Put DeepXDE's own loop back; harmless if that was done before."""
        if vars(self._model).get("_train_sgd") is self:
            del self._model._train_sgd

    def progress(self) -> float | None:
        """Return which part of the training is over, None where its length is not known."""
        if not self.total:
            return None
        return min(self._model.train_state.step / self.total, 1.0)
