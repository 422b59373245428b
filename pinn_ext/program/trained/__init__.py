"""Using what was trained: from the folder of a run to u(x, t) and v(x, t).

    places -> load -> TrainedRun -> prediction -> field_files
                                 -> reference_errors

`load` reads a checkpoint and builds its network again (`pinn_ext.load`); open it first.
`trained_run` has what it returns: fields, derivatives, a grid. `locations` says where fields are
asked for (a grid, points or a mesh from a file), `prediction` computes them there, in pieces, and
`field_files` writes them. `reference_errors` holds them against a reference. `places` finds the
checkpoint and looks at the files to be written; it loads without torch.

Nothing here trains, changes a file of a run, or what torch does elsewhere.
"""
