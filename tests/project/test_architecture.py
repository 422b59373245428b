"""Which room may import what, read from the sources; and `import pinn_ext` stays light."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    path.relative_to(ROOT).as_posix()
    for path in [
        *ROOT.glob("main.py"),
        *sorted((ROOT / "pinn_ext").rglob("*.py")),
        *sorted((ROOT / "solvers").rglob("*.py")),
    ]
]
HYDRA_ROOMS = {
    "pinn_ext/cli.py",
    "pinn_ext/program/composition.py",
    "pinn_ext/program/sweep.py",
    "pinn_ext/reports/compare.py",
    "pinn_ext/schema/keys.py",
}
SOLVERS_MAY = set(sys.stdlib_module_names) | {"torch", "numpy", "scipy", "rich"}


def imports(source, package):
    """Yield (line, dotted module, is relative) of every import in the source, nested ones too.

    `package` is the dotted name of the package that the file lies in.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, False
        elif isinstance(node, ast.ImportFrom):
            if not node.level:
                yield node.lineno, node.module, False
                continue
            base = package.split(".")
            base = base[: len(base) - node.level + 1]
            yield node.lineno, ".".join(base + [node.module or ""]).strip("."), True
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", None))
            in {"import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            name = str(node.args[0].value)
            yield node.lineno, name if not name.startswith(".") else package + name, False


def complaint(file, module, relative):
    """Return why `file` must not import `module`, or None."""
    top = module.split(".")[0]
    room = file.split("/")[0]
    if top == "main":
        return "nothing imports main"
    if top == "deepxde" and not file.startswith("pinn_ext/dde/"):
        return "only pinn_ext/dde/ imports deepxde"
    if top in {"hydra", "omegaconf"} and file not in HYDRA_ROOMS:
        return f"only {sorted(HYDRA_ROOMS)} import Hydra and OmegaConf"
    if room == "main.py" and top not in {"pinn_ext", *sys.stdlib_module_names}:
        return "main.py hands over to pinn_ext, nothing else"
    if room == "solvers":
        if relative:
            return None if top == "solvers" else "a relative import leaves solvers"
        if top == "torch_geometric":
            return None if file.startswith("solvers/operators/") else "only operators/ imports it"
        if top not in SOLVERS_MAY:
            return "solvers imports torch, numpy, scipy, rich, and itself relatively"
    return None


@pytest.mark.parametrize("file", FILES)
def test_imports_of(file):
    package = ".".join(Path(file).parent.parts)
    wrong = [
        f"{file}:{line} imports {module}: {why}"
        for line, module, relative in imports((ROOT / file).read_text("utf-8"), package)
        if (why := complaint(file, module, relative))
    ]
    assert not wrong, "\n".join(wrong)


def test_the_rooms_exist():
    assert {"main.py", "pinn_ext/__init__.py", "solvers/__init__.py"} <= set(FILES)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("pinn_ext/reports/report.py", "import deepxde.config"),
        ("pinn_ext/reports/report.py", "def f():\n    from deepxde import data"),
        ("pinn_ext/reports/report.py", "import importlib\nimportlib.import_module('deepxde')"),
        ("pinn_ext/reports/report.py", "from omegaconf import OmegaConf"),
        ("pinn_ext/dde/fit.py", "import main"),
        ("solvers/rk4/steps.py", "from pinn_ext import systems"),
        ("solvers/rk4/steps.py", "from ...pinn_ext import systems"),
        ("solvers/rk4/steps.py", "import torch_geometric.data"),
        ("solvers/rk4/steps.py", "from solvers.operators import laplacian"),
        ("main.py", "import torch"),
    ],
)
def test_a_forbidden_import_is_seen(file, source):
    package = ".".join(Path(file).parent.parts)
    assert any(complaint(file, module, rel) for _, module, rel in imports(source, package))


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("pinn_ext/dde/fit.py", "import deepxde as dde"),
        ("pinn_ext/dde/fit.py", "from ..systems import names"),
        ("pinn_ext/cli.py", "import hydra"),
        ("pinn_ext/losses/rk4_mismatch.py", "from solvers.rk4 import integrate"),
        ("solvers/operators/builders.py", "from torch_geometric.data import Data"),
        ("solvers/rk4/steps.py", "from ..operators import laplacian\nfrom . import state"),
        ("main.py", "from pinn_ext.cli import main"),
    ],
)
def test_a_permitted_import_passes(file, source):
    package = ".".join(Path(file).parent.parts)
    assert not any(complaint(file, module, rel) for _, module, rel in imports(source, package))


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import pinn_ext", {"deepxde", "torch", "torch_geometric", "hydra"}),
        ("from pinn_ext import AdaptiveLossWeights", {"deepxde", "torch"}),
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
