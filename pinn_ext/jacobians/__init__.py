"""The Jacobian of residual rows with respect to all parameters.

A residual row is the residual of one loss term at one point. In come a function that evaluates the
residual vectors `[n]` of all terms, and the parameters; out comes the matrix `[rows, parameters]`
that Gauss-Newton needs.

In a network made of linear layers one backward pass a term gives all rows of the term:
`linear_layers` records what each product with a weight matrix leaves behind for each sample (the
per-example gradients of linear layers), and `sample_maps` finds which samples each row depends on.
Any other network takes a backward pass a row, in batches (`backward_passes`): right, and slower.
The result is compared once with plain automatic differentiation.

Start with `residual_jacobian.RowJacobian`, which chooses between the two. `row_blocks` hands out
the same rows some at a time, so that the matrix is never held whole.
"""
