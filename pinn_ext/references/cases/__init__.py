"""Problems in numpy: parameters, periodic box, start and equation, one file a system.

Each case is a frozen dataclass of plain numbers, `gray_scott.JAXPI` for instance, with `u0(x)` and
`v0(x)` for points x `[N, d]`. A system of that name in `pinn_ext.systems` takes its numbers from
here; its own right-hand side is never used by a reference. Open `problem` first.
"""
