"""The callback that makes any DeepXDE training adaptive: `pinn_ext.AdaptiveWeights`.

In come the calls that DeepXDE makes in each step; out go `model.loss_weights` that move, and what
a user can look at afterwards: `history`, `events`, `gradient_history`, the best parameters, why a
training was stopped.

`adaptive_weights` has the class that users hold: what its arguments mean, what it shows after a
training, and how it is saved; open it first. `hooks` is what it is made of: what DeepXDE calls in
each step, and what follows from it; `shown` has its figure and its tables. All that changes from
step to step is kept in a `TrainingState` (`pinn_ext.dde.weighting`), on which the pilots of the
strategy `auto` work too.
"""

from pinn_ext.dde.callback.adaptive_weights import AdaptiveWeights

__all__ = ["AdaptiveWeights"]
