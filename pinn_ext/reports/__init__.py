"""What a run leaves and shows: history, tables, log lines, report, pictures, comparisons.

In come rows of numbers as the run goes, out come files in its folder and lines on the terminal.
`history` writes one row an epoch (`history.csv`), `event_files` and `weight_tables` what happened
to the weights and the gradients, `console` and `epoch_log` the lines of the log, `report` the
closing report and its pictures (`plots`, `gradient_plot`, `field_plots`), `held_out` its score,
`compare` the table over many runs. Nothing here trains or changes a model.
"""
