"""The loss terms that a configuration describes, and their weights at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pinn_ext import systems
from pinn_ext.checks import ArgumentError
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import term_scales
from pinn_ext.schema import WEIGHT_KEYS, Config
from pinn_ext.systems import System
from pinn_ext.systems.problem_files import NAME as FROM_FILE

__all__ = ["WEIGHT_KEYS", "Description", "describe", "initial_weights", "physics_loss"]


class ProblemKey(NamedTuple):
    """What a system is made of, as plain values.

    Attributes:
        name: of the system.
        case: see `pinn_ext.systems.create`, as the next three.
        geometry: see there.
        boundary: see there.
        parameters: names and values.
        file: path of the problem file, None for a system by name.
    """

    name: str
    case: str | None
    geometry: str | None
    boundary: str | None
    parameters: tuple[tuple[str, Any], ...]
    file: str | None = None

    def build(self) -> System:
        """Return the system; errors name the configuration's keys."""
        given = dict(self.parameters)
        for key in ("boundary", "case", "geometry"):
            if key in given:
                raise ValueError(f"`problem.{key}` is the key of the {key}, not problem.parameters.")
        try:
            if self.name == FROM_FILE:
                return self._from_file(given)
            if self.file is not None:
                wanted = f"be left out unless problem.name={FROM_FILE}"
                raise ArgumentError("file", wanted, repr(self.file))
            return systems.create(
                self.name,
                case=self.case,
                geometry=self.geometry,
                boundary=self.boundary,
                **given,
            )
        except ArgumentError as error:
            named = error.name in self._fields
            raise (error.under("problem") if named else error) from None

    def _from_file(self, given: dict[str, Any]) -> System:
        if self.file is None:
            wanted = f"name the Python file of the problem for problem.name={FROM_FILE}"
            raise ArgumentError("file", wanted, "null")
        for key in ("case", "boundary"):
            if (value := getattr(self, key)) is not None:
                raise ArgumentError(key, "be left out, as the problem file says it", repr(value))
        system = systems.from_file(self.file, **given)
        try:
            return system if self.geometry is None else system.on(self.geometry)
        except ArgumentError as error:
            raise error.renamed("geometry") from None


class Description(NamedTuple):
    """All that a configuration says of a loss, as plain values: equal ones make equal losses.

    Attributes:
        problem: what the system is made of.
        conditions: see `PhysicsLoss`.
        scaling: see `pinn_ext.networks.term_scales`.
        scales: see there.
        use_rk4: see `PhysicsLoss`.
        step: see there.
        per_unit_time: see there.
        detach: see there.
    """

    problem: ProblemKey
    conditions: str
    scaling: str
    scales: tuple[float, ...] | None
    use_rk4: bool
    step: float
    per_unit_time: bool
    detach: bool

    def build(self, system: System | None = None) -> PhysicsLoss:
        """Return the loss.

        Args:
            system: the one described, if it has been built; None builds it.

        Returns:
            A new loss.

        Raises:
            ArgumentError: if there is no such system.
        """
        system = self.problem.build() if system is None else system
        return PhysicsLoss(
            system,
            conditions=self.conditions,
            scales=term_scales(system, self.scaling, self.scales),
            use_rk4=self.use_rk4,
            step=self.step,
            per_unit_time=self.per_unit_time,
            detach=self.detach,
        )


def describe(cfg: Config, *, rk4: bool = True) -> Description:
    """Return what a configuration says of its loss.

    Args:
        cfg: the configuration; `problem`, `dataset.step` and `training.loss` are read.
        rk4: False leaves the RK4 terms out whatever the configuration says.

    Returns:
        The description, which is cheap and can be a key.
    """
    problem, loss = cfg.problem, cfg.training.loss
    parameters = tuple(dict(problem.parameters).items())
    return Description(
        ProblemKey(
            problem.name,
            problem.case,
            problem.geometry,
            problem.boundary,
            parameters,
            problem.file,
        ),
        problem.conditions,
        problem.scaling,
        None if problem.scales is None else tuple(problem.scales),
        rk4 and loss.use_rk4,
        cfg.dataset.step,
        loss.rk4_per_unit_time,
        loss.rk4_detach,
    )


def physics_loss(cfg: Config, *, rk4: bool = True, system: System | None = None) -> PhysicsLoss:
    """Build the loss that a configuration describes.

    Args:
        cfg: the configuration; `problem`, `dataset.step` and `training.loss` are read.
        rk4: False leaves the RK4 terms out whatever the configuration says.
        system: that of `cfg.problem`, if it has been built; None builds it.

    Returns:
        The loss.
    """
    return describe(cfg, rk4=rk4).build(system)


def initial_weights(cfg: Config, names: Sequence[str]) -> dict[str, float]:
    """Return the weight of each loss term at the start.

    Args:
        cfg: the configuration; `training.loss` is read.
        names: of the terms.

    Returns:
        The weights by name, in the order of `names`, dimensionless.
    """
    return {name: getattr(cfg.training.loss, WEIGHT_KEYS[name]) for name in names}
