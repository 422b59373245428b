"""Networks from position and time to the fields u and v.

In come positions and times `[N, dimension + 1]`, time last; out come the fields `[N, 2]` in
physical units, or with `jet` the fields and their derivatives in one forward pass.

`field_network` has the network that users build, `FieldNetwork`: fully connected, its inputs scaled
to [-1, 1] and its outputs to the fields' sizes, both as `scaling` says. `hidden_layers` has what is
in between, `initial_parameters` where it starts from. `hard_conditions` is the expression around it
that meets initial and boundary data whatever the parameters are: a part made of the data alone,
which can be precomputed, plus a factor that vanishes there times the network.
`normalization` has layers in place of torch's, whose third derivatives are wrong, and finds those.

Networks that step a state on a graph are in the package `graph_networks`.

These are plain torch modules: nothing here needs DeepXDE. Start with `field_network`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinn_ext.choices import CONDITIONS, SCALINGS
from pinn_ext.lazy_names import loader

if TYPE_CHECKING:
    from pinn_ext.derivatives.layers import Sine
    from pinn_ext.networks.field_network import FieldNetwork, term_scales
    from pinn_ext.networks.hidden_layers import ACTIVATIONS
    from pinn_ext.networks.initial_parameters import init_sine
    from pinn_ext.networks.normalization import BatchNorm, LayerNorm

__all__ = [
    "ACTIVATIONS",
    "CONDITIONS",
    "SCALINGS",
    "BatchNorm",
    "FieldNetwork",
    "LayerNorm",
    "Sine",
    "init_sine",
    "term_scales",
]

__getattr__ = loader(  # the layers of `normalization` are used without any system
    __name__,
    {
        "ACTIVATIONS": "pinn_ext.networks.hidden_layers",
        "BatchNorm": "pinn_ext.networks.normalization",
        "FieldNetwork": "pinn_ext.networks.field_network",
        "LayerNorm": "pinn_ext.networks.normalization",
        "Sine": "pinn_ext.derivatives.layers",
        "init_sine": "pinn_ext.networks.initial_parameters",
        "term_scales": "pinn_ext.networks.field_network",
    },
)
