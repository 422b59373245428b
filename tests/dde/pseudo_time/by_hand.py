"""Plain gradient descent in pseudo-time, written out: a slow transcription of the formulas."""

import copy

import deepxde as dde
import torch

from pinn_ext.dde.model.loss_terms import difference
from pinn_ext.dde.pseudo_time.step_rule import KEPT, Change, inverse_step


def derivative(y, x):
    return torch.autograd.grad(y.sum(), x, create_graph=True)[0]


def residuals(model, net):
    """Return inputs, outputs and residual vectors of a network at the model's points."""
    x = torch.as_tensor(model.train_state.X_train).clone().requires_grad_()
    y = net(x)
    rows = model.data.losses(None, y, difference, x, model)
    dde.gradients.clear()
    return x, y, rows


def laplacian(x, y, field, axes):
    first = derivative(y[:, field], x)
    return sum(derivative(first[:, axis], x)[:, axis] for axis in range(axes))[:, None]


class ByHand:
    """Trains a twin of a model as `PseudoTime` should.

    Args:
        model: a compiled twin with points, whose network is moved.
        fields, sign, smoothing: one entry an equation.
        tau: number, or None for the rule with looks at the steps in `looks`.
        lr: of plain gradient descent.
    """

    def __init__(
        self, model, fields=(0,), sign=(1,), smoothing=(0.0,), tau=None, looks=(), lr=1e-3
    ):
        self.model, self.fields, self.sign, self.smoothing = model, fields, sign, smoothing
        self.inverse = [1.0 if tau is None else 1.0 / tau for _ in fields]
        self.looks = looks if tau is None else ()
        self.lr, self.steps = lr, 0
        self.before, self.first, self.raw, self.changes = None, None, [], []

    def terms(self, factors=None):
        """Return the terms that are trained; `factors` weighs rows, one tensor a term."""
        model, net = self.model, self.model.net
        x, y, rows = residuals(model, net)
        self.raw.append([row.square().mean().item() for row in rows])
        self.first = self.first or self.raw[0]
        start, axes = sum(model.data.num_bcs), x.shape[1] - 1
        trained = list(rows)
        if self.before is not None:
            at, old, old_rows = residuals(model, self.before)
            changes = []
            for i, field in enumerate(self.fields):
                if field is None:
                    changes.append(None)
                    continue
                moved = (y - old.detach())[start:, field : field + 1]
                shift = self.inverse[i] * moved
                if self.smoothing[i]:
                    bent = laplacian(x, y, field, axes) - laplacian(at, old, field, axes).detach()
                    shift = shift - self.smoothing[i] * bent[start:]
                trained[i] = rows[i] + self.sign[i] * shift
                gap = (rows[i] - old_rows[i]).detach()
                changes.append(
                    Change(
                        gap.norm().item(),
                        moved.norm().item(),
                        self.sign[i] * (gap * moved).sum().item(),
                        self.first[i],
                        self.raw[-1][i],
                    )
                )
            self.changes = changes
        factors = factors or [1.0] * len(trained)
        return [(f * row).square().mean() for f, row in zip(factors, trained, strict=True)]

    def step(self, weights, factors=None):
        """Make one step of gradient descent on the weighted sum."""
        terms = self.terms(factors)
        total = sum(weight * term for weight, term in zip(weights, terms, strict=True))
        parameters = list(self.model.net.parameters())
        gradients = torch.autograd.grad(total, parameters)
        self.before = copy.deepcopy(self.model.net)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= self.lr * gradient
        if self.steps in self.looks:
            self.inverse = [
                old if own is None else KEPT * old + (1 - KEPT) * inverse_step(own)
                for old, own in zip(self.inverse, self.changes, strict=True)
            ]
        self.steps += 1
