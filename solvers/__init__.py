"""Numerical solvers in torch, usable without any PINN library.

- `solvers.operators`: Laplacian and gradient on the nodes of grids, point clouds and meshes, as
  weights on the edges of a graph. Only this package imports torch-geometric.
- `solvers.rk4`: Runge-Kutta steps for equations of two coupled fields on such a graph, integration
  over many steps, the largest stable step, and the mismatch of a network's fields with one step.
- `solvers.gauss_newton`: nonlinear least squares by Levenberg-Marquardt and Gauss-Newton, for any
  residual function of a vector; `solvers.least_squares` is its `least_squares`.
- `solvers.quasi_newton`: minima of any smooth function by self-scaled Broyden and BFGS steps.

`rk4` works on the graphs of `operators`; `gauss_newton` and `quasi_newton` share no import with
either, nor with each other. Nothing here imports `pinn_ext`. `import solvers` alone loads neither
torch nor any of the four packages.
Start with the `__init__.py` of the package you need: it names the file to open first.
`tableaus`, `semidiscrete` and `stability` are the former places of modules of `rk4`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .gauss_newton import least_squares

__all__ = ["MARKER", "least_squares"]

# The name `solvers` is generic: pinn_ext reads this to see that it imported the right package.
MARKER = "pinn_ext.solvers"


def __getattr__(name: str) -> Any:
    """Load `least_squares` when it is first used, so that `import solvers` stays light."""
    if name == "least_squares":
        from .gauss_newton import least_squares

        return least_squares
    raise AttributeError(f"module 'solvers' has no attribute {name!r}")
