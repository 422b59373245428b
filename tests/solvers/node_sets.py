"""Node sets on simple domains, for the tests of operators and time steps."""

import numpy as np
from scipy.spatial import Delaunay

CIRCLES = {"disk": (1.0,), "annulus": (1.0, 0.4)}
CORNERS = {
    "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "l_shape": [(-1, -1), (1, -1), (1, 0), (0, 0), (0, 1), (-1, 1)],
}


def nodes(domain, spacing, seed):
    """Return points [N, 2] and how many of them, the first, lie on the boundary."""
    rng = np.random.default_rng(seed)
    line = spacing * np.arange(-int(1 / spacing) - 2, int(1 / spacing) + 3)
    inner = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    inner = inner + 0.5 * spacing * (rng.random(inner.shape) - 0.5)
    half = 0.5 * spacing
    if domain in CIRCLES:
        radius = np.linalg.norm(inner, axis=1)
        rings = CIRCLES[domain]
        keep = radius < rings[0] - half
        if len(rings) > 1:
            keep &= radius > rings[1] + half
        outer = np.concatenate([_circle(r, spacing) for r in rings])
    else:
        keep = (np.abs(inner) < 1 - half).all(1)
        if domain == "l_shape":
            keep &= ~(inner > -half).all(1)
        corners = np.array(CORNERS[domain], dtype=float)
        outer = np.concatenate(
            [_side(a, b, spacing) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)]
        )
    return np.concatenate([outer, inner[keep]]), len(outer)


def mesh(domain, spacing, seed):
    """Return points [N, 2] and triangles [T, 3] of a Delaunay triangulation of the domain."""
    points, _ = nodes(domain, spacing, seed)
    triangles = Delaunay(points).simplices
    centre = points[triangles].mean(1)
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    keep = area > 1e-6 * spacing**2
    if domain == "annulus":
        keep &= np.linalg.norm(centre, axis=1) > CIRCLES["annulus"][1] * np.cos(0.5 * spacing)
    if domain == "l_shape":
        keep &= ~(centre > 0).all(1)
    return points, triangles[keep]


def on_boundary(points, count):
    mask = np.zeros(len(points), dtype=bool)
    mask[:count] = True
    return mask


def slope(h, error):
    """Return the order that a regression through errors over spacings gives."""
    return float(np.polyfit(np.log(h), np.log(error), 1)[0])


def _circle(radius, spacing):
    angle = np.linspace(0, 2 * np.pi, int(2 * np.pi * radius / spacing), endpoint=False)
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


def _side(a, b, spacing):
    part = np.linspace(0, 1, round(np.linalg.norm(b - a) / spacing), endpoint=False)
    return a + part[:, None] * (b - a)
