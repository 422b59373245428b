"""The phases of a run, made from its configuration, and what the terminal shows of their warnings.

The phases themselves stand in `pinn_ext.dde`; `run` goes through them.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from pinn_ext import schema
from pinn_ext.datasets.collocation import PointBatch, collocation_points
from pinn_ext.losses.from_config import physics_loss
from pinn_ext.program.build import Built
from pinn_ext.schema import Config

if TYPE_CHECKING:
    from pinn_ext.dde.data.point_data import PointData
    from pinn_ext.dde.phases import LBFGS, Epochs, GaussNewton, GraphModel, Phase

_POINT_SEED = 104729  # as far from one another for the points of successive draws


class Phases(NamedTuple):
    """The phases of a run in their order; one that is not asked for has length 0."""

    epochs: Epochs
    lbfgs: LBFGS
    gauss_newton: GaussNewton


def graph_model(cfg: Config, built: Built) -> GraphModel:
    """Return what all phases train.

    Args:
        cfg: the configuration.
        built: what the run is made of.

    Returns:
        The network as a DeepXDE model on the graphs.
    """
    from pinn_ext.dde.phases import GraphModel

    weight_decay = cfg.training.weight_decay
    return GraphModel(built.data, built.network, built.weights, built.initial, weight_decay)


def phases_of(cfg: Config, built: Built, shared: GraphModel) -> Phases:
    """Return the phases that a configuration asks for.

    Args:
        cfg: the configuration.
        built: what the run is made of.
        shared: what all phases train.

    Returns:
        The phases, none of them begun.
    """
    from pinn_ext.dde.phases import LBFGS, Epochs, GaussNewton

    training = cfg.training
    iterations = training.gauss_newton.iterations if training.loss.use_gn_solver else 0
    return Phases(
        Epochs(
            shared,
            training.epochs,
            training.optimizer,
            training.learning_rate,
            training.schedule,
            training.clip_gradients,
        ),
        LBFGS(shared, training.lbfgs_iterations),
        GaussNewton(
            shared, iterations, lambda: _points(cfg, built), _gauss_newton_settings(training)
        ),
    )


def trained_throughout(cfg: Config, initial: Mapping[str, float]) -> list[str]:
    """Return the loss terms that every phase of a run trains.

    Args:
        cfg: the configuration.
        initial: weight of each term at the start, by name; 0 stays 0.

    Returns:
        Their names.
    """
    training = cfg.training
    without_rk4 = training.loss.use_gn_solver and not training.gauss_newton.use_rk4
    return [
        name
        for name, weight in initial.items()
        if weight and not (without_rk4 and name.startswith("RK4"))
    ]


def _gauss_newton_settings(training: schema.Training) -> dict[str, Any]:
    """Return the arguments of `GaussNewtonTraining` that `training.gauss_newton` holds."""
    settings, others = training.gauss_newton, ("iterations", "points", "use_rk4")
    keys = [key for key in schema.GaussNewton.__dataclass_fields__ if key not in others]
    found = {key: getattr(settings, key) for key in keys}
    if found["sketch"] not in (None, "auto"):
        found["sketch"] = int(found["sketch"])
    return found


def _points(cfg: Config, built: Built) -> PointData:
    """Return the points of the Gauss-Newton phase in float64, on the network's device."""
    from pinn_ext.dde.data.point_data import PointData

    settings, system = cfg.training.gauss_newton, built.loss.system
    parameters = list(built.network.parameters())
    count = settings.points or 2 * sum(p.numel() for p in parameters)
    with_rk4 = cfg.training.loss.use_rk4 and settings.use_rk4

    def draw(draws: int) -> PointBatch:
        seed = cfg.seed + _POINT_SEED * (1 + draws)
        return collocation_points(
            system, count, cfg.problem.conditions, seed, parameters[0].device, torch.float64
        )

    graphs = built.data.spread_batch(torch.float64) if with_rk4 else None
    return PointData(physics_loss(cfg, rk4=with_rk4, system=system), draw, graphs)


@contextlib.contextmanager
def warnings_of(phase: Phase, write: Callable[[str], None]) -> Iterator[None]:
    """Keep quiet of what the report says, and show other warnings as the phase wants it.

    Args:
        phase: that is being trained.
        write: takes a line.

    Yields:
        Nothing.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*training stopped", RuntimeWarning)
        warnings.filterwarnings("ignore", ".*weights unchanged", RuntimeWarning)
        if phase.warns_in_lines:  # as lines of the run, without a place in the code
            warnings.showwarning = lambda message, *_: write(f"Warning: {message}")
        yield
