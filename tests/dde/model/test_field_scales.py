"""Sizes of fields read from a model's data, and outputs in units of them."""

import warnings

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import AdaptiveWeights, scale_outputs
from pinn_ext.dde.model.field_scales import condition_names, field_scales
from pinn_ext.dde.model.loss_terms import derive_names

LINE = dde.geometry.Interval(0, 1)
TIME = dde.geometry.GeometryXTime(LINE, dde.geometry.TimeDomain(0, 1))


def everywhere(_, on):
    return on


def constant(value):
    return lambda x: np.full((len(x), 1), value)


def wall(value, component=0, geometry=LINE):
    return dde.icbc.DirichletBC(geometry, constant(value), everywhere, component=component)


def start(value, component=0):
    return dde.icbc.IC(TIME, constant(value), lambda _, initial: initial, component=component)


def model_of(conditions, equations=2, geometry=LINE, outputs=2):
    """Return a compiled model of uncoupled, unimportant equations; only its data matter here."""
    inputs = geometry.dim + (geometry is TIME)
    kind = dde.data.TimePDE if geometry is TIME else dde.data.PDE
    more = {"num_initial": 5} if geometry is TIME else {}

    def pde(x, y):
        rows = [y[:, i % outputs : i % outputs + 1] for i in range(equations)]
        return rows if equations > 1 else rows[0]

    data = kind(geometry, pde, conditions, num_domain=10, num_boundary=4, **more)
    model = dde.Model(data, dde.nn.FNN([inputs, 4, outputs], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    return model


def scales_of(model):
    names = derive_names(model.data, len(model.data.bcs) + equations_of(model))
    return names, field_scales(model, names)


def equations_of(model):
    x = torch.as_tensor(model.data.train_x)
    answer = model.data.pde(x, torch.zeros(len(x), 2))
    return len(answer) if isinstance(answer, list) else 1


# ---- what is read from where --------------------------------------------------------------------


def test_dirichlet_data_of_both_fields():
    names, scales = scales_of(model_of([wall(3.0), wall(-1e-3, 1)]))
    assert names == ["pde_1", "pde_2", "dirichlet_1", "dirichlet_2"]
    assert scales == pytest.approx([3.0, 1e-3, 3.0, 1e-3])


def test_all_data_of_a_field_are_one_mean_square():
    left = dde.icbc.DirichletBC(LINE, constant(3.0), lambda x, on: on and x[0] < 0.5)
    right = dde.icbc.DirichletBC(LINE, constant(4.0), lambda x, on: on and x[0] > 0.5)
    _, scales = scales_of(model_of([left, right, wall(1e-3, 1)]))
    u = np.sqrt((2 * 9 + 2 * 16) / 4)  # 4 points of the boundary
    assert scales == pytest.approx([u, 1e-3, u, u, 1e-3])


def test_initial_data_that_vary():
    conditions = [
        dde.icbc.IC(TIME, lambda x: np.sin(np.pi * x[:, :1]), lambda _, initial: initial),
        start(20.0, 1),
    ]
    model = model_of(conditions, geometry=TIME)
    x = model.data.train_x[: model.data.num_bcs[0]]
    u = np.sqrt(np.mean(np.sin(np.pi * x[:, 0]) ** 2))
    assert scales_of(model)[1] == pytest.approx([u, 20.0, u, 20.0], rel=1e-5)


def test_point_data_of_one_field_and_of_two_at_once():
    points = np.array([[0.2], [0.7]])
    one = dde.icbc.PointSetBC(points, np.array([[3.0], [4.0]]), component=0)
    both = dde.icbc.PointSetBC(points, np.array([[1.0, 6e-3], [1.0, 8e-3]]), component=[0, 1])
    names, scales = scales_of(model_of([one, both]))
    u, v = np.sqrt((9 + 16 + 1 + 1) / 4), np.sqrt((36e-6 + 64e-6) / 2)
    assert names == ["pde_1", "pde_2", "point_set_1", "point_set_2"]
    assert scales == pytest.approx([u, v, u, u])  # a term of both fields is measured by the larger


def test_slopes_periods_and_operators_have_the_size_of_their_field():
    conditions = [
        wall(5.0),
        wall(0.1, 1),
        dde.icbc.NeumannBC(LINE, constant(7.0), everywhere, component=1),
        dde.icbc.RobinBC(LINE, lambda x, y: y, everywhere, component=0),
        dde.icbc.PeriodicBC(LINE, 0, everywhere, component=1),
        dde.icbc.OperatorBC(LINE, lambda x, y, _: y[:, :1] - y[:, 1:], everywhere),
    ]
    names, scales = scales_of(model_of(conditions))
    assert dict(zip(names, scales, strict=True)) == pytest.approx(
        {
            "pde_1": 5.0,
            "pde_2": 0.1,
            "dirichlet_1": 5.0,
            "dirichlet_2": 0.1,
            "neumann_1": 0.1,
            "robin_1": 5.0,
            "periodic_1": 0.1,
            "operator_1": 5.0,  # of unknown fields: the largest
        }
    )
    assert condition_names(model_of(conditions).data, names) == names[2:]


def test_one_equation_is_about_the_largest_field():
    assert scales_of(model_of([wall(5.0), wall(0.1, 1)], equations=1))[1] == pytest.approx(
        [5.0, 5.0, 0.1]
    )


@pytest.mark.parametrize("value", [None, 0.0])
def test_a_field_without_data_has_size_one_and_says_so(value):
    second = (
        dde.icbc.PeriodicBC(LINE, 0, everywhere, component=1) if value is None else wall(0.0, 1)
    )
    model = model_of([wall(5.0), second])
    with pytest.warns(RuntimeWarning, match="Output 1 of the network has no initial or") as record:
        assert scales_of(model)[1] == pytest.approx([5.0, 1.0, 5.0, 1.0])
    assert len(record) == 1


def test_data_without_an_equation_are_measured_by_their_targets():
    x = np.linspace(0, 1, 6, dtype=np.float32)[:, None]
    y = np.full((6, 2), 1e-2, np.float32)
    model = dde.Model(dde.data.DataSet(x, y, x, y), dde.nn.FNN([1, 4, 2], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3, verbose=0)
    adaptive = AdaptiveWeights("field_scale", period=1, normalization="none", verbose=0)
    model.train(iterations=1, callbacks=[adaptive], verbose=0)
    assert adaptive.manager.get_weights()["data_1"] == pytest.approx(1e5)  # 10 / 1e-4
    assert adaptive.manager._scales == pytest.approx([1e-2])
    assert adaptive.manager._conditions == [True]


# ---- what cannot be read ------------------------------------------------------------------------


def one_sentence(model, message, **options):
    before = [p.detach().clone() for p in model.net.parameters()]
    with pytest.raises(ValueError, match=message) as caught:
        model.train(
            iterations=2,
            callbacks=[AdaptiveWeights("field_scale", verbose=0, **options)],
            verbose=0,
        )
    assert "\n" not in str(caught.value)
    assert all(map(torch.equal, before, model.net.parameters()))


def test_equations_and_fields_that_do_not_match():
    one_sentence(
        model_of([wall(5.0), wall(0.1, 1)], equations=3),
        "`field_scales` must be given for 3 equations and 2 fields with conditions.*The terms are "
        "pde_1, pde_2, pde_3, dirichlet_1, dirichlet_2",
    )


@pytest.mark.filterwarnings("ignore:Output 0")
def test_hard_conditions_leave_no_data():
    model = model_of([])
    one_sentence(model, "`field_scales` must be given for 2 equations and 1 fields")
    adaptive = AdaptiveWeights(
        "field_scale", field_scales=[5.0, 0.1], period=1, normalization="none", verbose=0,
    )  # fmt: skip
    model.train(iterations=1, callbacks=[adaptive], verbose=0)
    assert list(adaptive.manager.get_weights().values()) == pytest.approx([0.04, 100.0])


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ([1.0], r"one number for each of 4 loss terms \(pde_1, .*dirichlet_2\), got 1\.$"),
        ([1.0] * 5, r"got 5\.$"),
        ([1.0, 1.0, 1.0, 0.0], r"`field_scales` must be a finite number > 0, got 0\.0"),
        ([1.0, 1.0, 1.0, float("nan")], "`field_scales` must be a finite number"),
        (2.0, r"`field_scales` must be a list of one number for each of 4 .*got 2\.0"),
        ({"pde_1": 1.0}, "`field_scales` must be a list of one number for each of 4"),
    ],
)
def test_bad_sizes_of_a_user(scales, message):
    one_sentence(model_of([wall(5.0), wall(0.1, 1)]), message, field_scales=scales)


def test_sizes_of_a_user_count_and_the_data_are_not_looked_at():
    model = model_of([wall(0.0), wall(0.0, 1)])
    adaptive = AdaptiveWeights(
        "field_scale",
        field_scales=np.array([2.0, 0.5, 2.0, 0.5]),
        period=1,
        normalization="none",
        options={"condition_factor": 3.0},
        verbose=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.train(iterations=1, callbacks=[adaptive], verbose=0)
    assert list(adaptive.manager.get_weights().values()) == pytest.approx([0.25, 4.0, 0.75, 12.0])


def test_no_limit_undoes_the_scales():
    model = model_of([wall(1.0), wall(1e-4, 1)])
    adaptive = AdaptiveWeights("field_scale", period=1, normalization="none", verbose=0)
    model.train(iterations=1, callbacks=[adaptive], verbose=0)
    weights = list(adaptive.manager.get_weights().values())
    assert weights == pytest.approx([1.0, 1e8, 10.0, 1e9])
    assert adaptive.events == []


# ---- scaled outputs -----------------------------------------------------------------------------


def net(outputs=2):
    return dde.nn.FNN([1, 4, outputs], "tanh", "Glorot normal")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_output_is_multiplied_by_its_size(dtype):
    dde.config.set_default_float(dtype)
    plain, x = net(), torch.linspace(0, 1, 5)[:, None].to(dde.config.real(torch))
    before = plain(x)
    assert scale_outputs(plain, [2.0, 1e-3]) is plain
    after = plain(x)
    assert after.dtype == before.dtype
    assert torch.equal(after, before * torch.tensor([2.0, 1e-3], dtype=before.dtype))


def test_hard_conditions_stay_in_physical_units():
    plain, x = net(), torch.tensor([[0.0], [0.4], [1.0]])
    raw = plain(x)
    plain.apply_output_transform(lambda x, y: 7.0 + x * (1 - x) * y)
    scale_outputs(plain, [1.0, 1e-3])
    after = plain(x)
    assert torch.equal(after[[0, 2]], torch.full((2, 2), 7.0))
    assert torch.allclose(after[1], 7.0 + 0.24 * raw[1] * torch.tensor([1.0, 1e-3]))


def test_scaled_outputs_have_scaled_derivatives():
    one, x = net(1), torch.tensor([[0.3]], requires_grad=True)
    slope = torch.autograd.grad(one(x), x)[0].item()
    scale_outputs(one, [50.0])
    assert torch.autograd.grad(one(x), x)[0].item() == pytest.approx(50.0 * slope)


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ([], r"`scales` must hold one number for each output, got none\.$"),
        ([1.0, 0.0], r"`scales` must be a finite number > 0, got 0\.0"),
        ([1.0, "2"], "`scales` must be a finite number"),
        (3.0, r"`scales` must be a list of one number for each output, got 3\.0"),
        ({"u": 1.0}, "`scales` must be a list"),
    ],
)
def test_bad_scales(scales, message):
    with pytest.raises(ValueError, match=message):
        scale_outputs(net(), scales)


@pytest.mark.parametrize("scales", [[1.0], [1.0, 2.0, 3.0]])
def test_as_many_scales_as_outputs(scales):
    with pytest.raises(ValueError, match=f"each of 2 outputs, got {len(scales)}") as caught:
        scale_outputs(net(), scales)(torch.zeros(1, 1))
    assert "\n" not in str(caught.value)


# ---- together -----------------------------------------------------------------------------------


def u(x):
    return 1 + 0.5 * np.sin(np.pi * x)


def v(x):
    return 1e-3 * (1 + 0.5 * np.cos(np.pi * x))


def coupled(x, y):
    """`-u'' + 1000 v = f` and `-v'' + u / 1000 = g` for the fields above."""
    sine, cosine = torch.sin(np.pi * x), torch.cos(np.pi * x)
    f = 0.5 * np.pi**2 * sine + 1 + 0.5 * cosine
    g = 1e-3 * (0.5 * np.pi**2 * cosine + 1 + 0.5 * sine)
    return [
        -dde.grad.hessian(y, x, component=0) + 1e3 * y[:, 1:] - f,
        -dde.grad.hessian(y, x, component=1) + 1e-3 * y[:, :1] - g,
    ]


def error_of_v(scaled, weighted):
    """Train 200 steps of Adam; return the relative L2 error of the small field."""
    dde.config.set_random_seed(0)
    walls = [dde.icbc.DirichletBC(LINE, f, everywhere, component=i) for i, f in enumerate((u, v))]
    data = dde.data.PDE(LINE, coupled, walls, 30, 2)
    network = dde.nn.FNN([1, 16, 16, 2], "tanh", "Glorot normal")
    if scaled:
        scale_outputs(network, [1.0, 1e-3])
    model = dde.Model(data, network)
    model.compile("adam", lr=5e-3, verbose=0)
    adaptive = AdaptiveWeights(
        "field_scale" if weighted else "fixed", period=1, normalization="none", verbose=0,
    )  # fmt: skip
    model.train(iterations=200, callbacks=[adaptive], verbose=0, display_every=10**6)
    x = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
    return np.linalg.norm(model.predict(x)[:, 1:] - v(x)) / np.linalg.norm(v(x))


def test_only_both_together_make_the_fields_dimensionless():
    # Measured: 8e-3 with both, 3e-1 with weights alone, 5e-1 with scaled outputs alone.
    both = error_of_v(scaled=True, weighted=True)
    assert both < 0.04
    assert error_of_v(scaled=False, weighted=True) > 8 * both
    assert error_of_v(scaled=True, weighted=False) > 8 * both
