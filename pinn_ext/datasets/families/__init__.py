"""Families of problems: one equation from many initial states, for networks that learn to step.

In comes a system with what its initial states are like; out come graphs with a state each, batches
of them at random times, and reference trajectories of those that are not trained on. No solution is
needed for training.

`family` says what a family is (`Family`), open it first; `recipes` has what the equations that are
known by name start from. `initial_fields` draws random smooth fields, `nodes` places nodes for
them, on the domains of `places`. `problems` makes the problems of a data set, with references by
scipy's solver (`trajectories`); `graphs` holds them in memory (`FamilyGraphs`), `on_disk` in a
database (`FamilyGraphsOnDisk`), and `cache` keeps files whole. `batch` is what networks and losses
are given (`FamilyBatch`), `batches` gathers one from a data set; `stable` says how long a
Runge-Kutta step may be.
"""

from pinn_ext.datasets.families.batch import FamilyBatch, check_graph
from pinn_ext.datasets.families.batches import FamilyBatches, references
from pinn_ext.datasets.families.family import Family
from pinn_ext.datasets.families.graphs import SPLITS, FamilyGraphs
from pinn_ext.datasets.families.initial_fields import Spectrum, random_fields
from pinn_ext.datasets.families.nodes import NodeSet, relative_positions
from pinn_ext.datasets.families.on_disk import FamilyGraphsOnDisk
from pinn_ext.datasets.families.recipes import RECIPES, Recipe
from pinn_ext.datasets.families.stable import longest_step

__all__ = [
    "RECIPES",
    "SPLITS",
    "Family",
    "FamilyBatch",
    "FamilyBatches",
    "FamilyGraphs",
    "FamilyGraphsOnDisk",
    "NodeSet",
    "Recipe",
    "Spectrum",
    "check_graph",
    "longest_step",
    "random_fields",
    "references",
    "relative_positions",
]
