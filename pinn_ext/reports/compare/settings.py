"""What decided a run, read from its folder: runs are compared only where it is the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pinn_ext import schema
from pinn_ext.reports.report import CONFIG_NAME

Settings = frozenset[tuple[str, str]]
"""Full keys and their values as text."""

_ADAPTIVE = "training.loss.adaptive."
_OF_THE_PROBLEM = ("problem.", "dataset.")
_OF_THE_UNITS = ("problem.scaling", "problem.scales")
"""Under `problem.`, yet another way to solve the same one."""
_WITHOUT_EFFECT = (
    "device",
    "experiment.",
    "training.log_every",
    "training.log_weights_every",
    "training.resume",
)
"""They change no error beyond rounding."""


@dataclass(frozen=True)
class RunSettings:
    """What decided a run.

    Attributes:
        problem: the system, its domain, parameters and conditions, and the data set.
        training: everything else but `weighting` and `seed`: network, float type, optimisers,
            lengths, phases, units.
        weighting: keys under `training.loss.adaptive`, none for fixed weights.
        seed: of the run.
        title: the problem in a few words.
    """

    problem: Settings
    training: Settings
    weighting: Settings
    seed: int
    title: str


def read(folder: Path) -> RunSettings | None:
    """Return the settings of the run in a folder.

    Args:
        folder: of the run, with the `config.yaml` that it has written.

    Returns:
        None where that file is lost or damaged, or is none of ours.
    """
    try:
        cfg = schema.from_yaml((folder / CONFIG_NAME).read_text())
    except (OSError, ValueError):
        return None
    values = schema.as_dict(cfg)
    moving = schema.strategy_of(cfg.training.loss.adaptive) != "fixed"
    parts: dict[str, set[tuple[str, str]]] = {
        "problem": set(),
        "training": set(),
        "weighting": set(),
    }
    for key, value in _leaves(values):
        part = _part_of(key)
        if part and (part != "weighting" or moving):
            parts[part].add((key, _text(value)))
    frozen = {name: frozenset(pairs) for name, pairs in parts.items()}
    return RunSettings(**frozen, seed=values["seed"], title=_title(values))


def _part_of(key: str) -> str | None:
    """Return which attribute of `RunSettings` a key belongs to."""
    if key.startswith(_ADAPTIVE):
        return "weighting"
    if key.startswith(_OF_THE_PROBLEM) and key not in _OF_THE_UNITS:
        return "problem"
    return None if key == "seed" or key.startswith(_WITHOUT_EFFECT) else "training"


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _text(value: Any) -> str:
    """Return a value as on a command line."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, list):
        return "[" + ",".join(_text(item) for item in value) + "]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _title(values: Mapping[str, Any]) -> str:
    problem, dataset = values["problem"], values["dataset"]
    where = f" on {problem['geometry']}" if problem["geometry"] else ""
    name = Path(problem["file"]).name if problem["file"] else problem["name"]
    return f"{name}{where}, {problem['conditions']} conditions, {dataset['name']} graphs"


def titles(problems: Sequence[RunSettings]) -> list[str]:
    """Return a title for each of several problems that tells it from the others.

    Args:
        problems: settings of one run of each.

    Returns:
        What each is called, with the keys in which problems of one name differ.
    """
    found = []
    for one in problems:
        alike = [other.problem for other in problems if other.title == one.title]
        differing = differences(one.problem, *alike)
        found.append(f"{one.title} ({differing})" if differing else one.title)
    return found


def differences(own: Settings, *others: Settings) -> str:
    """Return in what settings differ from others.

    Args:
        own: to be described.
        *others: which they are held against.

    Returns:
        Short keys and values, such as `dtype=float64 epochs=0`; empty if they are the same. A
        key that only others have, a parameter of the problem say, has the value "default".
    """
    keys = {key for other in others for key, _ in own ^ other}
    mine = dict(own)
    return " ".join(f"{short(key)}={mine.get(key, 'default')}" for key in sorted(keys))


def short(key: str) -> str:
    """Return a full key without the parts that most keys share."""
    for prefix in (_ADAPTIVE, "training.loss.", "training.", "problem.parameters."):
        if key.startswith(prefix):
            return key[len(prefix) :]
    return key


def reference(trainings: Sequence[Settings]) -> Settings:
    """Return the settings that the others are described against: the most frequent ones.

    Args:
        trainings: of each run, the first one wins a tie.
    """
    return Counter(trainings).most_common(1)[0][0]
