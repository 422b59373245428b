"""A reference for the lid-driven cavity: Chebyshev polynomials for its stream function.

Steady Navier-Stokes on the unit square, at rest on three walls, `u = 4 x (1 - x)` on the lid y = 1.
With `u = psi_y, v = -psi_x, w = lap psi` it is `u w_x + v w_y = lap w / Re`.

The lid's speed has a slope of 4 in its corners, where the side walls stand still: there the
velocity has no gradient, and the pressure a logarithm. Both belong to the solution of Stokes'
equations in a corner with such walls. With X along the lid and Y down the side wall, from the
corner, and the angle `a = atan2(X, Y)`, it is

    psi = 2 (X^2 + Y^2) a - 2 X Y - pi X^2,    p = +-(8 / Re) log(X^2 + Y^2) / 2,

+ on the left, - on the right. (That of a lid of constant speed, homogeneous of degree 1 in place of
2, is Taylor's: Batchelor, An Introduction to Fluid Dynamics, section 4.8.) It is subtracted; what
is left is smooth enough for polynomials. The pressure is integrated from the momentum equations.

`python benchmarks/_records/cavity.py` builds the stored solution, two minutes of a core, and says
how far it is from one of lower degree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

Array = np.ndarray
FILE = Path(__file__).with_name("cavity_re100.npz")
DEGREE = 64


@dataclass(frozen=True)
class Cavity:
    """Velocity and pressure as polynomials beside the two corner solutions.

    Attributes:
        reynolds: number of Reynolds, of the unit square and speed.
        nodes: [N + 1] Chebyshev nodes on [0, 1], falling.
        smooth: [3, N + 1, N + 1], u, v and p at them without the corner solutions.
        curl: largest difference of p by two ways of integration over its largest absolute value.
    """

    reynolds: float
    nodes: Array
    smooth: Array
    curl: float

    def evaluate(self, x: Array) -> Array:
        """Return u, v and p `[N, 3]` at points `[N, 2]`; the mean of p is arbitrary."""
        ways = [_interpolation(self.nodes, x[:, k]) for k in (0, 1)]
        smooth = np.einsum("pi,fij,pj->pf", ways[0], self.smooth, ways[1], optimize=True)
        left, right = _corners(x[:, 0], x[:, 1])
        log = np.log(left["r2"] / right["r2"])  # twice the difference of the logarithms of r
        corner = [left["y"] + right["y"], -left["x"] - right["x"], 4.0 / self.reynolds * log]
        return smooth + np.stack(corner, axis=1)


def solve(nodes: int, reynolds: float = 100.0, tolerance: float = 1e-11) -> Cavity:
    """Solve for the stream function by Newton's method, then for the pressure.

    Args:
        nodes: N, the degree of the polynomials in each direction; even.
        reynolds: number of Reynolds.
        tolerance: of the last step, relative.

    Returns:
        The solution.

    Raises:
        RuntimeError: if Newton's method does not converge.
    """
    x, first = _chebyshev(nodes)
    corner = _sum(*_corners(x[:, None], x[None, :]))
    lift = _lift(x, corner)
    smooth = lift + _bubble(x, first, lift, corner, 1.0 / reynolds, tolerance)
    u, v = smooth @ first.T, -first @ smooth
    fields = _pressure(x, first, u, v, corner, 1.0 / reynolds)
    return Cavity(reynolds, x, np.stack([u, v, fields[0]]), fields[1])


# ---- the corners ------------------------------------------------------------------------------


def _corners(x: Array, y: Array) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return `psi`, its derivatives and `r2` of the corner solutions, left and right."""
    both = []
    for along, sign in ((x, 1.0), (1.0 - x, -1.0)):
        down = 1.0 - y + 0.0 * x
        along = along + 0.0 * y
        a, r2 = np.arctan2(along, down), np.maximum(along**2 + down**2, 1e-300)
        both.append(
            {
                "psi": 2.0 * (r2 * a - along * down) - np.pi * along**2,
                "x": sign * along * (4.0 * a - 2.0 * np.pi),
                "y": 4.0 * (along - down * a),
                "xx": 4.0 * a - 2.0 * np.pi + 4.0 * along * down / r2,
                "xy": sign * 4.0 * along**2 / r2,
                "yy": 4.0 * a - 4.0 * along * down / r2,
                "w_x": sign * 8.0 * down / r2,
                "w_y": 8.0 * along / r2,
                "r2": r2,
            }
        )
    return both[0], both[1]


def _sum(left: dict[str, Array], right: dict[str, Array]) -> dict[str, Array]:
    return {key: left[key] + right[key] for key in left}


# ---- the stream function ----------------------------------------------------------------------


def _lift(x: Array, corner: dict[str, Array]) -> Array:
    """Return values `[N + 1, N + 1]` with the boundary data that the corner solutions leave.

    The Boolean sum of cubic Hermite interpolation in both directions.
    """
    far, near = 3.0 * x**2 - 2.0 * x**3, 1.0 - 3.0 * x**2 + 2.0 * x**3
    at_far, at_near = x**3 - x**2, x - 2.0 * x**2 + x**3
    basis = np.stack([near, far, at_near, at_far])
    _, first = _chebyshev(len(x) - 1)
    lid = 4.0 * x * (1.0 - x)
    sides = -np.stack([corner["psi"][-1], corner["psi"][0], corner["x"][-1], corner["x"][0]])
    floor = [-corner["psi"][:, -1], -corner["psi"][:, 0], -corner["y"][:, -1]]
    ends = np.stack([*floor, lid - corner["y"][:, 0]])
    across = basis.T @ sides  # [x, y]
    upward = ends.T @ basis
    # The values and slopes of `across` at floor and lid, and what they stand for.
    slopes = across @ first.T
    own = np.stack([across[:, -1], across[:, 0], slopes[:, -1], slopes[:, 0]])
    return across + upward - own.T @ basis


def _bubble(
    x: Array,
    first: Array,
    lift: Array,
    corner: dict[str, Array],
    viscosity: float,
    tolerance: float,
) -> Array:
    """Return what is missing from `lift` `[N + 1, N + 1]`, 0 with its slope on all walls."""
    one, two, three, four = _clamped(x, first)
    eye, inner = np.eye(len(one)), slice(1, -1)
    laplacian = {"x": np.kron(three, eye) + np.kron(one, two)}
    laplacian["y"] = np.kron(two, one) + np.kron(eye, three)
    along, up = np.kron(one, eye), np.kron(eye, one)
    biharmonic = np.kron(four, eye) + 2.0 * np.kron(two, two) + np.kron(eye, four)
    second = first @ first
    vorticity = second @ lift + lift @ second.T
    given = {
        "u": (lift @ first.T + corner["y"])[inner, inner],
        "v": -(first @ lift + corner["x"])[inner, inner],
        "w_x": (first @ vorticity + corner["w_x"])[inner, inner],
        "w_y": (vorticity @ first.T + corner["w_y"])[inner, inner],
        "rest": viscosity * (second @ vorticity + vorticity @ second.T)[inner, inner],
    }
    given = {key: value.ravel() for key, value in given.items()}
    h = np.zeros(len(biharmonic))
    for _ in range(30):
        u, v = given["u"] + up @ h, given["v"] - along @ h
        w_x, w_y = given["w_x"] + laplacian["x"] @ h, given["w_y"] + laplacian["y"] @ h
        residual = viscosity * (biharmonic @ h) + given["rest"] - u * w_x - v * w_y
        jacobian = viscosity * biharmonic - w_x[:, None] * up + w_y[:, None] * along
        jacobian -= u[:, None] * laplacian["x"] + v[:, None] * laplacian["y"]
        step = np.linalg.solve(jacobian, -residual)
        h += step
        if np.abs(step).max() <= tolerance * np.abs(h).max():
            return np.pad(h.reshape(len(one), -1), 1)
    raise RuntimeError(f"Newton's method does not converge with {len(x) - 1} nodes.")


def _clamped(x: Array, first: Array) -> tuple[Array, Array, Array, Array]:
    """Return four derivatives at the inner nodes of polynomials with clamped ends.

    The polynomials and their slopes are 0 at both ends, so they are `b q`, `b = x (1 - x)`, with a
    polynomial q that is 0 at the ends.
    """
    inner = slice(1, -1)
    powers = [np.eye(len(x)), first]
    for _ in range(3):
        powers.append(first @ powers[-1])
    q = [power[inner, inner] for power in powers]
    x = x[inner, None]
    b, slope = x * (1.0 - x), 1.0 - 2.0 * x
    # Leibniz; the second derivative of b is -2.
    of_q = [b * q[k] + k * slope * q[k - 1] - k * (k - 1) * q[max(k - 2, 0)] for k in range(1, 5)]
    one, two, three, four = (matrix / b.T for matrix in of_q)
    return one, two, three, four


# ---- the pressure -----------------------------------------------------------------------------


def _pressure(
    x: Array, first: Array, u: Array, v: Array, corner: dict[str, Array], viscosity: float
) -> tuple[Array, float]:
    """Return p `[N + 1, N + 1]` without logarithms, and how far two ways to it lie apart."""
    second = first @ first
    whole_u, whole_v = u + corner["y"], v - corner["x"]
    u_x, u_y = first @ u + corner["xy"], u @ first.T + corner["yy"]
    v_x, v_y = first @ v - corner["xx"], v @ first.T - corner["xy"]
    p_x = viscosity * (second @ u + u @ second.T) - whole_u * u_x - whole_v * u_y
    p_y = viscosity * (second @ v + v @ second.T) - whole_u * v_x - whole_v * v_y
    middle, integral = len(x) // 2, np.linalg.pinv(first)
    across, upward = integral @ p_x, p_y @ integral.T
    ways = (
        across - across[middle] + (upward[middle] - upward[middle, middle]),
        upward - upward[:, [middle]] + (across[:, [middle]] - across[middle, middle]),
    )
    p = 0.5 * (ways[0] + ways[1])
    return p, float(np.abs(ways[0] - ways[1]).max() / np.abs(p).max())


# ---- polynomials ------------------------------------------------------------------------------


def _chebyshev(degree: int) -> tuple[Array, Array]:
    """Return the extrema of a Chebyshev polynomial on [0, 1], falling, and the derivative there."""
    x = np.cos(np.pi * np.arange(degree + 1) / degree)
    c = np.where((np.arange(degree + 1) % degree) == 0, 2.0, 1.0) * (-1.0) ** np.arange(degree + 1)
    # Differences of cosines as products of sines keep the digits of close nodes.
    half = 0.5 * np.pi * np.arange(degree + 1) / degree
    gaps = -2.0 * np.sin(half[:, None] + half) * np.sin(half[:, None] - half)
    matrix = np.outer(c, 1.0 / c) / (gaps + np.eye(degree + 1))
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return 0.5 * (1.0 + x), 2.0 * matrix


def _interpolation(nodes: Array, x: Array) -> Array:
    """Return the matrix `[points, nodes]` of barycentric interpolation."""
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] *= 0.5
    gaps = x[:, None] - nodes
    hit = gaps == 0.0
    gaps[hit] = 1.0
    rows = weights / gaps
    rows[hit.any(axis=1)] = 0.0
    rows[hit] = 1.0
    return rows / rows.sum(axis=1, keepdims=True)


# ---- the stored solution ----------------------------------------------------------------------


def middles(cells: int = 200) -> Array:
    """Return the middles of cells x cells squares, `[cells^2, 2]`."""
    axis = (np.arange(cells) + 0.5) / cells
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)


def stored(path: Path = FILE) -> Cavity:
    """Return the solution that lies in this folder, of degree 64 at Re = 100."""
    with np.load(path, allow_pickle=False) as file:
        return Cavity(float(file["reynolds"]), file["nodes"], file["smooth"], float(file["curl"]))


def difference(one: Cavity, other: Cavity, cells: int = 200) -> Array:
    """Return the relative L2 difference of u, v and p, the mean of p removed."""
    found, true = (each.evaluate(middles(cells)) for each in (one, other))
    miss = found - true
    miss[:, 2] -= miss[:, 2].mean()
    true[:, 2] -= true[:, 2].mean()
    return np.linalg.norm(miss, axis=0) / np.linalg.norm(true, axis=0)


def main() -> None:
    """Build the stored solution, and compare it with one of lower degree."""
    coarse, fine = solve(DEGREE - 8), solve(DEGREE)
    u, v, p = difference(coarse, fine)
    print(f"degree {DEGREE - 8} against {DEGREE}: u {u:.1e}, v {v:.1e}, p {p:.1e}")
    arrays = {"nodes": fine.nodes, "smooth": fine.smooth}
    np.savez_compressed(FILE, **arrays, curl=fine.curl, reynolds=fine.reynolds)
    print(f"written: {FILE}")


if __name__ == "__main__":
    main()
