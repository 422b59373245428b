"""The refusal of keys of a family that cannot be, or go with others. Loads without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields

from pinn_ext import choices
from pinn_ext.checks import ArgumentError, brief, check_choice, check_number
from pinn_ext.schema.family_keys import SNAPSHOT_STEP, WHERE, Family, constants_of
from pinn_ext.schema.keys import Config

NAME = f"dataset.name={choices.FAMILY}"


def validate_family(cfg: Config) -> None:
    """Refuse keys of a family out of range, or that do not go with other keys.

    Args:
        cfg: the configuration.

    Raises:
        ArgumentError: naming the full key, what is allowed and what came.
    """
    is_family, network = cfg.dataset.name == choices.FAMILY, cfg.network.name
    if is_family != (network in choices.GRAPH_NETWORKS):
        if is_family:
            wanted = f"be {' or '.join(choices.GRAPH_NETWORKS)} for {NAME}"
            raise ArgumentError("network.name", wanted, repr(network))
        wanted = f"be {choices.FAMILY} for network.name={network}"
        raise ArgumentError("dataset.name", wanted, repr(cfg.dataset.name))
    if not is_family:
        _check_left_alone(cfg)
        return
    family = cfg.dataset.family
    check_choice(f"{WHERE}.nodes", family.nodes, choices.ORDERS)
    _check_domains(cfg)
    check_choice(f"{WHERE}.boundary", family.boundary, choices.FAMILY_BOUNDARIES)
    check_choice(f"{WHERE}.fields", family.fields, choices.INITIAL_FIELDS)
    check_number(f"{WHERE}.waves", family.waves, 1, integer=True)
    check_number(f"{WHERE}.steps", family.steps, 1, integer=True)
    check_number(f"{WHERE}.rollout", family.rollout, 0, integer=True)
    check_number(f"{WHERE}.noise", family.noise, 0)
    check_number("dataset.num_test", cfg.dataset.num_test, 1, integer=True)
    for key in ("horizon", "step"):
        if (value := getattr(family, key)) is not None:
            check_number(f"{WHERE}.{key}", value, 0, open_low=True)
    for key in ("mean", "spread"):
        pair = getattr(family, key)
        if pair is not None and len(pair) != 2:
            raise ArgumentError(f"{WHERE}.{key}", "hold one number for u and one for v", pair)
    if not family.root or not family.root.strip() or family.root == choices.UNSAID:
        raise ArgumentError(f"{WHERE}.root", "name a folder", repr(family.root))
    if family.on_disk and cfg.training.lbfgs_iterations:
        wanted = f"be 0 for {WHERE}.on_disk=true, as L-BFGS holds all problems in memory"
        raise ArgumentError("training.lbfgs_iterations", wanted, cfg.training.lbfgs_iterations)
    constants_of(family)
    _check_others(cfg)


def _check_domains(cfg: Config) -> None:
    """Refuse domains that go with neither the nodes nor `problem.geometry`."""
    family, on_mesh = cfg.dataset.family, cfg.dataset.family.nodes == choices.MESH
    if on_mesh:
        if not family.domains:
            wanted = f"name mesh files for {WHERE}.nodes={choices.MESH}"
            raise ArgumentError(f"{WHERE}.domains", wanted, "[]")
        if cfg.dataset.nodes_per_side is not None:
            wanted = f"be left out for {WHERE}.nodes={choices.MESH}, whose files have the nodes"
            raise ArgumentError("dataset.nodes_per_side", wanted, cfg.dataset.nodes_per_side)
    else:
        for name in family.domains:
            check_choice(f"{WHERE}.domains", name, choices.GEOMETRIES)
    if family.domains and cfg.problem.geometry is not None:
        wanted = f"be left out beside {WHERE}.domains"
        raise ArgumentError("problem.geometry", wanted, repr(cfg.problem.geometry))


def _check_left_alone(cfg: Config) -> None:
    """Refuse keys that were set where nothing reads them."""
    for item in fields(Family):
        made = item.default_factory
        default = item.default if made is MISSING else made()
        value = getattr(cfg.dataset.family, item.name)
        if isinstance(value, Mapping) and not value:
            continue
        if value != default:
            wanted = f"be left out unless {NAME}, as it has no effect"
            raise ArgumentError(f"{WHERE}.{item.name}", wanted, brief(value))


def _check_others(cfg: Config) -> None:
    """Refuse keys of other groups that a family has no use for."""
    problem, dataset = cfg.problem, cfg.dataset
    if problem.conditions != "hard":
        wanted = f"be hard for {NAME}, as its networks start from the state that they are given"
        raise ArgumentError("problem.conditions", wanted, repr(problem.conditions))
    if problem.scaling != "fields":
        wanted = f"be fields for {NAME}"
        raise ArgumentError("problem.scaling", wanted, repr(problem.scaling))
    if cfg.training.slabs > 1:
        wanted = f"be 1 for {NAME}, whose networks go through time in steps"
        raise ArgumentError("training.slabs", wanted, cfg.training.slabs)
    if cfg.training.loss.use_gn_solver:
        wanted = f"be false for {NAME}, whose networks Gauss-Newton cannot train yet"
        raise ArgumentError("training.loss.use_gn_solver", wanted, "true")
    if dataset.step != SNAPSHOT_STEP:
        wanted = f"be left out for {NAME}: {WHERE}.step is its Runge-Kutta step"
        raise ArgumentError("dataset.step", wanted, f"{dataset.step:g}")
    given = {
        "problem.scales": (problem.scales, "the initial states say it"),
        "problem.initial": (problem.initial, "its initial states are random"),
        "problem.reference": (problem.reference, "it has references of its own"),
        "problem.dirichlet_group": (problem.dirichlet_group, f"{WHERE}.boundary says it"),
        "dataset.path": (dataset.path, f"{WHERE}.domains names mesh files"),
    }
    for key, (value, why) in given.items():
        if value is not None:
            raise ArgumentError(key, f"be left out for {NAME}: {why}", brief(value))
