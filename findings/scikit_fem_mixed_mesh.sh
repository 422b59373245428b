#!/bin/sh
# scikit-fem: of a mesh of triangles and quadrilaterals one kind is loaded.
# Documentation:
#   https://scikit-fem.readthedocs.io/en/latest/api.html (Mesh.load: loads a mesh by meshio; nothing
#   on files with two kinds of cells)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    scikit-fem==12.0.2 meshio==5.3.5 numpy==2.4.6 scipy==1.17.1
cd "$dir"
cat > finding.py <<'PY'
import contextlib
import io
import logging
import sys
import warnings
from importlib.metadata import version

import meshio
import numpy as np
import skfem

# [0, 1] x [0, 1] in two triangles, [1, 3] x [0, 1] in one quadrilateral.
points = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [3, 0, 0], [3, 1, 0]], float)
meshio.Mesh(points, [("triangle", [[0, 1, 2], [0, 2, 3]]), ("quad", [[1, 4, 5, 2]])]).write("m.vtu")


@skfem.Functional
def one(w):
    return 1.0 + 0 * w.x[0]


print("scikit-fem", version("scikit-fem"), "meshio", meshio.__version__)
print("expected: area 3, or a refusal of the mixed mesh")
output = io.StringIO()
logging.basicConfig(level=logging.WARNING, stream=output)
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        mesh = skfem.Mesh.load("m.vtu")
area = one.assemble(skfem.Basis(mesh, skfem.ElementTriP0()))
words = [*map(str, said), *output.getvalue().split("\n")[:-1]]
print(f"seen:     {type(mesh).__name__}, {mesh.nelements} cells, area {area:g}, said: {words}")
stands = isinstance(mesh, skfem.MeshTri) and abs(area - 1) < 1e-12 and not words
print("stands: two thirds of the domain are gone" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
