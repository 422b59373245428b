"""Every import path that the documents have taught still works, its names too."""

import importlib
import sys
import warnings
from pathlib import Path

import pytest

import pinn_ext

ROOT = Path(__file__).resolve().parents[2]
# Module, and names it must have: those of its `__all__` in version 0.1, or those in use.
PATHS = {
    "pinn_ext": pinn_ext.__all__,
    "pinn_ext.adaptive_weights": ["NORMALIZATIONS", "AdaptiveLossWeights", "Event"],
    "pinn_ext.aggregators": ["LossAggregator"],
    "pinn_ext.cli": ["main"],
    "pinn_ext.datasets": ["SnapshotBatch", "SnapshotGraphs", "epoch_order", "stratified_times"],
    "pinn_ext.dde.callback": ["AdaptiveWeights"],
    "pinn_ext.dde.gauss_newton": ["train_gauss_newton"],
    "pinn_ext.dde.tensorboard": ["TensorBoardLog"],
    "pinn_ext.gradient_plot": ["draw"],
    "pinn_ext.networks": ["ACTIVATIONS", "CONDITIONS", "SCALINGS", "FieldNetwork"],
    "pinn_ext.schema": ["Config", "as_dict", "from_dict", "select", "to_yaml", "validate"],
    "pinn_ext.strategies": [
        *("STATISTICS", "Auto", "Gradients", "PointBlock", "PointState", "PointStrategy"),
        *("JointPointStrategy", "Proposal", "State", "Statistics", "Strategy"),
        *("create", "names", "option_names", "term_names"),
    ],
    "pinn_ext.systems": ["FIELDS", "Derivatives", "System", "create", "names"],
    "solvers": ["least_squares"],  # joins with the face of `solvers`
    "solvers.gauss_newton": [
        *("DAMPINGS", "SOLVERS", "Box", "GainRatio", "LineSearch", "Loss", "Nielsen"),
        *("NonFiniteJacobianError", "Problem", "ProductProblem", "Rule", "Solution", "Status"),
        *("Step", "Stepper", "TargetRatio", "least_squares"),
    ],
    "solvers.operators": [
        *("Fluxes", "GraphOperators", "GraphWarning", "cloud_graph", "finite_element_graph"),
        *("grid_graph", "reorder", "seal", "subgraph", "triangulation_graph"),
    ],
    "solvers.rk4": [
        *("HEUN", "RK4", "THREE_EIGHTHS", "NonFiniteStateError", "SemiDiscrete", "Tableau"),
        *("UnstableOperatorError", "integrate", "mismatch", "mismatch_rows", "rk4_step"),
        *("runge_kutta_step", "stable_step", "substeps"),
    ],
    "solvers.semidiscrete": ["SemiDiscrete"],
    "solvers.stability": ["UnstableOperatorError", "spectral_abscissa", "stable_step", "substeps"],
    "solvers.tableaus": ["HEUN", "RK4", "THREE_EIGHTHS", "Tableau", "names"],
}
SHIMS = [
    "pinn_ext/aggregators.py",
    "pinn_ext/dde/tensorboard.py",
    "pinn_ext/gradient_plot.py",
    "pinn_ext/strategies/_base.py",
    "solvers/semidiscrete.py",
    "solvers/stability.py",
    "solvers/tableaus.py",
]


def test_every_path_leads_to_its_names():
    lost = []
    for path, names in PATHS.items():
        try:
            module = importlib.import_module(path)
        except ImportError as error:
            lost.append(f"{path}: {error}")
            continue
        lost += [f"{path}.{name}" for name in names if not hasattr(module, name)]
    assert lost == []


def test_all_names_of_the_package_are_those_of_the_first_version():
    assert set(pinn_ext.__all__) >= {
        *("AdaptiveLossWeights", "AdaptiveWeights", "LossAggregator", "TensorBoardLog"),
        *("scale_outputs", "strategies", "systems", "train_gauss_newton", "train_physics"),
    }


def test_the_old_place_of_the_protocol_warns_and_hands_on():
    sys.modules.pop("pinn_ext.strategies._base", None)
    with pytest.warns(DeprecationWarning, match=r"Import from pinn_ext\.strategies"):
        base = importlib.import_module("pinn_ext.strategies._base")
    for name in ("Proposal", "State", "Statistics", "Strategy"):
        assert getattr(base, name) is getattr(pinn_ext.strategies, name)


def test_the_other_shims_do_not_warn():
    for path in SHIMS:
        module = path.removesuffix(".py").replace("/", ".")
        if module != "pinn_ext.strategies._base":
            sys.modules.pop(module, None)
            with warnings.catch_warnings():
                warnings.simplefilter("error", DeprecationWarning)
                importlib.import_module(module)


def test_shims_hold_at_most_five_lines():
    for shim in SHIMS:
        lines = [line for line in (ROOT / shim).read_text("utf-8").splitlines() if line.strip()]
        assert len(lines) <= 5, shim


def test_shims_are_no_second_copies():
    for shim in SHIMS:
        text = (ROOT / shim).read_text("utf-8")
        assert "def " not in text and "class " not in text, shim
