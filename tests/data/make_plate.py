"""Make plate.msh, the mesh that tests read: a plate of 2 by 1 with a hole of radius 0.2.

    python tests/data/make_plate.py [FILE]

It needs the package gmsh (4.15.2 made the stored file), which no test does. Units are
dimensionless. Physical groups: the curves `inflow` (x = 0), `outflow` (x = 2), `walls` (y = 0 and
y = 1) and `hole`, the surface `plate`, and the points `corner`, the origin, and `centre`, that of
the hole, whose node lies in no triangle.
"""

import sys
from pathlib import Path

WIDTH, HEIGHT, RADIUS, SIZE = 2.0, 1.0, 0.2, 0.12
CENTRE = (0.8, 0.5)


def main(file):
    import gmsh  # here, as the search for doctests imports all files of the project

    gmsh.initialize()
    gmsh.option.setNumber("General.Terminal", 0)
    gmsh.option.setNumber("General.NumThreads", 1)
    geo = gmsh.model.geo
    corners = [(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)]
    outer = [geo.addPoint(x, y, 0, SIZE) for x, y in corners]
    sides = [geo.addLine(outer[k], outer[(k + 1) % 4]) for k in range(4)]
    x, y = CENTRE
    centre = geo.addPoint(x, y, 0, SIZE)
    ends = [(x + RADIUS, y), (x, y + RADIUS), (x - RADIUS, y), (x, y - RADIUS)]
    ring = [geo.addPoint(*end, 0, SIZE / 2) for end in ends]
    arcs = [geo.addCircleArc(ring[k], centre, ring[(k + 1) % 4]) for k in range(4)]
    surface = geo.addPlaneSurface([geo.addCurveLoop(sides), geo.addCurveLoop(arcs)])
    geo.synchronize()
    groups = {
        "inflow": (1, [sides[3]]),
        "outflow": (1, [sides[1]]),
        "walls": (1, [sides[0], sides[2]]),
        "hole": (1, arcs),
        "plate": (2, [surface]),
        "corner": (0, [outer[0]]),
        "centre": (0, [centre]),
    }
    for tag, (name, (dimension, entities)) in enumerate(groups.items(), start=1):
        gmsh.model.addPhysicalGroup(dimension, entities, tag, name)
    gmsh.model.mesh.generate(2)
    gmsh.write(str(file))
    gmsh.finalize()


if __name__ == "__main__":
    here = Path(__file__).with_name("plate.msh")
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
