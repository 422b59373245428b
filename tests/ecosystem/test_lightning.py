"""`LossAggregator` in a LightningModule, trained by Lightning as it is published."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning")
import lightning

HERE = Path(__file__).resolve().parent


@pytest.fixture
def module(page):
    """Return a function that makes the page's module, always from the same parameters."""
    shown = page("lightning")

    def make(**settings):
        torch.manual_seed(2)
        return shown.Pinn(**settings)

    make.batches = shown.batches
    return make


@pytest.fixture
def fit(module, trainer_settings):
    def train(model, epochs, checkpoint=None, **settings):
        trainer = lightning.Trainer(max_epochs=epochs, **{**trainer_settings, **settings})
        trainer.fit(model, module.batches(), ckpt_path=checkpoint)
        return trainer

    return train


def values(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()


@pytest.mark.parametrize("strategy", ["ema", "relobralo", "gradient_balance"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_checkpoint_goes_on_bit_for_bit(module, fit, tmp_path, strategy, accumulate):
    settings = {"accumulate_grad_batches": accumulate, "enable_checkpointing": False}
    whole = module(strategy=strategy)
    fit(whole, 6, **settings)
    file = tmp_path / "half.ckpt"
    fit(module(strategy=strategy), 3, **settings).save_checkpoint(file)
    again = module(strategy=strategy)
    fit(again, 6, checkpoint=file, **settings)
    assert values(again) == values(whole)
    steps = again.aggregator.next_step
    assert steps == whole.aggregator.next_step == 6 * 4 // accumulate
    weights = again.aggregator.manager.get_weights()
    assert weights == whole.aggregator.manager.get_weights()
    assert len(set(weights.values())) == 2


def test_validation_moves_no_weights_and_a_second_trainer_counts_on(page, fit, trainer_settings):
    shown = page("lightning")

    class Validated(shown.Pinn):
        @torch.enable_grad()
        def validation_step(self, batch, batch_index):
            self.log("validation", self.training_step(batch, batch_index))

    model = Validated()
    fit(model, 2)
    assert model.aggregator.next_step == 8
    weights = model.aggregator.manager.get_weights()
    trainer = lightning.Trainer(inference_mode=False, **trainer_settings)
    trainer.validate(model, shown.batches(), verbose=False)
    assert "validation" in trainer.callback_metrics
    assert model.aggregator.next_step == 8
    assert model.aggregator.manager.get_weights() == weights
    fit(model, 1)
    assert model.aggregator.next_step == 12


def test_the_weights_are_logged(module, fit, tmp_path):
    logger = lightning.pytorch.loggers.CSVLogger(tmp_path)
    model = module()
    fit(model, 2, logger=logger, log_every_n_steps=1)
    logger.save()
    table = Path(logger.log_dir, "metrics.csv").read_text("utf-8").splitlines()
    assert "weight/ode" in table[0] and "weight/start" in table[0]
    assert len(table) == 9  # a row a step


def test_two_processes_hold_the_same_weights(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    root = HERE.parents[1]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, str(HERE / "lightning_ranks.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MASTER_PORT": str(port)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = (torch.load(tmp_path / f"rank{i}.pt") for i in range(2))
    assert first["weights"] == second["weights"]
    assert torch.equal(first["parameters"], second["parameters"])
    assert first["losses"] != second["losses"]  # each has points of its own
    assert first["updates"] == second["updates"] == 4
