"""The former place of `solvers.rk4.semidiscrete`."""

from .rk4.semidiscrete import *  # noqa: F403
from .rk4.semidiscrete import Fields  # noqa: F401
