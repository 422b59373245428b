"""The scripts of findings/ have one form; they install packages, so they are only read here."""

import os
import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "findings"
SCRIPTS = sorted(FOLDER.glob("*.sh"))


def test_the_readme_names_every_script_once():
    named = re.findall(
        r"^\| `(\w+\.sh)` \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert named == [path.name for path in SCRIPTS] and named


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_pinned_cleans_up_and_leaves_this_package_alone(path):
    text = path.read_text("utf-8")
    assert subprocess.run(["sh", "-n", path], check=False).returncode == 0
    assert os.access(path, os.X_OK)
    assert "\nset -eu\n" in text and "mktemp -d" in text and "trap 'rm -rf \"$dir\"' EXIT" in text
    command = re.search(r"-m pip install (.*?)\ncd ", text, re.DOTALL)[1]
    packages = [word for word in re.sub(r"\\\n", " ", command).split() if not word.startswith("-")]
    assert packages and all(re.fullmatch(r"[\w-]+==[\w.]+", word) for word in packages)
    assert not re.search(r"\b(pinn_ext|solvers)\b", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_program_in_a_script_is_python_and_ends_by_what_it_saw(path):
    written = re.findall(r"<<'PY'\n(.*?)^PY$", path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    for program in written:
        compile(program, path.name, "exec")
    assert written[-1].rstrip().endswith("sys.exit(not stands)")
