"""Domains in space: the box of a system, or a disk, an L or a ring inscribed in it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from pinn_ext.checks import ArgumentError, check_choice

_HOLE = 0.4  # inner radius of the annulus over its outer one
_PLAIN: Any = {"dtype": torch.float64, "device": "cpu"}  # whatever torch's defaults are
_ROUNDING = 1e-9  # of the domain's size: nodes lie on a curved boundary up to rounding only


class Geometry(ABC):
    """A closed domain inscribed in the box `[lower, upper]`.

    Attributes:
        name: the name users write.
        lower: smallest coordinate of the box along each axis.
        upper: largest coordinate of the box along each axis.

    Example:
        >>> class Triangle(Geometry):  # the lower left half of a unit square
        ...     def depth(self, x):
        ...         return torch.stack((x[:, 0], x[:, 1], (1 - x.sum(dim=1)) / 2**0.5)).amin(dim=0)
        ...     def boundary_nodes(self, spacing):
        ...         return torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
        >>> triangle, x = Triangle((0.0, 0.0), (1.0, 1.0)), torch.tensor([[0.5, 0.0], [1.0, 0.5]])
        >>> triangle.contains(x).tolist(), triangle.normals(x[:1])[0, 1].item(), triangle.side
        ([True, False], -1.0, 1.0)
        >>> triangle.boundary_samples(5).shape, triangle.groups, triangle.notes
        (torch.Size([3, 2]), (), ())
        >>> triangle.is_whole([]), triangle.on_groups([], x).tolist()
        (False, [False, False])
    """

    name: ClassVar[str]

    def __init__(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        self.lower, self.upper = tuple(lower), tuple(upper)

    @property
    def side(self) -> float:
        """The shortest side of the box, the length that spacings are counted from."""
        return min(high - low for low, high in zip(self.lower, self.upper, strict=True))

    @abstractmethod
    def depth(self, x: Tensor) -> Tensor:
        """Return the distance `[N]` of points `[N, dimension]` to the boundary, below 0 outside.

        It is exact inside, which is where it is needed; outside only its sign counts.
        """

    @abstractmethod
    def boundary_nodes(self, spacing: float) -> Tensor:
        """Return points `[M, dimension]` of the boundary, float64, corners included.

        They are equally spaced along each smooth piece, neighbours at most `spacing` apart.
        """

    def contains(self, x: Tensor) -> Tensor:
        """Return which points `[N, dimension]` lie in the domain or on its boundary, `[N]` bool."""
        return self.depth(x) >= -_ROUNDING * self.side

    def boundary_samples(self, per_axis: int) -> Tensor:
        """Return points `[M, dimension]` of the boundary for means, `per_axis` along a side."""
        return self.boundary_nodes(self.side / (per_axis - 1))

    def normals(self, x: Tensor) -> Tensor:
        """Return outward unit normals `[N, dimension]` at points of the boundary.

        At a corner it is the mean of those of its sides.
        """
        with torch.enable_grad():
            x = x.detach().clone().requires_grad_()
            (slope,) = torch.autograd.grad(self.depth(x).sum(), x)
        return -slope / slope.norm(dim=1, keepdim=True)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of parts of the boundary; none but of a mesh."""
        return ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the domain, a sentence each."""
        return ()

    def on_groups(self, names: Sequence[str], x: Tensor) -> Tensor:
        """Return which points `[N, dimension]` lie on named parts of the boundary, `[N]` bool.

        Raises:
            ArgumentError: if there is no such part.
        """
        if names:
            wanted = f"be left out for {self.name}, whose boundary has no named parts"
            raise ArgumentError("group", wanted, repr(names[0]))
        return torch.zeros(len(x), dtype=torch.bool, device=x.device)

    def is_whole(self, names: Sequence[str]) -> bool:
        """Return whether named parts are all of the boundary; see `on_groups`."""
        return bool(self.on_groups(names, self.boundary_samples(3)).all())


class Box(Geometry):
    """The whole box, in any number of dimensions; in two, users call it `square`.

    Example:
        >>> box = Box((0.0,), (2.0,))
        >>> box.depth(torch.tensor([[0.5], [3.0]])).tolist()
        [0.5, -1.0]
        >>> box.boundary_nodes(0.1).tolist(), box.boundary_samples(5).tolist()
        ([[0.0], [2.0]], [[0.0], [2.0]])
    """

    name: ClassVar[str] = "square"

    def depth(self, x: Tensor) -> Tensor:
        """Return the distance `[N]` to the nearest side."""
        return torch.minimum(x - x.new_tensor(self.lower), x.new_tensor(self.upper) - x).amin(dim=1)

    def boundary_nodes(self, spacing: float) -> Tensor:
        """Return the outer points `[M, dimension]` of a regular grid of that spacing."""
        axes = [
            torch.linspace(low, high, _parts(high - low, spacing) + 1, **_PLAIN)
            for low, high in zip(self.lower, self.upper, strict=True)
        ]
        grid = torch.cartesian_prod(*axes).reshape(-1, len(axes))
        outer = (grid == grid.new_tensor(self.lower)) | (grid == grid.new_tensor(self.upper))
        return grid[outer.any(dim=1)]

    def boundary_samples(self, per_axis: int) -> Tensor:
        """Return a grid `[M, dimension]` on each side, so that edges count once for each side."""
        sides = [
            torch.linspace(low, high, per_axis, **_PLAIN)
            for low, high in zip(self.lower, self.upper, strict=True)
        ]
        faces = []
        for axis, side in enumerate(sides):
            face = [side[[0, -1]] if other == axis else s for other, s in enumerate(sides)]
            faces.append(torch.cartesian_prod(*face).reshape(-1, len(sides)))
        return torch.cat(faces)


class Disk(Geometry):
    """The largest disk around the centre of a box in the plane.

    Example:
        >>> disk = Disk((0.0, 0.0), (2.0, 2.0))
        >>> disk.depth(torch.tensor([[1.0, 1.5], [1.0, 3.0]])).tolist()
        [0.5, -1.0]
        >>> len(disk.boundary_nodes(0.1))
        63
    """

    name: ClassVar[str] = "disk"
    hole: ClassVar[float] = 0.0

    def __init__(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        super().__init__(lower, upper)
        self.centre = [(low + high) / 2 for low, high in zip(lower, upper, strict=True)]
        self.radius = self.side / 2

    def depth(self, x: Tensor) -> Tensor:
        """Return the distance `[N]` to the circle, or to the nearer of two."""
        r = (x - x.new_tensor(self.centre)).norm(dim=1)
        outer = self.radius - r
        return torch.minimum(outer, r - self.hole * self.radius) if self.hole else outer

    def boundary_nodes(self, spacing: float) -> Tensor:
        """Return equally spaced points `[M, 2]` of the circle, or of both."""
        circles = [
            self._circle(share * self.radius, spacing) for share in (1.0, self.hole) if share
        ]
        return torch.cat(circles)

    def _circle(self, radius: float, spacing: float) -> Tensor:
        count = max(3, _parts(2 * math.pi * radius, spacing))
        angle = torch.arange(count, **_PLAIN) * (2 * math.pi / count)
        points = radius * torch.stack((torch.cos(angle), torch.sin(angle)), dim=1)
        return points + points.new_tensor(self.centre)


class Annulus(Disk):
    """The disk with a hole of 0.4 times its radius.

    Example:
        >>> ring = Annulus((0.0, 0.0), (2.0, 2.0))
        >>> ring.contains(torch.tensor([[1.0, 1.0], [1.0, 1.5]])).tolist()
        [False, True]
    """

    name: ClassVar[str] = "annulus"
    hole: ClassVar[float] = _HOLE


class LShape(Geometry):
    """A box in the plane without its upper right quadrant.

    Example:
        >>> ell = LShape((0.0, 0.0), (2.0, 2.0))
        >>> ell.depth(torch.tensor([[0.5, 0.75], [1.5, 1.25]])).tolist()
        [0.5, -0.25]
        >>> ell.boundary_nodes(1.0).shape  # six corners, and the middle of two sides
        torch.Size([8, 2])
    """

    name: ClassVar[str] = "l_shape"

    def __init__(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        super().__init__(lower, upper)
        self._box = Box(lower, upper)
        self._middle = [(low + high) / 2 for low, high in zip(lower, upper, strict=True)]

    def depth(self, x: Tensor) -> Tensor:
        """Return the distance `[N]` to the nearest side, the two of the notch included."""
        before = x.new_tensor(self._middle) - x  # below 0 along both axes in the notch
        largest = before.amax(dim=1)
        to_notch = torch.where(largest > 0, before.clamp(min=0.0).norm(dim=1), largest)
        return torch.minimum(self._box.depth(x), to_notch)

    def boundary_nodes(self, spacing: float) -> Tensor:
        """Return points `[M, 2]` that divide each of the six sides into equal parts."""
        (x0, y0), (x1, y1), (xm, ym) = self.lower, self.upper, self._middle
        corners = torch.tensor(
            [(x0, y0), (x1, y0), (x1, ym), (xm, ym), (xm, y1), (x0, y1)], **_PLAIN
        )
        pieces = []
        for start, end in zip(corners, corners.roll(-1, dims=0), strict=True):
            count = _parts(float((end - start).norm()), spacing)
            part = torch.arange(count, **_PLAIN)[:, None] / count
            pieces.append(start + part * (end - start))
        return torch.cat(pieces)


_REGISTRY: dict[str, type[Geometry]] = {cls.name: cls for cls in (Box, Disk, LShape, Annulus)}


def names() -> list[str]:
    """Return the names of all domains, sorted.

    Returns:
        The names that `create` and `problem.geometry` accept.

    >>> names()
    ['annulus', 'disk', 'l_shape', 'square']
    """
    return sorted(_REGISTRY)


def create(name: str, lower: Sequence[float], upper: Sequence[float]) -> Geometry:
    """Build the domain called `name` in a box of the plane.

    Args:
        name: one of `names()`.
        lower: smallest coordinate along each axis.
        upper: largest coordinate along each axis.

    Returns:
        The domain.

    Raises:
        ArgumentError: if there is no such domain or the box does not lie in the plane.

    >>> create("annulus", (0, 0), (2, 2)).contains(torch.tensor([[1.0, 1.0], [1.0, 1.5]])).tolist()
    [False, True]
    """
    check_choice("name", name, _REGISTRY)
    if len(lower) != 2:
        dimensions = f"{len(lower)} dimension{'s' * (len(lower) > 1)}"
        raise ArgumentError("name", f"be null for a system in {dimensions}", repr(name))
    return _REGISTRY[name](lower, upper)


def _parts(length: float, spacing: float) -> int:
    """Return how many equal parts of at most `spacing` a length is divided into."""
    return max(1, math.ceil(length / spacing * (1.0 - _ROUNDING)))
