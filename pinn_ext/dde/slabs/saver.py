"""The callback that saves a slab in the middle of its training."""

from __future__ import annotations

from typing import Any

import deepxde as dde


class Saver(dde.callbacks.Callback):
    """Saves the model of a slab at regular steps.

    Args:
        slab: whose `save` is called.
        every: steps between two times.
    """

    def __init__(self, slab: Any, every: int) -> None:
        super().__init__()
        self._slab, self._every = slab, every

    def on_epoch_end(self) -> None:
        """Save, if it is time to."""
        if self.model.train_state.step % self._every == 0:
            self._slab.save(self.model)
