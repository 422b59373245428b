"""Trainings with DeepXDE; the only package that imports it, with its PyTorch backend.

In comes a `dde.Model` of a user's, or the program's own graphs and network; out come the trained
model, its loss weights, and a record of how they moved.

`callback` has `AdaptiveWeights`, what most scripts need: open it first. It is made of `weighting`
(what happens inside a step) and, for the strategy `auto`, of `auto` (pilots of candidates).
`gauss_newton` has `train_gauss_newton`, `quasi_newton` has `train_quasi_newton`, `slabs` has
`march`; what a loop in the place of `model.train` does beside its steps is in `own_loop`. All of
these read and set a model through `model`, the one place where traps of DeepXDE are dealt with.
`data` and `phases` are the program's: graphs as DeepXDE data, and the stretches of a run.
`scale_outputs` and `tensorboard` are small tools for scripts, `messages` has what the callback
prints.

Imports run down: callback, auto, weighting, model; `data` and `slabs` stand on `model` alone,
`gauss_newton` and `quasi_newton` on `own_loop` and `model`, `phases` and `tensorboard` above the
callback.
"""

from __future__ import annotations

import os
import sys

if "deepxde" in sys.modules:
    _backend = sys.modules["deepxde"].backend.backend_name
else:
    # Without a choice DeepXDE takes the first backend it finds and writes a file to HOME.
    _backend = os.environ.setdefault("DDE_BACKEND", "pytorch")
if _backend != "pytorch":
    raise ImportError(
        f"pinn_ext needs DeepXDE's PyTorch backend, got {_backend!r}: set DDE_BACKEND=pytorch "
        "before deepxde is imported."
    )
if "OMPI_COMM_WORLD_SIZE" in os.environ:
    raise ImportError(
        "pinn_ext cannot run under mpirun: DeepXDE takes OMPI_COMM_WORLD_SIZE as a request for "
        "Horovod, which its PyTorch backend has not."
    )
