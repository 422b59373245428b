"""The cosine schedule of a run whose strategy is chosen by pilots."""

from pathlib import Path

import pytest

from pinn_ext.program import checkpoints
from tests.program.test_auto import AUTO, kill_and_resume, same_end

COSINE = [*AUTO, "training.schedule=cosine", "training.epochs=10"]


def place(folder):
    saved = checkpoints.load(Path(folder) / "checkpoint.pt")
    return saved["optimizer_state_dict"]["param_groups"][0]["lr"], saved["schedule_state_dict"]


def test_the_rate_falls_to_zero_at_the_end_of_the_run(run):
    done = run(*COSINE)
    assert done.status == 0, done.err
    rate, schedule = place(done.folder)
    assert schedule["last_epoch"] == schedule["T_max"] == 10 * 3
    assert rate == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("step", [8, 16, 22])
def test_killed_before_or_after_the_choice_it_goes_on_bit_for_bit(run, run_killed, step):
    whole = run(*COSINE).folder
    broken = kill_and_resume(run, run_killed, COSINE, step)
    same_end(broken, whole)
    assert place(broken) == place(whole)
