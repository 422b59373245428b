"""Pseudo-time as one more callback: what is trained, what stays raw, what is put back."""

import copy

import deepxde as dde
import numpy as np
import pytest
import torch

import pinn_ext
from pinn_ext import AdaptiveWeights, PseudoTime, strategies
from pinn_ext.dde.pseudo_time import callback
from tests.dde.pseudo_time.by_hand import ByHand, residuals

WEIGHTS = [2.0, 0.5, 3.0]


@pytest.fixture(autouse=True)
def double(clean_deepxde):
    dde.config.set_default_float("float64")


def quiet(*args, **options):
    return PseudoTime(*args, **{"verbose": 0, "resample_every": 0, **options})


def twin_of(model, **options):
    """Return a model of the same data with a copy of the network."""
    twin = dde.Model(model.data, copy.deepcopy(model.net))
    twin.compile("sgd", lr=1e-3, verbose=0, **options)
    twin.train_state.set_data_train(*model.data.train_next_batch())
    return twin


def heat(problem, **options):
    return problem.heat("sgd", lr=1e-3, loss_weights=WEIGHTS, **options)


def system(problem, pde, outputs=2, **options):
    """Return a model of two fields on the points of the heat equation."""
    data = problem.heat_data()
    data.pde = pde
    model = dde.Model(data, problem.net(2, outputs))
    model.compile("sgd", lr=1e-3, verbose=0, **options)
    return model


def coupled(x, y):
    u, v = y[:, :1], y[:, 1:2]
    return [
        dde.grad.jacobian(y, x, 0, 1) - v + u**2,
        dde.grad.jacobian(y, x, 1, 1) - 0.1 * dde.grad.hessian(y, x, component=1, i=0, j=0) + 9 * u,
    ]


def is_clean(model):
    return "losses_train" not in vars(model.data)


def gradient_norms(model):
    """Return the length of the gradient of each raw term."""
    norms = []
    for row in residuals(model, model.net)[2]:
        parts = torch.autograd.grad(
            row.square().mean(),
            list(model.net.parameters()),
            retain_graph=True,
            materialize_grads=True,
        )
        norms.append(torch.cat([part.reshape(-1) for part in parts]).norm().item())
    return norms


# ---- what is trained ------------------------------------------------------------------------

FORMS = {
    "jaxpi2": ({"tau": 0.3}, {"tau": 0.3}),
    "scale_pinn": (
        {"form": "scale_pinn", "tau": 0.2, "smoothing": 0.05},
        {"tau": 0.2, "smoothing": (0.05,)},
    ),
}


@pytest.mark.parametrize("beside", [None, "before", "behind"])
@pytest.mark.parametrize("form", FORMS)
def test_steps_descend_the_damped_loss_and_all_that_is_kept_is_raw(problem, form, beside):
    """Plain gradient descent by hand; AdaptiveWeights may stand on either side."""
    ours, theirs = FORMS[form]
    model = heat(problem)
    hand = ByHand(twin_of(model), **theirs)
    adaptive = AdaptiveWeights("fixed", period=2, verbose=0, diagnostics=True)
    callbacks = [quiet(**ours)]
    if beside:
        callbacks.insert(0 if beside == "before" else 1, adaptive)
    problem.train(model, *callbacks, iterations=6, display_every=2)
    norms = []
    for _ in range(6):
        norms.append(gradient_norms(hand.model))
        hand.step(WEIGHTS)
    raw = np.array(hand.raw)
    assert torch.allclose(problem.vector(model), problem.vector(hand.model), rtol=1e-12, atol=1e-15)
    tested = model.losshistory.loss_train  # DeepXDE's own, at its tests
    assert tested[1] == pytest.approx(raw[2] * WEIGHTS, rel=1e-10)
    assert model.train_state.best_loss_train == pytest.approx(min(map(sum, tested)))
    if beside:
        assert [row["losses"] for row in adaptive.history] == [
            pytest.approx(raw[i : i + 2].mean(axis=0), rel=1e-10) for i in (0, 2, 4)
        ]
        for row, own in zip(adaptive.gradient_history, norms[1::2], strict=True):
            assert row["norms"] == pytest.approx(own, rel=1e-9)
    assert is_clean(model)


def test_it_is_no_plain_training(problem):
    """The comparison above would hold for a callback that does nothing, if the term were tiny."""
    model = heat(problem)
    plain = twin_of(model, loss_weights=WEIGHTS)
    problem.train(model, quiet(tau=0.05), iterations=4)
    problem.train(plain, iterations=4)
    assert (problem.vector(model) - problem.vector(plain)).norm() > 1e-5


def test_point_weights_follow_the_raw_residuals_and_weigh_the_damped_ones(problem):
    options = {"eta": 0.3, "gamma": 0.9, "conditions": True}
    model = heat(problem)
    hand = ByHand(twin_of(model), tau=0.2)
    strategy, states = strategies.create("rba", options), {}
    adaptive = AdaptiveWeights("rba", period=2, verbose=0, options=options)
    problem.train(model, quiet(tau=0.2), adaptive, iterations=5)
    for _ in range(5):
        factors = []
        for term, row in enumerate(residuals(hand.model, hand.model.net)[2]):
            block = strategies.PointBlock(row.detach(), term > 0, (0.0, 1.0))
            old = states.get(term) or strategy.init(*row.shape, block)
            new = states[term] = strategy.update(row.detach().abs(), old, None)
            factors.append(strategy.factors(new if strategy.updates_first else old, None))
        hand.step(WEIGHTS, factors)
    assert torch.allclose(problem.vector(model), problem.vector(hand.model), rtol=1e-11, atol=1e-14)


def test_the_step_follows_the_rule(problem, monkeypatch):
    monkeypatch.setattr(callback, "FIRST_LOOK", 3)
    monkeypatch.setattr(callback, "PERIOD", 2)
    model = system(problem, coupled)
    hand = ByHand(twin_of(model), fields=(0, 1), sign=(1, 1), smoothing=(0, 0), looks=(3, 5, 7))
    pseudo = quiet()
    problem.train(model, pseudo, iterations=9)
    for _ in range(9):
        hand.step([1.0] * 4)
    assert [1 / own for own in pseudo.tau] == pytest.approx(hand.inverse, rel=1e-9)
    assert len({*hand.inverse, 1.0}) == 3
    assert torch.allclose(problem.vector(model), problem.vector(hand.model), rtol=1e-11, atol=1e-14)
    assert [row["step"] for row in pseudo.history] == [4, 6, 8]
    last = pseudo.history[-1]
    assert last["tau"] == dict(zip(["pde_1", "pde_2"], pseudo.tau, strict=True))
    assert last["losses"]["pde_2"] == pytest.approx(hand.raw[7][1], rel=1e-10)


def test_a_given_step_stays(problem, monkeypatch):
    monkeypatch.setattr(callback, "FIRST_LOOK", 2)
    pseudo = quiet(tau=[0.5, 4.0])
    problem.train(system(problem, coupled), pseudo, iterations=4)
    assert pseudo.tau == [0.5, 4.0] and len(pseudo.history) == 1


# ---- pairing and sign -----------------------------------------------------------------------


def test_equations_are_paired_with_fields_by_number(problem):
    def swapped(x, y):
        return coupled(x, y)[::-1]

    def turned(x, y):
        first, second = coupled(x, y)
        return [-first, second]

    ends = []
    for pde, options in (
        (coupled, {"tau": [0.2, 0.4]}),
        (swapped, {"tau": [0.4, 0.2], "fields": [1, 0]}),
        (turned, {"tau": [0.2, 0.4], "sign": [-1, 1]}),
    ):
        dde.config.set_random_seed(3)
        model = system(problem, pde)
        problem.train(model, quiet(**options), iterations=5)
        ends.append(problem.vector(model))
    assert torch.allclose(ends[1], ends[0], rtol=1e-12)
    assert torch.allclose(ends[2], ends[0], rtol=1e-12)


def test_an_equation_without_a_field_stays_as_it_is(problem):
    model = system(problem, coupled)
    hand = ByHand(twin_of(model), fields=(None, 1), sign=(1, 1), smoothing=(0, 0), tau=0.2)
    pseudo = quiet(tau=0.2, fields=[None, 1])
    problem.train(model, pseudo, iterations=4)
    for _ in range(4):
        hand.step([1.0] * 4)
    assert torch.allclose(problem.vector(model), problem.vector(hand.model), rtol=1e-12)
    assert pseudo.tau == [None, 0.2]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sign_that_does_not_relax_is_said(problem, monkeypatch, recwarn, sign):
    """With `-u'' - f` and walls built in, the residual rises where the field does."""
    monkeypatch.setattr(callback, "FIRST_LOOK", 1)
    monkeypatch.setattr(callback, "PERIOD", 1)
    net = problem.net()
    net.apply_output_transform(lambda x, y: x * (1 - x) * y)
    data = dde.data.PDE(
        dde.geometry.Interval(0, 1), lambda x, y: -dde.grad.hessian(y, x) - 1.0, [], 40, 0,
        train_distribution="uniform",
    )  # fmt: skip
    model = dde.Model(data, net)
    model.compile("sgd", lr=1e-3, verbose=0)
    problem.train(model, quiet(sign=sign), iterations=8)
    said = [str(w.message) for w in recwarn if "`sign` must be -1" in str(w.message)]
    assert len(said) == (sign < 0)
    assert all("The residual of pde_1 has fallen" in text for text in said)


# ---- points, trainings, what is put back ----------------------------------------------------


class Points(dde.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen = []

    def on_batch_end(self):
        self.seen.append(self.model.train_state.X_train.copy())


@pytest.mark.parametrize(("every", "draws"), [(1, 5), (2, 2), (0, 0)])
def test_new_points_are_drawn(problem, every, draws):
    model, points = heat(problem), Points()
    kind, held = model.data.train_distribution, sum(model.data.num_bcs)
    problem.train(model, quiet(tau=1.0, resample_every=every), points, iterations=6)
    changes = [not np.array_equal(a, b) for a, b in zip(points.seen, points.seen[1:], strict=False)]
    assert sum(changes) == draws
    assert all(np.array_equal(own[:held], points.seen[0][:held]) for own in points.seen)
    assert model.data.train_distribution == kind == "Hammersley"


def test_a_second_training_goes_on_and_its_first_step_is_plain(problem, monkeypatch):
    monkeypatch.setattr(callback, "FIRST_LOOK", 3)
    model, pseudo = heat(problem), quiet()
    problem.train(model, pseudo, iterations=3)
    assert not pseudo.history
    model.compile("sgd", lr=1e-3, loss_weights=WEIGHTS, verbose=0)
    hand = ByHand(twin_of(model), tau=1.0)
    problem.train(model, pseudo, iterations=1)
    hand.step(WEIGHTS)
    assert torch.allclose(problem.vector(model), problem.vector(hand.model), rtol=1e-12)
    assert not pseudo.history  # there was no step ago to be compared with
    problem.train(model, pseudo, iterations=2)
    assert [row["step"] for row in pseudo.history] == [6] and is_clean(model)
    other = heat(problem)
    problem.train(other, pseudo, iterations=1)
    assert not pseudo.history


def test_what_an_exception_has_left_behind_is_gone(problem):
    model = heat(problem)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        problem.train(model, quiet(tau=0.1), problem.At("on_batch_end", stop), iterations=3)
    assert not is_clean(model)
    plain = twin_of(model, loss_weights=WEIGHTS)
    problem.train(model, iterations=3)
    problem.train(plain, iterations=3)
    assert is_clean(model) and torch.equal(problem.vector(model), problem.vector(plain))


@pytest.mark.slow
def test_lbfgs_goes_on_without_the_term(problem, capsys):
    model = heat(problem)
    plain = twin_of(model)
    dde.optimizers.set_LBFGS_options(maxiter=10)
    for own, callbacks in ((model, [PseudoTime(tau=0.1)]), (plain, [])):
        own.compile("L-BFGS", verbose=0)
        problem.train(own, *callbacks)
    assert torch.equal(problem.vector(model), problem.vector(plain)) and is_clean(model)
    assert "PseudoTime: left out under L-BFGS, whose line searches" in capsys.readouterr().out


def test_a_fault_is_undone_by_adaptive_weights(problem):
    """Its constants, which move nothing, are not replaced by damped losses that are NaN."""
    steps = []

    def breaks(x, y):
        r = dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)
        if y.requires_grad and model.net.linears[0].weight.requires_grad:
            steps.append(1)
        return r * float("nan") if len(steps) == 4 else r

    model = system(problem, breaks, outputs=1)
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    problem.train(model, quiet(tau=0.5), adaptive, iterations=8)
    assert adaptive.stopped is not None
    assert problem.vector(model).isfinite().all() and is_clean(model)


def test_it_says_what_it_does(problem, capsys, monkeypatch):
    monkeypatch.setattr(callback, "FIRST_LOOK", 1)
    problem.train(system(problem, coupled), PseudoTime(fields=[1, None], verbose=2), iterations=3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "PseudoTime: jaxpi2 damps pde_1 by output 1; new points at each step"
    assert lines[1].startswith("PseudoTime: step 2: tau pde_1=")
    problem.train(heat(problem), PseudoTime(tau=1.0, resample_every=0), iterations=1)
    assert "pde_1 by output 0; the points stay" in capsys.readouterr().out


# ---- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "jaxpi"}, r"`form` must be one of jaxpi2, scale_pinn, got 'jaxpi' \(did you"),
        ({"tau": 0.0}, "`tau` must be a finite number > 0, got 0.0"),
        ({"tau": -1}, "`tau` must be a finite number > 0, got -1"),
        ({"tau": [1.0, 0.0]}, "`tau` must be a finite number > 0, got 0.0"),
        ({"tau": "adaptive"}, "`tau` must be 'auto' or a number > 0, got 'adaptive'"),
        ({"form": "scale_pinn"}, "`tau` must be a number > 0 for form 'scale_pinn', which has no"),
        ({"form": "scale_pinn", "tau": 1.0}, "`smoothing` must be given for form 'scale_pinn'"),
        ({"smoothing": 0.1}, "`smoothing` must be None for form 'jaxpi2', got 0.1"),
        (
            {"form": "scale_pinn", "tau": 1.0, "smoothing": -1.0},
            "`smoothing` must be a finite number >= 0",
        ),
        ({"sign": 0}, "`sign` must be 1 or -1, got 0"),
        ({"sign": "plus"}, "`sign` must be 1 or -1, got 'plus'"),
        ({"fields": 0}, "`fields` must be a list with the number of an output, or None"),
        ({"fields": [-1]}, "`fields` must be a whole number >= 0, got -1"),
        ({"fields": [None]}, "`fields` must name an output for one equation at least"),
        ({"resample_every": -1}, "`resample_every` must be a whole number >= 0"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        PseudoTime(**options)


def in_time_alone():
    domain = dde.geometry.TimeDomain(0, 1)
    return dde.data.PDE(domain, lambda t, y: dde.grad.jacobian(y, t) + y, [], 8, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "`fields` must name an output of the network, or None, for each of 2 equations, got"),
        ({"fields": [0]}, "`fields` must hold one entry for each of 2 equations, got 1"),
        ({"fields": [0, 3]}, "`fields` must be from 0 to 2, or None, got 3"),
        ({"fields": [0, 1], "sign": [1]}, "`sign` must hold one entry for each of 2 equations"),
        ({"fields": [0, 1], "tau": [1.0] * 3}, "`tau` must hold one entry for each of 2 equations"),
    ],
)
def test_another_number_of_fields_is_refused_before_a_step(problem, options, message):
    model = system(problem, coupled, outputs=3)
    before = problem.vector(model)
    with pytest.raises(ValueError, match=message):
        problem.train(model, quiet(**options))
    assert torch.equal(problem.vector(model), before) and is_clean(model)


def test_residuals_that_are_no_column_are_refused(problem):
    model = system(problem, lambda x, y: y.sum(dim=1, keepdim=True)[::2], outputs=1)
    with pytest.raises(ValueError, match="one residual for each of the 20 points of an equation"):
        problem.train(model, quiet())


def test_models_that_have_no_such_term_are_refused(problem, monkeypatch):
    def refused(model, message, pseudo=None):
        with pytest.raises(ValueError, match=message):
            problem.train(model, pseudo or quiet())
        assert is_clean(model)

    refused(problem.fit(), r"data with an equation \(dde.data.PDE, TimePDE\), got DataSet without")
    nets = dde.Model(in_time_alone(), problem.net())
    nets.compile("adam", lr=1e-3, verbose=0)
    refused(nets, "must have an equation in space", quiet("scale_pinn", tau=1.0, smoothing=0.1))
    problem.train(nets, quiet(), iterations=2)  # which the other form needs not
    refused(dde.Model(problem.heat_data(), problem.net(2)), "must be compiled")
    with monkeypatch.context() as patch:
        patch.setattr(dde.config, "mixed", True)
        refused(heat(problem), "one precision throughout, got mixed precision")
    dde.config.set_default_autodiff("forward")
    refused(heat(problem), "must have reverse mode, got 'forward' mode")
    dde.config.set_default_autodiff("reverse")
    model = heat(problem)
    with pytest.raises(ValueError, match="must be left out of train_gauss_newton"):
        pinn_ext.train_gauss_newton(model, 2, callbacks=[quiet()], verbose=0)


def test_callbacks_that_cannot_be_beside_are_refused(problem):
    with pytest.raises(ValueError, match="must hold one PseudoTime, got several"):
        problem.train(heat(problem), quiet(), quiet())
    with pytest.raises(ValueError, match="must have another strategy than 'auto'"):
        problem.train(heat(problem), quiet(), AdaptiveWeights("auto", verbose=0), iterations=900)
