"""What each key of the configuration is, in a few words. Loads without torch.

Types and defaults stand in `pinn_ext.schema.keys`, legal values in what refuses the others
(`pinn_ext.schema.validation`): neither is repeated here. `docs/write_keys.py` makes the page of all
keys from the three; a test compares it, and holds these words to the keys that there are.
"""

from __future__ import annotations

from collections.abc import Mapping

_TOP = {
    "seed": "start of all random numbers of the run",
    "device": "where the run computes; `auto` takes a CUDA card if there is one",
    "dtype": "float type of network and losses; Gauss-Newton is always in float64",
}

_PROBLEM = {
    "name": "the coupled system, or `from_file`",
    "case": "which of the system's problems; null is its first",
    "geometry": "another domain in the box; null is the box",
    "boundary": "kind of boundary data, where the system has several; null is its first",
    "conditions": "initial and boundary data built into the network, or left to loss terms",
    "scaling": "inputs on [-1, 1] and outputs in units of the fields, inputs alone, or neither",
    "scales": "sizes of u and v; null measures them on initial and boundary data",
    "parameters": "constants of the equation by name",
    "file": "the problem file; on the command line only, as it is run",
    "reference": "what errors are measured against: a file, or `rk4`; null is the known solution",
    "reference_columns": "names of the columns in that file, by `u`, `v`, …",
    "reference_time": "time of the fields in a file that states none",
    "dirichlet_group": "groups of a mesh's boundary with given values; null is all of it",
    "initial": "file with the fields at the start; null takes those of the problem",
    "initial_columns": "names of the columns in that file, by `u`, `v`, …",
    "initial_time": "time in that file which is the start; null is its first",
}

_DATASET = {
    "name": "where the nodes of the graphs lie",
    "path": "file of a mesh",
    "num_graphs": "snapshots, or problems of a family, to train on",
    "num_validation": "others, on which losses and errors are measured",
    "nodes_per_side": "nodes along a side of the box; null takes the number of the problem",
    "order": "order of accuracy of the derivatives on the graph",
    "batch_size": "graphs in a step",
    "step": "length of the Runge-Kutta step, in units of the problem's time",
    "num_test": "problems of a family that roll-outs are measured on",
    "family.nodes": "where the nodes lie",
    "family.own_nodes": "whether each problem has scattered nodes of its own",
    "family.domains": "domains that the problems take in turn, by name, or mesh files",
    "family.boundary": "periodicity, no flux, or the values of the start",
    "family.fields": "kind of the random initial fields",
    "family.waves": "roughness of the initial fields: periods along the box",
    "family.mean": "means of u and of v at the start; null takes the recipe's",
    "family.spread": "spreads of u and of v at the start; null takes the recipe's",
    "family.positive": "whether the fields are concentrations; null takes the recipe's",
    "family.constants": "constants of the equation by name: a number, or `[low, high]`",
    "family.horizon": "longest time that the network steps over; null takes the recipe's",
    "family.steps": "steps of the longest time in a reference",
    "family.rollout": "training starts from the network's own states after up to so many steps",
    "family.noise": "noise on the states that training starts from, in standard deviations",
    "family.trajectories": "file of known trajectories, for the terms data_loss1, data_loss2",
    "family.step": "length of the Runge-Kutta step; null takes 0.9 of the longest stable one",
    "family.root": "folder of the data, which are made once",
    "family.on_disk": "whether the problems to train on stay on disk, in a database",
}

_NETWORK = {
    "name": "a network of positions and times, or one that steps states on graphs",
    "hidden": "widths of the hidden layers",
    "activation": "activation function of the hidden layers",
    "w0": "factor in `sin(w0 z)`",
    "features": "what stands before the hidden layers",
    "fourier_frequencies": "number of wave vectors",
    "fourier_scale": "standard deviation of their components at the start",
    "first_layer": "whether the first layer is trained or stays as it was drawn",
    "sees_data": "whether the data part of hard conditions, the start or more, is an input",
    "width": "width of a graph network",
    "layers": "how often messages pass in a graph network",
}

_TRAINING = {
    "epochs": "passes over the graphs by the first-order optimiser; 0 with Gauss-Newton alone",
    "learning_rate": "learning rate of that optimiser",
    "weight_decay": "its weight decay; `adamw` needs one",
    "optimizer": "the first-order optimiser",
    "schedule": "how the learning rate goes: it stays, or falls to 0 along half a cosine",
    "clip_gradients": "longest gradient of the weighted loss; null does not shorten it",
    "keep": "which network report and pictures are about",
    "slabs": "equal slabs of time that are trained one after the other",
    "lbfgs_iterations": "iterations of L-BFGS after the epochs",
    "log_every": "epochs between two lines",
    "log_weights_every": "epochs between two lines of weights",
    "resume": "folder of a run, or its checkpoint, to go on with",
}

_GAUSS_NEWTON = {
    "iterations": "iterations at most",
    "tolerance": "part of itself by which the loss must fall, else the phase ends after five steps",
    "points": "points in space and time; null takes twice as many as there are parameters",
    "damping": "rule of the damping",
    "geodesic": "whether steps are bent along the second derivative of the residuals",
    "weights": "whether the loss weights stay or are balanced by the Jacobian",
    "use_rk4": "whether the Runge-Kutta terms take part",
    "resample_every": "iterations between two draws of the points; 0 keeps them",
    "memory_limit_gb": "memory that it may take; null is half of what is free",
    "sketch": "rows of a random sketch of the Jacobian; null makes none",
}

_LOSS = {
    "use_rk4": "whether the mismatch to a Runge-Kutta step on the graph is a loss term",
    "rk4_per_unit_time": "whether that mismatch is divided by the step",
    "rk4_detach": "whether the Runge-Kutta end of it is held fixed in the gradient",
    "use_gn_solver": "whether a phase of Gauss-Newton ends the training",
    **{
        f"w{number}_{short}": f"initial weight of `{short.replace('rk', 'RK')}_loss{number}`"
        for short in ("PI", "rk4", "IC", "BC", "data")
        for number in (1, 2)
    },
}

_ADAPTIVE = {
    "enabled": "whether the weights move",
    "strategy": "by which strategy; null is `equal_init`",
    "options": "options of the strategy by name",
    "ema_alpha": "part of the old loss average that an update keeps",
    "update_frequency": "after the first, only epochs divisible by it update",
    "weight_beta": "part of the old weight that an update keeps; null is the strategy's",
    "normalization": "common factor of the weights",
    "eps": "added to losses that are inverted; null is 1e-8 times the first losses' geometric mean",
    "min_weight": "smallest weight after an update",
    "max_weight": "largest weight after an update",
    "max_ratio": "largest ratio of two targets; null is no cap",
    "max_change": "largest factor by which an update moves a weight; null is no limit",
    "groups": "names of terms that share a weight, by a name of yours",
    "prior": "whether the initial weights are a set point that targets are multiplied by",
    "warm_up": "epochs at the start that the strategy does not see",
    "freeze_after": "epochs after which the weights stay; null is never",
    "second_phase": "whether the weights stay under L-BFGS, or move between its blocks",
    "gradients_of": "parameters that gradients are measured on: all, the last layers, or a part",
    "diagnostics": "whether lengths and angles of the terms' gradients are kept",
    "rescale_moments": "whether Adam's moments follow a jump of the weighted sum",
}

_EXPERIMENT = {"name": "what the run is called; its folder's name begins with it"}


def _under(prefix: str, words: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}.{key}": text for key, text in words.items()}


DESCRIPTIONS: dict[str, str] = {
    **_TOP,
    **_under("problem", _PROBLEM),
    **_under("dataset", _DATASET),
    **_under("network", _NETWORK),
    **_under("training", _TRAINING),
    **_under("training.loss", _LOSS),
    **_under("training.loss.adaptive", _ADAPTIVE),
    **_under("training.gauss_newton", _GAUSS_NEWTON),
    **_under("experiment", _EXPERIMENT),
}
"""What it is, by full key."""
