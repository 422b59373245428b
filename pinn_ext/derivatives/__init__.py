"""The derivatives that a system's `rhs(u, v, d)` asks for, at points of a network.

In come a network's fields u and v, each `[N]`, and the inputs they were computed from; out comes
an object `d` with `d.gradient(field)`, `d.laplacian(field)` and `d.time(field)`. `d.gradient` and
`d.laplacian` are the same two words that operators on a graph have (`solvers.operators`), so an
equation is written once for both.

`autograd` differentiates the fields of any network, by nested reverse passes. `taylor` carries
values, first derivatives and Laplacian forward through our networks in one pass, with the
derivatives of activation functions from `activations`; `layers` has the layers
that torch lacks. `precomputed` differentiates a function that depends on no parameter once, ahead
of training: the data part of hard conditions.

Start with `autograd.fields_and_derivatives`, which chooses between the first two.
"""
