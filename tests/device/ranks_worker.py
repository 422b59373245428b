"""One of two processes that train together: `ranks_worker.py RANK FILE_TO_MEET_AT`.

It prints what the first step of an aggregator came to, on one card for both and on a card for each.
"""

import datetime
import sys

import torch
from torch import distributed

from pinn_ext import LossAggregator
from tests.device import pretend


def first_step(device):
    aggregator = LossAggregator("ema", ["pde", "bc"]).to(device)
    losses = {name: torch.ones((), device=device, requires_grad=True) for name in ("pde", "bc")}
    try:
        return aggregator(losses, 0).item()
    except ValueError as error:
        return error


def main(rank, meeting):
    pretend.register()
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=int(rank),
        world_size=2,
        timeout=datetime.timedelta(seconds=120),
    )
    print(first_step("pretend:1"))
    print(first_step(f"pretend:{rank}"))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
