"""From a command line to a configuration and a folder, by Hydra; refusals are one sentence."""

from __future__ import annotations

import contextlib
import copy
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from pinn_ext import schema
from pinn_ext.files import LONGEST_NAME, exists, refuse_taken, shortened
from pinn_ext.program.hydra_errors import one_line, unknown_key
from pinn_ext.program.terminal.refusals import Refused, refusals

# Hydra's own defaults: seconds are too coarse for runs that start together.
_HYDRA_FOLDER = "/${now:%Y-%m-%d}/${now:%H-%M-%S}"


def register_schema() -> None:
    """Make known to Hydra the schema, which `config.yaml` begins with, and what has no file."""
    from hydra.core.config_store import ConfigStore
    from hydra.core.object_type import ObjectType

    from pinn_ext.schema import supplied_configs

    store = ConfigStore.instance()
    if store.get_type("schema.yaml") is ObjectType.NOT_FOUND:  # Hydra 1.5 wants it but once
        store.store(name="schema", node=schema.Config)
    supplied_configs.make_known()
    # Settings of ours for a launcher take the place of the plugin's of the same name.
    warnings.filterwarnings("ignore", r"\s*'hydra/launcher/\w+' is validated against ConfigStore")


def version_base() -> dict[str, str]:
    """Return what Hydra 1.3 is told, so that it behaves as 1.3; later ones have no older ways."""
    import hydra

    return {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}


def config_dir() -> Path:
    """Return the folder of the program's own configuration.

    Returns:
        `configs` inside the installed package, or beside it in a checkout.

    Raises:
        FileNotFoundError: if there is neither.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"`configs` must lie in or beside {package}, got neither.")


def compose(
    overrides: Sequence[str], *, search: str | None = None, name: str = "config"
) -> tuple[schema.Config, Any]:
    """Compose a configuration without running anything.

    Args:
        overrides: as on the command line.
        search: one more folder of configuration groups.
        name: of the primary configuration file.

    Returns:
        The configuration, and Hydra's own part of it.

    Raises:
        Refused: if Hydra cannot compose it; one sentence.
    """
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf, open_dict

    register_schema()
    loader = config_loader(search)
    check_choices(overrides, loader)
    try:
        with hydra.initialize_config_dir(str(config_dir()), job_name="pinn-ext", **version_base()):
            loaded: Any = GlobalHydra.instance().hydra
            loaded.config_loader = loader  # which knows the search folder
            cfg = hydra.compose(name, list(overrides), return_hydra_config=True)
        hydra_part = copy.deepcopy(cfg).hydra  # its names may be made from all of its own keys
        with open_dict(cfg):
            del cfg["hydra"]
        values: Any = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except Exception as error:
        raise Refused(one_line(error)) from None
    if sentence := unknown_key(values):
        raise Refused(sentence)
    for key in schema.Config.__dataclass_fields__:
        if key not in values:
            raise Refused(f"`{key}` cannot be left out of the configuration.")
    return cast(schema.Config, cfg), hydra_part


def check_choices(overrides: Sequence[str], loader: Any) -> None:
    """Refuse lists and numbers that choose no file of a group, where Hydra does not say which.

    A name is left to Hydra, which looks whether there is such a file, and so is a mapping, whose
    values go into the group that is chosen elsewhere.

    Args:
        overrides: as on the command line.
        loader: finds the files.

    Raises:
        Refused: naming the group and its options, or what is no override.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except Exception as error:
        raise Refused(one_line(error)) from None
    for override in parsed:
        value = override.value()
        if isinstance(value, str | dict) or override.is_delete() or override.is_sweep_override():
            continue
        options = loader.get_group_options(override.key_or_group)
        # Several files of one group are legal, as a user's recipes may be.
        several = isinstance(value, list) and value and all(one in options for one in value)
        if options and not several:
            names = ", ".join(options)
            raise Refused(f"`{override.key_or_group}` must be one of {names}, got {value!r}.")


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds, as plain values; `${…}` in it is text.

    Args:
        path: of the file.

    Returns:
        Mappings, lists, numbers and strings.

    Raises:
        Refused: if it cannot be read, or is no YAML; one sentence.
    """
    from omegaconf import OmegaConf

    try:
        return OmegaConf.to_container(OmegaConf.create(path.read_text("utf-8")), resolve=False)
    except OSError as error:
        raise Refused(f"{shortened(path)} cannot be read ({error.strerror}).") from None
    except Exception as error:  # of yaml or OmegaConf
        raise Refused(f"{shortened(path)} is no YAML ({one_line(error)}).") from None


def _search_folder(search: str) -> Path:
    if not exists(Path(search)) or not Path(search).is_dir():
        raise Refused(f"`--config-dir` must be a folder, got {shortened(Path(search))!r}.")
    return Path(search).resolve()


def config_loader(search: str | None = None) -> Any:
    """Return what finds files of configuration groups.

    Args:
        search: one more folder of configuration groups.

    Raises:
        Refused: if that is no folder.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.utils import create_config_search_path
    from hydra.core.config_search_path import SearchPathQuery

    path = create_config_search_path(str(config_dir()))
    if search:  # where Hydra puts it
        folder = f"file://{_search_folder(search)}"
        path.prepend("command-line", folder, SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(config_search_path=path)


def chosen_folder(node: Any) -> Path | None:
    """Return the output folder that the user asked for.

    Args:
        node: `hydra.run` or `hydra.sweep`.

    Returns:
        The folder, None if it is Hydra's default.

    Raises:
        Refused: if its name is empty.
    """
    from omegaconf import OmegaConf

    raw: Any = OmegaConf.to_container(node, resolve=False)
    if raw["dir"].endswith(_HYDRA_FOLDER):
        return None
    try:
        name = str(node.dir)
    except Exception as error:  # OmegaConf's, of a name made from a key that is not there
        why = str(error).splitlines()[0]
        raise Refused(f"The output folder {raw['dir']!r} cannot be made out ({why}).") from None
    if not name.strip() or "\0" in name:
        raise Refused(
            f"The output folder (hydra.run.dir, hydra.sweep.dir) must be a name, got {name!r}."
        )
    return Path(name)


def job_folder(hydra_part: Any) -> str:
    """Return the name of a job's folder in that of its sweep.

    Args:
        hydra_part: Hydra's part of the job's configuration.

    Returns:
        One name, so that a comparison finds it.

    Raises:
        Refused: if it is anything else.
    """
    try:
        name = str(hydra_part.sweep.subdir)
        records = hydra_part.output_subdir
    except Exception as error:
        why = str(error).splitlines()[0]
        raise Refused(f"`hydra.sweep.subdir` cannot be made out ({why}).") from None
    _check_name("hydra.sweep.subdir", name, "${hydra.job.num}")
    if records is not None:  # where Hydra writes what it has composed, a config.yaml among it
        _check_name("hydra.output_subdir", str(records), ".hydra")
    return name


def _check_name(key: str, name: str, example: str) -> None:
    if len(os.fsencode(name)) > LONGEST_NAME:
        raise Refused(
            f"`{key}` must be a name of at most {LONGEST_NAME} bytes, got {shortened(Path(name))}."
        )
    if not name.strip() or name in (".", "..") or "/" in name or "\0" in name:
        raise Refused(f"`{key}` must be the name of one folder, such as {example!r}, got {name!r}.")


def new_folder(parent: str, name: str, chosen: Path | None) -> Path:
    """Make the folder of a run or a sweep, which no other shares.

    Args:
        parent: where folders go that no user has placed.
        name: with which their names begin.
        chosen: the folder that the user asked for, or None.

    Returns:
        An existing folder that holds nothing that a run writes.

    Raises:
        Refused: if it cannot be made, holds a run or files of the names that one writes.
    """
    try:
        if chosen is not None:
            chosen.mkdir(parents=True, exist_ok=True)
            with refusals():
                refuse_taken(chosen)
            return chosen
        Path(parent).mkdir(parents=True, exist_ok=True)
        while True:
            stamp = datetime.now().strftime("%Y%m%d-%H%M%S-%f")
            folder = Path(parent) / f"{name}-{stamp}"
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                return folder
    except OSError as error:
        where = shortened(chosen or Path(parent))
        raise Refused(f"The folder {where} cannot be made ({error.strerror}).") from None


def by_hydra(arguments: Sequence[str], task: Callable[[schema.Config], float]) -> int:
    """Let Hydra carry out a command line.

    Args:
        arguments: of the command line.
        task: what Hydra runs with each configuration; returns what a sweeper minimises.

    Returns:
        The exit status 0; a failure is an exception.
    """
    import hydra

    # Hydra would print errors on several lines and exit; so it raises them.
    before = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = [sys.argv[0], *arguments]
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        hydra.main(config_path=str(config_dir()), config_name="config", **version_base())(task)()
    finally:
        sys.argv = before[0]
        if before[1] is None:
            del os.environ["HYDRA_FULL_ERROR"]
        else:
            os.environ["HYDRA_FULL_ERROR"] = before[1]
    return 0
