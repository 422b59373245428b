"""A callback's state that is loaded under `torch.inference_mode` trains on."""

import deepxde as dde
import torch

from pinn_ext import AdaptiveWeights


def test_a_callback_loaded_under_inference_mode_goes_on_as_without_it():
    line = dde.geometry.Interval(0, 1)
    wall = dde.icbc.DirichletBC(line, lambda x: 0 * x, lambda _, on: on)
    data = dde.data.PDE(line, lambda x, y: dde.grad.hessian(y, x) - 1, [wall], 10, 2)

    def fresh():
        torch.manual_seed(0)
        model = dde.Model(data, dde.nn.FNN([1, 4, 1], "tanh", "Glorot normal"))
        model.compile("adam", lr=1e-2, verbose=0)
        return model, AdaptiveWeights("ema", period=2, verbose=0)

    model, first = fresh()
    model.train(iterations=4, callbacks=[first], verbose=0)
    state = first.state_dict()
    other, again = fresh()
    with torch.inference_mode():
        again.load_state_dict(state, other)
    assert not other.loss_weights.is_inference()
    other.train(iterations=4, callbacks=[again], verbose=0)
    again.restore_best()
    assert again.manager.updates == 4
