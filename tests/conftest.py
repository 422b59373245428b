"""What every test starts from: one thread, float32, a known seed."""

import os

os.environ.setdefault("DDE_BACKEND", "pytorch")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch


@pytest.fixture(autouse=True)
def clean_torch():
    """Undo what a test sets globally, as a run of the program sets the default float type."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)


@pytest.fixture
def double():
    """Create tensors in float64 unless told otherwise; `clean_torch` goes back."""
    torch.set_default_dtype(torch.float64)
