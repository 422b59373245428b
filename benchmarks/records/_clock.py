"""Ends a training after some seconds of the processor, which other work does not lengthen."""

import sys
import time

import deepxde as dde


class CoreSeconds(dde.callbacks.Callback):
    """Ends a training when its process has computed for so long.

    Args:
        seconds: of the processor from now on, those of all threads together.
        look: called now and then without being counted, a function that returns errors by name.
        every: iterations between two looks.
    """

    def __init__(self, seconds, look=None, every=20):
        super().__init__()
        self.end = time.process_time() + seconds
        self.look, self.every = look, every
        self.seconds, self.steps = seconds, 0

    @property
    def left(self):
        """The seconds that are left."""
        return self.end - time.process_time()

    def on_epoch_end(self):
        self.steps += 1
        self.model.stop_training = self.model.stop_training or self.left < 0
        if self.look is not None and self.steps % self.every == 0:
            left = self.left
            errors = "  ".join(f"{name} {error:.2e}" for name, error in self.look().items())
            self.end += left - self.left
            text = f"{self.steps:6d} iterations {self.seconds - left:7.1f} s  {errors}"
            print(text, file=sys.stderr, flush=True)
