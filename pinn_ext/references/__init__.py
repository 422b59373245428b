"""Reference solutions of problems that have no closed form, stored with the package.

In comes a name, `load("gray_scott/jaxpi")`; out comes a `Reference`: fields on a grid at some
times, the accuracy that was measured, and `evaluate(x, t)` for any point and time. They are made
with numpy and scipy alone, by exponential time differencing on Fourier modes, and never with the
networks, solvers or systems of this project. `python -m pinn_ext.references NAME` makes one again
and compares it with the stored one.

`recipes` says how each is made, open it first; `cases` has the problems, `fourier` and `etdrk4` the
method, `lines` the independent one, `build` the measurements, `store` the files and `carry` what
lies between stored times. Nothing here needs torch.
"""

from __future__ import annotations

from pinn_ext.references.recipes import names
from pinn_ext.references.store import Reference, load

__all__ = ["Reference", "load", "names"]
