"""Every system and boundary: exact solution, graph order, data, hard conditions, refusals."""

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from pinn_ext import references, systems
from pinn_ext.derivatives.autograd import AutogradDerivatives
from pinn_ext.networks.hard_conditions import HardConditions
from solvers.operators import GraphOperators, grid_graph
from tests.systems.every_case import CASES

torch.set_num_threads(1)
F64 = torch.float64
ROOT = Path(__file__).resolve().parents[2]
# A new system joins every test below by being registered, once for each case and boundary.
# Parameters other than the defaults that must be exact too; one line for a system that has some.
PARAMETERS = [
    ("belousov_zhabotinsky", None, "dirichlet", {"ratio": 0.8}),
    ("brusselator", None, "dirichlet", {"side": 0.7}),
    ("burgers_2d", "fletcher", "dirichlet", {"viscosity": 0.002}),
    ("burgers_2d", "cole_hopf", "dirichlet", {"viscosity": 0.3}),
    ("coupled_burgers", None, "dirichlet", {"amplitude": 1.3}),
    ("fitzhugh_nagumo", None, "periodic", {"rate": 0.7, "damping": -0.2, "threshold": 0.4}),
    ("ginzburg_landau", "plane_wave", "periodic", {"m": 2, "n": -3}),
    ("gray_scott", "front", "dirichlet", {"diffusion": 0.1, "loss": 0.2}),
    ("gray_scott", "pulse", "dirichlet", {"diffusion": 0.05, "loss": 0.06, "ratio": 2.0}),
    ("lambda_omega", None, "periodic", {"wave_number": 0.3, "frequency": -2.0, "slope": 0.5}),
    ("linear_reaction_diffusion", None, "periodic", {"a": 1.5, "b": -0.4, "diffusion": 0.2}),
    ("predator_prey", None, "periodic", {"saturation": 0.6, "conversion": 1.0, "mortality": 0.1}),
    ("schnakenberg", None, "dirichlet", {"a": 0.3, "b": 0.5, "rate": 10.0}),
    ("schroedinger", "soliton", "dirichlet", {"amplitude": 1.5, "speed": -2.0}),
]
KNOWN = [known for known in CASES if systems.create(known[0], case=known[1]).has_exact]
KEYS = ("name", "case", "boundary")
every = pytest.mark.parametrize(KEYS, CASES)
by_exact = pytest.mark.parametrize(KEYS, KNOWN)
by_dirichlet = pytest.mark.parametrize(KEYS, [known for known in KNOWN if known[2] == "dirichlet"])


def random_inputs(system, count=300, seed=0):
    """Return positions and times `[count, dimension + 1]` in the box."""
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(count, system.dimension + 1, generator=generator, dtype=F64)
    low = torch.tensor([*system.lower, 0.0], dtype=F64)
    high = torch.tensor([*system.upper, system.final_time], dtype=F64)
    return low + unit * (high - low)


def exact(system, inputs):
    return system.exact(inputs[:, :-1], inputs[:, -1])


def relative(error, reference):
    """Return the relative L2 error of each field."""
    return (error.norm(dim=0) / reference.norm(dim=0)).tolist()


@pytest.mark.parametrize((*KEYS, "parameters"), [(*known, {}) for known in KNOWN] + PARAMETERS)
def test_the_exact_solution_is_exact(name, case, boundary, parameters):
    system = systems.create(name, case=case, boundary=boundary, **parameters)
    inputs = random_inputs(system).requires_grad_()
    u, v = exact(system, inputs).unbind(dim=1)
    d = AutogradDerivatives(inputs)
    rates = system.rates(u, v, d, inputs[:, :-1], inputs[:, -1])
    for field, rate in zip((u, v), rates, strict=True):
        size = (d.time(field).abs().max() + d.laplacian(field).abs().max()).item()
        assert size > 0
        assert (d.time(field) - rate).abs().max().item() / size < 1e-10


class Slopes:
    """Derivatives of pretended fields: gradient 10, 20, … times, Laplacian 100 times the field."""

    def __init__(self, dimension):
        self.dimension = dimension

    def gradient(self, field):
        return tuple(10 * (axis + 1) * field for axis in range(self.dimension))

    def laplacian(self, field):
        return 100 * field


@pytest.mark.parametrize(
    ("name", "which", "rates"),
    [
        # u = 2, v = 3: u_x = 20, v_x = 30, lap u = 200, lap v = 300, (u v)_x = 120, u^2 v = 12,
        # u v^2 = 18, u_y = 40, v_y = 60, u^2 + v^2 = 13; so late that waves have decayed.
        ("belousov_zhabotinsky", "dirichlet", (200 + 2 * (1 - 2 - 1.5), 300 - 0.5 * 6)),
        ("burgers_2d", "fletcher", (2 - 2 * 20 - 3 * 40, 3 - 2 * 30 - 3 * 60)),
        ("fitzhugh_nagumo", "periodic", (4 + 2 - 8 - 3, 3 + 0.2 * (2 - 1.5 - 0.1) + 0.02)),
        ("ginzburg_landau", "jaxpi", (0.8 + 20 - 130 * (2 - 4.5), 1.2 + 30 - 130 * (3 + 3))),
        ("gray_scott", "front", (4 - 0.09 - 18, 6 - 0.27 + 18)),
        ("gray_scott", "pulse", (4 - 0.2 - 18, 3 - 0.3 + 18)),
        ("gray_scott", "jaxpi", (40 - 40 - 18000, 30 - 300 + 18000)),
        ("gray_scott", "pinnacle", (0.002 - 0.04 - 18, 0.0015 - 0.3 + 18)),
        ("lambda_omega", "periodic", (200 - 12 * 2 + 12 * 3, 300 - 12 * 3 - 12 * 2)),
        ("predator_prey", "periodic", (2 - 2 - 6 / 2.3 - 0.0625, 6 + 12 / 2.3 - 2.4 - 0.135)),
        ("schnakenberg", "periodic", (2 + 2 * (0.1 - 2 + 12), 30 + 2 * (0.9 - 12))),
        ("schroedinger", "raissi", (-150 - 13 * 3, 100 + 13 * 2)),
        ("brusselator", "dirichlet", (0 + 12 - 2 * 2 + 200 / 4, 2 - 12 + 300 / 4)),
        ("coupled_burgers", "periodic", (200 + 2 * 40 - 120, 300 + 2 * 90 - 120)),
        ("coupled_burgers", "dirichlet", (200 - 2 * 40 - 120 / 2, 300 - 4 * 90 - 120 / 4)),
        ("linear_reaction_diffusion", "periodic", (100 - 0.11 * 2 + 3, 150 - 0.1 * 3)),
    ],
)
def test_the_right_hand_side_by_hand(name, which, rates):
    system = systems.create(name, **{"case" if systems.cases(name) else "boundary": which})
    u, v, t = (torch.tensor([value], dtype=F64) for value in (2.0, 3.0, 60.0))
    x = torch.zeros(1, system.dimension, dtype=F64)
    own = system.rates(u, v, Slopes(system.dimension), x, t)
    assert torch.cat(own).tolist() == pytest.approx(rates, rel=1e-12)


@by_exact
def test_the_right_hand_side_on_graphs_has_order_two(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    sizes = (17, 25, 37, 55) if system.dimension == 1 else (9, 13, 19, 28)
    if boundary == "dirichlet" and system.dimension == 1:  # a front needs finer grids
        sizes = tuple(4 * n for n in sizes)
    errors, spacings = [], []
    for n in sizes:
        grid = grid_graph((n,) * system.dimension, system.lower, system.upper, boundary=boundary)
        time = torch.full((len(grid.pos), 1), 0.3, dtype=F64)
        inputs = torch.cat((grid.pos, time), dim=1).requires_grad_()
        fields = exact(system, inputs)
        by_network = AutogradDerivatives(inputs)
        rate = torch.stack([by_network.time(f) for f in fields.unbind(1)], dim=1)
        bent = torch.stack([by_network.laplacian(f) for f in fields.unbind(1)], dim=1)
        u, v = fields.detach().unbind(dim=1)
        d = GraphOperators.from_graph(grid)
        inner = ~grid.boundary_mask
        own = system.rates(u, v, d, grid.pos, time[:, 0])
        error = (torch.stack(own, dim=1) - rate)[inner]
        errors.append(relative(error, rate[inner].abs() + bent[inner].abs()))  # one may be steady
        spacings.append(1.0 / (n if system.periodic else n - 1))
    for field in (0, 1):
        column = [row[field] for row in errors]
        order = np.polyfit(np.log(spacings), np.log(column), 1)[0]
        assert order == pytest.approx(2.0, abs=0.25), column


@by_exact
def test_values_on_the_faces(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    inputs = random_inputs(system)
    start = inputs.clone()
    start[:, -1] = 0.0
    faces = []
    for axis, (low, high) in enumerate(zip(system.lower, system.upper, strict=True)):
        pair = [inputs.clone(), inputs.clone()]
        pair[0][:, axis], pair[1][:, axis] = low, high
        faces.append(pair)
    for points in [start, *itertools.chain(*faces)]:
        torch.testing.assert_close(
            system.data(points[:, :-1], points[:, -1]), exact(system, points), rtol=1e-12, atol=0
        )
    if system.periodic:
        for axis, pair in enumerate(faces):
            low, high = (points.requires_grad_() for points in pair)
            for field in (0, 1):
                f, g = exact(system, low)[:, field], exact(system, high)[:, field]
                torch.testing.assert_close(f, g, rtol=0, atol=1e-12)
                slopes = [
                    AutogradDerivatives(p).gradient(h)[axis] for p, h in ((low, f), (high, g))
                ]
                torch.testing.assert_close(*slopes, rtol=0, atol=1e-12)


@pytest.mark.parametrize(KEYS, [one for one in CASES if one not in KNOWN])
def test_a_reference_is_of_the_same_problem(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    problem = references.load(f"{name}/{case}").problem
    assert (problem.lower, problem.upper) == (system.lower, system.upper)
    assert problem.final_time == system.final_time
    x, t = random_inputs(system)[:, :-1], torch.zeros(300, dtype=F64)
    start = torch.from_numpy(problem.start(x.numpy()).T)
    torch.testing.assert_close(system.data(x, t), start, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(system.solution(x, t), start, rtol=1e-13, atol=1e-15)


# ---- hard conditions ------------------------------------------------------------------------


@every
def test_hard_conditions_hold_for_any_network(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    hard = HardConditions(system)
    raw = 100 * torch.randn(300, 2, generator=torch.Generator().manual_seed(1), dtype=F64)
    places = [(-1, 0.0)]
    if not system.periodic:
        for axis in range(system.dimension):
            places += [(axis, system.lower[axis]), (axis, system.upper[axis])]
    for axis, value in places:
        points = random_inputs(system, seed=2)
        points[:, axis] = value
        wanted = system.data(points[:, :-1], points[:, -1])
        scale = float(wanted.abs().max())
        torch.testing.assert_close(hard(points, raw), wanted, rtol=0, atol=1e-12 * scale)


@every
def test_the_network_counts_everywhere_else(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    hard = HardConditions(system)
    inputs = random_inputs(system)
    bubble = hard.bubble(inputs)
    assert bool(((bubble > 0) & (bubble <= 1)).all())
    raw = torch.ones(len(inputs), 2, dtype=F64)
    difference = hard(inputs, raw) - hard(inputs, 0 * raw)
    torch.testing.assert_close(difference, bubble[:, None] * raw, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(hard(inputs, 0 * raw), hard.data_part(inputs))
    top = torch.tensor([[*((a + b) / 2 for a, b in zip(system.lower, system.upper, strict=True)),
                         system.final_time]], dtype=F64)  # fmt: skip
    assert float(hard.bubble(top)) == pytest.approx(1.0, rel=1e-12)


@every
def test_data_is_asked_at_the_start_and_on_the_boundary_only(name, case, boundary, monkeypatch):
    system = systems.create(name, case=case, boundary=boundary)
    asked = []
    data = system.data

    def spy(x, t):
        asked.append((x.detach(), t.detach()))
        return data(x, t)

    monkeypatch.setattr(system, "data", spy)
    HardConditions(system)(random_inputs(system), torch.zeros(300, 2, dtype=F64))
    system.field_scales()
    assert asked
    low, high = (torch.tensor(end, dtype=F64) for end in (system.lower, system.upper))
    for x, t in asked:
        legal = t == 0
        if not system.periodic:
            legal |= ((x == low) | (x == high)).any(dim=1)
        assert bool(legal.all())


@pytest.mark.parametrize(("side", "row"), [(2.0, (2.5e-2, 2.2e-2)), (1.0, (2e-3, 2e-3))])
def test_the_trivial_row_of_the_brusselator(side, row):
    """What a network that answers zero scores under hard conditions, to be beaten."""
    system = systems.create("brusselator", side=side)
    axes = [torch.linspace(0, end, 41, dtype=F64) for end in (side, side, 1.0)]
    inputs = torch.cartesian_prod(*axes)
    wanted = exact(system, inputs)
    errors = relative(HardConditions(system).data_part(inputs) - wanted, wanted)
    assert errors == pytest.approx(row, rel=0.15)


# ---- scales, names, parameters --------------------------------------------------------------


@by_exact
def test_field_scales_are_the_size_of_the_fields(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    fields = exact(system, random_inputs(system, 2000)).abs()
    scales = system.field_scales()
    assert len(scales) == 2 and all(isinstance(scale, float) for scale in scales)
    for scale, fine, values in zip(scales, system.field_scales(65), fields.unbind(1), strict=True):
        assert 0.3 * float(values.square().mean().sqrt()) < scale <= 1.1 * float(values.max())
        assert scale == pytest.approx(fine, rel=0.05)


def test_field_scales_by_hand():
    u, v = systems.create("linear_reaction_diffusion").field_scales(65)
    assert u == pytest.approx(2 / math.sqrt(2), rel=0.02)  # 2 cos x at the start
    assert v == pytest.approx(0.01 / math.sqrt(2), rel=0.02)


@pytest.mark.parametrize("name", systems.names())
def test_every_system_has_its_command_line(name):
    text = (ROOT / "configs" / "problem" / f"{name}.yaml").read_text("utf-8")
    assert f"name: {name}\n" in text


@every
def test_a_system_describes_itself(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    assert (system.name, system.boundary) == (name, boundary)
    assert system.periodic == (boundary == "periodic")
    assert len(system.lower) == len(system.upper) == system.dimension
    assert all(low < high for low, high in zip(system.lower, system.upper, strict=True))
    assert systems.create(name, case=case).boundary == systems.boundaries(name, case)[0]
    assert system.case == case
    for dtype in (torch.float32, F64):
        start = random_inputs(system, 5).to(dtype)
        start[:, -1] = 0.0
        assert system.data(start[:, :-1], start[:, -1]).dtype == dtype


@by_dirichlet
def test_exact_accepts_single_and_many_points(name, case, boundary):
    system = systems.create(name, case=case, boundary=boundary)
    inputs = random_inputs(system, 7)
    one = torch.cat([exact(system, row[None]) for row in inputs])
    torch.testing.assert_close(one, exact(system, inputs))


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("brusselater", {}, r"`name` must be one of belousov_.*mean 'brusselator'"),
        (
            "brusselator",
            {"sides": 1.0},
            r"`parameter of brusselator` must be one of boundary, side",
        ),
        ("brusselator", {"boundary": "periodic"}, "`boundary of brusselator`.*dirichlet, got 'per"),
        ("brusselator", {"side": 0.0}, "`side` must be a finite number > 0, got 0"),
        ("brusselator", {"side": True}, "`side` must be"),
        ("coupled_burgers", {"amplitude": -1.0}, "`amplitude` must be a finite number > 0"),
        ("coupled_burgers", {"boundary": "neumann"}, "one of dirichlet, periodic, got 'neumann'"),
        ("linear_reaction_diffusion", {"a": 0.1, "b": 0.1}, "`a` and `b` must differ"),
        ("linear_reaction_diffusion", {"diffusion": math.inf}, "`diffusion` must be a finite"),
    ],
)
def test_bad_names_and_parameters(name, parameters, message):
    with pytest.raises(ValueError, match=message):
        systems.create(name, **parameters)
