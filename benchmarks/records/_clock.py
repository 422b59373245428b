"""Trainings that end after some seconds of the processor, which other work does not lengthen."""

import sys
import time

import deepxde as dde

import pinn_ext


def size(net):
    """Return the number of parameters of a network."""
    return sum(p.numel() for p in net.parameters())


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


def train_for(seconds, model, points, look=None):
    """Train by Gauss-Newton for some seconds of the processor; return facts for the table."""
    clock = CoreSeconds(seconds, look and (lambda: look(model.predict)))
    pinn_ext.train_gauss_newton(model, 10**6, tolerance=0, callbacks=[clock], verbose=0)
    return {"parameters": size(model.net), "points": points, "iterations": clock.steps}


class SlabTraining:
    """Gauss-Newton in the slabs of a march, each for its share of the seconds that are left.

    Args:
        seconds: of the processor, for all slabs.
        points: in a slab.
        first: share of the first slab, as a multiple of that of another.
        block: iterations in a call; a new one forgets the largest columns of the Jacobian.

    Attributes:
        facts: for the table; complete after the last slab.
    """

    def __init__(self, seconds, points, first=1, block=10**6):
        self.whole, self.points, self.first = CoreSeconds(seconds), points, first
        self.block = block
        self.facts = {"parameters": 0, "points": 0, "iterations": 0}

    def __call__(self, model, slab):
        own = self.first if slab.number == 0 else 1
        clock = CoreSeconds(self.whole.left * own / (slab.count - slab.number - 1 + own))
        while clock.left > 0:
            pinn_ext.train_gauss_newton(
                model,
                self.block,
                damping="bold",
                tolerance=0,
                callbacks=[clock],
                verbose=0,
            )
        self.facts["parameters"] += size(model.net)
        self.facts["points"] += self.points
        self.facts["iterations"] += clock.steps
