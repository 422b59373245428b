"""Models that start from other last bits, as another processor's arithmetic would make them."""

import functools

import deepxde as dde
import torch

_DONE = "pinn_ext_perturbed"


def perturb(parameters, seed=1):
    """Move each number to one of its neighbours, or leave it: by chance, the same one each time.

    Args:
        parameters: tensors of any shape and float type, changed in place.
        seed: of the choice.
    """
    generator = torch.Generator(device="cpu").manual_seed(seed)
    with torch.no_grad():
        for tensor in parameters:
            draw = torch.randint(-1, 2, tensor.shape, generator=generator, device="cpu")
            way = draw.to(tensor.device, tensor.dtype) * torch.inf
            tensor.copy_(torch.where(draw.to(tensor.device) == 0, tensor, tensor.nextafter(way)))


def perturb_models(monkeypatch):
    """Perturb each network when a DeepXDE model is first built on it, before anything is trained.

    A copy of one that has been perturbed is left alone: it is to be equal to the other.
    """
    original = dde.Model.__init__

    @functools.wraps(original)
    def build(self, data, net):
        original(self, data, net)
        if not hasattr(net, _DONE):
            perturb(p for p in net.parameters() if p.requires_grad)
            setattr(net, _DONE, True)

    monkeypatch.setattr(dde.Model, "__init__", build)
