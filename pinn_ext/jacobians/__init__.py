"""The Jacobian of residual rows with respect to all parameters, one backward pass a term.

In come residual vectors of one forward pass and the network's parameters, out comes the matrix
`[rows, parameters]` that Gauss-Newton and the tangent kernel need. `residual_jacobian` is the face
and falls back to batched products where a network is not made of linear layers; read it first.
`linear_layers` gives each row its own copy of the weights of a linear layer while the residuals
are computed, and `sample_maps` finds which evaluations of the network a row depends on.
"""
