"""Pictures of fields that are known at points: samples of a file, and roll-outs on graphs.

In come fields beside their reference; out come drawings in an open file. `samples` has a network
beside fields of a file, `rollouts` a network that steps beside its reference. The picture of a
network beside a solution that is known everywhere is in `pinn_ext.reports.plots`.
"""
