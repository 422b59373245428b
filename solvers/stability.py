"""The former place of `solvers.rk4.stability`."""

from .rk4.stability import *  # noqa: F403
from .rk4.stability import check_operators, spectral_radius  # noqa: F401
