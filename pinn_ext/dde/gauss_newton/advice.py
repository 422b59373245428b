"""What a Gauss-Newton training says of its rows before and after its first step."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import deepxde as dde
import torch

from pinn_ext.dde.model.block_rows import BlockRows
from solvers.gauss_newton import Stepper
from solvers.gauss_newton.direction.memory import BLOCKWISE


def warn_of_few_rows(rows: BlockRows, resample_every: int) -> None:
    """Warn where the loss can vanish while the error stays."""
    count, columns = sum(rows.sizes), rows.num_parameters
    if count < 2 * columns and not resample_every:
        warnings.warn(
            f"There are {count} residual rows for {columns} parameters: with fewer than two a "
            "parameter the loss can vanish while the error stays. Take more points, or "
            "resample_every.",
            RuntimeWarning,
            stacklevel=6,
        )


def at_start(rows: BlockRows, stepper: Stepper) -> Iterator[str]:
    """Yield what is said before the first step."""
    if dde.config.real(torch) == torch.float32:
        yield (
            "Gauss-Newton: float32 ends at errors of about 1e-4; "
            "dde.config.set_default_float('float64') goes on to 1e-8."
        )
    sizes = stepper.sizes()
    if sizes is not None and sizes.solver in BLOCKWISE:
        how = f"a sketch of {sizes.sketch} rows" if sizes.sketch else "the sum of J^T J"
        where = "all points at once"
        if rows.num_pieces > 1:
            where = f"{rows.num_pieces} pieces of the points"
        yield (
            f"Gauss-Newton: {sizes.rows} rows for {sizes.columns} parameters are not held, but "
            f"made in blocks, from {where}: steps come from {how}."
        )


def after_first_step(rows: BlockRows) -> Iterator[str]:
    """Yield what is said once the Jacobian has been made."""
    if rows.fallback is not None:
        yield (
            f"Gauss-Newton: each row takes a backward pass of its own, as {rows.fallback}: right, "
            "and slow."
        )
