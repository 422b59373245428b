"""A configuration as plain values, as YAML, by its keys, and back. Loads without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any, cast

from pinn_ext.schema.keys import FREE_KEYS, Config


def as_dict(cfg: Config) -> dict[str, Any]:
    """Return a configuration as plain dicts, lists, numbers and strings.

    Args:
        cfg: the configuration.

    Returns:
        Nested dicts, all interpolations resolved.

    Example:
        >>> as_dict(Config())["network"]["hidden"]
        [32, 32, 32]
    """
    if is_dataclass(cfg) and not isinstance(cfg, type):
        return asdict(cfg)
    from omegaconf import OmegaConf

    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


def from_dict(values: dict[str, Any]) -> Config:
    """Return an OmegaConf node of the schema `Config` with the values of `as_dict`.

    Args:
        values: plain dicts, lists, numbers and strings; `${…}` in a string is text.

    Returns:
        The node; reading it gives the strings as they came.

    Example:
        >>> from_dict({"training": {"epochs": 10}}).training.epochs
        10
        >>> from_dict({"experiment": {"name": "${HOME}"}}).experiment.name
        '${HOME}'
    """
    from omegaconf import OmegaConf

    node = OmegaConf.merge(OmegaConf.structured(Config), _literal(values))
    OmegaConf.to_container(node, resolve=True)  # raises where a text stands for a number
    return cast(Config, node)


def _literal(value: Any) -> Any:
    """Return a value in which OmegaConf takes `${…}` for text, not for something to look up."""
    if isinstance(value, str):
        # Backslashes in front of `${` escape one another, elsewhere they stand for themselves.
        return re.sub(r"(\\*)\$\{", r"\1\1\\${", value)
    if isinstance(value, dict):
        return {key: _literal(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_literal(item) for item in value]
    return value


def select(cfg: Config, key: str) -> Any:
    """Return the value under a full key, plain; None if there is none.

    Example:
        >>> cfg = from_dict({"dataset": {"name": "cloud"}})
        >>> select(cfg, "dataset.name"), select(cfg, "dataset.colour")
        ('cloud', None)
    """
    from omegaconf import OmegaConf

    node = cfg if OmegaConf.is_config(cfg) else OmegaConf.structured(cfg)
    value = OmegaConf.select(cast(Any, node), key)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def keys_set_by(override: str) -> list[str]:
    """Return the full keys that an override of the command line sets.

    Args:
        override: such as `training.epochs=9` or `training={epochs: 9}`.

    Returns:
        Several keys where it gives a mapping; a mapping of `FREE_KEYS` is one.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parsed = OverridesParser.create().parse_override(override)
    return _leaves(parsed.key_or_group, parsed.value())


def _leaves(key: str, value: Any) -> list[str]:
    if not isinstance(value, Mapping) or f"{key}." in FREE_KEYS:
        return [key]
    return [leaf for name, item in value.items() for leaf in _leaves(f"{key}.{name}", item)]


def to_yaml(values: dict[str, Any]) -> str:
    """Return plain values as YAML text, which Hydra and OmegaConf read as the same values.

    Example:
        >>> print(to_yaml({"training": {"epochs": 10}, "seed": 1}))
        training:
          epochs: 10
        seed: 1
    """
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(_literal(values)))


def from_yaml(text: str) -> Config:
    """Return an OmegaConf node of the schema `Config` with the values of a saved configuration.

    Args:
        text: as `to_yaml` returned it; keys that it lacks have their defaults. What OmegaConf
            would look up elsewhere stays as it is written.

    Raises:
        ValueError: if it holds something else.

    Example:
        >>> from_yaml("training: {epochs: 10}").training.epochs
        10
        >>> from_yaml("epochs: 10")
        Traceback (most recent call last):
            ...
        ValueError: The text holds no configuration of a run (Key 'epochs' not in 'Config').
    """
    from omegaconf import OmegaConf

    try:
        values: Any = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
        own = from_dict(values)
    except Exception as error:  # of yaml or OmegaConf
        message = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"The text holds no configuration of a run ({message}).") from None
    if not values:
        raise ValueError("The text must hold a configuration of a run, got nothing.")
    return own
