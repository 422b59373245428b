"""Runs on a family of problems, whose networks step states on graphs.

In comes a configuration with `dataset.name=family`; out come what its run is made of (`parts`, open
it first), and afterwards the trained network with its roll-outs (`stepper`). How such a run goes is
`pinn_ext.program.run`, as for any other.
"""
