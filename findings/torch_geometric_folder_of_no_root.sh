#!/bin/sh
# torch-geometric: a data set whose `root` is None writes into a folder named ???, and shares it.
# Documentation:
#   https://pytorch-geometric.readthedocs.io/en/latest/generated/torch_geometric.data.InMemoryDataset.html
#   ("root (str, optional): Root directory where the dataset should be saved. (optional: None)")
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 torch-geometric==2.8.1 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys
from pathlib import Path

import torch
import torch_geometric
from torch_geometric.data import Data, InMemoryDataset


class Numbers(InMemoryDataset):
    """One graph, whose node has a value that the user gives."""

    def __init__(self, value):
        self.value = value
        super().__init__(None, log=False)
        self.load(self.processed_paths[0])

    processed_file_names = "numbers.pt"

    def process(self):
        self.save([Data(x=torch.tensor([self.value]))], self.processed_paths[0])


before = set(Path().iterdir())
values = [float(Numbers(value)[0].x) for value in (1.0, 2.0)]
made = sorted(str(path) for path in set(Path().iterdir()) - before)
print("torch-geometric", torch_geometric.__version__, "torch", torch.__version__)
print("two data sets with root=None, of the values 1 and 2")
print("expected: no folder where none is given, the values 1.0 and 2.0")
print(f"seen:     the folders {made}, the values {values}")
stands = made == ["???"] and values == [1.0, 1.0]
print("stands: a folder ??? is made, and read as everybody's" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
