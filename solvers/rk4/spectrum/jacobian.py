"""The Jacobian of a right-hand side at a state: its products and, where possible, entries."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from ..semidiscrete import SemiDiscrete
from ..state import Constrain, NonFiniteStateError, Rates, Time
from .krylov import random_start
from .linearisation import Linearisation, linearise


class Jacobian:
    """J of `rhs` at a state, boundary data imposed before.

    Args:
        rhs: `rhs(time, state) -> [N, 2]`.
        point: [N, 2], the state.
        time: Time of the state.
        constrain: Imposes boundary data, or None.
    """

    def __init__(self, rhs: Rates, point: Tensor, time: Time, constrain: Constrain | None) -> None:
        self.rhs, self.point, self.time, self.constrain = rhs, point, time, constrain

    def __call__(self, vector: Tensor) -> Tensor:
        """Multiply by J, by forward differentiation.

        Args:
            vector: [2 N], a state row by row.

        Returns:
            [2 N], in units of the vector / time.

        Raises:
            NonFiniteStateError: If the product holds NaN or infinity.
        """

        def rates(state: Tensor) -> Tensor:
            return self.rhs(self.time, self._constrained(state))

        tangent = vector.view_as(self.point)
        pushed: Tensor = torch.func.jvp(rates, (self.point,), (tangent,))[1]
        image = pushed.detach().flatten()
        if not bool(torch.isfinite(image).all()):
            raise NonFiniteStateError("The linearisation at `state` holds NaN or infinity.")
        return image

    @functools.cached_property
    def entries(self) -> Linearisation | None:
        """J of a `SemiDiscrete` system entry by entry, or None where that is not to be had.

        Its formula may do more than the entries show (a mean over all nodes, values imposed that
        depend on others): then a product with a random vector differs.
        """
        system = self.rhs
        if not isinstance(system, SemiDiscrete):
            return None
        vector = random_start(self.point.numel()).to(self.point).view_as(self.point)
        vector = vector.masked_fill(system.operators.boundary_mask[:, None], 0.0)
        image = self(vector.flatten()).view_as(self.point)
        state = self._constrained(self.point)
        found = linearise(system, self.time, (state[:, 0], state[:, 1]))
        if found is None:
            return None
        given = self.to_free(image)
        error = torch.from_numpy(found.matrix @ self.to_free(vector).numpy()) - given
        good = float(error.norm()) <= 1e4 * torch.finfo(image.dtype).eps * float(given.norm())
        return found if good else None

    def to_free(self, state: Tensor) -> Tensor:
        """[2 n] of a state [N, 2] at the n nodes without boundary data, u before v, in float64."""
        return state[self._free].T.flatten().cpu().double()

    def to_state(self, free: Tensor) -> Tensor:
        """[N, 2], the way back, with 0 at the other nodes."""
        state = torch.zeros_like(self.point)
        state[self._free] = free.view(2, -1).T.to(state)
        return state

    @property
    def unknowns(self) -> int:
        """Number of values that change: all but those at Dirichlet nodes."""
        return self.point.shape[1] * int(self._free.sum())

    @functools.cached_property
    def _free(self) -> Tensor:
        if isinstance(self.rhs, SemiDiscrete):
            return ~self.rhs.operators.boundary_mask
        return torch.ones(len(self.point), dtype=torch.bool, device=self.point.device)

    def _constrained(self, state: Tensor) -> Tensor:
        return state if self.constrain is None else self.constrain(self.time, state)
