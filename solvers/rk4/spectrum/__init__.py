"""Which steps a linearised system allows: its Jacobian, the spectrum and the field of values.

In comes a right-hand side with a state; `jacobian` multiplies by its Jacobian and, where the
equation is a formula in the fields and their derivatives, has its entries (`linearisation`). Out
comes an estimate of the largest stable step, with eigenvalues (`estimates`, read it first): from
all entries (`dense_step`), or from few products (`krylov`, `field_of_values`). `laplacians` looks
at a graph's Laplacian alone, before any equation.
"""
