"""Networks of sines, Fourier features, a fixed first layer: from the command line to a resume."""

import pytest
import torch

from pinn_ext import schema
from pinn_ext.program import checkpoints
from tests.program.conftest import SMALL, read_report, read_rows

KINDS = {
    "sine": ["network=sine", "network.w0=2"],
    "sees_data": ["network.sees_data=true"],
    "fourier": ["network=fourier", "network.fourier_frequencies=3", "network.first_layer=random"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_saved_and_goes_on_as_it_was(run, run_killed, tmp_path, kind):
    whole = run(*SMALL, *KINDS[kind], "training.epochs=4")
    assert whole.status == 0, whole.err
    run_killed(2, *SMALL, *KINDS[kind], "training.epochs=4", "hydra.run.dir=killed/run-0")
    again = run("training.resume=killed/run-0")
    assert again.status == 0, again.err
    ends = [
        torch.load(folder / "checkpoint.pt", weights_only=True)["model_state_dict"]
        for folder in (whole.folder, tmp_path / "killed" / "run-0")
    ]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in ends[0])
    assert read_rows(whole.folder) == read_rows(tmp_path / "killed" / "run-0")
    if kind == "fourier":  # never moved, and not in the report's count of what is trained
        start = run(*SMALL, *KINDS[kind], "training.epochs=1")
        first = torch.load(start.folder / "checkpoint.pt", weights_only=True)["model_state_dict"]
        assert torch.equal(first["layers.0.weight"], ends[0]["layers.0.weight"])
        assert not torch.equal(first["layers.2.weight"], ends[0]["layers.2.weight"])


def test_gauss_newton_trains_a_sine_network(run):
    done = run(
        "training=gauss_newton", "problem=coupled_burgers", "network=sine", "network.hidden=[8,8]",
        "training.gauss_newton.iterations=25", "dataset.num_graphs=3",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert max(read_report(done.folder)["relative_l2"].values()) < 1e-3
    assert "backward pass a row" not in done.out


def test_a_checkpoint_without_the_keys_has_the_network_of_its_time(run):
    done = run(*SMALL, "training.epochs=1")
    config = checkpoints.load(done.folder / "checkpoint.pt")["config"]
    for key in (
        "w0",
        "features",
        "fourier_frequencies",
        "fourier_scale",
        "first_layer",
        "sees_data",
    ):
        del config["network"][key]
    network = schema.from_dict(config).network
    found = network.activation, network.features, network.first_layer, network.sees_data
    assert found == ("tanh", "none", "trained", False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["network.w0=5"], "`network.w0` must stay 3 without network.activation=sine, as it has"),
        (["network=sine", "network.w0=0"], "`network.w0` must be a finite number in (0, 1000]"),
        (["network.features=random"], "`network.features` must be one of fourier, none, got"),
        (
            ["network.fourier_scale=1"],
            "`network.fourier_scale` must stay 2 without network.features=fourier",
        ),
        (
            ["network.fourier_frequencies=8"],
            "`network.fourier_frequencies` must stay 16 without network.features=fourier",
        ),
        (
            ["network=fourier", "network.fourier_frequencies=100000000000000"],
            "`network.fourier_frequencies` must fit this machine's memory",
        ),
        (["network.first_layer=fixed"], "`network.first_layer` must be one of random, trained"),
        (
            ["network.sees_data=true", "problem.conditions=soft"],
            "`problem.conditions` must be hard for network.sees_data=true, which takes the data",
        ),
        (["network=gnn", "network.sees_data=true"], "`network.sees_data` must be left out for"),
        (
            ["network=siren"],
            "`network` must be one of fourier, gnn, mesh_graph_net, mlp, sine, got 'siren'",
        ),
    ],
)
def test_what_is_refused(run, tmp_path, arguments, message):
    done = run(*arguments)
    assert done.status == 2 and not list(tmp_path.rglob("*"))
    assert message in done.err and done.err.count("\n") == 1
