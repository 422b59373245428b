"""One run: configuration to system, data, network, model, callbacks and report.

`pipe` has `run`, read it first: it names the stages in their order. `state` is what they hand on:
the network at work with its slab, its tables and its seconds, and what a checkpoint holds of them.
`beginning` starts anew or goes on from a checkpoint, `training` goes through slabs and phases, and
`ending` reports, however the training ended.
"""

from pinn_ext.program.run.pipe import run

__all__ = ["run"]
