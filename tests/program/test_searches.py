"""Sweeps whose values another sweeper than Hydra's own chooses, by what each job returns.

A sweeper of the tests stands in for Optuna's, which tests/ecosystem tries.
"""

import json
import math
import sys
import types

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from pinn_ext.program.sweepers import best_line, samples
from pinn_ext.reports import held_out
from tests.program.conftest import SMALL, read_report

RETURNED = []


class EndsSweeper(Sweeper):
    """Runs one job at each end of an interval, the second when it has the number of the first."""

    __module__ = "hydra_plugins.ends"  # Hydra makes no sweeper of another package

    def setup(self, *, hydra_context, task_function, config):
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments):
        RETURNED.clear()
        parsed = OverridesParser.create().parse_overrides(arguments)
        for number, end in enumerate(("start", "end")):
            own = [
                f"{one.get_key_element()}={getattr(one.value(), end)}"
                if one.is_interval_sweep()
                else one.input_line
                for one in parsed
            ]
            (done,) = self.launcher.launch([own], initial_job_idx=number)
            RETURNED.append(done.return_value)


@pytest.fixture(autouse=True)
def ends(monkeypatch):
    home = types.ModuleType("hydra_plugins.ends")
    home.EndsSweeper = EndsSweeper
    monkeypatch.setitem(sys.modules, home.__name__, home)
    try:
        import hydra_plugins
    except ImportError:
        hydra_plugins = types.ModuleType("hydra_plugins")
        hydra_plugins.__path__ = []
        monkeypatch.setitem(sys.modules, "hydra_plugins", hydra_plugins)
    monkeypatch.setattr(hydra_plugins, "ends", home, raising=False)
    Plugins.instance().register(EndsSweeper)
    node = {"_target_": "hydra_plugins.ends.EndsSweeper"}
    ConfigStore.instance().store(group="hydra/sweeper", name="ends", node=node)


def test_jobs_return_their_held_out_scores(run):
    done = run("-m", "hydra/sweeper=ends", *SMALL, "training.learning_rate=interval(1e-3,1e-1)")
    assert done.status == 0, done.err
    reports = [read_report(done.folder / name) for name in ("0", "1")]
    assert [report["held_out_score"] for report in reports] == RETURNED
    for report in reports:  # of the raw losses alone, whatever the error is
        losses = report["validation_losses_last"]
        assert report["held_out_score"] == held_out.held_out_score(losses, "fields")
    rows = json.loads((done.folder / "comparison.json").read_text())
    assert {row["job"]: row["held_out_score"] for row in rows} == dict(enumerate(RETURNED))
    best = RETURNED.index(min(RETURNED))
    value = ("0.001", "0.1")[best]
    assert "Relative L2 errors, the smallest worst field first:" in done.out
    assert f"is {RETURNED[best]:.3g}: job {best} (training.learning_rate={value})." in done.out


def test_a_job_that_fails_is_the_worst_and_the_next_one_runs(run):
    span = "training.loss.adaptive.ema_alpha=interval(1.5,0.5)"
    done = run("-m", "hydra/sweeper=ends", *SMALL, "training=adaptive_ema", span)
    assert done.status == 1
    assert RETURNED[0] == math.inf and 0 < RETURNED[1] < math.inf
    assert "job 0 failed" in done.err and "job 1 (" in done.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["training.lrr=interval(0,1)"], "`training.lrr` is no key of the configuration"),
        (["training.epochs=interval(0.5,1.5)"], "`training.epochs` must be a whole number"),
        (["training=default,adaptive_emma"], "(did you mean 'adaptive_ema'?)"),
        (["hydra.sweep.subdir=here", "seed=int(interval(0,9))"], "must give each job a folder"),
        (["hydra/sweeper=optuna"], "got 'optuna' (a package may have to be installed: docs/eco"),
        (["hydra/launcher=ray"], "The launcher ray is not installed: it needs hydra-ray-launcher"),
    ],
)
def test_what_cannot_be_run_is_refused_before_the_first_job(run, tmp_path, arguments, sentence):
    if "installed" in sentence:
        known = {name.partition(".")[2] for name in Plugins.instance().class_name_to_class}
        if any(arguments[0].rpartition("=")[2] in name for name in known):
            pytest.skip("the package is installed")
    first = [] if arguments[0].startswith("hydra/sweeper") else ["hydra/sweeper=ends"]
    done = run("-m", *first, *SMALL, *arguments)
    assert done.status == 2 and sentence in done.err
    assert not (tmp_path / "multirun").exists()


def test_samples_have_every_value_of_a_choice_and_the_ends_of_a_range():
    found = samples(["a=1,2,3", "b=int(interval(0,1))", "c=range(5,1000000000)", "d=x"])
    assert [job[0] for job in found] == ["a=1", "a=2", "a=3"]
    assert [job[1] for job in found] == ["b=0", "b=1", "b=0"]
    assert {job[2] for job in found} == {"c=5"} and {job[3] for job in found} == {"d=x"}
    assert samples(["a=range(3,3)"]) == []


def rows(*losses, weight=1.0, **more):
    return [
        {
            "phase": "epochs",
            "epoch": number,
            **{"validation_PI": loss, "validation_IC": 0.1 * loss},
            **{"weight_PI": 1.0, "weight_IC": weight},
            **more,
        }
        for number, loss in enumerate(losses, start=1)
    ]


def test_the_score_is_that_of_the_network_that_is_kept():
    history, names = rows(4.0, 1.0, 2.0), ["PI", "IC"]
    assert held_out.of_run(history, names, "fields") == 4.0  # 2 + 10 * 0.2
    assert held_out.of_run(history, names, "fields", {"phase": "epochs", "epoch": 2}) == 2.0
    assert held_out.of_run(rows(2.0, weight=0.0), names, "fields") == 2.0
    assert held_out.of_run(rows(float("nan")), names, "fields") is None
    assert held_out.of_run([], names, "fields") is None


def test_the_score_of_slabs_is_that_of_their_mean_losses():
    history = [*rows(9.0, 1.0, slab=0), *rows(3.0, 5.0, slab=1)]
    slabs = [{"slab": n, "best": {"phase": "epochs", "epoch": 2 - n}} for n in (0, 1)]
    assert held_out.of_run(history, ["PI"], "fields", None, slabs) == 3.0
    best = slabs[-1]["best"]
    assert held_out.of_run(history, ["PI"], "fields", best, slabs) == 2.0


def test_a_search_without_a_score_says_so():
    assert "No job" in best_line([{"job": 0, "held_out_score": None, "overrides": ""}])
