"""Fixed against adaptive weights on the program's problems and on the examples, over seeds.

Each case is trained as a user would train it: the program by its command line, an example as the
script that it is, with another seed and, for fixed weights, with `fixed` in place of its strategy.
Errors are relative L2 errors of the worse field on points that were never trained on. Trainings
run one after the other in processes of their own, with one thread.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import _common

ROOT = Path(__file__).resolve().parent.parent


class Example(NamedTuple):
    """A script: where its seed stands, and its strategy."""

    script: str
    seed: str
    strategy: str


PROGRAM = {
    "brusselator": ["dataset.num_graphs=200"],
    "brusselator_physical_units": ["problem.scaling=none"],
    "brusselator_soft": ["problem.conditions=soft", "training.epochs=100"],
    "coupled_burgers": ["problem=coupled_burgers"],
    "linear_reaction_diffusion": ["problem=linear_reaction_diffusion"],
}
"""Cases of the program by name, and their arguments."""
EXAMPLES = {
    "forced_burgers": Example("burgers_adaptive.py", "set_random_seed(0)", "ema"),
    "driven_string": Example("adam_then_lbfgs.py", "set_random_seed(0)", "equal_init_ema"),
    "loaded_beam": Example("plain_torch_loop.py", "manual_seed(0)", "equal_init_ema"),
}
"""Cases that are scripts of `examples/`."""


def call(*arguments: str, folder: str) -> str:
    """Run a script of this checkout with one thread and return what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def of_program(case: str, strategy: str, seed: int, more: list[str]) -> float:
    """Return the worst-field error of a run of the program."""
    recipe = "default" if strategy == "fixed" else f"adaptive_{strategy}"
    with tempfile.TemporaryDirectory() as folder:
        call(
            str(ROOT / "main.py"),
            f"training={recipe}",
            *PROGRAM[case],
            *more,
            f"seed={seed}",
            "device=cpu",
            "hydra.run.dir=run",
            folder=folder,
        )
        report = json.loads(Path(folder, "run", "report.json").read_text("utf-8"))
    return _common.worse(report["relative_l2"])


def of_example(case: str, strategy: str, seed: int) -> float:
    """Return the error that an example prints last, with a seed and a strategy put in."""
    example = EXAMPLES[case]
    text = (ROOT / "examples" / example.script).read_text("utf-8")
    for old, new in (
        (example.seed, example.seed.replace("0", str(seed))),
        (f'"{example.strategy}"', f'"{strategy}"'),
    ):
        if text.count(old) != 1:
            sys.exit(f"{example.script} must hold {old} once, got {text.count(old)} times.")
        text = text.replace(old, new)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, example.script).write_text(text, "utf-8")
        printed = call(example.script, folder=folder)
    return float(re.findall(r"relative L2 error.*: (\S+)", printed)[-1])


def row_of(case: str, strategy: str, seeds: int, more: list[str]) -> dict[str, Any]:
    """Train a case with each seed."""
    errors = [
        of_program(case, strategy, seed, more)
        if case in PROGRAM
        else of_example(case, strategy, seed)
        for seed in range(seeds)
    ]
    return {
        "case": case,
        "strategy": strategy,
        **_common.spread(errors),
        "seeds": seeds,
        "arguments": " ".join([*PROGRAM[case], *more]) if case in PROGRAM else "",
    }


def main() -> None:
    """Compare all cases."""
    parser = _common.parser(__doc__.splitlines()[0])
    legal = [*PROGRAM, *EXAMPLES]
    parser.add_argument("--cases", default=",".join(legal), metavar="NAME[,NAME]")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0")
    parser.add_argument(
        "--strategies", default="equal_init", help="beside fixed, on the program's problems"
    )
    parser.add_argument("more", nargs="*", help="further arguments of the program's runs")
    args = parser.parse_args()
    if args.seeds < 1:
        sys.exit(f"`--seeds` must be at least 1, got {args.seeds}.")
    import pinn_ext

    cases = _common.chosen("--cases", args.cases, legal)
    adaptive = _common.chosen("--strategies", args.strategies, pinn_ext.strategies.names())
    rows = []
    for case in cases:
        strategies = adaptive if case in PROGRAM else [EXAMPLES[case].strategy]
        for strategy in ["fixed", *(name for name in strategies if name != "fixed")]:
            rows.append(row_of(case, strategy, args.seeds, args.more))
            print(f"{case}, {strategy}: {rows[-1]['median']:.2e}", flush=True)
    _common.report(rows, args.out, _common.machine(threads=1))


if __name__ == "__main__":
    main()
