"""Networks from position and time to the fields u and v.

In come positions and times `[N, dimension + 1]`, time last; out come the fields `[N, 2]` in
physical units, or with `jet` the fields and their derivatives in one forward pass.

`field_network` has the network that users build, `FieldNetwork`: fully connected, its inputs scaled
to [-1, 1] and its outputs to the fields' sizes, both as `scaling` says. `hard_conditions` is the
expression around it that meets initial and boundary data whatever the parameters are: a part made
of the data alone, which can be precomputed, plus a factor that vanishes there times the network.

These are plain torch modules: nothing here needs DeepXDE. Start with `field_network`.
"""

from pinn_ext.choices import CONDITIONS, SCALINGS
from pinn_ext.networks.field_network import ACTIVATIONS, FieldNetwork, term_scales

__all__ = ["ACTIVATIONS", "CONDITIONS", "SCALINGS", "FieldNetwork", "term_scales"]
