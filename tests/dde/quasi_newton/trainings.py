"""Calls of `train_quasi_newton` on the small models of Gauss-Newton's tests."""

import io

import torch

import pinn_ext


def train(model, iterations=10, *callbacks, verbose=0, **options):
    options.setdefault("display_every", 10**6)
    return pinn_ext.train_quasi_newton(
        model, iterations, callbacks=list(callbacks), verbose=verbose, **options
    )


def stored(state):
    """Write and read a state as a checkpoint would."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)
