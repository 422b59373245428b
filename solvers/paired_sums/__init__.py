"""Sums over the neighbours of two fields at once, on large meshes in main memory.

torch's code generator gathers one field at a time, number by number. A small C++ function takes u
and v of a neighbour in one load; it is compiled when it is first needed, and where there is no
compiler everything goes on without. The numbers are those of `solvers.operators`, bit for bit.
"""

from .operators import PairedOperators, prepare_gradients, suits

__all__ = ["PairedOperators", "prepare_gradients", "suits"]
