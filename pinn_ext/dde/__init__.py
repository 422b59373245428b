"""The only package that imports DeepXDE, with its PyTorch backend."""

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
