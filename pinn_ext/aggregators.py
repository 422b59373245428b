"""The former place of `pinn_ext.LossAggregator`."""

from pinn_ext.plain_torch.loss_aggregator import LossAggregator as LossAggregator
