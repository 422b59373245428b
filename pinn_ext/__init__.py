"""Adaptive loss weights, graph RK4 and Gauss-Newton for coupled PINNs in DeepXDE.

What users hold is named here and loaded when it is first used, so that `import pinn_ext` is cheap:

- `AdaptiveWeights` makes a DeepXDE training adaptive; `TensorBoardLog` shows it, `MetricsLog` hands
  what it knows to any other logger, `scale_outputs` puts a network in units of its fields,
  `train_gauss_newton` and `train_quasi_newton` take the place of L-BFGS, `why_lbfgs_ended` says why
  that has ended, `march` goes through time in slabs.
- `PseudoTime` damps how the fields change from step to step of a DeepXDE training.
- `LayerNorm` and `BatchNorm` take the place of torch's, whose third derivatives are wrong.
- `LossAggregator` and `train_physics` are for training loops without DeepXDE, `PinaWeighting` for
  solvers of PINA.
- `AdaptiveLossWeights` has the weights alone: plain numbers in, plain numbers out.
- `load` gives the network of a run that the program has trained: fields, derivatives.
- `strategies` and `systems` find methods and equations by name.

The packages below, from the top: `program` (the command line is `cli`), `dde`, `plain_torch` and
`reports`, `losses`, `datasets`, `measurements`, `networks` and `schema`, `adaptive_weights`,
`point_weights` and `derivatives`, `strategies`, `systems` and `jacobians`. Each imports only what
stands after it in this list, and its `__init__.py` says which file to open first;
docs/architecture.md has the picture. `solvers`, which lies beside this package, is below all.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import solvers
from pinn_ext.lazy_names import loader
from pinn_ext.version import __version__ as __version__

if getattr(solvers, "MARKER", None) != "pinn_ext.solvers":
    raise ImportError(
        "pinn_ext needs its own package `solvers`, but another one of that name comes first: "
        f"{solvers.__file__ or list(solvers.__path__)}. Rename it or take it off sys.path."
    )

if TYPE_CHECKING:
    from pinn_ext import strategies, systems
    from pinn_ext.adaptive_weights import AdaptiveLossWeights
    from pinn_ext.dde.callback import AdaptiveWeights
    from pinn_ext.dde.gauss_newton import train_gauss_newton
    from pinn_ext.dde.logs import MetricsLog, TensorBoardLog
    from pinn_ext.dde.pseudo_time import PseudoTime
    from pinn_ext.dde.quasi_newton import train_quasi_newton, why_lbfgs_ended
    from pinn_ext.dde.scale_outputs import scale_outputs
    from pinn_ext.dde.slabs import march
    from pinn_ext.networks.normalization import BatchNorm, LayerNorm
    from pinn_ext.plain_torch.loss_aggregator import LossAggregator
    from pinn_ext.plain_torch.physics_step import train_physics
    from pinn_ext.plain_torch.pina_weighting import PinaWeighting
    from pinn_ext.program.trained.load import load

__all__ = [
    "AdaptiveLossWeights",
    "AdaptiveWeights",
    "BatchNorm",
    "LayerNorm",
    "LossAggregator",
    "MetricsLog",
    "PinaWeighting",
    "PseudoTime",
    "TensorBoardLog",
    "load",
    "march",
    "scale_outputs",
    "strategies",
    "systems",
    "train_gauss_newton",
    "train_physics",
    "train_quasi_newton",
    "why_lbfgs_ended",
]

_HOMES = {
    "AdaptiveLossWeights": "pinn_ext.adaptive_weights",
    "AdaptiveWeights": "pinn_ext.dde.callback",
    "BatchNorm": "pinn_ext.networks.normalization",
    "LayerNorm": "pinn_ext.networks.normalization",
    "LossAggregator": "pinn_ext.plain_torch.loss_aggregator",
    "MetricsLog": "pinn_ext.dde.logs",
    "PinaWeighting": "pinn_ext.plain_torch.pina_weighting",
    "PseudoTime": "pinn_ext.dde.pseudo_time",
    "TensorBoardLog": "pinn_ext.dde.logs",
    "load": "pinn_ext.program.trained.load",
    "march": "pinn_ext.dde.slabs",
    "scale_outputs": "pinn_ext.dde.scale_outputs",
    "train_gauss_newton": "pinn_ext.dde.gauss_newton",
    "train_physics": "pinn_ext.plain_torch.physics_step",
    "train_quasi_newton": "pinn_ext.dde.quasi_newton",
    "why_lbfgs_ended": "pinn_ext.dde.quasi_newton",
}
_PACKAGES = ("strategies", "systems")


_load = loader(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `import pinn_ext` stays light."""
    if name in _PACKAGES:
        return importlib.import_module(f"pinn_ext.{name}")
    return _load(name)
