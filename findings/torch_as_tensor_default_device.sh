#!/bin/sh
# torch: under a default device, as_tensor, asarray and tensor move the tensor that they are given.
# Documentation:
#   https://docs.pytorch.org/docs/stable/generated/torch.as_tensor.html ("If None and data is a tensor
#   then the device of data is used"; torch.tensor says the same, torch.asarray likewise of obj)
#   https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html (functions that
#   share the memory of their input are not affected)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import sys
import warnings

import torch

warnings.simplefilter("ignore")  # torch.tensor would rather see a clone

# "meta" stands for a second device: it is on every machine, and has no memory.
SHARING = {"as_tensor": torch.as_tensor, "asarray": torch.asarray, "tensor": torch.tensor}
data = torch.arange(3.0)


def devices(values):
    """Return on which device each function puts a tensor."""
    return {name: function(values).device.type for name, function in SHARING.items()}


print("torch", torch.__version__)
print(f"a tensor on {data.device}, given to", ", ".join(SHARING))
alone = devices(data)
same = torch.as_tensor(data) is data
with torch.device("meta"):
    beside = devices(data)
    kept = torch.as_tensor(data) is data
print("expected: the device of the data, cpu, whatever the default device is")
print(f"seen:     {alone} without a default device, as_tensor(data) is data: {same}")
print(f"          {beside} where meta is the default, as_tensor(data) is data: {kept}")
moved = data.to("meta")
try:
    with torch.device("cpu"):
        torch.as_tensor(moved)
    back = "kept"
except NotImplementedError as error:
    back = str(error).split(";")[0]
print(f"          a tensor on meta where cpu is the default: {back!r}")
stands = (
    set(alone.values()) == {"cpu"}
    and same
    and set(beside.values()) == {"meta"}
    and not kept
    and back.startswith("Cannot copy out of meta")
)
print("stands: a default device moves tensors that have one" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
