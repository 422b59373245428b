"""Allen-Cahn's equation: L-BFGS after Adam ends early, says why, and is ended by one line.

u_t = 1e-3 u_xx + 5 (u - u^3) on [-1, 1], u = -1 at both ends, u = x^2 cos(pi x) at the start: DeepXDE's
own example, in float32 and with all defaults of L-BFGS. Only the last lines are ours.
"""
