"""What a study file asks for: its axes, checked key by key. Loads without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pinn_ext import choices
from pinn_ext.checks import ArgumentError, brief, check_choice, check_list, check_number
from pinn_ext.files import exists, shortened
from pinn_ext.program.composition import config_dir, read_yaml
from pinn_ext.program.study.tuned import Tuned, read_tuned
from pinn_ext.program.terminal.refusals import Refused

MOST_CONTENDERS = 6
"""With more, no test tells anything apart that a study can afford."""
KEYS = (
    *("title", "folder", "common", "systems", "conditions", "phases", "strategies", "seeds"),
    *("contenders", "tuned", "leave_out", "jobs", "launcher", "launcher_options"),
)
"""All that a study file may hold; `systems`, `strategies` and `seeds` it must."""
AXES = ("systems", "conditions", "phases", "strategies", "seeds")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
_LIST = "be a list of overrides"
_NOT_TO_BE_SET = ("hydra", "seed", "experiment", "training.resume")
Overrides = tuple[str, ...]


@dataclass(frozen=True)
class StudyFile:
    """A study as its file describes it.

    Attributes:
        title: of the page.
        folder: of the results.
        common: overrides of every job.
        systems: overrides of each system by its name.
        conditions: names of `problem.conditions`.
        phases: overrides by name, such as a second-order phase.
        strategies: overrides of each way to weight by its name, without the tuned one.
        seeds: of the runs, each strategy has all of them.
        contenders: at most six strategies that are tested against each other, the first one is
            held against each other one in each system.
        tuned: the grid of fixed weights, None without one.
        leave_out: combinations that are not run, each names values of some axes.
        jobs: how many run at once.
        launcher: of Hydra, None for processes of this program.
        launcher_options: overrides for it.
    """

    title: str
    folder: Path
    systems: dict[str, Overrides]
    strategies: dict[str, Overrides]
    seeds: tuple[int, ...]
    common: Overrides = ()
    conditions: tuple[str, ...] = ("soft",)
    phases: dict[str, Overrides] = field(default_factory=lambda: {"epochs": ()})
    contenders: tuple[str, ...] = ()
    tuned: Tuned | None = None
    leave_out: tuple[dict[str, tuple[str, ...]], ...] = ()
    jobs: int = 1
    launcher: str | None = None
    launcher_options: Overrides = ()

    @property
    def all_strategies(self) -> list[str]:
        """Names of all ways to weight, the tuned one last."""
        return [*self.strategies, *([self.tuned.name] if self.tuned else [])]


def find(name: str) -> Path:
    """Return the path of a study file.

    Args:
        name: a path, or the name of one that comes with the package, such as `smoke`, or its path
            in a checkout, `configs/study/smoke.yaml`.

    Returns:
        A file that exists.

    Raises:
        Refused: if there is none; the sentence lists those that come with the package.
    """
    path, own = Path(name), config_dir() / "study"
    if exists(path) and path.is_file():
        return path
    shipped = sorted(file.stem for file in own.glob("*.yaml"))
    if name in shipped:
        return own / f"{name}.yaml"
    if path.stem in shipped and path == Path("configs", "study", f"{path.stem}.yaml"):
        return own / path.name
    raise Refused(
        f"There is no study file {shortened(path)}; those of the package are {', '.join(shipped)}."
    )


def read(path: Path) -> StudyFile:
    """Read a study file.

    Args:
        path: of the file.

    Returns:
        What it asks for, checked but for the overrides, which Hydra composes.

    Raises:
        Refused: if it cannot be used; one sentence that names the key.
    """
    values = read_yaml(path)
    try:
        return from_values(values, path.stem)
    except ArgumentError as error:
        raise Refused(f"{shortened(path)}: {error}") from None


def from_values(values: Any, name: str) -> StudyFile:
    """Check the content of a study file.

    Args:
        values: of the file, plain.
        name: of the study, from which title and folder are made where there are none.

    Returns:
        What it asks for.

    Raises:
        ArgumentError: naming the key, what is allowed and what came.
    """
    if not isinstance(values, Mapping):
        raise ArgumentError("study", f"be a mapping of {', '.join(KEYS)}", brief(values))
    for key in values:
        check_choice("key", key, KEYS)
    for key in ("systems", "strategies", "seeds"):
        if key not in values:
            raise ArgumentError(key, "be given", "nothing")
    # A key without a value is None, as one that is not there.
    title, folder = (values.get(key) for key in ("title", "folder"))
    title = name if title is None else str(title)
    folder = f"studies/{name}" if folder is None else str(folder)
    if not folder.strip() or "\0" in folder:
        raise ArgumentError("folder", "name a folder", repr(folder))
    options = values.get("launcher_options", [])
    found = StudyFile(
        title=title,
        folder=Path(folder),
        common=_overrides("common", values.get("common", [])),
        systems=_named("systems", values["systems"], lambda name: (f"problem={name}",)),
        conditions=_conditions(values.get("conditions", ["soft"])),
        phases=_named("phases", values.get("phases", {"epochs": []}), None),
        strategies=_named("strategies", values["strategies"], _recipe),
        seeds=_seeds(values["seeds"]),
        tuned=read_tuned(values.get("tuned")),
        jobs=check_number("jobs", values.get("jobs", 1), 1, 1024, integer=True),
        launcher=_text("launcher", values.get("launcher")),
        launcher_options=tuple(map(str, check_list("launcher_options", options, _LIST))),
    )
    return _with_names(found, values)


def _with_names(found: StudyFile, values: Mapping[str, Any]) -> StudyFile:
    """Add what names parts of the axes."""
    if found.tuned:
        _check_name("tuned", found.tuned.name)
    if found.tuned and found.tuned.name in found.strategies:
        wanted = "be no name under strategies"
        raise ArgumentError("tuned.name", wanted, repr(found.tuned.name))
    contenders = check_list("contenders", values.get("contenders", []), "be a list of strategies")
    for one in contenders:
        check_choice("contenders", one, found.all_strategies)
    if len(contenders) > MOST_CONTENDERS or len(set(contenders)) < len(contenders):
        wanted = f"be at most {MOST_CONTENDERS} different strategies"
        raise ArgumentError("contenders", wanted, ", ".join(contenders))
    left = check_list("leave_out", values.get("leave_out", []), "be a list of mappings")
    return replace(
        found,
        contenders=tuple(contenders),
        leave_out=tuple(_combination(one, found) for one in left),
    )


def _combination(value: Any, found: StudyFile) -> dict[str, tuple[str, ...]]:
    legal = {
        "systems": found.systems,
        "conditions": found.conditions,
        "phases": found.phases,
        "strategies": found.all_strategies,
        "seeds": list(map(str, found.seeds)),
    }
    if not isinstance(value, Mapping) or not value:
        raise ArgumentError("leave_out", f"be mappings of {', '.join(AXES)}", brief(value))
    parts = {}
    for axis, names in value.items():
        check_choice("leave_out", axis, AXES)
        given = names if isinstance(names, list) else [names]
        parts[axis] = tuple(check_choice(f"leave_out.{axis}", str(n), legal[axis]) for n in given)
    return parts


def _recipe(name: str) -> Overrides:
    return ("training=default",) if name == "fixed" else (f"training=adaptive_{name}",)


def _named(key: str, value: Any, default: Any) -> dict[str, Overrides]:
    """Return overrides by name, of a mapping or, where names say enough, of a list."""
    if not isinstance(value, Mapping):
        wanted = "be a mapping of names to overrides" + (", or a list of names" if default else "")
        names = check_list(key, value, wanted)
        if default is None and names:
            raise ArgumentError(key, wanted, brief(value))
        value = dict.fromkeys(map(str, names))
        if len(value) < len(names):
            raise ArgumentError(key, "name each of its parts once", ", ".join(map(str, names)))
    found = {}
    for name, own in value.items():
        _check_name(key, str(name))
        if own is None and default is None:
            own = []
        found[str(name)] = default(name) if own is None else _overrides(f"{key}.{name}", own)
    return _not_empty(key, found)


def _check_name(key: str, name: str) -> None:
    if not _NAME.fullmatch(name):
        wanted = "have names of at most 60 letters, digits, - and _, as folders are called so"
        raise ArgumentError(key, wanted, brief(name))


def _overrides(key: str, value: Any) -> Overrides:
    found = check_list(key, value, "be a list of overrides, such as training.epochs=9")
    for one in found:
        name = str(one).lstrip("+~").partition("=")[0]
        if not isinstance(one, str) or "=" not in one:
            raise ArgumentError(key, "hold overrides KEY=VALUE", brief(one))
        if name.startswith("hydra") or name in _NOT_TO_BE_SET or name.startswith("experiment."):
            raise ArgumentError(key, "leave seed, experiment, resume and hydra to the study", one)
    return tuple(found)


def _not_empty(key: str, value: Any) -> Any:
    if not value:
        raise ArgumentError(key, "hold at least one entry, as the study would have no jobs", "none")
    return value


def _conditions(value: Any) -> tuple[str, ...]:
    names = check_list("conditions", value, "be a list of hard and soft")
    for name in names:
        check_choice("conditions", name, choices.CONDITIONS)
    if len(set(names)) < len(names):
        raise ArgumentError("conditions", "name each kind once", ", ".join(names))
    return tuple(_not_empty("conditions", names))


def _seeds(value: Any) -> tuple[int, ...]:
    if isinstance(value, int) and not isinstance(value, bool):
        return tuple(range(check_number("seeds", value, 1, 10_000, integer=True)))
    seeds = check_list("seeds", value, "be a number of seeds, or a list of them")
    for seed in seeds:
        check_number("seeds", seed, 0, 2**32 - 1, integer=True)
    if len(set(seeds)) < len(seeds):
        raise ArgumentError("seeds", "name each seed once", seeds)
    return tuple(_not_empty("seeds", seeds))


def _text(key: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not _NAME.fullmatch(value)):
        raise ArgumentError(key, "be the name of one of Hydra's launchers", brief(value))
    return value
