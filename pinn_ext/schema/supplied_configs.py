"""Configurations of systems and strategies from outside of this package, which have no YAML file.

Hydra asks its sources of configurations one after the other, and this one last but for the schema.
So a configuration that has a file, here or in `--config-dir`, never leads here.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from pinn_ext.registry import STRATEGIES, SYSTEMS

_SCHEME = "pinn_ext"
Names: TypeAlias = list[str]  # `list` is a method below
_GROUPS = {"problem": (SYSTEMS, ""), "training": (STRATEGIES, "adaptive_")}
"""Group of configurations to its kind of class, and what a class's name stands behind."""


def make_known() -> None:
    """Let Hydra ask for these configurations too; once or more often."""
    for plugin in (SuppliedConfigs, SuppliedSearchPath):
        Plugins.instance().register(plugin)


class SuppliedSearchPath(SearchPathPlugin):
    """Adds the supplied configurations to where Hydra looks for configurations."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Add them at the end."""
        # Hydra puts `--config-dir` before the first source of the provider "schema".
        search_path.append("schema", f"{_SCHEME}://")


class SuppliedConfigs(ConfigSource):
    """`problem/NAME` and `training/adaptive_NAME` of classes that come from outside."""

    @staticmethod
    def scheme() -> str:
        """Return what paths of this source begin with."""
        return _SCHEME

    def available(self) -> bool:
        """Return whether there is such a source."""
        return True

    def is_group(self, config_path: str) -> bool:
        """Return whether there may be configurations of a group."""
        return config_path.strip("/") in _GROUPS

    def is_config(self, config_path: str) -> bool:
        """Return whether there is a configuration."""
        group, name = _split(config_path)
        return bool(name) and _GROUPS[group][0].has(name)

    def list(self, config_path: str, results_filter: ObjectType | None) -> Names:
        """Return the configurations of a group, sorted."""
        group = config_path.strip("/")
        if group not in _GROUPS or results_filter == ObjectType.GROUP:
            return []
        outside, prefix = _GROUPS[group]
        return [f"{prefix}{name}" for name in outside.names()]

    def load_config(self, config_path: str) -> ConfigResult:
        """Return a configuration; one of a class that cannot be used is refused in a sentence.

        Args:
            config_path: such as `problem/mine`.

        Returns:
            The configuration.

        Raises:
            ConfigLoadError: if there is none.
            ValueError: if its class cannot be used.
        """
        if not self.is_config(config_path):
            raise ConfigLoadError(f"Config not found : {config_path}")
        group, name = _split(config_path)
        try:
            content = _problem(name) if group == "problem" else _training(name)
        except ValueError as error:  # its cause is said in the sentence
            raise ValueError(str(error)) from None
        return ConfigResult(
            provider=self.provider,
            path=f"{_SCHEME}://",
            config=OmegaConf.create(content),
            header={"package": None},
        )


def _split(config_path: str) -> tuple[str, str]:
    """Return the group and the name of a class; nothing for the name if there is none."""
    group, _, option = config_path.strip("/").removesuffix(".yaml").rpartition("/")
    if group not in _GROUPS or not option.startswith(_GROUPS[group][1]):
        return group, ""
    return group, option.removeprefix(_GROUPS[group][1])


def _problem(name: str) -> dict[str, Any]:
    from pinn_ext import systems  # which loads torch

    return {"name": name, "parameters": systems.default_parameters(name)}


def _training(name: str) -> dict[str, Any]:
    from pinn_ext import strategies

    strategies.class_of(name)  # refuses it before anything is done
    adaptive = {"enabled": True, "strategy": name}
    return {"defaults": ["default", "_self_"], "loss": {"adaptive": adaptive}}
