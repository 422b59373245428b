"""Networks with one field that has no axis of its own: functions down, points across."""

import deepxde as dde
import numpy as np
import pytest
import torch

from pinn_ext import scale_outputs

FUNCTIONS, POINTS, SENSORS = 5, 9, 4


def inputs(points=POINTS):
    generator = np.random.default_rng(1)
    functions = generator.normal(size=(FUNCTIONS, SENSORS)).astype(np.float32)
    places = np.linspace(0.1, 1, points, dtype=np.float32)[:, None]
    return functions, places


def product_network(**options):
    return dde.nn.DeepONetCartesianProd(
        [SENSORS, 6, 6], [1, 6, 6], "tanh", "Glorot normal", **options
    )


def pod_network(trunk=None):
    basis = np.random.default_rng(2).normal(size=(POINTS, 6))
    if trunk is None:
        return dde.nn.PODDeepONet(basis, [SENSORS, 6, 6], "tanh", "Glorot normal")
    return dde.nn.PODDeepONet(basis, [SENSORS, 6, 12], "tanh", "Glorot normal", trunk)


def answers(net, given):
    with torch.no_grad():
        return net(tuple(map(torch.as_tensor, given)))


@pytest.mark.parametrize(
    "make",
    [product_network, pod_network, lambda: pod_network([1, 6, 6])],
    ids=["product", "pod", "both"],
)
def test_the_one_output_is_scaled(make):
    net, given = make(), inputs()
    plain = answers(net, given)
    assert plain.shape == (FUNCTIONS, POINTS)
    assert scale_outputs(net, [4.0]) is net
    assert torch.equal(answers(net, given), 4.0 * plain)


def test_points_are_never_taken_for_outputs():
    net, given = product_network(), inputs()
    scale_outputs(net, [2.0] * POINTS)
    with pytest.raises(ValueError, match=f"each of 1 output, got {POINTS}."):
        answers(net, given)


@pytest.mark.parametrize("points", [POINTS, FUNCTIONS])
def test_several_outputs_keep_their_axis(points):
    net = product_network(num_outputs=2, multi_output_strategy="independent")
    plain = answers(net, inputs(points))
    assert plain.shape == (FUNCTIONS, points, 2)
    scale_outputs(net, [2.0, 0.5])
    assert torch.equal(answers(net, inputs(points)), plain * torch.tensor([2.0, 0.5]))


def test_pairs_have_a_column_an_output():
    net = dde.nn.DeepONet([SENSORS, 6, 6], [1, 6, 6], "tanh", "Glorot normal")
    functions, places = inputs(FUNCTIONS)
    plain = answers(net, (functions, places))
    assert plain.shape == (FUNCTIONS, 1)
    scale_outputs(net, [3.0])
    assert torch.equal(answers(net, (functions, places)), 3.0 * plain)


class Bilinear(dde.nn.NN):
    """A network of a user's own that answers each function at each point."""

    def __init__(self):
        super().__init__()
        self.regularizer = None
        self.matrix = torch.nn.Parameter(torch.ones(SENSORS, 1))

    def forward(self, given):
        outputs = given[0] @ self.matrix @ given[1].T
        return outputs if self._output_transform is None else self._output_transform(given, outputs)


def test_a_network_of_another_class_is_told_by_its_inputs():
    net, given = Bilinear(), inputs()
    plain = answers(net, given)
    scale_outputs(net, [0.25])
    assert torch.equal(answers(net, given), 0.25 * plain)


def test_it_trains_on_scaled_outputs():
    functions, places = inputs()
    values = (1e-3 * functions.sum(1, keepdims=True) * places.T).astype(np.float32)
    net = scale_outputs(product_network(), [1e-3])
    data = dde.data.TripleCartesianProd((functions, places), values, (functions, places), values)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-2, verbose=0)
    history, _ = model.train(iterations=200, verbose=0)
    assert history.loss_train[-1][0] < 0.1 * history.loss_train[0][0]
