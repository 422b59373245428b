"""`training.slabs`: a run whose time interval is divided, each slab with a network of its own.

`chain` knows the slabs: what is built for the one at work, what the ended ones have left, and the
networks of all as one; open it first. `part` is the training of one network through the phases of a
run, `report` what is reported of it in each slab. A run over all times at once is a chain of one
slab, which adds nothing to it.
"""
