"""The choice among strategies by short pilots; plain numbers, no model and no trainer.

`method` (`Auto`) holds the candidates and how they are judged: what a user configures.
`successive_halving` plans the rounds of pilots and scores losses, as pure functions. `race` keeps
whose turn it is and who has won. `pinn_ext.dde.auto` trains the pilots by it.
"""

from pinn_ext.strategies.auto.method import Auto

__all__ = ["Auto"]
