"""A configuration checked and built: system, graphs, network, weights and log, each once."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import torch

from pinn_ext import schema
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.checks import ArgumentError, check_number
from pinn_ext.choices import FAMILY
from pinn_ext.datasets import SnapshotGraphs
from pinn_ext.datasets.node_graphs import NodeGraph, node_graph
from pinn_ext.losses.from_config import field_network, initial_weights, physics_loss
from pinn_ext.losses.known_solution import KnownSolution
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.losses.rollout import RolloutErrors
from pinn_ext.losses.solution_error import Evaluator
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.losses.terms import ErrorMeasure, LossTerms
from pinn_ext.program.families import parts as family
from pinn_ext.program.machine.devices import device_of, reduced_precision, take
from pinn_ext.program.machine.sizes import check_sizes
from pinn_ext.program.problem import Inputs, inputs_of_reference, notes_on_input, reference_of
from pinn_ext.reports import plots
from pinn_ext.reports.epoch_log import EpochLog
from pinn_ext.reports.field_plots import rollouts, samples
from pinn_ext.schema import Config
from pinn_ext.strategies import PointStrategy
from pinn_ext.systems import System
from solvers.devices import make_default, on_cpu

if TYPE_CHECKING:  # DeepXDE is loaded once the configuration is known to be sound
    from pinn_ext.dde.callback import AdaptiveWeights
    from pinn_ext.dde.data.graph_data import GraphData
    from pinn_ext.dde.data.mini_batches import MiniBatches

_VALIDATION_SEED = 7919  # far from the seeds of training times, which users count from 0


@dataclass(frozen=True, eq=False)
class Checked:
    """A configuration that can be run, with what had to be built to know it.

    Attributes:
        cfg: the configuration.
        loss: the loss terms, with the system.
        nodes: the graph of nodes that all snapshots share, None for a family of problems.
        device: where the network is to lie.
        settings: of the loss weights, with the strategy.
        against: what errors are measured against instead of the system's own solution, if anything.
        inputs: files that it is made of beside those of the system, see `problem.inputs_of`.
        slab: number and count of the slab of time that `loss` and `against` are of, None for all
            times.
    """

    cfg: Config
    loss: LossTerms
    nodes: NodeGraph | None
    device: torch.device
    settings: WeightSettings
    against: KnownSolution | None = None
    inputs: Inputs = field(default_factory=dict)
    slab: tuple[int, int] | None = None


@dataclass
class Built:
    """What a run is made of.

    Attributes:
        loss: the loss terms.
        network: on its device.
        data: the graphs as DeepXDE data.
        weights: the callback that moves, or keeps, the loss weights.
        initial: weight of each term at the start, by name.
        evaluator: measures errors for the report.
        log: keeps and prints the epochs, with errors measured on the validation graphs.
        notes: what is to be said of them before the training, a line each.
    """

    loss: LossTerms
    network: Any
    data: MiniBatches
    weights: AdaptiveWeights
    initial: dict[str, float]
    evaluator: ErrorMeasure
    log: EpochLog
    notes: list[str]

    def measure_on(self, validation: Any) -> None:
        """Measure losses on other snapshots from now on, and errors in their float type."""
        at = validation.inputs
        self.evaluator = self.evaluator.at(at.device, at.dtype)
        self.log.measure_with(validation, self.evaluator)

    def fields_of(self, network: Any, against: KnownSolution | None) -> Callable[[BinaryIO], None]:
        """Return what draws a network's fields, or its roll-out, into an open file.

        Args:
            network: to be drawn.
            against: what fields are compared with in place of the system's own solution, if any.
        """
        if isinstance(self.evaluator, RolloutErrors):
            return functools.partial(rollouts.draw, rollout=self.evaluator.rollout(network))
        system = network.system
        if against is None:
            return lambda file: plots.fields(file, system, network)
        return lambda file: samples.fields(file, system, network, against)


def check(cfg: Config, settings: WeightSettings | None = None) -> Checked:
    """Refuse a configuration that cannot be run, before a folder is made.

    Args:
        cfg: the configuration.
        settings: what `schema.validate` has returned of it; None lets it be asked here.

    Returns:
        The configuration with what `build` goes on from.

    Raises:
        ArgumentError: naming the key, what is allowed and what came.
    """
    settings = schema.validate(cfg) if settings is None else settings
    check_sizes(cfg)
    if cfg.dataset.name == FAMILY:
        own, inputs = family.checked_loss(cfg)
        return Checked(cfg, own, None, device_of(cfg), settings, inputs=inputs)
    loss = physics_loss(cfg)
    _check_step(cfg, loss.system.final_time)
    if cfg.problem.conditions == "hard" and (why := loss.system.needs_soft):
        raise ArgumentError("problem.conditions", f"be soft {why}", "'hard'")
    nodes = _node_graph(cfg.dataset, loss.system)
    against = reference_of(cfg, loss.system, nodes)
    inputs = inputs_of_reference(cfg, against)
    return Checked(cfg, loss, nodes, device_of(cfg), settings, against, inputs)


def _check_step(cfg: Config, end: float) -> None:
    """Refuse a Runge-Kutta step that leaves no room in the time interval, or in a slab of it."""
    slabs = cfg.training.slabs
    check_number("dataset.step", cfg.dataset.step, 0, end, open_low=True, open_high=True)
    if slabs > 1 and cfg.dataset.step >= end / slabs:
        wanted = f"be below {end / slabs:g}, the length of a slab with training.slabs={slabs}"
        raise ArgumentError("dataset.step", wanted, cfg.dataset.step)


def _node_graph(dataset: schema.Dataset, system: System) -> NodeGraph:
    try:
        return node_graph(system, dataset.name, dataset.nodes_per_side, dataset.order)
    except ArgumentError as error:
        raise error.under("dataset") from None


def build(checked: Checked, folder: Path) -> Built:
    """Build what a run is made of; sets torch's and DeepXDE's global device, float type and seeds.

    Args:
        checked: the configuration, checked.
        folder: of the run.

    Returns:
        What is to be trained, nothing trained.
    """
    with contextlib.redirect_stderr(io.StringIO()):  # DeepXDE advertises its backends
        from pinn_ext.dde.phases import configure
    cfg, device = checked.cfg, checked.device
    take(device)
    # After DeepXDE's import, which makes a GPU the default device where torch sees one, whatever
    # the run's device is.
    make_default(device)
    configure(cfg.dtype, cfg.seed)
    with on_cpu():  # random numbers that do not depend on the device
        parts = _on_family(checked) if checked.nodes is None else _on_snapshots(checked)
    loss, initial = checked.loss, initial_weights(cfg, checked.loss.names)
    data, network = parts.data, parts.network
    validation = data.validation, parts.validation
    log = EpochLog(folder, cfg.training, initial, loss, network, *validation, checked.slab)
    weights = _weights(checked, data)
    return Built(loss, network, data, weights, initial, parts.test, log, parts.notes)


class _Parts(NamedTuple):
    """Network, data, what measures the errors of epochs and of the report, and notes."""

    network: Any
    data: MiniBatches
    validation: ErrorMeasure
    test: ErrorMeasure
    notes: list[str]


def _on_family(checked: Checked) -> _Parts:
    method = checked.settings.method
    by_time = isinstance(method, PointStrategy) and method.needs_times
    assert isinstance(checked.loss, StepLoss)  # as `check` has made it
    found = family.parts(checked.cfg, checked.loss, checked.device, by_time=by_time)
    return _Parts(found.network, found.data, found.validation, found.test, found.notes)


def _on_snapshots(checked: Checked) -> _Parts:
    cfg, loss, device = checked.cfg, checked.loss, checked.device
    assert isinstance(loss, PhysicsLoss)  # as `check` has made it
    network = field_network(cfg, loss).to(device)
    data = _data(checked, loss)
    evaluator = Evaluator(loss.system, device, torch.get_default_dtype(), against=checked.against)
    return _Parts(network, data, evaluator, evaluator, _notes(checked, data))


def _notes(checked: Checked, data: GraphData) -> list[str]:
    """Return what a user should know before the training: what is less exact, or slower."""
    cfg, reduced, graphs = checked.cfg, reduced_precision(checked.device), data.resident
    notes = notes_on_input(checked.loss.system, checked.nodes)
    notes += [] if checked.against is None else checked.against.notes
    if checked.against is None and not checked.loss.system.has_solution:
        notes.append(
            "No solution of this problem is known: the run is judged by its residuals on held-out "
            "snapshots (problem.reference=FILE or problem.reference=rk4 gives one to compare with)."
        )
    if reduced is not None and cfg.dtype == "float32" and cfg.training.loss.use_rk4:
        notes.append(
            f"Warning: matrices of float32 are multiplied in {reduced} here, whose rounding the "
            f"RK4 terms divide by dataset.step={cfg.dataset.step:g}: they may measure that instead "
            "of the network."
        )
    if graphs.home != graphs.device:
        notes.append(
            f"The {cfg.dataset.num_graphs} graphs, {graphs.needed / 2**30:.3g} GiB, stay in main "
            f"memory, as {graphs.device} has too little that is free: each batch is copied there."
        )
    return notes


def _data(checked: Checked, loss: PhysicsLoss) -> GraphData:
    from pinn_ext.dde.data.graph_data import GraphData

    cfg = checked.cfg

    def snapshots(count: int, seed: int) -> SnapshotGraphs:
        return SnapshotGraphs(
            loss.system,
            count,
            name=cfg.dataset.name,
            order=cfg.dataset.order,
            step=cfg.dataset.step,
            nodes_per_side=cfg.dataset.nodes_per_side,
            conditions=cfg.problem.conditions,
            seed=seed,
            shared=checked.nodes,
        )

    return GraphData(
        loss,
        snapshots(cfg.dataset.num_graphs, cfg.seed),
        snapshots(cfg.dataset.num_validation, cfg.seed + _VALIDATION_SEED),
        batch_size=cfg.dataset.batch_size,
        seed=cfg.seed,
        device=checked.device,
    )


def _weights(checked: Checked, data: MiniBatches) -> AdaptiveWeights:
    from pinn_ext.dde.callback import AdaptiveWeights

    return AdaptiveWeights.from_settings(
        checked.settings,
        names=checked.loss.names,
        period=data.batches_per_epoch,
        verbose=0,
        **schema.callback_settings(checked.cfg.training.loss.adaptive),
    )
