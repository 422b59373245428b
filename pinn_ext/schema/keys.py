"""The configuration: every key with its type and default. Loads without torch.

Hydra hands out OmegaConf nodes of this schema. They have the attributes of `Config` and are
annotated as such: whoever takes a `Config` takes such a node too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pinn_ext.adaptive_weights.settings import FOR_TRAINING
from pinn_ext.choices import FOURIER_FREQUENCIES, FOURIER_SCALE, SINE_W0
from pinn_ext.schema.family_keys import SNAPSHOT_STEP, Family

FREE_KEYS = (
    "training.loss.adaptive.options.",
    "training.loss.adaptive.groups.",
    "problem.parameters.",
    "problem.reference_columns.",
    "problem.initial_columns.",
    "dataset.family.constants.",
)
"""Mappings whose keys the schema does not know; a wrong one is refused where it is used."""
WEIGHT_KEYS = {
    "PI_loss1": "w1_PI",
    "PI_loss2": "w2_PI",
    "RK4_loss1": "w1_rk4",
    "RK4_loss2": "w2_rk4",
    "IC_loss1": "w1_IC",
    "IC_loss2": "w2_IC",
    "BC_loss1": "w1_BC",
    "BC_loss2": "w2_BC",
    "data_loss1": "w1_data",
    "data_loss2": "w2_data",
}
"""Loss term to its key under `training.loss`, in the order of the terms."""

_OF_THE_CALLBACK = ("rescale_moments", "second_phase", "gradients_of", "diagnostics")


@dataclass
class Adaptive:
    """`training.loss.adaptive`: how the loss weights move.

    Example:
        >>> from pinn_ext.schema import Config, validate
        >>> cfg = Config()
        >>> cfg.training.loss.adaptive = Adaptive(enabled=True, strategy="ema", max_weight=1e-9)
        >>> validate(cfg)
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `training.loss.adaptive.max_weight` must be a finite
        number >= 0.0001, got 1e-09.
    """

    enabled: bool = False
    strategy: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    ema_alpha: float = FOR_TRAINING.ema_alpha
    update_frequency: int = FOR_TRAINING.update_frequency
    weight_beta: float | None = FOR_TRAINING.weight_beta
    normalization: str = FOR_TRAINING.normalization
    eps: float | None = FOR_TRAINING.eps
    min_weight: float = FOR_TRAINING.min_weight
    max_weight: float = FOR_TRAINING.max_weight
    max_ratio: float | None = FOR_TRAINING.max_ratio
    max_change: float | None = FOR_TRAINING.max_change
    groups: dict[str, list[str]] = field(default_factory=dict)
    prior: bool = FOR_TRAINING.prior
    warm_up: int = FOR_TRAINING.warm_up
    freeze_after: int | None = FOR_TRAINING.freeze_after
    second_phase: str = "freeze"
    gradients_of: Any = "all"
    diagnostics: bool = False
    rescale_moments: bool = True


@dataclass
class Loss:
    """`training.loss`: which terms there are and their initial weights.

    Example:
        >>> loss = Loss(w1_PI=10.0, use_rk4=False)
        >>> {term: getattr(loss, key) for term, key in WEIGHT_KEYS.items() if term.startswith("PI")}
        {'PI_loss1': 10.0, 'PI_loss2': 1.0}
    """

    w1_PI: float = 1.0
    w2_PI: float = 1.0
    use_rk4: bool = True
    w1_rk4: float = 1.0
    w2_rk4: float = 1.0
    w1_IC: float = 1.0
    w2_IC: float = 1.0
    w1_BC: float = 1.0
    w2_BC: float = 1.0
    w1_data: float = 1.0
    w2_data: float = 1.0
    rk4_per_unit_time: bool = True
    rk4_detach: bool = False
    use_gn_solver: bool = False
    adaptive: Adaptive = field(default_factory=Adaptive)


@dataclass
class GaussNewton:
    """`training.gauss_newton`: the second-order phase of `training.loss.use_gn_solver`.

    Example:
        >>> from pinn_ext.schema import Config, select
        >>> cfg = Config()
        >>> cfg.training.loss.use_gn_solver = True
        >>> cfg.training.gauss_newton = GaussNewton(iterations=200, damping="nielsen")
        >>> select(cfg, "training.gauss_newton.damping")
        'nielsen'
    """

    iterations: int = 60
    tolerance: float = 1e-4
    points: int | None = None
    damping: str = "bold"
    geodesic: bool = True
    weights: str = "keep"
    use_rk4: bool = False
    resample_every: int = 0
    memory_limit_gb: float | None = None
    sketch: str | None = None


@dataclass
class Training:
    """`training`: optimiser, length and loss.

    Example:
        >>> from pinn_ext.schema import Config, validate
        >>> validate(Config(training=Training(epochs=0)))
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `training.epochs` must be a whole number >= 1, got 0.
    """

    epochs: int = 50
    learning_rate: float = 0.005
    weight_decay: float = 0.0
    optimizer: str = "adam"
    schedule: str = "none"
    clip_gradients: float | None = None
    keep: str = "last"
    slabs: int = 1
    lbfgs_iterations: int = 0
    log_every: int = 5
    log_weights_every: int = 10
    resume: str | None = None
    loss: Loss = field(default_factory=Loss)
    gauss_newton: GaussNewton = field(default_factory=GaussNewton)


@dataclass
class Problem:
    """`problem`: the coupled system, its domain, conditions and units.

    Example:
        >>> from pinn_ext.schema import validate
        >>> validate(Config(problem=Problem(name="schroedinger", case="raisi")))
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `problem.case` must be one of raissi, satsuma_yajima,
        soliton, got 'raisi' (did you mean 'raissi'?).
    """

    name: str = "brusselator"
    case: str | None = None
    geometry: str | None = None
    boundary: str | None = None
    conditions: str = "hard"
    scaling: str = "fields"
    scales: list[float] | None = None
    parameters: dict[str, float] = field(default_factory=dict)
    file: str | None = None
    reference: str | None = None
    reference_columns: dict[str, str] = field(default_factory=dict)
    reference_time: float | None = None
    dirichlet_group: Any = None
    initial: str | None = None
    initial_columns: dict[str, str] = field(default_factory=dict)
    initial_time: float | None = None


@dataclass
class Dataset:
    """`dataset`: the snapshot graphs, or the problems of a family.

    Example:
        >>> from pinn_ext.schema import validate
        >>> validate(Config(dataset=Dataset(name="cloud", order=6)))
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `dataset.order` must be one of 2, 4 for
        dataset.name=cloud, got 6.
    """

    name: str = "grid"
    path: str | None = None
    num_graphs: int = 100
    num_validation: int = 10
    nodes_per_side: int | None = None
    order: int = 2
    batch_size: int = 10
    step: float = SNAPSHOT_STEP
    num_test: int = 50
    family: Family = field(default_factory=Family)


@dataclass
class Network:
    """`network`: a network of positions and times, or one that steps states on graphs.

    Example:
        >>> from pinn_ext.schema import validate
        >>> validate(Config(network=Network(activation="sine", w0=30.0, hidden=[64, 64]))).strategy
        'fixed'
    """

    name: str = "mlp"
    hidden: list[int] = field(default_factory=lambda: [32, 32, 32])
    activation: str = "tanh"
    w0: float = SINE_W0
    features: str = "none"
    fourier_frequencies: int = FOURIER_FREQUENCIES
    fourier_scale: float = FOURIER_SCALE
    first_layer: str = "trained"
    sees_data: bool = False
    width: int = 32
    layers: int = 4


@dataclass
class Experiment:
    """`experiment`: what the run is called; the name begins its folder's name.

    Example:
        >>> from pinn_ext.schema import Config, as_dict
        >>> as_dict(Config(experiment=Experiment("cooling")))["experiment"]
        {'name': 'cooling'}
    """

    name: str = "run"


@dataclass
class Config:
    """Everything that decides a run.

    Example:
        >>> cfg = Config(seed=3)
        >>> cfg.training.loss.adaptive.enabled = True
        >>> strategy_of(cfg.training.loss.adaptive)
        'equal_init'
        >>> cfg.problem.name, cfg.dataset.num_graphs, cfg.training.epochs
        ('brusselator', 100, 50)
    """

    seed: int = 0
    device: str = "auto"
    dtype: str = "float32"
    problem: Problem = field(default_factory=Problem)
    dataset: Dataset = field(default_factory=Dataset)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    experiment: Experiment = field(default_factory=Experiment)


def strategy_of(adaptive: Adaptive) -> str:
    """Return the strategy that `training.loss.adaptive` asks for.

    Args:
        adaptive: `training.loss.adaptive`.

    Returns:
        `"fixed"` unless adaptation is enabled, then the named one, by default `"equal_init"`.

    Example:
        >>> strategy_of(Adaptive(strategy="ema"))
        'fixed'
        >>> strategy_of(Adaptive(strategy="ema", enabled=True))
        'ema'
    """
    return (adaptive.strategy or FOR_TRAINING.strategy) if adaptive.enabled else "fixed"


def adaptive_settings(adaptive: Adaptive) -> dict[str, Any]:
    """Return the values of `WeightSettings` that `training.loss.adaptive` holds.

    Args:
        adaptive: `training.loss.adaptive`.

    Returns:
        All of them but the strategy.

    Example:
        >>> from pinn_ext.adaptive_weights import WeightSettings
        >>> settings = adaptive_settings(Adaptive(max_ratio=50.0))
        >>> WeightSettings("ema", **settings).limits.max_ratio
        50.0
    """
    others = ("enabled", "strategy", *_OF_THE_CALLBACK)
    return {k: _plain(adaptive, k) for k in Adaptive.__dataclass_fields__ if k not in others}


def callback_settings(adaptive: Adaptive) -> dict[str, Any]:
    """Return the arguments of the callback that `training.loss.adaptive` holds.

    Args:
        adaptive: `training.loss.adaptive`.

    Returns:
        Those of `AdaptiveWeights` that are no `WeightSettings`.

    Example:
        >>> callback_settings(Adaptive(diagnostics=True))
        {'rescale_moments': True, 'second_phase': 'freeze', 'gradients_of': 'all',
        'diagnostics': True}
    """
    return {key: getattr(adaptive, key) for key in _OF_THE_CALLBACK}


def _plain(node: Any, key: str) -> Any:
    """Return a value as plain numbers, lists and dicts, also out of an OmegaConf node."""
    value = getattr(node, key)
    if hasattr(value, "_metadata"):
        from omegaconf import OmegaConf

        return OmegaConf.to_container(value, resolve=True)
    return value
