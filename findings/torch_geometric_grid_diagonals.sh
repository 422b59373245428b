#!/bin/sh
# torch-geometric: `utils.grid` joins diagonal neighbours, and each node with itself.
# Documentation:
#   https://pytorch-geometric.readthedocs.io/en/latest/modules/utils.html (grid: the edges of a
#   two-dimensional grid graph; its example of 2 x 2 nodes looks alike with all pairs joined)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 torch-geometric==2.8.1 networkx==3.6.1 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys

import networkx
import torch
import torch_geometric
from torch_geometric.utils import from_networkx, get_laplacian, grid

edges, positions = grid(7, 7, dtype=torch.float64)
other = from_networkx(networkx.grid_2d_graph(7, 7)).edge_index
middle = 24


def minus_laplacian(edge_index):
    """Return (D - A) x^2 at the middle node of a unit grid; -2 for a second-order Laplacian."""
    rows, weights = get_laplacian(edge_index, num_nodes=49)
    x = (torch.arange(49) % 7).double()
    return (weights.double() * x[rows[1]] ** 2)[rows[0] == middle].sum().item()


neighbours = sorted(edges[1][edges[0] == middle].tolist())
print("torch-geometric", torch_geometric.__version__, "networkx", networkx.__version__)
print("expected: 4 neighbours of an inner node of a grid graph; (D - A) x^2 = -2 there")
print(f"seen:     {len(neighbours)} neighbours of node {middle}: {neighbours}")
ours, theirs = minus_laplacian(edges), minus_laplacian(other)
print(f"          (D - A) x^2 = {ours:g}, on networkx's grid graph {theirs:g}")
print(f"          node 0 lies at {positions[0].tolist()}, the last at {positions[-1].tolist()}")
stands = len(neighbours) == 9 and middle in neighbours and ours == -6 and theirs == -2
print("stands: three times the Laplacian" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
