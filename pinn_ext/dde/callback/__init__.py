"""The callback that makes any DeepXDE training adaptive: `pinn_ext.AdaptiveWeights`.

`adaptive_weights` has the class that users hold: what its arguments mean, what it shows after a
training, and how it is saved. `hooks` is what it is made of: what DeepXDE calls in each step, and
what follows from it. All that changes from step to step is kept in a `TrainingState`
(`pinn_ext.dde.weighting`), which the pilots of the strategy `auto` work on too.
"""

from pinn_ext.dde.callback.adaptive_weights import AdaptiveWeights

__all__ = ["AdaptiveWeights"]
