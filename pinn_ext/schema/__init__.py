"""The configuration: its keys with types and defaults, and the refusal of impossible values.

`keys` has one dataclass a group (`Config`, `Training`, …), which Hydra types and completes; it is
the list of all keys. `validation` refuses values before any work is done, in one sentence that
names the full key.
"""

from pinn_ext.choices import DAMPINGS, GEOMETRIES, GN_WEIGHTS, ORDERS
from pinn_ext.schema.keys import (
    FREE_KEYS,
    WEIGHT_KEYS,
    Adaptive,
    Config,
    Dataset,
    Experiment,
    GaussNewton,
    Loss,
    Network,
    Problem,
    Training,
    adaptive_settings,
    as_dict,
    callback_settings,
    from_dict,
    select,
    strategy_of,
    to_yaml,
)
from pinn_ext.schema.validation import validate

__all__ = [
    "DAMPINGS",
    "FREE_KEYS",
    "GEOMETRIES",
    "GN_WEIGHTS",
    "ORDERS",
    "WEIGHT_KEYS",
    "Adaptive",
    "Config",
    "Dataset",
    "Experiment",
    "GaussNewton",
    "Loss",
    "Network",
    "Problem",
    "Training",
    "adaptive_settings",
    "as_dict",
    "callback_settings",
    "from_dict",
    "select",
    "strategy_of",
    "to_yaml",
    "validate",
]
