"""What every test starts from: one thread, float32, a known seed."""

import os
from functools import partial
from pathlib import Path

os.environ.setdefault("DDE_BACKEND", "pytorch")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
import torch

from tests import scripts


def pytest_addoption(parser):
    parser.addoption(
        "--thorough",
        action="store_true",
        help="render all pictures, and start all scripts in interpreters that have loaded nothing",
    )

    parser.addoption(
        "--last-bits",
        action="store_true",
        help="change the last bits of all networks before they are trained",
    )


APART = {  # folders by why they are left out of runs with other tests
    "device": "it takes a process of its own, as torch's seeds and threads change there",
    "ecosystem": "it takes an environment of its own, see make test-ecosystem",
}


def _left_out(config):
    """Return the folders apart but one that alone is asked for."""
    here, folder = Path(__file__).resolve().parent, config.invocation_params.dir
    asked = [Path(folder, argument.split("::")[0]).resolve() for argument in config.args]
    places = {here / name: why for name, why in APART.items()}
    return {
        place: why
        for place, why in places.items()
        if not all(place in (path, *path.parents) for path in asked)
    }


def pytest_report_header(config):
    return [f"tests/{place.name} is left out: {why}" for place, why in _left_out(config).items()]


def pytest_ignore_collect(collection_path, config):
    """Leave out the folders apart."""
    if collection_path in _left_out(config):
        return True


def pytest_configure(config):
    examples = 120 if config.getoption("thorough") else 40
    hypothesis.settings.register_profile(
        "ours", max_examples=examples, deadline=None, derandomize=True, database=None
    )
    hypothesis.settings.load_profile("ours")


@pytest.fixture(autouse=True)
def clean_torch():
    """Undo what a test sets globally, as a run of the program sets the default float type."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)


@pytest.fixture(autouse=True, scope="session")
def last_bits(pytestconfig):
    """With `--last-bits`, train from slightly other weights: no test may hang on rounding.

    Of the session, so that runs which several tests share begin no other way than theirs.
    """
    with pytest.MonkeyPatch.context() as patch:
        if pytestconfig.getoption("last_bits"):
            from tests.last_bits import perturb_models

            perturb_models(patch)
        yield


@pytest.fixture
def double():
    """Create tensors in float64 unless told otherwise; `clean_torch` goes back."""
    torch.set_default_dtype(torch.float64)


@pytest.fixture
def run_script(pytestconfig):
    """Return `scripts.run`."""
    _skip_if_perturbed(pytestconfig)
    return partial(scripts.run, fresh=pytestconfig.getoption("thorough"))


@pytest.fixture
def start_script(pytestconfig):
    """Return `scripts.start`."""
    _skip_if_perturbed(pytestconfig)
    return partial(scripts.start, fresh=pytestconfig.getoption("thorough"))


def _skip_if_perturbed(config):
    if config.getoption("last_bits"):
        pytest.skip("other processes train from the weights as they are")
