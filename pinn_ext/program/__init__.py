"""The program: from a command line to a finished run.

    composition -> schema -> build -> run -> reports

`composition` lets Hydra make a configuration (errors as one sentence: `hydra_errors`), `build`
makes system, data, network, weights and model from it, once; `run` is the pipe of one run; read it
first. `sweep` runs many, `resume` goes on with one from its checkpoint. `checkpoints` holds what is
saved, `interrupts` and `progress` what a user at the terminal does and sees.
"""
