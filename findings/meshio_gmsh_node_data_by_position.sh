#!/bin/sh
# meshio: values at the nodes of a Gmsh file are given to the nodes by their place in the file, not
# by their tags.
# Documentation:
#   https://gmsh.info/doc/texinfo/gmsh.html#MSH-file-format ($NodeData: each line is a node's tag
#   and its values; tags may stand in any order)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    meshio==5.3.5 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import contextlib
import io
import sys
import warnings
from pathlib import Path

import meshio

# A square of two triangles. Node k lies at CORNERS[k] and has the temperature 10 k.
CORNERS = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1)}


def file_with(order):
    """Return the text of the mesh with its nodes in an order; all else is the same."""
    lines = ["$MeshFormat", "4.1 0 8", "$EndMeshFormat"]
    lines += ["$Entities", "0 0 1 0", "1 0 0 0 1 1 0 0 0", "$EndEntities"]
    lines += ["$Nodes", "1 4 1 4", "2 1 0 4", *map(str, order)]
    lines += [f"{CORNERS[k][0]} {CORNERS[k][1]} 0" for k in order] + ["$EndNodes"]
    lines += ["$Elements", "1 2 1 2", "2 1 2 2", "1 1 2 3", "2 1 3 4", "$EndElements"]
    lines += ["$NodeData", "1", '"temperature"', "1", "0", "3", "0", "1", "4"]
    lines += [f"{k} {10 * k}" for k in CORNERS] + ["$EndNodeData", ""]
    return "\n".join(lines)


def temperatures(order):
    """Return the temperature that meshio has at each corner, and what was said."""
    Path("square.msh").write_text(file_with(order))
    output = io.StringIO()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            mesh = meshio.read("square.msh")
    at = [(int(x), int(y)) for x, y, _ in mesh.points]
    values = mesh.point_data["temperature"].ravel().tolist()
    found = dict(zip(at, values, strict=True))
    return [found[CORNERS[k]] for k in CORNERS], [*said, *output.getvalue().split()]


print("meshio", meshio.__version__)
print("expected: nodes 1 to 4 have the temperatures 10, 20, 30, 40, in whatever order they stand")
sorted_nodes, said = temperatures([1, 2, 3, 4])
print(f"seen:     nodes in the order 1 2 3 4: {sorted_nodes}, said: {said}")
turned, said_then = temperatures([4, 3, 2, 1])
print(f"          nodes in the order 4 3 2 1: {turned}, said: {said_then}")
right = [10.0, 20.0, 30.0, 40.0]
stands = sorted_nodes == right and turned == right[::-1] and not said_then
print("stands: the values are at other nodes, no word is said" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
