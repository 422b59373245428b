"""Pictures of fields: over time, beside samples of a file, and of roll-outs on graphs.

In come fields beside their reference; out come drawings in an open file. `samples` has a network
beside fields of a file, `rollouts` a network that steps beside its reference, `animation` a moving
picture. The picture of a
network beside a solution that is known everywhere is in `pinn_ext.reports.plots`.
"""
