"""The configuration: every key with its type, default and legal range. Loads without torch."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from pinn_ext import strategies
from pinn_ext.adaptive_weights import AdaptiveLossWeights
from pinn_ext.adaptive_weights.groups import check_groups
from pinn_ext.checks import check_choice, check_number
from pinn_ext.strategies.auto.successive_halving import LEAST

GEOMETRIES = ("square", "disk", "l_shape", "annulus")
ORDERS = {"grid": (2, 4, 6), "triangulation": (2, 4), "cloud": (2, 4)}
"""Orders of the graph's derivatives, by `dataset.name`."""
OPTIMIZERS = ("adam", "adamw", "rmsprop", "sgd")
DAMPINGS = ("gain_ratio", "nielsen", "target")
GN_WEIGHTS = ("keep", "balance")
SECOND_PHASES = ("freeze", "blocks")
GRADIENTS_OF = ("all", "last_layer")
FREE_KEYS = (
    "training.loss.adaptive.options.",
    "training.loss.adaptive.groups.",
    "problem.parameters.",
)
"""Mappings whose keys the schema does not know; a wrong one is refused where it is used."""
_OF_THE_CALLBACK = ("rescale_moments", "second_phase", "gradients_of", "diagnostics")


@dataclass
class Adaptive:
    """`training.loss.adaptive`: how the loss weights move."""

    enabled: bool = False
    strategy: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    ema_alpha: float = 0.9
    update_frequency: int = 1
    weight_beta: float | None = None
    normalization: str = "total"
    eps: float = 1e-8
    min_weight: float = 1e-4
    max_weight: float = 1e4
    max_ratio: float | None = 100.0
    max_change: float | None = None
    groups: dict[str, list[str]] = field(default_factory=dict)
    prior: bool = False
    warm_up: int = 0
    freeze_after: int | None = None
    second_phase: str = "freeze"
    gradients_of: Any = "all"
    diagnostics: bool = False
    rescale_moments: bool = True


@dataclass
class Loss:
    """`training.loss`: which terms there are and their initial weights."""

    w1_PI: float = 1.0
    w2_PI: float = 1.0
    use_rk4: bool = True
    w1_rk4: float = 1.0
    w2_rk4: float = 1.0
    w1_IC: float = 1.0
    w2_IC: float = 1.0
    w1_BC: float = 1.0
    w2_BC: float = 1.0
    rk4_per_unit_time: bool = True
    rk4_detach: bool = False
    use_gn_solver: bool = False
    adaptive: Adaptive = field(default_factory=Adaptive)


@dataclass
class GaussNewton:
    """`training.gauss_newton`: the second-order phase of `training.loss.use_gn_solver`."""

    iterations: int = 60
    tolerance: float = 1e-4
    points: int | None = None
    damping: str = "nielsen"
    geodesic: bool = True
    weights: str = "keep"
    use_rk4: bool = False
    resample_every: int = 0
    memory_limit_gb: float | None = None


@dataclass
class Training:
    """`training`: optimiser, length and loss."""

    epochs: int = 50
    learning_rate: float = 0.005
    weight_decay: float = 0.0
    optimizer: str = "adam"
    lbfgs_iterations: int = 0
    log_every: int = 5
    log_weights_every: int = 10
    resume: str | None = None
    loss: Loss = field(default_factory=Loss)
    gauss_newton: GaussNewton = field(default_factory=GaussNewton)


@dataclass
class Problem:
    """`problem`: the coupled system, its domain, conditions and units."""

    name: str = "brusselator"
    geometry: str | None = None
    boundary: str | None = None
    conditions: str = "hard"
    scaling: str = "fields"
    scales: list[float] | None = None
    parameters: dict[str, float] = field(default_factory=dict)


@dataclass
class Dataset:
    """`dataset`: the snapshot graphs."""

    name: str = "grid"
    num_graphs: int = 100
    num_validation: int = 10
    nodes_per_side: int | None = None
    order: int = 2
    batch_size: int = 10
    step: float = 1e-2


@dataclass
class Network:
    """`network`: the network that answers the fields."""

    name: str = "mlp"
    hidden: list[int] = field(default_factory=lambda: [32, 32, 32])
    activation: str = "tanh"


@dataclass
class Experiment:
    """`experiment`: what the run is called; the name begins its folder's name."""

    name: str = "run"


@dataclass
class Config:
    """Everything that decides a run."""

    seed: int = 0
    device: str = "auto"
    dtype: str = "float32"
    problem: Problem = field(default_factory=Problem)
    dataset: Dataset = field(default_factory=Dataset)
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    experiment: Experiment = field(default_factory=Experiment)


def strategy_of(adaptive: Any) -> str:
    """Return the strategy that `training.loss.adaptive` asks for.

    Args:
        adaptive: an `Adaptive` node.

    Returns:
        `"fixed"` unless adaptation is enabled, then the named one, by default `"equal_init"`.
    """
    return (adaptive.strategy or "equal_init") if adaptive.enabled else "fixed"


def validate(cfg: Any) -> None:
    """Refuse a configuration with a value out of range, before any work is done.

    Args:
        cfg: a `Config` or an OmegaConf node of that schema.

    Raises:
        ValueError: naming the full key, what is allowed and what came.
    """
    check_number("seed", cfg.seed, 0, 2**32 - 1, integer=True)
    check_choice("dtype", cfg.dtype, ("float32", "float64"))
    if cfg.device not in ("auto", "cpu", "cuda") and not str(cfg.device).startswith("cuda:"):
        check_choice("device", cfg.device, ("auto", "cpu", "cuda", "cuda:N"))
    name = cfg.experiment.name
    if not name or name.startswith(".") or any(sign in name for sign in "/\\\0\n"):
        raise ValueError(f"`experiment.name` must be usable as a folder's name, got {name!r}.")
    _validate_problem(cfg.problem)
    _validate_dataset(cfg.dataset)
    _validate_geometry(cfg.problem, cfg.dataset)
    _validate_network(cfg.network)
    _validate_training(cfg.training)
    _validate_loss(cfg.training.loss, cfg.problem.conditions == "soft")
    if strategy_of(cfg.training.loss.adaptive) == "auto" and cfg.training.epochs < LEAST:
        raise ValueError(
            f"`training.epochs` must be at least {LEAST} for training.loss.adaptive.strategy=auto "
            f"(three of them are for its pilots), got {cfg.training.epochs}."
        )


def _validate_problem(problem: Any) -> None:
    check_choice("problem.conditions", problem.conditions, ("hard", "soft"))
    check_choice("problem.scaling", problem.scaling, ("fields", "inputs", "none"))
    if problem.scales is not None:
        if len(problem.scales) != 2:
            raise ValueError(
                f"`problem.scales` must hold one number for u and one for v, got {problem.scales}."
            )
        if problem.scaling != "fields":
            raise ValueError(
                f"`problem.scaling` must be fields for problem.scales to have an effect, "
                f"got {problem.scaling!r}."
            )
        for scale in problem.scales:
            check_number("problem.scales", scale, 0, open_low=True)


def _validate_dataset(dataset: Any) -> None:
    check_choice("dataset.name", dataset.name, ORDERS)
    if dataset.order not in ORDERS[dataset.name]:
        raise ValueError(
            f"`dataset.order` must be one of {', '.join(map(str, ORDERS[dataset.name]))} for "
            f"dataset.name={dataset.name}, got {dataset.order}."
        )
    check_number("dataset.num_graphs", dataset.num_graphs, 1, integer=True)
    check_number("dataset.num_validation", dataset.num_validation, 1, integer=True)
    check_number("dataset.batch_size", dataset.batch_size, 1, integer=True)
    check_number("dataset.step", dataset.step, 0, open_low=True)
    if dataset.nodes_per_side is not None:
        check_number("dataset.nodes_per_side", dataset.nodes_per_side, 3, integer=True)


def _validate_geometry(problem: Any, dataset: Any) -> None:
    if problem.geometry is None:
        return
    check_choice("problem.geometry", problem.geometry, GEOMETRIES)
    if problem.geometry == "square":
        return
    if dataset.name == "grid":
        raise ValueError(
            "`dataset.name` must be cloud or triangulation for problem.geometry="
            f"{problem.geometry}, got 'grid'."
        )
    if problem.conditions == "hard":
        raise ValueError(
            f"`problem.conditions` must be soft for problem.geometry={problem.geometry} (they can "
            "be built into the network on a box only), got 'hard'."
        )


def _validate_network(network: Any) -> None:
    check_choice("network.name", network.name, ("mlp",))
    check_choice("network.activation", network.activation, ("tanh", "silu", "gelu"))
    if not network.hidden:
        raise ValueError("`network.hidden` must hold at least one width, got [].")
    for width in network.hidden:
        check_number("network.hidden", width, 1, integer=True)


def _validate_training(training: Any) -> None:
    # Gauss-Newton can do without a first-order phase.
    least = 0 if training.loss.use_gn_solver else 1
    check_number("training.epochs", training.epochs, least, integer=True)
    check_number("training.learning_rate", training.learning_rate, 0, open_low=True)
    check_number("training.learning_rate", training.learning_rate, 0, 1e30)  # float32 ends soon
    check_number("training.weight_decay", training.weight_decay, 0)
    check_choice("training.optimizer", training.optimizer, OPTIMIZERS)
    if training.optimizer == "adamw" and training.weight_decay == 0:
        raise ValueError(
            "`training.weight_decay` must be > 0 for training.optimizer=adamw (DeepXDE refuses "
            "adamw without it), got 0.0."
        )
    check_number("training.lbfgs_iterations", training.lbfgs_iterations, 0, integer=True)
    check_number("training.log_every", training.log_every, 1, integer=True)
    check_number("training.log_weights_every", training.log_weights_every, 1, integer=True)
    _validate_gauss_newton(training.gauss_newton)


def _validate_gauss_newton(phase: Any) -> None:
    where = "training.gauss_newton"
    check_number(f"{where}.iterations", phase.iterations, 1, integer=True)
    check_number(f"{where}.tolerance", phase.tolerance, 0, 1, open_high=True)
    if phase.points is not None:
        check_number(f"{where}.points", phase.points, 1, integer=True)
    check_choice(f"{where}.damping", phase.damping, DAMPINGS)
    check_choice(f"{where}.weights", phase.weights, GN_WEIGHTS)
    check_number(f"{where}.resample_every", phase.resample_every, 0, integer=True)
    if phase.memory_limit_gb is not None:
        check_number(f"{where}.memory_limit_gb", phase.memory_limit_gb, 0, open_low=True)


def _validate_loss(loss: Any, soft: bool) -> None:
    where = "training.loss"
    adaptive = loss.adaptive
    if not adaptive.enabled and adaptive.strategy not in (None, "fixed"):
        raise ValueError(
            f"`{where}.adaptive.enabled` must be true for {where}.adaptive.strategy="
            f"{adaptive.strategy} to have an effect, got false."
        )
    keys = [key for key in Loss.__dataclass_fields__ if key.startswith(("w1_", "w2_"))]
    weights = {key: getattr(loss, key) for key in keys}
    used = ("PI", "rk4") if loss.use_rk4 else ("PI",)
    if not any(weights[key] for key in keys if key.endswith(used)):
        raise ValueError(
            f"`{where}.w1_PI` or another weight of a term in use (w2_PI, and w1_rk4, w2_rk4 with "
            "use_rk4) must be above 0, got none."
        )
    terms = {_term_of(key): weight for key, weight in weights.items()}
    in_use = [name for name in terms if name[:2] == "PI" or (loss.use_rk4 and name[:2] == "RK")]
    in_use += [name for name in terms if soft and name[:2] in ("IC", "BC")]
    _validate_adaptive(adaptive, terms, in_use)


def _validate_adaptive(adaptive: Any, terms: dict[str, float], in_use: list[str]) -> None:
    """Refuse values out of range; the ranges stand where the values are used."""
    where, strategy = "training.loss", strategy_of(adaptive)
    settings = adaptive_settings(adaptive)
    check_choice(f"{where}.adaptive.second_phase", adaptive.second_phase, SECOND_PHASES)
    if adaptive.gradients_of not in GRADIENTS_OF:
        check_number(
            f"{where}.adaptive.gradients_of (all, last_layer, or a part)",
            adaptive.gradients_of, 0, 1, open_low=True, open_high=True,
        )  # fmt: skip
    try:
        own = strategies.create(strategy, settings["options"])
        check_groups(settings.pop("groups"), in_use)
        if not isinstance(own, strategies.Strategy):
            if adaptive.second_phase == "blocks":
                raise ValueError(
                    f"`second_phase` must be 'freeze' for strategy {strategy!r}, which weighs "
                    "points, got 'blocks'."
                )
            strategy, settings["options"] = "fixed", {}
        ones = dict.fromkeys(terms, 1.0)
        AdaptiveLossWeights(list(terms), terms, strategy, field_scales=ones, **settings)
    except ValueError as error:
        text = re.sub(r"`initial_weights\['(\w+)'\]`", _key_of, str(error))
        if not text.startswith(f"`{where}"):
            text = re.sub(r"^`(\w+)", rf"`{where}.adaptive.\1", text)
        raise ValueError(text) from None


def _term_of(key: str) -> str:
    """Return the name of the loss term that `training.loss.<key>` weighs."""
    number, kind = key[1:].split("_")
    return f"{kind.upper()}_loss{number}"


def _key_of(match: re.Match[str]) -> str:
    kind, number = match[1].split("_loss")
    return f"`training.loss.w{number}_{'rk4' if kind == 'RK4' else kind}`"


def adaptive_settings(adaptive: Any) -> dict[str, Any]:
    """Return the arguments of `AdaptiveLossWeights` that `training.loss.adaptive` holds.

    Args:
        adaptive: an `Adaptive` node.

    Returns:
        All of its values but those that are no argument of it.
    """
    others = ("enabled", "strategy", *_OF_THE_CALLBACK)
    return {k: _plain(adaptive, k) for k in Adaptive.__dataclass_fields__ if k not in others}


def callback_settings(adaptive: Any) -> dict[str, Any]:
    """Return the arguments of `AdaptiveWeights` that `training.loss.adaptive` holds.

    Args:
        adaptive: an `Adaptive` node.

    Returns:
        Those of `AdaptiveLossWeights` and those of the callback alone.
    """
    return adaptive_settings(adaptive) | {key: getattr(adaptive, key) for key in _OF_THE_CALLBACK}


def _plain(node: Any, key: str) -> Any:
    """Return a value as plain numbers, lists and dicts, also out of an OmegaConf node."""
    value = getattr(node, key)
    if hasattr(value, "_metadata"):
        from omegaconf import OmegaConf

        return OmegaConf.to_container(value, resolve=True)
    return value


def as_dict(cfg: Any) -> dict[str, Any]:
    """Return a configuration as plain dicts, lists, numbers and strings.

    Args:
        cfg: a `Config` or an OmegaConf node of that schema.

    Returns:
        Nested dicts, all interpolations resolved.
    """
    if is_dataclass(cfg) and not isinstance(cfg, type):
        return asdict(cfg)
    from omegaconf import OmegaConf

    return OmegaConf.to_container(cfg, resolve=True)  # type: ignore[return-value]


def from_dict(values: dict[str, Any]) -> Any:
    """Return an OmegaConf node of the schema `Config` with the values of `as_dict`."""
    from omegaconf import OmegaConf

    return OmegaConf.merge(OmegaConf.structured(Config), values)


def select(cfg: Any, key: str) -> Any:
    """Return the value under a full key, plain; None if there is none."""
    from omegaconf import OmegaConf

    value = OmegaConf.select(cfg, key)
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def to_yaml(values: dict[str, Any]) -> str:
    """Return plain values as YAML text."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(values))
