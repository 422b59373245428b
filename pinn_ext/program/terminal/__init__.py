"""What the program says at a terminal: its help, progress bars and lines, refusals.

`progress` prints; `refusals` has the error whose sentence ends the program; `own_help` is what
`--help` says. None of them loads torch, so that the first word comes at once.
"""
