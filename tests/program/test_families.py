"""Runs on a family of problems: networks that step, in the program from end to end."""

import re

import pytest
import torch
from torch_geometric.data import Batch

from pinn_ext import LossAggregator, strategies, train_physics
from pinn_ext.datasets.families import FamilyBatches
from pinn_ext.dde.data.family_data import FamilyData
from pinn_ext.losses.families_from_config import stepping_network
from pinn_ext.program import checkpoints
from pinn_ext.program.families.parts import checked_loss, graphs_of
from pinn_ext.schema import Config
from tests.program.conftest import SMALL, read_report, read_rows
from tests.program.test_resume import same_end

FEW = (
    *("network=gnn", "network.width=8", "network.layers=1", "dataset.num_graphs=6"),
    *("dataset.batch_size=2", "dataset.num_validation=2", "dataset.num_test=3"),
    *("dataset.nodes_per_side=6", "dataset.family.steps=2", "training.epochs=3"),
)
GIVEN = ("mean=[1.0,0.0]", "spread=[0.2,0.2]", "horizon=0.05", "positive=false")
DECAY = "dataset.family.constants.decay=[2.0,3.0]"


def test_a_run_from_end_to_end(run):
    done = run(*FEW, "training=adaptive_equal_init", DECAY, "training.epochs=6")
    assert done.status == 0, done.err
    for text in (
        "Family of brusselator: feed = 1, decay in [2, 3], diffusion = 0.05; periodic square",
        "Initial states mean exp(spread z - spread^2 / 2): mean (1, 2.65)",
        "References: scipy's DOP853, rtol 1e-10",
        "Equalized weights at epoch 1:",
        "(against scipy's DOP853 on 3 unseen problems, after 2 steps of 0.25)",
    ):
        assert text in done.out, text
    report = read_report(done.folder)
    assert report["status"] == "ok" and report["dataset"] == "family" and report["epochs"] == 6
    assert all(0.05 < value < 1.0 for value in report["relative_l2_trivial"].values())
    assert all(0.0 < value < 10.0 for value in report["relative_l2"].values())
    names = {path.name for path in done.folder.iterdir()}
    assert {"fields.png", "losses.png", "history.csv", "checkpoint.pt", "best.pt"} <= names
    rows = read_rows(done.folder)
    first, last = (dict(zip(rows[0], row, strict=True)) for row in (rows[1], rows[-1]))
    assert float(last["PI_loss1"]) < float(first["PI_loss1"])


def test_without_a_network_it_is_the_coordinate_network(run):
    done = run(*SMALL, "training=adaptive_equal_init", "training.epochs=1")
    assert done.status == 0 and "Family" not in done.out
    assert "centre" in checkpoints.load(done.folder / "checkpoint.pt")["model_state_dict"]


QUICK = ("rba",)  # whose weights belong to nodes, whatever the time
NEEDS_CONDITIONS = ("capu",)  # which a family has none of
NAMES = [name for name in strategies.names() if name not in ("auto", *QUICK, *NEEDS_CONDITIONS)]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in NAMES]


@pytest.mark.parametrize("name", [*QUICK, *SLOW])
def test_every_strategy_trains_it(run, name):
    done = run(*FEW, "training=adaptive_equal_init", f"training.loss.adaptive.strategy={name}")
    assert done.status == 0, done.err
    saved = checkpoints.load(done.folder / "checkpoint.pt")["adaptive_weights_state"]
    assert (saved["points"] is not None) == (strategies.create(name).moves == "points")
    if name in ("rba", "sa_pinn"):  # each node of each problem once, whatever the times were
        assert len(saved["points"]["tables"][0]["state"]["lambdas"]) == 6 * 36


@pytest.mark.slow
def test_pilots(run):
    done = run(*FEW, "training=adaptive_auto", "training.epochs=8")
    assert done.status == 0 and "Chosen: " in done.out, done.err


@pytest.mark.parametrize(
    ("network", "step"),
    [
        ("gnn", 14),
        pytest.param("gnn", 5, marks=pytest.mark.slow),
        pytest.param("mesh_graph_net", 14, marks=pytest.mark.slow),
    ],
)
def test_resumed_equals_undisturbed(run, run_killed, step, network):
    """Killed in the first epochs, and where batches start from the network's own roll-outs."""
    arguments = [*FEW, f"network={network}", "training=adaptive_ema", "dtype=float64"]
    arguments += ["training.epochs=6", "training.lbfgs_iterations=3"]
    whole = run(*arguments)
    assert whole.status == 0, whole.err
    run_killed(step, *arguments, "hydra.run.dir=broken")
    resumed = run("training.resume=broken")
    assert resumed.status == 0, resumed.err
    same_end("broken", whole.folder)


@pytest.mark.parametrize(
    "arguments",
    [
        ("dataset.family.nodes=cloud", "dataset.family.own_nodes=true", "problem.geometry=disk"),
        ("dataset.family.nodes=triangulation", "problem.geometry=l_shape"),
        ("dataset.family.nodes=grid",),
    ],
)
@pytest.mark.parametrize("boundary", ["neumann", "dirichlet"])
@pytest.mark.slow
def test_other_nodes_and_boundaries(run, arguments, boundary):
    more = [f"dataset.family.boundary={boundary}", "dataset.family.fields=gaussian"]
    done = run(*FEW, *arguments, *more, "dataset.nodes_per_side=8", "training.epochs=1")
    assert done.status == 0, done.err
    assert boundary in done.out


@pytest.mark.slow
def test_gray_scott_and_a_system_without_a_recipe(run):
    assert run(*FEW, "problem=gray_scott", "training.epochs=1").status == 0
    keys = [f"dataset.family.{pair}" for pair in GIVEN]
    done = run(*FEW, "problem=lambda_omega", *keys, "training.epochs=1")
    assert done.status == 0, done.err
    assert "Initial states mean + spread z" in done.out


@pytest.fixture
def parts(tmp_path):
    """Make a configuration with its data, and a network that nobody has trained."""
    cfg = Config()
    cfg.dataset.name, cfg.network.name, cfg.network.width = "family", "gnn", 8
    cfg.dataset.nodes_per_side, cfg.dataset.num_graphs = 6, 6
    cfg.dataset.family.constants = {"decay": [2.0, 3.0]}
    cfg.dataset.family.root = str(tmp_path)
    loss, _ = checked_loss(cfg)
    graphs = graphs_of(cfg, loss.family, "train")
    return cfg, loss, graphs, lambda: stepping_network(cfg, loss.family)


def test_train_physics_takes_the_step_of_the_program(parts):
    import deepxde as dde

    from pinn_ext.dde.data.network_adapter import NetworkAdapter

    cfg, loss, graphs, build = parts
    own, others = build(), FamilyBatches(graphs, loss.step)
    data = FamilyData(loss, others, others, own, batch_size=3, seed=5)
    model = dde.Model(data, NetworkAdapter(own, data))
    model.compile("adam", 1e-2, verbose=0)
    served = data.training_batch(0)
    model.train(iterations=1, display_every=10, verbose=0)

    batch = Batch.from_data_list([graphs[i] for i in data.batch_indices(0)])
    batch.tau = torch.stack([served.inputs[served.batch == i][0, 0] for i in range(3)])
    network = build()
    total, raw = train_physics(
        batch, network, torch.optim.Adam(network.parameters(), 1e-2), "cpu", cfg
    )
    assert all(
        torch.equal(a, b) for a, b in zip(own.parameters(), network.parameters(), strict=True)
    )
    assert list(raw) == loss.names and total == pytest.approx(sum(raw.values()))


def test_train_physics_with_a_network_and_an_aggregator_of_ones_own(parts):
    cfg, _, graphs, _ = parts

    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = torch.nn.Parameter(torch.zeros(2))

        def forward(self, batch, tau):
            return batch.x + tau[:, None] * batch.rates * (1.0 + self.factor * tau[:, None])

    network, losses = Own(), []
    optimizer = torch.optim.Adam(network.parameters(), 0.1)
    names = ["PI_loss1", "PI_loss2", "RK4_loss1", "RK4_loss2"]
    weights = LossAggregator("rba", names, parameters=network)
    torch.manual_seed(0)
    batch = Batch.from_data_list(list(graphs))
    batch.tau = torch.linspace(0.02, 0.25, 6)
    for _ in range(10):
        total, raw = train_physics(batch, network, optimizer, "cpu", cfg, adaptive_weights=weights)
        losses.append(sum(raw.values()))
    assert losses[-1] < 0.95 * losses[0] and total > 0
    assert all(len(t["keys"]) == 6 * 36 for t in weights.points.state_dict()["tables"])


def test_graphs_of_ones_own_need_the_length_of_a_step(parts):
    cfg, _, graphs, build = parts
    network = build()
    graph = graphs[0]
    del graph.number
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    with pytest.raises(ValueError, match=r"`dataset\.family\.step` must be given for graphs"):
        train_physics(graph, network, optimizer, "cpu", cfg)
    cfg.dataset.family.step = 0.01
    _, raw = train_physics(graph, network, optimizer, "cpu", cfg)
    assert len(raw) == 4
    _, raw = train_physics(graph, network, optimizer, "cpu", cfg, rk4=False)
    assert list(raw) == ["PI_loss1", "PI_loss2"]


REFUSED = [
    (["network=mlp", "dataset=family"], "`network.name` must be gnn or mesh_graph_net for"),
    (["dataset=grid"], "`dataset.name` must be family for network.name=gnn, got 'grid'"),
    (["network.hidden=[8]"], "`network.hidden` must be left out for network.name=gnn"),
    (["problem.conditions=soft"], "`problem.conditions` must be hard for dataset.name=family"),
    (["training.loss.use_gn_solver=true"], "`training.loss.use_gn_solver` must be false for"),
    (["training.slabs=2"], "`training.slabs` must be 1 for dataset.name=family, whose networks"),
    (["problem.reference=rk4"], "`problem.reference` must be left out for dataset.name=family"),
    (["dataset.step=0.1"], "`dataset.step` must be left out for dataset.name=family"),
    (["dataset.family.step=9.0"], "`dataset.family.step` must be at most "),
    (["dataset.family.steps=0"], "`dataset.family.steps` must be a whole number >= 1, got 0"),
    (["dataset.family.constants.feed=[1.0]"], "`dataset.family.constants.feed` must be a number"),
    (["dataset.family.constants.fed=1.0"], "must be one of decay, diffusion, feed, got 'fed'"),
    (["dataset.family.boundary=dirichlet"], "`dataset.family.fields` must be gaussian on a"),
    (["dataset.family.nodes=cloud"], "`dataset.family.boundary` must be neumann or dirichlet"),
    (["problem=lambda_omega"], "`dataset.family.mean` must be given for lambda_omega, as only"),
    (
        ["problem=predator_prey", *(f"dataset.family.{pair}" for pair in GIVEN)],
        "`problem.name` must have an equation without sources or coefficients that vary",
    ),
    (["problem.geometry=disk"], "`dataset.family.nodes` must be cloud or triangulation for"),
    (["dataset.num_test=0"], "`dataset.num_test` must be a whole number >= 1, got 0"),
    (["training.clip_gradients=0"], "`training.clip_gradients` must be a finite number in (0,"),
]


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED)
def test_what_cannot_be_is_said_in_a_sentence(run, arguments, sentence):
    done = run(*FEW, *arguments) if arguments[0] != "network=mlp" else run(*arguments)
    assert done.status == 2 and sentence in done.err, done.err
    assert done.err.count("\n") == 1 and done.folder is None


def test_keys_of_a_family_elsewhere(run):
    done = run(*SMALL, "dataset.family.waves=4")
    sentence = "`dataset.family.waves` must be left out unless dataset.name=family"
    assert done.status == 2 and sentence in done.err
    done = run(*SMALL, "network.width=4")
    assert "`network.width` must be left out for network.name=mlp" in done.err


@pytest.mark.slow
def test_a_checkpoint_of_another_network(run):
    assert run(*FEW, "training.epochs=1", "hydra.run.dir=one").status == 0
    done = run("training.resume=one", "network=mesh_graph_net")
    assert done.status == 2 and re.search("`network(.name)?` cannot differ from the", done.err)


def test_a_problem_file_is_part_of_what_references_are_of_and_run_where_it_is_named(run, tmp_path):
    """References of another parameter or text would be errors against another equation."""
    mine = tmp_path / "mine.py"
    assert run("new", "mine.py").status == 0
    file = ["problem=from_file", "problem.file=mine.py", "dataset.family.mean=[1,1]"]
    file += ["dataset.family.spread=[0.1,0.1]", "dataset.family.horizon=0.05"]
    own = [argument for argument in FEW if not argument.startswith("problem=")] + file

    def frozen(folder, *more):
        done = run(*own, *more, f"hydra.run.dir={folder}")
        assert done.status == 0, done.err
        return read_report(tmp_path / folder)["relative_l2_trivial"]

    slow, fast = frozen("slow"), frozen("fast", "problem.parameters.rate=20")
    assert fast["v"] > 2 * slow["v"]
    assert fast == frozen("again", "problem.parameters.rate=20", "dataset.family.root=fresh")

    mine.write_text(mine.read_text("utf-8") + "\nprint('it was run')\n", "utf-8")
    unnamed = run("rollout", "slow")
    assert unnamed.status == 2 and "add --problem-file mine.py" in unnamed.err
    assert "it was run" not in unnamed.out
    changed = run("rollout", "slow", "--problem-file", "mine.py")
    assert changed.status == 2 and "has changed since the run was made" in changed.err
    mine.write_text(mine.read_text("utf-8").replace("\nprint('it was run')\n", ""), "utf-8")
    assert run("rollout", "slow", "--problem-file", "mine.py", "steps=2").status == 0
