#!/bin/sh
# torch: Adam counts its steps in main memory, NAdam, RAdam, Adagrad and others on the default device.
# Documentation:
#   https://docs.pytorch.org/docs/stable/optim.html (nothing is said of a default device; the
#   comments in the sources of Adam and NAdam: the step is in main memory on purpose unless
#   `capturable` or `fused`, as kernels for it would be costly)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys

import torch

NAMES = ("Adam", "AdamW", "NAdam", "RAdam", "Adagrad", "Adamax", "RMSprop", "Rprop")


def one_step(name):
    """Return where an optimiser keeps its step number, and whether it can make a step."""
    parameter = torch.nn.Parameter(torch.ones(2, device="cpu"))
    optimizer = getattr(torch.optim, name)([parameter])
    parameter.square().sum().backward()
    try:
        optimizer.step()
        made = "step made"
    except RuntimeError as error:
        made = str(error)
    return optimizer.state[parameter]["step"].device.type, made


print("torch", torch.__version__)
# "meta" stands for an accelerator: it is on every machine. What an optimiser reads back from an
# accelerator is waited for, once a parameter and step; from meta nothing can be read.
torch.set_default_device("meta")
print("parameters in main memory, meta is the default device")
print("expected: the step number of each optimiser in main memory, a step made")
seen = {name: one_step(name) for name in NAMES}
for name, (where, made) in seen.items():
    print(f"seen:     {name:8} step number on {where:4}  {made}")
read_back = {name for name, (_, made) in seen.items() if made != "step made"}
stands = (
    {name for name, (where, _) in seen.items() if where == "cpu"} == {"Adam", "AdamW"}
    and read_back == {"NAdam", "RAdam", "Adagrad", "Adamax"}
)
print("stands: four of them read it back from there in each step" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
