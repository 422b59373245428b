"""One of two processes that train together: runs each scenario, writes what came out as JSON.

`python processes_worker.py RANK FILE_TO_MEET_AT RESULTS`. Scenarios return plain values; a
ValueError is an answer too.
"""

import datetime
import json
import os
import sys
import warnings

os.environ["DDE_BACKEND"] = "pytorch"

import deepxde as dde
import numpy as np
import torch
from torch import distributed

from pinn_ext import AdaptiveWeights, LossAggregator, strategies
from tests.strategies.made_up import MADE_UP

NAMES = ["pde", "bc"]


def losses_of(rank, step):
    """Return made-up losses, of another size on each process."""
    return {
        "pde": torch.tensor(1.0 + rank + 0.1 * step, dtype=torch.float64, requires_grad=True),
        "bc": torch.tensor(0.01 * (2 * rank + 1) / (1 + step), dtype=torch.float64),
    }


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))


def points(rank):
    return torch.linspace(0, 1, 5)[:, None] + 0.5 * rank


def terms(net, x):
    return {"pde": (net(x) - x.sin()).square().mean(), "bc": 0.1 * net(0 * x).square().mean()}


def numbers(tensors):
    return [value for tensor in tensors for value in tensor.detach().reshape(-1).tolist()]


def weights_of(owner):
    return list(owner.manager.get_weights().values())


def feed(aggregator, rank, steps, change=None):
    for step in steps:
        losses = losses_of(rank, step)
        if change:
            change(step, losses)
        aggregator(losses, step)
    return weights_of(aggregator)


# ---- the aggregator ------------------------------------------------------------------------------


def aggregator_reads_mean_losses(rank):
    return feed(LossAggregator("ema", NAMES, period=2), rank, range(6))


def aggregator_reads_mean_gradients(rank):
    net = network()
    aggregator = LossAggregator("by_norm", NAMES, parameters=net, period=2)
    for step in range(4):
        aggregator(terms(net, points(rank)), step)
    return weights_of(aggregator)


def aggregator_reads_mean_kernels(rank):
    net = network()
    aggregator = LossAggregator("by_kernel", NAMES, parameters=net)
    x = points(rank)
    residuals = {"pde": net(x) - x.sin(), "bc": net(0 * x)}
    aggregator({name: r.square().mean() for name, r in residuals.items()}, 1, residuals)
    return weights_of(aggregator)


def aggregator_beside_ddp(rank):
    net = torch.nn.parallel.DistributedDataParallel(network())
    aggregator = LossAggregator("by_norm", NAMES, parameters=net, period=2)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(6):
        optimizer.zero_grad()
        x = points(rank)
        both = net(torch.cat([x, 0 * x]))
        u, walls = both.split(len(x))
        losses = {"pde": (u - x.sin()).square().mean(), "bc": walls.square().mean()}
        aggregator(losses, step).backward()
        optimizer.step()
    return [weights_of(aggregator), numbers(net.parameters())]


def aggregator_where_a_rank_has_a_nan(rank):
    aggregator = LossAggregator("ema", NAMES, period=2)

    def spoil(step, losses):
        if rank == 1 and step == 2:
            losses["bc"] = torch.tensor(float("nan"))

    rows = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for begin in (0, 2, 4):
            rows.append(feed(aggregator, rank, range(begin, begin + 2), spoil))
    return [rows, [str(warning.message) for warning in caught]]


def aggregator_with_other_names(rank):
    names = ["pde", "bc"] if rank == 0 else ["pde", "walls"]
    losses = dict(zip(names, losses_of(rank, 0).values(), strict=True))
    LossAggregator("ema", names)(losses, 0)


def aggregator_with_another_period(rank):
    feed(LossAggregator("ema", NAMES, period=2 + rank), rank, range(6))


def aggregator_after_another_checkpoint(rank):
    aggregator = LossAggregator("ema", NAMES)
    if rank == 0:
        state = aggregator.state_dict()
        state["_extra_state"]["manager"]["weights"] = [1.0, 2.0]
        aggregator.load_state_dict(state)
    feed(aggregator, rank, range(2))


def aggregator_where_a_rank_has_no_graph(rank):
    net = network()
    losses = terms(net, points(rank))
    if rank == 1:
        losses["bc"] = losses["bc"].detach()
    LossAggregator("by_norm", NAMES, parameters=net)(losses, 0)


def every_strategy_by_both_ways(rank):
    """Return the weights of the aggregator and of the callback, by strategy."""
    found = {}
    for name in strategies.names():
        method = strategies.create(name)
        if not isinstance(method, strategies.Strategy):
            continue
        net = network()
        scales = dict.fromkeys(NAMES, 2.0) if "field_scales" in method.needs else None
        more = {"conditions": ["bc"]} if method.needs_conditions else {}
        aggregator = LossAggregator(
            name, NAMES, parameters=net, period=2, total_steps=6, field_scales=scales, **more
        )
        for step in range(6):
            x = points(rank) + 0.1 * step
            residuals = {"pde": net(x) - x.sin(), "bc": net(0 * x) - rank}
            losses = {key: r.square().mean() for key, r in residuals.items()}
            aggregator(losses, step, residuals)
        adaptive = AdaptiveWeights(name, period=2, verbose=0)
        train(share_gradients(model_of(rank)), adaptive)
        found[name] = [weights_of(aggregator), weights_of(adaptive)]
    return found


# ---- the callback --------------------------------------------------------------------------------


def model_of(rank, pde=None, walls=None, net=None, **compiled):
    """Return a stock DeepXDE model, the same network on points of its own on each process."""
    dde.config.set_random_seed(rank)

    def heat(x, y):
        return dde.grad.jacobian(y, x, 0, 1) - 0.1 * dde.grad.hessian(y, x, i=0, j=0)

    line = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))
    ends = walls or [
        dde.icbc.DirichletBC(line, lambda x: 1 + rank + 0 * x[:, :1], lambda _, on: on)
    ]
    start = dde.icbc.IC(line, lambda x: np.sin(np.pi * x[:, :1]), lambda _, on: on)
    data = dde.data.TimePDE(
        line, pde or heat, [*ends, start], 12, 4, 4, train_distribution="pseudo"
    )
    dde.config.set_random_seed(0)
    model = dde.Model(data, net or dde.nn.FNN([2, 6, 1], "tanh", "Glorot normal"))
    model.compile("adam", lr=1e-2, verbose=0, **compiled)
    return model


def share_gradients(model):
    """Average the gradients over the processes in each backward pass, as DDP does."""

    def average(parameter):
        distributed.all_reduce(parameter.grad)
        parameter.grad /= 2

    for parameter in model.net.parameters():
        parameter.register_post_accumulate_grad_hook(average)
    return model


def train(model, adaptive, iterations=6):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.train(iterations=iterations, callbacks=[adaptive], verbose=0, display_every=10**6)
    return [str(warning.message) for warning in caught]


def callback_of(strategy):
    def scenario(rank):
        model = share_gradients(model_of(rank))
        adaptive = AdaptiveWeights(strategy, period=2, verbose=0)
        train(model, adaptive)
        rows = [row["weights"] for row in adaptive.history]
        own = [row["losses"] for row in adaptive.history]
        return [rows, numbers(model.net.parameters()), own]

    return scenario


def callback_that_chooses(rank):
    model = share_gradients(model_of(rank))
    options = {"diagnosis": False, "budget_part": 0.3}
    adaptive = AdaptiveWeights("auto", period=2, options=options, verbose=0)
    train(model, adaptive, 60)
    pilots = adaptive._pilots.race
    scores = [row["score"] for row in pilots.rows if row["round"]]
    return [pilots.chosen, scores, numbers(model.net.parameters()), weights_of(adaptive)]


def callback_where_a_rank_has_a_nan(rank):
    calls = []

    def breaks(x, y):
        calls.append(1)  # the first one is DeepXDE's test
        bad = rank == 1 and len(calls) == 6
        return dde.grad.jacobian(y, x, 0, 1) * (float("nan") if bad else 1.0)

    model = share_gradients(model_of(rank, breaks))
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    told = train(model, adaptive, 20)
    parameters = numbers(model.net.parameters())
    return [adaptive.stopped, model.train_state.step, parameters, adaptive.history, told]


def callback_where_a_rank_has_a_bad_gradient(rank):
    calls = []

    def breaks(x, y):
        calls.append(1)
        if rank == 1 and len(calls) == 6:  # its derivative is infinite, times 0
            return torch.sqrt((y - y.detach()).abs())
        return dde.grad.jacobian(y, x, 0, 1)

    model = model_of(rank, breaks)
    adaptive = AdaptiveWeights("ema", period=2, verbose=0)
    train(model, adaptive, 20)
    finite = all(parameter.isfinite().all().item() for parameter in model.net.parameters())
    return [adaptive.stopped, model.train_state.step, finite]


def callback_with_other_names(rank):
    names = ["heat", "walls", "start" if rank == 0 else "begin"]
    train(model_of(rank), AdaptiveWeights("ema", names=names, verbose=0))


def callback_with_other_terms(rank):
    line = dde.geometry.GeometryXTime(dde.geometry.Interval(0, 1), dde.geometry.TimeDomain(0, 1))
    wall = dde.icbc.DirichletBC(line, lambda x: 0 * x[:, :1], lambda _, on: on)
    train(model_of(rank, walls=[wall] * (1 + rank)), AdaptiveWeights("ema", verbose=0))


def callback_with_another_period(rank):
    train(model_of(rank), AdaptiveWeights("ema", period=2 + rank, verbose=0))


def callback_with_other_weights(rank):
    weights = [1.0, 2.0, 3.0 + rank]
    train(model_of(rank, loss_weights=weights), AdaptiveWeights("ema", verbose=0))


SCENARIOS = {
    "losses": aggregator_reads_mean_losses,
    "gradients": aggregator_reads_mean_gradients,
    "kernels": aggregator_reads_mean_kernels,
    "ddp": aggregator_beside_ddp,
    "nan": aggregator_where_a_rank_has_a_nan,
    "every_strategy": every_strategy_by_both_ways,
    "names": aggregator_with_other_names,
    "period": aggregator_with_another_period,
    "checkpoint": aggregator_after_another_checkpoint,
    "no_graph": aggregator_where_a_rank_has_no_graph,
    "callback_losses": callback_of("ema"),
    "callback_equal_init": callback_of("equal_init"),
    "callback_gradients": callback_of("by_norm"),
    "callback_kernels": callback_of("by_kernel"),
    "callback_scales": callback_of("field_scale"),
    "callback_auto": callback_that_chooses,
    "callback_nan": callback_where_a_rank_has_a_nan,
    "callback_bad_gradient": callback_where_a_rank_has_a_bad_gradient,
    "callback_names": callback_with_other_names,
    "callback_terms": callback_with_other_terms,
    "callback_period": callback_with_another_period,
    "callback_weights": callback_with_other_weights,
}


def main(rank, meeting, results):
    torch.set_num_threads(1)
    strategies._REGISTRY.update(MADE_UP)
    distributed.init_process_group(
        "gloo",
        init_method=f"file://{meeting}",
        rank=rank,
        world_size=2,
        timeout=datetime.timedelta(seconds=60),
    )
    found = {}
    for name, scenario in SCENARIOS.items():
        try:
            found[name] = scenario(rank)
        except ValueError as error:
            found[name] = f"ValueError: {error}"
        distributed.barrier()  # nobody's words must reach the next scenario
    with open(results, "w", encoding="utf-8") as file:
        json.dump(found, file)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
