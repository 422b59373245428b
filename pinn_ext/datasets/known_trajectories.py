"""Trajectories that a user has, of some problems of a family: from a file, to pairs of states."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.data import Data

from pinn_ext.datasets.families.batch import KnownStates
from pinn_ext.datasets.families.batches import FamilyBatches
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.outside_files import FileError, check_file
from pinn_ext.datasets.reference_files.npz import npz_arrays

_NEAR = 1e-6  # of the spacing: how far a position may be from the node that it is
_LATE = 1e-9  # of the horizon: rounding of times


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Known states of some problems, in float64 on the CPU.

    Attributes:
        states: `[T, K + 1, n, 2]`, at the family's nodes in their order.
        times: `[K + 1]`, rising by the horizon at most.
        parameters: constants that vary, of each trajectory `[T, p]`, as `Family.problem` has them.
    """

    states: Tensor
    times: Tensor
    parameters: Tensor

    @property
    def digest(self) -> str:
        """SHA-256 of states, times and constants, in their order."""
        own = hashlib.sha256()
        for part in (self.states, self.times, self.parameters):
            own.update(part.contiguous().numpy().tobytes())
        return own.hexdigest()

    def pairs(self, batches: FamilyBatches, numbers: Tensor, places: Tensor) -> KnownStates:
        """Return states with those that follow them.

        Args:
            batches: of a data set with the same nodes.
            numbers: of trajectories `[G]`.
            places: of the first state of each pair in its trajectory `[G]`, below K.

        Returns:
            A batch of as many graphs, with the state that the network is to give for it.
        """
        tau = (self.times[1:] - self.times[:-1])[places]
        batch = batches.of_states(self.states[numbers, places], self.parameters[numbers], tau)
        wanted = self.states[numbers, places + 1].flatten(0, 1)
        return KnownStates(batch, wanted.to(batch.x))


def read_trajectories(path: str | Path, family: Family, nodes: Data) -> Trajectories:
    """Read trajectories from an npz file.

    Its arrays are `states` `[T, K + 1, n, 2]`, `times` `[K + 1]`, `positions` `[n, d]` of the
    nodes, in any order, and for each constant that varies one of its name `[T]`.

    Args:
        path: of the file.
        family: whose equation they solve.
        nodes: of its problems, which must be the same for all.

    Returns:
        The trajectories, with the nodes in the order of the family.

    Raises:
        ArgumentError: if there is no such file.
        FileError: if it lacks an array, one has another shape or numbers that are not finite, times
            do not rise by the horizon at most, or positions are not those of the nodes.
    """
    path = check_file(path)
    stored = npz_arrays(path)
    wanted = ("states", "times", "positions", *family.varied)
    if absent := [name for name in wanted if name not in stored]:
        raise FileError(path, f"hold the arrays {', '.join(wanted)}", f"no {', '.join(absent)}")
    arrays = {}
    for name in wanted:
        if stored[name].kind != "numbers":
            raise FileError(path, f"hold numbers in {name}", stored[name].kind)
        values = np.asarray(stored[name].load())
        if np.iscomplexobj(values):  # numpy would drop what is imaginary, with a warning
            raise FileError(path, f"hold real numbers in {name}", f"the type {values.dtype}")
        arrays[name] = values.astype(np.float64)
        if bad := int((~np.isfinite(arrays[name])).sum()):
            raise FileError(path, f"be finite in {name}", f"{bad} numbers that are not")
    states, times = arrays["states"], arrays["times"]
    _check_shapes(path, states, times, nodes.num_nodes or 0)
    _check_times(path, times, family.horizon)
    order = _order(path, arrays["positions"], nodes, family.nodes.spacing(family.system))
    parameters = np.zeros((len(states), len(family.varied)))
    for column, name in enumerate(family.varied):
        parameters[:, column] = _scaled(path, name, arrays[name], family, len(states))
    known = (torch.from_numpy(values) for values in (states[:, :, order], times, parameters))
    return Trajectories(*known)


def _check_shapes(path: Path, states: np.ndarray, times: np.ndarray, count: int) -> None:
    if states.ndim != 4 or states.shape[2:] != (count, 2) or not len(states):
        wanted = f"hold states [trajectories, times, {count}, 2], u and v at the family's nodes"
        raise FileError(path, wanted, list(states.shape))
    if times.shape != states.shape[1:2] or len(times) < 2:
        wanted = f"hold as many times as states of a trajectory, {states.shape[1]}, at least two"
        raise FileError(path, wanted, list(times.shape))


def _check_times(path: Path, times: np.ndarray, horizon: float) -> None:
    gaps = np.diff(times)
    if gaps.min() <= 0 or gaps.max() > horizon * (1 + _LATE):
        wanted = f"hold times that rise, by the horizon {horizon:g} at most"
        raise FileError(path, wanted, f"steps of {gaps.min():g} to {gaps.max():g}")


def _order(path: Path, positions: np.ndarray, nodes: Data, spacing: float) -> np.ndarray:
    """Return which position each node of the family is."""
    places = nodes.pos.numpy()
    if positions.shape != places.shape:
        raise FileError(path, f"hold positions {list(places.shape)}", list(positions.shape))
    distance, order = cKDTree(positions).query(places)
    if distance.max() > _NEAR * spacing:
        wanted = "have the positions of the family's nodes"
        raise FileError(path, wanted, f"one that is {distance.max():.2g} away from all of them")
    return order


def _scaled(path: Path, name: str, values: np.ndarray, family: Family, count: int) -> np.ndarray:
    """Return values of a constant as multiples of half their interval around its middle."""
    low, high = family.constants[name]  # type: ignore[misc]  # an interval, as it is varied
    if values.shape != (count,):
        raise FileError(
            path, f"hold one {name} for each of {count} trajectories", list(values.shape)
        )
    if values.min() < low or values.max() > high:
        wanted = f"hold {name} in [{low:g}, {high:g}], as the family has it"
        raise FileError(path, wanted, f"[{values.min():g}, {values.max():g}]")
    return 2.0 * (values - low) / (high - low) - 1.0
