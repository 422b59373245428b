"""The former place of `pinn_ext.TensorBoardLog`."""

from pinn_ext.dde.logs import TensorBoardLog as TensorBoardLog
