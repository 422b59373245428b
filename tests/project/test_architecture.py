"""Imports run down the floors of `docs/floors.py`, their picture is fresh, and faces stay light."""

import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import draw_floors
import pytest
from floors import (
    APART,
    FACES,
    FLOORS,
    ONLY,
    floor_of,
    imports,
    imports_of,
    inside,
    modules,
    unit_of,
)

ROOT = Path(__file__).resolve().parents[2]
FILES = {"main": ROOT / "main.py", **modules()}
SOLVERS_MAY = {"torch", "numpy", "scipy", "rich", "solvers", *ONLY, *sys.stdlib_module_names}


def complaint(module, found):
    """Return why `module` must not have the import `found`, or None."""
    top = found.name.split(".")[0]
    if top == "main":
        return "nothing imports main"
    if module == "main":
        allowed = top in {"pinn_ext", *sys.stdlib_module_names}
        return None if allowed else "main.py hands over to pinn_ext, nothing else"
    if top in ONLY and not any(inside(module, place) for place in ONLY[top]):
        return f"only {', '.join(ONLY[top])} may"
    if inside(module, "solvers"):
        if top not in SOLVERS_MAY:
            return "solvers imports torch, numpy, scipy, rich and itself"
        if top == "solvers" and not found.relative:
            return "solvers imports itself relatively"
    if module in FACES or top not in {"pinn_ext", "solvers"}:
        return None
    here, there = unit_of(module), unit_of(found.name)
    if here is None:
        return "the module has no floor in docs/floors.py"
    if there is None:
        return "a face is for users: import from where the name is defined"
    if here != there and floor_of(here) >= floor_of(there):
        return f"{there} is on no lower floor than {here}"
    if (here, there) in APART or (there, here) in APART:
        return f"{here} and {there} share no import"
    return None


def test_imports_run_down():
    wrong = [
        f"{file.relative_to(ROOT)}:{found.line} imports {found.name}: {why}"
        for module, file in FILES.items()
        for found in imports_of(module, file)
        if (why := complaint(module, found))
    ]
    assert not wrong, "\n".join(wrong)


def test_each_module_has_a_floor_and_each_floor_its_modules():
    assert not [name for name in modules() if name not in FACES and unit_of(name) is None]
    unknown = {*FACES, *(unit for floor in FLOORS for unit in floor)} - set(modules())
    assert not unknown


def test_no_file_waits_for_itself():
    # What a function imports when it is called cannot close a circle of files being loaded.
    def target(name):
        parts = name.split(".")
        paths = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        return next((path for path in paths if path in FILES), None)

    graph = {
        module: {target(found.name) for found in imports_of(module, file) if not found.deferred}
        for module, file in FILES.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_forbidden_imports_are_seen():
    missed = [
        (module, source)
        for module, source in [
            ("pinn_ext.reports.report", "import deepxde.config"),
            ("pinn_ext.reports.report", "def f():\n    from deepxde import data"),
            ("pinn_ext.reports.report", "import importlib\nimportlib.import_module('deepxde')"),
            ("pinn_ext.reports.report", "from omegaconf import OmegaConf"),
            ("pinn_ext.reports.report", "from pinn_ext.program.checkpoints import save"),
            ("pinn_ext.reports.report", "from pinn_ext import plain_torch"),
            ("pinn_ext.reports.report", "from pinn_ext import __version__"),
            ("pinn_ext.losses.physics_loss", "from torch_geometric.data import Data"),
            ("pinn_ext.dde.model.best", "if TYPE_CHECKING:\n    from ..weighting import meter"),
            ("pinn_ext.dde.callback", "import main"),
            ("pinn_ext.new", "from pinn_ext import checks"),
            ("solvers.rk4.steps", "from pinn_ext import systems"),
            ("solvers.rk4.steps", "from ...pinn_ext import systems"),
            ("solvers.rk4.steps", "import torch_geometric.data"),
            ("solvers.rk4.steps", "from solvers.operators import laplacian"),
            ("solvers.rk4.steps", "from ..gauss_newton import Stepper"),
            ("solvers.operators.grids", "from ..rk4 import state"),
            ("main", "import torch"),
        ]
        if not any(complaint(module, found) for found in imports(source, module.rpartition(".")[0]))
    ]
    assert not missed


def test_permitted_imports_pass():
    refused = [
        (module, source)
        for module, source in [
            ("pinn_ext.dde.callback", "import deepxde as dde"),
            ("pinn_ext.dde.callback", "from ..systems import names"),
            ("pinn_ext.dde.callback", "from pinn_ext.dde.weighting import meter"),
            ("pinn_ext.cli", "import hydra"),
            ("pinn_ext.losses.rk4_mismatch", "from solvers.rk4 import integrate"),
            ("pinn_ext.datasets.snapshots", "from torch_geometric.data import Data"),
            ("pinn_ext.aggregators", "from pinn_ext.plain_torch import LossAggregator"),
            ("solvers.operators.builders", "from torch_geometric.data import Data"),
            ("solvers.rk4.steps", "from ..operators import laplacian\nfrom . import state"),
            ("main", "from pinn_ext.cli import main"),
        ]
        if any(complaint(module, found) for found in imports(source, module.rpartition(".")[0]))
    ]
    assert not refused


def test_the_picture_is_that_of_the_imports():
    fresh = draw_floors.picture() == draw_floors.FILE.read_text("utf-8")
    assert fresh, (
        "the imports have changed: run `python docs/draw_floors.py` and look at the picture"
    )


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_paths_named_in_the_documents_exist(page):
    text = (ROOT / page).read_text("utf-8")
    named = {path for path in re.findall(r"`([\w.<>/]+)`", text) if "/" in path}
    assert len(named) > 5
    missing = {path for path in named if not any(ROOT.glob(re.sub(r"<\w+>", "*", path)))}
    assert not missing


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import pinn_ext", {"deepxde", "torch", "torch_geometric", "hydra"}),
        ("from pinn_ext import AdaptiveLossWeights", {"deepxde", "torch", "hydra"}),
        ("import pinn_ext.strategies", {"deepxde", "torch", "hydra"}),
        ("import pinn_ext.schema", {"deepxde", "torch", "hydra"}),
    ],
)
def test_import_is_light(statement, absent):
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert not absent & set(done.stdout.split())
