"""Errors of a trained network against fields that somebody else computed or measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.outside_files import plural
from pinn_ext.datasets.reference_files import FieldErrors, ReferenceData, field_errors
from pinn_ext.losses.known_solution import extent, lie_in
from pinn_ext.program.trained.trained_run import TrainedRun

_LINES = 12  # of single times in the table


@dataclass(frozen=True)
class ReferenceErrors:
    """Relative L2 errors at the samples of a reference that a run was trained for.

    Attributes:
        all: over all samples.
        samples: their number.
        each: error at each time; empty where the points of the reference are not the same at all
            times, or there is one time.
        left_out: what of the reference lies outside, a sentence each.
    """

    all: FieldErrors
    samples: int
    each: dict[float, FieldErrors]
    left_out: tuple[str, ...]

    def table(self) -> str:
        """Return the errors as lines of text, of at most twelve single times."""
        lines = [f"{'relative L2 error':20}{'u':>13}{'v':>13}{'joint':>13}"]
        lines.append(_line("all samples", self.all))
        times = list(self.each)
        if len(times) > _LINES:
            kept = np.linspace(0, len(times) - 1, _LINES).round().astype(int)
            times = [times[number] for number in kept]
        lines += [_line(f"t = {time:g}", self.each[time]) for time in times]
        if len(times) < len(self.each):
            lines.append(f"({len(times)} of {len(self.each)} times are shown)")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the same as plain values for JSON; null for what is not finite."""
        return {
            "relative_l2": _plain(self.all),
            "samples": self.samples,
            "times": [{"t": time, **_plain(errors)} for time, errors in self.each.items()],
            "left_out": list(self.left_out),
        }


def _line(name: str, errors: FieldErrors) -> str:
    return f"{name:20}" + "".join(f"{value:13.6e}" for value in errors)


def _plain(errors: FieldErrors) -> dict[str, float | None]:
    return {k: v if math.isfinite(v) else None for k, v in errors._asdict().items()}


def reference_errors(run: TrainedRun, reference: ReferenceData) -> ReferenceErrors:
    """Return the errors of a network, see `pinn_ext.datasets.reference_files.field_errors`.

    Args:
        run: the network.
        reference: positions of the run's dimension, times and fields.

    Returns:
        The errors at all samples in the domain and the time interval of the run.

    Raises:
        ArgumentError: if none lies there.
    """
    x, t, wanted = reference.samples()
    end, (in_time, in_space) = run.system.final_time, lie_in(run.system, x, t)
    kept = in_time & in_space
    if not kept.any():
        raise ArgumentError(*_nothing_left(run, reference, in_time))
    left_out = []
    if late := int((~in_time).sum()):
        left_out.append(
            f"{plural(late, 'sample')} of {len(t)} at times outside of [0, {end:g}] left out."
        )
    if far := int((in_time & ~in_space).sum()):
        left_out.append(f"{plural(far, 'sample')} of {len(t)} outside of the domain left out.")
    x, t, wanted = x[kept], t[kept], wanted[kept]
    fields = np.asarray(run.fields(x, t), dtype=np.float64)
    everything = _errors(x, t, wanted, fields, slice(None))
    each = {}
    if not reference.scattered:  # then all samples of one time stand together
        times, starts = np.unique(t, return_index=True)
        ends = [*starts[1:].tolist(), len(t)]
        for time, start, stop in zip(times.tolist(), starts.tolist(), ends, strict=True):
            each[time] = _errors(x, t, wanted, fields, slice(start, stop))
    return ReferenceErrors(everything, len(t), each if len(each) > 1 else {}, tuple(left_out))


def _errors(
    x: np.ndarray, t: np.ndarray, wanted: np.ndarray, fields: np.ndarray, which: slice
) -> FieldErrors:
    some = ReferenceData(x[which], t[which], wanted[which, 0], wanted[which, 1])
    return field_errors(some, fields[which])


def _nothing_left(
    run: TrainedRun, reference: ReferenceData, in_time: np.ndarray
) -> tuple[str, str, str]:
    """Return why no sample of a reference can be compared: name, what it must do, what came."""
    if not in_time.any():
        end, times = run.system.final_time, reference.times
        wanted = f"have times in [0, {end:g}], the time interval of the run"
        return "FILE", wanted, f"{times[0]:g} to {times[-1]:g}"
    got = f"points in {extent(reference.x)} outside of it"
    return "FILE", "have points in the domain of the run", got
