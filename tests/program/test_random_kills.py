"""`kill -9` at any moment, over all recipes and phases: nothing is lost but an epoch."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.program.conftest import SMALL, read_rows
from tests.program.test_resume import same_end, wait_for_rows

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted(path.stem for path in (ROOT / "configs/training").glob("*.yaml"))
LBFGS = "training.lbfgs_iterations=43"
GAUSS_NEWTON = (
    "training.loss.use_gn_solver=true",
    "training.gauss_newton.iterations=20",
    "training.gauss_newton.resample_every=3",
)
NEED_CONDITIONS = ["adaptive_capu"]
KILLS = 3
"""A run, so that each third of it is hit."""


def arguments_of(recipe):
    """Return a run of a recipe with a second phase after its epochs, if it has epochs."""
    if recipe == "gauss_newton":
        return [*SMALL[:-1], f"training={recipe}", *GAUSS_NEWTON[1:]]
    second = GAUSS_NEWTON if RECIPES.index(recipe) % 2 else (LBFGS,)
    soft = ["problem.conditions=soft"] if recipe in NEED_CONDITIONS else []
    epochs = ["training.epochs=30", "dtype=float64"]
    return [*SMALL[:-1], f"training={recipe}", *soft, *epochs, *second]


@pytest.mark.parametrize("recipe", RECIPES)
def test_killed_and_resumed_it_ends_as_if_undisturbed(run, start_script, tmp_path, recipe):
    arguments = arguments_of(recipe)
    whole = run(*arguments)
    assert whole.status == 0, whole.err
    total, folder = len(read_rows(whole.folder)) - 1, tmp_path / "killed"
    moments = random.Random(recipe)

    def start():
        if (folder / "checkpoint.pt").exists():
            again = [f"training.resume={folder}"]
        else:
            shutil.rmtree(folder, ignore_errors=True)
            again = [*arguments, f"hydra.run.dir={folder}"]
        return start_script(ROOT / "main.py", *again, folder=tmp_path)

    script, kills = start(), 0
    for third in range(KILLS):
        row = int((third + moments.uniform(0.05, 0.7)) * total / KILLS)
        wait_for_rows(folder, row, script)
        time.sleep(moments.uniform(0, 0.03))
        kills += script.poll() is None
        os.kill(script.pid, signal.SIGKILL)
        script.wait()
        script = start()
    assert script.wait() == 0, script.text("err")
    same_end(folder, whole.folder)
    assert kills == KILLS
