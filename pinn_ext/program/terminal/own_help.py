"""`pinn-ext --help` and `--version`, which load neither torch nor Hydra."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.program.composition import config_dir
from pinn_ext.registry import STRATEGIES, SYSTEMS
from pinn_ext.version import __version__

_WIDTH = 100
_COMMANDS = {
    "KEY=VALUE …": "train; results in outputs/NAME-DATE, or in hydra.run.dir=FOLDER",
    "-m KEY=A,B …": "a sweep: a run for each combination of values, compared",
    "training.resume=RUN": "go on with a run after its last epoch, bit for bit on the CPU",
    "new FILE.py": "write a problem file to begin with; --from NAME: a system's",
    "predict RUN --out FILE": "u and v of a trained network at any points and times",
    "rollout RUN steps=N": "errors over time of a network that steps",
    "animate RUN": "u and v over time as a moving picture",
    "study FILE": "systems x strategies x seeds, or what is left of them, and its page",
    "compare FOLDER": "the comparison of a sweep, or of runs in a folder, again",
    "compare-reference RUN FILE": "errors of a trained network against fields from a file",
}
"""What can follow `pinn-ext`; `pinn-ext COMMAND -h` has the options of a command."""

_KEYS = {
    "problem.parameters.NAME": "a constant of the system",
    "problem.conditions": "hard (built into the network) or soft (loss terms)",
    "problem.file": "a Python file of your own, with problem=from_file",
    "problem.reference": "a file of fields to measure errors against, or rk4",
    "dataset.num_graphs": "snapshots to train on",
    "dataset.nodes_per_side": "nodes along each side (default: the system's)",
    "dataset.batch_size": "snapshots in a step",
    "network.hidden": "widths of the hidden layers",
    "training.epochs": "epochs of the first optimiser",
    "training.learning_rate": "of the first optimiser",
    "training.optimizer": "adam, adamw, rmsprop or sgd",
    "training.lbfgs_iterations": "L-BFGS afterwards, if above 0",
    "training.loss.use_gn_solver": "Gauss-Newton afterwards",
    "training.loss.use_rk4": "the Runge-Kutta terms of the loss",
    "training.loss.adaptive.strategy": "which rule moves the loss weights",
    "training.loss.adaptive.update_frequency": "epochs between two updates of the weights",
    "training.keep": "last or best: the network that the report is about",
    "device": "auto, cpu, cuda, cuda:1, …",
    "dtype": "float32 or float64",
    "seed": "of all random numbers",
    "experiment.name": "begins the name of the run's folder",
}
_OPTIONS = {
    "-h, --help": "this page; -h after a command for that command",
    "--version": "the version of pinn-ext",
    "-m, --multirun": "a sweep",
    "--cfg job": "the whole configuration of a command line, without running it",
    "--config-dir FOLDER": "a folder of configuration groups of your own",
    "--info, --hydra-help": "of Hydra, which composes the configuration",
    "-sc install=bash": 'with eval "$(…)": the shell completes keys (zsh, fish too)',
}

_NO_GROUPS = ("hydra", "study")
"""Folders of configurations that no GROUP=NAME chooses from: launchers, and files of studies."""


def version_line() -> str:
    """Return what `--version` says.

    >>> version_line().startswith("pinn-ext ")
    True
    """
    return f"pinn-ext {__version__}"


def help_text() -> str:
    """Return what `--help` says.

    Returns:
        Commands, configuration groups, the keys that are used most with their defaults, options.
    """
    keys = {_with_default(key): text for key, text in _KEYS.items()}
    parts = [
        f"{version_line()}: trains PINNs of coupled systems, with adaptive loss weights",
        _table("Usage: pinn-ext …", _COMMANDS),
        _groups(config_dir()),
        _table("Most used keys", keys),
        _table("Options", _OPTIONS),
    ]
    return "\n\n".join(parts)


def _with_default(key: str) -> str:
    """Return a key with the default that the schema states, if it states one."""
    value: Any = schema.Config()
    for name in key.split("."):
        value = getattr(value, name, None)
    if value is None:
        return key
    text = str(value).lower() if isinstance(value, bool) else str(value).replace(" ", "")
    return f"{key}={text}"


def _table(title: str, rows: Mapping[str, str]) -> str:
    wide = min(max(map(len, rows)), 45)
    lines = [f"  {name.ljust(wide)}  {text}" for name, text in rows.items()]
    return "\n".join([f"{title}", *lines])


def _groups(configs: Path) -> str:
    """Return what each configuration group can be, classes of installed packages among it."""
    outside = {
        "problem": SYSTEMS.names(),
        "training": [f"adaptive_{name}" for name in STRATEGIES.names()],
    }
    lines = ["Configuration groups (GROUP=NAME)"]
    folders = sorted(path for path in configs.iterdir() if path.is_dir())
    for folder in (path for path in folders if path.name not in _NO_GROUPS):
        own = [file.stem for file in folder.glob("*.yaml")]
        names = ", ".join(sorted({*own, *outside.get(folder.name, ())}))
        if own:
            head = f"  {folder.name}: "
            lines.append(
                textwrap.fill(names, _WIDTH, initial_indent=head, subsequent_indent="    ")
            )
    return "\n".join(lines)
