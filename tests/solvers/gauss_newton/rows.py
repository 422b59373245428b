"""Residual rows for steps one by one."""

import torch

from solvers.gauss_newton.residual_functions import FunctionProblem

F64 = torch.float64
EPS = torch.finfo(F64).eps


def rosenbrock(x):
    return torch.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def random(*shape):
    return torch.randn(*shape, dtype=F64)


class Rows:
    """A problem whose rows are those of a function times factors."""

    def __init__(self, function, x, factors=1.0):
        self._inner = FunctionProblem(lambda x: factors * function(x), x)
        self.num_rows = self._inner.num_rows
        self.residual, self.linearize = self._inner.residual, self._inner.linearize
        self.products = self._inner.products
