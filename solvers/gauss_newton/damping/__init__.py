"""How far a step goes: which damping is tried, and when a step is taken.

In come a function `attempt(damping, fraction)`, which computes a step and the cost at its end, and
what the rule remembers from the last call; out come all attempts, the one to take last, and the new
memory. A rule is a frozen value: its memory is plain numbers, handed in and out, so that it can be
saved. It never sees the Jacobian.

`rule` has the protocol `Rule`, what an `Attempt` is, and the loop of trials; open it first.
`gain_ratio` has the classical rules, which follow the gain ratio: the fall of the cost over the one
that the linear model promised. `target_ratio` sweeps dampings for a wanted gain ratio,
`bold_start` begins by that and goes on by the classical rule where it has led
nowhere, `line_search` shortens an undamped Gauss-Newton step. `by_name` finds a rule by its name.
"""
