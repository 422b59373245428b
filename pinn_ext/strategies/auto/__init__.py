"""The choice among strategies by short pilots; plain numbers, no model and no trainer.

In come the candidates and the scores that their pilots have reached; out comes whose turn it is,
and in the end who goes on. Successive halving: all candidates train for a few periods, the better
part of them for a few more, until one is left.

`method` has `Auto`, what a user configures: the candidates, which part of the training the pilots
may take, how they are scored; open it first. `successive_halving` plans the rounds and computes
scores, as pure functions. `race` keeps whose turn it is and who has won, and writes the rows of the
report. `pinn_ext.dde.auto` trains the pilots by it.
"""

from pinn_ext.strategies.auto.method import Auto

__all__ = ["Auto"]
