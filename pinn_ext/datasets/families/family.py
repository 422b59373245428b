"""A family of problems: one equation from many initial states, with constants that may vary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data

from pinn_ext.checks import ArgumentError, check_fits, check_list, check_number
from pinn_ext.choices import MESH
from pinn_ext.datasets.families.initial_fields import Spectrum, random_fields
from pinn_ext.datasets.families.nodes import NodeSet
from pinn_ext.datasets.meshes import ENDINGS
from pinn_ext.systems import System
from pinn_ext.systems.constants import check_constants, rhs_with
from solvers.operators import GraphOperators
from solvers.rk4 import SemiDiscrete
from solvers.rk4.semidiscrete import takes_place

Interval = tuple[float, float]
_STRIDE = 1_000_003  # between the seeds of two splits


@dataclass(frozen=True)
class Family:
    """Problems of one equation that differ in their initial state and, if asked for, in constants.

    Each initial state is `mean + spread z`, or where concentrations must stay positive
    `mean exp(spread z - spread^2 / 2)`, with z a random field of mean 0 and variance 1.

    Args:
        system: gives the equation, the box and the domain; its own data are not used.
        constants: of the equation by name: a number, or the two ends it is drawn between, evenly.
        mean: of u and of v at the start.
        spread: standard deviation of each, or of its logarithm.
        positive: whether the fields are concentrations.
        spectrum: of z.
        nodes: where the fields are known.
        horizon: longest time of one step of a network.
        steps: such steps in a reference trajectory.
        seed: of the random numbers.

    Raises:
        ArgumentError: if an argument is out of range, the equation has sources or coefficients that
            vary with place or time, or the nodes do not fit the system.

    Example:
        >>> from pinn_ext import systems
        >>> system, nodes = systems.create("brusselator"), NodeSet(per_side=6)
        >>> constants = {"feed": (0.8, 1.2), "decay": 2.5, "diffusion": 0.05}
        >>> family = Family(system, constants, mean=(1.0, 1.7), spread=(0.2, 0.2), nodes=nodes)
        >>> family.varied, family.problem(0, 7).x.shape  # u and v on 6 x 6 nodes
        (['feed'], torch.Size([36, 2]))
        >>> [round(number, 3) for number in (*family.scales, *family.deviations)]
        [1.02, 1.734, 0.202, 0.343]
        >>> family.all_constants()[0], family.description()["horizon"], family.on(["square"]).varied
        (('feed', (0.8, 1.2)), 1.0, ['feed'])
        >>> family.text()[0][:41]
        'Family of brusselator: feed in [0.8, 1.2]'
        >>> problem = family.problem(0, 7)
        >>> d = GraphOperators.from_graph(problem)
        >>> family.equation(d, problem.parameters)(0.0, problem.x).shape  # rates of change
        torch.Size([36, 2])
    """

    system: System
    constants: Mapping[str, float | Interval]
    mean: Interval
    spread: Interval
    positive: bool = True
    spectrum: Spectrum = field(default_factory=Spectrum)
    nodes: NodeSet = field(default_factory=NodeSet)
    horizon: float = 1.0
    steps: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no family."""
        if takes_place(self.system.rhs):
            wanted = "have an equation without sources or coefficients that vary with place or time"
            raise ArgumentError("system", wanted, self.system.name)
        check_constants(self.system, self.constants)
        for name, value in self.constants.items():
            _check_constant(name, value)
        for name in ("mean", "spread"):
            _check_pair(name, getattr(self, name), 0 if self.positive or name == "spread" else None)
        periodic = self.nodes.boundary == "periodic"
        if self.spectrum.kind == "fourier" and not periodic:
            wanted = "be gaussian on a boundary that is not periodic"
            raise ArgumentError("fields", wanted, "'fourier'")
        if self.spectrum.kind == "gaussian" and periodic:
            raise ArgumentError("fields", "be fourier on a periodic boundary", "'gaussian'")
        check_number("horizon", self.horizon, 0, open_low=True)
        check_fits("horizon", self.horizon, "float32")
        check_number("steps", self.steps, 1, integer=True)
        check_number("seed", self.seed, 0, integer=True)

    @property
    def varied(self) -> list[str]:
        """Names of the constants that are not the same in all problems."""
        return [name for name, value in self.constants.items() if isinstance(value, tuple)]

    @property
    def scales(self) -> Interval:
        """Size of u and of v: root mean square at the start, over the random numbers."""
        u, v = (
            (m * m * _square_of_exponential(s)) ** 0.5 if self.positive else (m * m + s * s) ** 0.5
            for m, s in zip(self.mean, self.spread, strict=True)
        )
        return u, v

    @property
    def deviations(self) -> Interval:
        """Standard deviation of u and of v at the start, over the random numbers."""
        u, v = (
            m * (_square_of_exponential(s) - 1.0) ** 0.5 if self.positive else s
            for m, s in zip(self.mean, self.spread, strict=True)
        )
        return u, v

    def problem(self, split: int, number: int, shared: Data | None = None) -> Data:
        """Return one problem of the family.

        Args:
            split: 0 of the training, 1 of the validation, 2 of the test.
            number: of the problem in its split, from 0; nothing else decides its random numbers.
            shared: the nodes, where they are those of all problems.

        Returns:
            Its nodes with `x` `[n, 2]`, the state at the start, and `parameters` `[1, p]`, the
            constants that vary as multiples of half their interval around its middle.
        """
        seed = self.seed + _STRIDE * (1 + split)
        generator = torch.Generator(device="cpu").manual_seed(seed * _STRIDE + number)
        graph = self.nodes.graph(self.system, number, seed) if shared is None else shared.clone()
        place = random_fields(graph.pos, *self.nodes.box(self.system), self.spectrum, generator)
        mean, spread = (
            torch.tensor(pair, dtype=torch.float64, device="cpu")
            for pair in (self.mean, self.spread)
        )
        if self.positive:
            graph.x = mean * torch.exp(spread * place - 0.5 * spread**2)
        else:
            graph.x = mean + spread * place
        drawn = torch.rand(len(self.varied), generator=generator, dtype=torch.float64, device="cpu")
        graph.parameters = 2.0 * drawn[None] - 1.0
        return graph

    def equation(
        self, operators: GraphOperators, parameters: Tensor, owner: Tensor | None = None
    ) -> SemiDiscrete:
        """Return the rates of change of the state `[N, 2]` on graphs of the family.

        Nodes of a Dirichlet boundary keep their values; at others no flux passes.

        Args:
            operators: of a graph, or of a batch of G graphs.
            parameters: `[G, p]`, see `problem`.
            owner: number of the graph of each node `[N]`; None for a single graph.

        Returns:
            The system of ordinary equations.
        """
        values: dict[str, float | Tensor] = {}
        for column, name in enumerate(self.varied):
            low, high = self.constants[name]  # type: ignore[misc]  # an interval, as it is varied
            own = low + (high - low) * 0.5 * (1.0 + parameters[:, column].to(operators.pos))
            values[name] = own.expand(operators.num_nodes) if owner is None else own[owner]
        fixed = {k: float(v) for k, v in self.constants.items() if not isinstance(v, tuple)}
        return SemiDiscrete(rhs_with(self.system, {**fixed, **values}), operators)

    def on(self, domains: Sequence[str]) -> Family:
        """Return the same problems on other domains, for a network that was trained on these.

        Relative positions keep their unit, as the network knows it.

        Args:
            domains: names of domains in the box, or paths of mesh files.

        Returns:
            A copy.

        Raises:
            ArgumentError: if there are no such domains, or the nodes cannot lie on them.
        """
        meshes = all(Path(name).suffix.lower() in ENDINGS for name in domains)
        if not meshes and self.nodes.name == MESH:
            raise ArgumentError("domains", "name mesh files, as in training", ", ".join(domains))
        nodes = replace(
            self.nodes,
            name=MESH if meshes else self.nodes.name,
            own=self.nodes.own and not meshes,
            domains=tuple(domains),
            unit=self.nodes.spacing(self.system),
        )
        return replace(self, nodes=nodes)

    def description(self) -> dict[str, Any]:
        """Return all that decides the problems, as plain values."""
        system, domain = self.system, self.system.geometry
        return {
            "system": system.name,
            "case": system.case,
            "lower": list(system.lower),
            "upper": list(system.upper),
            "domain": domain.name,
            "values": _plain_values(system),
            "constants": {
                k: list(v) if isinstance(v, tuple) else float(v) for k, v in self.all_constants()
            },
            "mean": list(map(float, self.mean)),
            "spread": list(map(float, self.spread)),
            "positive": self.positive,
            "spectrum": asdict(self.spectrum),
            "nodes": self.nodes.description(system),
            "horizon": float(self.horizon),
            "steps": self.steps,
            "seed": self.seed,
        }

    def all_constants(self) -> list[tuple[str, float | Interval]]:
        """Return every constant of the equation with its value, the system's own where not said."""
        names = self.system.constants
        return [(name, self.constants.get(name, getattr(self.system, name))) for name in names]

    def text(self) -> list[str]:
        """Return what it is, in two lines for a user."""
        constants = ", ".join(
            f"{name} in [{value[0]:g}, {value[1]:g}]" if isinstance(value, tuple)
            else f"{name} = {value:g}"
            for name, value in self.all_constants()
        )  # fmt: skip
        nodes, box = self.nodes, zip(*self.nodes.box(self.system), strict=True)
        domains = ", ".join(place.name for place in nodes.places(self.system))
        size = "" if nodes.name == MESH else f" of {nodes.per_side} nodes a side"
        where = " x ".join(f"[{low:g}, {high:g}]" for low, high in box)
        law = "mean exp(spread z - spread^2 / 2)" if self.positive else "mean + spread z"
        own = ", each problem its own" if nodes.own else ""
        return [
            f"Family of {self.system.name}: {constants or 'its own constants'}; {nodes.boundary} "
            f"{domains} in {where}, {nodes.name}{size}, order {nodes.order}{own}.",
            f"Initial states {law}: mean {_pair(self.mean)}, spread {_pair(self.spread)}, z "
            f"{self.spectrum.text()}; seed {self.seed}.",
        ]


def _plain_values(system: System) -> dict[str, Any]:
    """Return what a system was made of, as far as it is plain: any of it may enter its equation."""
    kinds = (bool, int, float, str)
    found: dict[str, Any] = {
        name: value
        for name, value in vars(system).items()
        if isinstance(value, kinds)
        or (isinstance(value, (list, tuple)) and all(isinstance(own, kinds) for own in value))
    }
    source = getattr(system, "source", None)
    if source is not None:  # a problem file, whose functions have the parameters
        found |= {"text": source.digest, "parameters": getattr(system, "parameters", {})}
    return found


def _pair(values: Interval) -> str:
    return f"({values[0]:g}, {values[1]:g})"


def _square_of_exponential(spread: float) -> float:
    """Return the mean square of `exp(s z - s^2 / 2)` for a normal z."""
    return math.exp(spread * spread)


def _check_constant(name: str, value: float | Interval) -> None:
    if not isinstance(value, tuple):
        check_number(f"constants.{name}", value)
        return
    ends = check_list(f"constants.{name}", value, "be a number or the two ends of an interval")
    for end in ends:
        check_number(f"constants.{name}", end)
    if len(ends) != 2 or not ends[0] < ends[1]:
        wanted = "be a number or the two ends of an interval, the lower one first"
        raise ArgumentError(f"constants.{name}", wanted, ends)


def _check_pair(name: str, pair: Interval, low: float | None) -> None:
    if len(check_list(name, pair, "hold one number for u and one for v")) != 2:
        raise ArgumentError(name, "hold one number for u and one for v", list(pair))
    for value in pair:
        check_number(name, value, *([] if low is None else [low]), open_low=low is not None)
