"""Trains with the callback of one checkout, some steps each time that it is told to.

It says of each step what the callback's own clock has counted, and how long the processor was at
work for it.
"""

import json
import sys
from pathlib import Path
from time import process_time

import deepxde as dde
import torch

import pinn_ext

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from _overhead.problem import Case, model_of


class Steps(dde.callbacks.Callback):
    """Reads both clocks between the steps."""

    def __init__(self, adaptive: pinn_ext.AdaptiveWeights) -> None:
        super().__init__()
        self.adaptive = adaptive
        self.marks: list[tuple[float, float]] = []

    def on_epoch_begin(self) -> None:
        """Take note of the beginning of a step, which is the end of the one before."""
        self.marks.append((self.adaptive.seconds, process_time()))


def main() -> None:
    """Train in turns until the process is stopped."""
    task = json.loads(sys.argv[1])
    torch.set_num_threads(task["threads"])
    model, terms = model_of(Case(task["terms"], task["points"])), task["terms"]
    adaptive = pinn_ext.AdaptiveWeights(
        task["strategy"], period=task["period"], field_scales=[1.0] * terms, verbose=0
    )
    print(json.dumps({"package": pinn_ext.__file__}), flush=True)
    for _ in sys.stdin:
        steps = Steps(adaptive)
        model.train(
            iterations=task["steps"] + 1,  # the last one has no end here
            callbacks=[adaptive, steps],
            verbose=0,
            display_every=10**9,
        )
        pairs = zip(steps.marks, steps.marks[1:], strict=False)
        found = [(own - own_before, end - start) for (own_before, start), (own, end) in pairs]
        print(json.dumps({"steps": found}), flush=True)


if __name__ == "__main__":
    main()
