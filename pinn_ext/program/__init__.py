"""The program: from a command line to a finished run.

    composition -> schema -> build -> run -> reports

`composition` lets Hydra make a configuration (errors as one sentence: `hydra_errors`). `build` has
`check`, which refuses what cannot be run and returns what it had to build for that, and `build`,
which goes on from there to network, data, weights and log: each thing is made once. `run` is one
run from there to its report, read it first: it takes the `phases` one after the other, and logs and
saves between their steps. `sweep` runs many, `resume` goes on with one from its checkpoint.
`checkpoints` holds what is saved, `run_info` what a run says of itself, `interrupts` and `progress`
what a user at the terminal does and sees, `ranks` what several processes do that train together.
`commands` holds what the command line offers beside training, `trained` what is done with a network
afterwards.
"""
