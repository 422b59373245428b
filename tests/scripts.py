"""Scripts, each in a process of its own, started from one that has the large libraries loaded.

To load PyTorch, PyG, SciPy and Matplotlib takes three seconds a process, many times what most
scripts of the tests take. The fork server of the standard library loads them once; DeepXDE and
this project are loaded by each process anew.
"""

import io
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
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


def run(script, *arguments, folder, fresh=False, **variables):
    """Run a Python script in a folder, with this checkout to import from, and wait for its end.

    `fresh` starts an interpreter that has loaded nothing yet. Further keywords are variables of
    the environment.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
    environment.pop("DDE_BACKEND", None)  # the tests' own
    environment.update(variables)
    call = [str(script), *map(str, arguments)]
    if fresh or not FORKS:
        return subprocess.run(
            [sys.executable, *call],
            cwd=folder,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
        )
    return _run_forked(call, str(folder), environment)


def _run_forked(call, folder, environment):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    with tempfile.TemporaryDirectory() as outputs:
        streams = [os.path.join(outputs, name) for name in ("out", "err")]
        process = context.Process(target=_run_here, args=(call, folder, environment, *streams))
        process.start()
        process.join(300)
        if process.exitcode is None:
            process.kill()
            process.join()
        texts = [Path(stream).read_text("utf-8") for stream in streams]
    return subprocess.CompletedProcess(call, process.exitcode, *texts)


def _run_here(call, folder, environment, out, err):
    """Be the script: in its folder, with its arguments, output, environment and import path."""
    for number, name in ((1, out), (2, err)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, "wb", closefd=False), "utf-8", write_through=number == 2)
        for number in (1, 2)
    )
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = call
    sys.path[:0] = [os.path.dirname(call[0]), *environment["PYTHONPATH"].split(os.pathsep)]
    runpy.run_path(call[0], run_name="__main__")
