"""The strategy `auto` on a DeepXDE model: candidates train in turns, the best goes on.

In come the settings of the weights with the method `pinn_ext.strategies.auto.Auto`, and the
`TrainingState` (`pinn_ext.dde.weighting`) of the training under way; out come weights of the
candidate whose turn it is, the lines of a report, and in the end the winner's training, as if it
had trained alone.

`pilots` swaps candidates in and out of the model between periods; open it first. Whose turn it is,
and who has won, it asks the `Race` of `pinn_ext.strategies.auto`, which knows no model. `score`
says how good a candidate is: its raw losses on held-out points, over those before the first step.
`held_out` draws these points, or holds them back from the training where there is no geometry to
draw from.
"""
