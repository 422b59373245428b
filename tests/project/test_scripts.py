"""`tests/scripts.py` starts scripts as an interpreter of their own would."""

import sys

import pytest

from tests import scripts

SAYS = """
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ["GREETING"], os.environ.get("DDE_BACKEND"), __name__)
print([name for name in ("deepxde", "pinn_ext", "pytest", "solvers") if name in sys.modules])
import pinn_ext
print(pinn_ext.__file__)
print("é", file=sys.stderr)
"""
ENDS = {"pass": 0, "sys.exit(3)": 3, "sys.exit('why')": 1, "1 / 0": 1}


@pytest.mark.parametrize("fresh", [False, True])
def test_a_script_has_its_own_arguments_folder_and_modules(tmp_path, fresh):
    (tmp_path / "says.py").write_text(SAYS, "utf-8")
    done = scripts.run(tmp_path / "says.py", "a", 1, folder=tmp_path, fresh=fresh, GREETING="hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"['a', '1'] {tmp_path} hello None __main__",
        "[]",
        str(scripts.ROOT / "pinn_ext" / "__init__.py"),
    ]
    assert done.stderr.strip() == "é"


@pytest.mark.parametrize("fresh", [False, True])
def test_its_end_is_told(tmp_path, fresh):
    for number, (end, status) in enumerate(ENDS.items()):
        script = tmp_path / f"ends{number}.py"
        script.write_text(f"import sys\nprint('said')\n{end}\n")
        done = scripts.run(script, folder=tmp_path, fresh=fresh)
        assert (done.returncode, done.stdout) == (status, "said\n")
        assert ("Traceback" in done.stderr) == (end == "1 / 0")


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("fresh", [False, True])
def test_one_that_does_not_end_is_killed(tmp_path, fresh):
    (tmp_path / "waits.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    script = scripts.start(tmp_path / "waits.py", folder=tmp_path, fresh=fresh)
    while "up" not in script.text("out"):
        assert script.poll() is None
    assert script.wait(timeout=0) == -9
