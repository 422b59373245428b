"""Workers of a parallel sweep whose parent was killed end their jobs in order, and themselves."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pinn_ext.program import workers
from tests.program.conftest import SMALL, read_report
from tests.scripts import ROOT


def test_only_workers_are_watched():
    with workers.ended_with_parent():
        assert not workers._at_work.locked() and not workers._watched


@pytest.mark.slow
def test_after_a_kill_of_the_parent(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    call = [sys.executable, str(ROOT / "main.py"), "-m", *SMALL, "training.epochs=1000000"]
    call += ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=0,1,2,3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with open(tmp_path / "out", "wb") as out:
        parent = subprocess.Popen(
            [*call, "hydra.sweep.dir=all"],
            cwd=tmp_path,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    folders = [tmp_path / "all" / str(job) for job in range(4)]
    while not all((folder / "checkpoint.pt").exists() for folder in folders[:2]):
        assert parent.poll() is None, (tmp_path / "out").read_text()
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while _processes_of(parent.pid):
        time.sleep(0.2)
    for folder in folders[:2]:
        assert read_report(folder)["status"] == "interrupted"
    assert not any((folder / "report.json").exists() for folder in folders[2:])


def _processes_of(session):
    """Return the Python processes of a session that are alive."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                state, _, _, own = file.read().rpartition(")")[2].split()[:4]
            with open(f"/proc/{name}/cmdline") as file:
                worker = "loky" in file.read()
        except OSError:
            continue
        if int(own) == session and state != "Z" and worker:
            found.append(int(name))
    return found
