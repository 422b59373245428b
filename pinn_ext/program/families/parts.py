"""A run on a family of problems: its data sets, its loss terms and its network that steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.batches import FamilyBatches
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.graphs import SPLITS, FamilyGraphs
from pinn_ext.datasets.families.on_disk import FamilyGraphsOnDisk
from pinn_ext.datasets.known_trajectories import Trajectories, read_trajectories
from pinn_ext.files import RunError
from pinn_ext.losses.families_from_config import (
    family_of,
    family_step,
    keys_named,
    step_loss,
    stepping_network,
)
from pinn_ext.losses.rollout import RolloutErrors
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.measurements import processes
from pinn_ext.networks.graph_networks import GraphStepper
from pinn_ext.program.problem import Inputs, as_input
from pinn_ext.program.ranks import group
from pinn_ext.schema import Config
from pinn_ext.schema.family_keys import WHERE

if TYPE_CHECKING:
    from pinn_ext.dde.data.family_data import FamilyData


@dataclass(frozen=True, eq=False)
class FamilyParts:
    """What a run on a family is made of.

    Attributes:
        loss: the loss terms.
        network: on its device.
        data: the problems as DeepXDE data.
        validation: measures errors of each epoch.
        test: measures those of the report.
        notes: what is to be said before the training, a line each.
    """

    loss: StepLoss
    network: GraphStepper
    data: FamilyData
    validation: RolloutErrors
    test: RolloutErrors
    notes: list[str]


def checked_loss(cfg: Config) -> tuple[StepLoss, Inputs]:
    """Refuse a family that cannot be run, before a folder is made.

    Args:
        cfg: the configuration, each of whose values is in range.

    Returns:
        The loss terms, with the family, and what a checkpoint says of the files it is made of.

    Raises:
        ArgumentError: naming the key, what is allowed and what came.
    """
    family = family_of(cfg)
    known, inputs, path = known_of(cfg, family), inputs_of(family), cfg.dataset.family.trajectories
    if known is not None:
        inputs |= as_input(f"{WHERE}.trajectories", str(path), known.digest)
    return step_loss(cfg, family, family_step(cfg, family)), inputs


def inputs_of(family: Family) -> Inputs:
    """Return what a checkpoint says of the mesh files of a family.

    Args:
        family: with nodes of meshes or others, which are of no file.

    Raises:
        ArgumentError: naming the key, if a file cannot be read.
    """
    inputs: Inputs = {}
    with keys_named():
        places = family.nodes.places(family.system)
    for number, place in enumerate(places):
        if place.mesh is not None:
            inputs |= as_input(f"{WHERE}.domains[{number}]", place.name, place.identity)
    return inputs


def known_of(cfg: Config, family: Family) -> Trajectories | None:
    """Return the trajectories that a user has.

    Args:
        cfg: the configuration; `dataset.family.trajectories` is read.
        family: that it describes.

    Returns:
        None where there are none.

    Raises:
        ArgumentError: naming the key, if the file cannot be used or the problems share no nodes.
    """
    path = cfg.dataset.family.trajectories
    if path is None:
        return None
    with keys_named():
        if not family.nodes.shared:
            wanted = "be left out where problems have nodes of their own"
            raise ArgumentError("trajectories", wanted, repr(path))
        return read_trajectories(path, family, family.nodes.graph(family.system, 0))


def graphs_of(
    cfg: Config, family: Family, split: str, advance: Callable[[int], None] | None = None
) -> FamilyGraphs | FamilyGraphsOnDisk:
    """Return the problems of a split, from their file or made now.

    Args:
        cfg: the configuration.
        family: what the problems are.
        split: one of `pinn_ext.datasets.families.graphs.SPLITS`.
        advance: is called after each reference trajectory.

    Returns:
        As many as `dataset` says.

    Raises:
        RunError: if one cannot be made, or the file cannot be written.
    """
    dataset = cfg.dataset
    counts = {
        "train": dataset.num_graphs,
        "validation": dataset.num_validation,
        "test": dataset.num_test,
    }
    try:
        with keys_named():
            if split == "train" and dataset.family.on_disk:
                return FamilyGraphsOnDisk(dataset.family.root, family, split, counts[split])
            return FamilyGraphs(dataset.family.root, family, split, counts[split], advance=advance)
    except ArgumentError as error:
        raise RunError(str(error)) from None


def parts(cfg: Config, loss: StepLoss, device: torch.device, *, by_time: bool) -> FamilyParts:
    """Build what a run on a family is made of, in torch's default float type.

    Args:
        cfg: the configuration, checked.
        loss: of `checked_loss`.
        device: where the network is to lie.
        by_time: see `FamilyData`.

    Returns:
        What is to be trained, nothing trained.

    Raises:
        RunError: if a problem cannot be made.
    """
    from pinn_ext.dde.data.family_data import FamilyData

    family, dtype = loss.family, torch.get_default_dtype()
    train, validation, test = group.in_turn(lambda: [graphs_of(cfg, family, s) for s in SPLITS])
    network = stepping_network(cfg, family).to(device)
    data = FamilyData(
        loss,
        FamilyBatches(train, loss.step, device, dtype),
        FamilyBatches(validation, loss.step, device, dtype),
        network,
        batch_size=cfg.dataset.batch_size,
        rollout=cfg.dataset.family.rollout,
        noise=cfg.dataset.family.noise,
        known=known_of(cfg, family),
        seed=cfg.seed,
        device=device,
        by_time=by_time,
    )
    ratio = family.horizon / loss.step
    length = "as long" if ratio == 1 else f"{loss.step:.3g}, {ratio:.3g} of which are one"
    notes = [
        *family.text(),
        f"Steps of {family.horizon:g}; the Runge-Kutta step of the loss is {length}. References: "
        f"scipy's DOP853, rtol 1e-10, from which 1e-8 differs by {test.converged:.1e}.",
    ]
    _, ranks = processes.rank_and_count()
    if ranks > 1:
        notes.append(
            f"{ranks} processes train together, each on its share of every mini-batch of "
            f"{data.batch_size} graphs."
        )
    return FamilyParts(
        loss,
        network,
        data,
        RolloutErrors(validation, loss.step, device, dtype),
        RolloutErrors(test, loss.step, device, dtype),
        notes,
    )
