"""Runs that nobody has trained: a checkpoint with a network as it was drawn, quickly made."""

import torch

from pinn_ext import schema
from pinn_ext.losses.from_config import field_network, physics_loss
from pinn_ext.program import checkpoints
from pinn_ext.program.composition import compose


def untrained(folder, *overrides, **more):
    """Make the folder of a run, `network.hidden=[8]` unless told otherwise; return its network."""
    folder.mkdir(parents=True, exist_ok=True)
    cfg, _ = compose(["network.hidden=[8]", *overrides])
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, cfg.dtype))
    network = field_network(cfg, physics_loss(cfg))
    torch.set_default_dtype(before)
    with torch.no_grad():  # biases are drawn as 0, of which many mistakes would not be seen
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator())
    content = {"model_state_dict": network.state_dict(), "config": schema.as_dict(cfg), **more}
    checkpoints.save(folder / "checkpoint.pt", content)
    return network
