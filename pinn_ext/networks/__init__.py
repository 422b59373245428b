"""Networks from position and time to the fields u and v.

In come coordinates `[N, dimension + 1]`, time last, out come fields `[N, 2]` in physical units.
`field_network` has the network users build (`FieldNetwork`): inputs on [-1, 1], outputs in units
of the fields' scales. `hard_conditions` is the expression around it that meets initial and
boundary data whatever the parameters are.
"""

from pinn_ext.choices import CONDITIONS, SCALINGS
from pinn_ext.networks.field_network import ACTIVATIONS, FieldNetwork, term_scales

__all__ = ["ACTIVATIONS", "CONDITIONS", "SCALINGS", "FieldNetwork", "term_scales"]
