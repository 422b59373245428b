"""Graphs that carry the Laplacian and the gradient as weights of their edges.

An operator is a set of weights on the directed edges j -> i of a graph,

    (L u)_i = sum_j w_ij (u_j - u_i) + sum_b c_ib g_b,

g_b slopes given on a Neumann boundary, so that constants lie in its kernel by construction and
graphs batch as torch-geometric does it. `grid_graph` has central differences, `cloud_graph` and
`triangulation_graph` generalised finite differences of a measured order at every node;
`finite_element_graph` has the linear element, whose solutions, not its values, are second-order.

In come nodes, meshes or sizes of a grid; out comes a torch-geometric `Data`. `GraphOperators`
reads one, or a batch of them, and applies the operators to fields `[N]`.

Start with `builders` (what users call), then `graph_operators`. `grids`, `clouds` and `meshes`
compute weights, with `stencils` and `polynomial_fit`; `neighbour_tables` is the layout in memory
that makes steps fast, `edge_lists` the way back, for transposes and sparse matrices. `inputs` and
`graph_checks` refuse what cannot be computed with, `graph_data` knows whether a graph was changed
after its weights were made. Only this package imports torch-geometric.
"""

from .builders import (
    cloud_graph,
    finite_element_graph,
    grid_graph,
    triangulation_graph,
)
from .fluxes import Fluxes
from .graph_checks import GraphWarning
from .graph_data import reorder, seal, subgraph
from .graph_operators import GraphOperators

__all__ = [
    "Fluxes",
    "GraphOperators",
    "GraphWarning",
    "cloud_graph",
    "finite_element_graph",
    "grid_graph",
    "reorder",
    "seal",
    "subgraph",
    "triangulation_graph",
]
