"""Patterns of the Gray-Scott system on a disk of scattered points, by `solvers` alone.

No network is trained: generalised finite differences on 8000 points, no flux through the rim, the
classical Runge-Kutta method. Draws `gray_scott_on_a_graph.png` and compares the beginning with
scipy's DOP853 on the same matrix.
"""

import numpy as np
import torch
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

from solvers.operators import GraphOperators, cloud_graph, reorder
from solvers.rk4 import SemiDiscrete, integrate

RADIUS, SPACING = 50.0, 1.0
FEED, KILL = 0.035, 0.06
SEEDS = [(0, 0), (18, 9), (-12, 20)]


def disk(radius, spacing):
    """Return points [N, 2], spread like the seeds of a sunflower, and normals on the rim."""
    count = round(2 * np.pi * radius / spacing)
    rim = radius * np.exp(2j * np.pi * np.arange(count) / count)
    k = np.arange(int(np.pi * (radius / spacing) ** 2)) + 0.5
    seeds = radius * np.sqrt(k / len(k)) * np.exp(1j * np.pi * (1 + np.sqrt(5)) * k)
    points = np.concatenate([rim, seeds[np.abs(seeds) < radius - 0.6 * spacing]])
    normals = np.where(np.arange(len(points)) < count, points / radius, 0)
    return np.stack([points.real, points.imag], 1), np.stack([normals.real, normals.imag], 1)


def gray_scott(u, v, d):
    turnover = u * v * v
    return (
        0.16 * d.laplacian(u) - turnover + FEED * (1 - u),
        0.08 * d.laplacian(v) + turnover - (FEED + KILL) * v,
    )


def scipy_solution(d, start, end):
    """Return the state at `end` from the same matrix, by another method at a tight tolerance."""
    matrix, n = d.to_scipy(), d.num_nodes

    def rates(t, y):
        u, v = y[:n], y[n:]
        turnover = u * v * v
        du = 0.16 * (matrix @ u) - turnover + FEED * (1 - u)
        return np.concatenate([du, 0.08 * (matrix @ v) + turnover - (FEED + KILL) * v])

    flat = start.numpy().T.ravel()
    return (
        solve_ivp(rates, (0, end), flat, "DOP853", rtol=1e-10, atol=1e-12).y[:, -1].reshape(2, n).T
    )


def main():
    torch.set_num_threads(1)
    points, normals = disk(RADIUS, SPACING)
    graph = reorder(cloud_graph(points, normals=normals))
    d = GraphOperators.from_graph(graph)
    system = SemiDiscrete(gray_scott, d)
    x, y = d.pos.unbind(1)
    seeds = torch.stack(
        [(-((x - a) ** 2 + (y - b) ** 2) / 20).exp() for a, b in ((0, 0), (18, 9), (-12, 20))]
    )
    v = 0.5 * seeds.sum(0)
    start = torch.stack([1 - v, v], 1)

    times = [50.0, 1000.0, 2500.0, 5000.0]
    print(f"{d.num_nodes} nodes, {d.num_edges} edges, order {d.order}, {times[-1]:g} units of time")
    states = integrate(system, start, 0.0, times[-1], 1.0, save_at=times)

    figure = Figure(figsize=(7.5, 2.6), layout="constrained")
    axes = figure.subplots(1, 3)
    for axis, time, state in zip(axes, times[1:], states[1:], strict=True):
        picture = axis.tripcolor(x, y, state[:, 1], shading="gouraud", cmap="magma")
        axis.set(title=f"v at t = {time:g}", aspect="equal")
        axis.set_axis_off()
    figure.colorbar(picture, ax=axes, shrink=0.8)
    figure.savefig("gray_scott_on_a_graph.png", dpi=120)
    print("picture: gray_scott_on_a_graph.png")

    reference = scipy_solution(d, start, times[0])
    error = np.linalg.norm(states[0].numpy() - reference) / np.linalg.norm(reference)
    print(f"relative L2 error at t = {times[0]:g} against scipy's DOP853: {error:.1e}")
    assert error < 1e-6, error


if __name__ == "__main__":
    main()
