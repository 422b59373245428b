"""Studies: systems x conditions x phases x strategies x seeds, each job a run of its own.

`study_file` reads what is asked for, `plan` makes the list of jobs of it, `tuned` the grid of
fixed weights, `conduct` runs the jobs that have no row yet, by `workers` or by a launcher of
Hydra's. A job appends its row when it ends; tables and page are made of rows alone, in
`pinn_ext.reports.study`.
"""
