"""Checkpoints that an earlier version has written go on as that version went on with them.

`data/checkpoints` holds, for each run, its checkpoint and history in the midst of the training, and
the parameters that the version named in `made_with.json` has resumed it to, in float64.
"""

import shutil
from pathlib import Path

import pytest
import torch

DATA = Path(__file__).resolve().parent / "data" / "checkpoints"
MORE = {
    "ema": ["training.epochs=6"],
    "rba": ["training.epochs=6"],
    "auto": [],  # in the midst of its pilots
    "lbfgs": [],
    "gauss_newton": ["training.gauss_newton.iterations=5"],
}


@pytest.mark.parametrize("name", MORE)
def test_an_old_checkpoint_goes_on(run, tmp_path, name):
    folder = tmp_path / "old"
    shutil.copytree(DATA / name, folder)
    result = run(f"training.resume={folder}", *MORE[name])
    assert result.status == 0, result.err
    found = torch.load(folder / "checkpoint.pt", weights_only=True)["model_state_dict"]
    wanted = torch.load(DATA / "final_parameters.pt", weights_only=True)[name]
    # Not to the last bit: other processors, even of the same capability, round products otherwise.
    for key, value in wanted.items():
        assert torch.allclose(found[key], value, rtol=1e-6, atol=1e-9), key
