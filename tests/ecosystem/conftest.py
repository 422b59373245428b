"""Tests against other packages as they are published, in an environment that has them.

`make test-ecosystem` makes it and runs them; `pytest` leaves this folder out unless it alone is
asked for. A test runs the code that docs/ecosystem.md shows: a block that opens with
```` ```python NAME ```` is in the namespace `page(NAME)`. A package that is not there is a skip.
"""

import os
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ecosystem.md"
BLOCK = re.compile(r"^```python (?P<name>[\w-]+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def source(name):
    """Return the blocks of one name as one script that keeps the line numbers of the page."""
    text, lines = PAGE.read_text("utf-8"), []
    for block in BLOCK.finditer(text):
        if block["name"] == name:
            start = text.count("\n", 0, block.start("body"))
            lines += [""] * (start - len(lines)) + block["body"].splitlines()
    return "\n".join(lines)


@pytest.fixture
def page():
    def run(name, **given):
        code = source(name)
        assert code, f"{PAGE.name} has no block `python {name}`"
        module = types.SimpleNamespace()
        module.__dict__.update(__name__=f"ecosystem_{name}", **given)
        exec(compile(code, str(PAGE), "exec"), module.__dict__)
        return module

    return run


@pytest.fixture(autouse=True)
def quiet():
    """Keep what these packages warn of on every import out of the output."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def trainer_settings(tmp_path):
    """Return settings of Lightning's Trainer without files, bars and other devices."""
    return {
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": tmp_path,
    }


@pytest.fixture
def sweep(tmp_path):
    """Run a sweep of this checkout's program in a folder of its own; it must end well."""

    def run(*arguments, timeout):
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    return run
