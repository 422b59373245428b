"""The domains that problems of a family lie on, by name or from mesh files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pinn_ext.checks import ArgumentError
from pinn_ext.datasets.meshes import MeshDomain, TriangleMesh, mesh_domain
from pinn_ext.files import stamp
from pinn_ext.systems import System, domains
from pinn_ext.systems.domains import Geometry


@dataclass(frozen=True)
class Place:
    """Where some problems lie.

    Attributes:
        name: of the domain, or path of the mesh file.
        geometry: the domain.
    """

    name: str
    geometry: Geometry

    @property
    def mesh(self) -> TriangleMesh | None:
        """The mesh, None of a domain by name."""
        return self.geometry.mesh if isinstance(self.geometry, MeshDomain) else None

    @property
    def identity(self) -> str:
        """What tells it from other places, whatever the file is called."""
        return self.geometry.digest if isinstance(self.geometry, MeshDomain) else self.name


def places_of(system: System, names: Sequence[str], meshes: bool) -> tuple[Place, ...]:
    """Return the domains that problems lie on.

    Args:
        system: gives the box, and the domain where none is named.
        names: of domains, see `pinn_ext.systems.domains.names`, or paths of mesh files.
        meshes: whether they are paths.

    Returns:
        One place at least.

    Raises:
        ArgumentError: naming `domains`, if there is no such domain or a file holds no mesh that
            problems can lie on.
    """
    if meshes:
        return tuple(Place(name, _mesh(name)) for name in names)
    if not names:
        return (Place(system.geometry.name, system.geometry),)
    try:
        return tuple(Place(n, domains.create(n, system.lower, system.upper)) for n in names)
    except ArgumentError as error:
        raise error.renamed("domains") from None


def _mesh(path: str) -> MeshDomain:
    """Return the domain of a mesh file, which is read once while it stays as it is."""
    return _read(path, stamp(path))


@functools.lru_cache(maxsize=32)
def _read(path: str, state: tuple[int, int] | None) -> MeshDomain:
    try:
        return mesh_domain(path)
    except ArgumentError as error:
        raise error.renamed("domains") from None


def mean_edge(mesh: TriangleMesh) -> float:
    """Return the mean length of a mesh's edges, in units of length."""
    corners = mesh.points[np.concatenate([mesh.triangles, mesh.triangles[:, :1]], axis=1)]
    return float(np.linalg.norm(np.diff(corners, axis=1), axis=2).mean())
