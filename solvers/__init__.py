"""Solvers for coupled two-field systems on graphs, usable without any PINN library.

Import from the submodules: `solvers.operators` (Laplacian and gradient on a graph) and
`solvers.rk4` (Runge-Kutta steps, integration, stability).
"""

__all__ = ["MARKER"]

# The name `solvers` is generic: pinn_ext reads this to see that it imported the right package.
MARKER = "pinn_ext.solvers"
