"""Which steps are stable, and what is said of systems and operators for which none is."""

import math
import re
import warnings

import numpy as np
import pytest
import torch

from solvers.operators import GraphOperators, cloud_graph, grid_graph
from solvers.rk4 import (
    HEUN,
    RK4,
    SemiDiscrete,
    UnstableOperatorError,
    integrate,
    runge_kutta_step,
    stable_step,
)
from solvers.rk4.stability import spectral_abscissa, spectral_radius
from tests.solvers.node_sets import nodes, on_boundary

torch.set_num_threads(1)


def diffusion(u, v, d):
    return d.laplacian(u), 0.2 * d.laplacian(v)


def bent(shape, node, weight):
    """Return the graph of a grid, one node of which has a weight that feeds itself."""
    graph = grid_graph(shape, [0.0] * len(shape), [1.0] * len(shape), boundary="dirichlet")
    graph.edge_laplacian[graph.edge_index[1] == node] *= -weight
    return graph


@pytest.mark.parametrize(("shape", "node"), [([12, 12], 40), ([26, 26], 330)])
def test_a_spectrum_in_the_right_half_plane_is_refused_with_how_far(shape, node):
    d = GraphOperators.from_graph(bent(shape, node, 0.3))
    free = ~d.boundary_mask.numpy()
    values = np.linalg.eigvals(d.to_scipy().toarray()[free][:, free])
    assert spectral_abscissa(d) == pytest.approx(values.real.max(), rel=1e-2)
    system, state = SemiDiscrete(diffusion, d), torch.rand(d.num_nodes, 2, dtype=torch.float64)
    with pytest.raises(UnstableOperatorError) as caught:
        stable_step(system, state)
    number = float(re.search(r"real part (\S+) \(spectral radius", str(caught.value))[1])
    assert number == pytest.approx(values.real.max(), rel=2e-2)
    with pytest.raises(UnstableOperatorError, match="more neighbours or space them more evenly"):
        integrate(system, state, 0.0, 0.1, 0.01)
    # Whoever knows better may name a limit.
    assert integrate(system, state, 0.0, 2e-5, 1e-5, limit=1e-5).isfinite().all()


def test_good_operators_are_not_accused():
    points, count = nodes("l_shape", 0.055, 0)
    for order in (2, 4):
        graph = cloud_graph(points, order=order, dirichlet=on_boundary(points, count))
        d = GraphOperators.from_graph(graph)
        assert int((~d.boundary_mask).sum()) > 512
        assert spectral_abscissa(d) == 0.0
    single = d.to(dtype=torch.float32)
    assert spectral_abscissa(single) == 0.0
    periodic = GraphOperators.from_graph(grid_graph([30, 30], [0, 0], [1, 1], order=6))
    assert spectral_abscissa(periodic) == 0.0
    every = GraphOperators.from_graph(grid_graph([4], [0], [1], boundary="dirichlet"))
    assert spectral_abscissa(every) == 0.0


def test_spectral_radius():
    d = GraphOperators.from_graph(grid_graph([20, 30], [0, 0], [1, 1], order=4))
    known = np.abs(np.linalg.eigvals(d.to_scipy().toarray())).max()
    assert 0.97 * known < spectral_radius(d) <= known * (1 + 1e-12)


def test_negative_diffusion_is_refused_and_growth_is_warned_of():
    d = GraphOperators.from_graph(grid_graph([16, 16], [0.0, 0.0], [1.0, 1.0]))
    state = torch.rand(256, 2, dtype=torch.float64)
    backwards = SemiDiscrete(lambda u, v, d: (-0.01 * d.laplacian(u), d.laplacian(v) * 0), d)
    with pytest.raises(UnstableOperatorError, match=r"rate of 20\.\d: is a diffusion constant neg"):
        stable_step(backwards, state)
    with pytest.warns(RuntimeWarning, match="growth at a rate of 2, which no step makes decay"):
        assert stable_step(lambda t, s: 2 * s, state) == pytest.approx(0.98 * 2.7853 / 2, rel=1e-3)
    growing = SemiDiscrete(lambda u, v, d: (3 * u + 1e-4 * d.laplacian(u), -v), d)
    with pytest.warns(RuntimeWarning, match="growth at a rate of 3"):
        stable_step(growing, state)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stable_step(SemiDiscrete(lambda u, v, d: (u + d.laplacian(u), -v), d), state)


@pytest.mark.parametrize("method", [RK4, HEUN])
def test_the_step_of_a_non_normal_operator(method):
    """Advection with diffusion on scattered points: stable at the step, unstable a little above."""
    points, count = nodes("disk", 0.12, 1)
    d = GraphOperators.from_graph(cloud_graph(points, dirichlet=on_boundary(points, count)))

    def rhs(u, v, d):
        return 0.05 * d.laplacian(u) - 2.0 * d.gradient(u)[0], 0.01 * d.laplacian(v)

    system, n = SemiDiscrete(rhs, d), d.num_nodes
    state = torch.randn(n, 2, dtype=torch.float64) * ~d.boundary_mask[:, None]
    step = stable_step(system, state, method=method)
    matrix = torch.stack(
        [system(0.0, e.view(n, 2)).flatten() for e in torch.eye(2 * n, dtype=torch.float64)], 1
    )
    values = np.linalg.eigvals(matrix.numpy())

    def growth(h):
        z, total, term = h * values, 0, 1
        for k in range(method.order() + 1):
            total, term = total + term, term * z / (k + 1)
        return np.abs(total).max()

    assert growth(step) <= 1 + 1e-9
    assert growth(1.25 * step) > 1.001
    sizes = []
    for h in (step, 1.4 * step):
        s = state
        for _ in range(400):
            s = runge_kutta_step(system, s, 0.0, h, method=method)
        sizes.append(float(s.norm()))
    assert sizes[0] < float(state.norm()) and not sizes[1] < 1e3


def test_oscillation_has_no_stable_step_of_heun():
    def turn(t, s):
        return torch.stack([s[:, 1], -s[:, 0]], 1)

    state = torch.ones(2, 2, dtype=torch.float64)
    assert stable_step(turn, state) == pytest.approx(0.98 * math.sqrt(8.0), rel=1e-6)
    with pytest.raises(ValueError, match=r"stable for oscillations such as .*got heun.*take rk4"):
        stable_step(turn, state, method="heun")
    assert math.isfinite(stable_step(lambda t, s: turn(t, s) - s, state, method="heun"))
