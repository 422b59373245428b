"""The former place of `solvers.rk4.tableaus`."""

from .rk4.tableaus import *  # noqa: F403
from .rk4.tableaus import find  # noqa: F401
