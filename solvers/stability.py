"""The former place of `solvers.rk4.stability`."""

from .rk4.stability import *  # noqa: F403
