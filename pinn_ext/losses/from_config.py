"""The loss terms and the network that a configuration describes, and the weights at the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from pinn_ext import systems
from pinn_ext.checks import ArgumentError
from pinn_ext.choices import FROM_FILE
from pinn_ext.datasets.initial_states import read_initial_state
from pinn_ext.datasets.meshes import MeshDomain, mesh_domain
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.networks import FieldNetwork, term_scales
from pinn_ext.schema import WEIGHT_KEYS, Config, Problem, group_names
from pinn_ext.systems import System

__all__ = [
    "WEIGHT_KEYS",
    "Description",
    "describe",
    "field_network",
    "initial_weights",
    "physics_loss",
]


class Start(NamedTuple):
    """Where the initial state comes from, as plain values.

    Attributes:
        path: of the file.
        columns: see `read_reference`, as names and values.
        time: of the file, None for its first one.
    """

    path: str
    columns: tuple[tuple[str, str], ...]
    time: float | None

    def of(self, system: System) -> System:
        """Return a system that starts from it; errors name the configuration's keys."""
        try:
            state = read_initial_state(self.path, system, dict(self.columns) or None, self.time)
        except ArgumentError as error:
            keys = {"columns": "initial_columns", "time": "initial_time"}
            raise error.renamed(f"problem.{keys.get(error.name, 'initial')}") from None
        return systems.starting_from(system, state, f"that of {self.path}")


class ProblemKey(NamedTuple):
    """What a system is made of, as plain values.

    Attributes:
        name: of the system.
        case: see `pinn_ext.systems.create`, as the next three.
        geometry: see there.
        boundary: see there.
        parameters: names and values.
        file: path of the problem file, None for a system by name.
        mesh: path of the mesh that is the domain, None for another domain.
        dirichlet: groups of its boundary with given values, None for all of it.
        start: what `problem.initial` says, None for the system's own initial state.
    """

    name: str
    case: str | None
    geometry: str | None
    boundary: str | None
    parameters: tuple[tuple[str, Any], ...]
    file: str | None = None
    mesh: str | None = None
    dirichlet: tuple[str, ...] | None = None
    start: Start | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files that it is made of."""
        named = (self.file, self.mesh, None if self.start is None else self.start.path)
        return tuple(path for path in named if path is not None)

    def build(self) -> System:
        """Return the system; errors name the configuration's keys."""
        system = self._placed(self._domain())
        return system if self.start is None else self.start.of(system)

    def _domain(self) -> MeshDomain | None:
        if self.mesh is None:
            return None
        try:
            return mesh_domain(self.mesh)
        except ArgumentError as error:
            raise error.under("dataset") from None

    def _placed(self, domain: MeshDomain | None) -> System:
        """Return the system on its domain."""
        if domain is None:
            return self._named(None)
        try:
            system = self._named(domain)
            if self.file is not None and self.dirichlet is None:
                return system  # a problem file is tried out on the mesh
            return systems.on_domain(system, domain, self.dirichlet)
        except ArgumentError as error:
            if error.name == "dirichlet":
                raise error.renamed("problem.dirichlet_group") from None
            if error.name != "domain":
                raise
            raise ArgumentError("dataset.name", error.wanted, "'mesh'") from None

    def _named(self, domain: MeshDomain | None) -> System:
        given = dict(self.parameters)
        for key in ("boundary", "case", "geometry"):
            if key in given:
                raise ValueError(
                    f"`problem.{key}` is the key of the {key}, not problem.parameters."
                )
        try:
            if self.name == FROM_FILE:
                return self._from_file(given, domain)
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

    def _from_file(self, given: dict[str, Any], domain: MeshDomain | None) -> System:
        if self.file is None:
            wanted = f"name the Python file of the problem for problem.name={FROM_FILE}"
            raise ArgumentError("file", wanted, "null")
        for key in ("case", "boundary"):
            if (value := getattr(self, key)) is not None:
                raise ArgumentError(key, "be left out, as the problem file says it", repr(value))
        system = systems.from_file(self.file, domain, **given)
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
        cfg: the configuration; `problem`, `dataset.path`, `dataset.step` and `training.loss` are
            read.
        rk4: False leaves the RK4 terms out whatever the configuration says.

    Returns:
        The description, which is cheap and can be a key.
    """
    problem, loss = cfg.problem, cfg.training.loss
    parameters = tuple((key, _fixed(value)) for key, value in problem.parameters.items())
    return Description(
        ProblemKey(
            problem.name,
            problem.case,
            problem.geometry,
            problem.boundary,
            parameters,
            problem.file,
            cfg.dataset.path,
            group_names(problem),
            _start(problem),
        ),
        problem.conditions,
        problem.scaling,
        None if problem.scales is None else tuple(problem.scales),
        rk4 and loss.use_rk4,
        cfg.dataset.step,
        loss.rk4_per_unit_time,
        loss.rk4_detach,
    )


def _fixed(value: Any) -> Any:
    """Return a value that can be part of a key; a list, which no system takes, becomes a tuple."""
    return tuple(map(_fixed, value)) if isinstance(value, list) else value


def _start(problem: Problem) -> Start | None:
    if problem.initial is None:
        return None
    return Start(problem.initial, tuple(problem.initial_columns.items()), problem.initial_time)


def physics_loss(cfg: Config, *, rk4: bool = True, system: System | None = None) -> PhysicsLoss:
    """Build the loss that a configuration describes.

    Args:
        cfg: the configuration; `problem`, `dataset.path`, `dataset.step` and `training.loss` are
            read.
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


def field_network(cfg: Config, loss: PhysicsLoss) -> FieldNetwork:
    """Return the network that a configuration describes, its parameters as drawn.

    Args:
        cfg: the configuration; `network`, `problem` and `seed` are read.
        loss: of `physics_loss(cfg)`, with the system and the units of its fields.

    Returns:
        The network in torch's default float type, on its default device.
    """
    network = cfg.network
    waves = network.features == "fourier"
    return FieldNetwork(
        loss.system,
        list(network.hidden),
        activation=network.activation,
        conditions=cfg.problem.conditions,
        scaling=cfg.problem.scaling,
        scales=loss.scales,
        seed=cfg.seed,
        w0=network.w0 if network.activation == "sine" else None,
        features=network.features,
        fourier_frequencies=network.fourier_frequencies if waves else None,
        fourier_scale=network.fourier_scale if waves else None,
        first_layer=network.first_layer,
        sees_data=network.sees_data,
    )
