"""The configuration: its keys with types and defaults, and the refusal of impossible values.

In comes what Hydra has composed from `configs/` and the command line; out comes the same
configuration, known to be sound, with the settings of its loss weights built once
(`WeightSettings`).

`keys` has one dataclass a group (`Config`, `Training`, …), which Hydra types and completes. It is
the list of all keys with their defaults, of which those of the weights come from
`pinn_ext.adaptive_weights.settings`; open it first. `plain_values` turns a configuration into plain
values and YAML, and back. `validation` refuses values before any work is done, in one sentence that
names the full key. Legal names are in `pinn_ext.choices`. `key_descriptions` says what each key is,
for docs/keys.md. `supplied_configs` makes what `configs/` lacks: the configurations of systems and
strategies that come from outside of this package.

This package loads without torch, so that a wrong command line is refused within a moment. What only
a built system or graph can tell is checked later, in `pinn_ext.program.build.check`.
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
    callback_settings,
    strategy_of,
)
from pinn_ext.schema.plain_values import as_dict, from_dict, from_yaml, select, to_yaml
from pinn_ext.schema.problem_validation import group_names
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
    "from_yaml",
    "group_names",
    "select",
    "strategy_of",
    "to_yaml",
    "validate",
]
