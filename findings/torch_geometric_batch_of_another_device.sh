#!/bin/sh
# torch-geometric: a batch of graphs on another accelerator than CUDA has its batch vector elsewhere.
# Documentation:
#   https://pytorch-geometric.readthedocs.io/en/latest/generated/torch_geometric.data.Batch.html (no
#   word of devices; a comment in data/collate.py: where data are "on GPU", so are batch and ptr)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 torch-geometric==2.8.1 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys

import torch
import torch_geometric
from torch_geometric.data import Batch, Data
from torch_geometric.nn import InstanceNorm

# "meta" stands for mps, xpu, hpu or npu: it is on every machine, and like them it is not CUDA.
edges = torch.tensor([[0, 1], [1, 0]])
graphs = [Data(x=torch.ones(n, 1), edge_index=edges).to("meta") for n in (3, 4)]
batch = Batch.from_data_list(graphs)
print("torch-geometric", torch_geometric.__version__, "torch", torch.__version__)
print("two graphs on another device, joined by Batch.from_data_list")
seen = {key: batch[key].device.type for key in ("x", "edge_index", "batch", "ptr")}
print("expected: x, edge_index, batch and ptr on the device of the graphs")
print(f"seen:     {seen}")
try:
    InstanceNorm(1)(batch.x, batch.batch)
    use = "works"
except RuntimeError as error:
    use = str(error)
print(f"          a layer that is given x and batch: {use}")
stands = seen == {"x": "meta", "edge_index": "meta", "batch": "cpu", "ptr": "cpu"}
stands = stands and "cpu is not on the expected device" in use
print("stands: batch and ptr are left in main memory" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
