"""The last layer of each branch of a network, read from its graph or from its modules."""

import itertools

import pytest
import torch
from torch import nn

from pinn_ext.measurements.last_layers import of_list, of_module, of_outputs


def chain(*widths):
    layers = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


class Fields(nn.Module):
    """A network a field; inputs and outputs have the same width, so that shapes tell nothing."""

    def __init__(self):
        super().__init__()
        self.u, self.v = chain(1, 3, 1), chain(1, 3, 3, 1)

    def forward(self, x):
        return torch.cat((self.u(x), self.v(x)), dim=-1)


class Heads(nn.Module):
    """A common trunk with a head a field, a scale behind them."""

    def __init__(self):
        super().__init__()
        self.trunk = chain(1, 4, 4)
        self.heads = nn.ModuleList([nn.Linear(4, 1) for _ in range(2)])
        self.scale = nn.Parameter(torch.ones(2))

    def forward(self, x):
        hidden = torch.tanh(self.trunk(x))
        return torch.cat([head(hidden) for head in self.heads], dim=1) * self.scale


def names_of(net, chosen):
    return [list(dict(net.named_parameters()))[i] for i in chosen]


def read(net, shape=(5, 1)):
    parameters = list(net.parameters())
    return names_of(net, of_outputs(net(torch.rand(shape, requires_grad=True)), parameters))


ENDS = ["u.2.weight", "u.2.bias", "v.4.weight", "v.4.bias"]


@pytest.mark.parametrize("shape", [(5, 1), (2, 5, 1), (1,)])
def test_the_graph_shows_the_end_of_each_branch(shape):
    assert read(Fields(), shape) == ENDS


def test_the_graph_shows_heads_and_what_comes_after_them():
    ends = {"heads.0.weight", "heads.0.bias", "heads.1.weight", "heads.1.bias", "scale"}
    assert set(read(Heads())) == ends


def test_a_chain_ends_in_one_layer_by_any_way_of_reading():
    net = chain(2, 4, 4, 2)
    parameters = list(net.parameters())
    outputs = net(torch.rand(3, 2))
    assert of_outputs(outputs, parameters) == of_module(net, parameters) == [4, 5]
    assert of_list(parameters, range(6)) == [4, 5]
    net[4].weight.requires_grad_(False)  # then the layer before it, with what comes after
    assert of_outputs(net(torch.rand(3, 2)), parameters) == [2, 3, 5]


def test_derivatives_of_the_outputs_do_not_lead_astray():
    net, x = Fields(), torch.rand(4, 1, requires_grad=True)
    y = net(x)
    torch.autograd.grad(y.sum(), x, create_graph=True)
    assert names_of(net, of_outputs(y, list(net.parameters()))) == ENDS


def test_modules_show_networks_side_by_side():
    net = Fields()
    parameters = list(net.parameters())
    assert names_of(net, of_module(net, parameters)) == ENDS
    follows = nn.Sequential(chain(1, 3, 3), chain(3, 3, 1))
    assert names_of(follows, of_module(follows, list(follows.parameters()))) == [
        "1.2.weight",
        "1.2.bias",
    ]
    net.u.requires_grad_(False)
    assert names_of(net, of_module(net, parameters)) == ENDS[2:]


def test_outputs_without_a_graph_or_a_matrix_show_nothing():
    scale = nn.Parameter(torch.ones(2))
    assert of_outputs(torch.ones(2), [scale]) is None
    assert of_outputs((scale * 2,), [scale]) is None
    assert of_outputs(scale * torch.ones(2), [scale]) is None


def test_a_normalised_weight_is_one_layer():
    norm = nn.utils.parametrizations.weight_norm
    net = nn.Sequential(norm(nn.Linear(2, 3)), nn.Tanh(), norm(nn.Linear(3, 1)))
    ends = ["2.bias", "2.parametrizations.weight.original0", "2.parametrizations.weight.original1"]
    for requires_grad in (True, False):
        outputs = net(torch.rand(4, 2, requires_grad=requires_grad))
        assert names_of(net, of_outputs(outputs, list(net.parameters()))) == ends


def test_compiled_networks_are_read_from_their_modules():
    net = Fields()
    compiled = torch.compile(net, backend="aot_eager")
    parameters = list(compiled.parameters())
    assert of_outputs(compiled(torch.rand(3, 1)), parameters) is None
    assert names_of(net, of_module(compiled, parameters)) == ENDS
