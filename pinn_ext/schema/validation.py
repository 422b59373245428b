"""The refusal of impossible values, before any work is done. Loads without torch."""

from __future__ import annotations

import re
from numbers import Real

from pinn_ext import choices
from pinn_ext.adaptive_weights.checks import initial_weights
from pinn_ext.adaptive_weights.groups import check_groups
from pinn_ext.adaptive_weights.settings import WeightSettings
from pinn_ext.checks import (
    ArgumentError,
    check_choice,
    check_fits,
    check_number,
    check_numbers_fit,
)
from pinn_ext.schema.family_validation import validate_family
from pinn_ext.schema.keys import (
    WEIGHT_KEYS,
    Adaptive,
    Config,
    Dataset,
    GaussNewton,
    Loss,
    Training,
    adaptive_settings,
    strategy_of,
)
from pinn_ext.schema.network_validation import validate_network
from pinn_ext.schema.problem_validation import validate_domain, validate_problem
from pinn_ext.strategies import PointStrategy, Strategy
from pinn_ext.strategies.auto.successive_halving import LEAST

WHERE = "training.loss"
ADAPTIVE = f"{WHERE}.adaptive"
LONGEST_RUN = 200


def validate(cfg: Config) -> WeightSettings:
    """Refuse a configuration with a value out of range, before any work is done.

    Args:
        cfg: the configuration.

    Returns:
        The settings of its loss weights, with the strategy built.

    Raises:
        ArgumentError: naming the full key, what is allowed and what came.

    Example:
        >>> from pinn_ext.schema import Config
        >>> cfg = Config()
        >>> validate(cfg).strategy
        'fixed'
        >>> cfg.training.loss.adaptive.enabled = True
        >>> cfg.training.loss.adaptive.ema_alpha = 1.5
        >>> validate(cfg)
        Traceback (most recent call last):
            ...
        pinn_ext.checks.ArgumentError: `training.loss.adaptive.ema_alpha` must be a finite
        number in [0, 1), got 1.5.
    """
    check_number("seed", cfg.seed, 0, 2**32 - 1, integer=True)
    check_choice("dtype", cfg.dtype, choices.DTYPES)
    if not re.fullmatch(r"[a-z]\w*(:\d+)?", str(cfg.device)):  # torch knows which there are
        wanted = "be auto, cpu, or an accelerator such as cuda or cuda:1"
        raise ArgumentError("device", wanted, repr(cfg.device))
    name = cfg.experiment.name
    if not name or name.startswith(".") or any(sign in name for sign in "/\\\0\n"):
        raise ArgumentError("experiment.name", "be usable as a folder's name", repr(name))
    if len(name.encode()) > LONGEST_RUN:
        wanted = f"have at most {LONGEST_RUN} bytes, as it begins a folder's name"
        raise ArgumentError("experiment.name", wanted, len(name.encode()))
    validate_problem(cfg.problem)
    _validate_dataset(cfg.dataset)
    validate_family(cfg)
    validate_domain(cfg.problem, cfg.dataset)
    validate_network(cfg.network)
    _validate_training(cfg.training)
    known = cfg.dataset.family.trajectories is not None
    settings = _validate_loss(cfg.training.loss, cfg.problem.conditions == "soft", known)
    _validate_float_type(cfg, settings)
    if cfg.network.sees_data and cfg.problem.conditions != "hard":
        wanted = "be hard for network.sees_data=true, which takes the data part of them"
        raise ArgumentError("problem.conditions", wanted, repr(cfg.problem.conditions))
    if settings.needs_conditions and cfg.problem.conditions == "hard":
        wanted = f"be soft for {ADAPTIVE}.strategy={settings.strategy}, which weighs conditions"
        raise ArgumentError("problem.conditions", wanted, "'hard'")
    if settings.strategy == "auto" and cfg.training.epochs < LEAST:
        raise ArgumentError(
            "training.epochs",
            f"be at least {LEAST} for {ADAPTIVE}.strategy=auto (three of them are for its pilots)",
            cfg.training.epochs,
        )
    if why := settings.unreachable(cfg.training.epochs):
        wanted = f"reach the end of each stage but the last ({why})"
        raise ArgumentError("training.epochs", wanted, cfg.training.epochs)
    return settings


def _validate_dataset(dataset: Dataset) -> None:
    check_choice("dataset.name", dataset.name, (*choices.ORDERS, choices.FAMILY))
    kind = dataset.family.nodes if dataset.name == choices.FAMILY else dataset.name
    orders = choices.ORDERS[check_choice("dataset.family.nodes", kind, choices.ORDERS)]
    if dataset.order not in orders:
        wanted = f"be one of {', '.join(map(str, orders))} for dataset.name={dataset.name}"
        raise ArgumentError("dataset.order", wanted, dataset.order)
    check_number("dataset.num_graphs", dataset.num_graphs, 1, integer=True)
    check_number("dataset.num_validation", dataset.num_validation, 1, integer=True)
    check_number("dataset.batch_size", dataset.batch_size, 1, integer=True)
    check_number("dataset.step", dataset.step, 0, open_low=True)
    if dataset.nodes_per_side is not None:
        check_number("dataset.nodes_per_side", dataset.nodes_per_side, 3, integer=True)


def _validate_training(training: Training) -> None:
    # Gauss-Newton can do without a first-order phase.
    least = 0 if training.loss.use_gn_solver else 1
    check_number("training.epochs", training.epochs, least, integer=True)
    check_number("training.learning_rate", training.learning_rate, 0, open_low=True)
    check_number("training.learning_rate", training.learning_rate, 0, 1e30)  # float32 ends soon
    check_number("training.weight_decay", training.weight_decay, 0, 1e30)
    check_choice("training.optimizer", training.optimizer, choices.OPTIMIZERS)
    check_choice("training.schedule", training.schedule, choices.SCHEDULES)
    if training.clip_gradients is not None:
        check_number("training.clip_gradients", training.clip_gradients, 0, 1e30, open_low=True)
    check_choice("training.keep", training.keep, choices.KEPT)
    if training.optimizer == "adamw" and training.weight_decay == 0:
        raise ArgumentError(
            "training.weight_decay",
            "be > 0 for training.optimizer=adamw (DeepXDE refuses adamw without it)",
            "0.0",
        )
    check_number("training.slabs", training.slabs, 1, integer=True)
    check_number("training.lbfgs_iterations", training.lbfgs_iterations, 0, integer=True)
    check_number("training.log_every", training.log_every, 1, integer=True)
    check_number("training.log_weights_every", training.log_weights_every, 1, integer=True)
    _validate_gauss_newton(training.gauss_newton)


def _validate_gauss_newton(phase: GaussNewton) -> None:
    where = "training.gauss_newton"
    check_number(f"{where}.iterations", phase.iterations, 1, integer=True)
    check_number(f"{where}.tolerance", phase.tolerance, 0, 1, open_high=True)
    if phase.points is not None:
        check_number(f"{where}.points", phase.points, 1, integer=True)
    check_choice(f"{where}.damping", phase.damping, choices.DAMPINGS)
    check_choice(f"{where}.weights", phase.weights, choices.GN_WEIGHTS)
    check_number(f"{where}.resample_every", phase.resample_every, 0, integer=True)
    if phase.memory_limit_gb is not None:
        check_number(f"{where}.memory_limit_gb", phase.memory_limit_gb, 0, open_low=True)
    if phase.sketch not in (None, "auto") and not str(phase.sketch).isdecimal():
        wanted = "be null, auto or a whole number of rows"
        raise ArgumentError(f"{where}.sketch", wanted, repr(phase.sketch))


def _validate_loss(loss: Loss, soft: bool, known: bool) -> WeightSettings:
    adaptive = loss.adaptive
    if not adaptive.enabled and adaptive.strategy not in (None, "fixed"):
        wanted = f"be true for {ADAPTIVE}.strategy={adaptive.strategy} to have an effect"
        raise ArgumentError(f"{ADAPTIVE}.enabled", wanted, "false")
    weights = {name: getattr(loss, key) for name, key in WEIGHT_KEYS.items()}
    at_nodes = ("PI", *["RK"] * loss.use_rk4, *["data"] * known)
    if not any(weights[name] for name in weights if name.startswith(at_nodes)):
        raise ValueError(
            f"`{WHERE}.w1_PI` or another weight of a term in use (w2_PI, and w1_rk4, w2_rk4 with "
            "use_rk4) must be above 0, got none."
        )
    used = (*at_nodes, "IC", "BC") if soft else at_nodes
    return _weight_settings(adaptive, weights, [name for name in weights if name.startswith(used)])


def _validate_float_type(cfg: Config, settings: WeightSettings) -> None:
    """Refuse numbers that the float type of the run would make infinity, or 0."""
    training = cfg.training
    numbers = {
        "training.learning_rate": training.learning_rate,
        "training.weight_decay": training.weight_decay,
        "dataset.step": cfg.dataset.step,
        "network.w0": cfg.network.w0,
        "network.fourier_scale": cfg.network.fourier_scale,
        **{f"{WHERE}.{key}": getattr(training.loss, key) for key in WEIGHT_KEYS.values()},
        **{f"problem.parameters.{key}": value for key, value in cfg.problem.parameters.items()},
    }
    for key, value in numbers.items():
        if isinstance(value, Real):  # others are refused by name where they are used
            check_fits(key, value, cfg.dtype)
    for scale in cfg.problem.scales or []:
        check_fits("problem.scales", scale, cfg.dtype)
    if isinstance(settings.method, PointStrategy):
        check_numbers_fit(settings.method, cfg.dtype, f"{ADAPTIVE}.options")


def _weight_settings(
    adaptive: Adaptive, terms: dict[str, float], in_use: list[str]
) -> WeightSettings:
    """Return the settings of the weights; the ranges stand where the values are used."""
    check_choice(f"{ADAPTIVE}.second_phase", adaptive.second_phase, choices.SECOND_PHASES)
    if adaptive.gradients_of not in choices.GRADIENTS_OF:
        check_number(
            f"{ADAPTIVE}.gradients_of (all, last_layer, or a part)",
            adaptive.gradients_of, 0, 1, open_low=True, open_high=True,
        )  # fmt: skip
    try:
        settings = WeightSettings(strategy_of(adaptive), **adaptive_settings(adaptive))
        check_groups(settings.groups, in_use)
        of_terms = isinstance(settings.method, Strategy)
        if adaptive.second_phase == "blocks" and not of_terms:
            wanted = f"be 'freeze' for strategy {settings.strategy!r}, which weighs points"
            raise ArgumentError("second_phase", wanted, "'blocks'")
        clamped = of_terms and settings.method.limited
        initial_weights(terms, list(terms), settings.limits if clamped else None)
    except ArgumentError as error:
        raise with_full_key(error) from None
    return settings


_WEIGHTS = {f"initial_weights[{name!r}]": key for name, key in WEIGHT_KEYS.items()}


def with_full_key(error: ArgumentError) -> ArgumentError:
    """Return an error of an argument of adaptive weights under the key that a user has written.

    Args:
        error: names an argument of `AdaptiveLossWeights`.

    Returns:
        The same, naming a key of `training.loss` or `training.loss.adaptive`.
    """
    weight = _WEIGHTS.get(error.name)
    return error.under(ADAPTIVE) if weight is None else error.renamed(f"{WHERE}.{weight}")
