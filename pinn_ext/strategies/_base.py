"""The former place of the protocol, now `pinn_ext.strategies`."""

from warnings import warn

from pinn_ext.strategies.base.terms import *  # noqa: F403

warn("Import from pinn_ext.strategies, not from its _base.", DeprecationWarning, stacklevel=2)
