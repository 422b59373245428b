"""Studies small enough to be run many times."""

import pytest

from pinn_ext.program.interrupts import Interrupts
from pinn_ext.program.study import conduct
from pinn_ext.program.study.job import run_job
from tests.program.conftest import SMALL

COMMON = [*SMALL[1:-1], "training.epochs=4"]


class Here:
    """Runs the jobs of a study in this process, in the place of workers."""

    def __init__(self, study):
        self.study = study

    def run(self, tasks, interrupts, done):
        for task in tasks:
            if interrupts.signal is None:
                row = run_job(self.study, task.job, task.overrides, task.pilots, interrupts)
                if row is not None:
                    done(row)

    def close(self):
        pass


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(conduct, "_runner", lambda settings, lock: Here(settings.folder))


@pytest.fixture
def interrupts():
    return Interrupts()


SECONDS = ("wall", "core_seconds", "seconds", "seconds_weighting")


def without_times(rows):
    """Return rows without what differs from run to run: seconds."""
    found = {}
    for name, row in rows.items():
        kept = {k: v for k, v in row.items() if k not in SECONDS}
        curve = {k: v for k, v in row.get("curve", {}).items() if k != "seconds"}
        found[name] = {**kept, "curve": curve}
    return found
