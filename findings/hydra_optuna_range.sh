#!/bin/sh
# Hydra's sweeper for Optuna: range(1, 4) comes to 4 as well, which Hydra's own sweeper leaves out.
# Documentation:
#   https://hydra.cc/docs/advanced/override_grammar/extended/#range-sweep (range is that of Python,
#   whose stop is not among the values)
#   https://hydra.cc/docs/plugins/optuna_sweeper (the search space is given as overrides)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    hydra-core==1.3.8 hydra-optuna-sweeper==1.2.0 optuna==2.10.1 numpy==2.4.6
cd "$dir"
cat > app.py <<'PY'
import hydra


@hydra.main(version_base="1.3", config_path=None)
def app(cfg) -> float:
    with open("../values.txt", "a") as file:
        file.write(f"{cfg.layers}\n")
    return float(cfg.layers)


app()
PY
cat > finding.py <<'PY'
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from subprocess import run


def values(*options):
    """Return the values that a sweep over range(1, 4) has run, and its output."""
    shutil.rmtree("sweep", ignore_errors=True)
    call = [sys.executable, "app.py", "-m", "hydra.sweep.dir=sweep", "hydra.job.chdir=true"]
    done = run([*call, *options, "+layers=range(1,4)"], capture_output=True, text=True, check=True)
    text = Path("sweep", "values.txt").read_text()
    return sorted({int(line) for line in text.split()}), "warn" in (done.stdout + done.stderr).lower()


optuna = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=30", "hydra.sweeper.n_jobs=1"]
basic, _ = values()
grid, _ = values(*optuna, "hydra/sweeper/sampler=grid")
tpe, said = values(*optuna, "hydra.sweeper.sampler.seed=0")
names = ("hydra-core", "hydra-optuna-sweeper", "optuna")
print(", ".join(f"{name} {version(name)}" for name in names))
print("expected: +layers=range(1,4) runs 1, 2 and 3, whoever chooses among them")
print(f"seen:     Hydra's own sweeper {basic}, Optuna's grid {grid}, Optuna's TPE {tpe}")
stands = basic == grid == [1, 2, 3] and tpe == [1, 2, 3, 4] and not said
print("stands: the stop of the range is run by TPE, without a word" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
