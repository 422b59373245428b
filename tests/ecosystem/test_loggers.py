"""`MetricsLog` and `TensorBoardLog` with the loggers as they are published, without a network."""

import csv
import json
import os
import struct
import time

import deepxde as dde
import pytest

import pinn_ext

STEPS = [50, 100, 150, 200]


@pytest.fixture
def training(tmp_path, monkeypatch):
    """Return a model and its callback; files go into an empty folder."""
    monkeypatch.chdir(tmp_path)
    dde.config.set_random_seed(0)
    line = dde.geometry.Interval(0, 1)
    ends = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda x, on: on)
    data = dde.data.PDE(line, lambda x, y: dde.grad.hessian(y, x) + 1, ends, 20, 2)
    model = dde.Model(data, dde.nn.FNN([1, 8, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-3)
    adaptive = pinn_ext.AdaptiveWeights("ema", period=50, diagnostics=True, verbose=0)
    return {"model": model, "adaptive": adaptive}


def wanted(training):
    """Return the weight of the first term by step, as the callback has it."""
    rows = training["adaptive"].history
    assert [row["step"] for row in rows] == STEPS
    return {row["step"]: row["weights"][0] for row in rows}


def test_mlflow(page, training):
    mlflow = pytest.importorskip("mlflow")
    run = page("mlflow", **training).run
    client = mlflow.MlflowClient()
    history = client.get_metric_history(run.info.run_id, "weight/pde_1")
    assert {entry.step: entry.value for entry in history} == wanted(training)
    logged = client.get_run(run.info.run_id).data.metrics
    assert {"raw_loss/dirichlet_1", "gradient_cosine/pde_1/dirichlet_1"} <= set(logged)


def test_weights_and_biases(page, training, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    page("wandb", **training)
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    end, rows = time.monotonic() + 60, {}
    while 200 not in rows and time.monotonic() < end:  # another process writes the file
        time.sleep(0.1)
        rows = steps(file.read_bytes())
    assert {step: json.loads(row["weight/pde_1"]) for step, row in rows.items()} == wanted(training)
    assert {"raw_loss/dirichlet_1", "gradient_cosine/pde_1/dirichlet_1"} <= set(rows[200])


def steps(content):
    """Return what each step of an offline file of W&B's holds, by name."""
    return {
        record.history.step.num: {"".join(i.nested_key): i.value_json for i in record.history.item}
        for record in records(content)
        if record.WhichOneof("record_type") == "history"
    }


def records(content):
    """Yield the records of an offline file of W&B's: LevelDB's format, blocks of 32 KiB."""
    from wandb.proto.wandb_internal_pb2 import Record

    place, parts = 7, b""  # a header of W&B's
    while place + 7 <= len(content):
        if 32768 - place % 32768 < 7:  # no room for a header: the rest of a block is empty
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield Record.FromString(parts)
            parts = b""


def test_tensorboard(page, training):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    page("tensorboard", **training)
    found = EventAccumulator("logs")
    found.Reload()
    weights = {event.step: event.value for event in found.Scalars("weight/pde_1")}
    assert weights == pytest.approx(wanted(training), rel=1e-6)


def test_a_logger_of_lightning(page, training):
    pytest.importorskip("lightning")
    log_dir = page("lightning-logger", **training).logger.log_dir
    with open(os.path.join(log_dir, "metrics.csv"), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    weights = {int(row["step"]): float(row["weight/pde_1"]) for row in rows}
    assert weights == pytest.approx(wanted(training), rel=1e-12)
