"""Where a step goes: the damped linear least-squares problem, for any damping.

In come the Jacobian (dense, or as products) and the residual at a point; out come steps for one
damping after another, at little cost each. `dense` works on `J'J` or `J J'`, whichever is smaller
(`gram`), or on an orthogonal factorisation (`orthogonal`); `matrix_free` runs LSMR (`lsmr`) on
products alone; `memory` chooses among them by what they need.
"""
