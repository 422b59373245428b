"""A time interval in slabs: each one a problem of its own, which starts where the former one ends.

    system, start -> networks

`system` has a coupled system on one slab, with a clock that begins at 0 there (`slab_of`): data
sets, losses and networks need not know that there are others; open it first. `start` is the end of
a trained network as the start of the next slab, `kept_start` keeps its values and derivatives for
sets of points. `networks` are those of all slabs as one network over all times, which a run leaves.

The trainings themselves are those of the program (`training.slabs`), or of `pinn_ext.dde.slabs`.
"""

from pinn_ext.slabs.kept_start import KeptStart
from pinn_ext.slabs.networks import SlabNetworks, build_networks, stacked, unstacked, with_state
from pinn_ext.slabs.start import SlabStart
from pinn_ext.slabs.system import SlabSystem, slab_of, until

__all__ = [
    "KeptStart",
    "SlabNetworks",
    "SlabStart",
    "SlabSystem",
    "build_networks",
    "slab_of",
    "stacked",
    "unstacked",
    "until",
    "with_state",
]
