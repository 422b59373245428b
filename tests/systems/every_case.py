"""All systems in each of their cases and kinds of boundary."""

from pinn_ext import systems

CASES = [
    (name, case, boundary)
    for name in systems.names()
    for case in systems.cases(name) or [None]
    for boundary in systems.boundaries(name, case)
]
