"""How long a Runge-Kutta step may be on the graphs of a family."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch_geometric.data import Batch, Data

from pinn_ext.datasets.families.batch import by_graph
from pinn_ext.datasets.families.family import Family
from solvers.devices import on_cpu
from solvers.operators import GraphOperators
from solvers.rk4 import stable_step

_LOOKED_AT = 32  # graphs, which is more than two hundred differ by


def longest_step(family: Family, graphs: Sequence[Data]) -> float:
    """Return the largest stable Runge-Kutta step at the initial states of some problems.

    Args:
        family: gives the equation.
        graphs: the problems; of many the first 32 are looked at.

    Returns:
        One step for all of them, in units of time, from which none is far.

    Example:
        >>> from pinn_ext.datasets.families import FamilyGraphs
        >>> from pinn_ext.losses.families_from_config import family_of
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> cfg.dataset.name, cfg.dataset.nodes_per_side = "family", 6
        >>> family = family_of(cfg)
        >>> longest_step(family, list(FamilyGraphs(None, family, count=2))) > 0.1
        True
    """
    some = [graphs[i] for i in range(min(len(graphs), _LOOKED_AT))]
    with on_cpu():
        batch = Batch.from_data_list(some)
        operators = GraphOperators.from_graph(batch, check=False)
        parameters, _ = by_graph(batch, family, len(some))
        equation = family.equation(operators, parameters, batch.batch)
    with warnings.catch_warnings():
        # Reactions that make small disturbances grow are what a family may be about.
        warnings.filterwarnings("ignore", "The largest eigenvalue", RuntimeWarning)
        return stable_step(equation, batch.x, 0.0)
