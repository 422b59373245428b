#!/bin/sh
# torch: the default device holds in the thread that set it alone, the default dtype in all of them.
# Documentation:
#   https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html (it is set "globally";
#   the way to set it for a time is the context; no word of threads)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys
from concurrent.futures import ThreadPoolExecutor

import torch


def network():
    """Return where a new layer lies, its type, and what torch says the default device is."""
    weight = torch.nn.Linear(2, 2).weight
    return weight.device.type, weight.dtype, torch.get_default_device().type


torch.set_default_dtype(torch.float64)
# It stands for an accelerator: it is on every machine, and has no memory.
torch.set_default_device("meta")
here = network()
with ThreadPoolExecutor(1) as pool:
    there = pool.submit(network).result()
print("torch", torch.__version__)
print("set_default_device('meta') and set_default_dtype(float64), then a new layer")
print("expected: ('meta', float64), and 'meta' as the default device, in every thread")
print("seen:     in the main thread", here)
print("          in another thread ", there)
stands = here == ("meta", torch.float64, "meta") and there == ("cpu", torch.float64, "cpu")
print("stands: threads begin on the CPU again" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
