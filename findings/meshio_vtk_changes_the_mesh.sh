#!/bin/sh
# meshio: writing a legacy VTK file changes the mesh in memory.
# Documentation:
#   https://github.com/nschloe/meshio#readme (Mesh.write writes a file; that it changes the mesh is
#   not said)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    meshio==5.3.5 h5py==3.16.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import contextlib
import io
import sys

import meshio
import numpy as np

points = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


def flow():
    """A velocity [4, 2] on a plane mesh."""
    return meshio.Mesh(
        points.copy(),
        [("triangle", np.array([[0, 1, 2], [0, 2, 3]]))],
        point_data={"velocity": np.ones((4, 2))},
    )


def written(*names):
    """Write one mesh into files, and return the shape of its velocity in memory after each."""
    mesh, shapes = flow(), []
    for name in names:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            mesh.write(name)
        shapes.append(mesh.point_data["velocity"].shape)
    return shapes, meshio.read(names[-1]).point_data["velocity"].shape


print("meshio", meshio.__version__)
print("expected: velocity stays (4, 2) in memory, and an XDMF file does not depend on other files")
_, alone = written("alone.xdmf")
shapes, after = written("first.vtk", "then.xdmf")
print(f"seen:     XDMF alone holds {alone}")
print(f"          in memory after .vtk {shapes[0]}; XDMF written after it holds {after}")
stands = alone == (4, 2) and shapes[0] == after == (4, 3)
print("stands: the mesh has got a third component" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
