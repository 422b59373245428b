"""Systems elsewhere: problem files on a mesh, and systems that start from another state."""

import pytest
import torch

from pinn_ext import systems
from pinn_ext.datasets import SnapshotBatch, SnapshotGraphs
from pinn_ext.datasets.meshes import MeshDomain
from pinn_ext.losses.physics_loss import PhysicsLoss
from pinn_ext.systems.problem_files import ProblemFileError
from tests.datasets.meshes.made import refused, ring
from tests.losses.snapshot_losses import PI, SOFT, exact_network, terms

F64 = torch.float64
DECAY = """
import torch
from pinn_ext.systems import dirichlet, neumann

LOWER, UPPER, FINAL_TIME = (-5.0, -5.0), (5.0, 5.0), 0.5
PARAMETERS = {"a": 0.3}

def exact(x, t, *, a):
    x, y = x.unbind(dim=1)
    wave = torch.exp(-2 * a * t) * torch.sin(x) * torch.cos(y)
    return torch.stack((wave, 2 + wave), dim=1)

def initial(x):
    r = (x - 1).norm(dim=1, keepdim=True)
    return exact(x, torch.zeros_like(x[:, 0]), a=0.0) + 0 / r  # not finite in the hole

def rhs(u, v, d, *, a):
    return a * d.laplacian(u), a * d.laplacian(v)

def outward(x, t, *, a):
    # Along the radius: on a fine polygon that is the normal up to its angle.
    (x, y), n = x.unbind(dim=1), (x - 1) / (x - 1).norm(dim=1, keepdim=True)
    wave = torch.exp(-2 * a * t)
    slope = wave * (torch.cos(x) * torch.cos(y) * n[:, 0] - torch.sin(x) * torch.sin(y) * n[:, 1])
    return torch.stack((slope, slope), dim=1)

"""


@pytest.fixture(scope="module")
def domain():
    return MeshDomain(ring())


@pytest.fixture
def write(tmp_path):
    def call(boundary):
        path = tmp_path / "decay.py"
        path.write_text(DECAY + f"BOUNDARY = {boundary}\n")
        return path

    return call


def soft_terms(system, network=None):
    data = SnapshotGraphs(system, 2, name="mesh", conditions="soft")
    batch = SnapshotBatch.from_graphs(list(data), dtype=F64)
    batch.inputs.requires_grad_()
    return terms(PhysicsLoss(system, conditions="soft"), batch, network or exact_network(system))


@pytest.mark.parametrize("given", [None, ["inner"], []], ids=str)
def test_one_condition_holds_on_all_of_a_mesh_or_on_groups(write, domain, given):
    system = systems.from_file(write("dirichlet(exact)"), domain)
    assert (system.lower, system.boundary) == (domain.lower, "dirichlet")
    system = systems.on_domain(system, domain, given)
    assert system.boundary == ("dirichlet" if given is None else "mixed")
    right = soft_terms(system)
    assert all(right[name] < 1e-20 for name in PI + SOFT)
    assert system.notes == domain.notes


def test_conditions_by_group(write, domain):
    path = write('{"inner": neumann(outward), "outer": dirichlet(exact)}')
    system = systems.from_file(path, domain)
    assert (system.boundary, system.has_slopes, system.periodic_axes) == ("mixed", True, [])
    nodes = torch.from_numpy(domain.mesh.points)
    assert torch.equal(system.gives_values(nodes), domain.on_groups(["outer"], nodes))
    t = torch.full((len(nodes),), 0.3, dtype=F64)
    exact, data = system.exact(nodes, t), system.data(nodes, t)
    outer = domain.on_groups(["outer"], nodes)
    assert torch.equal(data[outer], exact[outer])
    assert torch.equal(data[~outer], system.initial(nodes)[~outer])
    right = soft_terms(system)
    # The normal of the hole points inwards: slopes along the radius have the other sign there.
    assert all(right[name] < 1e-20 for name in PI + SOFT[:2])
    assert all(right[name] > 0.1 for name in SOFT[2:])
    turned = path.read_text().replace(
        "return torch.stack((slope, slope)", "return -torch.stack((slope, slope)"
    )
    path.write_text(turned)
    right = soft_terms(systems.from_file(path, domain))
    assert all(right[name] < 1e-20 for name in PI + SOFT)


def test_groups_without_data_are_free_of_flux(write, domain):
    system = systems.from_file(write('{"outer": dirichlet((1.0, 2.0))}'), domain)
    assert system.boundary == "mixed" and not system.has_slopes

    def still(inputs):
        return torch.ones_like(inputs[:, :2]) * inputs.new_tensor([1.0, 2.0]) + 0 * inputs[:, :1]

    right = soft_terms(system, still)
    assert all(right[name] < 1e-20 for name in (*PI, *SOFT[2:]))
    whole = systems.from_file(
        write('{"outer": dirichlet(exact), "inner": dirichlet(exact)}'), domain
    )
    assert whole.boundary == "dirichlet"
    flux = systems.from_file(write("neumann((0.5, 0.0))"), domain)
    assert flux.has_slopes and flux.boundary == "mixed"
    assert not flux.gives_values(domain.boundary_samples(9)).any()


@pytest.mark.parametrize(
    ("boundary", "message"),
    [
        ('{"x": dirichlet(exact), "y": dirichlet(exact)}',
         "`group of BOUNDARY` must be one of east, inner, outer, spots, got 'x'"),
        ('{"lid": neumann()}', "must be one of east, inner, outer, spots, got 'lid'"),
        ('{"inner": "periodic"}', "`BOUNDARY` must have no periodic part of a mesh, got 'inner'"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be(write, domain, boundary, message):
    with pytest.raises(ProblemFileError) as caught:
        systems.from_file(write(boundary), domain)
    assert message in str(caught.value) and str(caught.value).startswith("decay.py: ")


def test_what_contradicts_the_file(write, domain):
    flux = systems.from_file(write("neumann()"), domain)
    assert "`dirichlet` must be left out where BOUNDARY gives slopes" in refused(
        systems.on_domain, flux, domain, ["inner"]
    )
    named = systems.from_file(write('{"inner": neumann()}'), domain)
    assert "as BOUNDARY of the problem file names groups" in refused(
        systems.on_domain, named, domain, ["inner"]
    )
    assert "which is periodic, on its box" in refused(
        systems.from_file, write('"periodic"'), domain
    )
    bare = MeshDomain(ring())
    bare.mesh.groups.clear()
    with pytest.raises(ProblemFileError, match="one condition for all of a mesh without named"):
        systems.from_file(write('{"inner": neumann()}'), bare)


# ---- another initial state ------------------------------------------------------------------


def start(x):
    return torch.stack((x[:, 0] ** 2, 3.0 - x[:, 0]), dim=1)


def test_another_start_leaves_boundary_data_and_knows_no_solution():
    own = systems.create("brusselator")
    system = systems.starting_from(own, start, "that of mine.npz")
    assert own.has_exact and not system.has_exact and not system.has_solution
    assert isinstance(system, systems.System) and system.name == "brusselator"
    assert "mine.npz: the known solution of brusselator" in system.notes[0]
    inside = torch.tensor([[0.5, 0.5], [1.5, 0.25]], dtype=F64)
    edge = torch.tensor([[0.0, 0.5], [2.0, 1.0]], dtype=F64)
    t = torch.zeros(2, dtype=F64)
    assert torch.equal(system.data(inside, t), start(inside))
    assert torch.equal(system.data(edge, t + 0.5), own.exact(edge, t + 0.5))
    assert system.needs_soft == "where the initial state is not known with its derivatives"
    assert system.rates(*torch.ones(2, 1), _Flat(), inside[:1], t[:1])
    with pytest.raises(ValueError, match="from this initial state is not known"):
        system.solution(inside, t)
    assert system.field_scales() != own.field_scales()


class _Flat:
    def laplacian(self, field):
        return 0 * field


def test_another_start_of_a_periodic_system_and_of_one_on_a_mesh(domain):
    periodic = systems.starting_from(systems.create("fitzhugh_nagumo"), start)
    x = torch.tensor([[-1.0, 0.5], [0.5, 0.5]], dtype=F64)
    assert torch.equal(periodic.data(x, torch.zeros(2, dtype=F64)), start(x))
    brusselator = systems.create("brusselator")
    one = systems.starting_from(systems.on_domain(brusselator, domain, "inner"), start)
    other = systems.on_domain(systems.starting_from(brusselator, start), domain, ["inner"])
    nodes, t = torch.from_numpy(domain.mesh.points), torch.zeros(96, dtype=F64)
    for system in (one, other):
        given = domain.on_groups(["inner"], nodes)
        data = system.data(nodes, t)
        assert torch.equal(data[given], brusselator.exact(nodes, t)[given])
        assert torch.equal(data[~given], start(nodes)[~given])
        assert not system.has_slopes and system.boundary == "mixed"
        assert system.slopes(nodes, nodes, t).abs().max() == 0
