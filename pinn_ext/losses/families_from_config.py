"""The family of problems, the loss terms and the network that steps of a configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.initial_fields import Spectrum
from pinn_ext.datasets.families.nodes import NodeSet
from pinn_ext.datasets.families.recipes import RECIPES
from pinn_ext.datasets.families.stable import longest_step
from pinn_ext.losses.from_config import describe
from pinn_ext.losses.step_loss import StepLoss
from pinn_ext.networks.graph_networks import GraphStepper, create
from pinn_ext.schema import Config
from pinn_ext.schema.family_keys import WHERE, constants_of

PER_SIDE = 16
"""Nodes along a side of a family's box, unless a user says otherwise."""
_PART = 0.9  # of the longest stable step that the Runge-Kutta terms take
_NEEDED = ("mean", "spread", "horizon")
_KEYS = {"system": "problem.name", "order": "dataset.order"}
_KEYS |= {
    "path": f"{WHERE}.trajectories",
    "nodes_per_side": "dataset.nodes_per_side",
    "seed": "seed",
}


def family_of(cfg: Config) -> Family:
    """Return the family that a configuration describes; its recipe fills in what it leaves out.

    Args:
        cfg: the configuration; `problem`, `dataset` and `seed` are read.

    Returns:
        The family.

    Raises:
        ArgumentError: naming the key that cannot be used.

    Example:
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.family.constants = "family", {"feed": [0.8, 1.2]}
        >>> family = family_of(cfg)
        >>> family.varied, family.horizon
        (['feed'], 0.25)
    """
    system, own = describe(cfg).problem.build(), cfg.dataset.family
    recipe = RECIPES.get(system.name)
    values: dict[str, Any] = {}
    for name in _NEEDED:
        given = getattr(own, name)
        if given is None and recipe is None:
            known = ", ".join(sorted(RECIPES))
            wanted = f"be given for {system.name}, as only {known} have a recipe"
            raise ArgumentError(f"{WHERE}.{name}", wanted, "null")
        found = getattr(recipe, name) if given is None else given
        values[name] = found if name == "horizon" else tuple(found)
    positive = own.positive if recipe is None or own.positive is not None else recipe.positive
    constants = {} if recipe is None else dict(recipe.constants)
    per_side = cfg.dataset.nodes_per_side
    with keys_named():
        return Family(
            system,
            {**constants, **constants_of(own)},
            positive=bool(positive),
            spectrum=Spectrum(own.fields, own.waves),
            nodes=NodeSet(
                own.nodes,
                PER_SIDE if per_side is None else per_side,
                cfg.dataset.order,
                own.boundary,
                own.own_nodes,
                tuple(own.domains),
            ),
            steps=own.steps,
            seed=cfg.seed,
            **values,
        )


def family_step(cfg: Config, family: Family) -> float:
    """Return the length of the Runge-Kutta step of the loss terms.

    Args:
        cfg: the configuration; `dataset.num_graphs` and `dataset.family.step` are read.
        family: that it describes.

    Returns:
        What the user asked for, or 0.9 of the longest stable one, at most the horizon.

    Raises:
        ArgumentError: if what was asked for is not stable, or no graph can be made.
    """
    count = min(cfg.dataset.num_graphs, 32)
    with keys_named():
        shared = family.nodes.graph(family.system, 0) if family.nodes.shared else None
        longest = longest_step(family, [family.problem(0, i, shared) for i in range(count)])
    asked = cfg.dataset.family.step
    if asked is not None and asked > longest:
        wanted = f"be at most {longest:.3g}, the longest stable step at the initial states"
        raise ArgumentError(f"{WHERE}.step", wanted, f"{asked:g}")
    return min(_PART * longest, family.horizon) if asked is None else float(asked)


def step_loss(cfg: Config, family: Family, step: float, use_data: bool | None = None) -> StepLoss:
    """Return the loss terms that a configuration describes.

    Args:
        cfg: the configuration; `training.loss` is read.
        family: that it describes.
        step: of `family_step`.
        use_data: whether there are data terms; None has them where trajectories are given.
    """
    loss = cfg.training.loss
    known = cfg.dataset.family.trajectories is not None
    return StepLoss(
        family,
        step,
        use_rk4=loss.use_rk4,
        per_unit_time=loss.rk4_per_unit_time,
        detach=loss.rk4_detach,
        use_data=known if use_data is None else use_data,
    )


def stepping_network(cfg: Config, family: Family) -> GraphStepper:
    """Return the network that a configuration describes, its parameters as drawn.

    Args:
        cfg: the configuration; `network` and `seed` are read.
        family: that it describes.

    Returns:
        The network in torch's default float type, on its default device.
    """
    return create(
        cfg.network.name,
        family.system.dimension,
        family.mean,
        family.deviations,
        family.horizon,
        parameters=len(family.varied),
        width=cfg.network.width,
        layers=cfg.network.layers,
        seed=cfg.seed,
    )


@contextlib.contextmanager
def keys_named() -> Iterator[None]:
    """Name the key that a user has written in errors of an argument of a family.

    Yields:
        Nothing.

    Raises:
        ArgumentError: in the place of one that names the argument.
    """
    try:
        yield
    except ArgumentError as error:
        key = _KEYS.get(error.name, f"{WHERE}.{error.name}")
        raise error.renamed(key) from None
