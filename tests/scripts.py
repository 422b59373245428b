"""Scripts, each in a process of its own, started from one that has the large libraries loaded.

To load PyTorch, PyG, SciPy and Matplotlib takes three seconds a process, many times what most
scripts of the tests take. The fork server of the standard library loads them once; DeepXDE and
this project are loaded by each process anew.
"""

import contextlib
import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = [
    "hydra",
    "matplotlib.pyplot",
    "scipy.optimize",
    "scipy.stats",
    "skopt",
    "torch",
    "torch_geometric.data",
]
FORKS = "forkserver" in multiprocessing.get_all_start_methods()


@dataclass(frozen=True)
class Script:
    """A script that was started."""

    pid: int
    outputs: tempfile.TemporaryDirectory
    poll: object
    """Returns the exit status, or None while it runs."""

    def wait(self, timeout=300):
        """Return the exit status; a script that takes longer is killed, its status is -9."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                with contextlib.suppress(ProcessLookupError):  # gone, its status is on the way
                    os.kill(self.pid, 9)
            time.sleep(0.005)
        return self.poll()

    def text(self, stream):
        """Return what it has written to "out" or "err" so far."""
        return Path(self.outputs.name, stream).read_text("utf-8")


def run(script, *arguments, folder, fresh=False, **variables):
    """Run a script to its end; the arguments are those of `start`."""
    started = start(script, *arguments, folder=folder, fresh=fresh, **variables)
    status = started.wait()
    return subprocess.CompletedProcess(script, status, started.text("out"), started.text("err"))


def start(script, *arguments, folder, fresh=False, **variables):
    """Start a Python script in a folder, with this checkout to import from.

    `fresh` starts an interpreter that has loaded nothing yet. Further keywords are variables of
    the environment.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    environment.pop("DDE_BACKEND", None)  # the tests' own
    environment.update(variables)
    call = [str(script), *map(str, arguments)]
    outputs = tempfile.TemporaryDirectory()
    out, err = (Path(outputs.name, stream) for stream in ("out", "err"))
    if fresh or not FORKS:
        with out.open("wb") as to_out, err.open("wb") as to_err:
            process = subprocess.Popen(
                [sys.executable, *call], cwd=folder, env=environment, stdout=to_out, stderr=to_err
            )
        return Script(process.pid, outputs, process.poll)
    for file in (out, err):
        file.touch()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    settings = (call, str(folder), environment, str(out), str(err))
    process = context.Process(target=_be, args=settings)
    process.start()
    return Script(process.pid, outputs, lambda: process.exitcode)


def _be(call, folder, environment, out, err):
    """Be the script: in its folder, with its arguments, output, environment and import path."""
    for number, name in ((1, out), (2, err)):
        os.dup2(os.open(name, os.O_WRONLY), number)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            os.fdopen(number, "wb", closefd=False), "utf-8", line_buffering=number == 2
        )
        for number in (1, 2)
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = call
    sys.path[:0] = [os.path.dirname(call[0]), *environment["PYTHONPATH"].split(os.pathsep)]
    runpy.run_path(call[0], run_name="__main__")
