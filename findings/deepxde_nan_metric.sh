#!/bin/sh
# DeepXDE: the metric "nanl2 relative error" of a network whose answers are all NaN is 0, the best.
# Documentation:
#   https://deepxde.readthedocs.io/en/latest/modules/deepxde.html#deepxde.metrics.nanl2_relative_error
#   ("treating Not a Numbers (NaNs) as zero": an answer of zero has the relative error 1)
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.11}" -m venv "$dir/venv"
"$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    deepxde==1.15.0 torch==2.13.0 numpy==2.4.6
cd "$dir"
cat > finding.py <<'PY'
import contextlib
import io
import os
import sys

os.environ["DDE_BACKEND"] = "pytorch"
import deepxde as dde
import numpy as np

dde.config.set_random_seed(0)
geometry = dde.geometry.Interval(0, 1)
data = dde.data.Function(geometry, lambda x: 1 + x**2, num_train=16, num_test=16)
network = dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal")
model = dde.Model(data, network)
# A learning rate that is far too large: the training diverges at once.
metrics = ["nanl2 relative error", "l2 relative error"]
model.compile("sgd", lr=1e20, metrics=metrics)
with contextlib.redirect_stdout(io.StringIO()):
    history, state = model.train(iterations=50, display_every=10)
answers = model.predict(data.test_x)
nan_as_zero, plain = (float(value) for value in history.metrics_test[-1])
zeros = dde.metrics.nanl2_relative_error(data.test_y, np.zeros_like(data.test_y))

print("deepxde", dde.__version__)
print(f"the training diverges: {int(np.isnan(answers).sum())} of {answers.size} answers are NaN")
print(f"expected: a metric of {zeros:.1f}, which an answer of zeros has, or none")
print(f"seen:     {metrics[0]} {nan_as_zero}, {metrics[1]} {plain}")
stands = bool(np.isnan(answers).all()) and nan_as_zero == 0.0 and zeros == 1.0
print("stands: a network of NaN has the best metric there is" if stands else "CHANGED")
sys.exit(not stands)
PY
"$dir/venv/bin/python" finding.py
