"""The derivatives that a system's `rhs(u, v, d)` asks for, on points of a network.

`autograd` differentiates any network by automatic differentiation. `taylor` carries value, slopes
and Hessian through our own networks in one forward pass, `activations` knows the derivatives of
the nonlinearities, and `precomputed` keeps what does not depend on the network: the part of hard
conditions. All supply the same two words, `d.laplacian(field)` and `d.gradient(field)`, as the
graph operators do (`solvers.rk4.semidiscrete`); so an equation is written once. Start with
`autograd.fields_and_derivatives`, which chooses.
"""
