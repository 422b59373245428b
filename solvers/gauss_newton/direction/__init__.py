"""Where a step goes: the damped linear least-squares problem, for any damping.

In come the Jacobian J (dense, in blocks of rows, or as products) and the residual r at a point; out
come steps s that minimise `|J s + r|^2 + damping |s|_D^2`, for one damping after another, at little
cost each.

`dense` has the protocol `Direction` and the two dense solvers, on `J^T J` or on `J D^-1 J^T`,
whichever is smaller: open it first. They form half of a symmetric product (`gram`) and factor it by
Cholesky; where rounding spoils that, an orthogonal factorisation takes over (`orthogonal`).
`blockwise` sums `J^T J` over blocks of rows, or that of a `sketch` of them, for many rows.
`matrix_free` runs LSMR (`lsmr`) on products with J alone, for Jacobians too large for memory.
`memory` chooses among them by what they need, before anything is allocated.
"""
