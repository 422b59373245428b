"""Fields of a trained network at many points and times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.outside_files import MOST_NUMBERS
from pinn_ext.program.trained.locations import Locations
from pinn_ext.program.trained.trained_run import TrainedRun


@dataclass(frozen=True)
class Prediction:
    """Fields u and v, in physical units.

    Attributes:
        at: the N points, with the cells that join them.
        t: times `[T]`.
        u: `[T, N]` in the float type of the network, NaN outside of the domain.
        v: the same.
    """

    at: Locations
    t: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @property
    def outside(self) -> int:
        """Number of points outside of the domain."""
        return int((~self.at.inside).sum())


def check_times(run: TrainedRun, times: Sequence[float] | None) -> np.ndarray:
    """Return times that a run was trained for.

    Args:
        run: gives the time interval.
        times: at least one, all different; None for the final time.

    Returns:
        `[T]`, in the order given.

    Raises:
        ArgumentError: if one lies outside of the interval, or is there twice.
    """
    end = run.system.final_time
    given = [end] if times is None else list(times)
    if not given:
        raise ArgumentError("times", "be at least one number", "none")
    for time in given:
        if not 0 <= time <= end:
            wanted = f"lie in [0, {end:g}], the time interval of the run"
            raise ArgumentError("times", wanted, f"{time:g}")
    if len(set(given)) < len(given):
        twice = next(time for time in given if given.count(time) > 1)
        raise ArgumentError("times", "be all different", f"{twice:g} twice")
    return np.array(given, dtype=np.float64)


def predict(run: TrainedRun, at: Locations, times: Sequence[float] | None = None) -> Prediction:
    """Return the fields of a trained network at points and times.

    Args:
        run: the network.
        at: the points.
        times: as in `check_times`.

    Returns:
        The fields.

    Raises:
        ArgumentError: if a time is refused, there are too many numbers, or no point lies in the
            domain.
    """
    moments = check_times(run, times)
    count = len(moments) * len(at.x)
    if count > MOST_NUMBERS:
        wanted = f"give at most {MOST_NUMBERS:.2g} values of a field with the points"
        raise ArgumentError("times", wanted, f"{len(moments)} times {len(at.x)}")
    if not at.inside.any():
        raise ArgumentError("points", "lie in the domain", f"{len(at.x)} that do not")
    fields = np.empty((2, len(moments), len(at.x)), dtype=str(run.dtype).removeprefix("torch."))
    for row, time in enumerate(moments):
        fields[:, row] = run.fields(at.x, time).T
    fields[:, :, ~at.inside] = np.nan
    return Prediction(at, moments, *fields)
