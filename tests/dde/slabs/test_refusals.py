"""What cannot be marched through is refused in one sentence, before anything is trained."""

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from tests.dde.slabs import small


@pytest.mark.parametrize(
    "edges, said",
    [
        ([0, 1, 1], r"`slabs` must be a list of increasing times, .* got \[0\.0, 1\.0, 1\.0\]"),
        ([0, 1, 0.5], "increasing times"),
        ([0], "at least two"),
        (4, "increasing times"),
        ([0, "1"], r"`slabs\[1\]` must be a finite number"),
        ([0, np.inf], r"`slabs\[1\]` must be a finite number"),
        ([1, 1 + 1e-17], "increasing times, the edges of the slabs in float64"),
    ],
)
def test_edges(edges, said):
    with pytest.raises(ValueError, match=said):
        small.march(edges=edges, iterations=1)


@pytest.mark.parametrize(
    "options, said",
    [
        ({"start": None}, "`initial` must be a function, got None"),
        ({"build": 3}, "`builder` must be a function"),
        ({"iterations": 0}, "`iterations` must be a whole number"),
        ({"iterations": None, "train": 5}, "`train` must be a function"),
        ({"train": print}, "`iterations` must be left out where `train` is given"),
        ({"iterations": None, "train": print, "save_every": 2}, "`save_every` must be left out"),
        ({"order": 0}, "`order` must be a whole number >= 1"),
        ({"warm_start": 1}, "`warm_start` must be true or false"),
        ({"save_every": -1}, "`save_every` must be"),
        ({"reference": 1.0}, "`reference` must be a function"),
        ({"start": lambda x: 1.0}, r"`initial` must return torch values of shape \[40, fields\]"),
        ({"start": lambda x: x[:, 0]}, r"`initial` must return .* got shape \[40\]"),
        ({"start": lambda x: x[:, :1] / 0}, "`initial` must return finite values"),
        ({"start": lambda x: torch.cat((x, x), 1)}, "an output for each of the 4 fields"),
        ({"reference": lambda x: x}, r"`reference` must return values of shape \[40, 1\]"),
    ],
)
def test_arguments(options, said):
    build = small.builder(hard=lambda slab: slab.transform)
    with pytest.raises(ValueError, match=said):
        small.march(**{"build": build, "iterations": 1, **options})


def later(change):
    """Return a builder whose models from the second slab on are changed."""

    def build(slab):
        model = small.builder()(slab)
        return change(model, slab) if slab.number else model

    return build


def compiled(data, net):
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-2, verbose=0)
    return model


def more_terms(model, slab):
    pair = lambda x, u: [small.heat(x, u), u]  # noqa: E731
    return small.builder(pair)(slab)


def another_net(inputs, width, outputs):
    def change(model, slab):
        net = dde.nn.FNN([inputs, width, outputs], "tanh", "Glorot normal")
        net.apply_output_transform(slab.transform)
        return compiled(model.data, net)

    return change


def all_times(model, slab):
    domain = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))
    return compiled(dde.data.TimePDE(domain, small.heat, [], num_domain=40), model.net)


def soft(model, slab):
    model.net.apply_output_transform(lambda x, y: y)
    return model


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda *_: None, "`builder` must return a compiled dde.Model, got NoneType for slab 1"),
        (more_terms, r"the same system for each slab, with terms \['pde_1'\], got \['pde_1', 'p"),
        (another_net(2, 6, 2), "the same system for each slab, with outputs 1, got 2 for slab 1"),
        (another_net(2, 7, 1), "same parameters for each slab, or warm_start be False, got others"),
        (all_times, r"times of slab 1, TimeDomain.* = \[0\.25, 0\.6\], got \[0\.0, 1\.0\]"),
        (soft, r"slab\.start\(x\) at t = slab\.lower .* one that is off by .* in slab 1"),
        (lambda model, _: dde.Model(model.data, model.net), "must be compiled"),
    ],
)
def test_models_that_do_not_go_on(change, said):
    with pytest.raises(ValueError, match=said):
        small.march(later(change), iterations=1)


def test_a_network_serves_one_slab():
    nets = []

    def build(slab):
        model = small.builder()(slab)
        nets.append(model.net)
        return compiled(model.data, nets[0])

    with pytest.raises(ValueError, match="a new network for each slab, got that of a former one"):
        small.march(build, iterations=1)


def test_another_width_is_fine_without_a_warm_start():
    solution = small.march(later(another_net(2, 7, 1)), iterations=1, warm_start=False)
    assert solution.complete


def test_an_equation_of_a_higher_order_says_so():
    def third(x, u):
        u_xx = dde.grad.hessian(u, x, i=0, j=0)
        return dde.grad.jacobian(u, x, 0, 1) + dde.grad.jacobian(u_xx, x, 0, 0)

    with pytest.raises(ValueError, match=r"`order` must be that of the highest .* got 2"):
        small.march(small.builder(third), iterations=1)
    assert small.march(small.builder(third), iterations=1, order=3).complete


def test_forward_mode_is_refused():
    dde.config.set_default_autodiff("forward")
    with pytest.raises(ValueError, match=r'`dde\.config\.autodiff` must be "reverse" for slabs'):
        small.march(iterations=1)


def test_it_is_public():
    assert pinn_ext.march.__module__ == "pinn_ext.dde.slabs.marching"
