"""Checks of `problem` by names alone: of its system, case and parameters. Loads without torch."""

from __future__ import annotations

from pinn_ext import choices
from pinn_ext.checks import ArgumentError, check_choice
from pinn_ext.registry import SYSTEMS, check_case, check_parameters
from pinn_ext.schema.keys import Problem

_OWN_KEYS = ("boundary", "case", "geometry")


def validate_names(problem: Problem) -> None:
    """Refuse a system, a case or a parameter that there is not.

    What comes from a problem file or an installed package is looked at when it is loaded.

    Args:
        problem: `problem`.

    Raises:
        ArgumentError: naming the key or the parameter; the message lists the legal names.
    """
    name = problem.name
    if name == choices.FROM_FILE or problem.file is not None:
        return
    known = choices.SYSTEMS.get(name)
    if known is None:
        if not SYSTEMS.has(name):
            check_choice("problem.name", name, {*choices.SYSTEMS, *SYSTEMS.names()})
        return
    if problem.case is not None:
        try:
            check_case(name, known.cases, problem.case)
        except ArgumentError as error:
            raise error.under("problem") from None
    if not any(key in problem.parameters for key in _OWN_KEYS):
        check_parameters(name, known.parameters, problem.parameters)
