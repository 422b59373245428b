"""Legal names, and a few numbers, that several packages share, stated once and taken from here.

A name that only one package knows stays there: strategies, normalisations. `solvers` knows
nothing of this package and states its own; a test compares them.
"""

from __future__ import annotations

from typing import NamedTuple

DTYPES = ("float32", "float64")
"""Floating-point types of a run."""

FROM_FILE = "from_file"
"""What `problem.name` calls a problem that stands in a file of the user's."""

CONDITIONS = ("hard", "soft")
"""Whether initial and boundary data are built into the network or left to the loss."""

SCALINGS = ("fields", "inputs", "none")
"""What a network scales: its inputs and its outputs, the former only, or neither."""

ACTIVATIONS = ("tanh", "silu", "gelu", "sine")
"""Activation functions of a network."""

SINE_W0 = 3.0
"""Factor in `sin(w0 z)` where none is given; `docs/networks.md` has the measurement."""

FEATURES = ("none", "fourier")
"""What stands before the hidden layers of a network: nothing, or a layer of Fourier features."""

FOURIER_FREQUENCIES, FOURIER_SCALE = 16, 2.0
"""How many Fourier features of either phase, and how large their wave numbers are."""

FIRST_LAYERS = ("trained", "random")
"""What happens to the first layer of a network: it is trained, or stays as it was drawn."""

LARGEST_FREQUENCY = 1000.0
"""Largest factor of a sine and of wave numbers, whose third power float32 holds easily."""

GEOMETRIES = ("square", "disk", "l_shape", "annulus")
"""Domains that a system can be put on."""

MESH = "mesh"
"""The nodes of a mesh from a file, a kind of node sets."""

ORDERS = {"grid": (2, 4, 6), "triangulation": (2, 4), "cloud": (2, 4), MESH: (2, 4)}
"""Kinds of node sets, and the orders of accuracy that the derivatives on their graph can have."""

FAMILY = "family"
"""What `dataset.name` calls a family of problems: many initial states of one equation."""

UNSAID = "???"
"""What OmegaConf and torch-geometric write for a value that nobody gave."""

FAMILY_BOUNDARIES = ("periodic", "neumann", "dirichlet")
"""What holds on the boundary of a family: periodicity, no flux, or the values of the start."""

INITIAL_FIELDS = ("fourier", "gaussian")
"""Kinds of random initial fields of a family."""

GRAPH_NETWORKS = ("gnn", "mesh_graph_net")
"""Networks that step the state on any graph."""

OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
"""First-order optimisers of the program."""

SCHEDULES = ("none", "cosine")
"""How the learning rate of the first-order phase goes: it stays, or falls to 0 over the phase."""

KEPT = ("last", "best")
"""Which network of a run its report and pictures are about."""

DAMPINGS = ("bold", "gain_ratio", "nielsen", "target")
"""Rules of the damping in the program's Gauss-Newton phase."""

GN_WEIGHTS = ("keep", "balance")
"""What happens to the loss weights in the program's Gauss-Newton phase."""

SECOND_PHASES = ("freeze", "blocks")
"""What adaptive weights do under L-BFGS: stay, or move between its blocks."""

GRADIENTS_OF = ("all", "last_layer")
"""Parameters that gradients are measured on, beside a random part of them."""


class SystemNames(NamedTuple):
    """What can be said of a system without its class, which needs torch.

    Attributes:
        parameters: that its constructor takes, in their order.
        cases: problems that are posed with it, the default first; none for a single one.
    """

    parameters: tuple[str, ...]
    cases: tuple[str, ...] = ()


SYSTEMS = {
    "belousov_zhabotinsky": SystemNames(("ratio", "boundary")),
    "brusselator": SystemNames(("side", "boundary")),
    "burgers_2d": SystemNames(
        ("case", "viscosity", "boundary"), ("fletcher", "cole_hopf", "periodic")
    ),
    "coupled_burgers": SystemNames(("amplitude", "boundary")),
    "fitzhugh_nagumo": SystemNames(("rate", "damping", "threshold", "boundary")),
    "ginzburg_landau": SystemNames(("case", "m", "n", "boundary"), ("plane_wave", "jaxpi")),
    "gray_scott": SystemNames(
        ("case", "diffusion", "loss", "ratio", "boundary"),
        ("front", "pulse", "jaxpi", "pinnacle"),
    ),
    "lambda_omega": SystemNames(("wave_number", "frequency", "slope", "boundary")),
    "linear_reaction_diffusion": SystemNames(("a", "b", "diffusion", "boundary")),
    "predator_prey": SystemNames(("saturation", "conversion", "mortality", "boundary")),
    "schnakenberg": SystemNames(("a", "b", "rate", "boundary")),
    "schroedinger": SystemNames(
        ("case", "amplitude", "speed", "boundary"), ("soliton", "satsuma_yajima", "raissi")
    ),
}
"""The coupled systems by name; `pinn_ext.systems` has their classes, a test compares the two."""
