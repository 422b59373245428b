"""Study files: what they may hold, and one sentence for each that cannot be used."""

import pytest

from pinn_ext.checks import ArgumentError
from pinn_ext.program.composition import compose
from pinn_ext.program.study import plan as plan_module
from pinn_ext.program.study import study_file, tuned
from pinn_ext.program.study.plan import checked_before, plan, stages
from pinn_ext.program.terminal.refusals import Refused
from pinn_ext.reports.study.records import Record
from tests.program.conftest import SMALL

MINIMAL = {"systems": ["coupled_burgers"], "strategies": ["fixed"], "seeds": 1}


def read(**values):
    return study_file.from_values({**MINIMAL, **values}, "mine")


def test_names_stand_for_their_overrides():
    found = read(strategies=["fixed", "ema"], seeds=3)
    assert found.strategies == {"fixed": ("training=default",), "ema": ("training=adaptive_ema",)}
    assert found.systems == {"coupled_burgers": ("problem=coupled_burgers",)}
    assert found.seeds == (0, 1, 2) and found.conditions == ("soft",)
    assert found.title == "mine" and str(found.folder) == "studies/mine"
    empty = read(title=None, folder=None)  # keys of YAML without a value
    assert (empty.title, empty.folder) == (found.title, found.folder)
    named = read(strategies={"fast": ["training=adaptive_ema", "a.b=1"], "rba": None}, seeds=[4, 2])
    assert named.strategies["fast"][1] == "a.b=1" and named.seeds == (4, 2)
    assert named.strategies["rba"] == ("training=adaptive_rba",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"system": []}, "`key` must be one of .*'system' .did you mean 'systems'"),
        ({"strategys": ["fixed"]}, "did you mean 'strategies'"),
        ({"systems": []}, "`systems` must hold at least one entry"),
        ({"seeds": []}, "`seeds` must hold at least one entry"),
        ({"seeds": 0}, "`seeds` must be a whole number in .1, 10000., got 0"),
        ({"seeds": [1, 1]}, "`seeds` must name each seed once"),
        ({"seeds": [-1]}, "`seeds` must be a whole number"),
        ({"phases": {}}, "`phases` must hold at least one entry"),
        ({"phases": ["adam"]}, "`phases` must be a mapping of names to overrides, got"),
        ({"conditions": ["sof"]}, "`conditions` must be one of hard, soft, got 'sof'"),
        ({"systems": ["a b"]}, "`systems` must have names of at most 60 letters"),
        ({"systems": ["../a"]}, "`systems` must have names"),
        ({"systems": {"a": "problem=a"}}, "`systems.a` must be a list of overrides"),
        ({"common": ["training.epochs"]}, "`common` must hold overrides KEY=VALUE"),
        ({"common": ["seed=3"]}, "`common` must leave seed, experiment, resume and hydra"),
        ({"common": ["+hydra.job.chdir=true"]}, "must leave seed, experiment, resume and hydra"),
        ({"contenders": ["emma"]}, "`contenders` must be one of fixed, got 'emma'"),
        ({"contenders": ["fixed", "fixed"]}, "must be at most 6 different strategies"),
        ({"leave_out": [{"strategy": "fixed"}]}, "`leave_out` must be one of conditions, phases"),
        ({"leave_out": [{"strategies": "ema"}]}, "`leave_out.strategies` must be one of fixed"),
        ({"jobs": 0}, "`jobs` must be a whole number"),
        ({"folder": " "}, "`folder` must name a folder"),
        ({"launcher": "a/b"}, "`launcher` must be the name of one of Hydra's launchers"),
        ({"tuned": {"grids": {}}}, "`tuned` must be one of grid, name, part, got 'grids'"),
        ({"tuned": {"part": 1}}, "`tuned.part` must be a finite number in .0, 1."),
        ({"tuned": {"grid": {"rk5": [1]}}}, "`tuned.grid` must be one of conditions, rk4"),
        ({"tuned": {"grid": {"rk4": [1, 1]}}}, "`tuned.grid.rk4` must hold different factors"),
        ({"tuned": {"grid": {"rk4": [0, 1]}}}, "`tuned.grid.rk4` must be a finite number > 0"),
        ({"tuned": {"name": "a/b"}}, "`tuned` must have names of at most 60 letters"),
        ({"tuned": {"name": 3}}, "`tuned.name` must be a name, got 3"),
        ({"tuned": {"name": "fixed"}}, "`tuned.name` must be no name under strategies"),
    ],
    ids=str,
)
def test_a_wrong_entry_is_refused(values, message):
    with pytest.raises(ArgumentError, match=message):
        read(**values)


@pytest.mark.parametrize("values", [None, [], "text", {"systems": ["a"]}], ids=str)
def test_what_is_no_study_is_refused(values):
    with pytest.raises(ArgumentError):
        study_file.from_values(values, "mine")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(Refused, match=r"There is no study file .*smoke, weighting\."):
        study_file.find(str(tmp_path / "none.yaml"))
    (tmp_path / "a.yaml").write_text("systems: [a\n")
    with pytest.raises(Refused, match=r"a\.yaml is no YAML"):
        study_file.read(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("sistems: [a]\n")
    with pytest.raises(Refused, match=r"a\.yaml: `key` must be one of"):
        study_file.read(tmp_path / "a.yaml")


@pytest.mark.parametrize("name", ["smoke", "weighting", "configs/study/smoke.yaml"])
def test_studies_of_the_package_can_be_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a path in a checkout is known outside of one too
    found = study_file.read(study_file.find(name))
    assert 2 <= len(found.contenders) <= 6 and found.tuned
    assert len(found.systems) >= 3 and len(found.seeds) >= 2


# ---- the jobs -----------------------------------------------------------------------------------


def planned(**values):
    return plan(read(common=list(SMALL[1:]), **values))


def test_the_jobs_are_the_product():
    jobs = planned(strategies=["fixed", "ema"], conditions=["soft", "hard"], seeds=[3, 1])
    assert [job.name for job in jobs] == [
        f"coupled_burgers.{conditions}.epochs.{strategy}.{seed}"
        for seed in (3, 1)
        for strategy in ("fixed", "ema")
        for conditions in ("soft", "hard")
    ]
    cfg, _ = compose(jobs[-1].overrides)
    assert (cfg.seed, cfg.problem.conditions, cfg.training.epochs) == (1, "hard", 3)
    assert cfg.training.loss.adaptive.strategy == "ema"


def test_parts_can_be_left_out():
    left = [{"strategies": "ema", "conditions": ["hard"]}, {"seeds": 1, "strategies": "fixed"}]
    values = {"strategies": ["fixed", "ema"], "conditions": ["soft", "hard"], "seeds": 2}
    names = {job.name.removeprefix("coupled_burgers.") for job in planned(**values, leave_out=left)}
    assert names == {"soft.epochs.fixed.0", "hard.epochs.fixed.0", *EMA}
    with pytest.raises(Refused, match="The study has no jobs, as leave_out names all of them"):
        planned(leave_out=[{"systems": "coupled_burgers"}])


EMA = {"soft.epochs.ema.0", "soft.epochs.ema.1"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strategies": {"bad": ["training.epoch=3"]}}, "`training.epoch` is no key"),
        ({"strategies": {"bad": ["training.epochs=-3"]}}, "`training.epochs` must be"),
        ({"strategies": ["no_such"]}, "adaptive_no_such"),
        ({"systems": ["no_such"]}, "no_such"),
        ({"phases": {"bad": ["training.epochs=1,2"]}}, "training.epochs"),
        ({"conditions": ["hard"], "strategies": ["capu"]}, "`problem.conditions` must be soft"),
        (
            {"tuned": {"grid": {"rk4": [1, 2]}, "part": 0.1}},
            "`training.epochs` must be at least 20",
        ),
        (
            {"tuned": {"grid": {"conditions": [1, 2]}}, "conditions": ["hard"]},
            "at least two points",
        ),
    ],
    ids=str,
)
def test_a_job_that_would_be_refused_is_named_before_any_work(values, message):
    with pytest.raises(Refused, match=f"The job .* cannot be run: .*{message}") as refusal:
        planned(**values)
    assert str(refusal.value).count("\n") == 0


@pytest.mark.parametrize("grid", [{}, {"tuned": {"grid": {"conditions": [1, 10]}}}], ids=str)
def test_what_a_folder_holds_is_not_checked_again(grid, monkeypatch):
    asked = {"common": [*SMALL[1:-1], "training.epochs=9"], "strategies": ["ema", "fixed"], **grid}
    jobs = plan(read(**asked))
    composed = []
    monkeypatch.setattr(plan_module, "compose", lambda o: composed.append(o) or compose(o))
    sound = checked_before(Record("mine", (), (), tuple(jobs)))
    assert plan(read(**asked), sound) == jobs
    assert len(composed) == len(grid)  # whose configuration says which weights there are
    composed.clear()
    more = plan(read(**{**asked, "strategies": ["ema", "fixed", "ntk"], "seeds": 3}), sound)
    assert len(more) > len(jobs) and len(composed) == len(grid) + 1
    bad = {"strategies": ["ema", "fixed"], "common": [*asked["common"], "training.epoch=3"]}
    with pytest.raises(Refused, match=r"`training\.epoch` is no key"):
        plan(read(**{**asked, **bad}), sound)
    assert checked_before(Record("mine", (), (), tuple(jobs), "0.0")) == frozenset()


# ---- tuned fixed weights ------------------------------------------------------------------------


def test_contenders_come_first_and_each_seed_after_the_one_before():
    grid = {"grid": {"conditions": [1, 10]}}
    own = {"strategies": ["ema", "fixed", "ntk"], "contenders": ["fixed", "tuned_fixed"]}
    jobs = plan(read(common=[*SMALL[1:-1], "training.epochs=9"], seeds=2, tuned=grid, **own))
    named = [job.name.removeprefix("coupled_burgers.soft.epochs.") for job in jobs]
    of_a_seed = ["fixed.{}", "tuned_fixed.{}.grid0", "tuned_fixed.{}.grid1", "tuned_fixed.{}"]
    of_a_seed += ["ema.{}", "ntk.{}"]
    assert named == [name.format(seed) for seed in (0, 1) for name in of_a_seed]
    # What needs others begins a list of its own, and the next seed does not wait for that.
    assert [len(stage) for stage in stages(jobs, in_order=True)] == [3, 6, 3]
    assert [job for stage in stages(jobs, in_order=True) for job in stage] == jobs
    assert [len(stage) for stage in stages(jobs, in_order=False)] == [10, 2]


@pytest.mark.slow
def test_a_grid_has_the_budget_of_one_run():
    values = {"common": [*SMALL[1:-1], "training.epochs=21"], "seeds": 2}
    grid = {"conditions": [1, 10], "second_field": [0.5, 1]}
    jobs = plan(read(**values, tuned={"part": 0.5, "grid": grid}))
    first, last = stages(jobs, in_order=False)
    assert [job.role for job in first].count("pilot") == 8 and len(last) == 2
    for final in last:
        lengths = [
            compose(job.overrides)[0].training.epochs
            for job in jobs
            if job.name in (final.name, *final.chosen_from)
        ]
        assert sum(lengths) == 21 and len(lengths) == 5
    pilot = next(job for job in jobs if job.name == last[0].chosen_from[2])
    loss = compose(pilot.overrides)[0].training.loss
    assert (loss.w1_IC, loss.w2_IC, loss.w2_BC, loss.w1_PI, loss.w2_PI) == (10, 5, 5, 1, 0.5)


def test_axes_that_multiply_nothing_are_left_out():
    grid = tuned.read_tuned(
        {"grid": {"conditions": [1, 10], "rk4": [1, 2], "second_field": [1, 2]}}
    )
    hard, _ = compose([*SMALL, "problem.conditions=hard", "training.loss.use_rk4=false"])
    assert len(tuned.weight_overrides(grid, hard)) == 2
    soft, _ = compose([*SMALL, "problem.conditions=soft"])
    assert len(set(tuned.weight_overrides(grid, soft))) == 8
    assert tuned.read_tuned(None) is None and tuned.read_tuned(True) == tuned.Tuned()


def test_points_of_a_grid_train_by_epochs_alone():
    cfg, _ = compose([*SMALL, "training.lbfgs_iterations=5", "training.loss.use_gn_solver=true"])
    short, _ = compose([*SMALL, *tuned.without_further_phases(cfg)])
    assert short.training.lbfgs_iterations == 0 and not short.training.loss.use_gn_solver
