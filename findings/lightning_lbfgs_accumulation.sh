#!/bin/sh
# Lightning: under accumulate_grad_batches each further evaluation of L-BFGS gets the sum of all
# gradients of the step.
# Documentation:
#   https://lightning.ai/docs/pytorch/stable/common/gradient_accumulation.html (batches that are
#   accumulated act like one large batch; no optimiser is excepted)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 lightning==2.6.6 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import logging
import sys
import warnings

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

for name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(name).setLevel(logging.WARNING)
X = torch.linspace(-1, 1, 8, dtype=torch.float64)[:, None]
Y = 3 * X + 1


class Line(lightning.LightningModule):
    """A straight line; it keeps each gradient that the optimiser gets, and the right one there."""

    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(1, 1, dtype=torch.float64)
        for parameter in self.line.parameters():
            torch.nn.init.zeros_(parameter)
        self.seen = []

    def training_step(self, batch, index):
        return (self.line(batch[0]) - batch[1]).square().mean()

    def on_before_optimizer_step(self, optimizer):
        # d/d bias of the mean over all eight points, which two equal halves accumulate to.
        right = 2 * (self.line(X) - Y).mean().item()
        self.seen.append((self.line.bias.grad.item(), right))

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=5)


def run(batch_size, accumulate):
    module = Line()
    trainer = lightning.Trainer(
        max_epochs=1,
        accumulate_grad_batches=accumulate,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        trainer.fit(module, DataLoader(TensorDataset(X, Y), batch_size=batch_size))
    told = [w for w in said if any(p in str(w.message).lower() for p in ("accumul", "bfgs"))]
    print(f"  batches of {batch_size}, accumulate_grad_batches={accumulate}:")
    for step, (got, right) in enumerate(module.seen):
        print(f"    evaluation {step}: gradient {got:9.4f}, right at these parameters {right:9.4f}")
    print(f"    warnings about it: {len(told)}")
    return [abs(got - right) < 1e-9 * max(1, abs(right)) for got, right in module.seen], told


print("lightning", lightning.__version__, "torch", torch.__version__)
print("expected: accumulating two halves of the data gives the gradient of the whole,")
print("          at each evaluation that L-BFGS makes within one step")
print("seen:")
whole, _ = run(8, 1)
halves, told = run(4, 2)
stands = all(whole) and halves[0] and not any(halves[1:]) and not told
print("stands: only the first evaluation is right, no word is said" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
