"""Weights of named loss terms that adapt while training; free of torch, DeepXDE and Hydra.

What comes in: names and initial weights once, then raw losses by name, epoch by epoch, and the
gradients or kernel traces that a strategy asks for. What goes out: the weights in force, a log of
events, and a state of plain numbers that continues exactly.

`AdaptiveLossWeights` (`manager`) is the class users hold; read it first. An update runs through

    checks -> strategy (pinn_ext.strategies) -> groups -> limits -> events

where `groups` turns terms that share a weight into one unit, and `limits` holds ratio cap, scale,
blend, largest change and clamps. `settings` states every argument with its default once and
refuses bad ones; DeepXDE's callback, the aggregator and the configuration take theirs from it.
`period` gathers the losses of the steps between two updates, and `updater` is the loop around it
that the callback and the aggregator share.
"""

from pinn_ext.adaptive_weights.events import Event
from pinn_ext.adaptive_weights.limits import NORMALIZATIONS
from pinn_ext.adaptive_weights.manager import AdaptiveLossWeights
from pinn_ext.adaptive_weights.settings import WeightSettings

__all__ = ["NORMALIZATIONS", "AdaptiveLossWeights", "Event", "WeightSettings"]
