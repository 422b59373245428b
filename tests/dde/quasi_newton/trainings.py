"""Calls of `train_quasi_newton` on the small models of Gauss-Newton's tests."""

import pinn_ext


def train(model, iterations=10, *callbacks, verbose=0, **options):
    options.setdefault("display_every", 10**6)
    return pinn_ext.train_quasi_newton(
        model, iterations, callbacks=list(callbacks), verbose=verbose, **options
    )
