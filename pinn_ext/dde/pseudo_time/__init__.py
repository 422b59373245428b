"""Pseudo-time in a DeepXDE training: `pinn_ext.PseudoTime`, one more callback.

In come the residuals of the equations, where DeepXDE computes them, and the network of one step
ago; out go residuals with a term that damps the change of the fields from step to step, which are
trained instead. Raw losses, tests and loss weights do not see that term.

`callback` has the class that users hold, what its arguments mean and what it refuses: open it
first. `correction` makes the term, and takes the place of `data.losses_train` where no
`AdaptiveWeights` does. `step_rule` has the published rule for the step in pseudo-time, in plain
numbers.
"""

from pinn_ext.dde.pseudo_time.callback import PseudoTime

__all__ = ["PseudoTime"]
