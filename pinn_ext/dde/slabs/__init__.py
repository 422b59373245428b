"""Trainings that go through time in slabs, each with a network of its own: `march`.

In comes a function that builds a compiled `dde.Model` for a slab of time, whose start is the end of
the slab before, built into the network's output; out comes one solution over all times.

`marching` has `march`, which users call, and what its arguments mean; open it first. `slab` has
what a builder is given: the times, and the start with its derivatives. `pinn_ext.slabs.kept_start`
is why a slab costs what the first one did: the start is computed once at each set of points and
kept. `solution` evaluates the networks of all slabs and has the report, `building` refuses models
that do not continue the former slab, `checkpoints` are the files.
"""

from pinn_ext.dde.slabs.marching import march
from pinn_ext.dde.slabs.slab import Slab
from pinn_ext.dde.slabs.solution import SlabSolution

__all__ = ["Slab", "SlabSolution", "march"]
