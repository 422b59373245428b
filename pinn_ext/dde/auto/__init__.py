"""The strategy `auto` on a DeepXDE model: candidates train in turns, the best goes on.

`pilots` swaps candidates in and out of the model between periods, by the plan of
`pinn_ext.strategies.auto`; read it first. `score` judges a candidate by raw losses on points of
its own, which `held_out` draws or holds back.
"""
