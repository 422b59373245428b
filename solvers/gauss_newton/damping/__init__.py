"""How far a step goes: which damping is tried, and when a step is taken.

`rule` has the protocol and the loop of trials; read it first. `gain_ratio` has the classical rules,
`target_ratio` the sweep for a wanted gain ratio, `line_search` Gauss-Newton with a shortened step;
`by_name` finds a rule by its name.
"""
