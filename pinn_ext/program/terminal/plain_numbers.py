"""Numbers of a command line, looked at before Hydra is loaded, which takes longer than all else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pinn_ext import schema
from pinn_ext.checks import ArgumentError

_NUMBER = re.compile(
    r"(?P<key>[a-z]\w*(\.[a-z]\w*)*)="
    r"(?P<value>[+-]?\d{1,300}(?P<rest>(\.\d{0,300})?(e[+-]?\d{1,3})?))",
    re.ASCII,
)


def refused(arguments: Sequence[str]) -> str:
    """Return a sentence on a number that is out of range.

    Args:
        arguments: of the command line. Only where each sets a number of the schema is it looked at:
            the configuration is the default one then, but for these numbers.

    Returns:
        The sentence that a run would be refused with, empty if it is for Hydra to say.

    >>> refused(["training.epochs=-3"])
    '`training.epochs` must be a whole number >= 1, got -3.'
    >>> refused(["training.epochs=3"]), refused(["training=gauss_newton", "training.epochs=0"])
    ('', '')
    """
    cfg = schema.Config()
    if not all(_set(cfg, argument) for argument in arguments):
        return ""
    try:
        schema.validate(cfg)
    except ArgumentError as error:
        return str(error)
    return ""


def _set(cfg: schema.Config, argument: str) -> bool:
    """Set a number; return whether the argument is one of the schema's."""
    found = _NUMBER.fullmatch(argument)
    if found is None:
        return False
    node: Any = cfg
    *home, name = found["key"].split(".")
    for part in home:
        node = getattr(node, part, None)
        if not is_dataclass(node):
            return False
    kind = get_type_hints(type(node)).get(name)
    kinds = {kind, *get_args(kind)} - {type(None)}
    if int in kinds and not found["rest"]:
        setattr(node, name, int(found["value"]))
    elif float in kinds and int not in kinds:
        setattr(node, name, float(found["value"]))
    else:
        return False
    return True
