"""How many processes there are, and what they are refused; all without starting any."""

import pytest

from pinn_ext import schema
from pinn_ext.program.ranks import environment
from pinn_ext.schema import Config

MEET = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def of_rank(rank, count, **more):
    return {**MEET, "RANK": str(rank), "WORLD_SIZE": str(count), **more}


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, (1, 0, 0)),
        ({"WORLD_SIZE": "4", "RANK": "2"}, (1, 0, 0)),  # nobody says where they meet
        ({"SLURM_LOCALID": "2", "SLURM_NTASKS": "4"}, (1, 0, 0)),
        (of_rank(0, 1), (1, 0, 0)),
        (of_rank(0, 3, LOCAL_RANK="0"), (3, 0, 0)),
        (of_rank(1, 3, LOCAL_RANK="1"), (3, 1, 2)),
        (of_rank(2, 3, LOCAL_RANK="0"), (3, 2, 1)),  # the first one of another machine
        (of_rank(0, "many"), (1, 0, 0)),
    ],
)
def test_what_torchrun_says(variables, wanted):
    found = environment.count(variables), environment.rank(variables), environment.turn(variables)
    assert found == wanted


@pytest.fixture
def job(monkeypatch):
    """Let this process be one of several: `job(count, rank)`."""

    def be(count, rank=0):
        for key, value in of_rank(rank, count).items():
            monkeypatch.setenv(key, value)
        monkeypatch.setattr(environment, "_GRACE", 0.0)

    return be


def stepping(**changes):
    cfg = Config()
    cfg.dataset.name, cfg.network.name, cfg.dataset.num_graphs = "family", "gnn", 7
    for key, value in changes.items():
        setattr(cfg.dataset, key, value)
    return cfg


def check(cfg):
    environment.check(cfg, schema.validate(cfg))


def test_shares_that_each_process_can_have(job):
    job(3)
    for size in (4, 7, 100):
        check(stepping(batch_size=size))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"num_graphs": 2}, "`dataset.num_graphs` must be at least 3, as each process of the"),
        ({"batch_size": 2}, "`dataset.batch_size` must give each of 3 processes a graph of every"),
        ({"batch_size": 6}, "mini-batch of 7 graphs, got 6, whose last mini-batch has 1."),
    ],
)
def test_shares_that_some_process_cannot_have(job, changes, sentence):
    job(3)
    with pytest.raises(ValueError) as refused:
        check(stepping(**changes))
    assert sentence in str(refused.value)
    job(1)
    check(stepping(**changes))


@pytest.mark.parametrize("name", ["sa_pinn", "rba", "brdr", "causal"])
def test_points_are_not_weighed_together(job, name):
    job(2)
    cfg = stepping()
    cfg.training.loss.adaptive.enabled = True
    cfg.training.loss.adaptive.strategy = name
    with pytest.raises(ValueError, match=r"strategy` must weigh terms in a job of 2 processes"):
        check(cfg)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dataset=grid"], "`network.name` must be gnn or mesh_graph_net in a job of 2 processes"),
        (["network=gnn", "dataset.num_graphs=1"], "`dataset.num_graphs` must be at least 2, as"),
        (
            ["network=gnn", "training.lbfgs_iterations=5"],
            "`training.lbfgs_iterations` must be 0 in a job of 2 processes, whose line searches",
        ),
        (["-m", "seed=1,2"], "A sweep cannot be shared by processes: start one instead of 2."),
        (["compare", "x"], "The command compare cannot be shared by processes: start one instead"),
    ],
)
@pytest.mark.parametrize("rank", [0, 1])
def test_a_job_is_refused_in_a_sentence(run, job, arguments, sentence, rank):
    job(2, rank)
    done = run(*arguments)
    assert done.status == 2 and sentence in done.err, done.err
    assert done.err.count("\n") == 1 and done.folder is None


def test_the_first_process_is_left_the_word(job, monkeypatch):
    waited = []
    monkeypatch.setattr(environment.time, "sleep", waited.append)
    for count, rank in ((1, 0), (2, 0), (2, 1)):
        job(count, rank)
        environment.leave_it_to_rank_0()
    assert waited == [0.0]


def test_another_number_of_processes_is_said(job):
    job(2)
    assert environment.other_number(2) == []
    assert environment.other_number(1) == [
        "The run goes on in 2 processes, it was in 1 before: last bits may differ."
    ]
