"""The state of weighted points, which follows them from batch to batch; free of DeepXDE.

A strategy of points (`rba`, `sa_pinn`, `causal`) is a pure function of the residuals of a block of
points and of their state. `keys` names points, so that a point is known again in another batch;
`table` (`PointTable`) keeps the state of a block under these names; `rows` has the size of a
residual with several components and the weighted mean square. In come residuals `[n, m]`
with the points or keys they belong to, out come factors `[n, m]` for them. DeepXDE's callback
(`pinn_ext.dde.weighting.point_weights`) and the aggregator (`pinn_ext.plain_torch`) use it alike.
"""
