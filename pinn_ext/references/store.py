"""Stored references: compressed files that say what they hold, and what is asked of them."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.files import replacing
from pinn_ext.references import recipes
from pinn_ext.references.carry import Carried
from pinn_ext.references.cases.problem import Problem

FOLDER = Path(__file__).parent / "data"
"""Where the references of the package lie."""

LARGEST, LARGEST_SUM = 300_000, 2_000_000
"""Bytes of one file and of all together."""

_AXES = ("x", "y")


@dataclass(frozen=True, eq=False)
class Reference:
    """Fields of a periodic problem on a grid at some times, and how they came about.

    Everything is dimensionless. The fields at time 0 are the formulas of the problem's start.

    Attributes:
        name: `system/case`.
        axes: coordinates of the nodes along each axis, `[nodes]`, without the upper end.
        times: [T], from 0 to the problem's final time.
        u: [T, nodes, …], the axes of space in the order of `axes`.
        v: as `u`; None of a scalar problem.
        about: what the file says of itself: problem, method, resolutions, differences, versions.

    Example:
        >>> from pinn_ext import references
        >>> reference = references.load("allen_cahn/jaxpi")
        >>> reference.evaluate(np.array([[0.0], [1.0]]), 0.0).round(6).tolist()
        [[0.0], [-1.0]]
        >>> reference.accuracy["u"] < 1e-6, float(reference.times[-1])
        (True, 1.0)
        >>> reference.values.shape, reference.accuracy_between["u"] < 1e-6
        ((11, 1, 768), True)
        >>> reference.problem.final_time, reference.provenance[:23]
        (1.0, 'ETDRK4 on Fourier modes')
    """

    name: str
    axes: tuple[np.ndarray, ...]
    times: np.ndarray
    u: np.ndarray
    v: np.ndarray | None
    about: dict[str, Any]

    @property
    def problem(self) -> Problem:
        """Equation, box and start in numpy."""
        return recipes.find(self.name).problem

    @property
    def accuracy(self) -> dict[str, float]:
        """Stated relative L2 error of each field at the nodes, the largest of all stored times."""
        return dict(self.about["accuracy"])

    @property
    def accuracy_between(self) -> dict[str, float]:
        """Measured relative L2 error of `evaluate` for each field, between nodes and times."""
        return dict(self.about["accuracy_between"])

    @property
    def provenance(self) -> str:
        """One sentence: method, resolutions, versions, and where the problem comes from."""
        about = self.about
        versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
        return f"{about['method']}, {about['resolution']}; {versions}; problem: {about['source']}."

    @property
    def values(self) -> np.ndarray:
        """The fields together, [T, fields, nodes, …]."""
        return np.stack([self.u] if self.v is None else [self.u, self.v], axis=1)

    @functools.cached_property
    def _carried(self) -> Carried:
        return Carried(self.problem, self.times, self.values, self.about["step"])

    def evaluate(self, x: np.ndarray, t: np.ndarray | float) -> np.ndarray:
        """Return the fields at any points and times of the problem.

        In space by the Fourier modes of the stored fields; in time the latest stored state before
        t, or the start, is carried on by the method that made it, on the stored modes. So the
        error does not grow between stored times; `accuracy_between` has it as it was measured.
        What it costs grows with the time that is carried over, and with how many times there are.
        A closed form is evaluated at the points themselves.

        Args:
            x: points [N, d] of the box.
            t: times [N], or one for all points.

        Returns:
            [N, fields], float64.

        Raises:
            ArgumentError: if a shape does not fit, or a point or a time lies outside.
        """
        x, t = self._checked(x, t)
        exact = getattr(self.problem, "exact", None)
        return exact(x, t).T if exact else self._carried.at(x, t).T

    def _checked(self, x: Any, t: Any) -> tuple[np.ndarray, np.ndarray]:
        problem = self.problem
        x, t = np.asarray(x, float), np.asarray(t, float)
        if x.ndim != 2 or x.shape[1] != problem.dimension:
            wanted = f"be points of shape [N, {problem.dimension}]"
            raise ArgumentError("x", wanted, f"shape {list(x.shape)}", of=self.name)
        if t.ndim > 1 or (t.ndim == 1 and len(t) != len(x)):
            wanted = f"be one number, or one for each of {len(x)} points"
            raise ArgumentError("t", wanted, f"shape {list(t.shape)}", of=self.name)
        t = np.broadcast_to(t, len(x))
        lower, upper, end = np.array(problem.lower), np.array(problem.upper), problem.final_time
        slack = 1e-9 * (upper - lower)  # coordinates that went through float32 elsewhere
        outside = ~((x >= lower - slack) & (x <= upper + slack)).all(axis=1)
        if outside.any():
            wanted = f"lie in the box from {lower.tolist()} to {upper.tolist()}"
            raise ArgumentError("x", wanted, str(x[outside][0].tolist()), of=self.name)
        late = ~((t >= 0.0) & (t <= end * (1.0 + 1e-9)))
        if late.any():
            raise ArgumentError("t", f"lie in [0, {end:g}]", f"{t[late][0]:g}", of=self.name)
        return x, np.minimum(t, end)


def file_of(name: str, folder: Path = FOLDER) -> Path:
    """Return where a reference lies: `gray_scott/jaxpi` in `gray_scott_jaxpi.npz`."""
    recipes.find(name)
    return folder / f"{name.replace('/', '_')}.npz"


def load(name: str, folder: Path | str = FOLDER) -> Reference:
    """Return a stored reference.

    Args:
        name: one of `names()`.
        folder: where it lies, that of the package unless said otherwise.

    Returns:
        The reference.

    Raises:
        ArgumentError: if there is none of that name; the message lists the legal ones.
        FileNotFoundError: if its file is not there; the message says the command that builds it.
        ValueError: if the file is none of this name, or is damaged.

    Example:
        >>> load("schroedinger/raisi")
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `name` must be one of allen_cahn/jaxpi, burgers/raissi,
        burgers_2d/periodic, fitzhugh_nagumo/pulses, ginzburg_landau/jaxpi, gray_scott/jaxpi,
        gray_scott/pinnacle, kdv/jaxpi, lambda_omega/spirals, predator_prey/waves,
        schnakenberg/pattern, schroedinger/raissi, got 'schroedinger/raisi' (did you mean
        'schroedinger/raissi'?).
        >>> load("schroedinger/raissi").name
        'schroedinger/raissi'
    """
    path = file_of(name, Path(folder))
    if not path.is_file():
        command = f"python -m pinn_ext.references {name} --out {path.parent}"
        raise FileNotFoundError(f"There is no file {path} of {name}: `{command}` builds it.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        about = json.loads(str(arrays.pop("about")))
        found = about["name"]
    except Exception as error:
        raise ValueError(f"{path} cannot be read as a reference: {error}.") from error
    if found != name:
        raise ValueError(f"{path} must hold {name}, got {found}.")
    axes = tuple(arrays[axis] for axis in _AXES if axis in arrays)
    return Reference(name, axes, arrays["t"], arrays["u"], arrays.get("v"), about)


def save(reference: Reference, folder: Path | str) -> Path:
    """Write a reference into a folder, which is made if it is not there.

    Args:
        reference: to write.
        folder: that it goes to.

    Returns:
        The file: keys x, y (in two dimensions), t, u, v and about, the last one JSON.

    Raises:
        ValueError: if it is larger than a reference may be; nothing is left then.
    """
    path = file_of(reference.name, Path(folder))
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = dict(zip(_AXES, reference.axes, strict=False))
    arrays |= {"t": reference.times, "u": reference.u}
    if reference.v is not None:
        arrays["v"] = reference.v
    arrays["about"] = np.array(json.dumps(reference.about, sort_keys=True))
    with replacing(path) as part:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        size = part.stat().st_size
        if size > LARGEST:
            raise ValueError(f"{path.name} must have at most {LARGEST} bytes, got {size}.")
    return path


def rounded(values: np.ndarray, quantum: float, dtype: str) -> np.ndarray:
    """Return values as they are stored: as multiples of a quantum, which compress better.

    Args:
        values: of any shape.
        quantum: a power of 2, 0 for values as they are.
        dtype: `"float32"` or `"float64"`.

    Returns:
        An array of that type.

    Raises:
        ValueError: if the quantum is no power of 2.
    """
    if quantum and not math.log2(quantum).is_integer():
        raise ValueError(f"`quantum` must be a power of 2, got {quantum}.")
    kept = np.round(values / quantum) * quantum if quantum else values
    return kept.astype(dtype) + np.zeros((), dtype)  # -0 becomes 0
