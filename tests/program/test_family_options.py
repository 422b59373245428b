"""Runs on a family with its options: domains, meshes, data on disk, noise, known trajectories."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext import train_physics
from pinn_ext.losses import rollout
from pinn_ext.losses.families_from_config import family_of, stepping_network
from pinn_ext.program import checkpoints
from pinn_ext.schema import Config
from pinn_ext.schema.family_keys import Family as FamilyKeys
from solvers.operators import grid_graph
from tests.program.conftest import read_rows
from tests.program.test_families import FEW

PLATE = Path(__file__).resolve().parents[1] / "data" / "plate.msh"
SCATTERED = (
    *("dataset.family.nodes=cloud", "dataset.family.boundary=neumann"),
    *("dataset.family.fields=gaussian", "dataset.nodes_per_side=8"),
)
MESH = tuple(
    f"dataset.family.{pair}"
    for pair in ("nodes=mesh", f"domains=[{PLATE}]", "boundary=dirichlet", "fields=gaussian")
)


def short(*arguments):
    return (*FEW, *arguments, "training.epochs=1")


def state_of(folder):
    return checkpoints.load(folder / "checkpoint.pt")["model_state_dict"]


def equal(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_problems_on_disk_train_the_same_bits(run):
    held = run(*short())
    stored = run(*short("dataset.family.on_disk=true"))
    assert held.status == stored.status == 0, stored.err
    assert equal(state_of(held.folder), state_of(stored.folder))
    assert list(Path("data/processed").glob("train-*.db"))


@pytest.mark.slow
def test_a_roll_out_elsewhere(run):
    """Trained on squares and disks, used on an L-shape and on the mesh of a file."""
    run_here = run(*short(*SCATTERED, "dataset.family.domains=[square,disk]", "hydra.run.dir=one"))
    assert run_here.status == 0 and "neumann square, disk in [0, 2] x [0, 2]" in run_here.out
    done = run("rollout", "one", "--domains", f"l_shape,{PLATE}", "--overwrite")
    assert done.status == 2 and "`dataset.family.domains` must be one of" in done.err, done.err
    done = run("rollout", "one", "--domains", "l_shape")
    assert done.status == 0 and "neumann l_shape in [0, 2] x [0, 2], cloud" in done.out, done.err
    done = run("rollout", "one", "--domains", str(PLATE), "--overwrite")
    assert done.status == 0 and "plate.msh in [" in done.out, done.err


@pytest.mark.slow
def test_meshes_from_files(run):
    order = [argument for argument in FEW if "nodes_per_side" not in argument]
    done = run(*order, *MESH, "training.epochs=1")
    assert done.status == 0, done.err
    assert "dirichlet" in done.out and "plate.msh" in done.out


@pytest.mark.slow
def test_noise_is_drawn_by_problem(run):
    runs = [run(*short("dataset.family.noise=0.1", *more)) for more in ((), ("seed=0",))]
    plain = run(*short())
    assert all(done.status == 0 for done in (*runs, plain)), runs[0].err
    first, again = (state_of(done.folder) for done in runs)
    assert equal(first, again) and not equal(first, state_of(plain.folder))


def test_a_roll_out_without_an_end_is_said(run, monkeypatch):
    lost = dict.fromkeys("uv", math.nan)
    monkeypatch.setattr(rollout.RolloutErrors, "errors", lambda *_: dict(lost))
    done = run(*short())
    assert done.status == 0, done.err
    assert "The roll-out of the network leaves all bounds before its last step" in done.out
    assert "The best network" not in done.out


def known(path, **changes):
    """Write trajectories that fall, of nodes in another order."""
    generator = np.random.default_rng(0)
    graph = grid_graph([6, 6], [0.0, 0.0], [2.0, 2.0])
    times = np.array([0.0, 0.1, 0.25])
    start = 1.0 + generator.random((3, 1, 36, 2))
    arrays = {
        "states": start * np.exp(-times)[:, None, None],
        "times": times,
        "positions": graph.pos.numpy()[generator.permutation(36)],
    }
    np.savez(path, **{**arrays, **changes})


@pytest.mark.slow
def test_known_trajectories_add_terms(run, tmp_path):
    known(tmp_path / "known.npz")
    file = f"dataset.family.trajectories={tmp_path / 'known.npz'}"
    weights = [f"training.loss.{pair}" for pair in ("w1_PI=0", "w2_PI=0", "use_rk4=false")]
    done = run(*FEW, file, *weights, "training.epochs=20")
    assert done.status == 0, done.err
    rows = read_rows(done.folder)
    first, last = (dict(zip(rows[0], row, strict=True)) for row in (rows[1], rows[-1]))
    assert float(last["data_loss1"]) < float(first["data_loss1"])
    assert "data1" in done.out


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"times": np.array([0.0, 0.1])}, "as many times as states of a trajectory, 3, at least"),
        ({"times": np.array([0.0, 0.1, 0.9])}, "times that rise, by the horizon 0.25 at most"),
        ({"states": np.ones((2, 3, 35, 2))}, "must hold states [trajectories, times, 36, 2]"),
        ({"states": np.full((3, 3, 36, 2), np.nan)}, "be finite in states, got 648 numbers"),
        ({"states": np.ones((3, 3, 36, 2), complex)}, "real numbers in states, got the type comp"),
        ({"positions": np.zeros((36, 2))}, "have the positions of the family's nodes, got one"),
    ],
)
def test_trajectories_that_cannot_be_used(run, tmp_path, changes, sentence):
    known(tmp_path / "known.npz", **changes)
    done = run(*FEW, f"dataset.family.trajectories={tmp_path / 'known.npz'}")
    assert done.status == 2 and sentence in done.err, done.err
    assert "dataset.family.trajectories" in done.err and done.err.count("\n") == 1


def own_graphs(**changes):
    graphs = []
    for _ in range(2):
        graph = grid_graph([6, 6], [0.0, 0.0], [2.0, 2.0])
        graph.x = 1.0 + torch.rand(36, 2, dtype=torch.float64)
        graph.y_times = torch.tensor([[0.0, 0.1, 0.2]], dtype=torch.float64)
        graph.y = graph.x[:, None] * torch.exp(-graph.y_times[0])[:, None]
        for key, value in changes.items():
            graph[key] = value
        graphs.append(graph)
    return Batch.from_data_list(graphs)


@pytest.fixture
def cfg():
    made = Config()
    made.dataset.name, made.network.name, made.network.width = "family", "gnn", 8
    made.dataset.family = FamilyKeys(step=0.01)
    return made


def test_train_physics_takes_trajectories(cfg):
    network, raw = stepping_network(cfg, family_of(cfg)), {}
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    torch.manual_seed(0)
    _, first = train_physics(own_graphs(), network, optimizer, "cpu", cfg)
    assert list(first)[-2:] == ["data_loss1", "data_loss2"]
    batch = own_graphs()
    for _ in range(20):
        _, raw = train_physics(batch, network, optimizer, "cpu", cfg)
    assert raw["data_loss1"] < first["data_loss1"]


def test_the_data_terms_are_the_means_over_pairs(cfg):
    """Transcribed: a network that keeps the state, so that its mismatch is the data's own."""

    class Frozen(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.zero = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))

        def forward(self, batch, tau):
            return batch.x + self.zero * tau[:, None]

    batch, network = own_graphs(), Frozen()
    batch.y, batch.y_times = batch.y[:, :2], batch.y_times[:, :2]  # one pair a graph
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    _, raw = train_physics(batch, network, optimizer, "cpu", cfg)
    scales = torch.tensor(family_of(cfg).scales, dtype=torch.float64)
    rows = (batch.y[:, 0] - batch.y[:, 1]) / 0.1 / scales
    wanted = rows.square().mean(dim=0).tolist()
    assert [raw["data_loss1"], raw["data_loss2"]] == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"y_times": torch.tensor([[0.0, 0.1]])},
            r"as many y_times as states y, \[2, 3\], at leas",
        ),
        ({"y_times": torch.tensor([[0.0, 0.2, 0.1]])}, "y_times that rise, by the horizon 0.25"),
        ({"y": torch.ones(36, 2)}, r"must have states y \[72, K, 2\] beside y_times"),
        ({"y": torch.full((36, 3, 2), torch.nan)}, "must be finite in y, got 432 numbers"),
    ],
)
def test_trajectories_of_another_shape(cfg, changes, sentence):
    network = stepping_network(cfg, family_of(cfg))
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    with pytest.raises(ValueError, match=sentence):
        train_physics(own_graphs(**changes), network, optimizer, "cpu", cfg)


REFUSED = [
    (["dataset.family.root='  '"], "`dataset.family.root` must name a folder, got '  '"),
    (["dataset.family.nodes=mesh"], "`dataset.family.domains` must name mesh files for"),
    ([*MESH], "`dataset.nodes_per_side` must be left out for dataset.family.nodes=mesh"),
    (["dataset.family.domains=[ring]"], "`dataset.family.domains` must be one of annulus, disk"),
    (["dataset.family.domains=[disk]"], "`dataset.family.nodes` must be cloud or triangulation"),
    (
        ["dataset.family.domains=[square]", "problem.geometry=square"],
        "`problem.geometry` must be left out beside dataset.family.domains",
    ),
    (["dataset.family.noise=-1"], "`dataset.family.noise` must be a finite number >= 0, got -1"),
    (
        ["dataset.family.on_disk=true", "training.lbfgs_iterations=5"],
        "`training.lbfgs_iterations` must be 0 for dataset.family.on_disk=true",
    ),
    (
        [*SCATTERED, "dataset.family.own_nodes=true", "dataset.family.trajectories=known.npz"],
        "`dataset.family.trajectories` must be left out where problems have nodes of their own",
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED)
def test_what_cannot_be_is_said_in_a_sentence(run, arguments, sentence):
    done = run(*FEW, *arguments)
    assert done.status == 2 and sentence in done.err, done.err
    assert done.err.count("\n") == 1 and done.folder is None


def test_a_mesh_without_triangles(run, tmp_path):
    lines = re.sub(r"\$Elements.*\$EndElements", "", PLATE.read_text("utf-8"), flags=re.DOTALL)
    (tmp_path / "empty.msh").write_text(lines, "utf-8")
    few = [argument for argument in FEW if "nodes_per_side" not in argument]
    done = run(*few, *MESH, f"dataset.family.domains=[{tmp_path / 'empty.msh'}]")
    assert done.status == 2 and "`dataset.family.domains` must" in done.err, done.err
    assert done.err.count("\n") == 1
