"""The former place of `solvers.rk4.stability`."""

from .rk4.spectrum.laplacians import check_operators as check_operators
from .rk4.spectrum.laplacians import spectral_radius as spectral_radius
from .rk4.stability import *  # noqa: F403
