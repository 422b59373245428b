"""Random advection, diffusion and reaction of two fields, by a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from solvers.operators import GraphOperators, cloud_graph, grid_graph
from solvers.rk4 import SemiDiscrete


@dataclass(frozen=True)
class Transport:
    """`du/dt = D lap u - c . grad u + R u`, its own D and c for each of two fields.

    Attributes:
        diffusion: [2], in length^2 / time.
        velocity: [2, d], in length / time.
        reaction: [2, 2], in 1 / time.
    """

    diffusion: np.ndarray
    velocity: np.ndarray
    reaction: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator, dimension: int, spacing: float) -> Transport:
        """Draw cell Peclet numbers from 0.05 to 20, directions, speeds and a reaction.

        The reaction decays at a rate of up to 1 in nine of ten, whatever it is in the others.
        """
        peclet = np.exp(rng.uniform(np.log(0.05), np.log(20.0), 2))
        velocity = rng.normal(size=(2, dimension)) * np.exp(0.5 * rng.normal(size=(2, 1)))
        diffusion = np.linalg.norm(velocity, axis=1) * spacing / (2 * peclet)
        reaction = rng.normal(size=(2, 2)) * np.exp(rng.uniform(np.log(0.1), np.log(10.0)))
        if rng.random() < 0.9:
            growth = np.linalg.eigvals(reaction).real.max()
            reaction -= (growth + rng.random()) * np.eye(2)
        return cls(diffusion, velocity, reaction)

    def rates(self, u: Any, v: Any, d: Any) -> tuple[Any, Any]:
        """Right-hand side as `SemiDiscrete` takes it."""
        rates = []
        for i, field in enumerate((u, v)):
            slopes = d.gradient(field)
            flow = sum(float(c) * g for c, g in zip(self.velocity[i], slopes, strict=True))
            moved = float(self.diffusion[i]) * d.laplacian(field) - flow
            rates.append(moved + float(self.reaction[i, 0]) * u + float(self.reaction[i, 1]) * v)
        return rates[0], rates[1]

    def matrix(self, d: GraphOperators) -> np.ndarray:
        """The same as a matrix [2 n, 2 n] on the nodes without boundary data."""
        free = (~d.boundary_mask).numpy()

        def part(axis: int | None) -> np.ndarray:
            return d.to_scipy(axis).toarray()[free][:, free]

        laplacian, gradient = part(None), [part(axis) for axis in range(d.dimension)]
        own = [
            self.diffusion[i] * laplacian
            - sum(self.velocity[i][a] * g for a, g in enumerate(gradient))
            for i in range(2)
        ]
        none = np.zeros_like(laplacian)
        coupling = np.kron(self.reaction, np.eye(len(laplacian)))
        return np.block([[own[0], none], [none, own[1]]]) + coupling

    def symbols(self, d: GraphOperators, shape: tuple[int, ...]) -> np.ndarray:
        """All eigenvalues on a periodic grid, by the Fourier transforms of the stencils."""
        pulse = torch.zeros(d.num_nodes, dtype=torch.float64)
        pulse[0] = 1.0

        def transform(values: torch.Tensor) -> np.ndarray:
            return np.fft.fftn(values.numpy().reshape(shape)).ravel()

        laplacian, gradient = transform(d.laplacian(pulse)), [*map(transform, d.gradient(pulse))]
        matrices = np.broadcast_to(self.reaction, (len(laplacian), 2, 2)).astype(complex)
        for i in range(2):
            flow = sum(self.velocity[i][a] * g for a, g in enumerate(gradient))
            matrices[:, i, i] += self.diffusion[i] * laplacian - flow
        return np.linalg.eigvals(matrices).ravel()


@dataclass(frozen=True)
class Operator:
    """One random operator.

    Attributes:
        nodes: "periodic", "dirichlet" (both on a grid) or "cloud" (with a Dirichlet boundary).
        shape: Nodes a side.
        order: Of the differences.
        transport: The equation.
        operators: The graph's operators.
    """

    nodes: str
    shape: tuple[int, ...]
    order: int
    transport: Transport
    operators: GraphOperators

    @property
    def system(self) -> SemiDiscrete:
        """The right-hand side."""
        return SemiDiscrete(self.transport.rates, self.operators)


def draw(seed: int) -> Operator:
    """Draw an operator: 32 to 256 nodes in one dimension, 8^2 to 20^2 in two."""
    rng = np.random.default_rng(seed)
    dimension = int(rng.integers(1, 3))
    nodes = str(rng.choice(["periodic", "dirichlet", "cloud"]))
    size = (
        int(np.exp(rng.uniform(np.log(32), np.log(257))))
        if dimension == 1
        else int(rng.integers(8, 21))
    )
    order = int(rng.choice([2, 4] if nodes == "cloud" else [2, 4, 6]))
    return make(rng, nodes, (size,) * dimension, order)


def make(rng: np.random.Generator, nodes: str, shape: tuple[int, ...], order: int) -> Operator:
    """Draw the equation, and the points of a cloud, on given nodes."""
    dimension = len(shape)
    if nodes == "cloud":
        points, edge = _points(rng, shape)
        graph = cloud_graph(points, order=order, dirichlet=edge)
    else:
        lower, upper = [0.0] * dimension, [1.0] * dimension
        graph = grid_graph(shape, lower, upper, boundary=nodes, order=order)  # type: ignore[arg-type]
    spacing = 1.0 / (shape[0] if nodes == "periodic" else shape[0] - 1)
    operators = GraphOperators.from_graph(graph)
    return Operator(nodes, shape, order, Transport.draw(rng, dimension, spacing), operators)


def _points(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """A grid's nodes, those inside moved by up to a quarter of the spacing, and its edge."""
    lines = [np.linspace(0.0, 1.0, n) for n in shape]
    points = np.stack(np.meshgrid(*lines, indexing="ij"), -1).reshape(-1, len(shape))
    edge = ((points == 0.0) | (points == 1.0)).any(1)
    moves = (rng.random(points.shape) - 0.5) * 0.5 / (shape[0] - 1)
    return points + moves * ~edge[:, None], edge
