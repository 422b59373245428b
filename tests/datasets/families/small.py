"""Small families of problems that tests share."""

from pinn_ext import systems
from pinn_ext.datasets.families import Family, FamilyGraphs, NodeSet, Spectrum

VARIED = {"feed": 1.0, "decay": (2.0, 3.0), "diffusion": 0.05}


def family(boundary="periodic", nodes="grid", *, per_side=6, own=False, geometry=None, **changes):
    system = systems.create("brusselator")
    values = {
        "constants": VARIED,
        "mean": (1.0, 2.5),
        "spread": (0.3, 0.3),
        "spectrum": Spectrum("fourier" if boundary == "periodic" else "gaussian"),
        "nodes": NodeSet(nodes, per_side, 2, boundary, own),
        "horizon": 0.25,
        "steps": 2,
    }
    return Family(system if geometry is None else system.on(geometry), **{**values, **changes})


def graphs(own=None, split="train", count=3, root=None):
    return FamilyGraphs(root, family() if own is None else own, split, count)
