"""The former place of `solvers.rk4.semidiscrete`."""

from .rk4.semidiscrete import *  # noqa: F403
