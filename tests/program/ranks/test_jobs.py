"""Runs in several processes: as one process alone to rounding, and what becomes of them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pinn_ext.program import checkpoints
from tests.program.conftest import read_report, read_rows
from tests.program.ranks import jobs
from tests.program.ranks.jobs import HELD, SHORT
from tests.scripts import ROOT

DECAY = "dataset.family.constants.decay=[2.0,3.0]"
ARGUMENTS = (*SHORT, "training=adaptive_lr_annealing", DECAY, "training.epochs=3")
"""The third epoch begins with roll-outs; the strategy reads gradients."""
GRADIENTS = ("gradnorm", "db_mtl", "gradient_balance", "inverse_dirichlet", "ntk", "equal_init")


@pytest.fixture(scope="module", autouse=True)
def as_they_are(pytestconfig):
    if pytestconfig.getoption("last_bits"):
        pytest.skip("other processes train from the weights as they are")


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Give a run in two processes that nobody changes: its folder, and all that was printed."""
    place = tmp_path_factory.mktemp("together")
    done = jobs.run(2, *ARGUMENTS, "hydra.run.dir=run", folder=place)
    assert done.statuses == [0, 0], done.err
    return place, done


def numbers(folder):
    """Return the names of a run's columns, and the numbers of its rows."""
    names, *rows = read_rows(folder)
    words = names.index("phase")
    return names, [[float(x) for i, x in enumerate(row) if i != words] for row in rows]


def same_to_rounding(one, other, rel=1e-8):
    (names, rows), (others, more) = numbers(one), numbers(other)
    assert names == others and len(rows) == len(more)
    for row, wanted in zip(rows, more, strict=True):
        assert row == pytest.approx(wanted, rel=rel)


def test_two_processes_train_as_one_with_all_graphs(together, run):
    place, _ = together
    alone = run(*ARGUMENTS)
    assert alone.status == 0, alone.err
    same_to_rounding(place / "run", alone.folder)
    names = {path.name for path in alone.folder.iterdir()}
    assert {path.name for path in (place / "run").iterdir()} == names


def test_all_processes_hold_the_same_to_the_last_bit(together):
    place, _ = together
    first, second = (json.loads((place / f"held{rank}.json").read_text()) for rank in (0, 1))
    assert first == second and set(first["weights"].values()) != {1.0}


def test_one_process_prints_and_writes(together):
    place, done = together
    assert done.out[1] == done.err[1] == "" == done.err[0]
    assert "2 processes train together, each on its share of every mini-batch of 3" in done.out[0]
    assert done.out[0].count("Results: run") == 1
    assert read_report(place / "run")["processes"] == 2
    assert checkpoints.load(place / "run" / "checkpoint.pt")["processes"] == 2
    assert not (place / "nowhere").exists()


# ---- what takes several jobs ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", GRADIENTS)
def test_strategies_see_what_they_see_in_one_process(run, tmp_path, name):
    arguments = [*ARGUMENTS[:-1], "training.epochs=2", f"training.loss.adaptive.strategy={name}"]
    done = jobs.run(2, *arguments, "hydra.run.dir=together", folder=tmp_path)
    assert done.statuses == [0, 0], done.err
    alone = run(*arguments)
    assert alone.status == 0, alone.err
    same_to_rounding("together", alone.folder, 1e-6)


@pytest.mark.slow
def test_pilots_choose_alike(run, tmp_path):
    arguments = [*SHORT, "training=adaptive_auto", "training.epochs=8"]
    done = jobs.run(2, *arguments, "hydra.run.dir=together", folder=tmp_path)
    assert done.statuses == [0, 0], done.err
    alone = run(*arguments)
    same_to_rounding("together", alone.folder, 1e-6)
    assert read_report("together")["choice"] == read_report(alone.folder)["choice"]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_it_goes_on_in_any_number_of_processes(tmp_path, ranks):
    """In two as without a break, bit for bit; in others to rounding."""
    arguments = [*ARGUMENTS[:-1], "training.epochs=5", "training.schedule=none"]
    whole = jobs.run(2, *arguments, "hydra.run.dir=whole", folder=tmp_path)
    first = jobs.run(2, *arguments, "training.epochs=3", "hydra.run.dir=parts", folder=tmp_path)
    assert whole.statuses == first.statuses == [0, 0], (whole.err, first.err)
    more = jobs.run(ranks, "training.resume=parts", "training.epochs=5", folder=tmp_path)
    assert more.statuses == [0] * ranks, more.err
    said = f"The run goes on in {ranks} process"
    assert (said in more.out[0]) == (ranks != 2)
    if ranks == 2:
        assert read_rows(tmp_path / "parts") == read_rows(tmp_path / "whole")
    same_to_rounding(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.slow
def test_other_configurations_do_not_meet(tmp_path):
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": jobs.free_port(), "WORLD_SIZE": "2"}
    scripts = [
        jobs.scripts.start(
            HELD, *SHORT, f"seed={rank}", folder=tmp_path, RANK=str(rank), LOCAL_RANK="0", **where
        )
        for rank in (0, 1)
    ]
    done = jobs.ended(scripts)
    sentence = "pinn-ext: `seed` must be the same on all ranks, got 0 on rank 0 and 1 on rank 1.\n"
    assert done.statuses[0] == 1 and done.err[0] == sentence


def wait_for_rows(folder, count, process):
    deadline, file = time.monotonic() + 300, folder / "history.csv"
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and file.read_text().count("\n") > count:
            return
        time.sleep(0.02)
    raise AssertionError("the run has not come so far")


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1])
def test_a_killed_process_ends_the_run_which_goes_on_alone(run, tmp_path, killed):
    arguments = [*ARGUMENTS[:-1], "training.epochs=60"]
    job = jobs.start(2, *arguments, "hydra.run.dir=run", folder=tmp_path)
    wait_for_rows(tmp_path / "run", 2, job[0])
    os.kill(job[killed].pid, signal.SIGKILL)
    done = jobs.ended(job)
    assert done.statuses[killed] == -signal.SIGKILL
    sentence = "Another process of the job has ended, or cannot be reached ("
    where = "pinn-ext: rank 1 of 2: " if killed == 0 else "pinn-ext: "
    assert done.err[1 - killed].startswith(where + sentence)
    assert done.err[1 - killed].count("\n") == 1
    if killed == 1:
        assert done.statuses[0] == 1
        report = read_report(tmp_path / "run")
        assert report["status"] == "failed" and report["message"].startswith(sentence)
    epochs = len(read_rows(tmp_path / "run")) + 1
    resumed = run("training.resume=run")
    assert resumed.status == 0, resumed.err
    assert len(read_rows(tmp_path / "run")) == 61 > epochs


# ---- by torchrun itself --------------------------------------------------------------------------


def torchrun(*options, arguments, folder):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    call = [sys.executable, "-m", "torch.distributed.run", *options, str(ROOT / "main.py")]
    return subprocess.Popen(
        [*call, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_by_torchrun(tmp_path):
    one = torchrun(
        "--standalone", "--nproc_per_node=2", arguments=[*ARGUMENTS, "hydra.run.dir=run"],
        folder=tmp_path,
    )  # fmt: skip
    out, err = one.communicate(timeout=600)
    assert one.returncode == 0, err
    assert out.count("Results: run") == 1 and len(read_rows(tmp_path / "run")) == 4


@pytest.mark.slow
def test_a_refusal_is_one_sentence_of_the_program(tmp_path):
    few = [*ARGUMENTS, "dataset.num_graphs=1"]
    one = torchrun("--standalone", "--nproc_per_node=2", arguments=few, folder=tmp_path)
    out, err = one.communicate(timeout=600)
    own = [line for line in err.splitlines() if line.startswith("pinn-ext:")]
    assert one.returncode and own == [
        "pinn-ext: `dataset.num_graphs` must be at least 2, as each process of the job needs a "
        "graph, got 1."
    ]
    assert out == "" and not (tmp_path / "outputs").exists()


@pytest.mark.slow
def test_two_agents_as_on_two_machines(together, tmp_path):
    where = f"--rdzv_endpoint=127.0.0.1:{jobs.free_port()}"
    options = ("--nnodes=2", "--nproc_per_node=1", "--rdzv_backend=c10d", "--rdzv_id=1", where)
    arguments = [*ARGUMENTS, "hydra.run.dir=run"]
    agents = [torchrun(*options, arguments=arguments, folder=tmp_path) for _ in range(2)]
    ends = [agent.communicate(timeout=600) for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], ends
    assert sorted(out.count("Results: run") for out, _ in ends) == [0, 1]
    assert read_rows(tmp_path / "run") == read_rows(Path(together[0]) / "run")


@pytest.mark.slow
def test_a_signal_stops_all_after_the_same_step(run, tmp_path):
    one = torchrun(
        "--standalone", "--nproc_per_node=2",
        arguments=[*ARGUMENTS[:-1], "training.epochs=400", "hydra.run.dir=run"], folder=tmp_path,
    )  # fmt: skip
    wait_for_rows(tmp_path / "run", 2, one)
    one.send_signal(signal.SIGTERM)
    one.communicate(timeout=600)
    assert one.returncode
    report = read_report(tmp_path / "run")
    assert report["status"] == "interrupted" and report["epochs"] == len(read_rows("run")) - 1
