"""The state of weighted points, which follows them from batch to batch; free of DeepXDE.

A strategy of points (`rba`, `sa_pinn`, `brdr`, `causal`) is a pure function of the residuals of a
block of points and of their state; somebody has to keep that state. In come residuals `[n, m]` of m
terms at n points, with the points or keys they belong to; out come factors `[n, m]` that the
residuals are multiplied by before they are squared.

`table` (`PointTable`) keeps the state of a block; open it first. `keys` turns coordinates into
whole numbers, by which a point is found again in another batch. `rows` has the size of a residual
with several components, and the weighted mean square. `joint_update` moves the blocks of a step
together for a strategy that looks at all of them.

DeepXDE's callback (`pinn_ext.dde.weighting.point_weights`) and the aggregator
(`pinn_ext.plain_torch.point_losses`) use it alike.
"""
