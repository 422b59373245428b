"""A run in slabs goes on from wherever it was ended, bit for bit, and damaged parts are refused."""

from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from pinn_ext.checks import ArgumentError
from pinn_ext.cli import main
from pinn_ext.program import checkpoints
from pinn_ext.program.slabs.chain import FORMER, ROWS, SLAB, Slabs, ended_rows, former_states
from pinn_ext.reports import plots
from tests.program.conftest import SMALL, Stop, read_report
from tests.program.test_resume import same_end

TWO = [*SMALL, "training=adaptive_ema", "training.slabs=2", "dtype=float64"]
PHASES = (
    *("training.lbfgs_iterations=5", "training.loss.use_gn_solver=true"),
    *("training.gauss_newton.iterations=4", "training.loss.adaptive.diagnostics=true"),
    "training.loss.adaptive.freeze_after=2",
)
"""A slab has 9 steps of Adam, then a block of L-BFGS and 4 iterations of Gauss-Newton."""


def same_run(one, other):
    same_end(one, other)
    ends = [checkpoints.load(folder / "checkpoint.pt") for folder in (one, other)]
    for key, value in ends[0]["former_networks"].items():
        assert torch.equal(value, ends[1]["former_networks"][key])
    for name in ("events.csv", "gradients.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    reports = [read_report(folder) for folder in (one, other)]
    for key in ("relative_l2", "relative_l2_best", "best"):
        assert reports[0][key] == reports[1][key]
    rows = [[{**r, "seconds": 0} for r in report["slabs"]] for report in reports]
    assert rows[0] == rows[1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slabs") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, file, **_: file.write(b""))
        patch.setattr(plots, "fields", lambda file, *_: file.write(b""))
        assert main([*TWO, *PHASES, f"hydra.run.dir={folder}"]) == 0
    return folder


slow = pytest.mark.slow


LATER = [pytest.param(step, marks=slow) for step in (5, 24, 25, 27)]


@pytest.mark.parametrize("step", [17, *LATER])
def test_killed_anywhere_it_ends_as_if_undisturbed(run, run_killed, whole, step):
    """In the first slab, in the first epoch of the second, in its later phases."""
    text = (whole / "events.csv").read_text()
    assert text.startswith("slab,step,") and "\n2," in text
    run_killed(step, *TWO, *PHASES, "hydra.run.dir=broken")
    resumed = run("training.resume=broken")
    assert resumed.status == 0, resumed.err
    assert f"Resumed in slab {1 if step < 15 else 2} of 2 after" in resumed.out
    same_run(Path("broken"), whole)


@slow
@pytest.mark.parametrize("place", ["end", "warm"])
def test_killed_between_two_slabs(run, whole, tmp_path, monkeypatch, place):
    """After the last iteration of a slab, before anything of the next is on the disk."""
    broken, original = tmp_path / "broken", getattr(Slabs, place)

    def stopping(self, *arguments):
        if place == "end" or self.number == 2:
            raise Stop
        original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Slabs, place, stopping)
        with pytest.raises(Stop):
            run(*TWO, *PHASES, f"hydra.run.dir={broken}")
    assert checkpoints.load(broken / "checkpoint.pt")["slab"] == 1
    assert run(f"training.resume={broken}").status == 0
    same_run(broken, whole)


@slow
def test_into_a_new_folder_and_float32(run, run_killed, tmp_path):
    """A slab in float32 after one that Gauss-Newton has left in float64."""
    arguments = [*SMALL, "training.slabs=2", *PHASES[1:3], "training.keep=best"]
    done = run(*arguments)
    run_killed(17, *arguments, "hydra.run.dir=broken")
    resumed = run("training.resume=broken", "hydra.run.dir=new")
    assert resumed.status == 0, resumed.err
    same_end("new", done.folder)
    assert read_report("new")["relative_l2"] == read_report(done.folder)["relative_l2"]


@slow
def test_what_contradicts_the_slabs_is_refused(run, run_killed):
    run_killed(5, *TWO, "hydra.run.dir=early")
    longer = run("training.resume=early", "training.epochs=4")
    assert longer.status == 0 and longer.out.count("Epoch 004") == 2
    run_killed(11, *TWO, "hydra.run.dir=late")
    kept = Path("late/checkpoint.pt").read_bytes()
    for override, message in (
        ("training.slabs=3", "`training.slabs` cannot differ from the checkpoint"),
        ("training.epochs=4", "`training.epochs` must stay 3, as 2 slabs are trained alike"),
    ):
        again = run("training.resume=late", override)
        assert again.status == 2 and message in again.err and again.err.count("\n") == 1
    assert Path("late/checkpoint.pt").read_bytes() == kept


STATE = {"centre": torch.zeros(2, 3), "layers.0.weight": torch.zeros(2, 6, 3)}
ROW = {"slab": 1, "lower": 0.0, "upper": 0.3, "seconds": 1.0}
SOUND = {SLAB: 3, FORMER: STATE, ROWS: [ROW, {**ROW, "slab": 2}]}
DAMAGED = [
    ({SLAB: 5}, "slab"),
    ({SLAB: None}, "slab"),
    ({SLAB: 1}, FORMER),
    ({SLAB: 2}, FORMER),
    ({FORMER: {key: value[:1] for key, value in STATE.items()}}, FORMER),
    ({FORMER: {}}, FORMER),
    ({FORMER: {**STATE, "centre": torch.tensor(1.0)}}, FORMER),
    ({FORMER: [1]}, FORMER),
    ({ROWS: []}, ROWS),
    ({ROWS: None}, ROWS),
    ({ROWS: [1, 2]}, ROWS),
    ({ROWS: [ROW, {**ROW, "seconds": "long"}]}, "slab_rows.seconds"),
]


@pytest.mark.parametrize(("change", "part"), DAMAGED)
def test_damaged_parts_are_refused(change, part):
    assert len(former_states(SOUND, 4)) == len(ended_rows(SOUND)) == 2
    saved = {**SOUND, **change}
    with pytest.raises(ArgumentError, match=f"`{part}` must "):
        former_states(saved, 4)
        ended_rows(saved)


@slow
def test_a_damaged_checkpoint_is_refused_in_one_sentence(run, run_killed):
    run_killed(12, *TWO, "hydra.run.dir=broken")
    file = Path("broken/checkpoint.pt")
    saved = checkpoints.load(file)
    some = {"centre": saved[FORMER]["centre"]}
    other = "belongs to another network"
    for change, why in (
        ({SLAB: 3}, "is damaged ("),
        ({FORMER: some}, other),
        ({ROWS: []}, "is damaged ("),
    ):
        checkpoints.save(file, {**saved, **change})
        again = run("training.resume=broken")
        assert again.status in (1, 2) and why in again.err, again.err
        assert again.err.count("\n") == 1
