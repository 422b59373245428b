"""Checks of `problem`, and of the domain that it and `dataset` describe. Loads without torch."""

from __future__ import annotations

from pinn_ext import choices
from pinn_ext.checks import ArgumentError, brief, check_choice, check_list, check_number
from pinn_ext.registry import SYSTEMS, check_case, check_parameters
from pinn_ext.schema.keys import Dataset, Problem

_OWN_KEYS = ("boundary", "case", "geometry")


def validate_problem(problem: Problem) -> None:
    """Refuse values of `problem` that are none, whatever the data set is.

    Args:
        problem: the group of keys.

    Raises:
        ArgumentError: naming the key or the parameter, what is allowed and what came.
    """
    _validate_names(problem)
    check_choice("problem.conditions", problem.conditions, choices.CONDITIONS)
    check_choice("problem.scaling", problem.scaling, choices.SCALINGS)
    if problem.scales is None:
        return
    if len(problem.scales) != 2:
        wanted = "hold one number for u and one for v"
        raise ArgumentError("problem.scales", wanted, problem.scales)
    if problem.scaling != "fields":
        wanted = "be fields for problem.scales to have an effect"
        raise ArgumentError("problem.scaling", wanted, repr(problem.scaling))
    for scale in problem.scales:
        check_number("problem.scales", scale, 0, open_low=True)


def _validate_names(problem: Problem) -> None:
    """Refuse a system, a case or a parameter that there is not.

    What comes from a problem file or an installed package is looked at when it is loaded.
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


def validate_domain(problem: Problem, dataset: Dataset) -> None:
    """Refuse a domain, a mesh or an initial state that does not go with the other keys.

    Args:
        problem: one group of keys.
        dataset: the other one, its values in range.

    Raises:
        ArgumentError: naming the key, what is allowed and what came.
    """
    _validate_geometry(problem, dataset)
    _validate_mesh(problem, dataset)
    _validate_initial(problem)


def _validate_geometry(problem: Problem, dataset: Dataset) -> None:
    geometry = problem.geometry
    if geometry is None:
        return
    check_choice("problem.geometry", geometry, choices.GEOMETRIES)
    if geometry == "square":
        return
    if dataset.name == choices.FAMILY:  # its networks hold no conditions of a domain
        if dataset.family.nodes == "grid":
            wanted = f"be cloud or triangulation for problem.geometry={geometry}"
            raise ArgumentError("dataset.family.nodes", wanted, "'grid'")
        return
    if dataset.name == "grid":
        wanted = f"be cloud or triangulation for problem.geometry={geometry}"
        raise ArgumentError("dataset.name", wanted, "'grid'")
    if problem.conditions == "hard":
        raise ArgumentError(
            "problem.conditions",
            f"be soft for problem.geometry={geometry} (they can be built into the network on a "
            "box only)",
            "'hard'",
        )


def group_names(problem: Problem) -> tuple[str, ...] | None:
    """Return the groups of a mesh's boundary that `problem.dirichlet_group` names.

    Args:
        problem: the group of keys.

    Returns:
        Their names, None where it is left out, which means all of the boundary.

    Raises:
        ArgumentError: if it is neither a name nor a list of names; groups may be called by numbers.

    Example:
        >>> group_names(Problem(dirichlet_group=["inlet", "outlet"])), group_names(Problem())
        (('inlet', 'outlet'), None)
    """
    key, wanted = "problem.dirichlet_group", "be the name of a group, or a list of names"
    given = problem.dirichlet_group
    if given is None:
        return None
    names = [given] if isinstance(given, (str, int)) else check_list(key, given, wanted)
    if any(isinstance(name, bool) or not isinstance(name, (str, int)) for name in names):
        raise ArgumentError(key, wanted, brief(given))
    return tuple(map(str, names))


def _validate_mesh(problem: Problem, dataset: Dataset) -> None:
    """Refuse a mesh without a file, a file without a mesh, and what a mesh does not go with."""
    name = f"dataset.name={choices.MESH}"
    groups = group_names(problem)
    if dataset.name != choices.MESH:
        given = {"dataset.path": dataset.path, "problem.dirichlet_group": groups}
        for key, value in given.items():
            if value is not None:
                raise ArgumentError(key, f"be left out unless {name}", brief(value))
        return
    if not dataset.path:
        raise ArgumentError("dataset.path", f"name the file of a mesh for {name}", "nothing")
    nodes = dataset.nodes_per_side
    if nodes is not None:
        wanted = f"be null for {name}, whose nodes are those of its file"
        raise ArgumentError("dataset.nodes_per_side", wanted, nodes)
    if problem.geometry is not None:
        wanted = f"be null for {name}, as the mesh is the domain"
        raise ArgumentError("problem.geometry", wanted, repr(problem.geometry))
    if problem.conditions == "hard":
        wanted = f"be soft for {name} (they can be built into the network on a box only)"
        raise ArgumentError("problem.conditions", wanted, "'hard'")


def _validate_initial(problem: Problem) -> None:
    if problem.initial is None:
        if problem.initial_columns or problem.initial_time is not None:
            key = "initial_columns" if problem.initial_columns else "initial_time"
            wanted = "be left out without problem.initial"
            raise ArgumentError(f"problem.{key}", wanted, getattr(problem, key))
        return
    if not problem.initial:
        raise ArgumentError("problem.initial", "name a file", "nothing")
    if problem.initial_time is not None:
        check_number("problem.initial_time", problem.initial_time)
    if problem.conditions == "hard":
        wanted = (
            "be soft for problem.initial, as fields between points have no second derivatives to "
            "build into the network"
        )
        raise ArgumentError("problem.conditions", wanted, "'hard'")
